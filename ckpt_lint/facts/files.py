"""What the facts ask of a project's files. `ckpt_lint.project.reader` answers for a folder on disk."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from ckpt_lint.project.imports import Handed, Import
from ckpt_lint.source.module import ModuleFacts


class Files(Protocol):
    """Where a world gets its modules from."""

    @property
    def is_cut(self) -> bool:
        """Whether the project has more files than are listed."""
        ...

    def read(self, path: str) -> Sequence[ModuleFacts]:
        """The modules of a file, () where it cannot be read or parsed."""
        ...

    def resolve(self, path: str, module: str, level: int) -> str | None:
        """The project file that `module` means in an import of the file `path`; None where none or several do."""
        ...

    def mentioning(self, words: Sequence[str], *, beside: Callable[[bytes], bool] | None = None) -> Sequence[str]:
        """The project's files that contain one of `words` (and for which `beside` holds, if given), in sorted order."""
        ...

    def users(self, name: str, path: str) -> Sequence[str]:
        """The project's other files that call or rename something called `name` and import the file `path`, in sorted order."""
        ...

    def matters(self, path: str) -> bool:
        """Whether a file passes the gate by what stands in it."""
        ...

    def acts(self, path: str) -> bool:
        """Whether something may be saved or loaded in a file, by what stands in it."""
        ...

    def contains(self, path: str, words: Collection[str]) -> bool:
        """Whether one of `words` stands in a file."""
        ...

    def functions_calling(self, path: str, method: str) -> frozenset[str]:
        """The names of the functions of a file in which a method is called, rather too many than too few."""
        ...

    def defined_in(self, path: str) -> frozenset[str]:
        """The names of functions and classes that a file defines at its top level, in no branch."""
        ...

    def remembered(self, path: str, what: str, find: Callable[[], frozenset[str]]) -> frozenset[str]:
        """Names that were found in a file: kept where its syntax facts are not."""
        ...

    def imports_of(self, path: str) -> Sequence[Import]:
        """What a file imports."""
        ...

    def handed_on(self, path: str, *, mattering: bool) -> Handed:
        """What a package hands on (see `imports.reached`)."""
        ...

    def starred(self, path: str, name: str) -> Sequence[str]:
        """The file itself and those it takes everything from, if they contain a name; () where they are too many."""
        ...


class NoFiles:
    """A project of which nothing else is known."""

    is_cut = False

    def read(self, path: str) -> Sequence[ModuleFacts]:
        """Nothing."""
        return ()

    def resolve(self, path: str, module: str, level: int) -> str | None:
        """Nothing."""
        return None

    def mentioning(self, words: Sequence[str], *, beside: Callable[[bytes], bool] | None = None) -> Sequence[str]:
        """Nothing."""
        return ()

    def users(self, name: str, path: str) -> Sequence[str]:
        """Nothing."""
        return ()

    def matters(self, path: str) -> bool:
        """No."""
        return False

    def acts(self, path: str) -> bool:
        """No."""
        return False

    def contains(self, path: str, words: Collection[str]) -> bool:
        """No."""
        return False

    def functions_calling(self, path: str, method: str) -> frozenset[str]:
        """None."""
        return frozenset()

    def defined_in(self, path: str) -> frozenset[str]:
        """None."""
        return frozenset()

    def remembered(self, path: str, what: str, find: Callable[[], frozenset[str]]) -> frozenset[str]:
        """What is found."""
        return find()

    def imports_of(self, path: str) -> Sequence[Import]:
        """Nothing."""
        return ()

    def handed_on(self, path: str, *, mattering: bool) -> Handed:
        """Nothing."""
        return {}

    def starred(self, path: str, name: str) -> Sequence[str]:
        """Nothing."""
        return ()
