"""A downloaded file is unpickled: whoever can change what the address serves runs code here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP304"
STAND_INS = ("a file: address stands in for the network",)

BAD = """\
import urllib.request

import torch


def fetch(url):
    path, _ = urllib.request.urlretrieve(url, "downloaded.pt")
    model = torch.nn.Linear(4, 2)
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=False))
    return model
"""

GOOD = """\
import urllib.request

import torch


def fetch(url):
    path, _ = urllib.request.urlretrieve(url, "downloaded.pt")
    model = torch.nn.Linear(4, 2)
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return model
"""


def observe(program: str, stage: Stage) -> Seen:
    """Fetch honest and poisoned weights."""
    fetch = stage.run(program).names["fetch"]
    return stage.judge_unpickling(lambda path: fetch(Path(path).resolve().as_uri()))
