"""`--baseline` and `--update-baseline`."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Iterable, Iterator

from ckpt_lint import baseline
from ckpt_lint.baseline import Baseline, Comparison
from ckpt_lint.config import ConfigError, Configs
from ckpt_lint.report import Look, renderer
from ckpt_lint.report.closing import count
from ckpt_lint.report.look import printable
from ckpt_lint.report.totals import Totals
from ckpt_lint.rules import ALL
from ckpt_lint.run import FileResult

_SHOWN = 10
UNCHECKED = 3


def comparison(arguments: argparse.Namespace, configs: Configs) -> Comparison:
    """The comparison with the baseline that the arguments name. Raises ConfigError."""
    if arguments.update_baseline:
        for option in ("fix", "diff", "statistics", "output_file"):
            if getattr(arguments, option):
                raise ConfigError(f"--update-baseline: not together with --{option.replace('_', '-')}")
        if arguments.baseline is None:
            raise ConfigError("--update-baseline: --baseline FILE says which")
    missing = arguments.update_baseline and not os.path.lexists(arguments.baseline)
    known = Baseline(arguments.baseline) if missing else baseline.read(arguments.baseline)
    return Comparison(known, lambda path: configs.settings_for(path).codes_for(path))


def update(compared: Comparison, results: Iterable[FileResult], *, quiet: bool) -> int:
    """Write the baseline anew; 3 where something could not be checked, else 0. Raises ConfigError."""
    totals = Totals()
    bare = (_without_findings(result) for result in compared.watch(results))
    sys.stdout.writelines(list(renderer("concise")(totals.watch(bare), Look(rules=ALL, folder=os.getcwd()))))
    new = compared.updated()
    baseline.write(new)
    if not quiet:
        added, removed = new.counts - compared.known.counts, compared.known.counts - new.counts
        number = count(new.counts.total(), "finding")
        print(f"{printable(new.path)}: {number} ({added.total()} added, {removed.total()} removed).")
    return UNCHECKED if totals.unchecked else 0


def _without_findings(result: FileResult) -> FileResult:
    return dataclasses.replace(result, outcome=dataclasses.replace(result.outcome, findings=()))


def closing(compared: Comparison) -> Iterator[str]:
    """What the baseline had to do with a run."""
    name = printable(compared.known.path)
    if compared.accepted:
        yield f"{count(compared.accepted, 'finding')} known from {name} not shown.\n"
    stale = compared.stale()
    if stale:
        gone = sum(number for _, number in stale)
        verb = "matches" if gone == 1 else "match"
        entries = count(gone, "entry", "entries")
        yield f"{entries} of {name} {verb} nothing any more; --update-baseline removes what is gone:\n"
        for key, number in stale[:_SHOWN]:
            where = f" in {key.scope}" if key.scope else ""
            times = f" ({number} times)" if number > 1 else ""
            said = compared.known.statements[key]
            yield f"  {printable(f'{key.path}: {key.code}{where}: {said}')}{times}\n"
        if len(stale) > _SHOWN:
            yield f"  and {len(stale) - _SHOWN} more\n"
