"""Understanding a checkpoint file: container, pickle opcodes, ArtifactFacts. Standard library only, nothing is run."""

from ckpt_lint.artifact.facts import ArtifactFacts
from ckpt_lint.artifact.reader import read_access, read_artifact

__all__ = ["ArtifactFacts", "read_access", "read_artifact"]
