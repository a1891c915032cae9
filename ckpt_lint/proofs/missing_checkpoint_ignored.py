"""A checkpoint was named and is not there: the run starts from fresh weights, and only a line of output says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP411"
BAD = """\
import argparse
import os

import torch


def main(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("--resume", default="")
    args = parser.parse_args(argv)
    model = torch.nn.Linear(8, 1)
    if args.resume:
        if os.path.isfile(args.resume):
            model.load_state_dict(torch.load(args.resume, map_location="cpu", weights_only=True))
        else:
            print(f"no checkpoint found at {args.resume}")
    return model
"""

GOOD = """\
import argparse

import torch


def main(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("--resume", default="")
    args = parser.parse_args(argv)
    model = torch.nn.Linear(8, 1)
    if args.resume:
        model.load_state_dict(torch.load(args.resume, map_location="cpu", weights_only=True))
    return model
"""


def observe(program: str, stage: Stage) -> Seen:
    """Resume from a path with a misprint in it."""
    main = stage.run(program).names["main"]
    model, error = stage.call(main, ["--resume", "chekpoint.pt"], expect=(FileNotFoundError,))
    return stage.seen(
        stage.line(error) or "the run goes on with fresh weights",
        hazard=error is None and model is not None,
        right=error is not None,
    )
