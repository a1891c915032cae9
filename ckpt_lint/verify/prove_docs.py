"""`python -m ckpt_lint.verify.prove_docs`: run every proof, and write what was seen under docs/proofs.

`index.md` is the table of all rules; `<rule-name>.txt` is what `ckpt-lint rule CODE --prove` prints, without timings;
`<rule-name>.svg` draws the curves, where a proof has some. With `--check` nothing is written, and the exit code is 1
where a rule, a status or a picture would be added or lost: figures may differ from one version of torch to the next.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ckpt_lint.verify.own_fix import fix_program
from ckpt_lint.verify.prove import ProofResult, ProofStatus, prove
from ckpt_lint.verify.prove_plot import as_svg
from ckpt_lint.verify.prove_text import as_table, as_text

FOLDER = Path("docs", "proofs")
INTRODUCTION = """# Proofs

In each of these programs the hazard of a rule happens under torch on a CPU, and in the fixed program it does not.
Where the rule has a fix, the fixed program is what that fix makes of the bad one. `ckpt-lint rule CODE --prove` runs a
proof with your own torch.

"""


def main(argv: Sequence[str] | None = None) -> int:
    """Write, or check, the pages; the exit code is 1 where a proof does not hold."""
    parser = argparse.ArgumentParser(prog="python -m ckpt_lint.verify.prove_docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where a page is missing")
    parser.add_argument("--root", type=Path, default=Path(), help="the checkout (default: the working folder)")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has torch (default: this one)")
    arguments = parser.parse_args(argv)
    results = prove((), arguments.python, fix=fix_program)
    broken = [result for result in results if result.status is not ProofStatus.PROVED]
    for result in broken:
        print(as_text([result]), end="")
    folder: Path = arguments.root / FOLDER
    wanted = pages(results)
    present = {path.name for path in folder.glob("*")}
    if not arguments.check and not broken:
        write(folder, wanted)
        return 0
    for name in sorted(present ^ set(wanted)):
        print(f"{FOLDER / name}: {'not made by a proof' if name in present else 'missing'}")
    return 1 if broken or present != set(wanted) else 0


def pages(results: Sequence[ProofResult]) -> Mapping[str, str]:
    """The text of every page, by its name."""
    found = {"index.md": INTRODUCTION + as_table(results)}
    for result in results:
        found[f"{result.name}.txt"] = as_text([result], timings=False)
        picture = as_svg(result)
        if picture is not None:
            found[f"{result.name}.svg"] = picture
    return found


def write(folder: Path, wanted: Mapping[str, str]) -> None:
    """Write the pages, and remove those that no proof makes any more."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob("*")):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
