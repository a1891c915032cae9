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
