"""Fuzz the reader of checkpoint files with mutated real ones; what it must never do is raise, hang or grow.

    python benchmarks/fuzz_artifact.py --seconds 600 [--seed 1] [--keep FOLDER]

A case that raises anything, takes over a second of processor time, or (with --torch) is judged otherwise than torch
judges it, is written to the folder and counted; exit code 1 if there is one.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
import time
import traceback
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ckpt_lint.artifact.access import BytesAccess
from ckpt_lint.artifact.judge import findings
from ckpt_lint.artifact.reader import read_access

FILES = Path(__file__).resolve().parent.parent / "fixtures" / "checkpoints" / "files"
LARGEST = 40_000


def sources() -> list[bytes]:
    """The fixture files, and the pickles inside of them."""
    found = [path.read_bytes() for path in sorted(FILES.rglob("*")) if path.is_file()]
    small = [data for data in found if 0 < len(data) <= LARGEST]
    for data in list(small):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                small.extend(archive.read(name) for name in archive.namelist() if name.endswith(".pkl"))
        except zipfile.BadZipFile:
            continue
    return small


def mutated(chance: random.Random, pool: list[bytes]) -> bytes:
    """One to eight changes: flips, cuts, copies, splices, interesting numbers."""
    data = bytearray(chance.choice(pool))
    for _ in range(chance.choice((1, 1, 1, 2, 4, 8))):
        if not data:
            break
        place = chance.randrange(len(data))
        sort = chance.randrange(7)
        if sort <= 1:
            data[place] ^= chance.randrange(1, 256)
        elif sort == 2:
            del data[place : place + chance.randrange(1, 64)]
        elif sort == 3:
            data[place:place] = data[place : place + chance.randrange(1, 200)]
        elif sort == 4:
            other = chance.choice(pool)
            start = chance.randrange(len(other)) if other else 0
            data[place : place + chance.randrange(0, 64)] = other[start : start + chance.randrange(1, 300)]
        elif sort == 5:
            width = chance.choice((1, 2, 4, 8))
            data[place : place + width] = chance.choice((b"\xff", b"\x00", b"\x7f", b"\x80")) * width
        else:
            data[place:place] = bytes([chance.choice(b"cRb\x81\x93ioPQ\x82.(0125dlet}]u)jrqh\x8e\x95\x96")])
    return bytes(data)


def torch_agrees(data: bytes, loads: bool | None) -> bool:
    """Whether torch answers as we predict; a prediction of "cannot tell" agrees with all."""
    import warnings

    import torch

    if loads is None:
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except Exception:  # every way in which torch refuses
            return not loads
    return loads


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz_findings"))
    parser.add_argument("--torch", action="store_true", help="compare each verdict with torch's own")
    options = parser.parse_args()
    chance, pool = random.Random(options.seed), sources()
    end = time.monotonic() + options.seconds
    count = bad = undecided = 0
    slowest = 0.0
    while time.monotonic() < end:
        data = mutated(chance, pool)
        count += 1
        start = time.thread_time()
        reason = ""
        try:
            facts = read_access(BytesAccess(data), "model.pt")
            list(findings(facts))
            undecided += facts.verdict.loads is None
            if options.torch and not torch_agrees(data, facts.verdict.loads):
                reason = f"torch disagrees with {facts.verdict}"
        except Exception:  # what the fuzz looks for
            reason = traceback.format_exc()
        spent = time.thread_time() - start
        slowest = max(slowest, spent if not options.torch else 0.0)
        if reason or (spent > 1.0 and not options.torch):
            bad += 1
            options.keep.mkdir(exist_ok=True)
            (options.keep / f"case_{options.seed}_{count}.bin").write_bytes(data)
            print(f"case {count}: {reason or f'took {spent:.2f} s'}", flush=True)
    print(f"{count} cases, {bad} bad, {undecided} undecided, slowest {slowest * 1000:.0f} ms, seed {options.seed}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
