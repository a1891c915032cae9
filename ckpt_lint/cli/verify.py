"""`ckpt-lint verify`: fixes of loads, confirmed on the user's own checkpoints."""

from __future__ import annotations

import argparse
import os
import sys

from ckpt_lint.cli.clean import cache_of
from ckpt_lint.cli.configured import configs_from
from ckpt_lint.cli.verify_arguments import EVIDENCE
from ckpt_lint.config import ConfigError, Configs
from ckpt_lint.discover import discover
from ckpt_lint.report import Look
from ckpt_lint.report.look import printable
from ckpt_lint.rules import ALL
from ckpt_lint.settings import Settings
from ckpt_lint.verify.apply import Applied, apply
from ckpt_lint.verify.as_data import as_json, as_sarif
from ckpt_lint.verify.as_text import as_text
from ckpt_lint.verify.evidence import as_markdown
from ckpt_lint.verify.interpreter import Configured, candidates
from ckpt_lint.verify.mapped import refuse_outside
from ckpt_lint.verify.matching import SUFFIXES, Finder, Given, Headers, given
from ckpt_lint.verify.session import Progress, Request, Verified, verify
from ckpt_lint.verify.sites import Linted, lint
from ckpt_lint.verify.verdict import Status
from ckpt_lint.write import write_output

REFUTED, UNVERIFIED = 1, 3
BAR = 24


def run(arguments: argparse.Namespace) -> int:
    """Verify; 1 where a fix is refuted, 3 where something could not be verified (3 wins). Raises ConfigError."""
    configs = configs_from(arguments, ALL)
    settings = configs.settings_in(os.getcwd())
    files = [path for path in arguments.paths if path.lower().endswith(SUFFIXES)]
    code = [path for path in arguments.paths if path not in files] or [os.curdir]
    linted = lint(discover(code, configs), configs, cache=cache_of(arguments))
    named = given([*files, *(name for names in arguments.checkpoint for name in names)])
    verified = _verified(arguments, linted, named, settings)
    applied = apply(linted.results, verified) if arguments.fix else None
    _show(arguments, configs, linted, verified, named)
    report = arguments.report or (EVIDENCE if arguments.fix and verified.results else None)
    if report is not None:
        try:
            write_output(report, as_markdown(verified, applied))
        except OSError as error:
            raise ConfigError(f"--report {report}: could not be written: {error.strerror or error}") from None
    return max(_tell(arguments, linted, applied, report), _exit_code(verified, named))


def _verified(arguments: argparse.Namespace, linted: Linted, named: Given, settings: Settings) -> Verified:
    if "checkpoints" in settings.foreign:
        refuse_outside(settings)
    finder = Finder(Headers(), named, dict(settings.checkpoints), settings.root)
    matches = finder.of_all(linted.sites)
    root = linted.sites[0].root if linted.sites else os.getcwd()
    base = settings.root if settings.source is not None else root
    configured = Configured(settings.python, base, foreign="python" in settings.foreign)
    pythons = candidates(named=arguments.python, configured=configured, trust=arguments.trust_project_python)
    request = Request(pythons, arguments.timeout, full=arguments.full, trust=arguments.trust)
    return verify(linted.sites, matches, request, _progress())


def _show(arguments: argparse.Namespace, configs: Configs, linted: Linted, verified: Verified, named: Given) -> None:
    if arguments.shown_as == "json":
        sys.stdout.write(as_json(verified, missing=named.missing))
    elif arguments.shown_as == "sarif":
        sys.stdout.write(as_sarif(verified, linted.results, Look(rules=ALL, folder=os.getcwd())))
    else:
        sys.stdout.writelines(as_text(verified, withheld=linted.withheld, missing=named.missing))


def _tell(arguments: argparse.Namespace, linted: Linted, applied: Applied | None, report: str | None) -> int:
    """What was changed, and what went wrong besides verdicts: exit code 3 for that."""
    problems = [*linted.problems, *(applied.problems if applied is not None else ())]
    for path, problem in problems:
        print(printable(f"{path}: {problem.message}"), file=sys.stderr)
    if arguments.shown_as == "text" and applied is not None:
        for path, code, row, why in applied.fixed:
            print(printable(f"fixed {path}:{row} {code}: {why}"))
        for path, code, row, why in applied.left:
            print(printable(f"left {path}:{row} {code}: {why}"))
    if arguments.shown_as == "text" and report is not None:
        print(f"evidence written to {report}")
    return UNVERIFIED if problems else 0


def _exit_code(verified: Verified, named: Given) -> int:
    statuses = {result.status for result in verified.results}
    statuses |= {check.status for result in verified.results for check in result.checks}
    if named.missing or statuses - {Status.CONFIRMED, Status.REFUTED}:
        return UNVERIFIED
    return REFUTED if Status.REFUTED in statuses else 0


def _progress() -> Progress | None:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int, name: str) -> None:
        filled = BAR * done // max(total, 1)
        line = f"[{'#' * filled}{'.' * (BAR - filled)}] {done}/{total} {printable(os.path.basename(name))[:40]}"
        sys.stderr.write(f"\r\x1b[K{line}" if done < total else "\r\x1b[K")
        sys.stderr.flush()

    return show
