"""torch's `_rebuild_*` functions over descriptions of tensors: the checks that they make, and what they give.

The order of the checks, and the arithmetic of `set_`, are those of torch 2.13.
"""

from __future__ import annotations

from collections.abc import Callable

from ckpt_lint.artifact.limits import LimitReached
from ckpt_lint.artifact.machine import Machine, Refuse
from ckpt_lint.artifact.values import Called, Device, Global, Shape, Storage, Tensor, Value, type_name

_FLOATING = ("float", "bfloat", "complex")
_MOST_DIMENSIONS = 1000
_INT64 = 1 << 63
_UINT64 = 1 << 64
# Elements that share a byte; rows are padded, so that this is a lower bound.
PACKED = {"quint4x2": 2, "quint2x4": 4}


def item_size(m: Machine, dtype: str) -> int:
    """Bytes of one element."""
    return m.table.item_sizes.get(dtype, 1)


def dtype_name(m: Machine, value: Value) -> str:
    """The dtype that a global names. Raises Refuse where it names none."""
    if isinstance(value, Global) and m.table.globals.get(value.path) == "dtype":
        return value.name
    raise Refuse(f"dtype must be torch.dtype, not {type_name(value)}")


def can_require_grad(dtype: str) -> bool:
    return dtype.startswith(_FLOATING)


def int_list(value: Value, what: str) -> tuple[int, ...]:
    """A size or a stride as torch takes it: a list, a tuple or a torch.Size of ints."""
    if not isinstance(value, (list, tuple)):
        raise Refuse(f"set_() received an invalid combination of arguments ({what} is a {type_name(value)})")
    if len(value) > _MOST_DIMENSIONS:
        raise LimitReached(f"a tensor of more than {_MOST_DIMENSIONS:,} dimensions")
    for item in value:
        if type(item) is not int:
            raise Refuse(f"set_() received an invalid combination of arguments ({what} holds a {type_name(item)})")
        if not -_INT64 <= item < _INT64:
            raise Refuse(f"set_(): argument '{what}' failed to unpack: Overflow when unpacking long long")
    return tuple(value)


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a contiguous tensor."""
    strides: list[int] = []
    step = 1
    for length in reversed(shape):
        strides.append(step)
        step *= max(length, 1)
    return tuple(reversed(strides))


def element_count(shape: tuple[int, ...]) -> int:
    """The number of elements. Raises Refuse where torch's 64 bits overflow."""
    if 0 in shape:
        return 0
    product = 1
    for length in shape:
        product *= length % _UINT64
        if product >= _INT64:
            raise Refuse("numel: integer multiplication overflow")
    return product


