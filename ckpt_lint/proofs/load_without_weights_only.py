"""Without weights_only a load does what the environment or the version of torch says: code in the file may run.

The hub loader still defaults to weights_only=False, so that half of the program needs no stand-in.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP302"
STAND_INS = ("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 gives torch.load the default it had before torch 2.6",)

BAD = """\
import torch


def restore(path):
    model = torch.nn.Linear(4, 2)
    model.load_state_dict(torch.load(path, map_location="cpu"))
    return model


def fetch(url):
    model = torch.nn.Linear(4, 2)
    model.load_state_dict(torch.hub.load_state_dict_from_url(url, map_location="cpu", model_dir="cache"))
    return model
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore honest and poisoned weights, from a path and from a URL."""
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
    names = stage.run(program).names
    load = stage.judge_unpickling(names["restore"])
    hub = stage.judge_unpickling(lambda path: names["fetch"](Path(path).resolve().as_uri()))
    return stage.seen(
        f"torch.load: {load.saw}; hub loader: {hub.saw}",
        hazard=load.hazard and hub.hazard,
        right=load.right and hub.right,
        figures={"code ran in torch.load": load.hazard, "code ran in the hub loader": hub.hazard},
    )
