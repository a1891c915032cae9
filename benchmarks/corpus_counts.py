"""What every rule finds in the pinned corpus: counts to be looked at like a snapshot, and the sample that was judged.

    python benchmarks/corpus_counts.py                 run all rules, print what changed, write corpus_counts.json
    python benchmarks/corpus_counts.py --check         the same, but write nothing; status 1 where a count changed
    python benchmarks/corpus_counts.py --sample FILE   also write the seeded sample of each rule's findings, to be judged

Every package is a run of its own with all rules on, those that are off by default too, and without settings.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

from corpus import MORE, PACKAGES, corpus
from measure import ckpt_lint, expect, measured

Counts = dict[str, dict[str, int]]
Finding = dict[str, str | int]

SEED = 25
SAMPLE = 25
COUNTS = Path(__file__).resolve().parent / "corpus_counts.json"
OPTIONS = ("--isolated", "--select", "ALL", "--no-cache", "--output-format", "json")


def findings_in(folder: Path) -> list[Finding]:
    """Check one package; rows are those of the file, or of the cell in a notebook."""
    command = [*ckpt_lint(), "check", *OPTIONS, folder]
    # 3 says that a file could not be read: some packages carry templates that are no python.
    cost = expect(measured(command), (0, 1, 3), f"ckpt-lint on {folder.name}")
    return [
        {
            "code": finding["code"],
            "package": folder.name,
            "path": Path(finding["filename"]).relative_to(folder).as_posix(),
            "cell": -1 if finding["cell"] is None else finding["cell"],
            "row": finding["location"]["row"],
            "column": finding["location"]["column"],
            "message": finding["message"],
        }
        for finding in json.loads(cost.output)
    ]


def counted(findings: list[Finding]) -> Counts:
    """Count by code, then by package, with the sum under "total"."""
    counts: Counts = {}
    for finding in findings:
        packages = counts.setdefault(str(finding["code"]), {"total": 0})
        package = str(finding["package"])
        packages["total"] += 1
        packages[package] = packages.get(package, 0) + 1
    return {code: dict(sorted(counts[code].items())) for code in sorted(counts)}


def differences(old: Counts, new: Counts) -> list[str]:
    """Say for each code and package where the counts differ."""
    lines = []
    for code in sorted({*old, *new}):
        before, after = old.get(code, {}), new.get(code, {})
        for package in sorted({*before, *after}):
            if before.get(package, 0) != after.get(package, 0):
                lines.append(f"{code}  {package:40} {before.get(package, 0):5} -> {after.get(package, 0):5}")
    return lines


def sample(findings: list[Finding]) -> list[Finding]:
    """Draw up to SAMPLE findings of every rule, the same for the same findings."""
    drawn: list[Finding] = []
    for code in sorted({str(finding["code"]) for finding in findings}):
        of_code = [finding for finding in findings if finding["code"] == code]
        of_code.sort(
            key=lambda finding: tuple(str(finding[key]).zfill(9) for key in ("package", "path", "cell", "row"))
        )
        drawn += random.Random(SEED).sample(of_code, min(SAMPLE, len(of_code)))
    return drawn


def main() -> int:
    """Count, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 where a count changed")
    parser.add_argument("--sample", type=Path, metavar="FILE", help="where to write the findings to be judged")
    arguments = parser.parse_args()
    findings = [finding for folder in corpus(PACKAGES + MORE) for finding in findings_in(folder)]
    counts = counted(findings)
    changed = differences(json.loads(COUNTS.read_text(encoding="utf-8")) if COUNTS.is_file() else {}, counts)
    print("\n".join(changed) or "no count changed")
    if arguments.sample:
        lines = (json.dumps(finding, sort_keys=True) + "\n" for finding in sample(findings))
        arguments.sample.write_text("".join(lines), encoding="utf-8")
    if not arguments.check:
        COUNTS.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    return 1 if changed and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
