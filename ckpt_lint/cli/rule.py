"""`ckpt-lint rule`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from ckpt_lint.config import ConfigError
from ckpt_lint.model import RuleInfo
from ckpt_lint.report.rule_page import rule_json, rule_page
from ckpt_lint.rules import ALL
from ckpt_lint.select import UnknownSelector, find_rule

FAILED, UNPROVED = 1, 3


def rule(arguments: argparse.Namespace) -> int:
    """Print the page of a rule, or of all; with `--prove` run its proof instead. Raises ConfigError."""
    if arguments.all == (arguments.rule is not None):
        raise ConfigError("name one rule, or say --all")
    try:
        chosen = ALL if arguments.all else (find_rule(ALL, arguments.rule),)
    except UnknownSelector as error:
        raise ConfigError(str(error)) from None
    if arguments.prove:
        return _prove(chosen, arguments)
    if arguments.output_format == "json":
        rows = [rule_json(one) for one in chosen]
        sys.stdout.write(json.dumps(rows if arguments.all else rows[0], indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(rule_page(one) for one in chosen))
    return 0


def _prove(chosen: Sequence[RuleInfo], arguments: argparse.Namespace) -> int:
    """0: every proof held; 1: one failed; 3: one could not be run here."""
    from ckpt_lint.verify.own_fix import fix_program
    from ckpt_lint.verify.prove import ProofStatus, all_proofs, prove
    from ckpt_lint.verify.prove_text import as_json, as_text

    known = {proof.code for proof in all_proofs()}
    codes = tuple(one.code for one in chosen if one.code in known)
    if not codes:
        raise ConfigError(f"{chosen[0].code} has no proof")
    results = prove(codes, arguments.python or sys.executable, fix=fix_program)
    sys.stdout.write(as_json(results) if arguments.output_format == "json" else as_text(results))
    statuses = {result.status for result in results}
    if statuses <= {ProofStatus.PROVED}:
        return 0
    return FAILED if statuses <= {ProofStatus.PROVED, ProofStatus.FAILED} else UNPROVED
