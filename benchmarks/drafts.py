"""Whether both recorders write the same syntax facts, node by node, and what each of them costs.

    python benchmarks/drafts.py                 all pinned packages
    python benchmarks/drafts.py FOLDER...       these folders

The draft is made from `ast`, the other tree from LibCST (`ckpt_lint/source/draft.py`). Files that either parser refuses
are counted and left out. The exit status says whether any file differs.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections import Counter
from pathlib import Path

import libcst
from corpus import corpus, python_files

from ckpt_lint.source import store
from ckpt_lint.source import tree as t
from ckpt_lint.source.draft import draft
from ckpt_lint.source.positions import Places, Positions, parse_twin
from ckpt_lint.source.record import record

LARGEST = 300_000


def compare(path: Path, seconds: Counter[str]) -> str:
    """What became of one file: "same", "differs", or why it was left out."""
    try:
        code = path.read_bytes().decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    if len(code) > LARGEST:
        return "large"
    started = time.process_time()
    try:
        twin = parse_twin(code)
    except (SyntaxError, ValueError):
        return "refused by ast"
    parsed = time.process_time()
    drafted = draft(twin, Places(code, 0), start=0, end=len(code))
    done = time.process_time()
    try:
        recorded = record(libcst.parse_module(code), twin, Positions(code, 0), start=0, end=len(code))
    except libcst.ParserSyntaxError:
        return "refused by LibCST"
    seconds.update({"ast": parsed - started, "draft": done - parsed, "LibCST": time.process_time() - done})
    seconds["nodes"] += sum(1 for _ in t.walk(drafted))
    return "same" if store.same(drafted, recorded) else "differs"


def main() -> None:
    """Compare, and print one line for each file that differs, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    arguments = parser.parse_args()
    files = python_files(arguments.folders or corpus())
    seconds: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    gc.disable()
    for number, path in enumerate(files):
        outcome = compare(path, seconds)
        outcomes[outcome] += 1
        if outcome == "differs":
            print("differs:", path)
        if number % 500 == 0:
            gc.collect()
    print(dict(outcomes), f"{seconds.pop('nodes')} nodes,", {name: round(found, 1) for name, found in seconds.items()}, "s")
    sys.exit(1 if outcomes["differs"] else 0)


if __name__ == "__main__":
    main()
