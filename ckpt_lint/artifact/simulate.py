"""What the few calls that torch allows would give, over symbolic values. Raises Refuse where torch would raise."""

from __future__ import annotations

from collections.abc import Callable
from encodings.aliases import aliases

from ckpt_lint.artifact.limits import LimitReached
from ckpt_lint.artifact.machine import Machine, Refuse
from ckpt_lint.artifact.rebuild import make_parameter, plain_tensor
from ckpt_lint.artifact.rebuild_layouts import ALL
from ckpt_lint.artifact.trust import UNREAD_CALL
from ckpt_lint.artifact.values import (
    UNREAD,
    Called,
    Counted,
    Device,
    Global,
    Layout,
    LongText,
    Ordered,
    Shape,
    Storage,
    Tensor,
    Value,
    hashable,
    type_name,
    weight,
)  # fmt: skip

_LAYOUTS = ("strided", "sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc", "_mkldnn", "jagged")
_DEVICES = (
    "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla", "lazy",
    "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone",
)  # fmt: skip
_CODECS = {"latin1": "latin-1", "latin-1": "latin-1", "iso-8859-1": "latin-1", "utf-8": "utf-8", "utf8": "utf-8"}
_CODECS |= {"ascii": "ascii", "us-ascii": "ascii"}
_MORE_CODECS = frozenset(
    [
        "charmap",
        "idna",
        "mbcs",
        "oem",
        "palmos",
        "punycode",
        "raw_unicode_escape",
        "undefined",
        "unicode_escape",
        "utf_8_sig",
        "cp720",
        "cp737",
        "cp856",
        "cp874",
        "cp875",
        "cp1006",
        "koi8_r",
        "koi8_t",
        "koi8_u",
        "mac_arabic",
        "mac_croatian",
        "mac_farsi",
        "mac_romanian",
    ]
)
_PARAMETER = "torch.nn.parameter.Parameter"


def is_allowed(m: Machine, value: Value) -> bool:
    """Whether the weights-only unpickler lets `value` be called."""
    return isinstance(value, Global) and (value.path in m.table.globals or value.path in m.accept)


def call(m: Machine, function: Value, arguments: Value, how: str) -> Value:
    """The value of `function(*arguments)`. Raises Refuse, or what Python would raise of itself."""
    if not isinstance(function, Global):
        return Called(function, arguments, how, m.at)
    kind = m.table.globals.get(function.path)
    if kind is None:
        return _other_call(m, function, arguments, how)
    if not isinstance(arguments, tuple):
        if not isinstance(arguments, (list, dict, set)):
            raise Refuse(f"Value after * must be an iterable, not {type_name(arguments)}")
        m.doubt("it calls with arguments that are no tuple")
        arguments = tuple(arguments)
    if kind in ("dtype", "qscheme") or kind.startswith("storage:"):
        raise Refuse(f"'{function.path}' object is not callable")
    simulated = _CALLS.get(function.path) or ALL.get(function.path)
    if simulated is not None:
        return simulated(m, arguments)
    if kind == "tensortype" or function.path == "torch.Tensor":
        return plain_tensor(m, function.path, arguments)
    m.doubt(f"it calls {function.path}")
    return Called(function, arguments, how, m.at)


def _other_call(m: Machine, function: Global, arguments: Value, how: str) -> Value:
    """A call that torch does not allow: what it gives only matters for the picture of the file."""
    result = Called(function, arguments, how, m.at)
    if function.path == "torch.storage._load_from_bytes" and m.nested is not None:
        plain = isinstance(arguments, (tuple, list)) and len(arguments) == 1
        m.work.memory += m.memory  # what is held here while the inner one is read
        inner = m.nested(arguments[0]) if plain else UNREAD
        m.work.memory -= m.memory
        if inner is UNREAD:
            m.use(function, UNREAD_CALL)
        return inner if isinstance(inner, Storage) else result
    return result


def new_object(m: Machine, kind: Value, arguments: Value, how: str) -> Value:
    """The value of `kind.__new__(kind, *arguments)`."""
    if not isinstance(kind, Global) or kind.path not in m.table.globals:
        return Called(kind, arguments, how, m.at)
    if not isinstance(arguments, tuple):
        raise Refuse(f"Value after * must be an iterable, not {type_name(arguments)}")
    if m.table.globals[kind.path] not in ("class", "tensortype"):
        raise Refuse(f"{kind.path} is not a type object")
    if kind.path == _PARAMETER:
        return make_parameter(m, *_parameter_arguments(arguments))
    empty: dict[str, Callable[[], Value]] = {
        "collections.OrderedDict": Ordered, "collections.Counter": Counted, "builtins.set": set,
        "builtins.bytearray": bytearray,
    }  # fmt: skip
    if kind.path in empty:
        return empty[kind.path]()
    return call(m, kind, arguments, how)


