"""One verification: sites against their checkpoints, through as few children as possible, each file once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ckpt_lint.verify.child import Child, NoTorch
from ckpt_lint.verify.interpreter import FLAG, Candidate
from ckpt_lint.verify.judge import judge, judge_keys
from ckpt_lint.verify.matching import Match
from ckpt_lint.verify.plan import Plan, check, needs_no_load, plan, unreadable
from ckpt_lint.verify.protocol import Answer, Job, Torch
from ckpt_lint.verify.sites import Site
from ckpt_lint.verify.verdict import Check, SiteResult, Status

Progress = Callable[[int, int, str], None]
"""Called with how many checks are done, of how many, and the next checkpoint."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is verified, and how: `seconds` is the time that one checkpoint may take."""

    pythons: Sequence[Candidate]
    seconds: float
    full: bool = False
    trust: bool = False


@dataclass(frozen=True, slots=True)
class Verified:
    """The outcome: a result per site, the torch that was used, and why other interpreters were not."""

    results: tuple[SiteResult, ...]
    torch: Torch | None
    tried: tuple[str, ...] = ()


@dataclass
class Loader:
    """The child that loads, started when the first job comes and again after one that ended it."""

    request: Request
    tried: list[str] = field(default_factory=list)
    torch: Torch | None = None
    _child: Child | None = None
    _answers: dict[Job, Answer] = field(default_factory=dict)

    def ready(self) -> Torch | None:
        """The torch that answers; None where no interpreter has one, see `tried`."""
        if self._child is None and not (self.tried and self.torch is None):
            self._child = self._started()
            self.torch = self._child.torch if self._child is not None else None
        return self.torch

    def _started(self) -> Child | None:
        used = [one for one in self.request.pythons if self.torch is None or one.python == self.torch.python]
        for candidate in used:
            if candidate.refused:
                how = f"{FLAG} runs it, --python names another"
                self.tried.append(f"{candidate.python} was not run: {candidate.refused}; {how}")
                continue
            try:
                return Child(candidate.python, candidate.origin, seconds=self.request.seconds)
            except NoTorch as error:
                self.tried.append(f"{error} ({candidate.origin})")
        return None

    def ask(self, job: Job) -> Answer:
        """Load a checkpoint; the same job is answered from memory."""
        known = self._answers.get(job)
        if known is not None:
            return known
        if self.ready() is None or self._child is None:
            return Answer("unavailable", self.tried[-1] if self.tried else "no torch")
        answer = self._child.ask(job)
        if answer.ended != "answered":
            self._child.close()
            self._child = None
        self._answers[job] = answer
        return answer

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.close()
            self._child = None


def verify(
    sites: Sequence[Site], matches: Sequence[Sequence[Match]], request: Request, progress: Progress | None = None
) -> Verified:
    """Verify every site against its checkpoints. A file that many sites read is loaded once for all of them."""
    loader = Loader(request)
    total = sum(len(found) for found in matches)
    pairs = [(index, match) for index, found in enumerate(matches) for match in found]
    checks: dict[tuple[int, str], Check] = {}
    try:
        for done, (index, match) in enumerate(sorted(pairs, key=lambda pair: (pair[1].header.path, pair[0]))):
            if progress is not None:
                progress(done, total, match.header.shown)
            checks[(index, match.header.path)] = _checked(sites[index], match, matches[index], loader)
        if progress is not None:
            progress(total, total, "")
    finally:
        loader.close()
    results = tuple(_results(sites, matches, checks))
    return Verified(results, loader.torch, tuple(loader.tried))


def _checked(site: Site, match: Match, others: Sequence[Match], loader: Loader) -> Check:
    """One site against one checkpoint: by the header where that suffices, else by a load."""
    refused = unreadable(site, match)
    if refused is not None:
        return refused
    if needs_no_load(site):
        return judge_keys(site, match, others)
    torch = loader.ready()
    if torch is None:
        return check(match, Status.UNAVAILABLE, "no torch: " + "; ".join(loader.tried))
    made = plan(site, match, torch, full=loader.request.full, trust=loader.request.trust)
    return judge(site, match, made, loader.ask(made.job)) if isinstance(made, Plan) else made


def _results(
    sites: Sequence[Site], matches: Sequence[Sequence[Match]], checks: dict[tuple[int, str], Check]
) -> Iterator[SiteResult]:
    for index, (site, found) in enumerate(zip(sites, matches)):
        mine = tuple(checks[(index, match.header.path)] for match in found)
        yield SiteResult(site, mine, "" if mine else _nothing_found(site))


def _nothing_found(site: Site) -> str:
    """Why a site has no checkpoint."""
    texts = [text.replace("\0", "*") for text in site.hint.texts]
    looked = f"{' or '.join(f'`{text}`' for text in texts)} is not there" if texts else "the path is computed"
    keys = f", and no checkpoint of the project holds {', '.join(f'`{key}`' for key in site.keys)}" if site.keys else ""
    return f"no checkpoint was found: {looked}{keys}; name one with --checkpoint"
