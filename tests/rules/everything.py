"""All that the rules say of all fixtures, one line each: what runs under different circumstances must agree on.

As a program (`python -m tests.rules.everything FOLDER [--reversed]`) it prints them, so that a test can choose the
seed of hashes, which holds for a whole process.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ckpt_lint import rules
from ckpt_lint.model import Outcome
from ckpt_lint.source.text import Source
from tests.rules.harness import ALL_CODES, FIXTURES, check_path, fix_path


def laid_out(folder: Path) -> Path:
    """Every fixture alone under `folder`: a file in a folder of its own, a project as it is."""
    for place in sorted(FIXTURES.glob("*/*")):
        home = folder / place.parent.name / place.name.replace(".", "_")
        if place.is_dir():
            shutil.copytree(place, home)
        elif not place.name.endswith(".fixed.py"):
            home.mkdir(parents=True)
            shutil.copy(place, home / place.name)
        if home.is_dir() and not (home / "pyproject.toml").exists():
            (home / "setup.cfg").write_text("", encoding="utf-8")
    for rule in rules.ALL:
        for name, text in (("bad", rule.page.bad), ("good", rule.page.good)):
            if not rule.code.startswith("CKP5"):
                home = folder / "pages" / rule.code / name
                home.mkdir(parents=True)
                (home / "setup.cfg").write_text("", encoding="utf-8")
                (home / "train.py").write_text(text, encoding="utf-8")
    return folder


def homes(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Every file under a folder that was laid out, with the folder of its project."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".py", ".ipynb") and path.is_file():
            depth = 3 if path.is_relative_to(folder / "pages") else 2
            yield path, Path(*path.parts[: len(folder.parts) + depth])


@dataclass(frozen=True)
class Judged:
    """What is found in a file, and what all fixes make of it."""

    path: Path
    home: Path
    before: Outcome
    fixed: Source
    after: Outcome

    def said(self, folder: Path) -> Iterator[str]:
        """The same as lines."""
        for one in (*self.before.findings, *self.before.problems, *self.after.findings, *self.after.problems):
            yield repr(one).replace(str(folder), "")
        yield f"{self.path.relative_to(folder)} {dict(self.after.fixed)} {self.fixed.text!r}"


def judged(folder: Path) -> Iterator[Judged]:
    """Every file under a folder that was laid out."""
    for path, home in homes(folder):
        yield Judged(path, home, check_path(path, home, ALL_CODES), *fix_path(path, home, ALL_CODES))


def main(folder: Path, *options: str) -> None:
    """Print the answers; with `--reversed` the rules are asked in reverse order."""
    if "--reversed" in options:
        rules.MODULES = tuple(reversed(rules.MODULES))
    for one in judged(folder):
        print(*one.said(folder), sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
