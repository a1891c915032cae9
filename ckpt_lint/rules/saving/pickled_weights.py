"""CKP109."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.modules import is_module_by_evidence
from ckpt_lint.facts.saved import parts_of, state_dict_calls
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

RULE = RuleInfo(
    code="CKP109",
    name="pickled-weights",
    severity=Severity.ERROR,
    on=True,
    groups=("security", "portability"),
    artifact=True,
    page=Page(
        summary="A module or a state dict is written by pickle, joblib, dill or cloudpickle.",
        why=(
            "Such a file can only be read by unpickling it, which runs whatever it says: `torch.load` and its "
            "`weights_only=True` do not read it at all (`Unsupported operand 149`, `Invalid magic number`). Tensors "
            "of a GPU raise on a host without one, because no `map_location` is possible."
        ),
        bad="""\
import pickle

import torch

def save(path):
    model = torch.nn.Linear(4, 2)
    with open(path, "wb") as file:
        pickle.dump(model.state_dict(), file)
""",
        good="""\
import torch

def save(path):
    model = torch.nn.Linear(4, 2)
    torch.save(model.state_dict(), path)
""",
        silent=(
            "other objects: vocabularies, arrays, scikit-learn models",
            "a value of which only the name says that it is a model",
            "a copy through memory: `pickle.loads(pickle.dumps(model))`",
        ),
        sources=("https://docs.python.org/3/library/pickle.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Pickled weights."""
    for word in ("dump", "dumps"):
        for call in view.module.calls_by_name.get(word, ()):
            names = [name for name in view.module.names.of(call.func) if name in apis.PICKLE_DUMPS]
            if names and call.args and not call.args[0].star and not _read_back(call):
                yield from _of_dump(view, call, names[0])


def _read_back(call: t.Call) -> bool:
    around = call.parent.parent if isinstance(call.parent, t.Argument) else None
    return isinstance(around, t.Call) and last_name(around.func) == "loads"


def _of_dump(view: View, call: t.Call, name: str) -> Iterator[Report]:
    for _, value, module in parts_of(view.facts.checkpoints, view.module, call.args[0].value):
        what = _weights(view, module, value)
        if what is not None:
            others = (Other(module, value, what),)
            yield Report(
                call,
                f"`{name}` writes {what}: the file can only be read by unpickling it, which runs code, and no "
                "`map_location` is possible; use `torch.save(x.state_dict(), path)`",
                others=others,
            )
            return


def _weights(view: View, module: ModuleFacts, value: t.Expr) -> str | None:
    values = view.facts.values
    if is_module_by_evidence(values, module, value):
        return "a whole module"
    for call, origin in state_dict_calls(values, module, value):
        if isinstance(call.func, t.Attribute):
            if view.role(call.func.value, origin.module) in (apis.MODULE, apis.EMA, apis.OPTIMIZER):
                return "a state dict"
    return None
