"""Names, source, keys, manifests and settings written to be obeyed by whoever shows them: no output of ours lets them."""

from __future__ import annotations

import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ckpt_lint.config.options import OUTPUT_FORMATS
from tests.cli.command import Ran, ckpt_lint

LETTERS = "\x1b[31m\x07\x08\x9b2J\u202e\u2066\u200f\u061c\x85\u2028"
MARKUP = "<img src=x onerror=y>`|\\| @all ![i](//e.x/i) www.e.x"
NAME = f"::error file=x::pwn\n::warning::two\r::set-env name=x::y\n##{LETTERS}{MARKUP.replace('/', '')}"
KEY = f"::error::key{LETTERS}\\n::error::two{MARKUP}"
QUOTED = KEY.replace("\\|", "\\\\|")
CODE = f'''"""
::error::doc
##[error]doc
{LETTERS}
"""
import torch
state = {{"model": 1, "{QUOTED}": 2}}
torch.save(state, "a.pt")
ckpt = torch.load("a.pt",
    # ::error::comment{LETTERS}
    map_location="cpu")
"""
::error::after
"""
x = ckpt["{QUOTED}x"]
y = torch.load("{QUOTED}")
'''
MANIFEST = f"torch=={LETTERS}::error::{MARKUP}\n"
FORBIDDEN = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\u2028\u2029]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose every text is hostile."""
    folder = tmp_path_factory.mktemp("project")
    (folder / f"{NAME}.py").write_text(CODE)
    (folder / f"::error::broken{LETTERS}.py").write_text(f"import torch\ntorch.load(p)\nx = = '{LETTERS}'\n")
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": CODE}
    (folder / f"{NAME}.ipynb").write_text(
        json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    (folder / "requirements.txt").write_text(MANIFEST)
    return folder


def obeyed(text: str, *, commands: bool = False) -> list[str]:
    """What a terminal, or GitHub's log, would obey: characters, and lines that are commands."""
    found = [
        repr(letter) for letter in set(text) if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t"
    ]
    found += FORBIDDEN.findall(text)
    lines = [] if commands else [line for line in text.split("\n") if line.strip().startswith(("::", "##["))]
    return found + lines


def assert_harmless(ran: Ran, *, commands: bool = False, codes: tuple[int, ...] = (0, 1, 3)) -> None:
    assert ran.code in codes, ran
    assert obeyed(ran.out, commands=commands) == [] and obeyed(ran.err) == []


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize("output_format", [*OUTPUT_FORMATS, "statistics", "statistics-json"])
@pytest.mark.parametrize("more", [(), ("--unsafe-fixes",)])
def test_every_format_of_check(folder: Path, output_format: str, more: tuple[str, ...]) -> None:
    options = ("--output-format", output_format, "--select", "ALL")
    if output_format.startswith("statistics"):
        options = ("--statistics", "--select", "ALL", "--output-format", "json" if "json" in output_format else "full")
    ran = ckpt_lint("check", "--no-cache", *options, *more, ".", cwd=folder)
    assert_harmless(ran, commands=output_format == "github", codes=(3,))
    check = CONSUMERS.get(output_format)
    if check is not None:
        check(ran.out, len(json.loads(all_of(folder))))


def all_of(folder: Path) -> str:
    return ckpt_lint("check", "--no-cache", "--select", "ALL", "--output-format", "json", ".", cwd=folder).out


def _github(text: str, count: int) -> None:
    """Every line is one command of ours; none was cut in two, and no property was added."""
    lines = text.rstrip("\n").split("\n")
    own = re.compile(
        r"::(error|warning) title=ckpt-lint \([\w-]+\),file=([^,:]*),line=\d+(,col=\d+)?,endLine=\d+(,endColumn=\d+)?::"
    )
    assert len(lines) == count and all(own.match(line) for line in lines)


def _markdown(text: str, count: int) -> None:
    """As a renderer of GitHub's dialect sees it: a table of three columns, no image, no link, no tag but code."""
    from markdown_it import MarkdownIt

    rows = [line for line in text.split("\n") if line.startswith("|")]
    assert len(rows) == count + 2
    cells = re.compile(r"(?:\\[^\n]|[^|\\])+")  # a backslash takes the next character with it, as in cmark-gfm
    assert {len([cell for cell in cells.findall(row) if cell.strip()]) for row in rows[2:]} == {3}
    parser = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table")
    html = parser.render(text)
    tags = Tags(html)
    assert (
        tags.seen <= {"h3", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "strong"} and not tags.attributes
    )
    prose = re.sub(r"`+[^`]*`+|<code>.*?</code>", "", text)
    assert "@all" not in prose and "www." not in prose


def _junit(text: str, count: int) -> None:
    root = ET.fromstring(text)
    assert len(list(root.iter("testcase"))) == count
    assert {one.tag for one in root.iter()} == {"testsuites", "testsuite", "testcase", "failure", "error"}


def _lines(text: str, count: int) -> None:
    assert sum(bool(re.match(r".*?:\d+", line)) for line in text.split("\n")) >= count


