"""Whether a module may behave differently in training and in evaluation, told from the file of its class."""

from __future__ import annotations

from ckpt_lint.facts.world import Definition, World
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

READS_MODE = (
    ".training", "Dropout", "dropout", "BatchNorm", "batch_norm", "InstanceNorm", "instance_norm", "LSTM", "GRU", "RNN",
    "RReLU", "rrelu", "MultiheadAttention", "Transformer", "DropPath", "StochasticDepth", "multi_head_attention",
)  # fmt: skip
"""Words of layers and functions that look at `training` (read from the source of torch 2.13), and of their kin."""

_KNOWN = frozenset({
    "torch", "math", "numpy", "functools", "operator", "random", "collections", "typing", "os", "sys", "copy", "re",
    "__future__", "abc", "enum", "dataclasses", "itertools", "warnings", "logging", "time", "json", "einops",
})  # fmt: skip
"""Imports that bring no layers but torch's own."""


def is_mode_free(world: World, definition: Definition) -> bool:
    """Whether nothing in the file of a class looks at `training`, and nothing comes in that might.

    The text of the whole file is asked, so this does not depend on what of it was parsed. False where nobody can tell.
    """
    if not isinstance(definition.node, t.ClassDef):
        return False
    if not all(name.split(".")[0] in _KNOWN for name in _imports(definition.module)):
        return False
    return definition.module.path not in world.files.mentioning(READS_MODE) and not world.partial


def _imports(module: ModuleFacts) -> list[str]:
    """What a file imports; a relative import is "", which is unknown."""
    names = [alias.name for node in module.nodes if isinstance(node, t.Import) for alias in node.names]
    return names + ["" if n.level else n.module for n in module.nodes if isinstance(n, t.ImportFrom)]
