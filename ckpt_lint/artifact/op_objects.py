"""Opcodes that name globals, call them, build objects and resolve persistent ids. Nothing is resolved or called."""

from __future__ import annotations

import _compat_pickle  # Python's own table of renamed names; a private module, the same since 3.0

from ckpt_lint.artifact.joblib_arrays import WRAPPER, skip_array
from ckpt_lint.artifact.machine import Broken, Handler, Machine, Refuse
from ckpt_lint.artifact.simulate import call, is_allowed, new_object
from ckpt_lint.artifact.trust import CLASS_CHANGED
from ckpt_lint.artifact.values import Called, Counted, Global, LongText, Ordered, Persistent, Tensor, Value, type_name

_REBUILD = "torch._utils._rebuild_tensor_v2"
_HOOKS = "collections.OrderedDict"
_NEEDS_NESTED = (
    "torch.nested._internal.nested_tensor.NestedTensor",
    "torch.nested._internal.nested_tensor._rebuild_njt",
    "torch._dynamo.decorators._DimRange",
)
_NEEDS_DTENSOR = (
    "torch.distributed.device_mesh.DeviceMesh",
    "torch.distributed.tensor._dtensor_spec.DTensorSpec",
    "torch.distributed.tensor._dtensor_spec.TensorMeta",
    "torch.distributed.tensor.DTensor",
    "torch.distributed.tensor.placement_types.Partial",
    "torch.distributed.tensor.placement_types.Replicate",
    "torch.distributed.tensor.placement_types.Shard",
)


def global_text(m: Machine) -> None:
    """GLOBAL: two lines of text, the one spelling that weights_only reads."""
    pieces = (m.cursor.line(), m.cursor.line(), m.protocol < 3)
    m.charge(4)
    name = m.named.get(pieces)
    if name is None:
        module, text = pieces[0].decode("utf-8"), pieces[1].decode("utf-8")
        mapped = _torch_name(m, module, text)
        m.charge(60 + (len(module) + len(text) >> 5))
        _judge(m, *mapped)
        loose = renamed(module, text) if m.protocol < 3 else Global(module, text)
        name = m.named[pieces] = Global(*mapped) if ".".join(mapped) in m.table.globals else loose
        m.hold(400 + 4 * len(module) + 4 * len(text))
        m.use(loose)
    m.stack.append(name)


def renamed(module: str, name: str) -> Global:
    """The Python 3 name that an unpickler resolves for a name written by Python 2 (`fix_imports`)."""
    if (module, name) in _compat_pickle.NAME_MAPPING:
        return Global(*_compat_pickle.NAME_MAPPING[(module, name)])
    return Global(_compat_pickle.IMPORT_MAPPING.get(module, module), name)


def _torch_name(m: Machine, module: str, name: str) -> tuple[str, str]:
    if (module, name) in m.table.names:
        return m.table.names[(module, name)]
    return m.table.imports.get(module, module), name


def _judge(m: Machine, module: str, name: str) -> None:
    """What the weights-only unpickler says of a global, in its order of tests."""
    path = f"{module}.{name}"
    if module in m.table.blocked_modules:
        m.refuse(f"Trying to load unsupported GLOBAL {path} whose module {module} is blocked.", "blocked")
    elif path in m.table.globals or path in m.accept:
        return
    elif path in _NEEDS_NESTED:
        m.refuse(
            "``torch.nested`` and ``torch._dynamo`` must be imported to load nested jagged tensors (NJTs)", "import"
        )
    elif path in _NEEDS_DTENSOR:
        m.refuse("``torch.distributed.tensor`` must be imported to load DTensors", "import")
    else:
        shown = path.removeprefix("builtins.") if path.startswith("builtins.") else path
        m.refuse(
            f"Unsupported global: GLOBAL {shown} was not an allowed global by default. Please use "
            f"`torch.serialization.add_safe_globals([{shown}])` or the "
            f"`torch.serialization.safe_globals([{shown}])` context manager to allowlist this global "
            "if you trust this class/function.",
            "global",
        )


