"""How fast and how light reading a checkpoint's header is, against torch.load; how well it agrees with torch.

    python benchmarks/inspect_files.py speed [--gigabytes 2] [--folder DIR]   one large file, in fresh processes
    python benchmarks/inspect_files.py small [--files 1000]       many small files; picklescan where it is installed
    python benchmarks/inspect_files.py agreement [--examples 2000]     generated checkpoints and flipped bytes
    python benchmarks/inspect_files.py scale                      a header of 20,000 tensors
    python benchmarks/inspect_files.py http [--gigabytes 0.2]     ranges of a file behind a web server on loopback
    python benchmarks/inspect_files.py report                     all of them, written to benchmarks/inspect.md

Prints JSON. Exit code 1 where a bar is missed. (A script named `inspect.py` would stand before the standard library's
module of that name for every script of this folder.)
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
import threading
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


PEERS = {
    "torch.load(mmap=True)": "import torch|torch.load(path, map_location='cpu', mmap=True, weights_only=True)",
    "picklescan": "from picklescan.scanner import scan_file_path|scan_file_path(path)",
    "fickling": "from fickling import scan_zip_archive|scan_zip_archive(path)",
    "modelscan": "from modelscan.modelscan import ModelScan|ModelScan().scan(path)",
    "ckptkit": "from ckptkit.inspect import inspect_pytorch|inspect_pytorch(path)",
}
"""What each peer does to one file: its import, and the call. Those that are not installed are left out."""
PEER = """
import contextlib, io, time
{imported}
path = {path!r}
begin = time.perf_counter()
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    {call}
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
    """A model with Adam's state; the best of five reads and of three loads, for other work on the machine only adds."""
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
        peers = {name: taken for name, what in PEERS.items() if (taken := peer_ms(what, path)) is not None}
    row = {
        "bytes": size,
        "import_ms": 1000 * median(reads, 0),
        "header_ms": 1000 * min(row[1] for row in reads),
        "read_share": median(reads, 2) / size,
        "header_rss_mb": median(reads, 3) / 1024,
        "torch_load_ms": 1000 * min(row[1] for row in loads),
    }
    row["peers_ms"] = peers
    row["times_faster"] = row["torch_load_ms"] / row["header_ms"]
    row["met"] = row["header_ms"] <= 15 and row["read_share"] < 0.01 and row["times_faster"] >= 20
    return row


def peer_ms(what: str, path: str) -> float | None:
    """Milliseconds of one peer, the best of three fresh processes; None where it is not installed or fails."""
    imported, call = what.split("|")
    try:
        return 1000 * min(in_fresh_process(PEER, imported=imported, call=call, path=path)[1] for _ in range(3))
    except (subprocess.CalledProcessError, ValueError):
        return None


OURS = """
import sys, time, glob
sys.path.insert(0, {root!r})
from ckpt_lint.artifact.judge import findings
from ckpt_lint.artifact.reader import read_artifact
paths = sorted(glob.glob({folder!r} + "/*.pt"))
rounds = []
for _ in range(5):
    start = time.process_time()
    for path in paths:
        list(findings(read_artifact(path)))
    rounds.append(time.process_time() - start)
print(1000 * min(rounds) / len(paths))
"""
PICKLESCAN = """
import glob, time
from picklescan.scanner import scan_file_path
paths = sorted(glob.glob({folder!r} + "/*.pt"))
rounds = []
for _ in range(5):
    start = time.process_time()
    for path in paths:
        scan_file_path(path)
    rounds.append(time.process_time() - start)
print(1000 * min(rounds) / len(paths))
"""


def small(options: argparse.Namespace) -> dict[str, Any]:
    """A thousand state dicts of six tensors, each tool in a fresh process of its own; best of five rounds.

    Processor time, for other work on the machine is no time of theirs.
    """
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
    """Header of 20,000 tensors of 4 kB each."""
    import torch

    from ckpt_lint.artifact.reader import read_artifact

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "many.pt"
        torch.save({f"layer{number}.weight": torch.ones(32, 32) for number in range(20_000)}, path)
        start = time.perf_counter()
        facts = read_artifact(path)
        spent = time.perf_counter() - start
    return {"tensors": len(facts.tensors), "ms": 1000 * spent, "met": len(facts.tensors) == 20_000 and spent < 5}


