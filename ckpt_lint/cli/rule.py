"""`ckpt-lint rule`."""

from __future__ import annotations

import argparse
import json
import sys

from ckpt_lint.config import ConfigError
from ckpt_lint.report.rule_page import rule_json, rule_page
from ckpt_lint.rules import ALL
from ckpt_lint.select import UnknownSelector, find_rule


def rule(arguments: argparse.Namespace) -> int:
    """Print the page of a rule, or of all. Raises ConfigError."""
    if arguments.all == (arguments.rule is not None):
        raise ConfigError("name one rule, or say --all")
    try:
        chosen = ALL if arguments.all else (find_rule(ALL, arguments.rule),)
    except UnknownSelector as error:
        raise ConfigError(str(error)) from None
    if arguments.output_format == "json":
        rows = [rule_json(one) for one in chosen]
        sys.stdout.write(json.dumps(rows if arguments.all else rows[0], indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(rule_page(one) for one in chosen))
    return 0
