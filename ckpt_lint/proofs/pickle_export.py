"""Exported weights in a pickle ask their readers to run opcodes; safetensors carries the same values as plain data."""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP115"
NEEDS = {"safetensors": ""}

BAD = """\
import os

import torch

model = torch.nn.Linear(4, 2)
os.makedirs("export", exist_ok=True)
torch.save(model.state_dict(), "export/model.pt")
"""

GOOD = """\
import os

import torch
from safetensors.torch import save_file

model = torch.nn.Linear(4, 2)
os.makedirs("export", exist_ok=True)
save_file(model.state_dict(), "export/model.safetensors")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Count the opcodes in the exported file that import something or call it."""
    from safetensors.torch import load_file

    model = stage.run(program).names["model"]
    written = next(Path("export").iterdir())
    calling, read = 0, {}
    if zipfile.is_zipfile(written):
        with zipfile.ZipFile(written) as archive:
            data = archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))
        calling = sum(opcode.name in {"GLOBAL", "REDUCE", "BUILD"} for opcode, _, _ in pickletools.genops(data))
    else:
        read = load_file(written)
    return stage.seen(
        f"{written.name}: {calling} opcodes that import or call",
        hazard=calling > 0,
        right=calling == 0 and torch.equal(read["weight"], model.weight),
        figures={"opcodes that import or call": calling, "bytes": written.stat().st_size},
    )
