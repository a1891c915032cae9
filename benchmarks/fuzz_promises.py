"""What must hold of check and fix for every input, asked of one input after the other. Used by `fuzz_code.py`."""

from __future__ import annotations

import io
import os
import re
import tempfile
import tokenize
import traceback
import unicodedata
from collections import Counter
from collections.abc import Iterator

from ckpt_lint.config import Configs, Layer
from ckpt_lint.edits import ast_parses
from ckpt_lint.engine import PARSERS
from ckpt_lint.model import Applicability, Outcome, Problem, Status
from ckpt_lint.report import Look, renderer
from ckpt_lint.rules import ALL
from ckpt_lint.run import FileResult, Mode, Worker
from ckpt_lint.source.encode import encode
from ckpt_lint.source.parse import Unparsable, parse, parse_draft
from ckpt_lint.source.store import same
from ckpt_lint.source.text import Source, read_source

SAFE = frozenset({Applicability.SAFE})
UNSAFE = SAFE | {Applicability.UNSAFE}
SHOWN_EVERY = 10
FORMATS = (
    "full", "concise", "grouped", "json", "json-lines", "sarif", "github", "gitlab", "junit", "pylint", "rdjson", "markdown",
    "diff",
)  # fmt: skip
OBEYED = {"Cc", "Cs"}
_LONE_STAR = re.compile(r"^[ \t]*\*[^\n]*$|;[ \t]*\*|\bin[ \t]*\*", re.MULTILINE)


class Bench:
    """Judges inputs in an empty project with every rule on."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp()
        every = {"select": ["ALL"]}
        self.gated = Configs(ALL, [Layer("fuzz", self.folder, every)], isolated=True)
        self.ungated = Configs(ALL, [Layer("fuzz", self.folder, every)], isolated=True, gate=False)
        self.met: Counter[str] = Counter()
        self.number = 0

    def facts(self) -> Counter[str]:
        """What was met since the last time."""
        met, self.met = self.met, Counter()
        return met

    def wrong_with(self, name: str, data: bytes) -> list[str]:
        """The promises that an input breaks."""
        path = os.path.join(self.folder, name)
        self.number += 1
        try:
            return list(self._wrong(path, data))
        except Exception:  # what the fuzz looks for
            return [f"raised {traceback.format_exc()}"]

    def _wrong(self, path: str, data: bytes) -> Iterator[str]:
        gated = self._run(path, data, self.gated, frozenset())
        ungated = self._run(path, data, self.ungated, frozenset())
        outcome = gated.outcome
        self.met.update(f.code[:4] + "xx" for f in outcome.findings)
        self.met.update(problem.status.value for problem in ungated.outcome.problems)
        yield from _internal(outcome, ungated.outcome)
        if not ungated.outcome.problems and _said(outcome) != _said(ungated.outcome):
            yield f"gated {_said(outcome)}, ungated {_said(ungated.outcome)}"
        source = read_source(path, data)
        if isinstance(source, Problem):
            return
        self.met["parses" if not ungated.outcome.problems else "does not parse"] += 1
        yield from _drafts(source)
        for wanted in (SAFE, UNSAFE):
            yield from self._fixed(path, data, source, outcome, wanted)
        if self.number % SHOWN_EVERY == 0:
            yield from self._shown(gated)

    def _run(self, path: str, data: bytes, configs: Configs, wanted: frozenset[Applicability]) -> FileResult:
        return Worker(configs, Mode(wanted)).check_bytes(path, data, configs.settings_for(path))

    def _fixed(
        self, path: str, data: bytes, source: Source, before: Outcome, wanted: frozenset[Applicability]
    ) -> Iterator[str]:
        done = self._run(path, data, self.gated, wanted)
        word = "safe" if wanted == SAFE else "unsafe"
        yield from (f"{word}: {text}" for text in _internal(done.outcome))
        for problem in done.outcome.problems:
            if problem.status is Status.NOT_FIXED:
                self.met[f"not fixed: {problem.message}"] += 1
                if "never come to an end" in problem.message:
                    yield f"{word}: {problem.message}"
        fixed = done.source
        if done.before is None or fixed is None:
            return
        self.met[f"fixed {word}"] += 1
        written = encode(fixed)
        if isinstance(written, Problem):
            self.met[f"not written: {written.message}"] += 1
            return
        yield from (f"{word}: {text}" for text in _losses(source, fixed, written, before))
        again = self._run(path, written, self.gated, wanted)
        if again.before is not None or again.outcome.fixed:
            yield f"{word}: a second run goes on fixing {dict(again.outcome.fixed)}"

    def _shown(self, result: FileResult) -> Iterator[str]:
        look = Look(rules=ALL, folder=self.folder)
        for name in FORMATS:
            text = "".join(renderer(name)([result], look))
            odd = {letter for letter in text if unicodedata.category(letter) in OBEYED} - {"\n", "\t"}
            if odd or any(letter in text for letter in "\u202e\u2066"):
                yield f"{name} prints {sorted(odd)}"


def _internal(*outcomes: Outcome) -> Iterator[str]:
    for outcome in outcomes:
        yield from (p.message for p in outcome.problems if p.status is Status.INTERNAL_ERROR)


def _said(outcome: Outcome) -> list[tuple[str, int, int, str]]:
    return [(f.code, f.span.start, f.span.end, f.message) for f in outcome.findings]


def _drafts(source: Source) -> Iterator[str]:
    """The draft and LibCST say the same of every part that both take.

    Two differences are known and left out: `ast` alone normalises names (NFKC), and knows a lone `*x` by its kind.
    """
    for part in source.parts:
        if unicodedata.normalize("NFKC", part.code) != part.code or _LONE_STAR.search(part.code):
            continue
        try:
            drafted = parse_draft(part.code, base=part.span.start)
            read = parse(part.code, base=part.span.start).module
        except Unparsable:
            continue
        if drafted is not None and not same(drafted, read):
            yield "the draft is not what LibCST reads"


def _losses(source: Source, fixed: Source, written: bytes, before: Outcome) -> Iterator[str]:
    read = read_source(source.path, written)
    if isinstance(read, Problem) or read.text != fixed.text:
        yield "the fixed text does not come back from its bytes"
    for old, new in zip(source.parts, fixed.parts, strict=True):
        taker = next((parses for parses in PARSERS if parses(old.code)), None)
        if taker is not None and not taker(new.code):
            yield "the fixed text does not parse"
    codes = {f.code for f in before.findings}
    if "CKP901" not in codes and comments(source.text) - comments(fixed.text):
        yield f"comments are lost: {list((comments(source.text) - comments(fixed.text)).elements())[:3]}"


def comments(text: str) -> Counter[str]:
    """The comments of a text, as often as they stand in it; none of a text that has no tokens."""
    if not ast_parses(text):
        return Counter()
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return Counter()
    return Counter(token.string for token in tokens if token.type == tokenize.COMMENT)
