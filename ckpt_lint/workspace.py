"""What a run knows of the projects that its files belong to: the modules around a file, and the torch they declare."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from ckpt_lint.facts.world import World
from ckpt_lint.project.bounds import TorchBounds
from ckpt_lint.project.reader import Disk, ProjectFiles
from ckpt_lint.settings import Settings
from ckpt_lint.source.module import ModuleFacts
from ckpt_lint.source.text import Source


@dataclass
class Workspace:
    """The projects of one run; what is read of the disk is kept."""

    disk: Disk = field(default_factory=Disk)

    def project_of(self, source: Source, settings: Settings, *, named: bool = True) -> FileProject:
        """The project of a source. `named` says whether its path is a place on disk; else nothing is looked up."""
        path = os.path.abspath(source.path) if named else os.path.join(settings.root, "stdin.py")
        return FileProject(self.disk.project_of(path), settings, path, named)


@dataclass(frozen=True)
class FileProject:
    """A project as one of its files sees it: what `engine.Project` asks for."""

    files: ProjectFiles
    settings: Settings
    path: str
    named: bool

    def world(self, replaced: Sequence[ModuleFacts]) -> World:
        """The project's world, with these modules of the file in place of those on disk."""
        world = World(self.files if self.named else None, api=self.settings.api, partial=not self.named)
        world.add(replaced)
        return world

    def bounds(self, source: Source) -> TorchBounds:
        """The torch that is declared for the file: the settings' own, else what manifests say."""
        return self.files.bounds_of(self.path, source, self.settings.torch_version)

    def display(self, path: str) -> str:
        """A file of the project as a run in the working folder names it."""
        relative = os.path.relpath(path)
        return path if relative.startswith(os.pardir) else relative

    def source(self, path: str) -> Source | None:
        """The text of another file of the project."""
        return self.files.source(path)
