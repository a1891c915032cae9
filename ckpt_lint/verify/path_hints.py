"""What code says of the file that it loads: every text that the path may have, a default of the command line too.

Rules speak only where there is one answer. Here several are fine: each is looked for, and what is there is said.
"""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.paths import WILD, path_text
from ckpt_lint.facts.values import Values
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

MOST = 8
_DEPTH = 8


def path_hints(values: Values, module: ModuleFacts, expr: t.Expr | None) -> tuple[str, ...]:
    """The texts of a path expression with `WILD` for what is computed; () where nothing is known."""
    if expr is None:
        return ()
    texts = (text for text in _texts(values, module, expr, 3) if text.strip(WILD))
    return tuple(dict.fromkeys(texts))[:MOST]


def _texts(values: Values, module: ModuleFacts, expr: t.Expr, hops: int) -> Iterator[str]:
    text = path_text(values, module, expr, _DEPTH)
    if text.strip(WILD):
        yield text
    elif isinstance(expr, (t.Name, t.Attribute)) and hops:
        for binding in module.names.bindings(expr):
            if binding.value is not None and binding.value is not expr:
                yield from _texts(values, module, binding.value, hops - 1)
        if isinstance(expr, t.Attribute):
            yield from _defaults(values, module, expr.attr)


def _defaults(values: Values, module: ModuleFacts, name: str) -> Iterator[str]:
    """The default that `add_argument("--name", default=...)` gives an argument."""
    for call in module.calls_by_name.get("add_argument", ()):
        options = [module.string(arg.value) or "" for arg in call.args if arg.keyword is None]
        if any(option.lstrip("-").replace("-", "_") == name for option in options):
            for arg in call.args:
                if arg.keyword == "default":
                    yield path_text(values, module, arg.value, _DEPTH)
