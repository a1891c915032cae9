"""Run the proofs of rules in an interpreter that has torch, and judge what they saw. No torch on this side.

A proof holds when its bad program shows the hazard, and the fixed one (our own fix of it, made now, or the right
program written beside it where the rule has no fix) does not and does what its author meant.
"""

from __future__ import annotations

import ast
import enum
import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

FOLDER = Path(__file__).resolve().parent.parent / "proofs"
WORKER = FOLDER / "worker.py"
NO_PROOFS = ("__init__.py", "stage.py", "worker.py")
SECONDS_A_PROOF = 120.0

Fixer = Callable[[str, str], str]
"""`fix(code, text)`: the text after every fix of that rule, unsafe ones included; unchanged where there is none."""


class ProofStatus(str, enum.Enum):
    """How one proof ended. Only `PROVED` is a success; `NOT_APPLICABLE` and `UNAVAILABLE` say what is missing."""

    PROVED = "proved"
    FAILED = "failed"
    NOT_APPLICABLE = "not-applicable"
    UNAVAILABLE = "unavailable"
    TIMED_OUT = "timed-out"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Proof:
    """What a proof file says of itself, read from its source: `good` is None where the rule's fix makes it of `bad`."""

    code: str
    name: str
    path: Path
    bad: str
    good: str | None
    stand_ins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one program showed: see `ckpt_lint.proofs.stage.Seen`. Figures are numbers, texts or truth values."""

    hazard: bool
    right: bool
    saw: str
    figures: Mapping[str, int | float | str | bool | None] = field(default_factory=dict)
    series: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProofResult:
    """The outcome of one proof. `fixed` is the program that ran as the right one; `reason`: why it is no success."""

    code: str
    name: str
    status: ProofStatus
    reason: str = ""
    before: Seen | None = None
    after: Seen | None = None
    bad: str = ""
    fixed: str = ""
    by_our_fix: bool = False
    stand_ins: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def read_proof(path: Path) -> Proof:
    """The constants of a proof file, without running it. Raises ValueError where CODE or BAD is missing."""
    found: dict[str, Any] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in {"CODE", "BAD", "GOOD", "STAND_INS"}:
                found[name] = ast.literal_eval(node.value)
    if "CODE" not in found or "BAD" not in found:
        raise ValueError(f"{path.name} is no proof: it lacks CODE or BAD")
    return Proof(
        code=found["CODE"],
        name=path.stem.replace("_", "-"),
        path=path,
        bad=found["BAD"],
        good=found.get("GOOD"),
        stand_ins=tuple(found.get("STAND_INS", ())),
    )


def all_proofs(folder: Path = FOLDER) -> tuple[Proof, ...]:
    """Every proof that the package ships, by code."""
    paths = [path for path in folder.glob("*.py") if path.name not in NO_PROOFS]
    return tuple(sorted((read_proof(path) for path in paths), key=lambda proof: proof.code))


def prove(
    codes: Sequence[str],
    python: str = sys.executable,
    *,
    fix: Fixer,
    seconds: float = SECONDS_A_PROOF,
    folder: Path = FOLDER,
) -> list[ProofResult]:
    """Run the proofs of `codes` (all of them where it is empty) in the interpreter `python`, in one process.

    A proof that hangs or kills the process gets a status of its own, and the rest goes on in another one. Raises
    KeyError for a code that has no proof.
    """
    known = {proof.code: proof for proof in all_proofs(folder)}
    chosen = [known[code] for code in codes] if codes else list(known.values())
    fixed = {proof.code: proof.good if proof.good is not None else fix(proof.code, proof.bad) for proof in chosen}
    return run_proofs(chosen, fixed, python, seconds=seconds)


def run_proofs(
    proofs: Sequence[Proof], fixed: Mapping[str, str], python: str, *, seconds: float = SECONDS_A_PROOF
) -> list[ProofResult]:
    """Run proofs with the right programs given, by code; `seconds` is how long one proof may take."""
    results: dict[str, ProofResult] = {}
    left = list(proofs)
    while left:
        results.update((result.code, result) for result in _one_process(left, fixed, python, seconds))
        left = [proof for proof in left if proof.code not in results]
    return [results[proof.code] for proof in proofs]


def _one_process(
    proofs: Sequence[Proof], fixed: Mapping[str, str], python: str, seconds: float
) -> Iterator[ProofResult]:
    """The results of as many proofs as one process gets through, at least one."""
    by_code = {proof.code: proof for proof in proofs}
    versions: dict[str, str] = {}
    running = proofs[0]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        try:
            child = _start(python, errors)
        except OSError as error:
            yield from (_ended(proof, fixed, ProofStatus.UNAVAILABLE, f"{python}: {error}") for proof in proofs)
            return
        with child:
            lines = _lines(child, [_job(proof, fixed) for proof in proofs])
            try:
                while True:
                    line = lines.get(timeout=seconds)
                    if line is None:
                        break
                    if "unavailable" in line:
                        reason = f"no torch in {Path(python).name}: {line['unavailable']}"
                        yield from (_ended(proof, fixed, ProofStatus.UNAVAILABLE, reason) for proof in proofs)
                        return
                    versions = line.get("versions", versions)
                    running = by_code[line["start"]] if "start" in line else running
                    if "status" in line:
                        yield _judged(by_code.pop(running.code), fixed, line, versions)
            except queue.Empty:
                child.kill()
                yield _ended(running, fixed, ProofStatus.TIMED_OUT, f"no answer in {seconds:g} seconds")
                return
        if by_code:
            errors.seek(0)
            last = [text for text in errors.read().splitlines() if text.strip()][-1:]
            stopped = running if running.code in by_code else next(iter(by_code.values()))
            yield _ended(stopped, fixed, ProofStatus.CRASHED, last[0] if last else f"exit code {child.returncode}")


def _start(python: str, errors: IO[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [python, "-I", "-B", str(WORKER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        encoding="utf-8",
        cwd=tempfile.gettempdir(),
    )


def _lines(child: subprocess.Popen[str], jobs: Sequence[Mapping[str, str]]) -> queue.Queue[dict[str, Any] | None]:
    """What the child answers, line by line, then None; read and fed by threads, so that no pipe can fill up."""
    answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
    stdin, stdout = child.stdin, child.stdout
    assert stdin is not None and stdout is not None

    def feed() -> None:
        try:
            with stdin:
                json.dump({"proofs": list(jobs)}, stdin)
        except OSError:
            return  # The child is gone; its output says why.

    def read() -> None:
        for line in stdout:
            if line.startswith("{"):
                answers.put(json.loads(line))
        answers.put(None)

    for work in (feed, read):
        threading.Thread(target=work, daemon=True).start()
    return answers


def _job(proof: Proof, fixed: Mapping[str, str]) -> dict[str, str]:
    return {"code": proof.code, "path": str(proof.path), "before": proof.bad, "after": fixed[proof.code]}


def _ended(proof: Proof, fixed: Mapping[str, str], status: ProofStatus, reason: str) -> ProofResult:
    return ProofResult(
        code=proof.code,
        name=proof.name,
        status=status,
        reason=reason,
        bad=proof.bad,
        fixed=fixed[proof.code],
        by_our_fix=proof.good is None,
        stand_ins=proof.stand_ins,
    )


def _judged(
    proof: Proof, fixed: Mapping[str, str], line: Mapping[str, Any], versions: Mapping[str, str]
) -> ProofResult:
    """The result of a proof that came to its end."""
    before, after = (Seen(**line[key]) if key in line else None for key in ("before", "after"))
    if before is None or after is None:
        status, reason = ProofStatus.NOT_APPLICABLE, str(line["reason"])
    else:
        reason = verdict(before, after)
        status = ProofStatus.FAILED if reason else ProofStatus.PROVED
    return ProofResult(
        code=proof.code,
        name=proof.name,
        status=status,
        reason=reason,
        before=before,
        after=after,
        bad=proof.bad,
        fixed=fixed[proof.code],
        by_our_fix=proof.good is None,
        stand_ins=proof.stand_ins,
        versions=versions,
        seconds=float(line["seconds"]),
    )


def verdict(before: Seen, after: Seen) -> str:
    """Why these two observations prove nothing, or an empty string where they do."""
    if not before.hazard:
        return "the hazard does not show in the bad program"
    if before.right:
        return "the bad program did what its author meant"
    if after.hazard:
        return "the hazard is still there after the fix"
    return "" if after.right else "the fixed program does not do what its author meant"
