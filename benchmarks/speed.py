"""How fast ckpt-lint is beside its peers, on the same files, in the same run.

    python benchmarks/speed.py                    everything; writes benchmarks/speed.md
    python benchmarks/speed.py --only bandit      one part (see PARTS), printed only
    python benchmarks/speed.py --rounds 1         fewer rounds

Commands alternate, so that a busy machine slows both alike; of several rounds the least counts. A command that fails
ends the benchmark. Everything is a ratio of two figures from this run: seconds of another machine mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpus import cache_folder, corpus, python_files
from measure import Cost, ckpt_lint, expect, measured, tools, work_folder

SEED = 20
TORCHFIX_SAMPLE = 600
SMALL_FILE = 300_000
HERE = Path(__file__).resolve().parent

RECORD = """
import json, sys, libcst
from ckpt_lint.source import parse
texts, of_libcst, blanked, parse_module = [], [], parse.blanked, libcst.parse_module
def record(code, places):
    texts.append(blanked(code, places))
    return texts[-1]
def record_libcst(source, *rest, **more):
    of_libcst.append(source)
    return parse_module(source, *rest, **more)
parse.blanked, libcst.parse_module = record, record_libcst
from ckpt_lint.cli import main
try:
    main(sys.argv[2:])
finally:
    with open(sys.argv[1], "w", encoding="utf-8", errors="surrogatepass") as out:
        json.dump([texts, of_libcst], out)
"""
PARSE = """
import gc, json, sys, time, libcst
texts, _ = json.load(open(sys.argv[1], encoding="utf-8"))
libcst.parse_module("x = 1")
if sys.argv[2] == "off":
    gc.disable()
start = time.process_time()
for text in texts:
    libcst.parse_module(text)
print(time.process_time() - start)
"""
GATE = """
import sys, time
from ckpt_lint.source.gate import may_matter
start = time.process_time()
passed = []
for path in open(sys.argv[1], encoding="utf-8").read().split("\\n"):
    with open(path, "rb") as stream:
        data = stream.read()
    if may_matter(data):
        passed.append(len(data))
print(time.process_time() - start, len(passed), sum(passed))
"""
IMPORTS = """
import sys
from ckpt_lint.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
"""
NOT_FOR_PLAIN_FILES = ("libcst", "rich", "multiprocessing", "http", "torch")


@dataclass(frozen=True)
class Row:
    """One line of the table: what was compared, both figures, their ratio and what is wanted of it."""

    what: str
    ours: str
    other: str
    ratio: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the ratio is what is wanted."""
        below = self.at_least is not None and self.ratio < self.at_least
        return not (below or (self.at_most is not None and self.ratio > self.at_most))

    def markdown(self) -> str:
        """The line of the table."""
        wanted = f">= {self.at_least:g}" if self.at_least is not None else ""
        wanted = f"<= {self.at_most:g}" if self.at_most is not None else wanted
        mark = "" if not wanted else "yes" if self.holds else "**no**"
        return f"| {self.what} | {self.ours} | {self.other} | {self.ratio:.2f} | {wanted} | {mark} |"


@dataclass(frozen=True)
class Ground:
    """What every part works on."""

    folders: list[Path]
    files: list[Path]
    rounds: int
    jobs: int


Command = tuple[str, list[str], Sequence[int]]


def check(*arguments: str | Path) -> list[str]:
    """A ckpt-lint run that reads no configuration of the machine's and reports as JSON."""
    return [*ckpt_lint(), "check", "--isolated", "--output-format", "json", *map(str, arguments)]


def alternate(commands: Sequence[Command], rounds: int) -> dict[str, list[Cost]]:
    """Run the commands in turn, `rounds` times; the first round's order is turned round in the second."""
    costs: dict[str, list[Cost]] = {name: [] for name, _, _ in commands}
    for turn in range(rounds):
        for name, command, allowed in commands if turn % 2 == 0 else list(reversed(commands)):
            costs[name].append(expect(measured(command), allowed, name))
    return costs


def least(costs: list[Cost], of: Callable[[Cost], float]) -> float:
    """The least of a figure over the rounds."""
    return min(of(cost) for cost in costs)


def findings_of_ruff_json(cost: Cost) -> int:
    """The number of findings in the JSON that ruff and ckpt-lint share."""
    return len(json.loads(cost.output))


def ours(*arguments: str | Path) -> Command:
    """Our command; 3 is an honest end where the corpus holds a file that does not parse."""
    return ("ckpt-lint", check(*arguments), (0, 1, 3))


