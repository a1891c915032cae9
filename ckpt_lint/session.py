"""One run's hold on projects: gives the engine the project of each source, with the source's own modules in place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from ckpt_lint.facts.world import World
from ckpt_lint.project.bounds import TorchBounds
from ckpt_lint.project.reader import Disk, ProjectFiles
from ckpt_lint.settings import Settings
from ckpt_lint.source.module import ModuleFacts
from ckpt_lint.source.text import Source


class Session:
    """Shares what was read of the disk between the files of a run."""

    def __init__(self, settings: Settings, *, cwd: str | None = None) -> None:
        self.settings = settings
        self.disk = Disk(settings)
        self.cwd = cwd or os.getcwd()

    def project_of(self, path: str) -> SourceProject:
        """The project of the file that a run names `path`."""
        return SourceProject(self, self.disk.project_of(os.path.abspath(path)), os.path.abspath(path))


@dataclass(frozen=True, slots=True)
class SourceProject:
    """The project as one source sees it: implements what `engine.Project` asks for."""

    session: Session
    files: ProjectFiles
    path: str

    def world(self, replaced: Sequence[ModuleFacts]) -> World:
        """The project's world with the source's modules in place of those on disk."""
        world = World(self.files, api=self.session.settings.api)
        world.add([_at(module, self.path) for module in replaced])
        return world

    def bounds(self, source: Source) -> TorchBounds:
        """The torch declared for a source."""
        return self.files.bounds_of(self.path, source)

    def display(self, path: str) -> str:
        """A path relative to the working folder where it lies below it."""
        relative = os.path.relpath(path, self.session.cwd)
        return path if relative.startswith(os.pardir) else relative

    def source(self, path: str) -> Source | None:
        """The text of a project file."""
        return self.files.source(path)


def _at(module: ModuleFacts, path: str) -> ModuleFacts:
    module.path = path
    return module
