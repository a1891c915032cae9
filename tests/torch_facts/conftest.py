"""Claims about torch that rules, messages and fixes rely on, run again on the torch they were observed with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

OBSERVED = "2.13"


@pytest.fixture(autouse=True)
def _as_observed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A scratch directory, one seed, no GPU in sight; skipped by name on another torch than the claims are about."""
    if not torch.__version__.startswith(OBSERVED):
        pytest.skip(f"the claims are about torch {OBSERVED}, this is {torch.__version__}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", raising=False)
    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", raising=False)
    torch.manual_seed(0)
    yield
