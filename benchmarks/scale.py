"""Whether a run grows only with its files: many files, flake8 with the plugin, and one more rule.

    python benchmarks/scale.py --write            everything; writes benchmarks/scale.md
    python benchmarks/scale.py --only rule        one part (see PARTS), printed only
    python benchmarks/scale.py --most 10000       no run of more files than that

The many files are written by this program: projects of 1,000 modules that import each other, two in a hundred of which
save or load checkpoints, with the same number of findings in each. flake8 and the rules are measured on packages of the
pinned corpus. Everything is a ratio of two figures from this run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from corpus import PACKAGES, cache_folder, corpus, python_files
from measure import Cost, expect, measured, work_folder
from speed import HEAD, Command, Row, alternate, check, findings_of_ruff_json, least

PROJECT = 1_000
SIZES = (1_000, 10_000, 100_000)
BASE = 10_000
"""What larger runs are held against: of a run over 1,000 files most is its start, and it is too small for two processes."""
SINGLE = 10_000
FOLDER = 50
CHECKPOINTS_IN = 50
"""One module of so many saves or loads a checkpoint: 2 %."""
HERE = Path(__file__).resolve().parent
FLAKE8 = "flake8==7.5.0"
FLAKE8_PACKAGES = ("open_clip_torch", "mmengine", "pytorch_ignite", "lightning", "catalyst")
RULE_PACKAGES = ("mmengine", "pytorch_ignite", "lightning")
ONE_RULE = "CKP302"

MEMORY = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as out:
    out.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status)
"""
"""A process that has little memory of its own starts the command: Linux counts the starter's towards its child's peak."""

RULES = """
import json, sys, time, types
from ckpt_lint import rules
from ckpt_lint.cli import main
spent = {}
def timed(module):
    row = spent.setdefault(module.RULE.code, [0.0, 0.0])
    def check(view):
        reports = []
        for turn in (0, 1):
            start = time.process_time()
            reports = list(module.check(view))
            row[turn] += time.process_time() - start
        return reports
    return types.SimpleNamespace(RULE=module.RULE, check=check)
rules.MODULES = tuple(timed(module) for module in rules.MODULES)
try:
    main(sys.argv[2:])
finally:
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        json.dump(spent, out)
"""

PLAIN = '''"""Part {name} of project {project}."""

from __future__ import annotations

import json
from dataclasses import dataclass

{imports}


@dataclass(frozen=True)
class Shape{name}:
    """What a layer takes and gives."""

    rows: int
    columns: int = {number}

    def area(self) -> int:
        return self.rows * self.columns


def widest_{name}(shapes: list[Shape{name}]) -> Shape{name} | None:
    best = None
    for shape in shapes:
        if best is None or shape.area() > best.area():
            best = shape
    return best


def describe_{name}(values: dict[str, int], limit: int = {number}) -> str:
    kept = {{key: value for key, value in sorted(values.items()) if value < limit}}
    if not kept:
        return "nothing below %d in {project}" % limit
    return json.dumps(kept, indent=2)
'''
SAVES = '''"""Training {name} of project {project}."""

import torch
from torch import nn

{imports}


class Net{name}(nn.Module):
    def __init__(self, width={number}):
        super().__init__()
        self.first = nn.Linear(width, width)
        self.last = nn.Linear(width, 2)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)))


def train_{name}(batches, path):
    model = Net{name}()
    optimizer = torch.optim.Adam(model.parameters())
    for epoch in range(10):
        for x, y in batches:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        torch.save({{"model": model.state_dict(), "epoch": epoch}}, path)
    return model
'''
LOADS = '''"""Evaluation {name} of project {project}."""

import torch

{imports}


def restored_{name}(model, path):
    checkpoint = torch.load(path)
    model.load_state_dict(checkpoint["model"], strict=False)
    return model, checkpoint["epoch"]
'''


@dataclass(frozen=True)
class Ground:
    """What every part works on: rounds, processes, and the most files of a run."""

    rounds: int
    jobs: int
    most: int


