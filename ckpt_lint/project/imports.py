"""What a file imports, told from its bytes alone: the gate's second question, asked of files that it would let pass."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

OUTSIDE = sys.stdlib_module_names | {
    "torch", "torchvision", "torchaudio", "numpy", "scipy", "pandas", "matplotlib", "transformers", "timm", "accelerate",
    "tqdm", "yaml", "PIL", "cv2", "sklearn", "pytest", "einops", "wandb", "tensorboardX", "lightning", "pytorch_lightning",
}  # fmt: skip
"""First names that no project file is looked up for (a project that bears one of them imports relatively, as a rule)."""

_IMPORT = re.compile(rb"^[ \t]*(?:from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]*(\(?[^\n#;]*)|import[ \t]+([\w., \t]+))", re.M)
_NAME = re.compile(r"[\w.]+")


def imports(data: bytes) -> Iterator[tuple[str, int]]:
    """The modules that a file's bytes import, each with its number of leading dots. `from a import b` gives a, a.b."""
    for dots, module, names, plain in _IMPORT.findall(data):
        if plain:
            for part in plain.decode("utf-8", "replace").split(","):
                yield part.split()[0] if part.split() else "", 0
            continue
        base = module.decode("utf-8", "replace")
        yield base, len(dots)
        for name in _NAME.findall(names.decode("utf-8", "replace")):
            yield f"{base}.{name}" if base else name, len(dots)




def foreign(module: str) -> bool:
    """Whether an absolute import is none of the project's."""
    return module.partition(".")[0] in OUTSIDE


def imports_own(data: bytes) -> bool:
    """Whether a file may import anything of its own project."""
    return any(level or (module and not foreign(module)) for module, level in imports(data))
