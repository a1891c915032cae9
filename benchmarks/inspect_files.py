"""How fast and how light reading a checkpoint's header is, against torch.load; how well it agrees with torch.

    python benchmarks/inspect_files.py speed [--gigabytes 2] [--folder DIR]     one large file, in fresh processes
    python benchmarks/inspect_files.py small [--files 1000]                 many small files; picklescan if installed
    python benchmarks/inspect_files.py agreement [--examples 2000]              generated checkpoints and flipped bytes
    python benchmarks/inspect_files.py scale                                    tensors per second of large headers

Prints JSON. Exit code 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(ROOT)]

READ = """
import sys, time
sys.path.insert(0, {root!r})
begin = time.perf_counter()
from ckpt_lint.artifact.reader import read_artifact
ready = time.perf_counter()
facts = read_artifact({path!r})
done = time.perf_counter()
peak = next((line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), 0)
print(ready - begin, done - ready, facts.bytes_read, peak)
"""
LOAD = """
import time, torch
begin = time.perf_counter()
value = torch.load({path!r}, map_location="cpu", weights_only=True)
print(0.0, time.perf_counter() - begin)
"""


def in_fresh_process(code: str, **names: object) -> list[float]:
    """The numbers that a program prints, in a process of its own."""
    text = code.format(**names)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", text], capture_output=True, text=True, check=True)
    return [float(part) for part in done.stdout.split()]


def median(rows: list[list[float]], column: int) -> float:
    return sorted(row[column] for row in rows)[len(rows) // 2]


def speed(options: argparse.Namespace) -> dict[str, Any]:
    """A model with Adam's state; median of five reads and three loads."""
    import torch

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = str(Path(folder) / "large.pt")
        layers = max(1, int(options.gigabytes * 1e9 / 3 / (2048 * 2048 * 4)))
        model = {f"layer{number}.weight": torch.ones(2048, 2048) for number in range(layers)}
        state = {
            number: {"step": torch.tensor(1.0), "exp_avg": torch.ones(2048, 2048), "exp_avg_sq": torch.ones(2048, 2048)}
            for number in range(layers)
        }
        optimizer = {"state": state, "param_groups": [{"lr": 0.1, "params": list(range(layers))}]}
        torch.save({"model": model, "optimizer": optimizer, "epoch": 3}, path)
        del model, state, optimizer
        size = Path(path).stat().st_size
        reads = [in_fresh_process(READ, root=str(ROOT), path=path) for _ in range(5)]
        loads = [in_fresh_process(LOAD, path=path) for _ in range(3)]
    row = {
        "bytes": size,
        "import_ms": 1000 * median(reads, 0),
        "header_ms": 1000 * median(reads, 1),
        "read_share": median(reads, 2) / size,
        "header_rss_mb": median(reads, 3) / 1024,
        "torch_load_ms": 1000 * median(loads, 1),
    }
    row["times_faster"] = row["torch_load_ms"] / row["header_ms"]
    row["met"] = row["header_ms"] <= 15 and row["read_share"] < 0.01 and row["times_faster"] >= 20
    return row


OURS = """
import sys, time, glob
sys.path.insert(0, {root!r})
from ckpt_lint.artifact.judge import findings
from ckpt_lint.artifact.reader import read_artifact
paths = sorted(glob.glob({folder!r} + "/*.pt"))
rounds = []
for _ in range(5):
    start = time.perf_counter()
    for path in paths:
        list(findings(read_artifact(path)))
    rounds.append(time.perf_counter() - start)
print(1000 * min(rounds) / len(paths))
"""
PICKLESCAN = """
import glob, time
from picklescan.scanner import scan_file_path
paths = sorted(glob.glob({folder!r} + "/*.pt"))
rounds = []
for _ in range(5):
    start = time.perf_counter()
    for path in paths:
        scan_file_path(path)
    rounds.append(time.perf_counter() - start)
print(1000 * min(rounds) / len(paths))
"""


