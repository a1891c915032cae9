"""The documentation site: it builds without a warning, every link in it leads somewhere, and nothing is fetched."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown.extensions.toc import slugify

from tests.docs.blocks import ROOT


def build(checkout: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "docs", folder / "docs")
    for name in ("zensical.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def site(checkout: Path) -> Path:
    done = build(checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout + done.stderr
    return checkout / "site"


class Page(HTMLParser):
    """Anchors, links, and what a browser fetches on its own."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors.add(values.get("id", ""))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and values.get("rel") not in ("canonical", "next", "prev"):
            self.fetched.append(values.get("href", ""))
        if "src" in values:
            self.fetched.append(values["src"])


@pytest.fixture(scope="module")
def read(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def targets(path: Path, links: list[str]) -> Iterator[tuple[Path, str]]:
    """The file and the anchor of every link that stays in the site."""
    for link in links:
        parts = urlsplit(link)
        if not parts.scheme and not parts.netloc:
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            yield target / "index.html" if target.is_dir() else target, unquote(parts.fragment)


def test_every_rule_and_every_source_has_a_page(read: dict[Path, Page], site: Path) -> None:
    sources = {path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")}
    wanted = {(source.parent if source.name == "index" else source) / "index.html" for source in sources}
    assert wanted == {path.relative_to(site) for path in read if path.name == "index.html"}


def test_links_and_anchors_lead_somewhere(read: dict[Path, Page], site: Path) -> None:
    seen = 0
    for path, page in read.items():
        if path.name == "404.html":  # its links are absolute
            continue
        for target, anchor in targets(path, page.links + page.fetched):
            seen += 1
            assert target.is_file(), f"{path.relative_to(site)}: {target}"
            assert not anchor or anchor in read[target].anchors, f"{path.relative_to(site)}: {target}#{anchor}"
    assert seen > 1000


def test_every_page_is_in_the_navigation(site: Path) -> None:
    text = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    named = set(re.findall(r'"([\w./-]+\.md)"', text))
    assert named == {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}


def test_nothing_is_fetched_from_elsewhere(read: dict[Path, Page], site: Path) -> None:
    for page in read.values():
        assert not [link for link in page.fetched if urlsplit(link).netloc]
    for path in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//|@import", path.read_text(encoding="utf-8")), path


def test_a_dead_link_breaks_the_build(checkout: Path, tmp_path: Path) -> None:
    for dead in ("nowhere.md", "rules/index.md#nowhere"):
        folder = tmp_path / dead.replace("/", "-")
        (folder / "docs" / "rules").mkdir(parents=True)
        (folder / "zensical.toml").write_text('[project]\nsite_name = "x"\n')
        (folder / "docs" / "rules" / "index.md").write_text("# Rules\n")
        (folder / "docs" / "index.md").write_text(f"# Home\n\n[fine](rules/index.md#rules) [dead]({dead})\n")
        done = build(folder)
        assert done.returncode != 0 and "1 issue found" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "fixtures/projects/classifier/README.md"])
def test_links_of_the_checkout_lead_somewhere(name: str) -> None:
    path = ROOT / name
    text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target, anchor in targets(path, re.findall(r"\]\(([^)\s]+)\)", text)):
        assert target.exists(), f"{name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {slugify(heading.replace("`", ""), "-") for heading in headings}, f"{name}: #{anchor}"
