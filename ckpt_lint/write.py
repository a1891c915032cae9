"""Put new bytes in the place of a file, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile

from ckpt_lint.model import Problem, Status

_PREFIX = ".ckpt-lint-"


def write_atomic(path: str, data: bytes, *, expected: bytes) -> Problem | None:
    """Replace the contents of `path` by `data`, unless it holds other bytes than `expected` by now.

    A temporary file in the same folder is filled, flushed to the disk and renamed over the file, so that a crash at
    any moment leaves the old file or the new one. Mode and, where allowed, owner are kept; a symbolic link stays one,
    and its target is replaced; another hard link keeps the old text. A file without write permission is refused. The
    Problem says why nothing was written.
    """
    target = os.path.realpath(path)
    try:
        return _replace(target, data, expected)
    except OSError as error:
        return _not_fixed(f"could not be written: {error.strerror or error}")


def create_atomic(path: str, data: bytes) -> None:
    """Make `path` a file that holds `data`, in the place of the one that is there. Raises OSError.

    The bytes are flushed to a new file in the same folder, which is then renamed: a crash leaves the old file, or the
    new one. A symbolic link stays one. The mode is that of any new file.
    """
    target = os.path.realpath(path)
    temporary = os.path.join(os.path.dirname(target), f"{_PREFIX}{secrets.token_hex(8)}.tmp")
    handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        os.replace(temporary, target)
    except OSError:
        os.unlink(temporary)
        raise
    _flush_folder(os.path.dirname(target))


def write_output(path: str, text: str) -> None:
    """Write a report: whole or not at all, into a pipe or a device as it comes. Raises OSError."""
    data = text.encode("utf-8", "backslashreplace")
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as stream:
            stream.write(data)
    else:
        create_atomic(path, data)


def _not_fixed(message: str) -> Problem:
    return Problem(Status.NOT_FIXED, message)


def _replace(target: str, data: bytes, expected: bytes) -> Problem | None:
    before = os.stat(target)
    if not stat.S_ISREG(before.st_mode):
        return _not_fixed("could not be written: not a regular file")
    if not before.st_mode & 0o222 or not os.access(target, os.W_OK):
        return _not_fixed("could not be written: the file is read-only")
    folder = os.path.dirname(target)
    handle, temporary = _open_temporary(folder)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            _copy_attributes(before, handle, temporary)
            os.fsync(handle)
            if not _holds(target, expected):
                return _not_fixed("changed on disk while it was being fixed; nothing was written")
            temporary = temporary or _give_name(handle, folder)
        os.replace(temporary, target)
        temporary = None
    finally:
        if temporary is not None:
            os.unlink(temporary)
    _flush_folder(folder)
    return None


def _open_temporary(folder: str) -> tuple[int, str | None]:
    """A new file in `folder`; without a name where the system can (Linux), so that nothing is left if we are killed."""
    if hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            return os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600), None
    return tempfile.mkstemp(prefix=_PREFIX, suffix=".tmp", dir=folder)


def _give_name(handle: int, folder: str) -> str:
    """The path of a nameless file, which has one from now on; the rename follows at once."""
    name = f"{_PREFIX}{secrets.token_hex(8)}.tmp"
    place = os.open(folder, os.O_RDONLY)
    try:
        # Only with a folder's handle does the link follow /proc's entry to the file itself.
        os.link(f"/proc/self/fd/{handle}", name, dst_dir_fd=place, follow_symlinks=True)
    finally:
        os.close(place)
    return os.path.join(folder, name)


def _copy_attributes(before: os.stat_result, handle: int, temporary: str | None) -> None:
    """Owner and mode, where the system lets us; a group that we may not give takes no special bits with it."""
    mode = stat.S_IMODE(before.st_mode)
    if temporary is not None and not hasattr(os, "fchmod"):
        os.chmod(temporary, mode)
        return
    try:
        os.fchown(handle, before.st_uid, before.st_gid)
    except PermissionError:
        mode &= 0o777
    os.fchmod(handle, mode)


def _holds(path: str, expected: bytes) -> bool:
    with open(path, "rb") as file:
        return file.read(len(expected) + 1) == expected


def _flush_folder(folder: str) -> None:
    """Make the rename itself last; some systems and file systems have no way to."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
