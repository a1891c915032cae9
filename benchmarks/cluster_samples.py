"""An organisation's repositories, made up: projects of many sizes with hazards in some files, and checkpoint files.

Everything follows from a seed: the same arguments give the same bytes. `python benchmarks/cluster_samples.py DIR`.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

FIXTURES = Path(__file__).parents[1] / "fixtures" / "checkpoints" / "files"

SAVES = (
    "torch.save(model.state_dict(), path)",
    "torch.save(model, path)",
    'torch.save({"model": model.state_dict(), "epoch": epoch}, path)',
    'torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, path)',
    'torch.save({"state_dict": ddp_model.state_dict(), "args": args}, path)',
    "pickle.dump(model, open(path, 'wb'))",
)
LOADS = (
    "state = torch.load(path)",
    "state = torch.load(path, weights_only=False)",
    'state = torch.load(path, map_location="cuda:0", weights_only=True)',
    'state = torch.load(path, map_location="cpu", weights_only=True)',
    "state = pickle.load(open(path, 'rb'))",
    "state = load_state(path)",
)
RESTORES = (
    "model.load_state_dict(state)",
    "model = model.load_state_dict(state)",
    "model.load_state_dict(state, strict=False)",
    'model.load_state_dict(state["model"])\n    start = state["epoch"]',
    'model.load_state_dict({k.replace("module.", ""): v for k, v in state.items()})',
)
BOUNDS = ('"torch>=2.1"', '"torch>=2.6"', '"torch==1.13.1"', '"torch"')


def text_of(random_: random.Random, number: int) -> str:
    """One file: most have nothing to do with checkpoints, as in real repositories."""
    kind = random_.random()
    if kind < 0.015:
        return f"import torch\n\n\ndef broken_{number}(:\n    torch.save(\n"
    if kind < 0.13:
        return _training(random_, number)
    if kind < 0.17:
        return _resuming(random_, number)
    if kind < 0.55:
        return "import torch\nfrom torch import nn\n\n" + _functions(random_, number, "x = nn.functional.relu(x)")
    return "import os\nimport json\n\n" + _functions(random_, number, "x = os.path.join(x, str(x))")


def _functions(random_: random.Random, number: int, line: str) -> str:
    made = []
    for index in range(random_.randint(2, 14)):
        body = "\n".join(f"    {line}  # step {step}" for step in range(random_.randint(3, 12)))
        made.append(f"def part_{number}_{index}(x, scale={random_.randint(1, 99)}):\n{body}\n    return x\n")
    return "\n\n".join(made)


def _training(random_: random.Random, number: int) -> str:
    noqa = "  # noqa" if random_.random() < 0.1 else ""
    return f"""\
import pickle

import torch

from .io import load_state


{_functions(random_, number, "x = torch.relu(x)")}

def train_{number}(model, optimizer, ddp_model, args, path):
    for epoch in range({random_.randint(1, 300)}):
        optimizer.step()
        {random_.choice(SAVES)}{noqa}


def resume_{number}(model, path):
    {random_.choice(LOADS)}
    {random_.choice(RESTORES)}
    return model
"""


def _resuming(random_: random.Random, number: int) -> str:
    return f"""\
from .io import load_state


def evaluate_{number}(model, path):
    state = load_state(path)
    {random_.choice(RESTORES)}
    return model
"""


def make_project(folder: Path, random_: random.Random, files: int) -> None:
    """One project of so many Python files and notebooks, besides its manifest."""
    package = folder / "src" / "package"
    package.mkdir(parents=True)
    bound = random_.choice(BOUNDS)
    (folder / "pyproject.toml").write_text(f'[project]\nname = "{folder.name}"\ndependencies = [{bound}]\n')
    (package / "io.py").write_text(
        f"import torch\n\n\ndef load_state(path):\n    return {random_.choice(LOADS[:4])[8:]}\n"
    )
    for number in range(files - 1):
        text = text_of(random_, number)
        if random_.random() < 0.02:
            cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": text}]
            book = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
            (package / f"book_{number:04}.ipynb").write_text(json.dumps(book))
        elif random_.random() < 0.1:
            (folder / "tests").mkdir(exist_ok=True)
            (folder / "tests" / f"test_{number:04}.py").write_text(text)
        else:
            (package / f"part_{number:04}.py").write_text(text)


def make_checkpoints(folder: Path, random_: random.Random, count: int) -> None:
    """Checkpoint files: those of the fixtures, some of them cut short or with a byte flipped."""
    sources = sorted(path for path in FIXTURES.iterdir() if path.is_file() and path.suffix in (".pt", ".safetensors"))
    for number in range(count):
        source = sources[number % len(sources)]
        data = bytearray(source.read_bytes())
        if data and random_.random() < 0.1:
            del data[random_.randrange(len(data)) :]
        elif data and random_.random() < 0.1:
            data[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
        run = folder / f"run_{number // 100:04}"
        run.mkdir(parents=True, exist_ok=True)
        (run / f"{number:06}_{source.name}").write_bytes(bytes(data))


def _sizes(random_: random.Random, files: int) -> Iterator[int]:
    """Sizes of projects: many small ones, a few large ones."""
    while files > 0:
        size = min(files, 2 + int(random_.paretovariate(1.1) * 6), 800)
        yield size
        files -= size


def make(folder: Path, *, files: int, checkpoints: int, seed: int = 0) -> None:
    """Projects of `files` files in all under `folder`/code, and checkpoint files under `folder`/checkpoints."""
    random_ = random.Random(seed)
    for number, size in enumerate(_sizes(random_, files)):
        make_project(folder / "code" / f"project_{number:05}", random_, size)
    make_checkpoints(folder / "checkpoints", random_, checkpoints)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--checkpoints", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    make(arguments.folder, files=arguments.files, checkpoints=arguments.checkpoints, seed=arguments.seed)


if __name__ == "__main__":
    main()