def http(options: argparse.Namespace) -> dict[str, Any]:
    """A file behind a server that counts what it sends."""
    import torch

    from ckpt_lint.artifact.remote import read_remote
    from tests.artifact.test_remote import Server

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        count = max(1, int(min(options.gigabytes, 0.2) * 1e9 / 4_000_000))
        torch.save({f"layer{number}.weight": torch.ones(1000, 1000) for number in range(count)}, f"{folder}/model.pt")
        server = Server(Path(folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            facts = read_remote(f"{server.url}/model.pt")
        finally:
            server.shutdown()
            server.server_close()
    row = {"bytes": facts.size, "tensors": len(facts.tensors), "requests": server.requests, "sent": server.sent}
    return {**row, "met": len(facts.tensors) == count and server.requests <= 6 and server.sent < facts.size // 100}


def report(options: argparse.Namespace) -> dict[str, Any]:
    """All of the above, once, as a page: ratios and bars."""
    parts = {name: measure(options) for name, measure in MEASURES.items()}
    large, many = parts["speed"], parts["small"]
    ours = large["header_ms"]
    faster = [f"| torch.load | {large['torch_load_ms'] / ours:.0f} |"]
    faster += [f"| {name} | {taken / ours:.1f} |" for name, taken in large["peers_ms"].items()]
    scan = many.get("picklescan_ms_per_file")
    told, flips, wire = parts["agreement"], parts["agreement"]["flips"], parts["http"]
    lines = [
        "# Reading checkpoint files", "",
        "One run of `python benchmarks/inspect_files.py report` on two cores that had other work to do, too.", "",
        f"A training checkpoint of {large['bytes'] / 1e9:.1f} GB (model and Adam), warm cache, a fresh process each, the",
        f"best of a few rounds, imports left out: its header takes {ours:.1f} ms and",
        f"{100 * large['read_share']:.3f} % of its bytes.", "",
        "| | times our time |", "|---|--:|", *faster, "",
        "torch.load and ckptkit read the tensors; the others read the pickle, too, and say less of it.", "",
        "| bar | measured | held |", "|---|---|---|",
        f"| header of 2 GB in 15 ms | {ours:.1f} ms | {_held(ours <= 15)} |",
        f"| under 1 % of its bytes | {100 * large['read_share']:.3f} % | {_held(large['read_share'] < 0.01)} |",
        f"| 20 times faster than torch.load | {large['times_faster']:.0f} | {_held(large['times_faster'] >= 20)} |",
        f"| a small file in 0.5 ms of processor time | {many['ms_per_file']:.2f} ms of {many['files']} |"
        f" {_held(many['ms_per_file'] <= 0.5)} |",
        f"| not slower than picklescan on them | {many['ms_per_file'] / scan:.2f} of its time |"
        f" {_held(many['ms_per_file'] <= scan)} |" if scan else "| picklescan | not installed | |",
        f"| a handful of requests over HTTP | {wire['requests']}, {100 * wire['sent'] / wire['bytes']:.2f} % of"
        f" {wire['bytes'] / 1e6:.0f} MB | {_held(wire['met'])} |",
        f"| agreement with torch on generated files | {told['wrong']} of {told['generated']} wrong |"
        f" {_held(not told['wrong'])} |",
        f"| ... and on flipped bytes of data.pkl | {told['flips_wrong']} of {flips} wrong, {told['cannot_tell']} of all"
        f" undecided | {_held(not told['flips_wrong'])} |",
        f"| 20,000 tensors of 4 kB | {parts['scale']['ms'] / 1000:.1f} s | {_held(parts['scale']['met'])} |", "",
    ]  # fmt: skip
    (ROOT / "benchmarks" / "inspect.md").write_text("\n".join(lines), encoding="utf-8")
    return {**parts, "met": all(part["met"] for part in parts.values())}


def _held(good: bool) -> str:
    return "yes" if good else "no"


MEASURES = {"speed": speed, "small": small, "http": http, "scale": scale, "agreement": agreement}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=(*MEASURES, "report"))
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--folder", default=None)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    row = (report if options.what == "report" else MEASURES[options.what])(options)
    print(json.dumps(row, indent=1))
    return 0 if row["met"] else 1


if __name__ == "__main__":
    sys.exit(main())
