"""Fuzz check and fix with generated and mutated code; what they must never do is raise, hang, lose text or waver.

    python benchmarks/fuzz_code.py [FOLDER ...] --seconds 1800 [--seed 1] [--keep FOLDER]

The folders give real files to mutate; without any, the project's own fixtures are mutated alone. Where hypothesmith is
installed (`pip install hypothesmith`; no extra brings it), whole programs are generated, too. A case that breaks one of
the promises (see `fuzz_promises.py`) is written to the folder KEEP and counted; exit code 1 if there is one. Cases are
judged in a child process, which is killed after ten seconds.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fuzz_promises import Bench  # noqa: E402

from ckpt_lint.source.gate import may_matter  # noqa: E402

LIMIT = 10.0
"""Seconds after which a case hangs."""

LARGEST = 60_000

ODD = (
    "\ufeff", "\u2028", "\u2029", "\x0c", "\x0b", "\x00", "\x1a", "\x1b[2J", "\u202e", "\u00e9", "\U0001f600", "\u0301",
    "\u00a0", "\u3000", "\ud800", "\t", "\r", "\r\n", "\\\n", "\\", "\x85", "\u00aa", "\ufb01",
)  # fmt: skip
PIECES = (
    "torch.load(p)", "torch.save(m.state_dict(), p)", "m.load_state_dict(torch.load(p))", 'f"{torch.load(p)}"',
    "f'{torch.save(m, f\"{p}\")!r:>{w}}'", "lambda: torch.load(p)", "[torch.load(p) for p in x]", "await torch.load(p)",
    "(x := torch.load(p))", "*torch.load(p)", "**torch.load(p)", "torch.load", "# noqa: CKP302", "# noqa", "...",
    "torch.load(p, *a, **k)", "torch.load(\n    p,  # why\n)", "if dist.get_rank() == 0: torch.save(m, p)", "x: int = 1",
    "with open(p, 'wb') as f: torch.save(m, f)", "pickle.load(open(p, 'rb'))", "yield torch.load(p)", "async", "match x:",
    "from torch import load, save as write", "import torch as t, pickle", "@torch.no_grad()", "del torch", "type X = int",
    "try:", "except* E:", "else:", "finally:", "while torch.load(p):", "global torch", "print x", "exec 'a'", "0777",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One input: what kind of case it is, the name of its file, its bytes."""

    kind: str
    name: str
    data: bytes


def lines_changed(chance: random.Random, text: str) -> str:
    """A line is deleted, doubled, moved, indented or put in the place of another."""
    lines = text.splitlines(keepends=True) or [""]
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    sort = chance.randrange(6)
    if sort == 0:
        del lines[one : one + chance.choice((1, 1, 2, 5))]
    elif sort == 1:
        lines.insert(other, lines[one])
    elif sort == 2:
        lines[one], lines[other] = lines[other], lines[one]
    elif sort == 3:
        lines[one] = chance.choice((" ", "    ", "\t", "        ")) + lines[one]
    elif sort == 4:
        lines[one] = lines[one].lstrip() if chance.random() < 0.5 else lines[one][1:]
    else:
        indent = lines[one][: len(lines[one]) - len(lines[one].lstrip())]
        lines.insert(one, f"{indent}{chance.choice(PIECES)}\n")
    return "".join(lines)


def tokens_changed(chance: random.Random, text: str) -> str:
    """A word or a mark is deleted, doubled, exchanged for another or for a piece of checkpoint code."""
    words = _words(text)
    if not words:
        return chance.choice(PIECES)
    one, other = chance.randrange(len(words)), chance.randrange(len(words))
    sort = chance.randrange(5)
    if sort == 0:
        words[one] = ""
    elif sort == 1:
        words[one] = words[one] * chance.choice((2, 2, 3))
    elif sort == 2:
        words[one], words[other] = words[other], words[one]
    elif sort == 3:
        words[one] = words[other]
    else:
        words[one] = chance.choice(PIECES)
    return "".join(words)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+|\s+|[^\w\s]", text)


def letters_changed(chance: random.Random, text: str) -> str:
    """A letter goes, or an odd one comes."""
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice(ODD) + text[at + chance.randrange(2) :]


