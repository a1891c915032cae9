"""A sample of safe fixes on checkouts of public repositories, applied, to be read by a person.

    python benchmarks/safe_fixes.py FOLDER ...      one checkout a FOLDER, named OWNER__NAME; FOLDERs are not changed

All rules are on, without settings. Of the findings with a safe fix SAMPLE are drawn, the same for the same findings;
then `--fix` runs on a copy, every changed file has to parse, and the sample and the whole difference are printed.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import json
import random
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

from measure import ckpt_lint, expect, measured, work_folder

SEED = 100
SAMPLE = 100
OPTIONS = ("--isolated", "--select", "ALL", "--no-cache", "--exit-zero")
Place = tuple[str, str, int, int, str]


def places(folder: Path) -> list[Place]:
    """The safe fixes offered in one checkout: its name, path, cell (-1 outside notebooks), row, code."""
    command = [*ckpt_lint(), "check", *OPTIONS, "--output-format", "json", folder]
    findings: list[dict[str, Any]] = json.loads(expect(measured(command), (0, 3), folder.name).output)
    return sorted(
        (
            folder.name,
            Path(finding["filename"]).relative_to(folder).as_posix(),
            -1 if finding["cell"] is None else finding["cell"],
            finding["location"]["row"],
            finding["code"],
        )
        for finding in findings
        if finding["fix"] and finding["fix"]["applicability"] == "safe"
    )


def parses(path: Path, text: str) -> bool:
    """Whether a changed file is python still, or a notebook that json reads."""
    try:
        if path.suffix == ".ipynb":
            json.loads(text)
        else:
            ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def changed(folder: Path, copy: Path) -> list[str]:
    """Say for each file that the fixes changed what they changed; "BROKEN" where it does not parse any more."""
    out = []
    for path in sorted(copy.rglob("*")):
        original = folder / path.relative_to(copy)
        if path.suffix not in (".py", ".ipynb") or path.read_bytes() == original.read_bytes():
            continue
        before, after = (file.read_text(encoding="utf-8", errors="replace") for file in (original, path))
        if not parses(path, after):
            out.append(f"BROKEN {path}")
        name = f"{folder.name}/{path.relative_to(copy).as_posix()}"
        out += difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="", n=6)
    return out


def main() -> int:
    """Draw, fix, print; the exit status is 1 where a changed file does not parse."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    folders = sorted((folder.resolve() for folder in parser.parse_args().folders), key=lambda folder: folder.name)
    warnings.simplefilter("ignore", SyntaxWarning)
    found = [place for folder in folders for place in places(folder)]
    drawn = sorted(random.Random(SEED).sample(found, min(SAMPLE, len(found))))
    print(f"{len(drawn)} of {len(found)} safe fixes")
    for name, path, cell, row, code in drawn:
        print(f"{name}\t{path}{'' if cell < 0 else f' cell {cell}'}:{row}\t{code}")
    broken = False
    for folder in folders:
        copy = work_folder("safe-fixes") / folder.name
        shutil.copytree(folder, copy, symlinks=True)
        expect(measured([*ckpt_lint(), "check", *OPTIONS, "--fix", "-q", copy]), (0, 3), f"--fix on {folder.name}")
        lines = changed(folder, copy)
        broken |= any(line.startswith("BROKEN") for line in lines)
        print("\n".join(lines))
        shutil.rmtree(copy)
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
