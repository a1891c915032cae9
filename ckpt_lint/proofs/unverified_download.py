"""Without check_hash nobody notices that an address serves other weights than those it is named after."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP308"
STAND_INS = ("a file: address stands in for the network",)

BAD = """\
import torch


def fetch(url):
    model = torch.nn.Linear(4, 2)
    state = torch.hub.load_state_dict_from_url(url, "cache", map_location="cpu", weights_only=True)
    model.load_state_dict(state)
    return model
"""


def observe(program: str, stage: Stage) -> Seen:
    """Fetch published weights, and weights that somebody has exchanged."""
    fetch = stage.run(program).names["fetch"]
    published, exchanged = torch.nn.Linear(4, 2), torch.nn.Linear(4, 2)
    torch.save(published.state_dict(), "net.pth")
    digest = hashlib.sha256(Path("net.pth").read_bytes()).hexdigest()[:8]
    honest, other = Path(f"honest-{digest}.pth").resolve(), Path(f"other-{digest}.pth").resolve()
    Path("net.pth").replace(honest)
    torch.save(exchanged.state_dict(), other)
    good = stage.call(fetch, honest.as_uri())[0]
    taken, error = stage.call(fetch, other.as_uri(), expect=(RuntimeError,))
    accepted = taken is not None and torch.equal(taken.weight, exchanged.weight)
    return stage.seen(
        f"exchanged weights: {stage.line(error) or 'taken without a word'}",
        hazard=accepted,
        right=torch.equal(good.weight, published.weight) and "invalid hash" in str(error),
    )