def ends_changed(chance: random.Random, text: str) -> str:
    """Newlines of other kinds, a mark at the start, an end in the middle."""
    sort = chance.randrange(6)
    if sort == 0:
        return text.replace("\n", "\r\n")
    if sort == 1:
        return "".join(line + chance.choice(("\n", "\r\n", "\r")) for line in text.split("\n"))
    if sort == 2:
        return (
            chance.choice(("\ufeff", "\x0c", "#!/usr/bin/python\n", "# coding: latin-1\n", "# -*- coding: gbk -*-\n"))
            + text
        )
    if sort == 3:
        return text[: chance.randrange(len(text) + 1)]
    if sort == 4:
        return text.rstrip("\n") + chance.choice(("", "\\", "  ", "\t#", "\r", "\x1a"))
    return text.replace("    ", chance.choice(("\t", " ", "  ")))


def nested(chance: random.Random, text: str) -> str:
    """The text inside of something, or a part of it inside of very many brackets, blocks or operators."""
    sort, depth = chance.randrange(6), chance.choice((3, 30, 90, 150, 400, 3000))
    if sort == 0:
        lead = "".join(f"{' ' * level}if x:\n" for level in range(min(depth, 98)))
        indent = " " * min(depth, 98)
        return lead + "".join(f"{indent}{line}\n" for line in text.split("\n"))
    if sort == 1:
        return text + "\nx = " + "(" * depth + "torch.load(p)" + ")" * depth + "\n"
    if sort == 2:
        return text + "\nx = torch.load(p)" + " + torch.load(p)" * depth + "\n"
    if sort == 3:
        return text + "\nx = torch.load(p)" + ".a(torch.load(p))" * min(depth, 90) + "\n"
    if sort == 4:
        return text + "\n" + "torch.load(" * depth + "p" + ")" * depth + "\n"
    return "async def main(self):\n" + "".join(f"    {line}\n" for line in text.split("\n"))


MUTATIONS: tuple[Callable[[random.Random, str], str], ...] = (
    lines_changed, lines_changed, lines_changed, tokens_changed, tokens_changed, tokens_changed, letters_changed,
    ends_changed, nested,
)  # fmt: skip


def mutated(chance: random.Random, pool: list[str]) -> str:
    """One to eight mutations of a text, or of the head of one and the tail of another."""
    text = chance.choice(pool)
    if chance.random() < 0.3:
        other = chance.choice(pool).splitlines(keepends=True)
        own = text.splitlines(keepends=True)
        text = "".join(own[: chance.randrange(len(own) + 1)] + other[chance.randrange(len(other) + 1) :])
    for _ in range(chance.choice((1, 1, 2, 2, 3, 5, 8))):
        text = chance.choice(MUTATIONS)(chance, text)
    return text[: 4 * LARGEST]


def as_bytes(chance: random.Random, text: str) -> bytes:
    """The bytes of a text; now and then bytes that are none."""
    data = bytearray(text.encode("utf-8", "surrogatepass" if chance.random() < 0.1 else "replace"))
    if data and chance.random() < 0.03:
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def notebook(chance: random.Random, pool: list[str]) -> bytes:
    """A notebook of pieces of the pool, its JSON mutated now and then."""
    cells = []
    for _ in range(chance.randrange(1, 6)):
        text = mutated(chance, pool)[:3000]
        magic = chance.choice(("", "", "", "%%time\n", "!pip install torch\n", "%cd x\n", "x = !ls\n", "?torch\n"))
        source: str | list[str] = magic + text
        if chance.random() < 0.7:
            source = (magic + text).splitlines(keepends=chance.random() < 0.95)
        kind = chance.choice(("code", "code", "code", "markdown", "raw", "x"))
        cells.append({"cell_type": kind, "metadata": {}, "outputs": [], "source": source, "execution_count": None})
    whole = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    text = json.dumps(whole, ensure_ascii=chance.random() < 0.5, indent=chance.choice((None, 1, "\t")))
    for _ in range(chance.choice((0, 0, 0, 1, 1, 2, 4))):
        text = chance.choice((letters_changed, tokens_changed, lines_changed))(chance, text)
    return as_bytes(chance, text)


