"""What every rule is, without the code that finds it: a run that meets no code worth judging starts in half the time.

`rules/table.json` is made from `ckpt_lint.rules` by `python -m ckpt_lint.catalog`, and must be made anew whenever what
a rule says of itself changes.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ckpt_lint.model import Applicability, Page, RuleInfo, Severity

TABLE = Path("ckpt_lint", "rules", "table.json")


def dumped(rules: Sequence[RuleInfo]) -> str:
    """The text of the table: one rule a line."""
    rows = ",\n".join(json.dumps(dataclasses.asdict(rule)) for rule in rules)
    return f"[\n{rows}\n]\n"


def loaded(text: str) -> tuple[RuleInfo, ...]:
    """The rules of a table."""
    return tuple(_rule(row) for row in json.loads(text))


def _rule(row: dict[str, Any]) -> RuleInfo:
    page: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in row.pop("page").items()
    }
    severity, fix, groups = Severity(row.pop("severity")), row.pop("fix"), row.pop("groups")
    return RuleInfo(**row, severity=severity, fix=fix and Applicability(fix), groups=tuple(groups), page=Page(**page))


ALL = loaded((Path(__file__).parent / "rules" / TABLE.name).read_text(encoding="utf-8"))