def write_project(root: Path, files: int) -> None:
    """A project of `files` modules in packages of 50, each of which imports three written before it."""
    root.mkdir(parents=True)
    manifest = f'[project]\nname = "{root.name}"\ndependencies = ["torch>=2.1"]\n'
    (root / "pyproject.toml").write_text(manifest, encoding="utf-8")
    for number in range(files):
        package = root / f"part{number // FOLDER:04}"
        if number % FOLDER == 0:
            package.mkdir()
            (package / "__init__.py").write_text("", encoding="utf-8")
            continue  # counted as the module that it is
        (package / f"m{number:06}.py").write_text(module(root.name, number), encoding="utf-8")


def module(project: str, number: int) -> str:
    """The text of a module: a plain one, or one of the two in a hundred that have to do with checkpoints."""
    kind = number % (2 * CHECKPOINTS_IN)
    template = {7: SAVES, 7 + CHECKPOINTS_IN: LOADS}.get(kind, PLAIN)
    earlier = sorted({one for one in (number - 1, number // 2, number * 7 // 11) if one % FOLDER and 0 < one < number})
    imports = "\n".join(f"from part{one // FOLDER:04} import m{one:06}" for one in earlier) or "import os"
    return template.format(name=f"{number:06}", project=project, number=number, imports=imports)


def peak(command: list[str], allowed: tuple[int, ...], what: str) -> Cost:
    """What a command cost, with the peak memory of its largest process and of nobody else."""
    note = work_folder("peak")
    cost = expect(measured([sys.executable, "-S", "-c", MEMORY, note, *command]), allowed, what)
    memory = int(note.read_text()) / (1e6 if sys.platform == "darwin" else 1e3)
    note.unlink()
    return replace(cost, memory=memory)


def cold_run(tree: Path, ground: Ground) -> Cost:
    """The cheapest of some cold runs over a tree. Ends the benchmark where a project was not read whole."""
    command = check("--no-cache", "--jobs", str(ground.jobs), tree)
    costs = [peak(command, (0, 1), f"ckpt-lint on {tree.name}") for _ in range(ground.rounds)]
    if any(b"what the others hold is not known" in cost.errors for cost in costs):
        sys.exit(f"{tree.name} was cut to a limit: its figures say nothing")
    best = min(costs, key=lambda cost: cost.user)
    return replace(best, memory=max(cost.memory for cost in costs), wall=least(costs, lambda cost: cost.wall))


def many_files(ground: Ground) -> list[Row]:
    """1,000 to 100,000 files in projects of 1,000, and one project of 10,000, each to 10,000 in ten projects."""
    costs: dict[int, Cost] = {}
    for size in [size for size in SIZES if size <= ground.most]:
        tree = work_folder(f"files{size}")
        for number in range(size // PROJECT):
            write_project(tree / f"project{number:03}", PROJECT)
        costs[size] = cold_run(tree, ground)
        shutil.rmtree(tree)
        proportional(costs[size], costs[SIZES[0]], size // SIZES[0])
    base = max(size for size in costs if size <= BASE)
    rows: list[Row] = []
    for size, cost in costs.items():
        rows += compared(f"{size:,} files in {size // PROJECT} projects", size, cost, base, costs[base])
    if ground.most >= SINGLE:
        tree = work_folder("single")
        write_project(tree, SINGLE)
        cost = cold_run(tree, ground)
        shutil.rmtree(tree)
        rows += compared(f"{SINGLE:,} files in one project", SINGLE, cost, base, costs[base])
    return rows


def proportional(cost: Cost, base: Cost, times: int) -> None:
    """End the benchmark where a larger run did not find as much more as it had files."""
    found, expected = findings_of_ruff_json(cost), findings_of_ruff_json(base) * times
    if not found or found != expected:
        sys.exit(f"{found} findings where {expected} were planted")


def compared(what: str, files: int, cost: Cost, base_files: int, base: Cost) -> list[Row]:
    """CPU, wall time and memory of a run over `files` files, to those of `base`; a bar where they are as many or more."""
    share, base_share = PROJECT / files, PROJECT / base_files
    what = f"{what}, {findings_of_ruff_json(cost):,} findings"
    bar = 1.2 if files >= base_files and cost is not base else None
    pairs = ((cost.user * share, base.user * base_share), (cost.wall * share, base.wall * base_share))
    (user, base_user), (wall, base_wall) = pairs
    return [
        Row(f"user CPU for 1,000 files: {what}", f"{user:.2f} s", f"{base_user:.2f} s", user / base_user, at_most=bar),
        Row(f"wall time for 1,000 files: {what}", f"{wall:.2f} s", f"{base_wall:.2f} s", wall / base_wall),
        Row(f"peak memory of a process: {what}", f"{cost.memory:.0f} MB", f"{base.memory:.0f} MB",
            cost.memory / base.memory, at_most=bar),
    ]  # fmt: skip


def chosen(names: tuple[str, ...]) -> list[Path]:
    """The folders of some packages of the corpus."""
    return corpus(tuple(package for package in PACKAGES if package.name in names))


def environment(name: str, *packages: str) -> Path:
    """A virtual environment with flake8 and `packages`, made anew: the checkout may have changed."""
    folder = work_folder(name)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "-q", FLAKE8, *packages], check=True)
    return folder


def flake8_plugin(ground: Ground) -> list[Row]:
    """One run of flake8 over five packages in one process, with and without the plugin in its environment."""
    folders = chosen(FLAKE8_PACKAGES)
    bare, full = environment("without"), environment("with", str(HERE.parent))
    kept = work_folder("flake8-cache")
    arguments = ["--isolated", "-j1", *map(str, folders)]

    def started(name: str, venv: Path, cache: str) -> Command:
        return (name, ["env", f"CKPT_LINT_CACHE_DIR={cache}", str(venv / "bin" / "flake8"), *arguments], (0, 1))

    # Below a file no folder can be made, so that nothing is kept.
    commands = [started("without", bare, os.devnull), started("cold", full, f"{os.devnull}/none"),
                started("warm", full, str(kept))]  # fmt: skip
    alternate(commands[2:], 1)
    costs = alternate(commands, ground.rounds)
    for folder in (bare, full, kept):
        shutil.rmtree(folder, ignore_errors=True)
    other = least(costs["without"], lambda cost: cost.user)
    found = [sum(b" CKP" in line for line in costs[name][0].output.splitlines()) for name in ("cold", "without")]
    if not found[0] or found[1]:
        sys.exit(f"flake8 gave {found[0]} findings of the plugin with it and {found[1]} without")
    rows = []
    for name, said in (("cold", "no cache"), ("warm", "verdicts kept from a run before")):
        mine = least(costs[name], lambda cost: cost.user)
        what = f"user CPU, flake8 with the plugin ({found[0]} findings, {said}), to flake8 without"
        rows.append(Row(what, f"{mine:.1f} s", f"{other:.1f} s", mine / other, at_most=1.1))
    return rows


def added_rule(ground: Ground) -> list[Row]:
    """All rules to one rule, and what the check of each takes, with the facts that it is the first to ask for and without."""
    folders = chosen(RULE_PACKAGES)
    note = work_folder("rules")
    common = ["--no-cache", "--jobs", "1"]
    commands: list[Command] = [
        ("all", check(*common, "--select", "ALL", *folders), (0, 1, 3)),
        ("one", check(*common, "--select", ONE_RULE, *folders), (0, 1, 3)),
        ("each", [sys.executable, "-c", RULES, str(note), *check(*common, "--select", "ALL", *folders)[3:]], (0, 1, 3)),
    ]
    costs = alternate(commands[:2], max(3, ground.rounds))
    expect(measured(commands[2][1]), commands[2][2], "each rule")
    spent: dict[str, list[float]] = json.loads(note.read_text(encoding="utf-8"))
    note.unlink()
    every, one = (least(costs[name], lambda cost: cost.cpu) for name in ("all", "one"))
    marginal = (every - one) / (len(spent) - 1)
    first = sorted(spent, key=lambda code: -spent[code][0])
    own = sorted(spent, key=lambda code: -spent[code][1])
    middle = statistics.median(row[1] for row in spent.values())
    return [
        Row(f"CPU, all {len(spent)} rules, to {ONE_RULE} alone", f"{every:.2f} s", f"{one:.2f} s", every / one),
        Row("CPU of an added rule, in per cent of a run with all", f"{marginal * 1e3:.0f} ms", f"{every:.2f} s",
            100 * marginal / every, at_most=1),
        Row("the dearest checks with the facts that they are the first to ask for, the first of them in per cent: "
            + told(first, spent, 0), f"{spent[first[0]][0] * 1e3:.0f} ms", f"{every:.2f} s",
            100 * spent[first[0]][0] / every),
        Row("the dearest checks once the facts are known, the first of them in per cent: " + told(own, spent, 1),
            f"{spent[own[0]][1] * 1e3:.0f} ms", f"{every:.2f} s", 100 * spent[own[0]][1] / every),
        Row("the median check once the facts are known, in per cent", f"{middle * 1e3:.1f} ms", f"{every:.2f} s",
            100 * middle / every),
    ]  # fmt: skip


def told(codes: list[str], spent: dict[str, list[float]], turn: int) -> str:
    """The first five of some rules, with milliseconds."""
    return ", ".join(f"{code} {spent[code][turn] * 1e3:.0f} ms" for code in codes[:5])


PARTS = {"files": many_files, "flake8": flake8_plugin, "rule": added_rule}
ABOUT = """
How to read it:

- The many files are generated, plain modules of about {length} bytes and 2 % with checkpoints; real ones are longer. They
  are checked cold (`--no-cache`), by {jobs} processes. Their projects hold 1,000 files each, but for the row that says so.
  All are held against 10,000 files in ten projects: of a run over 1,000 most is its start, and one process makes it alone.
  The peak is that of the largest process. Of a project, at most 100,000 files are read.
- flake8 runs once over {flake8} in one process (`--isolated -j1`), in an environment with the plugin and in one without.
- An added rule is (all rules - one) / (rules - 1), over {rule}.
"""


def page(table: str, ground: Ground, comment: Path) -> str:
    """The page: the table, how to read it, and what was said by hand below a mark on the page before."""
    length = len(module("project000", 123))
    said = ABOUT.format(length=length, jobs=ground.jobs, flake8=listed(FLAKE8_PACKAGES), rule=listed(RULE_PACKAGES))
    before = comment.read_text(encoding="utf-8") if comment.exists() else ""
    _, mark, kept = before.partition("\n## What this shows")
    return f"# Scale\n\nMade by `benchmarks/scale.py`.\n\n{table}{said}{mark}{kept}"


def listed(names: tuple[str, ...]) -> str:
    """Packages of the corpus, with the number of their files."""
    return f"{', '.join(names)} ({len(python_files(chosen(names))):,} files)"


def main() -> None:
    """Run the parts and print the table; the exit status says whether every bar holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=sorted(PARTS), help="run this part only (repeatable)")
    parser.add_argument("--rounds", type=int, default=2, help="how often commands are run (default: 2)")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the most files of a run (default: 100,000)")
    parser.add_argument("--write", action="store_true", help="write benchmarks/scale.md (with all parts only)")
    arguments = parser.parse_args()
    if arguments.write and arguments.only:
        parser.error("--write needs all parts")
    jobs = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    ground = Ground(arguments.rounds, jobs, arguments.most)
    (cache_folder() / "runs").mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for name in arguments.only or list(PARTS):
        found = PARTS[name](ground)
        rows.extend(found)
        print("\n".join(row.markdown() for row in found), flush=True)
    table = f"{jobs} processors, the least of {ground.rounds} rounds.\n\n{HEAD}\n"
    table += "\n".join(row.markdown() for row in rows) + "\n"
    if arguments.write:
        place = HERE / "scale.md"
        place.write_text(page(table, ground, place), encoding="utf-8")
    print("\n" + table)
    sys.exit(0 if all(row.holds for row in rows) else 1)


if __name__ == "__main__":
    main()
