"""What a file imports, told from its bytes alone, so that a file need not be parsed to know whether it matters."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

OUTSIDE = sys.stdlib_module_names | {
    "torch", "torchvision", "torchaudio", "numpy", "scipy", "pandas", "matplotlib", "transformers", "timm", "PIL",
    "tqdm", "yaml", "cv2", "sklearn", "pytest", "einops", "wandb", "tensorboardX", "lightning", "accelerate",
    "pytorch_lightning",
}  # fmt: skip
"""First names that mean a project's own file only inside a folder of that name."""

_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]*(?:\(([^)]*)|([^\n#;]*))|import[ \t]+([\w., \t]+))",
    re.MULTILINE,
)
_NAME = re.compile(rb"[\w.*]+")


@dataclass(frozen=True, slots=True)
class Import:
    """`from <level dots><module> import <names>`, or `import <module>` with no names. `names` may be ("*",)."""

    module: str
    level: int
    names: tuple[str, ...]

    @property
    def targets(self) -> Iterator[str]:
        """The modules that the statement may read: its own, and each name, which may be a module too."""
        if self.module or self.level:
            yield self.module
        for name in self.names:
            if name != "*":
                yield f"{self.module}.{name}" if self.module else name


def imports(data: bytes) -> Iterator[Import]:
    """The imports of a file's bytes, wherever they stand in it."""
    for dots, module, listed, line, plain in _IMPORT.findall(data):
        if plain:
            for part in plain.decode("ascii", "replace").split(","):
                if part.split():
                    yield Import(part.split()[0], 0, ())
            continue
        words = [word.decode("ascii", "replace") for word in _NAME.findall(listed or line)]
        names = tuple(word for i, word in enumerate(words) if word != "as" and (i == 0 or words[i - 1] != "as"))
        yield Import(module.decode("ascii", "replace"), len(dots), names)


def foreign(module: str, path: str) -> bool:
    """Whether an absolute import in the file `path` can be none of the project's."""
    first = module.partition(".")[0]
    return first in OUTSIDE and f"/{first}/" not in path.replace("\\", "/")


def imports_own(data: bytes, path: str) -> bool:
    """Whether a file may import anything of its own project."""
    return any(found.level or not foreign(found.module, path) for found in imports(data))
