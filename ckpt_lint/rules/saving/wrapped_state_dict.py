"""CKP103."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ckpt_lint.edits import insert
from ckpt_lint.facts.relying import relying
from ckpt_lint.facts.restores import Restore
from ckpt_lint.facts.saved import Saved, is_editable, saved_values, state_dict_calls
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.facts.wrapping import ATTRIBUTES, Wrapped, is_stripped, wrapped
from ckpt_lint.model import Applicability, Edit, Fix, Page, RuleInfo, Severity
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

RULE = RuleInfo(
    code="CKP103",
    name="wrapped-state-dict",
    severity=Severity.WARNING,
    on=True,
    fix=Applicability.UNSAFE,
    fix_shape="attribute-added",
    groups=("portability", "distributed"),
    artifact=True,
    page=Page(
        summary="The state dict of a module in a wrapper is saved.",
        why=(
            "DataParallel and DistributedDataParallel put `module.` in front of every key, `torch.compile` puts "
            "`_orig_mod.`. The file then fits only a model that is wrapped in the same way: a plain one raises "
            "`RuntimeError: Missing key(s) in state_dict`, and with `strict=False` it silently loads nothing. Where "
            "the module is wrapped on some ways only, the files of two runs of one program differ."
        ),
        bad="""\
import torch

def save(network, path):
    model = torch.nn.DataParallel(network)
    torch.save(model.state_dict(), path)
""",
        good="""\
import torch

def save(network, path):
    model = torch.nn.DataParallel(network)
    torch.save(model.module.state_dict(), path)
""",
        silent=(
            "FSDP, which takes its own prefixes off, also where only `FSDP.set_state_dict_type(model, ...)` tells of it",
            "each wrapper unwrapped by its own means: `.module` for DataParallel and DDP, `._orig_mod` for compile",
            "an alias that was taken before wrapping",
            "a helper (`unwrap_model`, `de_parallel`, `getattr(model, \"module\", model)`, or one of the project)",
            "a branch on the same condition as the wrapping, or whose other branch unwraps",
            "a wrapped submodule; `model.compile()`, which works in place",
            "a parameter, or an entry of a dict, that not every known caller hands over wrapped",
            "keys that are stripped before they are saved",
            "a class that derives from a wrapper and has a `state_dict` of its own",
        ),
        fix_safety=(
            "Unsafe: files that exist already keep their prefix. The loads of this file that restore into the wrapped "
            "module change together with the save; where one of them may read another file, or stands in one, no fix is "
            "offered."
        ),
        sources=(
            "https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html#saving-torch-nn-dataparallel-models",
        ),
    ),
)


def check(view: View) -> Iterator[Report]:
    """State dicts of wrapped modules that reach a save."""
    for save in view.saves:
        for saved in saved_values(view.facts.checkpoints, save):
            yield from _of_value(view, saved)


def _of_value(view: View, saved: Saved) -> Iterator[Report]:
    for call, origin in state_dict_calls(view.facts.values, saved.module, saved.value):
        receiver = call.func.value if isinstance(call.func, t.Attribute) else call
        found = wrapped(view.facts.values, origin.module, receiver)
        if found is not None and not is_stripped(origin.module, call):
            yield _report(view, saved, call, origin.module, receiver, found)


def _report(
    view: View, saved: Saved, call: t.Call, module: ModuleFacts, receiver: t.Expr, found: Wrapped
) -> Report:
    here = module is view.module
    restores = relying(view, receiver, found) if here else []
    wrapper = "on some ways " if found.conditional else ""
    message = (
        f"this state dict is {wrapper}that of a wrapped module: its keys begin with `{found.prefix}`, and a plain "
        f"module raises on them (with `strict=False` it loads nothing); {_advice(view, receiver, found, here)}"
    )
    if restores:
        message += f"; {_named(view, restores)} restores into the wrapped module and must change with it"
    fix, withheld = _fix(view, saved, receiver, found, restores) if here else (None, None)
    others = [Other(found.module, found.call, "wrapped here")]
    others.extend(Other(restore.module, restore.call, "restores into the wrapped module") for restore in restores)
    if not here:
        others.append(Other(module, call, "the state dict"))
    return Report(
        call if here else saved.save.call, message, fix, withheld, tuple(others), call=saved.call_in(view.module),
        argument="value",
    )  # fmt: skip


def _advice(view: View, receiver: t.Expr, found: Wrapped, here: bool) -> str:
    name = view.code(receiver) if here else "model"
    if found.conditional and len(found.prefixes) == 1:
        return f'save `getattr({name}, "{ATTRIBUTES[found.prefixes[0]]}", {name}).state_dict()`'
    return f"save `{name}{_path(found)}.state_dict()`"


def _path(found: Wrapped) -> str:
    return "".join(f".{ATTRIBUTES[prefix]}" for prefix in found.prefixes)


def _changes_here(view: View, restore: Restore) -> bool:
    """Whether a restore stands in this file and is handed nothing but the wrapped module."""
    return restore.module is view.module and wrapped(view.facts.values, view.module, restore.receiver) is not None


def _named(view: View, restores: Sequence[Restore]) -> str:
    """Where restores stand: their lines, and the functions of those in other files."""
    here = [restore for restore in restores if restore.module is view.module]
    rows = ", ".join(str(view.source.location(restore.call.start).row) for restore in here)
    functions = (flow.function_of(restore.call) for restore in restores if restore.module is not view.module)
    names = [f"`{name}`" for name in dict.fromkeys(f.name for f in functions if f is not None)]
    return ", ".join([*([f"line {rows}"] if rows else []), *names])


def _fix(
    view: View, saved: Saved, receiver: t.Expr, found: Wrapped, restores: list[Restore]
) -> tuple[Fix | None, str | None]:
    if found.conditional:
        return None, "the module is wrapped on some ways only"
    by_hand = [restore for restore in restores if not _changes_here(view, restore)]
    if by_hand:
        return None, f"{_named(view, by_hand)} restores into the wrapped module, too, and has to be changed by hand"
    if not all(is_editable(node) for node in (receiver, *(restore.call for restore in restores))):
        return None, None
    edits: list[Edit] = list(insert(receiver.end, _path(found)))
    for restore in restores:
        loads = {part.load for part in view.facts.restores.parts(view.module, restore.state)}
        if not loads or any(saved.save not in view.match(load).saves for load in loads):
            row = view.source.location(restore.call.start).row
            return None, f"line {row} restores into the wrapped module, maybe from another file"
        edits.extend(insert(restore.receiver.end, _path(found)))
    return Fix(Applicability.UNSAFE, f"Take the wrapper off: `{_path(found)}`", tuple(edits)), None