def _parameter_arguments(arguments: tuple[Value, ...]) -> tuple[Value, Value]:
    if len(arguments) > 2:
        raise Refuse("Parameter.__new__() takes from 1 to 3 positional arguments")
    data = arguments[0] if arguments else None
    return data, arguments[1] if len(arguments) > 1 else True


def _ordered(m: Machine, arguments: tuple[Value, ...]) -> Value:
    return _mapping(m, Ordered(), arguments)


def _mapping(m: Machine, target: dict[Value, Value], arguments: tuple[Value, ...]) -> Value:
    if len(arguments) > 1:
        raise Refuse(f"expected at most 1 argument, got {len(arguments)}")
    if not arguments:
        return target
    source = arguments[0]
    if isinstance(source, dict):
        m.hold(100 * len(source))
        target.update(source)
        return target
    for pair in _iterable(m, source):
        key, value = _iterable(m, pair)
        _need_hashable(m, key)
        target[key] = value
    return target


def _iterable(m: Machine, value: Value) -> list[Value]:
    if isinstance(value, (list, tuple, set, frozenset, str, bytes, bytearray, dict)):
        m.hold(60 * len(value))
        return list(value)
    if isinstance(value, (Tensor, Called, LongText)):
        m.doubt(f"it iterates over a {type_name(value)}")
        raise Refuse(f"'{type_name(value)}' object is not iterable")
    raise Refuse(f"'{type_name(value)}' object is not iterable")


def _need_hashable(m: Machine, key: Value) -> None:
    m.charge(6 + 3 * weight(key, m.limits.key_nodes))
    answer = hashable(key, m.limits.key_nodes)
    if answer is None:
        raise LimitReached("a dict key is nested too deeply")
    if not answer:
        raise Refuse(f"unhashable type: '{type_name(key)}'")


def _counter(m: Machine, arguments: tuple[Value, ...]) -> Value:
    if len(arguments) > 1:
        raise Refuse("Counter expected at most 1 argument")
    result = Counted()
    if arguments and isinstance(arguments[0], dict):
        m.hold(100 * len(arguments[0]))
        result.update(arguments[0])
    elif arguments and arguments[0] is not None:
        for item in _iterable(m, arguments[0]):
            _need_hashable(m, item)
            result[item] = result.get(item, 0) + 1
    return result


def _set(m: Machine, arguments: tuple[Value, ...]) -> Value:
    if len(arguments) > 1:
        raise Refuse(f"set expected at most 1 argument, got {len(arguments)}")
    items = _iterable(m, arguments[0]) if arguments else []
    for item in items:
        _need_hashable(m, item)
    m.memory += 216 + 60 * len(items)
    return set(items)


def _complex(m: Machine, arguments: tuple[Value, ...]) -> Value:
    if len(arguments) > 2 or not all(isinstance(part, (int, float, complex, str)) for part in arguments):
        raise Refuse("complex() takes numbers")
    return complex(*arguments)


def _encode(m: Machine, arguments: tuple[Value, ...]) -> Value:
    """`_codecs.encode(text, encoding)`: how protocol 2 writes bytes. Only a closed set of codecs is simulated."""
    if not 1 <= len(arguments) <= 3:
        raise Refuse("encode expected 1 to 3 arguments")
    text, encoding = arguments[0], arguments[1] if len(arguments) > 1 else "utf-8"
    if isinstance(text, LongText):
        return LongText("bytes", text.length)
    if not isinstance(encoding, str):
        raise Refuse("encode() argument 'encoding' must be str")
    codec = _CODECS.get(encoding.lower().replace("_", "-"))
    if codec is None and not _is_codec(encoding):
        raise Refuse(f"unknown encoding: {encoding}"[:80])
    if codec is None or len(arguments) == 3:
        m.doubt(f"it encodes with {encoding!r}"[:80])
        return LongText("bytes", 0)
    if not isinstance(text, str):
        raise Refuse(f"{codec} encoder: argument must be str, not {type_name(text)}")
    m.hold(4 * len(text))
    data = text.encode(codec)
    m.memory += len(data) - 4 * len(text)
    return data


