"""CKP404."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.edits import replace
from ckpt_lint.facts.prefixes import Strip, strips
from ckpt_lint.facts.state_dicts import StateDicts
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity, Span
from ckpt_lint.source import tree as t

WHY = {
    "lstrip": "strips every leading character that {prefix} has, not the prefix{stripped}",
    "strip": "strips the characters that {prefix} has from both ends, not the prefix{stripped}",
    "replace": "takes {prefix} out of the middle of keys, too{replaced}",
    "split": "fails on keys that lack {prefix}, and cuts in the middle of those that hold it elsewhere",
    "slice": "cuts {amount} off every key, whether the prefix is there or not",
}

RULE = RuleInfo(
    code="CKP404",
    name="fragile-prefix-strip",
    severity=Severity.WARNING,
    on=True,
    fix=Applicability.SAFE,
    fix_shape="text-replaced",
    groups=("resume",),
    page=Page(
        summary="A prefix is cut off the keys of a state dict by a string operation that cuts other things, too.",
        why=(
            '`lstrip("module.")` strips letters: `module.encoder` becomes `ncoder`. `replace("module.", "")` turns '
            "`submodule.weight` into `subweight`, and two keys may collide. `key[7:]` cuts keys that have no prefix. "
            "Together with `strict=False` such keys are skipped without a word."
        ),
        bad="""\
def without_wrapper(state_dict):
    return {key.lstrip("module."): value for key, value in state_dict.items()}
""",
        good="""\
def without_wrapper(state_dict):
    return {key.removeprefix("module."): value for key, value in state_dict.items()}
""",
        silent=(
            "guarded by `startswith` (`if \"module.\" in key` is no guard)",
            "`removeprefix`, `consume_prefix_in_state_dict_if_present`",
            "infixes that a wrapper puts inside of keys (`_fsdp_wrapped_module.`)",
            '`lstrip(".")`',
            "key renamers: two or more different replacements of the same key in one loop",
            "strings that are no keys of a state dict",
        ),
        fix_safety=(
            "Safe for `lstrip`, which is wrong wherever it differs. Unsafe for `replace`, `strip` and `split`: they "
            "may cut inner prefixes on purpose, as in `encoder.module.x`. `removeprefix` needs Python 3.9."
        ),
        sources=(
            "https://docs.python.org/3/library/stdtypes.html#str.removeprefix",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.load_state_dict",
        ),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Unguarded string operations that cut a prefix off keys."""
    found = strips(StateDicts(view.facts.values, view.facts.restores), view.module)
    for strip in sorted(found, key=lambda s: s.node.start):
        amount = f"`{strip.prefix}`'s length" if strip.prefix else "a number of characters"
        common = strip.prefix == "module."
        why = WHY[strip.how].format(
            prefix=f"`{strip.prefix}`",
            amount=amount,
            stripped=": `module.encoder` becomes `ncoder`" if common else "",
            replaced=": `submodule.x` becomes `subx`" if common else "",
        )
        yield Report(strip.node, f"`{view.code(strip.node)}` {why}. Use `removeprefix`", _fix(view, strip))


def _fix(view: View, strip: Strip) -> Fix | None:
    call = strip.node.value if isinstance(strip.node, t.Subscript) else strip.node
    if not isinstance(call, t.Call) or not isinstance(call.func, t.Attribute):
        return None
    first = view.code(call.args[0].value)
    if "#" in view.text[call.func.value.end : strip.node.end] or not _is_last_part(strip):
        return None
    edits = replace(Span(call.func.value.end, strip.node.end), f".removeprefix({first})")
    safety = Applicability.SAFE if strip.how == "lstrip" else Applicability.UNSAFE
    return Fix(safety, f"Use `removeprefix({first})`", edits)


def _is_last_part(strip: Strip) -> bool:
    """Whether a `split(...)[i]` takes the part behind the prefix."""
    if strip.how != "split" or not isinstance(strip.node, t.Subscript):
        return True
    index = strip.node.sub
    if isinstance(index, t.UnaryOp):
        return index.op == "-" and isinstance(index.operand, t.Constant) and index.operand.value == 1
    return isinstance(index, t.Constant) and index.value == 1
