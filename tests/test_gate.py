"""The gate and the slicing lose nothing: findings are those of `--no-gate`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ckpt_lint import engine
from ckpt_lint.model import Problem
from ckpt_lint.project.imports import own_imports
from ckpt_lint.source import slices
from ckpt_lint.source.gate import may_matter
from ckpt_lint.source.positions import parse_twin
from ckpt_lint.source.slices import SMALL, blanked, cut
from ckpt_lint.source.text import read_source
from ckpt_lint.workspace import Workspace
from tests.rules.harness import ALL_CODES, FIXTURES, copied, settings_for

FILES = sorted(p for p in FIXTURES.rglob("*") if p.suffix in (".py", ".ipynb"))
PAD = "\n".join(f"    value_{i} = {i} * scale + offset - {i}" for i in range(40))


def judged(path: Path, *, gate: bool) -> list[tuple[str, int, str]]:
    source = read_source(str(path), path.read_bytes())
    assert not isinstance(source, Problem)
    settings = dataclasses.replace(settings_for(path.parent, ALL_CODES), gate=gate)
    outcome = engine.check(source, project=Workspace().project_of(source, settings), settings=settings)
    return [(f.code, f.span.start, f.message) for f in outcome.findings]


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(FIXTURES)) for p in FILES])
def test_slicing_changes_nothing(path: Path, tmp_path: Path) -> None:
    place = path
    while place.parent.parent != FIXTURES:
        place = place.parent
    home = copied(place, tmp_path)  # alone, so that no other fixture is its project
    (tmp_path / "setup.cfg").write_text("")
    file = home / path.relative_to(place) if home.is_dir() else home
    assert judged(file, gate=True) == judged(file, gate=False)


@pytest.mark.parametrize(
    "text",
    [
        "import torch\nx = torch.load(p)\n",
        "import torch as th\nth.save(m, p)\n",
        "from torch import (\n    nn,\n    load,\n)\nload(p)\n",
        "from torch import *\nload(p)\n",
        "import importlib\nimportlib.import_module('torch').load(p)\n",
        "from torch.hub import load_state_dict_from_url\n",
        "from torch.utils.model_zoo import load_url\n",
        "m.load_state_dict(sd)\n",
        "import pickle\npickle.load(open('m.pth', 'rb'))\n",
        "import numpy as np\nnp.load('m.pt', allow_pickle=True)\n",
        "accelerator.save(torch_state, p)\n",
        "import lightning as L\n\ndef end(trainer: L.Trainer):\n    trainer.save_checkpoint(p)\n",
        "from lightning import Fabric\nFabric().save(p, state)\n",
        "from accelerate import Accelerator\nAccelerator().save(state, p)\n",
        "import os\nos.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] = '1'  # load\n",
        "import torch.distributed.checkpoint as dcp\ndcp.save({}, checkpoint_id=p)\n",
    ],
)
def test_what_may_matter_passes(text: str) -> None:
    assert may_matter(text.encode())


@pytest.mark.parametrize(
    "text",
    ["import torch\nx = torch.zeros(3)\n", "import json\njson.load(f)\n", "from torch import nn\nclass A(nn.Module): ...\n"],
)
def test_what_cannot_matter_does_not_pass(text: str) -> None:
    assert not may_matter(text.encode())


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_slice_keeps_every_place(newline: str) -> None:
    code = (
        f'import torch\n\ndef idle(scale, offset):\n    """{"d" * SMALL}é\n    more"""\n{PAD}\n    return value_1\n\n'
        "class Net:\n    def forward(self, scale, offset):\n"
        + PAD.replace("    value", "        value")
        + "\n\n\ndef busy(p):\n    return torch.load(p)\n"
    ).replace("\n", newline)
    module = parse_twin(code)
    sliced = blanked(code, cut(code, module))
    assert len(sliced) == len(code) and sliced.count("\n") == code.count("\n")
    assert "value_1" not in sliced and "torch.load(p)" in sliced
    assert sliced.index("torch.load") == code.index("torch.load")
    parse_twin(sliced)


def test_a_run_with_and_without_the_gate_counts_the_same(tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").write_text("")
    (tmp_path / "io_helpers.py").write_text("import torch\n\ndef keep(obj, where):\n    torch.save(obj, where)\n")
    (tmp_path / "train.py").write_text(
        "from io_helpers import keep\nfrom torch import nn\nnet = nn.Linear(1, 1)\nkeep(net, 'a')\n"
    )
    assert not may_matter((tmp_path / "train.py").read_bytes())
    settings = settings_for(tmp_path, ALL_CODES)
    path, data = str(tmp_path / "train.py"), (tmp_path / "train.py").read_bytes()
    assert Workspace().reaches(path, data, settings, tuple(own_imports(data, path)))
    assert [row[0] for row in judged(tmp_path / "train.py", gate=True)] == ["CKP101"]


LONG = "\n".join(f"    note_{i} = 'what it says does not matter, but it is long: {i}'" for i in range(12))
KEPT = {
    "a parser of arguments": f"""import argparse
