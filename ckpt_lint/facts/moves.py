"""Where a module is moved to a device, and whether that may have happened out of sight."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.devices import unmoved
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.world import World
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.flow import spelled
from ckpt_lint.source.module import ModuleFacts, last_name

MOVERS = frozenset({"to", "cuda", "xpu", "npu", "to_empty"})
PLACERS = re.compile(r"^(accelerate|deepspeed|lightning|pytorch_lightning|lightning_fabric|colossalai)\b")
_DEPTH = 3
_GLOBAL = ("torch.set_default_device", "torch.set_default_tensor_type", "torch.cuda.set_default_device")


def is_move(module: ModuleFacts, call: t.Node) -> bool:
    """Whether a call moves its receiver to a device that may not be the CPU (a cast is no move)."""
    if not isinstance(call, t.Call) or not isinstance(call.func, t.Attribute) or call.func.attr not in MOVERS:
        return False
    if call.func.attr != "to":
        return True
    return any(_is_device(module, arg) for arg in call.args)


def _is_device(module: ModuleFacts, arg: t.Argument) -> bool:
    if arg.keyword is not None and arg.keyword != "device":
        return False
    constant = module.constant(arg.value)
    if constant is not None:
        return not (isinstance(constant.value, str) and constant.value.startswith("cpu"))
    names = module.names.of(arg.value)
    if any(name.startswith("torch.") and name.count(".") == 1 and name != "torch.device" for name in names):
        return False  # a dtype
    return not re.search(r"dtype|^(half|float|double)$", last_name(arg.value))


def moves_of(module: ModuleFacts, variable: t.Expr) -> Iterator[t.Call]:
    """The calls that move a variable's module: `m.to(d)`, `DataParallel(m).cuda()`."""
    for place in module.uses(variable):
        current: t.Node = place
        while isinstance(current.parent, (t.Attribute, t.Call, t.Argument)):
            current = current.parent
            if is_move(module, current) and current.start <= place.start:
                assert isinstance(current, t.Call)
                if any(node is place for node in t.walk(current.func)):
                    yield current
                    break


class Placement:
    """Asks whether a module starts on the CPU, made by code that we see and that moves nothing."""

    def __init__(self, world: World, values: Values) -> None:
        self.world = world
        self.values = values

    def is_left_alone(self, module: ModuleFacts) -> bool:
        """Whether a file places its own modules: no framework and no default device does it."""
        if any(set(module.names.of(call.func)) & set(_GLOBAL) for call in module.calls):
            return False
        imported = (alias.name for n in module.nodes if isinstance(n, t.Import) for alias in n.names)
        froms = (n.module for n in module.nodes if isinstance(n, t.ImportFrom))
        return not any(PLACERS.match(name) for name in (*imported, *froms))

    def starts_on_cpu(self, module: ModuleFacts, expr: t.Expr, at: t.Node, depth: int = _DEPTH) -> bool:
        """Whether the module that `expr` names was made in the same body by code that moves nothing."""
        bindings = [b for b in module.names.bindings(expr) if b.how not in ("augment", "delete")]
        if not bindings:
            return False
        return all(
            b.how == "assign" and b.value is not None and self._made_still(module, b.value, at, depth) for b in bindings
        )

    def _made_still(self, module: ModuleFacts, value: t.Expr, at: t.Node, depth: int) -> bool:
        if flow.body_of(value) is not flow.body_of(at) or any(is_move(module, node) for node in t.walk(value)):
            return False
        value = unmoved(self.values, module, value)  # `Net().eval()`
        if not isinstance(value, t.Call):
            return False
        if any(apis.constructs(name) == apis.MODULE for name in module.names.of(value.func)):
            return not any(arg.keyword in ("device", "device_map") for arg in value.args) and all(
                self._is_still(module, arg.value, at, depth) for arg in value.args
            )
        found = self.world.callees(module, value)
        return bool(found) and all(not _is_made_moving(d.node) for d in found) and (
            apis.MODULE in self.values.kinds(module, value)
        )

    def _is_still(self, module: ModuleFacts, part: t.Expr, at: t.Node, depth: int) -> bool:
        """Whether an argument of a constructor is no module, or one that lies on the CPU: `DataParallel(net)`."""
        if not isinstance(part, (t.Name, t.Attribute)) or not self.values.module_like(module, part):
            return True
        return depth > 0 and self.starts_on_cpu(module, part, at, depth - 1)


def _touches_devices(node: t.Node) -> bool:
    """Whether code moves something: `.cuda()`, `.to(device)`, `.to(args.device)`, `.to("cuda")`."""
    calls = (n for n in t.walk(node) if isinstance(n, t.Call))
    return any(isinstance(call.func, t.Attribute) and _is_shown_move(call, call.func) for call in calls)


def _is_made_moving(node: t.Node) -> bool:
    """Whether code that makes a module moves something."""
    return any(_touches_devices(part) for part in _run_when_made(node))


def _run_when_made(node: t.Node) -> list[t.Node]:
    """What runs when a module is made: of a class its body, `__init__` and the methods that this speaks of."""
    if not isinstance(node, t.ClassDef):
        return [node]
    methods = {part.name: part for part in node.body if isinstance(part, t.FunctionDef)}
    parts: list[t.Node] = [part for part in node.body if not isinstance(part, t.FunctionDef)]
    names: list[str] = [name for name in ("__new__", "__init__", "__post_init__") if name in methods]
    for name in names:
        parts.append(methods[name])
        spoken = (n.attr for n in t.walk(methods[name]) if isinstance(n, t.Attribute))
        names.extend(attr for attr in spoken if attr in methods and attr not in names)
    return parts


def _is_shown_move(call: t.Call, func: t.Attribute) -> bool:
    """A move that is spelled as slicing knows it: code that holds no such word may not be there to look at."""
    if func.attr != "to" or not call.args:
        return func.attr == "cuda"
    first = call.args[0].value
    if isinstance(first, t.Constant):
        return isinstance(first.value, str) and first.value.startswith("cuda")
    return spelled(first).startswith(("device", "self.device", "args"))
