"""CKP403."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.answers import Answer, answer_to, is_log_call
from ckpt_lint.facts.kinds import STATE_DICT
from ckpt_lint.facts.restores import Restore
from ckpt_lint.facts.view import Report, View
from ckpt_lint.facts.world import Definition
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import last_name

_KEYWORDS = frozenset({"state_dict", "strict", "assign"})
"""What torch's own method takes."""
_STEPS = 4

RULE = RuleInfo(
    code="CKP403",
    name="unreviewed-partial-load",
    severity=Severity.WARNING,
    on=True,
    groups=("resume",),
    page=Page(
        summary="Weights are restored with `strict=False`, and nobody looks at what was left out.",
        why=(
            "With `strict=False` keys that do not fit are skipped without a word; a prefix too many (`module.`), and "
            "nothing at all is restored. What was left out is in the result (`missing_keys`, `unexpected_keys`). "
            "Shapes that do not fit raise all the same."
        ),
        bad="""\
import torch

def restore(model, path):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state, strict=False)
""",
        good="""\
import torch

def restore(model, path):
    state = torch.load(path, map_location="cpu", weights_only=True)
    missing, unexpected = model.load_state_dict(state, strict=False)
    if missing or unexpected:
        raise RuntimeError(f"missing: {missing}, unexpected: {unexpected}")
""",
        silent=(
            "the result is tested or returned; outside of resume paths also where it is printed or logged",
            "the dict was intersected with the model's own keys, and what is left is counted",
            "the keys were compared with the model's own before, and what is missing raises; outside of resume paths also "
            "where it is printed or logged",
            "`strict` is a variable",
            "the `strict` of other functions (`torch.jit.trace`, a method of the project that does not hand it on to torch's)",
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.load_state_dict",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Partial restores of modules whose result is not looked at."""
    for restore in view.restores:
        if not _is_partial(view, restore):
            continue
        answer = answer_to(view, restore)
        resumes = view.facts.resumes.at(view.module, restore.call) is not None
        if answer is Answer.USED or (answer is Answer.LOGGED and not resumes) or _reviewed(view, restore, resumes):
            continue
        what = "only logged, and training goes on" if answer is Answer.LOGGED else "not looked at"
        yield Report(
            restore.call,
            f"`strict=False` skips every key that does not fit, and the result is {what}: test `missing_keys` and "
            "`unexpected_keys`, or load strictly",
        )


def _is_partial(view: View, restore: Restore) -> bool:
    strict = restore.option("strict")
    if not isinstance(strict, t.Constant) or strict.value is not False:
        return False
    if restore.role not in (None, apis.MODULE, apis.EMA) or set(restore.options) - _KEYWORDS:
        return False
    callees = view.facts.world.callees(view.module, restore.call)
    return all(_hands_strict_on(d) for d in callees if isinstance(d.node, t.FunctionDef))


def _hands_strict_on(method: Definition) -> bool:
    """Whether a project's own `load_state_dict` gives the `strict` that it got to another one, as torch's does."""
    assert isinstance(method.node, t.FunctionDef)
    more = {param.name for param in method.node.params if param.name == "strict" or param.kind == "double-star"}
    for call in method.module.calls_by_name.get("load_state_dict", ()):
        if flow.function_of(call) is method.node:
            if any(isinstance(arg.value, t.Name) and arg.value.id in more for arg in call.args):
                return True
    return False


def _reviewed(view: View, restore: Restore, resumes: bool) -> bool:
    """Whether the dict was looked at before, beside the model's own keys."""
    body = flow.body_of(restore.call)
    own_keys = [c for c in view.module.calls_by_name.get("state_dict", ()) if flow.body_of(c) is body]
    if not any(c.start < restore.call.start for c in own_keys):
        return False
    if _counted(view, restore, body) or _compared(view, restore, body):
        return True
    return not resumes and (_told(view, restore, body) or _listed(view, restore, body))


def _counted(view: View, restore: Restore, body: t.Node) -> bool:
    """Whether the dict was cut down to the model's own keys, and somebody counts what is left of it."""
    state = restore.state
    if state is None or view.module.variable(state) is None:
        return False
    return any(_is_counted(place) for place in view.module.uses(state) if flow.body_of(place) is body)


def _compared(view: View, restore: Restore, body: t.Node) -> bool:
    """`missing = [k for k in own if k not in state]`, and `if missing: raise ...`, before the restore."""
    for found in view.module.all(t.Comprehension):
        binding = found.parent
        if flow.body_of(found) is not body or found.start > restore.call.start or not isinstance(binding, t.Assign):
            continue
        asked = [test for generator in found.generators for test in generator.ifs]
        if not any(isinstance(test, t.Compare) and test.ops[0] == "not in" for test in asked):
            continue
        if any(_raises(place, restore) for place in view.module.uses(binding.targets[0])):
            return True
    return False


def _told(view: View, restore: Restore, body: t.Node) -> bool:
    """`for key in own: if key not in state: log.warning(key)`, before the restore."""
    for loop in view.module.all(t.For):
        if flow.body_of(loop) is not body or loop.start > restore.call.start:
            continue
        source = loop.iter
        if isinstance(source, t.Call) and isinstance(source.func, t.Attribute) and source.func.attr in ("items", "keys"):
            source = source.func.value
        if STATE_DICT not in view.facts.values.kinds(view.module, source):
            continue
        if any(_tells_what_is_missing(node) for node in t.walk(loop) if isinstance(node, t.If)):
            return True
    return False


def _listed(view: View, restore: Restore, body: t.Node) -> bool:
    """`missing = [k for k in own if k not in state]`, or the difference of two sets, that somebody is shown."""
    for found in (*view.module.all(t.Comprehension), *view.module.all(t.BinOp)):
        binding = found.parent
        if flow.body_of(found) is not body or found.start > restore.call.start or not isinstance(binding, t.Assign):
            continue
        if _lists_missing(view, found) and any(_is_shown(place) for place in view.module.uses(binding.targets[0])):
            return True
    return False


def _lists_missing(view: View, found: t.Expr) -> bool:
    """Whether an expression picks, of the model's own keys, those that another dict lacks."""
    if isinstance(found, t.BinOp):
        return found.op == "-" and _are_own_keys(view, found.left, _STEPS)
    if not isinstance(found, t.Comprehension) or not _are_own_keys(view, found.generators[0].iter, _STEPS):
        return False
    return any(isinstance(test, t.Compare) and test.ops[0] == "not in" for test in found.generators[0].ifs)


def _are_own_keys(view: View, keys: t.Expr, steps: int) -> bool:
    """`model.state_dict()`, its `.keys()` or a set of them, also under a name."""
    if steps <= 0:
        return False
    if isinstance(keys, t.Call):
        if isinstance(keys.func, t.Attribute) and keys.func.attr in ("keys", "state_dict"):
            return keys.func.attr == "state_dict" or _are_own_keys(view, keys.func.value, steps - 1)
        made = view.module.names.is_a(keys.func, "builtins.set", "builtins.list", "builtins.sorted", "builtins.frozenset")
        return made and len(keys.args) == 1 and _are_own_keys(view, keys.args[0].value, steps - 1)
    bound = [b.value for b in view.module.names.bindings(keys) if b.how == "assign"] if isinstance(keys, t.Name) else []
    return bool(bound) and all(value is not None and _are_own_keys(view, value, steps - 1) for value in bound)


def _is_shown(place: t.Expr) -> bool:
    for parent in t.ancestors(place):
        if isinstance(parent, t.Stmt):
            return False
        if is_log_call(parent):
            return True
    return False


def _tells_what_is_missing(branch: t.If) -> bool:
    test = branch.test
    missing = isinstance(test, t.Compare) and test.ops[0] == "not in"
    if isinstance(test, t.UnaryOp) and isinstance(test.operand, t.Compare):
        missing = test.op == "not" and test.operand.ops[0] == "in"
    return missing and any(is_log_call(node) for statement in branch.body for node in t.walk(statement))


def _raises(place: t.Expr, restore: Restore) -> bool:
    for parent in t.ancestors(place):
        if isinstance(parent, t.If) and parent.test.start <= place.start < parent.test.end:
            return parent.end <= restore.call.start and any(isinstance(n, t.Raise) for n in parent.body)
    return False


def _is_counted(place: t.Expr) -> bool:
    call = place.parent.parent
    return isinstance(place.parent, t.Argument) and isinstance(call, t.Call) and last_name(call.func) == "len"
