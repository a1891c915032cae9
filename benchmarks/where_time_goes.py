"""Where the time of a cold run goes: a profile of one process over some packages, in groups.

    python benchmarks/where_time_goes.py             transformers, fairseq, monai and espnet of the pinned packages
    python benchmarks/where_time_goes.py FOLDER...   these folders, each for itself

The profiler makes small functions look dearer than they are; the shares are good to a few per cent.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
from collections import Counter
from pathlib import Path

from corpus import corpus

from ckpt_lint.config import Configs
from ckpt_lint.discover import discover
from ckpt_lint.rules import ALL
from ckpt_lint.run import Mode, run

USUAL = ("transformers", "fairseq", "monai", "espnet")
GROUPS = (
    ("LibCST, and recording what it read", ("libcst", "source/record", "source/store.py", "_ast.", "tokenize.py")),
    ("`ast`", ("built-in method builtins.compile",)),
    ("drafts", ("source/draft", "source/positions.py", "source/slices.py", "source/parse.py")),
    ("linking, scopes and names", ("source/tree.py", "source/scopes.py", "source/names.py", "source/module.py")),
    ("gate, imports and words, told from bytes", ("source/gate.py", "project/", "re.Pattern", "source/enclosing.py")),
    ("reading files", ("io.open", "_io.BufferedReader", "posix.", "posixpath")),
    ("garbage collection, when facts are dropped", ("gc.collect",)),
    ("facts", ("facts/", "source/flow.py")),
    ("rules", ("rules/", "engine.py")),
)


def group_of(file: str, name: str) -> str:
    """The group that a profiled function belongs to."""
    place = f"{file}:{name}"
    return next((group for group, parts in GROUPS if any(part in place for part in parts)), "all else")


def profiled(folder: Path) -> Counter[str]:
    """Seconds by group of one cold run in one process."""
    os.chdir(folder)
    configs = Configs(ALL, [])
    profile = cProfile.Profile()
    profile.enable()
    for _ in run(discover((".",), configs), configs, Mode(), jobs=1):
        pass
    profile.disable()
    seconds: Counter[str] = Counter()
    for (file, _, name), (_, _, own, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        seconds[group_of(file, name)] += own
    return seconds


def main() -> None:
    """Profile, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    folders = parser.parse_args().folders or [f for f in corpus() if f.name.startswith(USUAL)]
    seconds: Counter[str] = Counter()
    for folder in folders:
        seconds.update(profiled(folder.resolve()))
    total = sum(seconds.values())
    print("| what | share |\n|---|---|")
    print("\n".join(f"| {group} | {own / total:.0%} |" for group, own in seconds.most_common()))


if __name__ == "__main__":
    main()
