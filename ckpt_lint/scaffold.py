"""`python -m ckpt_lint.scaffold CKP420 some-name restoring`: the files of a new rule, and its rows in the catalogue.

What is made says what is missing: the tests fail until it is filled in.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

GROUPS = ("saving", "training_state", "loading", "restoring")
CATALOGUE = Path("ckpt_lint", "rules", "__init__.py")
PROVED = Path("tests", "proofs", "catalogue.py")

_RULE = '''"""{code}."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Page, RuleInfo, Severity

RULE = RuleInfo(
    code="{code}",
    name="{name}",
    severity=Severity.WARNING,
    on=False,
    page=Page(
        summary="TODO: what it finds, in one sentence.",
        why="TODO: what happens then.",
        bad="""\\
import torch
""",
        good="""\\
import torch
""",
        silent=("TODO: what it does not fire on",),
        sources=(),
    ),
)


def check(view: View) -> Iterator[Report]:
    """TODO: what is reported."""
    yield from ()
'''

_PROOF = '''"""TODO: the hazard, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "{code}"
BAD = """\\
import torch
"""
GOOD = """\\
import torch
"""


def observe(program: str, stage: Stage) -> Seen:
    """TODO: run the program, and say whether the hazard happened and whether it did what its author meant."""
    stage.run(program)
    return stage.seen("TODO", hazard=False, right=False)
'''

_BAD = '"""TODO: code that the rule fires on; what is expected stands on the line."""\n\nimport torch  # {code}: 1\n'
_NEAR = '"""TODO: code that looks like it and is right."""\n\nimport torch\n'


def main(argv: Sequence[str] | None = None) -> int:
    """Make the files in the checkout that the command is run in; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ckpt_lint.scaffold", description=__doc__)
    parser.add_argument("code", help="CKP and three digits; a code is never used again")
    parser.add_argument("name", help="in kebab case; it reads as `allow NAME`")
    parser.add_argument("group", choices=GROUPS, help="the folder under ckpt_lint/rules")
    parser.add_argument("--root", type=Path, default=Path(), help="the checkout (default: the working folder)")
    arguments = parser.parse_args(argv)
    try:
        files = scaffold(arguments.root, arguments.code, arguments.name, arguments.group)
    except ValueError as error:
        parser.error(str(error))
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)
    return 0


def scaffold(root: Path, code: str, name: str, group: str) -> Mapping[Path, str]:
    """The files to write, with their texts. Raises ValueError for a code or a name that is taken, or is none."""
    if not re.fullmatch(r"CKP[1-4]\d\d", code):
        raise ValueError(f"{code} is no code of a rule about code: CKP1 to CKP4 and two digits")
    if not re.fullmatch(r"[a-z]+(-[a-z]+)+", name):
        raise ValueError(f"{name} is no name in kebab case")
    module = name.replace("-", "_")
    catalogue, proved = root / CATALOGUE, root / PROVED
    codes = dict(re.findall(r'"(CKP\d{3})": "([a-z-]+)"', proved.read_text(encoding="utf-8")))
    if code in codes or name in codes.values():
        raise ValueError(f"{code if code in codes else name} is taken")
    before = max((known for known in codes if known < code), default=None)
    if before is None:
        raise ValueError(f"no rule stands before {code}")
    words = {"code": code, "name": name}
    made = {
        root / "ckpt_lint" / "rules" / group / f"{module}.py": _RULE,
        root / "ckpt_lint" / "proofs" / f"{module}.py": _PROOF,
        root / "fixtures" / "rules" / module / "bad.py": _BAD,
        root / "fixtures" / "rules" / module / "near_miss.py": _NEAR,
    }
    taken = [str(path) for path in made if path.exists()]
    if taken:
        raise ValueError(f"{taken[0]} exists")
    rows = {
        catalogue: _with_module(catalogue.read_text(encoding="utf-8"), group, module, codes[before].replace("-", "_")),
        proved: _with_row(proved.read_text(encoding="utf-8"), f'"{before}": ', f'    "{code}": "{name}",\n'),
    }
    return {**{path: _filled(text, words) for path, text in made.items()}, **rows}


def _filled(template: str, words: Mapping[str, str]) -> str:
    for key, word in words.items():
        template = template.replace(f"{{{key}}}", word)
    return template


def _with_module(text: str, group: str, module: str, before: str) -> str:
    """The catalogue with the import, in order, and the row behind that of the rule with the code before."""
    opening = f"from ckpt_lint.rules.{group} import (\n"
    start = text.index(opening) + len(opening)
    end = text.index(")", start)
    imported = sorted([*text[start:end].split(), f"{module},"])
    text = f"{text[:start]}{''.join(f'    {name}{chr(10)}' for name in imported)}{text[end:]}"
    listed = text.index("MODULES:")
    return text[:listed] + _with_row(text[listed:], f"    {before},", f"    {module},\n")


def _with_row(text: str, before: str, row: str) -> str:
    end = text.index("\n", text.index(before)) + 1
    return text[:end] + row + text[end:]


if __name__ == "__main__":
    sys.exit(main())