def against_torchfix(ground: Ground) -> list[Row]:
    """TorchFix on a sample that it can finish, files that mention torch from all packages; both get one process."""
    candidates = [path for path in ground.files if path.stat().st_size < 60_000 and b"torch" in path.read_bytes()]
    chosen = random.Random(SEED).sample(candidates, min(TORCHFIX_SAMPLE, len(candidates)))
    tree = sampled(ground, sorted(chosen), "sample")
    peer: Command = ("TorchFix", [str(tools() / "torchfix"), "--select", "ALL", "-j", "1", str(tree)], (0, 1))
    costs = alternate([ours("--jobs", "1", *cold(), tree), peer], 1)
    text = costs["TorchFix"][0].output + costs["TorchFix"][0].errors
    done = re.search(rb"Finished checking (\d+) files", text)
    if not done or int(done[1]) != len(chosen):
        sys.exit(f"TorchFix checked {done and done[1]!r} of {len(chosen)} files")
    found = len(re.findall(rb"\bTOR\d{3}\b", costs["TorchFix"][0].output))
    mine = least(costs["ckpt-lint"], lambda cost: cost.cpu)
    other = least(costs["TorchFix"], lambda cost: cost.cpu)
    what = f"CPU, {len(chosen)} files, TorchFix {found} findings, ckpt-lint {_found(costs)}"
    shutil.rmtree(tree)
    return [Row(what, f"{mine:.2f} s", f"{other:.1f} s", other / mine, at_least=100)]


def sampled(ground: Ground, files: list[Path], name: str) -> Path:
    """Make a tree of some files, each package a project and a repository as in the corpus."""
    tree = work_folder(name)
    shutil.rmtree(tree, ignore_errors=True)
    top = ground.folders[0].parent
    for path in files:
        target = tree / path.relative_to(top)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, target)
    for folder in tree.iterdir():
        manifest = top / folder.name / "pyproject.toml"
        if manifest.is_file() and not (folder / "pyproject.toml").exists():
            os.link(manifest, folder / "pyproject.toml")
        subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return tree


def against_bandit(ground: Ground) -> list[Row]:
    """Bandit's two rules for pickles and torch.load, on the whole corpus."""
    command = [str(tools() / "bandit"), "-q", "-r", "-t", "B614,B301", "-f", "json", *map(str, ground.folders)]
    costs = alternate([ours("--jobs", "1", *cold(), *ground.folders), ("Bandit", command, (0, 1))], 1)
    report = json.loads(costs["Bandit"][0].output)
    read = len(report["metrics"]) - 1
    mine = least(costs["ckpt-lint"], lambda cost: cost.cpu)
    other = least(costs["Bandit"], lambda cost: cost.cpu)
    what = f"CPU, Bandit read {read} files with {len(report['results'])} findings, ckpt-lint {_found(costs)}"
    return [Row(what, f"{mine:.1f} s", f"{other:.1f} s", other / mine, at_least=6)]


def against_ruff(ground: Ground) -> list[Row]:
    """Ruff's security rules, cold, on the whole corpus, as many processes as each of them takes."""
    command = [str(tools() / "ruff"), "check", "--select", "S", "--no-cache", "--isolated", "-q"]
    command += ["--output-format", "json", *map(str, ground.folders)]
    jobs = ["--jobs", str(ground.jobs)]
    costs = alternate([ours(*jobs, *ground.folders), ("Ruff", command, (0, 1))], ground.rounds)
    mine = least(costs["ckpt-lint"], lambda cost: cost.wall)
    other = least(costs["Ruff"], lambda cost: cost.wall)
    found = findings_of_ruff_json(costs["Ruff"][0])
    what = f"wall time, {ground.jobs} processes, Ruff {found} findings, ckpt-lint {_found(costs)}"
    rows = [Row(what, f"{mine:.1f} s", f"{other:.2f} s", mine / other, at_most=6)]
    if "--no-cache" in help_text():
        cold = alternate([ours("--no-cache", *jobs, *ground.folders), ("Ruff", command, (0, 1))], ground.rounds)
        first = least(cold["ckpt-lint"], lambda cost: cost.wall)
        rows[0] = Row(f"{what}, cold", f"{first:.1f} s", f"{other:.2f} s", first / other, at_most=6)
        rows.append(Row("wall time, warm, to Ruff cold", f"{mine:.1f} s", f"{other:.2f} s", mine / other, at_most=1))
    return rows


def help_text() -> str:
    """What `ckpt-lint check --help` says, to know which options there are."""
    return expect(measured([*ckpt_lint(), "check", "--help"]), (0,), "ckpt-lint check --help").output.decode()