import torch

def options():
{LONG}
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr")
    return parser

def main(args):
    torch.save({{"model": net.state_dict(), "optimizer": opt.state_dict(), "epoch": 3, "args": args}}, "c.pt")

if __name__ == "__main__":
    main(options().parse_args())
""",
    "a function that the module calls": f"""import torch
from torch import nn

def trimmed(model: nn.Module):
{LONG}
    return model

class Net(nn.Module):
    pass

torch.save(trimmed(Net()), "net.pt")
""",
    "another name of torch.save": f"""import torch
from torch import nn

_write = torch.save

class Net(nn.Module):
    pass

def keep(path):
{LONG}
    _write(Net(), path)
""",
    "what shows that a name is torch": f"""from layers import *

class Net(th.nn.Module):
    pass

def fit(parameters):
{LONG}
    return th.optim.Adam(parameters)

def keep(path):
    th.save(Net(), path)
""",
}


@pytest.mark.parametrize("text", list(KEPT.values()), ids=list(KEPT))
def test_what_tells_of_a_save_is_kept(text: str, tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text(text)
    found = judged(path, gate=True)
    assert found
    assert found == judged(path, gate=False)


def test_a_file_that_passes_a_missing_checkpoint_by_is_read(tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").write_text("")
    (tmp_path / "weights.py").write_text(
        "import torch\n\ndef load_weights(model, path):\n    state = torch.load(path, map_location='cpu', weights_only=True)\n"
        "    model.load_state_dict(state)\n"
    )
    train = tmp_path / "train.py"
    train.write_text(
        "import os\n\nfrom weights import load_weights\n\n\ndef build(args, model):\n    if args.resume:\n"
        "        if os.path.isfile(args.resume):\n            load_weights(model, args.resume)\n        else:\n"
        "            print('no checkpoint at', args.resume)\n    return model\n"
    )
    data = train.read_bytes()
    assert not may_matter(data)
    settings = settings_for(tmp_path, ALL_CODES)
    assert Workspace().reaches(str(train), data, settings, tuple(own_imports(data, str(train))))
    assert "CKP411" in {code for code, _, _ in judged(train, gate=True)}


HELPER = """import torch
import torch.distributed as dist


def save_weights(model, where):
    dist.barrier()
    torch.save(model.state_dict(), where)


def save_all(model, optimizer, epoch, where):
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, where)


def load_all(model, optimizer, where):
    checkpoint = torch.load(where, map_location="cpu", weights_only=True)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    return checkpoint["epoch"] + 1
"""
ASKING = {
    "CKP210": """from helpers import load_all, save_all


def fit(model, optimizer, args):
    lowest = 1e9
    for epoch in range(load_all(model, optimizer, args.resume), 90):
        loss = epoch_of(model, optimizer)
        if loss < lowest:
            lowest = loss
            save_all(model, optimizer, epoch, "lowest.pt")
