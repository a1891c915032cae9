"""Which rules are on: codes, prefixes, names, groups and `ALL`, resolved the way ruff resolves its selectors.

Layers come one after the other: defaults, an extended configuration, the configuration, the command line. Within a
layer the more specific selector wins, and at the same length `ignore` does. A layer that has `select` starts anew.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ckpt_lint.model import RuleInfo

ALL = "ALL"
PREFIX = "CKP"
GROUPS = ("torch26", "resume", "security", "portability", "distributed")
_SHOWN = 4
_WHOLE_CODE = 100


class UnknownSelector(ValueError):
    """A selector that names no rule; the message names the near one."""


@dataclass(frozen=True, slots=True)
class Selection:
    """One layer of selectors; `select` is None where the layer only adds and removes."""

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


def resolve(rules: Sequence[RuleInfo], layers: Iterable[Selection]) -> frozenset[str]:
    """The codes that are on after all layers. Raises UnknownSelector."""
    enabled = {rule.code for rule in rules if rule.on}
    for layer in layers:
        verdicts = _verdicts(rules, layer)
        if layer.select is not None:
            enabled = set()
        enabled |= {code for code, on in verdicts.items() if on}
        enabled -= {code for code, on in verdicts.items() if not on}
    return frozenset(enabled)


def resolve_unfixable(rules: Sequence[RuleInfo], layers: Iterable[Selection]) -> frozenset[str]:
    """The codes whose fixes are left out: `select` stands for `fixable`, `ignore` for `unfixable`. Raises UnknownSelector.

    A prefix means every rule that begins with it, whether on by default or not.
    """
    fixable = {rule.code for rule in rules}
    for layer in layers:
        if layer.select is not None:
            fixable = set()
        for code, on in _last_words(rules, layer.select or (), layer.ignore).items():
            (fixable.add if on else fixable.discard)(code)
    return frozenset(rule.code for rule in rules) - fixable


def resolve_safety(
    rules: Sequence[RuleInfo], safe: Sequence[str], unsafe: Sequence[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """The codes whose unsafe fixes count as safe, and those whose safe fixes count as unsafe. Raises UnknownSelector.

    The more specific selector wins, and at the same length `unsafe` does.
    """
    words = _last_words(rules, safe, unsafe)
    return (
        frozenset(code for code, is_safe in words.items() if is_safe),
        frozenset(code for code, is_safe in words.items() if not is_safe),
    )


def _last_words(rules: Sequence[RuleInfo], yes: Sequence[str], no: Sequence[str]) -> dict[str, bool]:
    """Yes or no for every code that is spoken of; the last word belongs to the most specific selector, then to no."""
    ranked = [
        (_specificity(rules, name), word, meant_by(rules, name)) for word, names in ((True, yes), (False, no)) for name in names
    ]
    ranked.sort(key=lambda row: (row[0], not row[1]))
    return {code: word for _, word, codes in ranked for code in codes}


def selected_by(rules: Sequence[RuleInfo], selector: str) -> frozenset[str]:
    """The codes that `selector` turns on: an off rule only by its code, its name or `ALL`. Raises UnknownSelector."""
    named = meant_by(rules, selector)
    if selector == ALL or _specificity(rules, selector) == _WHOLE_CODE:
        return named
    chosen = frozenset(rule.code for rule in rules if rule.on and rule.code in named)
    if named and not chosen:
        examples = ", ".join(sorted(named)[:3])
        raise UnknownSelector(
            f"`{selector}` selects nothing: its rules are off by default and need a full code ({examples})"
        )
    return chosen


def meant_by(rules: Sequence[RuleInfo], selector: str) -> frozenset[str]:
    """Every code that `selector` names, whether on by default or not; this is what ignoring it turns off."""
    if selector == ALL:
        return frozenset(rule.code for rule in rules)
    if selector in GROUPS:
        return frozenset(rule.code for rule in rules if selector in rule.groups)
    named = frozenset(rule.code for rule in rules if selector == rule.name)
    if selector.startswith(PREFIX):
        named = frozenset(rule.code for rule in rules if rule.code.startswith(selector))
    if not named:
        raise UnknownSelector(_unknown(rules, selector))
    return named


def find_rule(rules: Sequence[RuleInfo], wanted: str) -> RuleInfo:
    """The rule of a full code or a name. Raises UnknownSelector."""
    for rule in rules:
        if wanted.upper() == rule.code or wanted == rule.name:
            return rule
    several = [rule.code for rule in rules if wanted.upper().startswith(PREFIX) and rule.code.startswith(wanted.upper())]
    if several:
        shown = ", ".join(several[:_SHOWN]) + (", ..." if len(several) > _SHOWN else "")
        raise UnknownSelector(f"`{wanted}` names {len(several)} rules, not one: {shown}")
    raise UnknownSelector(_unknown(rules, wanted, what="rule"))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` may be a misspelling of, however it is capitalised."""
    by_lower = {candidate.lower().replace("_", "-"): candidate for candidate in known}
    close = difflib.get_close_matches(word.lower().replace("_", "-"), sorted(by_lower), n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def _unknown(rules: Sequence[RuleInfo], selector: str, *, what: str = "rule selector") -> str:
    prefixes = {rule.code[:length] for rule in rules for length in range(len(PREFIX), len(rule.code) + 1)}
    near = nearest(selector, [ALL, *GROUPS, *sorted(prefixes), *(rule.name for rule in rules)])
    hint = f"; did you mean `{near}`?" if near else "; `ckpt-lint rule --all` lists what there is"
    return f"unknown {what} `{selector}`{hint}"


def _specificity(rules: Sequence[RuleInfo], selector: str) -> int:
    if any(selector in (rule.code, rule.name) for rule in rules):
        return _WHOLE_CODE
    if selector == ALL:
        return 0
    return 1 if selector in GROUPS else len(selector)


def _verdicts(rules: Sequence[RuleInfo], layer: Selection) -> dict[str, bool]:
    """On or off for every code that the layer speaks of; the last word belongs to the most specific selector."""
    ranked = [
        *(
            (_specificity(rules, name), True, selected_by(rules, name))
            for name in (*(layer.select or ()), *layer.extend_select)
        ),
        *((_specificity(rules, name), False, meant_by(rules, name)) for name in layer.ignore),
    ]
    ranked.sort(key=lambda row: (row[0], not row[1]))
    return {code: on for _, on, codes in ranked for code in codes}
