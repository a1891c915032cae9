"""One half of a program writes what the other half refuses to read."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP311"
BAD = """\
import argparse

import torch

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
args = parser.parse_args([])
torch.save({"args": args, "seed": 3}, "run.pt")
restored = torch.load("run.pt", map_location="cpu", weights_only=True)["args"]
"""

GOOD = """\
import argparse

import torch

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
args = parser.parse_args([])
torch.save({"args": vars(args), "seed": 3}, "run.pt")
restored = argparse.Namespace(**torch.load("run.pt", map_location="cpu", weights_only=True)["args"])
"""


def observe(program: str, stage: Stage) -> Seen:
    """Save and load."""
    ran = stage.run(program, expect=(pickle.UnpicklingError,))
    return stage.seen(
        ran.said or "the arguments come back",
        hazard="Namespace" in ran.said,
        right=ran.error is None and ran.names["restored"] == ran.names["args"],
    )