def stack_global(m: Machine) -> None:
    """STACK_GLOBAL: both names from the stack, wherever they were put together."""
    name = m.stack.pop()
    module = m.stack.pop()
    if isinstance(name, LongText) or isinstance(module, LongText):
        name, module = "<a name of enormous length>", "<unknown>"
    if not isinstance(name, str) or not isinstance(module, str):
        name, module = str(type_name(name)), "<a name that is no text>"
    m.hold(200 + 2 * len(module) + 2 * len(name))
    value = renamed(module, name) if m.protocol < 3 else Global(module, name)
    m.charge(20 + (len(module) + len(name) >> 5))
    m.use(value)
    m.stack.append(value)


def extension(m: Machine, size: int) -> None:
    """EXT: a number in copyreg's registry, which is different on every machine: nobody can know what it names."""
    code = int.from_bytes(m.cursor.take(size), "little")
    value = Global("copyreg", f"<extension {code}>")
    m.charge(12)
    m.memory += 200
    m.use(value)
    m.stack.append(value)


def extension_1(m: Machine) -> None:
    extension(m, 1)


def extension_2(m: Machine) -> None:
    extension(m, 2)


def extension_4(m: Machine) -> None:
    extension(m, 4)


def reduce(m: Machine) -> None:
    arguments = m.stack.pop()
    m.stack[-1] = apply(m, m.stack[-1], arguments, "REDUCE")


def apply(m: Machine, function: Value, arguments: Value, how: str) -> Value:
    """The value of a call: simulated where it is one of torch's own rebuilders, else written down."""
    m.memory += 250
    m.weigh(arguments, 24)
    if isinstance(function, Global):
        m.charge(len(function.path) >> 5)
        m.use(function, how)
    if how == "REDUCE" and not is_allowed(m, function):
        m.refuse(f"Trying to call reduce for unrecognized function {_text(function)}")
    try:
        value = call(m, function, arguments, how)
        _note_call(m, function, how)
        return value
    except Refuse as error:
        m.refuse(str(error), error.kind)
    except (TypeError, ValueError, KeyError, IndexError, OverflowError, AttributeError) as error:
        m.refuse(str(error)[:300])
    return Called(function, arguments, how, m.at)


def _note_call(m: Machine, function: Value, how: str) -> None:
    """From the second call on, nothing of the globals of tensors needs to be written down any more."""
    if how == "REDUCE" and isinstance(function, Global):
        if function.path == _REBUILD:
            m.tensors.rebuilder = function
        elif function.path == _HOOKS:
            m.tensors.hooks = function


def _text(value: Value) -> str:
    return value.path if isinstance(value, Global) else f"<{type_name(value)}>"


def newobj(m: Machine) -> None:
    arguments = m.stack.pop()
    kind = m.stack.pop()
    m.stack.append(make(m, kind, arguments, "NEWOBJ"))


def make(m: Machine, kind: Value, arguments: Value, how: str) -> Value:
    """The value of `kind.__new__(kind, *arguments)`."""
    m.memory += 250
    m.weigh(arguments, 24)
    if isinstance(kind, Global):
        m.charge(len(kind.path) >> 5)
        m.use(kind, how)
    if not is_allowed(m, kind):
        m.refuse(
            "Can only create new object for nn.Parameter or classes allowlisted via `add_safe_globals` "
            f"but got {_text(kind)}"
        )
    try:
        return new_object(m, kind, arguments, how)
    except Refuse as error:
        m.refuse(str(error), error.kind)
    except (TypeError, ValueError, OverflowError) as error:
        m.refuse(str(error)[:300])
    return Called(kind, arguments, how, m.at)


def newobj_ex(m: Machine) -> None:
    keywords = m.stack.pop()
    arguments = m.stack.pop()
    kind = m.stack.pop()
    value = make(m, kind, arguments, "NEWOBJ_EX")
    if isinstance(value, Called) and keywords:
        value.state.append(keywords)
    m.stack.append(value)


def inst(m: Machine) -> None:
    module, name = m.cursor.line().decode("utf-8"), m.cursor.line().decode("utf-8")
    m.hold(300 + 3 * len(module) + 3 * len(name))
    value = renamed(module, name) if m.protocol < 3 else Global(module, name)
    arguments = tuple(m.pop_mark())
    m.charge(20 + (len(module) + len(name) >> 5))
    m.stack.append(apply(m, value, arguments, "INST"))


