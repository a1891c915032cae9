"""What a run knows of the projects that its files belong to: the torch they declare, and the modules around a file.

For now a file's world is the file itself; the torch is the project's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from ckpt_lint.facts.world import World
from ckpt_lint.project.bounds import BoundsCache, TorchBounds, declared_torch, parse_override
from ckpt_lint.project.root import project_root
from ckpt_lint.settings import Settings
from ckpt_lint.source.module import ModuleFacts
from ckpt_lint.source.text import Source


@dataclass
class Workspace:
    """The projects of one run; what is learned of manifests is kept."""

    cache: BoundsCache = field(default_factory=BoundsCache)

    def project_of(self, source: Source, settings: Settings, *, named: bool = True) -> FileProject:
        """The project of a source. `named` says whether its path is a place on disk; else nothing is looked up."""
        return FileProject(self, settings, named)


@dataclass(frozen=True)
class FileProject:
    """A project as far as one file of it shows."""

    workspace: Workspace
    settings: Settings
    named: bool

    def world(self, replaced: Sequence[ModuleFacts]) -> World:
        """The modules of the file, and nothing else."""
        world = World(api=self.settings.api, partial=not self.named)
        world.add(replaced)
        return world

    def bounds(self, source: Source) -> TorchBounds:
        """The torch that is declared for the file: the settings' own, else what manifests say."""
        override = parse_override(self.settings.torch_version) if self.settings.torch_version else None
        path = os.path.abspath(source.path) if self.named else os.path.join(self.settings.root, "stdin.py")
        return declared_torch(
            path,
            project_root(path, self.workspace.cache.roots),
            cache=self.workspace.cache,
            source_text=None if source.is_notebook else source.text,
            notebook_manifests=tuple((manifest.name, manifest.text) for manifest in source.manifests),
            override=override,
        )

    def display(self, path: str) -> str:
        """Files are named as the run names them."""
        return path

    def source(self, path: str) -> Source | None:
        """No other file is known."""
        return None
