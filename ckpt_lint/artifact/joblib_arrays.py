"""joblib's files: pickles in which the raw bytes of an array follow the BUILD of its wrapper."""

from __future__ import annotations

from ckpt_lint.artifact.limits import LimitReached
from ckpt_lint.artifact.machine import Broken, Machine
from ckpt_lint.artifact.trust import UNREAD_CALL
from ckpt_lint.artifact.values import Called, Global, Value

WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
_UNICODE_WIDTH = 4


def skip_array(m: Machine, wrapper: Called, state: Value) -> None:
    """Skip the bytes of the array that `state` describes. Raises LimitReached for arrays of objects: pickles again."""
    if not isinstance(state, dict):
        raise Broken("an array of joblib without its description")
    size = _item_size(state.get("dtype"))
    shape = state.get("shape")
    if size is None or not isinstance(shape, tuple) or not all(type(item) is int and item >= 0 for item in shape):
        if isinstance(wrapper.callee, Global):
            m.use(wrapper.callee, UNREAD_CALL)
        raise LimitReached("an array of objects, which joblib unpickles on its own")
    if isinstance(state.get("numpy_array_alignment_bytes"), int):
        m.cursor.skip(m.cursor.take(1)[0])
    for length in shape:
        size *= length
    m.cursor.skip(size)


def _item_size(dtype: Value) -> int | None:
    """Bytes of one element of a pickled numpy.dtype such as `f8`, `i4`, `U5`; None for objects and what is no dtype."""
    if not isinstance(dtype, Called) or not isinstance(dtype.arguments, tuple) or not dtype.arguments:
        return None
    text = dtype.arguments[0]
    if not isinstance(text, str) or not text[1:].isdecimal() or text[0] not in "biufcSUVmM":
        return None
    return int(text[1:9]) * (_UNICODE_WIDTH if text[0] == "U" else 1)
