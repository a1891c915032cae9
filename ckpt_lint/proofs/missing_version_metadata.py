"""Nothing in a checkpoint tells which torch wrote it, unless the program writes it down."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP206"
BAD = """\
import torch

model = torch.nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(2):
    optimizer.zero_grad()
    model(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, "last.pt")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Look for the version, in the object and in the bytes of the file."""
    stage.run(program)
    checkpoint = torch.load("last.pt", map_location="cpu", weights_only=True)
    version = str(torch.__version__)
    keys = [key for key, value in checkpoint.items() if value == version]
    written = version.encode() in Path("last.pt").read_bytes()
    return stage.seen(
        f"checkpoint[{keys[0]!r}] is {version}" if keys else "no byte of the file tells the version",
        hazard=not written and not keys,
        right=bool(keys),
        figures={"version in the file": written},
    )