def against_parsing(ground: Ground) -> list[Row]:
    """LibCST over exactly the texts that a run reads, by `ast` or by LibCST, and the gate over all files."""
    work = cache_folder() / "runs"
    texts, names = work / "texts.json", work / "files.txt"
    names.write_text("\n".join(map(str, ground.files)), encoding="utf-8")
    arguments = ["check", "--isolated", "--output-format", "json", "--jobs", "1", *cold(), *map(str, ground.folders)]
    expect(measured([sys.executable, "-c", RECORD, texts, *arguments]), (0, 1, 3), "the recorded run")
    read, parsed = (sum(map(ink, some)) for some in json.loads(texts.read_text(encoding="utf-8")))
    python = [sys.executable, "-c"]
    commands: list[Command] = [
        ours("--jobs", "1", *cold(), *ground.folders),
        ("parse", [*python, PARSE, str(texts), "on"], (0,)),
        ("parse, collector off", [*python, PARSE, str(texts), "off"], (0,)),
        ("gate", [*python, GATE, str(names)], (0,)),
    ]
    costs = alternate(commands, min(ground.rounds, 2))
    mine = least(costs["ckpt-lint"], lambda cost: cost.cpu)
    parse = min(float(cost.output) for cost in costs["parse"])
    quick = min(float(cost.output) for cost in costs["parse, collector off"])
    gate, passed, gated = costs["gate"][0].output.split()
    total = sum(path.stat().st_size for path in ground.files)
    share = f"of {int(gated) / 1e6:.1f} MB ({int(passed)} files), {total / 1e6:.0f} MB in all"
    work_of_ours = mine - float(gate)
    return [
        Row(f"bytes parsed by LibCST to bytes gated: {parsed / 1e6:.2f} {share}", "", "", parsed / int(gated), at_most=0.6),
        Row(f"bytes read by `ast`, or by LibCST, to the same: {read / 1e6:.1f} MB", "", "", read / int(gated)),
        Row("CPU but the gate's, to parse_module on the same texts", f"{work_of_ours:.1f} s", f"{parse:.1f} s",
            work_of_ours / parse, at_most=1.4),
        Row("the same, the garbage collector off there too", f"{work_of_ours:.1f} s", f"{quick:.1f} s",
            work_of_ours / quick),
        Row("CPU of reading and gating, of the whole run", f"{float(gate):.2f} s", f"{mine:.1f} s", float(gate) / mine),
    ]  # fmt: skip


def ink(text: str) -> int:
    """The bytes of a text without the long stretches of blanks that stand where nothing is read."""
    return len(re.sub(r"[ \t]{80,}|\n[ \t]*(?=\n)", "", text).encode("utf-8", "surrogatepass"))


def cold() -> list[str]:
    """The option that keeps a run from a cache, where there is one."""
    return ["--no-cache"] if "--no-cache" in help_text() else []


def plain_file(ground: Ground) -> list[Row]:
    """A file without checkpoint code: against `flake8 --version`, and what it imports."""
    plain = cache_folder() / "runs" / "plain.py"
    plain.write_text("import os\n\n\ndef name():\n    return os.getcwd()\n", encoding="utf-8")
    flake8: Command = ("flake8", [str(tools() / "flake8"), "--version"], (0,))
    costs = alternate([("ckpt-lint", [*ckpt_lint(), "check", str(plain)], (0,)), flake8], max(ground.rounds, 10))
    mine, other = (least(costs[name], lambda cost: cost.user) for name in ("ckpt-lint", "flake8"))
    timed = measured([sys.executable, "-X", "importtime", "-c", IMPORTS, "check", plain])
    imported = set(re.findall(r"\|\s+([\w.]+)$", timed.errors.decode(), re.MULTILINE))
    heavy = [name for name in NOT_FOR_PLAIN_FILES if any(one.split(".")[0] == name for one in imported)]
    what = f"of {', '.join(NOT_FOR_PLAIN_FILES)} imported for it: {', '.join(heavy) or 'none'}"
    return [
        Row("user CPU, a file without checkpoint code, to flake8 --version", f"{mine * 1e3:.0f} ms",
            f"{other * 1e3:.0f} ms", mine / other, at_most=1),
        Row(what, str(len(heavy)), "", len(heavy), at_most=0),
    ]  # fmt: skip


def memory(ground: Ground) -> list[Row]:
    """The largest process on all files up to 300 kB, in one process and in several."""
    small = [path for path in ground.files if path.stat().st_size <= SMALL_FILE]
    tree = sampled(ground, small, "small")
    rows = []
    for jobs in sorted({1, ground.jobs}):
        cost = expect(measured(check("--jobs", str(jobs), *cold(), tree)), (0, 1, 3), "ckpt-lint")
        rows.append(Row(f"peak memory of a process, files up to 300 kB, {jobs} processes, to 200 MB",
                        f"{cost.memory:.0f} MB", "200 MB", cost.memory / 200, at_most=1))  # fmt: skip
    shutil.rmtree(tree)
    return rows


