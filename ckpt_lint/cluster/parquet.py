"""The rows of a run as a Parquet file, a batch at a time. pyarrow is imported only here (`ckpt-lint[parquet]`)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from ckpt_lint.cluster.journal import Tally
from ckpt_lint.config import ConfigError

BATCH = 20_000
"""Rows that are in memory at once."""

_TEXT = (
    "kind", "filename", "outcome", "code", "name", "severity", "message", "fix_applicability", "fix_message", "fix_withheld",
    "member", "key", "digest",
)  # fmt: skip
_NUMBERS = (
    "row", "column", "end_row", "end_column", "cell", "noqa_row", "offset", "findings", "suppressed", "size", "mtime_ns",
)  # fmt: skip
_JSON = ("fix_edits", "related", "problems", "notes")
"""Columns that hold JSON: what has no fixed shape."""


def check_installed() -> None:
    """Raise ConfigError where pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise ConfigError('--output-format parquet needs pyarrow: pip install "ckpt-lint[parquet]"') from None


def convert(rows: str, path: str) -> None:
    """Make `path` the Parquet file of the rows in the file `rows`, in their order, whole or not at all. Raises OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    temporary = f"{path}.{os.getpid()}.tmp"
    with open(rows, encoding="utf-8") as lines:
        about = json.loads(next(lines))
        told = {f"ckpt_lint.{key}": str(value) for key, value in about.items()}
        schema = pa.schema(_fields(pa), metadata=told)
        try:
            with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
                for batch in _batches(lines):
                    writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            os.replace(temporary, path)
        except OSError:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise


def _fields(pa: Any) -> list[Any]:
    strings = [pa.field(name, pa.string()) for name in (*_TEXT, *_JSON)]
    return [*strings, *(pa.field(name, pa.int64()) for name in _NUMBERS), pa.field("checkpoint", pa.bool_())]


def _batches(lines: Iterator[str]) -> Iterator[list[dict[str, Any]]]:
    while batch := [flat(json.loads(line)) for line in islice(lines, BATCH)]:
        yield batch


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row in columns: what has parts is spread, and what has no fixed shape is JSON."""
    fix, inside = row.get("fix") or {}, row.get("artifact") or {}
    start, end = row.get("location") or {}, row.get("end_location") or {}
    nested = {"fix_edits": fix.get("edits"), **{name: row.get(name) for name in ("related", "problems", "notes")}}
    spread = {
        "fix_applicability": fix.get("applicability"), "fix_message": fix.get("message"), "member": inside.get("member"),
        "key": inside.get("key"), "offset": inside.get("offset"), "row": start.get("row"), "column": start.get("column"),
        "end_row": end.get("row"), "end_column": end.get("column"),
    }  # fmt: skip
    plain = {name: row.get(name) for name in (*_TEXT, *_NUMBERS, "checkpoint")}
    return {**plain, **spread, **{name: json.dumps(value) if value else None for name, value in nested.items()}}


def count(path: str, tally: Tally) -> None:
    """Count the rows of a finished file. Raises ConfigError where it is no such file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH, columns=["kind", "filename", "outcome", "severity"]):
                for row in batch.to_pylist():
                    tally.take(row)
    except (pa.ArrowException, KeyError, OSError) as error:
        raise ConfigError(f"{path}: holds no rows of a run: {' '.join(str(error).split())[:200]}") from None