CONSUMERS = {"github": _github, "markdown": _markdown, "junit": _junit, "concise": _lines, "pylint": _lines}


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--show-files", "."),
        ("check", "--show-settings", f"{NAME}.py"),
        ("check", "--add-noqa", "--diff", "."),
        ("check", "--select", "ALL", f"gone{NAME}.py"),
        ("check", "--select", NAME, "."),
        ("check", "--config", f"{NAME}.toml", "."),
        ("explain", f"{NAME}.py:9"),
        ("explain", f"gone{NAME}.py:9"),
        ("rule", NAME),
        ("verify", "."),
        ("verify", ".", "--output-format", "json"),
        ("verify", ".", "--output-format", "sarif"),
        ("verify", ".", "--checkpoint", f"gone{NAME}.pt"),
        ("inspect", f"gone{NAME}.pt"),
        ("check", "--baseline", f"gone{NAME}.json", "."),
        ("check", "--output-file", f"gone/{NAME.replace('/', '')}", "."),
        (NAME,),
    ],
    ids=lambda arguments: " ".join(arguments)[:40].encode("ascii", "backslashreplace").decode().replace("\n", " "),
)
def test_every_other_output(folder: Path, arguments: tuple[str, ...]) -> None:
    if "--diff" in arguments:
        arguments = tuple(one for one in arguments if one != "--add-noqa")
        ran = ckpt_lint(*arguments, "--no-cache", cwd=folder)
        assert obeyed(ran.err) == [], "a patch is exact: only what is beside it can be spelled out"
        return
    assert_harmless(ckpt_lint(*arguments, cwd=folder), codes=(0, 1, 2, 3))


@pytest.mark.parametrize(
    "text",
    [
        '"\\u001b[31m::error" = 1',
        'select = ["\\u001b[31m\\u202e"]',
        'per-file-ignores = {"x" = ["\\n::error::x\\u009b"]}',
        'torch-version = "\\u001b[31m\\n::error::x"',
        'output-format = "\\u001b[31m"',
        'extend = "\\n::error::\\u001b.toml"',
        'api = {loaders = ["\\u001b[31m"]}',
        "\x1b[31m",
        'checkpoints = { "*.py" = ["/\\u001b[31m\\n::error::x*"] }',
        'python = "\\u001b[31m\\n::error::x"\nexclude = ["\\u202e\\u009b\\u2028"]',
    ],
)
def test_settings(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.py").write_text("import torch\nmodel.load_state_dict(torch.load('a.pt'))\n")
    (tmp_path / "ckpt-lint.toml").write_text(text)
    for arguments in (("check", "."), ("check", "--show-settings", "."), ("verify", "."), ("explain", "a.py:2")):
        assert_harmless(ckpt_lint(*arguments, cwd=tmp_path), codes=(0, 1, 2, 3))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    folder = tmp_path_factory.mktemp("checkpoint")
    key = KEY.replace("\\n", "\n")
    path = folder / f"{NAME}.pt"
    torch.save({"model": {f"{key}w": torch.zeros(2)}, key: key, "x": {"<b>": "</pre><script>alert(1)</script>"}}, path)
    torch.save({"model": {f"{key}v": torch.ones(3)}, f"{key}2": 1}, folder / f"{NAME}2.pt")
    return path


@pytest.mark.parametrize("options", [(), ("--json",), ("--html",), ("--diff",), ("--diff", "--json"), ("--deep",)])
def test_inspect(checkpoint: Path, options: tuple[str, ...]) -> None:
    other = (f"{NAME}2.pt",) if "--diff" in options else ()
    out = ("page.html",) if "--html" in options else ()
    ran = ckpt_lint("inspect", *options, *out, f"{NAME}.pt", *other, cwd=checkpoint.parent)
    assert_harmless(ran)
    if "--html" in options:
        page = (
            (checkpoint.parent / "page.html").read_text()
            if out and (checkpoint.parent / "page.html").exists()
            else ran.out
        )
        assert obeyed(page, commands=True) == [] and {"img", "script", "b"} & Tags(page).seen <= {"b"}
        assert "<b>" not in page and "onerror" not in Tags(page).attributes and page.count("</pre>") == 1


@pytest.mark.parametrize("output_format", OUTPUT_FORMATS)
def test_check_of_a_checkpoint_file(checkpoint: Path, output_format: str) -> None:
    ran = ckpt_lint(
        "check", "--checkpoints", "--select", "ALL", "--output-format", output_format, ".", cwd=checkpoint.parent
    )
    assert_harmless(ran, commands=output_format == "github", codes=(0, 1))


def test_the_evidence_of_verify(tmp_path: Path) -> None:
    import torch

    torch.save({KEY.replace("\\n", "\n"): torch.zeros(2)}, tmp_path / "a.pt")
    text = f'import torch\nckpt = torch.load("a.pt", weights_only=False)\nx = ckpt["{QUOTED}"]\n'
    (tmp_path / f"{NAME}.py").write_text(text)
    ran = ckpt_lint("verify", ".", "--report", "r.md", "--fix", "--trust", cwd=tmp_path)
    assert_harmless(ran)
    report = (tmp_path / "r.md").read_text()
    assert obeyed(report) == []
    from markdown_it import MarkdownIt

    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(report)
    tags = Tags(html)
    assert not tags.seen & {"img", "a", "script"} and not tags.attributes, html
