"""Expectations stand on the line they are about: `torch.load(p)  # CKP301: 5` (row of the comment, column from 1).

A fixture folder `fixtures/rules/<rule_name>/` holds `bad*.py` with expectations, `bad*.fixed.py` (what `--fix
--unsafe-fixes` makes of it, expectations left out), and near misses `near_*.py`: no finding at all. A sub-folder is
a small project: every file in it is checked inside the whole. `# torch: SPEC` in the first lines of a single file
gives the declared torch. In notebooks the expectations stand in the cells.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

from ckpt_lint import engine, rules
from ckpt_lint.model import Finding, Outcome, Problem
from ckpt_lint.settings import Settings
from ckpt_lint.source.text import Source, read_source
from ckpt_lint.workspace import Workspace

FIXTURES = Path(__file__).parents[2] / "fixtures" / "rules"
EXPECTED = re.compile(r"#\s*((?:CKP\d{3}: \d+)(?:, CKP\d{3}: \d+)*)")
ONE = re.compile(r"(CKP\d{3}): (\d+)")
TORCH = re.compile(r"^# torch: (.+)$", re.MULTILINE)
ALL_CODES = frozenset(rule.code for rule in rules.ALL)
DEFAULT_CODES = frozenset(rule.code for rule in rules.ALL if rule.on)

Expectation = tuple[str, int, int, int]
"""Code, cell (0 outside of notebooks), row, column."""


def settings_for(root: Path, codes: frozenset[str], torch: str | None = None) -> Settings:
    """The settings of a fixture: these codes are on, everywhere."""
    base = Settings.isolated(rules.ALL, root=str(root))
    return dataclasses.replace(base, selected=codes, in_tests=codes, torch_version=torch)


def check_text(text: str, root: Path, codes: frozenset[str], *, name: str = "train.py") -> Outcome:
    """Judge a text as a file alone in its folder."""
    path = root / name
    path.write_text(text, encoding="utf-8")
    return check_path(path, root, codes)


def check_path(path: Path, root: Path, codes: frozenset[str]) -> Outcome:
    """Judge a file of the project `root`."""
    source = source_of(path)
    settings = settings_for(root, codes, declared(source.text))
    project = Workspace().project_of(source, settings)
    return engine.check(source, project=project, settings=settings)


def fix_path(path: Path, root: Path, codes: frozenset[str], *, unsafe: bool = True) -> tuple[Source, Outcome]:
    """Fix a file of the project `root`, in memory."""
    source = source_of(path)
    settings = settings_for(root, codes, declared(source.text))
    project = Workspace().project_of(source, settings)
    return engine.fix(source, project=project, settings=settings, unsafe=unsafe)


def source_of(path: Path) -> Source:
    """The source of a file that can be read."""
    source = read_source(str(path), path.read_bytes())
    assert not isinstance(source, Problem), source
    return source


def declared(text: str) -> str | None:
    """What `# torch: SPEC` says."""
    match = TORCH.search(text[:400])
    return match.group(1).strip() if match else None


def expectations(source: Source) -> set[Expectation]:
    """What the comments of a fixture expect."""
    out: set[Expectation] = set()
    for cell in source.cells:
        rows = source.text[cell.span.start : cell.span.end].splitlines()
        for row, line in enumerate(rows, 1):
            match = EXPECTED.search(line)
            for code, column in ONE.findall(match.group(1)) if match else ():
                out.add((code, cell.number or 0, row, int(column)))
    return out


def found(findings: tuple[Finding, ...]) -> set[Expectation]:
    """What was found, as expectations say it."""
    return {(f.code, f.location.cell or 0, f.location.row, f.location.column) for f in findings}


def without_expectations(text: str) -> str:
    """A text with its expectation comments taken off."""
    return re.sub(r"[ \t]*" + EXPECTED.pattern, "", text)


def copied(source: Path, target: Path) -> Path:
    """A fixture (a file or a project folder) alone in a temporary folder, so that no other fixture is its project."""
    if source.is_dir():
        return Path(shutil.copytree(source, target / source.name))
    shutil.copy(source, target / source.name)
    return target / source.name
