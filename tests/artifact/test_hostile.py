"""Payloads, damage, foreign files and bombs: each ends in the right finding, soon and in little memory; none runs."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ckpt_lint.artifact.access import BytesAccess
from ckpt_lint.artifact.judge import findings, unreadable
from ckpt_lint.artifact.reader import read_access
from tests.artifact import hostile, hostile_damage, hostile_polyglots, hostile_tars

PAYLOADS = [
    *hostile.payload_zips(),
    *hostile.payload_opcodes(),
    *hostile.payload_containers(),
    *hostile.payload_inside(),
    *hostile_polyglots.payload_polyglots(),
    *hostile_polyglots.payload_arrays(),
    *hostile_polyglots.payload_bytes(),
    *hostile_polyglots.payload_names(),
    *hostile_polyglots.payload_old(),
    *hostile_tars.payload_tars(),
    *hostile_tars.payload_lzma(),
]
DAMAGED = [*hostile_damage.damaged(), *hostile_polyglots.damaged_more(), *hostile_tars.damaged_headers()]
FOREIGN = [
    *hostile_damage.foreign(),
    *((name, data) for name, (data, _) in hostile_polyglots.NAMED.items()),
]
BLOCKED = list(hostile_polyglots.blocked_records())


@pytest.fixture(autouse=True)
def no_canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    assert not list(tmp_path.iterdir())


def codes(data: bytes, name: str = "model.pt") -> set[str]:
    facts = read_access(BytesAccess(data), name)
    return {item.code for item in findings(facts)}


@pytest.mark.parametrize(("name", "data"), PAYLOADS, ids=[name for name, _ in PAYLOADS])
def test_every_payload_is_foreign_code(name: str, data: bytes) -> None:
    assert "CKP501" in codes(data)


@pytest.mark.parametrize(("name", "data"), DAMAGED, ids=[name for name, _ in DAMAGED])
def test_every_damaged_file_is_named_so(name: str, data: bytes) -> None:
    found = codes(data)
    assert found & {"CKP502", "CKP503"}, found
    assert "CKP501" not in found or "flip" in name


@pytest.mark.parametrize(("name", "data"), list(hostile_tars.honest_tars()))
def test_an_honest_tar_of_torch_01_is_only_old(name: str, data: bytes) -> None:
    assert codes(data) == {"CKP108"}


@pytest.mark.parametrize(("name", "data"), FOREIGN, ids=[name for name, _ in FOREIGN])
def test_every_foreign_file_is_named_so(name: str, data: bytes) -> None:
    assert codes(data) <= {"CKP502", "CKP503"}
    assert codes(data)


@pytest.mark.parametrize("name", sorted(hostile_polyglots.NAMED))
def test_what_it_is_stands_in_the_message(name: str) -> None:
    data, word = hostile_polyglots.NAMED[name]
    messages = [item.message for item in findings(read_access(BytesAccess(data), "model.pt"))]
    assert len(messages) == 1 and word in messages[0], messages


def test_safetensors_are_judged_as_by_their_own_package() -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load

    for name, data in hostile_polyglots.refused_safetensors():
        with pytest.raises(SafetensorError):
            load(data)
        assert codes(data, "model.safetensors") == {"CKP502"}, name
    for name, data in hostile_polyglots.accepted_safetensors():
        load(data)
        assert not codes(data, "model.safetensors"), name


@pytest.mark.parametrize(("name", "data"), [*PAYLOADS, *DAMAGED, *FOREIGN, *BLOCKED], ids=lambda value: "")
def test_torch_never_loads_what_we_refuse_nor_the_reverse(name: str, data: bytes, tmp_path: Path) -> None:
    import torch

    facts = read_access(BytesAccess(data), "model.pt")
    path = tmp_path / "model.pt"
    path.write_bytes(data)
    try:
        if "bomb" in name or "enormous" in name:
            return
        torch.load(path, map_location="cpu", weights_only=True)
        loads = True
    except Exception:  # every way in which torch refuses
        loads = False
    finally:
        path.unlink()
    assert facts.verdict.loads in (loads, None), facts.verdict


@pytest.mark.parametrize("name", hostile_damage.BOMBS)
def test_bombs_end_soon(name: str) -> None:
    data = hostile_damage.BOMBS[name]()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3):  # other work on the machine makes one reading slow, not three
        start = time.thread_time()
        facts = read_access(BytesAccess(data), "model.pt")
        found = {item.code for item in findings(facts)}
        spent = time.thread_time() - start
        if spent < 1.0:
            break
    assert spent < 1.0
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < (128 << 10 if sys.platform == "linux" else 128 << 20)
    assert found or unreadable(facts) or facts.verdict.loads is not None