def placed(
    m: Machine, storage: Storage, dtype: str, offset: Value, size: Value, stride: Value
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """`torch.empty(0).set_(storage, offset, size, stride)`: shape and stride, or Refuse."""
    if type(offset) is not int:
        raise Refuse(f"set_() received an invalid combination of arguments (offset is a {type_name(offset)})")
    shape, strides = int_list(size, "size"), int_list(stride, "stride")
    if not -_INT64 <= offset < _INT64:
        raise Refuse("Overflow when unpacking long long")
    if len(strides) != len(shape):
        if strides:
            raise Refuse(f"unequal size length ({len(shape)}) and stride length ({len(strides)})")
        strides = contiguous(shape)
    if offset < 0:
        raise Refuse(f"Tensor: invalid storage offset {offset}", "storage")
    if element_count(shape):
        needed = _bytes_needed(shape, strides, offset, item_size(m, dtype)) // PACKED.get(dtype, 1)
        if needed > storage.size and storage.resizable:
            storage.size = needed
        if needed > storage.size:
            raise Refuse("Trying to resize storage that is not resizable", "storage")
    return shape, _filled(shape, strides)


def _bytes_needed(shape: tuple[int, ...], strides: tuple[int, ...], offset: int, width: int) -> int:
    last = 1
    for length, step in zip(shape, strides):
        span = (step % _UINT64) * ((length - 1) % _UINT64)
        last += span
        if span >= _UINT64 or last >= _UINT64:
            raise Refuse(f"Storage size calculation overflowed with sizes={list(shape)} and strides={list(strides)}")
    total = (last + offset) * width
    if total >= _UINT64 or last + offset >= _UINT64:
        raise Refuse(f"Storage size calculation overflowed with sizes={list(shape)} and strides={list(strides)}")
    return total


def _filled(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """Negative strides are replaced by contiguous ones, from the last dimension on."""
    if not strides or min(strides) >= 0:
        return strides
    filled = list(strides)
    for index in range(len(shape) - 1, -1, -1):
        if filled[index] < 0:
            following = index + 1 < len(shape)
            filled[index] = filled[index + 1] * max(shape[index + 1], 1) if following else 1
    return tuple(filled)


def need_storage(value: Value) -> Storage:
    if not isinstance(value, Storage):
        raise Refuse(f"'{type_name(value)}' object has no attribute '_untyped_storage'")
    return value


def need_tensor(value: Value) -> Tensor:
    if not isinstance(value, Tensor):
        raise Refuse(f"expected a Tensor, got {type_name(value)}")
    return value


def need_bool(value: Value, dtype: str) -> bool:
    if type(value) is not bool:
        raise Refuse("requires_grad must be a bool")
    if value and not can_require_grad(dtype):
        raise Refuse("only Tensors of floating point and complex dtype can require gradients")
    return value


def check_count(arguments: tuple[Value, ...], least: int, most: int, name: str) -> None:
    if not least <= len(arguments) <= most:
        raise Refuse(f"{name}() takes {least} to {most} positional arguments but {len(arguments)} were given")


def _metadata(m: Machine, dtype: str, metadata: Value) -> None:
    if not metadata:
        return
    if not isinstance(metadata, dict):
        raise Refuse(f"expected dict, got {type_name(metadata)}")
    for key, value in metadata.items():
        if not isinstance(key, str) or type(value) is not bool:
            raise Refuse("the metadata of a tensor maps str to bool")
        if key == "conj" and not dtype.startswith("complex"):
            raise Refuse("_set_conj: only complex tensors have a conjugate view")


def rebuild_tensor(m: Machine, a: tuple[Value, ...]) -> Tensor:
    """`_rebuild_tensor(storage, offset, size, stride)`."""
    check_count(a, 4, 4, "_rebuild_tensor")
    storage = need_storage(a[0])
    shape, stride = placed(m, storage, storage.dtype, a[1], a[2], a[3])
    m.memory += 300 + 16 * len(shape)
    return Tensor(shape, storage.dtype, stride, a[1], storage, device=storage.location)


def rebuild_tensor_v2(m: Machine, a: tuple[Value, ...]) -> Tensor:
    """`_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata])`."""
    check_count(a, 6, 7, "_rebuild_tensor_v2")
    tensor = rebuild_tensor(m, a[:4])
    tensor.requires_grad = need_bool(a[4], tensor.dtype)
    if len(a) == 7:
        _metadata(m, tensor.dtype, a[6])
    return tensor


def rebuild_tensor_v3(m: Machine, a: tuple[Value, ...]) -> Tensor:
    """`_rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype[, metadata])`."""
    check_count(a, 7, 8, "_rebuild_tensor_v3")
    dtype = dtype_name(m, a[6])
    storage = need_storage(a[0])
    grad = need_bool(a[4], dtype)
    shape, stride = placed(m, storage, dtype, a[1], a[2], a[3])
    if len(a) == 8:
        _metadata(m, dtype, a[7])
    m.memory += 300 + 16 * len(shape)
    return Tensor(shape, dtype, stride, a[1], storage, device=storage.location, requires_grad=grad)


def make_parameter(m: Machine, data: Value, requires_grad: Value) -> Tensor:
    """`torch.nn.Parameter(data, requires_grad)`."""
    if data is None:
        data = Tensor((0,), "float32", (1,))
    tensor = need_tensor(data)
    if type(requires_grad) is not bool:
        raise Refuse(f"_make_subclass(): argument 'require_grad' must be bool, not {type_name(requires_grad)}")
    if requires_grad and not can_require_grad(tensor.dtype):
        raise Refuse("Only Tensors of floating point and complex dtype can require gradients")
    m.memory += 200
    return Tensor(
        tensor.shape, tensor.dtype, tensor.stride, tensor.offset, tensor.storage, tensor.layout, tensor.device,
        requires_grad, True, tensor.parts, None, tensor.subclass,
    )  # fmt: skip


def rebuild_parameter(m: Machine, a: tuple[Value, ...]) -> Tensor:
    """`_rebuild_parameter(data, requires_grad, hooks)`."""
    check_count(a, 3, 3, "_rebuild_parameter")
    return make_parameter(m, a[0], a[1])


def rebuild_parameter_with_state(m: Machine, a: tuple[Value, ...]) -> Tensor:
    """`_rebuild_parameter_with_state(data, requires_grad, hooks, state)`."""
    check_count(a, 4, 4, "_rebuild_parameter_with_state")
    parameter = make_parameter(m, a[0], a[1])
    set_state(m, parameter, a[3])
    return parameter


def set_state(m: Machine, tensor: Tensor, state: Value) -> None:
    """`_set_obj_state`: attributes by setattr."""
    parts: tuple[Value, ...] = (state, None)
    if isinstance(state, tuple):
        if len(state) != 2:
            raise Refuse("Invalid serialized state")
        parts = state
    attributes: dict[Value, Value] = {}
    m.memory += 100 * sum(len(part) for part in parts if isinstance(part, dict))
    for part in parts:
        if not part:
            continue
        if not isinstance(part, dict):
            raise Refuse(f"'{type_name(part)}' object has no attribute 'items'")
        attributes.update(part)
    if not all(isinstance(key, str) for key in attributes):
        raise Refuse("attribute name must be string")
    if any(key in _SPECIAL for key in attributes):
        m.doubt("it sets an attribute that tensors treat in their own way")
    tensor.attributes = attributes


_SPECIAL = frozenset(
    [
        "shape",
        "dtype",
        "device",
        "grad",
        "data",
        "requires_grad",
        "_backward_hooks",
        "layout",
        "is_leaf",
        "grad_fn",
        "_grad",
        "names",
        "T",
        "H",
        "mT",
        "mH",
        "real",
        "imag",
        "ndim",
        "itemsize",
        "nbytes",
        "is_cuda",
        "is_meta",
        "is_sparse",
        "output_nr",
        "_version",
        "_base",
        "_cdata",
        "__class__",
        "__dict__",
    ]
)


def rebuild_meta(m: Machine, a: tuple[Value, ...]) -> Tensor:
    """`_rebuild_meta_tensor_no_storage(dtype, size, stride, requires_grad)`."""
    check_count(a, 4, 4, "_rebuild_meta_tensor_no_storage")
    dtype = dtype_name(m, a[0])
    shape, stride = int_list(a[1], "size"), int_list(a[2], "stride")
    if len(shape) != len(stride) or any(length < 0 for length in (*shape, *stride)):
        raise Refuse("empty_strided: sizes and strides do not fit")
    grad = need_bool(a[3], dtype)
    m.charge(len(shape))
    m.memory += 300 + 16 * len(shape)
    return Tensor(shape, dtype, stride, device="meta", requires_grad=grad)


def rebuild_from_cpu(m: Machine, a: tuple[Value, ...]) -> Tensor:
    """`_rebuild_device_tensor_from_cpu_tensor(data, dtype, device, requires_grad)`."""
    check_count(a, 4, 4, "_rebuild_device_tensor_from_cpu_tensor")
    data, dtype = need_tensor(a[0]), dtype_name(m, a[1])
    device = a[2].text if isinstance(a[2], Device) else str(a[2])[:40]
    grad = need_bool(a[3], dtype)
    return Tensor(data.shape, dtype, data.stride, data.offset, data.storage, device=device, requires_grad=grad)


def plain_tensor(m: Machine, path: str, a: tuple[Value, ...]) -> Value:
    """`torch.FloatTensor(...)` and its kin: only the empty one and sizes are followed."""
    dtype = _TENSOR_DTYPES.get(path.rsplit(".", 1)[-1], "float32")
    if ".sparse." in path or ".cuda." in path or not all(type(item) is int and item >= 0 for item in a):
        m.doubt(f"it calls {path}")
        return Called(Global("torch", path.removeprefix("torch.")), a, "REDUCE", m.at)
    if len(a) > _MOST_DIMENSIONS:
        raise LimitReached(f"a tensor of more than {_MOST_DIMENSIONS:,} dimensions")
    shape = Shape(a) if a else Shape((0,))
    if element_count(shape) * item_size(m, dtype) > 1 << 30:
        m.alarm(f"it makes a {path} of {element_count(shape)} elements")
    return Tensor(tuple(shape), dtype, contiguous(shape))


_TENSOR_DTYPES = {
    "DoubleTensor": "float64", "HalfTensor": "float16", "BFloat16Tensor": "bfloat16", "ByteTensor": "uint8",
    "CharTensor": "int8", "ShortTensor": "int16", "IntTensor": "int32", "LongTensor": "int64", "BoolTensor": "bool",
}  # fmt: skip
Rebuild = Callable[[Machine, tuple[Value, ...]], Value]
REBUILDERS: dict[str, Rebuild] = {
    "torch._utils._rebuild_tensor": rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": rebuild_tensor_v2,
    "torch._utils._rebuild_tensor_v3": rebuild_tensor_v3,
    "torch._utils._rebuild_parameter": rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": rebuild_parameter_with_state,
    "torch._utils._rebuild_meta_tensor_no_storage": rebuild_meta,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": rebuild_from_cpu,
}
