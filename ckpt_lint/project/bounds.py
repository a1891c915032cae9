"""Which torch a file may meet: RULES.md, "The project declares torch"."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from packaging.version import Version

from ckpt_lint.project.manifests import FolderTorch, read_cells, read_folder, read_text, united
from ckpt_lint.project.pyproject import read_script_block
from ckpt_lint.project.root import RootCache, ancestors, bounds_limit
from ckpt_lint.project.torch_requirement import Reader, Sink, Unreadable
from ckpt_lint.project.versions import VersionRange, conda_range, pip_range

# weights_only exists from 1.13 (1.12.1 has none) and is the default of torch.load from 2.6: TORCH_FACTS.md, 1.
WEIGHTS_ONLY_SINCE = "1.13"
SAFE_DEFAULT_SINCE = "2.6"
_FLOOR = Version(WEIGHTS_ONLY_SINCE)
_MOST_SOURCES = 4


@dataclass(frozen=True, slots=True)
class TorchBounds:
    """The versions of torch that a file may meet.

    `declared` says that some manifest bounds torch and that they agree; else `lower` is 1.13, or where manifests
    contradict each other the widest bounds that any of them gives. An upper bound alone leaves the lower one at 1.13,
    where that lies below it. `unreadable` are manifests that may say more: a rule that needs to know stays silent
    where `default_is_unknown`. `source` quotes the lines that say it, for messages.
    """

    lower: Version | None = _FLOOR
    upper: Version | None = None
    lower_excluded: bool = False
    upper_included: bool = False
    declared: bool = False
    named: bool = False
    conflict: bool = False
    source: str = ""
    unreadable: tuple[Unreadable, ...] = ()

    @property
    def range(self) -> VersionRange:
        """The bounds as a range."""
        return VersionRange(self.lower, self.upper, self.lower_excluded, self.upper_included)

    def admits(self, version: str) -> bool:
        """Whether `version` is an allowed torch."""
        return self.range.admits(Version(version))

    def admits_below(self, version: str) -> bool:
        """Whether some allowed torch is older than `version`."""
        return self.lower is None or self.lower < Version(version)

    def admits_at_least(self, version: str) -> bool:
        """Whether some allowed torch is `version` or newer."""
        wanted = Version(version)
        return self.upper is None or self.upper > wanted or (self.upper == wanted and self.upper_included)

    @property
    def default_is_safe(self) -> bool:
        """Whether `torch.load` has `weights_only=True` by default in every declared torch (2.6 and newer)."""
        return self.declared and not self.admits_below(SAFE_DEFAULT_SINCE)

    @property
    def default_is_unknown(self) -> bool:
        """Whether a manifest that cannot be read may make the default safe: no finding may rest on it."""
        return bool(self.unreadable) and not self.default_is_safe and self.admits_at_least(SAFE_DEFAULT_SINCE)

    @property
    def lacks_weights_only(self) -> bool:
        """Whether some allowed torch is older than 1.13, whose `torch.load` refuses the argument."""
        return self.admits_below(WEIGHTS_ONLY_SINCE)

    @property
    def problems(self) -> tuple[tuple[str, int | None, str], ...]:
        """Path, row and one line for each manifest that cannot be read, and for manifests that disagree."""
        unknown = "what it says of torch is not known"
        lines = [(found.path, found.row, f"{found.message}; {unknown}") for found in self.unreadable]
        if self.conflict:
            lines.append((self._first_path(), None, f"no torch fits all that is declared: {self.source}"))
        return tuple(lines)

    def _first_path(self) -> str:
        return self.source.partition(": ")[0]

    def __str__(self) -> str:
        return f"torch{self.range}" if self.range.bounded else "any torch"


NOT_DECLARED = TorchBounds()


@dataclass
class BoundsCache:
    """What one run has read of manifests, by folder, and the roots that it has found."""

    roots: RootCache = field(default_factory=RootCache)
    folders: dict[str, FolderTorch] = field(default_factory=dict)
    answers: dict[tuple[str, str], TorchBounds] = field(default_factory=dict)


def declared_torch(
    path: str,
    root: str,
    *,
    cache: BoundsCache,
    source_text: str | None = None,
    notebook_manifests: tuple[tuple[str, str], ...] = (),
    override: TorchBounds | None = None,
    reader: Reader = read_text,
) -> TorchBounds:
    """Return the torch that is declared for the file `path` of the project `root`.

    `override` (see `parse_override`) wins; then the PEP 723 block in `source_text`, then what a notebook writes as its
    own manifests, then the nearest folder at or above the file in which some manifest names torch.
    """
    if override is not None:
        return override
    folder, limit = os.path.dirname(os.path.abspath(path)), bounds_limit(path, root, cache.roots)
    reader = _within(limit, folder, reader)
    block = _from_script_block(path, source_text, reader) if source_text is not None else None
    if block is not None:
        return block
    cells = read_cells(notebook_manifests, reader)
    if cells.names_torch:
        return _bounds(cells, os.path.dirname(path))
    if (folder, limit) not in cache.answers:
        cache.answers[folder, limit] = _nearest(folder, limit, cache, reader)
    return cache.answers[folder, limit]


def _within(limit: str, base: str, reader: Reader) -> Reader:
    """A reader of files in the folder `limit` alone, links followed: a manifest may include what is none of its business.

    Relative paths, which a notebook writes, are relative to `base`.
    """

    def read(path: str) -> str | None:
        inside = os.path.join(os.path.realpath(limit), "")
        full = os.path.join(base, path)
        if not os.path.realpath(full).startswith(inside):
            raise ValueError("it lies outside of the repository")
        return reader(full)

    return read


def parse_override(text: str) -> TorchBounds:
    """Read the setting torch-version: a version (`2.6` means every 2.6), or clauses such as `>=2.4,<2.7`.

    Raises ValueError where it is neither.
    """
    stripped = text.strip()
    if re.fullmatch(r"v?\d+(\.\d+)?(\.\*)?", stripped):
        found = conda_range(stripped)
    else:
        found = pip_range(stripped if re.match(r"[<>=!~]", stripped) else f"=={stripped}")
    if found is None or found.empty or not stripped:
        raise ValueError(f"{text!r} is no version of torch, such as 2.6 or >=2.4,<2.7")
    return _with_range(found, f"torch-version = {stripped}", declared=True)


def _nearest(folder: str, limit: str, cache: BoundsCache, reader: Reader) -> TorchBounds:
    for candidate in ancestors(folder, cache.roots):
        if candidate not in cache.folders:
            cache.folders[candidate] = read_folder(candidate, reader)
        if cache.folders[candidate].names_torch:
            if (candidate, limit) not in cache.answers:
                cache.answers[candidate, limit] = _bounds(cache.folders[candidate], limit)
            return cache.answers[candidate, limit]
        if candidate == limit:
            break
    return NOT_DECLARED


def _from_script_block(path: str, source_text: str, reader: Reader) -> TorchBounds | None:
    sink = Sink(reader)
    if not read_script_block(path, source_text, sink):
        return None
    return _bounds(united(sink), os.path.dirname(path))


def _bounds(found: FolderTorch, base: str) -> TorchBounds:
    told = [one for one in found.requirements if one.range.bounded] or list(found.requirements)
    lines = [f"{_shown(one.path, base)}: {one.text}" for one in told]
    more = f"; and {len(lines) - _MOST_SOURCES} more" if len(lines) > _MOST_SOURCES else ""
    source = "; ".join(lines[:_MOST_SOURCES]) + more
    declared = found.range.bounded and not found.conflict
    return _with_range(found.range, source, declared=declared, found=found)


def _with_range(of: VersionRange, source: str, *, declared: bool, found: FolderTorch | None = None) -> TorchBounds:
    lower = of.lower
    if lower is None and (of.upper is None or of.upper > _FLOOR):
        lower = _FLOOR
    return TorchBounds(
        lower=lower,
        upper=of.upper,
        lower_excluded=of.above,
        upper_included=of.through,
        declared=declared,
        named=True,
        conflict=found.conflict if found else False,
        source=source,
        unreadable=found.unreadable if found else (),
    )


def _shown(path: str, base: str) -> str:
    shown = os.path.relpath(path, base or ".") if os.path.isabs(path) else path
    return shown.replace(os.sep, "/")