""",
    "CKP413": """from helpers import save_weights


def fit(model, rank):
    if rank == 0:
        save_weights(model, "weights.pt")
""",
}


@pytest.mark.parametrize("code", ASKING)
def test_a_file_that_says_when_a_helper_saves_is_read(code: str, tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").write_text("")
    (tmp_path / "helpers.py").write_text(HELPER)
    train = tmp_path / "train.py"
    train.write_text(ASKING[code])
    data = train.read_bytes()
    assert not may_matter(data)
    settings = settings_for(tmp_path, ALL_CODES)
    assert Workspace().reaches(str(train), data, settings, tuple(own_imports(data, str(train))))
    assert code in {found for found, _, _ in judged(train, gate=True)}


def test_a_file_that_only_imports_beside_it_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").write_text("")
    (tmp_path / "helpers.py").write_text(HELPER + "\n\ndef scale(x):\n    return x\n")
    other = tmp_path / "other.py"
    other.write_text("from helpers import scale\n\n\ndef best(rank, x):\n    return scale(x) if rank > 0 else x\n")
    data = other.read_bytes()
    settings = settings_for(tmp_path, ALL_CODES)
    assert not Workspace().reaches(str(other), data, settings, tuple(own_imports(data, str(other))))


_LONG_METHOD = LONG.replace("    note", "        note")
_PLATEAU = f"""import torch

class Plateau:
    def __init__(self):
        self.losses = []

    def step(self, loss):
{_LONG_METHOD}
        self.anchor, self.losses[0] = loss, loss

    def save(self, path):
        torch.save({{"losses": self.losses}}, path)

    def load(self, path):
        self.losses = torch.load(path)["losses"]
"""
_BOTH = "self.anchor, self.losses[0] = loss, loss"
_KEEP = f"""import torch
from torch import nn

class Net(nn.Module):
    pass

def keep(obj, path):
    torch.save(obj, path)

def run(path):
{LONG}
    keep(Net(), path)
"""
TIED = {
    "a part set beside a short save": (_PLATEAU, "CKP301"),
    "grown beside a short save": (_PLATEAU.replace(_BOTH, "self.losses.append(loss)"), "CKP301"),
    "augmented beside a short save": (_PLATEAU.replace(_BOTH, "self.losses += loss"), "CKP301"),
    "an instance of another name": (_PLATEAU.replace(_BOTH, "self.losses = loss").replace("self", "this"), "CKP301"),
    "a caller of a short save": (_KEEP, "CKP101"),
    "a caller of its caller": (
        _KEEP.replace("def run", "def also(obj, path):\n    keep(obj, path)\n\ndef run").replace("    keep(N", "    also(N"),
        "CKP101",
    ),
    "a variable of the module": (
        f"import torch\nSTATE = {{}}\n\ndef fill(opt, model):\n{LONG}\n    STATE['model'] = model\n"
        "    STATE['optimizer'] = opt\n\ndef keep(path):\n    torch.save(STATE, path)\n",
        "CKP101",
    ),
    "a global": (
        "import torch\nfrom torch import nn\nBEST = None\n\nclass Net(nn.Module):\n    pass\n\ndef make():\n"
        f"    global BEST\n{LONG}\n    BEST = Net()\n\ndef keep(path):\n    torch.save(BEST, path)\n",
        "CKP101",
    ),
}


@pytest.mark.parametrize(("text", "code"), list(TIED.values()), ids=list(TIED))
def test_what_is_tied_to_a_save_or_load_is_kept(text: str, code: str, tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text(text)
    found = judged(path, gate=True)
    assert code in {row[0] for row in found}
    assert found == judged(path, gate=False)


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(FIXTURES)) for p in FILES])
def test_slicing_of_short_functions_changes_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left out may not hang on its length: fixtures are short, and so little of them is cut otherwise."""
    monkeypatch.setattr(slices, "SMALL", 8)
    test_slicing_changes_nothing(path, tmp_path)
