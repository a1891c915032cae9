"""A file of torch.save under a safetensors name: whoever believes the name cannot read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP113"
BAD = """\
import torch

model = torch.nn.Linear(4, 2)
torch.save(model.state_dict(), "weights.safetensors")
"""

GOOD = """\
import torch

model = torch.nn.Linear(4, 2)
torch.save(model.state_dict(), "weights.pt")
"""


def safetensors_header(path: Path) -> dict[str, object]:
    """The header of a safetensors file as every reader of it begins; ValueError where there is none."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    if length > len(content) - 8:
        raise ValueError(f"header of {length} bytes in a file of {len(content)}: header too large")
    header: dict[str, object] = json.loads(content[8 : 8 + length])
    return header


def observe(program: str, stage: Stage) -> Seen:
    """Read the file as what its name says it is."""
    model = stage.run(program).names["model"]
    written = next(path for path in sorted(Path().iterdir()) if path.suffix in {".pt", ".safetensors"})
    state, error = None, None
    if written.suffix == ".safetensors":
        error = stage.call(safetensors_header, written, expect=(ValueError,))[1]
    else:
        state = torch.load(str(written), map_location="cpu", weights_only=True)
    return stage.seen(
        f"{written}: {stage.line(error)}" if error else f"{written} is what it is called",
        hazard=error is not None,
        right=state is not None and torch.equal(state["weight"], model.weight),
    )
