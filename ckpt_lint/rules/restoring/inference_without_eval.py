"""CKP405."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint import apis
from ckpt_lint.edits import insert_after
from ckpt_lint.facts.inference import Scope, mode_calls, runs, scope_of, switches_mode
from ckpt_lint.facts.kinds import LOADED, STATE_DICT
from ckpt_lint.facts.modes import is_mode_free
from ckpt_lint.facts.receivers import restores_module
from ckpt_lint.facts.values import Origin
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.facts.whole import module_uses
from ckpt_lint.facts.world import Definition
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import last_name

RULE = RuleInfo(
    code="CKP405",
    name="inference-without-eval",
    severity=Severity.WARNING,
    on=True,
    fix=Applicability.UNSAFE,
    fix_shape="statement-added",
    page=Page(
        summary="A restored module runs without gradients, and nothing has put it in `.eval()`.",
        why=(
            "`load_state_dict` leaves the mode alone, and a new module is in training mode: Dropout drops, BatchNorm "
            "takes the statistics of the batch, and overwrites the restored ones even under `no_grad`. Two calls on "
            "the same input differ."
        ),
        bad="""\
import torch
from torchvision.models import resnet18

def predict(path, images):
    model = resnet18()
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    with torch.no_grad():
        return model(images)
""",
        good="""\
import torch
from torchvision.models import resnet18

def predict(path, images):
    model = resnet18()
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    model.eval()
    with torch.no_grad():
        return model(images)
""",
        silent=(
            "anything on the way calls `.eval()` or `.train(...)` of the object: what builds it, a project function "
            "that it is given to (one call deep), another name of it",
            "`torch.onnx.export`, which switches to eval itself; `from_pretrained`",
            "the object goes where we do not look before it runs, or came in as a parameter",
            "its class is in the project, and no module in it reads `training` (as far as its own file shows)",
            "the same code trains it (`backward`): the function, or the class, but for a method that restores before it "
            "runs and does not train",
        ),
        fix_safety=(
            "Unsafe: results change, to those that evaluation is meant to give. None where other methods of the class "
            "train the module: the restore may be theirs, too."
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.eval",),
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Restored:
    """A module variable and the call that restored it; `whole` says that the module itself came out of the file."""

    call: t.Call
    name: t.Expr
    whole: bool = False


def check(view: View) -> Iterator[Report]:
    """Restored modules that run without gradients in training mode."""
    seen = set()
    for restored in _restored(view):
        key = view.module.variable(restored.name)
        if key is None or (key, flow.body_of(restored.call)) in seen:
            continue
        if not restored.whole and not _in_training_mode(view, restored):
            continue
        scope = scope_of(view, restored.name)
        places = (p for p in scope.places if _is_after(p, restored) and runs(view, p))
        run = next((p for p in places if not _trains(view, restored, p)), None)
        if run is None or _may_be_switched(scope, run):
            continue
        seen.add((key, flow.body_of(restored.call)))
        name = view.code(restored.name)
        shared = _goes_backward(view, _holder(restored))
        yield Report(
            restored.call,
            f"`{name}` is restored and runs without gradients, and nothing has put it in evaluation mode: Dropout and "
            f"BatchNorm behave as in training. Call `{name}.eval()`{' where it runs' if shared else ''}",
            None if shared else _fix(view, restored),
            "other methods train the module, and may restore it here, too" if shared else None,
            others=(Other(view.module, run, "it runs here"),),
        )


def _restored(view: View) -> Iterator[_Restored]:
    for restore in view.restores:
        receiver = restore.receiver
        if isinstance(receiver, t.Attribute) and receiver.attr == "module":
            receiver = receiver.value
        if restores_module(restore) and _is_plain(view, receiver) and not _is_live(view, restore.state):
            yield _Restored(restore.call, receiver)
    for load in view.loads:
        statement = load.call.parent
        if isinstance(statement, t.Assign) and len(statement.targets) == 1:
            used = {use.name for use in module_uses(view.facts.world, view.facts.restores, load)}
            target = statement.targets[0]
            for item in target.items if isinstance(target, t.Sequence) else (target,):
                if last_name(item) in used and _is_plain(view, item):
                    yield _Restored(load.call, item, whole=True)


def _is_plain(view: View, expr: t.Expr) -> bool:
    if isinstance(expr, t.Attribute):
        return view.module.names.is_self(expr.value)
    return isinstance(expr, t.Name)


def _is_live(view: View, state: t.Expr | None) -> bool:
    """Whether the state comes from another live object: a copy, no restore."""
    if state is None:
        return True
    kinds = view.facts.values.kinds(view.module, state)
    return STATE_DICT in kinds and LOADED not in kinds and not view.facts.restores.parts(view.module, state) and (
        isinstance(state, t.Call)
    )


# -- what is on the way -----------------------------------------------------------------------------------------------


def _is_after(place: t.Expr, restored: _Restored) -> bool:
    """Whether a place may come after the restore: in the same body, or in another one of the variable's scope."""
    here, there = flow.body_of(place), flow.body_of(restored.call)
    if here is not there:
        return isinstance(restored.name, t.Attribute) or isinstance(there, t.Module)
    return place.start > restored.call.start and not flow.exclusive(restored.call, place) and (
        flow.falls_through(restored.call, place)
    )