def generated(seed: int, count: int) -> list[str]:
    """Programs of hypothesmith's; none where it is not installed."""
    try:
        import hypothesmith
    except ImportError:
        return []
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    found: list[str] = []
    for strategy in (hypothesmith.from_grammar(), hypothesmith.from_node()):
        quiet = settings(
            max_examples=count, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip

        def take(text: str) -> None:
            found.append(text)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seeded(seed)(quiet(given(strategy)(take)))()
    return found


def texts_of(folder: Path) -> list[str]:
    """The Python files below a folder: those that may matter, and of the others one in ten."""
    found = []
    for number, path in enumerate(sorted(folder.rglob("*.py"))):
        data = path.read_bytes()
        if 0 < len(data) <= LARGEST and (may_matter(data) or number % 10 == 0):
            found.append(data.decode("utf-8", "replace"))
    return found


def cases(chance: random.Random, own: list[str], real: list[str]) -> Iterator[Case]:
    """Cases without end: per hundred 40 of fixtures, 35 of real files, 15 notebooks, 10 of whole generated programs."""
    programs: list[str] = []
    while True:
        sort = chance.randrange(100)
        if sort < 40 or (sort < 75 and not real):
            yield Case("fixture", "train.py", as_bytes(chance, mutated(chance, own)))
        elif sort < 75:
            yield Case("real file", "train.py", as_bytes(chance, mutated(chance, real)))
        elif sort < 90:
            yield Case("notebook", "train.ipynb", notebook(chance, own))
        else:
            programs = programs or generated(chance.randrange(2**32), 40)
            if not programs:
                continue
            program = programs.pop(chance.randrange(len(programs)))
            if chance.random() < 0.6:
                yield Case("program and fixture", "train.py", as_bytes(chance, f"{chance.choice(own)}\n{program}"))
            else:
                yield Case("program", "train.py", as_bytes(chance, program))


def serve(pipe: Connection) -> None:
    """The child: a case in, what is wrong with it out."""
    bench = Bench()
    while True:
        name, data = pipe.recv()
        pipe.send((bench.wrong_with(name, data), bench.facts()))


class Child:
    """A process that judges cases, and is started again after it was killed or died."""

    def __init__(self) -> None:
        self.context = multiprocessing.get_context("spawn")
        self.start()

    def start(self) -> None:
        self.pipe, theirs = self.context.Pipe()
        self.process = self.context.Process(target=serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def wrong_with(self, case: Case) -> tuple[list[str], Counter[str]]:
        """What is wrong with a case, and what was met in it."""
        self.pipe.send((case.name, case.data))
        if not self.pipe.poll(LIMIT):
            self.process.kill()
            wrong = f"hangs: no answer within {LIMIT:g} s"
        else:
            try:
                answer: tuple[list[str], Counter[str]] = self.pipe.recv()
                return answer
            except (EOFError, ConnectionResetError):
                self.process.join()
                wrong = f"the process died with exit code {self.process.exitcode}"
        self.process.join()
        self.start()
        return [wrong], Counter()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz_findings"))
    options = parser.parse_args()
    own = [text for name in ("rules", "projects") for text in texts_of(ROOT / "fixtures" / name)]
    real = [text for folder in options.folders for text in texts_of(folder)]
    print(f"{len(own)} fixtures and {len(real)} real files to mutate", flush=True)
    child, counts, met, bad = Child(), Counter[str](), Counter[str](), 0
    start = told = time.monotonic()
    slowest = 0.0
    for number, case in enumerate(cases(random.Random(options.seed), own, real)):
        began = time.monotonic()
        wrong, facts = child.wrong_with(case)
        slowest = max(slowest, time.monotonic() - began)
        counts[case.kind] += 1
        met.update(facts)
        if wrong:
            bad += 1
            options.keep.mkdir(exist_ok=True, parents=True)
            file = options.keep / f"case_{options.seed}_{number}_{case.name}"
            file.write_bytes(case.data)
            print(f"{file}: {case.kind}: {'; '.join(wrong)}", flush=True)
        if time.monotonic() - told > 60:
            told = time.monotonic()
            print(f"{told - start:.0f} s: {sum(counts.values())} cases, {bad} bad", flush=True)
        if time.monotonic() - start > options.seconds:
            break
    print(f"{sum(counts.values())} cases, {bad} bad, slowest {slowest:.1f} s, seed {options.seed}")
    print(f"cases: {dict(sorted(counts.items()))}\nmet: {dict(sorted(met.items()))}")
    child.process.kill()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