def obj(m: Machine) -> None:
    items = m.pop_mark()
    if not items:
        raise Broken("OBJ without a class")
    m.stack.append(apply(m, items[0], tuple(items[1:]), "OBJ"))


def build(m: Machine) -> None:
    """BUILD: give state to the object on top."""
    state = m.stack.pop()
    target = m.stack[-1]
    m.charge(10)
    if isinstance(target, Global):
        m.use(target, CLASS_CHANGED)
    if isinstance(target, Called):
        target.state.append(state)
        if isinstance(target.callee, Global):
            m.use(target.callee, "BUILD")
        if target.path == WRAPPER:
            skip_array(m, target, state)
    if isinstance(target, Ordered):
        _update_attributes(m, target, state)
    elif isinstance(target, Tensor):
        _build_tensor(m, target, state)
    elif not _plain_build(m, target, state):
        m.refuse(
            "Can only build Tensor, Parameter, OrderedDict or types allowlisted via `add_safe_globals`, "
            f"but got <class '{type_name(target)}'>"
        )


def _update_attributes(m: Machine, target: Ordered, state: Value) -> None:
    if isinstance(state, dict):
        m.charge(len(state))
        target.attributes.update(state)
        m.memory += 100 * len(state)
        return
    if not (isinstance(state, (list, tuple, str, bytes)) and len(state) == 0):
        m.refuse(f"'{type_name(state)}' object is not iterable")


def _build_tensor(m: Machine, target: Tensor, state: Value) -> None:
    """Tensor: `set_(*state)`; Parameter: its `__setstate__`. Both are of torch 0.x, and too rare to follow."""
    m.doubt("it builds a tensor by its state, as torch 0.x did")
    if isinstance(state, dict):
        before = target.attributes or {}
        m.charge(len(before) + len(state))
        m.memory += 100 * (len(before) + len(state))
        target.attributes = {**before, **state}


def _plain_build(m: Machine, target: Value, state: Value) -> bool:
    """BUILD on a value of an allowed class: only instances with a `__dict__` take a state that is not empty."""
    if isinstance(target, Called) and target.path in m.accept:
        return True
    if isinstance(target, Counted):
        return isinstance(state, dict) or not state
    if type_name(target) in ("set", "bytearray", "complex", "torch.Size", "torch.device"):
        if state:
            m.refuse(f"'{type_name(target)}' object has no attribute '__dict__'")
        return True
    return False


def persistent_text(m: Machine) -> None:
    m.stack.append(persist(m, m.cursor.line().decode("ascii")))


def persistent(m: Machine) -> None:
    m.stack.append(persist(m, m.stack.pop()))


def persist(m: Machine, identifier: Value) -> Value:
    """The value of a persistent id, judged as torch judges it."""
    m.memory += 300
    m.weigh(identifier, 30)
    if type(identifier) is not tuple and type(identifier) is not int:
        m.refuse(f"persistent_load id must be tuple or int, but got <class '{type_name(identifier)}'>")
    elif type(identifier) is tuple and identifier and identifier[0] not in ("storage", b"storage"):
        m.refuse(f"Only persistent_load of storage is allowed, but got <class '{type_name(identifier[0])}'>")
    return resolve(m, identifier)


def resolve(m: Machine, identifier: Value) -> Value:
    """The storage that a persistent id of the usual form names."""
    try:
        return m.persist(m, identifier)
    except Refuse as error:
        m.refuse(str(error), error.kind)
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        m.refuse(str(error)[:300])
    return Persistent(identifier)


OBJECTS: dict[bytes, Handler] = {
    b"c": global_text, b"\x93": stack_global, b"\x82": extension_1, b"\x83": extension_2, b"\x84": extension_4,
    b"R": reduce, b"\x81": newobj, b"\x92": newobj_ex, b"i": inst, b"o": obj, b"b": build, b"P": persistent_text,
    b"Q": persistent,
}  # fmt: skip
