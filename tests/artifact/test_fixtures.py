"""Every fixture checkpoint: our facts against what torch said when it was built, and the codes that are true of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ckpt_lint.artifact import ArtifactFacts, read_artifact
from ckpt_lint.artifact.deep import read_deep
from ckpt_lint.artifact.judge import findings, unreadable

FOLDER = Path(__file__).parents[2] / "fixtures" / "checkpoints"
MANIFEST: dict[str, dict[str, Any]] = json.loads((FOLDER / "manifest.json").read_text())["files"]


def facts_of(name: str) -> ArtifactFacts:
    return read_artifact(FOLDER / "files" / name)


def test_the_manifest_and_the_folder_agree() -> None:
    assert sorted(MANIFEST) == sorted(path.name for path in (FOLDER / "files").iterdir())
    assert len(MANIFEST) >= 40


@pytest.mark.parametrize("name", sorted(MANIFEST))
def test_verdict(name: str) -> None:
    facts = facts_of(name)
    assert facts.verdict.loads is MANIFEST[name]["loads"], facts.verdict
    assert facts.verdict.loads or facts.verdict.message
    assert unreadable(facts) is None


@pytest.mark.parametrize("name", sorted(name for name, row in MANIFEST.items() if row["loads"]))
def test_tensors(name: str) -> None:
    facts = facts_of(name)
    told = {fact.key: fact for fact in facts.tensors}
    assert sorted(told) == sorted(MANIFEST[name]["tensors"])
    for key, (shape, dtype, stride, size) in MANIFEST[name]["tensors"].items():
        assert f"torch.{told[key].dtype}" == dtype
        if shape is not None:
            assert list(told[key].shape) == shape
        if stride is not None:
            assert list(told[key].stride) == stride
        if size is not None:
            assert told[key].storage_size == size


@pytest.mark.parametrize("name", sorted(MANIFEST))
def test_codes(name: str) -> None:
    facts = facts_of(name)
    shallow = sorted({item.code for item in findings(facts)})
    assert shallow == sorted(code for code in MANIFEST[name]["codes"] if ":" not in code)
    deep = {item.code for item in findings(facts, deep=read_deep(FOLDER / "files" / name, facts))}
    assert sorted(deep - set(shallow)) == sorted(
        code.removeprefix("deep:") for code in MANIFEST[name]["codes"] if ":" in code
    )


@pytest.mark.parametrize("name", sorted(name for name, row in MANIFEST.items() if row.get("note") == "canary"))
def test_nothing_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = FOLDER / "files" / name
    list(findings(facts_of(name), deep=read_deep(path, facts_of(name))))
    assert not list(tmp_path.iterdir())


def test_a_payload_beside_the_metadata_of_a_folder(tmp_path: Path) -> None:
    """What is no tensor in a distributed checkpoint is unpickled without weights_only."""
    import shutil

    from tests.artifact import hostile

    shutil.copytree(FOLDER / "files" / "dcp", tmp_path / "dcp")
    part = next((tmp_path / "dcp").glob("*.distcp"))
    data = part.read_bytes()
    assert {item.code for item in findings(read_artifact(tmp_path / "dcp"))} == set()
    part.write_bytes(data.replace(b"collections\nOrderedDict", b"my_project1\nEvilThings1"))
    (tmp_path / "dcp" / ".metadata").write_bytes(hostile.EVIL)
    assert "CKP501" in {item.code for item in findings(read_artifact(tmp_path / "dcp"))}


def test_one_part_of_a_folder() -> None:
    facts = read_artifact(next((FOLDER / "files" / "dcp").glob("*.distcp")))
    assert [item.code for item in findings(facts)] == ["CKP503"]


def test_an_optimizer_beside_its_model() -> None:
    facts = read_artifact(FOLDER / "files" / "only_optimizer.pt")
    assert [item.code for item in findings(facts, siblings=["only_model.pt"])] == []
    assert [item.code for item in findings(facts, siblings=["other.pt"])] == ["CKP505"]


HONEST = {
    "lightning.ckpt": {"epoch": 1, "global_step": 9, "state_dict": "model", "optimizer_states": "optimizers"},
    "gan.pt": {"netG": "model", "netD": "model", "optG": "optimizer", "optD": "optimizer", "epoch": 1},
    "weights_only.pt": {"arch": "resnet", "state_dict": "model"},
}


@pytest.mark.parametrize("name", sorted(HONEST))
def test_common_layouts_of_training_code_are_clean(name: str, tmp_path: Path) -> None:
    import torch

    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    made = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "optimizers": [optimizer.state_dict()]}
    torch.save({key: made.get(str(value), value) for key, value in HONEST[name].items()}, tmp_path / name)
    codes = {item.code for item in findings(read_artifact(tmp_path / name))}
    assert codes <= {"CKP205", "CKP206"}


def test_framework_objects_are_known_data(tmp_path: Path) -> None:
    """Whole modules and schedulers of torch, NumPy's generators, masked arrays: nothing of them is called unknown."""
    import numpy
    import torch

    model = torch.nn.Sequential(torch.nn.TransformerEncoderLayer(8, 2), torch.nn.GRU(2, 2))
    optimizer = torch.optim.AdamW(model.parameters())
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 3)
    for number, value in enumerate(
        (model, {"m": model.state_dict(), "s": scheduler}, numpy.random.default_rng(), numpy.ma.array([1], mask=[0]))
    ):
        torch.save(value, tmp_path / f"{number}.pt")
        assert read_artifact(tmp_path / f"{number}.pt").unknown_globals == ()


