"""Rebuilding tensors that are not strided: sparse, quantized, nested. The checks are those of torch 2.13."""

from __future__ import annotations

from ckpt_lint.artifact.machine import Machine, Refuse
from ckpt_lint.artifact.rebuild import (
    REBUILDERS,
    Rebuild,
    check_count,
    element_count,
    int_list,
    need_bool,
    need_storage,
    need_tensor,
    placed,
    set_state,
)
from ckpt_lint.artifact.values import Called, Global, Layout, Tensor, Value, type_name


def _is_layout(value: Value, *names: str) -> bool:
    return isinstance(value, Layout) and value.text in names


def rebuild_sparse(m: Machine, a: tuple[Value, ...]) -> Tensor:
    """`_rebuild_sparse_tensor(layout, data)`, for COO and the four compressed layouts."""
    check_count(a, 2, 2, "_rebuild_sparse_tensor")
    layout, data = a
    if not isinstance(data, (tuple, list)):
        raise Refuse(f"object of type '{type_name(data)}' has no len()")
    if _is_layout(layout, "sparse_coo"):
        if len(data) not in (3, 4):
            raise Refuse("not enough values to unpack")
        return _coo(m, data[0], data[1], data[2])
    if not _is_layout(layout, "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc"):
        raise Refuse(f"rebuilding sparse tensor for layout {getattr(layout, 'text', layout)!r}"[:120])
    if len(data) != 4:
        raise Refuse("not enough values to unpack (expected 4)")
    tensors = tuple(need_tensor(part) for part in data[:3])
    shape = int_list(data[3], "size")
    values = tensors[2]
    return Tensor(shape, values.dtype, (), 0, values.storage, layout.text, values.device, parts=tensors)


def _coo(m: Machine, indices: Value, values: Value, size: Value) -> Tensor:
    where, what = need_tensor(indices), need_tensor(values)
    shape = int_list(size, "size")
    if len(where.shape) != 2 or len(shape) != where.shape[0] + len(what.shape) - 1:
        raise Refuse("number of dimensions must be sparse_dim + dense_dim")
    if where.dtype != "int64" or not what.shape or what.shape[0] != where.shape[1]:
        raise Refuse("indices and values must have same nnz")
    return Tensor(shape, what.dtype, (), 0, what.storage, "sparse_coo", what.device, parts=(where, what))


def rebuild_quantized(m: Machine, a: tuple[Value, ...]) -> Tensor:
    """`_rebuild_qtensor(storage, offset, size, stride, quantizer_params, requires_grad, hooks)`."""
    check_count(a, 7, 7, "_rebuild_qtensor")
    storage, parameters = need_storage(a[0]), a[4]
    if not isinstance(parameters, (tuple, list)) or not parameters or not isinstance(parameters[0], Global):
        raise Refuse("Can't deserialize quantized tensor")
    scheme = parameters[0].path
    if not storage.dtype.startswith(("qint", "quint")):
        raise Refuse("Creation of quantized tensor requires quantized dtype")
    if scheme == "torch.per_tensor_affine":
        if len(parameters) != 3 or not _number(parameters[1]) or type(parameters[2]) is not int:
            raise Refuse("_empty_affine_quantized() received an invalid combination of arguments")
    elif scheme in ("torch.per_channel_affine", "torch.per_channel_affine_float_qparams"):
        _channels(parameters, a[2])
    else:
        raise Refuse(f"Can't deserialize quantized tensor with qscheme {scheme}")
    shape, stride = placed(m, storage, storage.dtype, a[1], a[2], a[3])
    grad = need_bool(a[5], storage.dtype)
    return Tensor(shape, storage.dtype, stride, a[1], storage, "quantized", storage.location, requires_grad=grad)


def _number(value: Value) -> bool:
    return isinstance(value, (int, float)) and type(value) is not bool


def _channels(parameters: Value, size: Value) -> None:
    if len(parameters) != 4 or type(parameters[3]) is not int:
        raise Refuse("_rebuild_qtensor: a per-channel quantizer has scales, zero points and an axis")
    shape = int_list(size, "size")
    axis = parameters[3]
    if not 0 <= axis < len(shape):
        raise Refuse(f"_rebuild_qtensor: per_channel axis {axis} out of range for size {shape}")
    for part in parameters[1:3]:
        length = len(part) if isinstance(part, list) else element_count(need_tensor(part).shape)
        if length != shape[axis]:
            raise Refuse("_rebuild_qtensor: per_channel scales/zero_points length must equal the size of the axis")


def rebuild_nested(m: Machine, a: tuple[Value, ...]) -> Tensor:
    """`_rebuild_nested_tensor(buffer, sizes, strides, offsets)`."""
    check_count(a, 4, 4, "_rebuild_nested_tensor")
    parts = tuple(need_tensor(part) for part in a)
    buffer, sizes = parts[0], parts[1]
    if sizes.storage is not None and sizes.storage.resizable:
        m.doubt("torch reads the sizes of a nested tensor of the legacy format before it has loaded them")
    if len(sizes.shape) != 2 or any(part.dtype != "int64" for part in parts[1:]):
        raise Refuse("_nested_view_from_buffer: sizes, strides and offsets must be int64")
    return Tensor(sizes.shape, buffer.dtype, (), 0, buffer.storage, "nested", buffer.device, parts=parts)


def rebuild_from_type(m: Machine, a: tuple[Value, ...]) -> Value:
    """`_rebuild_from_type_v2(func, type, args, state)`: calls `func(*args)`, whatever func is."""
    check_count(a, 4, 4, "_rebuild_from_type_v2")
    function, kind, arguments, state = a
    if isinstance(function, Global):
        m.use(function, "REDUCE")
    if isinstance(kind, Global):
        m.use(kind, "NEWOBJ")
    path = function.path if isinstance(function, Global) else ""
    if path not in ALL or not isinstance(arguments, tuple):
        m.doubt(f"it rebuilds a tensor by {path or type_name(function)}")
        return Called(function, arguments, "REDUCE", m.at)
    result = ALL[path](m, arguments)
    if not isinstance(result, Tensor):
        return result
    name = kind.path if isinstance(kind, Global) else ""
    if name == "torch.nn.parameter.Parameter":
        result.parameter = True
    elif name != "torch.Tensor":
        result.subclass = name or type_name(kind)
        if not name or name not in m.accept:
            raise Refuse(f"as_subclass(): argument 'cls' must be a subclass of Tensor, not {result.subclass}")
    set_state(m, result, state)
    return result


ALL: dict[str, Rebuild] = {
    **REBUILDERS,
    "torch._tensor._rebuild_from_type_v2": rebuild_from_type,
    "torch._utils._rebuild_sparse_tensor": rebuild_sparse,
    "torch._utils._rebuild_qtensor": rebuild_quantized,
    "torch._utils._rebuild_nested_tensor": rebuild_nested,
}