def _may_be_switched(scope: Scope, run: t.Expr) -> bool:
    """Whether the object is switched anywhere by any of its names, or gets out of sight on the way to the run."""
    if scope.switched or next(mode_calls(scope.places), None) is not None:
        return True
    return any(not _comes_later(escape, run) for escape in scope.escapes)


def _comes_later(escape: t.Expr, run: t.Expr) -> bool:
    """Whether an object gets out of sight after its run only: further down in the same body, in no loop with it."""
    if flow.body_of(escape) is not flow.body_of(run) or escape.start < run.start:
        return False
    return not any(loop in t.ancestors(escape) for loop in flow.loops_around(run))


def _in_training_mode(view: View, restored: _Restored) -> bool:
    """Whether the object is made here by code that leaves it in training mode, as far as we see."""
    holder = flow.class_of(restored.name) if isinstance(restored.name, t.Attribute) else None
    if holder is not None and (
        view.facts.world.class_kind(Definition(view.module, holder)) or switches_mode(holder)
    ):
        return False
    bindings = [b for b in view.module.names.bindings(restored.name) if b.how not in ("augment", "delete")]
    if not bindings or any(b.value is None or b.how not in ("assign", "unpack") for b in bindings):
        return False
    if any(switches_mode(b.value) for b in bindings if b.value is not None):
        return False
    origins = view.facts.values.origins(view.module, restored.name)
    return bool(origins) and all(_trains_when_new(view, o) for o in origins)


def _trains_when_new(view: View, origin: Origin) -> bool:
    """Whether what an origin makes starts in training mode, and may care."""
    node = origin.node
    if isinstance(node, t.Constant) and node.value is None:
        return True
    if not isinstance(node, t.Call) or origin.how not in ("value", "unpack"):
        return False
    if view.facts.restores.load_at(origin.module, node) is not None:
        return True
    found = view.facts.world.callees(origin.module, node)
    if found:
        return not any(switches_mode(d.node) or is_mode_free(view.facts.world, d) for d in found)
    names = origin.module.names.of(node.func)
    if origin.how == "unpack" or last_name(node.func) in ("from_pretrained", "load") or not names:
        return False
    return any(apis.constructs(n) == apis.MODULE for n in names) or last_name(node.func)[:1].isupper()


def _trains(view: View, restored: _Restored, run: t.Expr) -> bool:
    """Whether the body around, or the class, goes backward: it trains, and sees to its modes itself.

    Not a class's method that restores the weights itself before it runs them: it starts from the file, whatever the
    other methods do.
    """
    holder = _holder(restored)
    if holder is not None and _restores_before(view, restored, run):
        return _goes_backward(view, flow.body_of(run))
    return _goes_backward(view, holder or flow.body_of(restored.call))


def _holder(restored: _Restored) -> t.ClassDef | None:
    """The class whose attribute is restored."""
    return flow.class_of(restored.name) if isinstance(restored.name, t.Attribute) else None


def _goes_backward(view: View, body: t.Node | None) -> bool:
    calls = view.module.calls_by_name.get("backward", ()) if body is not None else ()
    return any(isinstance(body, t.Module) or body.start <= call.start < body.end for call in calls if body is not None)


def _restores_before(view: View, restored: _Restored, run: t.Expr) -> bool:
    """Whether the method of a run restores before it, by itself or through a method that it calls on every way."""
    here, method = flow.body_of(run), flow.function_of(restored.call)
    if method is None or here is method:
        return here is method
    calls = (call for call in view.module.calls_by_name.get(method.name, ()) if flow.body_of(call) is here)
    return any(
        call.start < run.start
        and not flow.path_to(call)
        and any(found.node is method for found in view.facts.world.callees(view.module, call))
        for call in calls
    )


def _fix(view: View, restored: _Restored) -> Fix | None:
    statement = flow.statement_of(restored.call)
    if not isinstance(statement, (t.ExprStmt, t.Assign)):
        return None
    code = f"{view.code(restored.name)}.eval()"
    return Fix(Applicability.UNSAFE, f"Insert `{code}`", insert_after(view.text, statement.span, code))