def small(options: argparse.Namespace) -> dict[str, Any]:
    """A thousand state dicts of six tensors, each tool in a fresh process of its own; best of five rounds."""
    import torch

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        paths = [Path(folder) / f"model{number}.pt" for number in range(options.files)]
        torch.save(torch.nn.Sequential(*(torch.nn.Linear(8, 8) for _ in range(3))).state_dict(), paths[0])
        for path in paths[1:]:
            shutil.copyfile(paths[0], path)
        row: dict[str, Any] = {"files": len(paths)}
        row["ms_per_file"] = in_fresh_process(OURS, root=str(ROOT), folder=folder)[0]
        try:
            row["picklescan_ms_per_file"] = in_fresh_process(PICKLESCAN, folder=folder)[0]
        except subprocess.CalledProcessError:
            row["picklescan"] = "not installed"
    row["met"] = row["ms_per_file"] <= 0.5 and row["ms_per_file"] <= row.get("picklescan_ms_per_file", 1e9)
    return row


def agreement(options: argparse.Namespace) -> dict[str, Any]:
    """Every generated checkpoint must be predicted right; "cannot tell" is counted apart."""
    from hypothesis import HealthCheck, given, settings

    from ckpt_lint.artifact.access import BytesAccess
    from ckpt_lint.artifact.reader import read_access
    from tests.artifact.generated import checkpoints, described, saved
    from tests.artifact.test_agreement import loaded, swapped

    counts = {"generated": 0, "loads": 0, "wrong": 0, "cannot_tell": 0, "flips": 0, "flips_wrong": 0}

    def compare(data: bytes, wrong: str) -> None:
        facts = read_access(BytesAccess(data), "model.pt")
        loads, value = loaded(data)
        counts["loads"] += loads
        if facts.verdict.loads is None:
            counts["cannot_tell"] += 1
        elif facts.verdict.loads is not loads:
            counts[wrong] += 1
            print("WRONG", facts.verdict, str(value)[:200], file=sys.stderr)
        elif loads and wrong == "wrong":
            ours = sorted(
                (fact.key, fact.shape, fact.dtype, fact.stride, fact.storage_size)
                for fact in facts.tensors
                if fact.layout in ("strided", "quantized") and fact.device != "meta"
            )
            counts[wrong] += ours != sorted(described(value))

    @settings(max_examples=options.examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(checkpoints())
    def generated(case: tuple[Any, dict[str, Any]]) -> None:
        counts["generated"] += 1
        compare(saved(case[0], **case[1]), "wrong")

    generated()
    chance = random.Random(options.seed)
    files = [path.read_bytes() for path in sorted((ROOT / "fixtures/checkpoints/files").glob("*.pt"))]
    zips = [data for data in files if b"data.pkl" in data and whole(data)]
    while counts["flips"] < options.examples // 4:
        data = chance.choice(zips)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            name = next((name for name in archive.namelist() if name.endswith("data.pkl")), None)
            pickled = bytearray(archive.read(name)) if name else bytearray()
        if not pickled or b"constants.pkl" in data:
            continue
        pickled[chance.randrange(len(pickled))] ^= chance.randrange(1, 256)
        counts["flips"] += 1
        compare(swapped(data, bytes(pickled)), "flips_wrong")
    return {**counts, "met": counts["wrong"] + counts["flips_wrong"] == 0}


def whole(data: bytes) -> bool:
    """Whether Python's zipfile reads it too."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.testzip() is None
    except zipfile.BadZipFile:
        return False


def scale(options: argparse.Namespace) -> dict[str, Any]:
    """Header of 20,000 tensors."""
    import torch

    from ckpt_lint.artifact.reader import read_artifact

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "many.pt"
        torch.save({f"layer{number}.weight": torch.ones(2, 3) for number in range(20_000)}, path)
        start = time.perf_counter()
        facts = read_artifact(path)
        spent = time.perf_counter() - start
    return {"tensors": len(facts.tensors), "ms": 1000 * spent, "met": len(facts.tensors) == 20_000 and spent < 5}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "small", "agreement", "scale"))
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--folder", default=None)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    row = {"speed": speed, "small": small, "agreement": agreement, "scale": scale}[options.what](options)
    print(json.dumps(row, indent=1))
    return 0 if row["met"] else 1


if __name__ == "__main__":
    sys.exit(main())
