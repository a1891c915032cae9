"""CKP419."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.locations import read_location
from ckpt_lint.facts.restores import Part
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

SETTERS = frozenset({"torch.set_rng_state", "torch.random.set_rng_state"})

RULE = RuleInfo(
    code="CKP419",
    name="rng-state-on-device",
    severity=Severity.ERROR,
    on=True,
    groups=("resume",),
    page=Page(
        summary="The CPU's RNG state is restored from a load that moved it to a device.",
        why=(
            "`torch.set_rng_state` takes a ByteTensor on the CPU. `map_location` moves every tensor of the file, the "
            "RNG state with them: `TypeError: RNG state must be a torch.ByteTensor`."
        ),
        bad="""\
import torch

def resume(path, model):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    model.load_state_dict(checkpoint["model"])
    torch.set_rng_state(checkpoint["rng"])
    return checkpoint["epoch"]
""",
        good="""\
import torch

def resume(path, model):
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(checkpoint["model"])
    torch.set_rng_state(checkpoint["rng"])
    return checkpoint["epoch"]
""",
        silent=(
            "the state is moved back on the way (`.cpu()`, `.to(\"cpu\")`)",
            "the load has no `map_location`, or one that is the CPU or leaves CPU storages where they are",
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.set_rng_state.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """RNG states that were loaded to a device."""
    for call in view.module.calls_by_name.get("set_rng_state", ()):
        if not set(view.module.names.of(call.func)) & SETTERS or not call.args or _moved_back(view, call.args[0].value):
            continue
        part = next(iter(view.facts.restores.parts(view.module, call.args[0].value)), None)
        where = _device_of(view, part) if part is not None else None
        if part is not None and where is not None:
            yield Report(
                call,
                f"`torch.set_rng_state` wants a tensor on the CPU, and the load puts it on {where}: TypeError. Load "
                'with `map_location="cpu"`, or pass `.cpu()` of it',
                others=(Other(part.load.module, part.load.call, "the load"),),
            )


def _moved_back(view: View, state: t.Expr) -> bool:
    """Whether a call stands between the entry and the setter, here or where its variable is bound."""
    roots = [state]
    if isinstance(state, (t.Name, t.Attribute)):
        roots.extend(b.value for b in view.module.names.bindings(state) if b.value is not None)
    return any(
        isinstance(root, t.Call) and last_name(root.func) not in ("get", "pop") and not _is_load(view, root)
        for root in roots
    )


def _is_load(view: View, call: t.Call) -> bool:
    return view.facts.restores.load_at(view.module, call) is not None


def _device_of(view: View, part: Part) -> str | None:
    """What a load's `map_location` calls the device, None where it is the CPU or may leave storages alone."""
    load: Load = part.load
    value = load.value("map_location")
    if value is None or load.open:
        return None
    return _device(view, load.module, value)


def _device(view: View, module: ModuleFacts, value: t.Expr) -> str | None:
    location = read_location(module, value, "torch.load")
    if location is not None:
        return "a CUDA device" if location.cuda else None
    if isinstance(value, (t.Lambda, t.Dict)) or module.constant(value) is not None:
        return None
    found = [_of_origin(o.node) for o in view.facts.values.origins(module, value)]
    return next((where for where in found if where is not None), None)


def _of_origin(node: t.Node) -> str | None:
    """The device that an origin may be: every word of CUDA counts, and so does a value called device."""
    texts = [n.value for n in t.walk(node) if isinstance(n, t.Constant) and isinstance(n.value, str)]
    if any(text.startswith(("cuda", "mps", "xpu")) for text in texts):
        return "a CUDA device" if any(text.startswith("cuda") for text in texts) else "a device"
    if any(text.startswith("cpu") for text in texts):
        return None
    name = node.name if isinstance(node, (t.Parameter, t.Alias)) else last_name(node)
    if isinstance(node, (t.Parameter, t.Alias, t.Name, t.Attribute)) and name.endswith("device"):
        return f"`{name}`, which need not be the CPU"
    return None
