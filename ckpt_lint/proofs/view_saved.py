"""A slice is saved with the whole storage behind it: ten rows cost as much as a thousand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP112"
BAD = """\
import torch

table = torch.randn(1000, 1000)
torch.save(table[:10], "rows.pt")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Weigh the file against the values in it."""
    table = stage.run(program).names["table"]
    rows = torch.load("rows.pt", map_location="cpu", weights_only=True)
    size, needed = stage.size("rows.pt"), rows.numel() * rows.element_size()
    return stage.seen(
        f"{size:,} bytes on disk for {needed:,} bytes of values",
        hazard=size > 50 * needed,
        right=size < 2 * needed and torch.equal(rows, table[:10]),
        figures={"bytes of the file": size, "bytes of the values": needed},
    )
