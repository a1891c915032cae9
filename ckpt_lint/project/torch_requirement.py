"""The values that every reader of manifests gives back, and the place that collects them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ckpt_lint.project.versions import VersionRange

Reader = Callable[[str], "str | None"]


@dataclass(frozen=True, slots=True)
class TorchRequirement:
    """What one line of a manifest says of torch.

    A `conditional` one holds in some environments only (a marker, an `if`). `group` names the extra or the dependency
    group that it stands in: groups of one manifest that contradict each other are alternatives.
    """

    path: str
    text: str
    range: VersionRange
    conditional: bool = False
    group: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A manifest, or a line of one, that names torch in a way that cannot be read."""

    path: str
    row: int | None
    message: str


@dataclass
class Sink:
    """Collects what manifests say; `reader` gives the text of a file, None where there is none."""

    reader: Reader
    requirements: list[TorchRequirement] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)

    def read(self, path: str) -> str | None:
        """Return the text of a manifest; one that exists and cannot be read may name torch, and is kept as such."""
        try:
            return self.reader(path)
        except OSError as error:
            self.add(Unreadable(path, None, f"cannot be read: {error.strerror or error}"))
        except ValueError as error:
            self.add(Unreadable(path, None, f"cannot be read: {error}"))
        return None

    def add(self, found: TorchRequirement | Unreadable) -> None:
        """Take one line's meaning in; what was said twice counts once (a file may be listed and included)."""
        if isinstance(found, Unreadable):
            if found not in self.unreadable:
                self.unreadable.append(found)
        elif found not in self.requirements:
            self.requirements.append(found)