def test_a_whole_module_is_one_finding(tmp_path: Path) -> None:
    """What lies inside of it (its activation, its hooks, what prunes it) is part of it."""
    import torch
    from torch.nn.utils import prune, spectral_norm

    for number, value in enumerate(
        (
            torch.nn.TransformerEncoderLayer(8, 2, activation="gelu"),
            torch.optim.swa_utils.AveragedModel(torch.nn.Linear(2, 2)),
            spectral_norm(torch.nn.Linear(2, 2)),
            prune.l1_unstructured(torch.nn.Linear(2, 2), "weight", 0.5),
        )
    ):
        torch.save(value, tmp_path / f"{number}.pt")
        assert [item.code for item in findings(read_artifact(tmp_path / f"{number}.pt"))] == ["CKP101"]


def test_what_is_beside_a_whole_module_is_another_finding(tmp_path: Path) -> None:
    import argparse

    import torch

    torch.save({"net": torch.nn.Linear(2, 2), "args": argparse.Namespace(a=1)}, tmp_path / "model.pt")
    found = [(item.code, item.artifact.key) for item in findings(read_artifact(tmp_path / "model.pt")) if item.artifact]
    assert ("CKP101", "net") in found and ("CKP110", "args") in found


@pytest.mark.parametrize("name", ["Adafactor", "Muon"])
def test_a_whole_optimizer_is_known_data(name: str, tmp_path: Path) -> None:
    import torch

    model = torch.nn.Linear(2, 2, bias=False)
    optimizer = getattr(torch.optim, name)(model.parameters())
    torch.save({"model": model.state_dict(), "optimizer": optimizer, "epoch": 1}, tmp_path / "model.pt")
    found = {item.code for item in findings(read_artifact(tmp_path / "model.pt"))}
    assert "CKP110" in found and "CKP501" not in found


def test_arrays_of_joblib(tmp_path: Path) -> None:
    """Raw bytes stand between the opcodes; what follows them is read all the same."""
    import pickle

    wrapped = b"\x80\x04cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(\x8c\x05shapeK\x03\x85\x8c\x05dtype"
    wrapped += b"cnumpy\ndtype\n\x8c\x02f8\x85R\x8c\x1bnumpy_array_alignment_bytesK\x10ub\x03\xff\xff\xff" + bytes(24)
    honest, evil = tmp_path / "honest.pkl", tmp_path / "evil.pkl"
    honest.write_bytes(wrapped + b".")
    evil.write_bytes(wrapped + b"0cbuiltins\nexec\n\x8c\x04pass\x85R.")
    objects = tmp_path / "objects.pkl"
    objects.write_bytes(wrapped.replace(b"\x02f8", b"\x02O8") + pickle.dumps([1]))
    assert list(findings(read_artifact(honest))) == []
    assert "CKP501" in {item.code for item in findings(read_artifact(evil))}
    assert "CKP501" in {item.code for item in findings(read_artifact(objects))}
    assert unreadable(read_artifact(objects))


@pytest.mark.parametrize(("tag", "scaler", "expected"), [("cuda:0", {}, {"CKP203"}), ("cpu", {}, set())])
def test_the_state_of_a_disabled_scaler(
    tag: str, scaler: dict[str, object], expected: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GradScaler that is off saves nothing: on a CPU that is as it should be."""
    import torch
    from torch import serialization

    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 1, "scaler": scaler}
    monkeypatch.setattr(serialization, "location_tag", lambda storage: tag)
    torch.save(state, tmp_path / "last.pt")
    found = {item.code for item in findings(read_artifact(tmp_path / "last.pt"))}
    assert found & {"CKP201", "CKP202", "CKP203", "CKP204"} == expected
