"""CKP401."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.edits import insert_after, insert_before, replace
from ckpt_lint.facts.receivers import answer_of, is_torch_method
from ckpt_lint.facts.restores import Restore
from ckpt_lint.facts.roles import called_on, named_role
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Applicability, Edit, Fix, Page, RuleInfo, Severity, Span
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import bound_target, last_name
from ckpt_lint.source.names import path_key

OF_THE_ANSWER = frozenset({"missing_keys", "unexpected_keys", "count", "index", "_asdict", "_replace", "_fields"})
"""What the named tuple that a module's `load_state_dict` gives back does have."""

RULE = RuleInfo(
    code="CKP401",
    name="load-state-dict-result-as-module",
    severity=Severity.ERROR,
    on=True,
    fix=Applicability.SAFE,
    fix_shape="statement-split",
    in_tests=True,
    page=Page(
        summary="The result of `load_state_dict` is taken for the object that was restored.",
        why=(
            "`Module.load_state_dict` restores in place and gives back `_IncompatibleKeys`, a pair of lists; that of "
            "an optimizer, scheduler or GradScaler gives back None. The next line raises `AttributeError: "
            "'_IncompatibleKeys' object has no attribute 'eval'`, or `TypeError: ... object is not callable`."
        ),
        bad="""\
import torch

def restore(model, path):
    model = model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return model
""",
        good="""\
import torch

def restore(model, path):
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return model
""",
        silent=(
            "the result is bound to another name and never used as a module (`missing`, `msg`, `result`)",
            "its own attributes are read (`missing_keys`, `unexpected_keys`)",
            "the project's own classes define the method",
            "a bare function, or one of an imported module, of that name",
        ),
        fix_safety=(
            "Safe: the statement is split, so that the restore stands for itself and the name keeps the object; the "
            "line raised before."
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.load_state_dict",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Restores whose result is chained on, bound over the object itself, or used as a module."""
    for restore in view.restores:
        if not is_torch_method(view, restore):
            continue
        chained = _chained(restore)
        if chained is not None:
            what = f"`{view.code(restore.receiver)}.load_state_dict(...).{chained.attr}`"
            yield Report(restore.call, _message(restore, what), _split_chain(view, restore))
            continue
        statement = restore.call.parent
        if isinstance(statement, (t.Assign, t.AnnAssign)) and restore.call.role == "value":
            for target in statement.targets if isinstance(statement, t.Assign) else (statement.target,):
                if _is_taken_for_it(view, restore, target):
                    what = f"`{view.code(target)} = ...load_state_dict(...)`"
                    yield Report(restore.call, _message(restore, what), _split_assignment(view, restore, statement))
                    break


def _message(restore: Restore, what: str) -> str:
    return (
        f"{what} takes the result of `load_state_dict` for the object: it is {answer_of(restore)}. "
        "Restore in a statement of its own"
    )


def _chained(restore: Restore) -> t.Attribute | None:
    parent = restore.call.parent
    if isinstance(parent, t.Attribute) and parent.attr not in OF_THE_ANSWER:
        return parent
    return None


def _is_taken_for_it(view: View, restore: Restore, target: t.Expr) -> bool:
    """Whether the target is the restored object itself, or is used as it from here on."""
    if not isinstance(target, (t.Name, t.Attribute)):
        return False
    own = view.module.variable(restore.receiver)
    if own is not None and own == view.module.variable(target):
        return True
    promised = named_role(last_name(target))
    return any(_used_as(view, place, promised) for place in view.module.uses(target) if _sees(view, place, target))


def _sees(view: View, place: t.Expr, target: t.Expr) -> bool:
    """Whether a place reads what was bound at `target`."""
    return not bound_target(place) and any(b.node is target for b in view.module.names.bindings(place))


def _used_as(view: View, place: t.Expr, promised: str | None) -> bool:
    """Called, or asked for something that the answer lacks; under a conventional name every use counts."""
    if isinstance(place.parent, t.Call) and place.role == "func":
        return True
    method = called_on(place)
    if method is not None:
        return method not in OF_THE_ANSWER
    if promised is None or isinstance(place.parent, (t.Compare, t.JoinedStr, t.Subscript)):
        return False
    return isinstance(place.parent, (t.Return, t.Argument)) and not _printed(view, place)


def _printed(view: View, place: t.Expr) -> bool:
    call = place.parent.parent
    return isinstance(call, t.Call) and last_name(call.func) in ("print", "info", "debug", "warning", "len")


# -- fixes ----------------------------------------------------------------------------------------------------------


def _split_assignment(view: View, restore: Restore, statement: t.Stmt) -> Fix | None:
    """`m = m.load_state_dict(x)` loses its target; `m = Net().load_state_dict(x)` becomes two statements."""
    if not isinstance(statement, t.Assign) or len(statement.targets) != 1 or not _plain(view, restore, statement):
        return None
    target = statement.targets[0]
    own = view.module.variable(restore.receiver)
    if own is not None and own == view.module.variable(target):
        return _fix(replace(Span(statement.start, restore.call.start), ""))
    if _names_it(restore, path_key(target)):
        return None
    call = restore.call
    rest = view.text[restore.receiver.end : call.end]
    edits = (
        *replace(Span(restore.receiver.end, call.end), ""),
        *insert_after(view.text, statement.span, f"{view.code(target)}{rest}"),
    )
    return _fix(edits)


def _plain(view: View, restore: Restore, statement: t.Assign) -> bool:
    """Whether nothing but `=` stands between target and call (no parentheses that a fix would break)."""
    between = view.text[statement.targets[-1].end : restore.call.start]
    return between.strip(" \t") == "=" and statement.end == restore.call.end and _follows(view, restore)


def _follows(view: View, restore: Restore) -> bool:
    """Whether the method stands right behind its receiver: `(model).load_state_dict` keeps its parentheses."""
    return view.text[restore.receiver.end :].lstrip(" \t").startswith(".")


def _split_chain(view: View, restore: Restore) -> Fix | None:
    """`model.load_state_dict(x).eval()` becomes the restore, then `model.eval()`."""
    statement = flow.statement_of(restore.call)
    value = getattr(statement, "value", None)
    if not isinstance(statement, (t.ExprStmt, t.Assign, t.Return)) or value is None:
        return None
    if not path_key(restore.receiver) or not _leftmost(restore.call, value) or not _follows(view, restore):
        return None
    if view.text[value.start : restore.receiver.start].strip():
        return None
    edits = (
        *insert_before(view.text, statement.span, view.code(restore.call)),
        *replace(restore.call.span, view.code(restore.receiver)),
    )
    return _fix(edits)


def _leftmost(call: t.Call, value: t.Expr) -> bool:
    """Whether a call is what `value` evaluates first: only attributes, calls and subscripts hang on it."""
    current: t.Node = call
    while current is not value:
        if current.role not in ("value", "func"):
            return False
        current = current.parent
    return True


def _names_it(restore: Restore, key: str) -> bool:
    """Whether the arguments read the name that the split would bind first."""
    return any(path_key(node) == key for arg in restore.call.args for node in t.walk(arg))


def _fix(edits: tuple[Edit, ...]) -> Fix:
    return Fix(Applicability.SAFE, "Restore in a statement of its own", edits)


