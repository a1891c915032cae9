"""Whether saved values can carry a device at all."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.checkpoints import Checkpoints
from ckpt_lint.facts.kinds import DICT, FUNCTION, NUMBER, NUMPY, PATH, SEQUENCE, STRING
from ckpt_lint.facts.own_modules import stays_on_cpu
from ckpt_lint.facts.progress import NAMED
from ckpt_lint.facts.roles import role_of
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.states import Entry
from ckpt_lint.facts.values import Origin, Values
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, bound_target, last_name
from ckpt_lint.source.scopes import Binding

_PLAIN = frozenset({STRING, NUMBER, NUMPY, PATH, FUNCTION})
_MOVES = frozenset({"to", "cuda", "xpu", "npu"})
_OTHER_STATES = ("random.getstate", "numpy.random.get_state")
_GENERATOR = re.compile(r"(^|_)(generator|rng|gen)s?$", re.IGNORECASE)


def is_deviceless(values: Values, checkpoints: Checkpoints, save: Save) -> bool:
    """Whether a save writes no tensor, or only tensors that the same function made on the CPU or copied to it."""
    if _copied_one_by_one(save):
        return True
    function = flow.body_of(save.call)
    filled = _comprehension(save)
    if filled is not None:
        return _deviceless(values, save.module, filled, function, 4)
    checkpoint = checkpoints.of(save)
    if checkpoint.open or not checkpoint.entries:
        return False
    return all(_deviceless_entry(values, entry, function) for entry in checkpoint.entries)


def _comprehension(save: Save) -> t.Expr | None:
    """What a saved dict or list is filled with, where a comprehension makes it and nothing is added."""
    value: t.Expr | None = save.value
    if isinstance(value, t.Name):
        bound = save.module.once_bound(value)
        stored = any(isinstance(place.parent, (t.Subscript, t.Attribute)) for place in save.module.uses(value))
        value = bound.value if bound is not None and bound.how == "assign" and not stored else None
    if not isinstance(value, t.Comprehension) or value.kind == "generator":
        return None
    return value.value if value.kind == "dict" else value.element


def _copied_one_by_one(save: Save) -> bool:
    """`for key in saved: saved[key] = saved[key].cpu()`, and nothing else is put into what is saved."""
    value, module = save.value, save.module
    bound = module.once_bound(value) if isinstance(value, t.Name) else None
    if bound is None or bound.how != "assign":
        return False
    around = [place.parent for place in module.uses(value)]
    if any(isinstance(parent, t.Attribute) and parent.attr in ("update", "setdefault") for parent in around):
        return False
    stored = [parent for parent in around if isinstance(parent, t.Subscript) and bound_target(parent)]
    return bool(stored) and all(_copies_an_item(module, place) for place in stored)


def _copies_an_item(module: ModuleFacts, place: t.Subscript) -> bool:
    assign = place.parent
    loop = assign.parent
    if not isinstance(assign, t.Assign) or not isinstance(assign.value, t.Call) or not _to_cpu(module, assign.value):
        return False
    if not isinstance(loop, t.For) or assign.role != "body" or not isinstance(place.sub, t.Name):
        return False
    target = loop.target.items[0] if isinstance(loop.target, t.Sequence) and loop.target.items else loop.target
    over = loop.iter
    if isinstance(over, t.Call) and isinstance(over.func, t.Attribute) and over.func.attr in ("items", "keys"):
        over = over.func.value
    same = module.variable(over) is not None and module.variable(over) == module.variable(place.value)
    return same and isinstance(target, t.Name) and target.id == place.sub.id


def _deviceless_entry(values: Values, entry: Entry, function: t.Node) -> bool:
    return entry.left_out or _deviceless(values, entry.module, entry.value, function, 4)


def _deviceless(values: Values, module: ModuleFacts, value: t.Expr, function: t.Node, depth: int) -> bool:
    kinds = values.kinds(module, value)
    if (kinds and kinds <= _PLAIN) or _plain_attribute(values, module, value) or _counts(module, value, kinds):
        return True
    if depth <= 0:
        return False
    if isinstance(value, t.Call) and isinstance(value.func, t.Attribute):
        if _to_cpu(module, value) or _is_random_state(module, value, value.func):
            return True
        if value.func.attr == "state_dict" and role_of(values, module, value.func.value) == apis.SCHEDULER:
            return True  # numbers
        if value.func.attr == "state_dict" and flow.body_of(value) is function:
            if stays_on_cpu(values, module, value.func.value, value):
                return True
        if value.func.attr in _KEEPING:
            return _deviceless(values, module, value.func.value, function, depth - 1)
    if isinstance(value, (t.BinOp, t.Subscript)):
        return _is_computed(values, module, value, function, depth)
    if isinstance(value, (t.Sequence, t.Dict)) and kinds <= {SEQUENCE, DICT}:
        items = value.items if isinstance(value, t.Sequence) else value.values
        return all(_deviceless(values, module, item, function, depth - 1) for item in items)
    origins = values.origins(module, value)
    if not origins or not all(_is_seen(o) for o in origins) or _moved(module, value):
        return False
    if any(_moved(o.module, o.node) for o in origins if isinstance(o.node, t.Call)):
        return False
    return all(_made_or_plain(values, o, value, function, depth) for o in origins)


def _counts(module: ModuleFacts, value: t.Expr, kinds: frozenset[str]) -> bool:
    """`epoch`, wherever it came from: a progress counter by its name, to which nothing is done that tensors take."""
    if not isinstance(value, t.Name) or not NAMED.search(value.id) or kinds - _PLAIN:
        return False
    return not any(isinstance(place.parent, t.Attribute) for place in module.uses(value))


def _is_seen(origin: Origin) -> bool:
    return origin.how == "value" or (origin.how == "unbound" and isinstance(origin.node, t.Subscript))


def _is_computed(
    values: Values, module: ModuleFacts, value: t.BinOp | t.Subscript, function: t.Node, depth: int
) -> bool:
    """Whether a value is computed from arrays and numbers, or picked from an array."""
    parts = (value.left, value.right) if isinstance(value, t.BinOp) else (value.value,)
    if isinstance(value, t.Subscript) and NUMPY not in values.kinds(module, value.value):
        origins = values.origins(module, value.value)
        if not origins or not all(o.how == "value" and isinstance(o.node, t.BinOp) for o in origins):
            return False
    return all(_deviceless(values, module, part, function, depth - 1) for part in parts)


def _made_or_plain(values: Values, origin: Origin, value: t.Expr, function: t.Node, depth: int) -> bool:
    if isinstance(origin.node, t.Call):
        if _made_here(origin.module, origin.node, function):
            return True
        here = origin.node is not value and flow.body_of(origin.node) is function
        return here and _deviceless(values, origin.module, origin.node, function, depth - 1)
    if isinstance(origin.node, (t.BinOp, t.Subscript)) and origin.node is not value:
        return _is_computed(values, origin.module, origin.node, function, depth)
    return origin.node is not value and isinstance(origin.node, (t.Sequence, t.Dict)) and (
        _deviceless(values, origin.module, origin.node, function, depth - 1)
    )


def _plain_attribute(values: Values, module: ModuleFacts, value: t.Expr) -> bool:
    """`self.count`, to which its class binds numbers only, or a list that takes numbers, or what it wrote before."""
    holder = flow.class_of(value)
    if holder is None or not isinstance(value, t.Attribute) or not module.names.is_self(value.value):
        return False
    bound = [b for b in module.names.attribute_bindings(holder, value.attr) if not _read_back(module, b)]
    if not bound or not all(_plain_binding(values, module, b) for b in bound):
        return False
    return all(_plain_use(values, module, place) for place in module.uses(value))


def _read_back(module: ModuleFacts, binding: Binding) -> bool:
    """`self.count = data["count"]`, where `data` was loaded here."""
    value = binding.value
    if isinstance(value, t.Subscript):
        if _loads(module, value.value):
            return True
        bound = module.names.bindings(value.value)
        return bool(bound) and all(b.value is not None and b.value is not value and _loads(module, b.value) for b in bound)
    return value is not None and _loads(module, value)


def _loads(module: ModuleFacts, value: t.Expr) -> bool:
    return isinstance(value, t.Call) and module.names.is_a(value.func, apis.TORCH_LOAD)


def _plain_binding(values: Values, module: ModuleFacts, binding: Binding) -> bool:
    if binding.how not in ("assign", "augment") or binding.value is None:
        return False
    if isinstance(binding.value, t.Sequence):
        return not binding.value.items
    return _is_plain(values, module, binding.value)


def _plain_use(values: Values, module: ModuleFacts, place: t.Expr) -> bool:
    """Whether a place puts nothing but numbers and strings into a list."""
    parent = place.parent
    if isinstance(parent, t.Subscript) and place.role == "value":
        return not bound_target(parent)
    call = parent.parent if isinstance(parent, t.Attribute) else None
    if not isinstance(call, t.Call) or not isinstance(parent, t.Attribute) or parent.role != "func":
        return True
    if parent.attr == "append":
        return all(_is_plain(values, module, arg.value) for arg in call.args)
    return parent.attr not in ("extend", "insert", "update", "setdefault")


def _is_plain(values: Values, module: ModuleFacts, value: t.Expr) -> bool:
    kinds = values.kinds(module, value)
    return bool(kinds) and kinds <= _PLAIN


def _to_cpu(module: ModuleFacts, call: t.Call) -> bool:
    """`x.cpu()`, `x.to("cpu")`: a copy on the CPU, wherever the tensor was."""
    if last_name(call.func) == "cpu":
        return not call.args
    return last_name(call.func) == "to" and len(call.args) == 1 and module.string(call.args[0].value) == "cpu"


def _is_random_state(module: ModuleFacts, call: t.Call, func: t.Attribute) -> bool:
    """The state of a random generator, which torch gives on the CPU, that of a generator on CUDA, too."""
    if func.attr in ("get_rng_state", "get_rng_state_all") or module.names.is_a(func, *_OTHER_STATES):
        return True
    generator = module.names.is_a(func.value, "torch.default_generator") or _GENERATOR.search(last_name(func.value))
    return func.attr == "get_state" and not call.args and bool(generator)


def _made_here(module: ModuleFacts, call: t.Call, function: t.Node) -> bool:
    """A tensor factory without `device=`, in the function of the save."""
    names = module.names.of(call.func)
    if not any(name.startswith("torch.") and name.count(".") == 1 for name in names):
        return False
    if any(arg.keyword == "device" or arg.star for arg in call.args) or flow.body_of(call) is not function:
        return False
    return last_name(call.func) in _FACTORIES


def _moved(module: ModuleFacts, value: t.Expr) -> bool:
    """Whether a value is moved to a device on its way, or anywhere in the module under its name."""
    if any(_moves(module, call) for place in (value, *module.uses(value)) for call in _chain(place)):
        return True
    return any(isinstance(n, t.Attribute) and n.attr in _MOVES for n in t.walk(value))


def _moves(module: ModuleFacts, call: t.Call) -> bool:
    return last_name(call.func) in _MOVES and not _to_cpu(module, call)


def _chain(node: t.Node) -> Iterator[t.Call]:
    """The methods called on a value, one after the other: `.long()`, `.to(device)` of `x.long().to(device)`."""
    while isinstance(node.parent, t.Attribute) and isinstance(node.parent.parent, t.Call):
        if node.parent.role != "func":
            return
        node = node.parent.parent
        yield node


_FACTORIES = frozenset({
    "tensor", "zeros", "ones", "empty", "rand", "randn", "randint", "arange", "linspace", "full", "eye", "from_numpy",
    "FloatTensor", "LongTensor", "Tensor", "randperm", "as_tensor", "IntTensor", "DoubleTensor",
})  # fmt: skip
_KEEPING = frozenset({
    "long", "float", "double", "half", "int", "bool", "byte", "short", "bfloat16", "clone", "detach", "contiguous",
    "view", "reshape", "squeeze", "unsqueeze", "flatten", "permute", "transpose", "t", "type",
})  # fmt: skip
"""Methods of a tensor whose result lies where the tensor does."""