def _is_codec(encoding: str) -> bool:
    """Whether Python has a codec of that name; the name is looked up in a table, never imported."""
    if len(encoding) > 60:
        return False
    name = "".join(letter if letter.isalnum() or letter == "." else "_" for letter in encoding.lower())
    return name in aliases or name in aliases.values() or name in _MORE_CODECS


def _bytearray(m: Machine, arguments: tuple[Value, ...]) -> Value:
    if not arguments:
        return bytearray()
    source = arguments[0]
    if isinstance(source, LongText):
        return source
    if isinstance(source, str):
        return bytearray(_encode(m, arguments)) if len(arguments) > 1 else _no_encoding()
    if len(arguments) > 1:
        raise Refuse("encoding without a string argument")
    if isinstance(source, int):
        return _sized_bytearray(m, source)
    if isinstance(source, (bytes, bytearray)):
        m.hold(len(source))
        return bytearray(source)
    if isinstance(source, (list, tuple, set)) and all(type(item) is int for item in source):
        return bytearray(source)
    raise Refuse(f"cannot convert '{type_name(source)}' object to bytearray")


def _no_encoding() -> Value:
    raise Refuse("string argument without an encoding")


def _sized_bytearray(m: Machine, size: int) -> Value:
    if size < 0:
        raise Refuse("negative count")
    if size > 1 << 30:
        m.alarm(f"it makes a bytearray of {size >> 30} GB")
    return LongText("bytearray", size)


def _size(m: Machine, arguments: tuple[Value, ...]) -> Value:
    if len(arguments) > 1:
        raise Refuse("torch.Size() takes an iterable of 'int'")
    items = _iterable(m, arguments[0]) if arguments else []
    for index, item in enumerate(items):
        if not isinstance(item, int):
            raise Refuse(f"torch.Size() takes an iterable of 'int' (item {index} is '{type_name(item)}')")
    return Shape(items)


def _device(m: Machine, arguments: tuple[Value, ...]) -> Value:
    if not arguments or len(arguments) > 2:
        raise Refuse("device() received an invalid combination of arguments")
    if isinstance(arguments[0], Device) and len(arguments) == 1:
        return arguments[0]
    text, index = arguments[0], arguments[1] if len(arguments) == 2 else None
    if type(text) is int and len(arguments) == 1:
        m.doubt("it names a device by number")
        return Device(f"device {text}")
    if not isinstance(text, str) or (index is not None and type(index) is not int):
        raise Refuse("device() received an invalid combination of arguments")
    base, colon, number = text.partition(":")
    if base not in _DEVICES:
        raise Refuse(f"Expected one of {', '.join(_DEVICES)} device type at start of device string: {text}")
    if colon and (not (number.isascii() and number.isdigit()) or (len(number) > 1 and number[0] == "0")):
        raise Refuse(f"Invalid device string: '{text}'")
    if colon and index is not None:
        raise Refuse("type (string) must not include an index because index was passed explicitly")
    value = int(number[:19]) if colon else index
    if value is not None and not 0 <= value < 1 << 63:
        raise Refuse("Device index must not be negative")
    wrapped = None if value is None else (value + 128) % 256 - 128
    return Device(base if wrapped in (None, -1) else f"{base}:{wrapped}")


def _layout(m: Machine, arguments: tuple[Value, ...]) -> Value:
    if len(arguments) != 1:
        raise Refuse("_get_layout() takes 1 positional argument")
    name = arguments[0]
    if not isinstance(name, str) or name.removeprefix("torch.") not in _LAYOUTS or not name.startswith("torch."):
        raise Refuse(f"KeyError: {name!r}"[:120])
    return Layout(name.removeprefix("torch."))


Call = Callable[[Machine, tuple[Value, ...]], Value]
_CALLS: dict[str, Call] = {
    "collections.OrderedDict": _ordered,
    "collections.Counter": _counter,
    "builtins.set": _set,
    "builtins.complex": _complex,
    "builtins.bytearray": _bytearray,
    "_codecs.encode": _encode,
    "torch.Size": _size,
    "torch.device": _device,
    "torch.serialization._get_layout": _layout,
    _PARAMETER: lambda m, arguments: make_parameter(m, *_parameter_arguments(arguments)),
}