def ungated(ground: Ground) -> list[Row]:
    """Findings with and without the gate, on the whole corpus."""
    gated = expect(measured(check(*ground.folders)), (0, 1, 3), "ckpt-lint")
    everything = expect(measured(check("--no-gate", *ground.folders)), (0, 1, 3), "ckpt-lint --no-gate")
    one, other = (_keys(cost.output) for cost in (gated, everything))
    for key in sorted(one ^ other)[:20]:
        print("differs:", "gated" if key in one else "ungated", key)
    what = f"findings that differ with --no-gate, of {len(other)} ({everything.cpu / gated.cpu:.0f} times the CPU)"
    return [Row(what, str(len(one)), str(len(other)), len(one ^ other), at_most=0)]


def few_of_many(ground: Ground) -> list[Row]:
    """Ten files of a project of 5,000, to the ten alone."""
    work = work_folder("many")
    shutil.rmtree(work, ignore_errors=True)
    chosen = [path for path in ground.files if b"torch.load(" in path.read_bytes() and path.stat().st_size < 60_000]
    ten = random.Random(SEED).sample(chosen, 10)
    rest = [
        path for path in random.Random(SEED).sample(ground.files, min(5_000, len(ground.files))) if path not in ten
    ][:4_990]
    for name, members in (("alone", ten), ("project", ten + rest)):
        (work / name).mkdir(parents=True)
        (work / name / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n', encoding="utf-8")
        subprocess.run(["git", "init", "-q", str(work / name)], check=True)
        for number, path in enumerate(members):
            package = work / name / ("ten" if number < 10 else f"p{number % 100}")
            package.mkdir(exist_ok=True)
            shutil.copy(path, package / f"m{number}.py")
    grep: Command = ("grep", ["git", "-C", str(work / "project"), "grep", "-l", "--untracked", "torch"], (0,))
    cold = [(name, check("--no-cache", work / name / "ten"), (0, 1, 3)) for name in ("alone", "project")]
    costs = alternate([*cold, grep], ground.rounds)
    alone, inside, search = (least(costs[name], lambda cost: cost.wall) for name in ("alone", "project", "grep"))
    allowed = alone + 1.5 * search
    rows = [Row("wall time, ten files of a project of 5,000, cold, to the ten alone and 1.5 `git grep -l torch`",
                f"{inside:.2f} s", f"{allowed:.2f} s", inside / allowed, at_most=1)]  # fmt: skip
    warm = [(name, check(work / name / "ten"), (0, 1, 3)) for name in ("alone", "project")]
    alternate(warm, 1)
    costs = alternate(warm, ground.rounds)
    alone, inside = (least(costs[name], lambda cost: cost.wall) for name in ("alone", "project"))
    shutil.rmtree(work)
    rows.append(Row("wall time, ten files of a project of 5,000, to the ten alone, warm", f"{inside:.2f} s",
                    f"{alone:.2f} s", inside / alone, at_most=2))  # fmt: skip
    return rows


def _keys(output: bytes) -> set[tuple[str, str, int, int, str]]:
    return {
        (row["filename"], row["code"], row["location"]["row"], row["location"]["column"], row["message"])
        for row in json.loads(output)
    }


def _found(costs: dict[str, list[Cost]]) -> str:
    return f"{findings_of_ruff_json(costs['ckpt-lint'][0])} findings"


PARTS: dict[str, Callable[[Ground], list[Row]]] = {
    "plain": plain_file,
    "ruff": against_ruff,
    "parsing": against_parsing,
    "memory": memory,
    "few": few_of_many,
    "gate": ungated,
    "torchfix": against_torchfix,
    "bandit": against_bandit,
}
HEAD = "| what | ckpt-lint | other | ratio | wanted | holds |\n|---|---|---|---|---|---|"


def main() -> None:
    """Run the parts and write the table; the exit status says whether every bar holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=sorted(PARTS), help="run this part only (repeatable)")
    parser.add_argument("--rounds", type=int, default=3, help="how often quick commands are run (default: 3)")
    parser.add_argument("--packages", type=int, help="take the first N packages only, for a try")
    arguments = parser.parse_args()
    folders = corpus()[: arguments.packages]
    files = python_files(folders)
    jobs = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    ground = Ground(folders, files, arguments.rounds, jobs)
    (cache_folder() / "runs").mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for name in arguments.only or list(PARTS):
        found = PARTS[name](ground)
        rows.extend(found)
        print("\n".join(row.markdown() for row in found), flush=True)
    size = sum(path.stat().st_size for path in files)
    table = f"{len(files)} files, {size / 1e6:.0f} MB, {len(folders)} packages, {jobs} processors.\n\n{HEAD}\n"
    table += "\n".join(row.markdown() for row in rows) + "\n"
    if not arguments.only and not arguments.packages:
        (HERE / "speed.md").write_text("# Speed\n\nMade by `benchmarks/speed.py`.\n\n" + table, encoding="utf-8")
    print("\n" + table)
    sys.exit(0 if all(row.holds for row in rows) else 1)


if __name__ == "__main__":
    main()
