"""Persistent ids of torch files: how a zip and a legacy file find the bytes of a storage."""

from __future__ import annotations

import copy

from ckpt_lint.artifact.machine import Machine, Refuse
from ckpt_lint.artifact.op_containers import usable_key
from ckpt_lint.artifact.rebuild import item_size
from ckpt_lint.artifact.values import Global, Storage, Tensor, Value, type_name
from ckpt_lint.artifact.zipdir import Member

_HUGE = 1 << 46


def storage_dtype(m: Machine, value: Value) -> str:
    """The dtype of a storage type (a tensor has one as well). Raises Refuse for what has none."""
    if isinstance(value, Tensor):
        return value.dtype
    if isinstance(value, Global):
        kind = m.table.globals.get(value.path, "")
        if kind.startswith("storage:"):
            return kind.removeprefix("storage:")
        if value.path == "torch.storage.UntypedStorage":
            return "uint8"
    raise Refuse(f"'{type_name(value)}' object has no attribute 'dtype'")


def decoded(value: Value) -> Value:
    """`_maybe_decode_ascii`. Raises UnicodeDecodeError, a ValueError."""
    return value.decode("ascii") if isinstance(value, bytes) else value


def _fields(identifier: Value, count: int) -> tuple[Value, ...]:
    if not isinstance(identifier, tuple):
        raise Refuse(f"saved_id must be a tuple, got {type_name(identifier)}")
    if not identifier:
        raise Refuse("tuple index out of range")
    if len(identifier) != count + 1:
        raise Refuse(f"not the number of values to unpack (expected {count}, got {len(identifier) - 1})")
    return identifier[1:]


def _key_text(key: Value) -> str:
    """What an f-string makes of a key; only text and numbers are spelled out."""
    if isinstance(key, (str, int, float)) and not (isinstance(key, int) and key.bit_length() > 128):
        return str(key)
    return f"<{type_name(key)}>"


class ZipStorages:
    """Storages of a torch zip: records `data/<key>` under the archive's root."""

    def __init__(self, root: str, members: list[Member]) -> None:
        prefix = f"{root}/data/".lower()
        self._records = {member.folded[len(prefix) :]: member for member in members if member.folded.startswith(prefix)}
        self._clear()

    def fresh(self) -> ZipStorages:
        """The same records for another pickle."""
        other = copy.copy(self)
        other._clear()
        return other

    def _clear(self) -> None:
        self.found: dict[Value, Storage] = {}
        self.used: set[str] = set()
        self.all: list[Storage] = []

    def __call__(self, m: Machine, identifier: Value) -> Value:
        kind, key, location, count = _fields(identifier, 4)
        dtype = storage_dtype(m, kind)
        if type(key) is not str and not usable_key(m, key):
            raise Refuse(f"unhashable type: '{type_name(key)}'")
        known = self.found.get(key)
        if known is not None:
            return known
        if not isinstance(count, int):
            raise Refuse("get_storage_from_record(): incompatible function arguments")
        where = decoded(location)
        size = count * item_size(m, dtype)
        text = _key_text(key)
        record = self._records.get(text.lower())
        location_text = where if isinstance(where, str) else f"<{type_name(where)}>"
        name = record.name if record else None
        storage = Storage(text, dtype, size, location_text, member=name)
        self._check(m, storage, record)
        self.used.add(text.lower())
        if size > 0:
            self.found[key] = storage
        self.all.append(storage)
        return storage

    def _check(self, m: Machine, storage: Storage, record: Member | None) -> None:
        """A record that is missing or of another size: torch stops; the picture of the file goes on."""
        if record is None:
            m.refuse(f"PytorchStreamReader failed locating file data/{storage.key}: file not found", "storage")
        elif record.size != storage.size:
            m.refuse(
                f"record size ({record.size} bytes) does not match expected size ({storage.size} bytes) "
                f"for dtype {storage.dtype}",
                "storage",
            )

    def unused(self) -> list[Member]:
        """Records that no storage refers to."""
        return [member for key, member in self._records.items() if key not in self.used]


class LegacyStorages:
    """Storages of a legacy file: their bytes follow the pickles, in the order of the last one."""

    def __init__(self) -> None:
        self.found: dict[Value, Storage] = {}
        self.views: dict[Value, Storage] = {}
        self.all: list[Storage] = []

    def __call__(self, m: Machine, identifier: Value) -> Value:
        if isinstance(identifier, tuple) and identifier and decoded(identifier[0]) == "module":
            return identifier[1] if len(identifier) > 1 else None
        kind, key, location, count, view = _fields(identifier, 5)
        where = decoded(location)
        if isinstance(kind, Global) and kind.path == "torch.storage.UntypedStorage":
            raise Refuse("type object 'torch.storage.UntypedStorage' has no attribute 'dtype'")
        dtype = storage_dtype(m, kind)
        if not isinstance(count, int) or not usable_key(m, key):
            raise Refuse("a storage without a length or a key")
        size = count * item_size(m, dtype)
        if size < 0 or size > _HUGE:
            raise Refuse(f"UntypedStorage of {size} bytes cannot be made", "storage")
        if key not in self.found:
            text = where if isinstance(where, str) else f"<{type_name(where)}>"
            self.found[key] = Storage(_key_text(key), dtype, size, text, resizable=True)
            self.all.append(self.found[key])
        return self.found[key] if view is None else self._view(m, self.found[key], view, dtype)

    def _view(self, m: Machine, root: Storage, view: Value, dtype: str) -> Value:
        if not isinstance(view, (tuple, list)) or len(view) != 3:
            raise Refuse("not enough values to unpack (expected 3)")
        key, offset, length = view
        if type(offset) is not int or type(length) is not int or not usable_key(m, key):
            raise Refuse("slice indices must be integers")
        if key not in self.views:
            width = item_size(m, dtype)
            start, end = offset * width, (offset + length) * width
            if not 0 <= start <= end <= root.size:
                m.doubt("it takes a view outside of its storage")
            self.views[key] = Storage(root.key, dtype, max(0, end - start), root.location, root=root.key)
        return self.views[key]
