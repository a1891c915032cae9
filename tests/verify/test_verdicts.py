"""What "confirmed" means, with real torch and real checkpoints, through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verify.projects import ANYWHERE, CHECKPOINTS, MANIFEST, RESTORE, RESUME, digests, project, verify


def test_full_pickle_of_plain_data_is_confirmed_and_gives_the_same(tmp_path: Path) -> None:
    project(tmp_path, RESUME.format(name="last.pt"), last="train_full.pt")
    before = digests(tmp_path)
    said = verify(tmp_path)
    (check,) = said.checks
    assert (said.code, said.verdicts, check["status"]) == (0, ["confirmed"], "confirmed")
    assert check["before"] == "loads" and "gives the same" in check["reason"]
    assert "keys that the code reads are there: model, optimizer, epoch" in check["compared"]
    assert check["content"].startswith("content id ") and check["size"] == (tmp_path / "last.pt").stat().st_size
    assert said.document["torch"]["version"].startswith("2.")
    assert "memory watched" in " ".join(check["enforced"]) and digests(tmp_path) == before


def test_device_and_globals_are_verified_together(tmp_path: Path) -> None:
    project(tmp_path, RESTORE.format(name="last.pt"), last="cuda.pt")
    said = verify(tmp_path)
    (site,) = said.sites
    (check,) = site["checks"]
    assert [finding["code"] for finding in site["findings"]] == ["CKP301", "CKP302"]
    assert check["status"] == "confirmed" and "where the load before it raises" in check["reason"]
    assert check["before"].startswith("RuntimeError: Attempting to deserialize object on a CUDA device")
    assert "device tags in the file: cuda:0" in check["compared"]


def test_a_refused_class_is_named_with_the_line_that_saves_it_and_the_way_out(tmp_path: Path) -> None:
    code = RESTORE.format(name="last.pt").replace(
        'model.load_state_dict(torch.load("last.pt"))',
        'model.load_state_dict(torch.load("last.pt", map_location="cpu", weights_only=False)["model"])',
    )
    project(tmp_path, code, last="namespace.pt")
    (tmp_path / "save.py").write_text(
        "import argparse\nimport torch\n\n\ndef save(model):\n    args = argparse.Namespace(lr=1)\n"
        '    torch.save({"model": model.state_dict(), "args": args}, "other.pt")\n'
    )
    said = verify(tmp_path)
    (check,) = said.checks
    assert (said.code, check["status"]) == (1, "refuted")
    assert "Unsupported global: GLOBAL argparse.Namespace" in check["reason"]
    obstacles = "\n".join(check["obstacles"])
    assert "`argparse.Namespace` at `args`" in obstacles and "CKP110" in obstacles
    assert "with torch.serialization.safe_globals([argparse.Namespace]):" in obstacles


@pytest.mark.parametrize(
    "name", ["defaultdict.pt", "deque.pt", "protocol_4.pt", "numpy_array.pt", "whole_module_own_class.pt", "enum.pt"]
)
def test_no_allow_list_is_proposed_where_none_helps_or_none_is_safe(tmp_path: Path, name: str) -> None:
    project(tmp_path, ANYWHERE, last=name)
    said = verify(tmp_path, "--checkpoint", "last.pt")
    (check,) = said.checks
    assert (said.code, check["status"]) == (1, "refuted")
    text = "\n".join([check["reason"], *check["obstacles"]])
    assert "safe_globals" not in text and "re-save" in text
    unknown = name in ("whole_module_own_class.pt", "enum.pt")
    assert ("no allow-list is proposed for globals that are not known to be harmless" in text) is unknown


def test_a_key_that_the_code_reads_and_the_file_lacks_refutes(tmp_path: Path) -> None:
    project(tmp_path, RESUME.format(name="last.pt"), last="train_no_progress.pt")
    (check,) = verify(tmp_path).checks
    assert check["status"] == "refuted"
    assert "the code reads `epoch`" in check["reason"]


def test_a_whole_restore_of_a_training_checkpoint_refutes(tmp_path: Path) -> None:
    project(tmp_path, RESTORE.format(name="last.pt"), last="train_full.pt")
    (check,) = verify(tmp_path).checks
    assert check["status"] == "refuted" and "it is no state dict" in check["reason"]


def test_a_site_is_confirmed_only_on_every_matching_checkpoint(tmp_path: Path) -> None:
    project(tmp_path, ANYWHERE, "state_dict.pt", "compiled.pt")
    assert verify(tmp_path, "--checkpoint", "state_dict.pt", "compiled.pt").code == 0
    project(tmp_path, ANYWHERE, "short_record.pt")
    said = verify(tmp_path, "--checkpoint", "*.pt")
    assert (said.code, said.verdicts) == (3, ["unreadable"])
    assert sorted(check["status"] for check in said.checks) == ["confirmed", "confirmed", "unreadable"]


def test_a_path_handed_to_load_state_dict_is_loaded_first(tmp_path: Path) -> None:
    project(tmp_path, 'def restore(model):\n    model.load_state_dict("last.pt")\n', last="state_dict.pt")
    said = verify(tmp_path)
    assert (said.code, said.verdicts) == (0, ["confirmed"])
    assert said.sites[0]["findings"][0]["code"] == "CKP402"


PREFIX = """\
import torch


def restore(model, path):
    ckpt = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict({k.replace("module.", ""): v for k, v in ckpt.items()})
"""


def test_a_prefix_fix_that_changes_nothing_on_the_file_is_confirmed(tmp_path: Path) -> None:
    project(tmp_path, PREFIX, last="data_parallel.pt")
    said = verify(tmp_path, "--checkpoint", "last.pt")
    assert (said.code, said.verdicts) == (0, ["confirmed"])
    assert "9 of 9 keys carry `module.`" in said.checks[0]["compared"]


def test_a_prefix_fix_that_changes_keys_needs_an_unprefixed_file(tmp_path: Path) -> None:
    import torch

    wrapped = {"module.submodule.weight": torch.zeros(2), "module.bias": torch.zeros(2)}
    project(tmp_path, PREFIX)
    torch.save(wrapped, tmp_path / "wrapped.pt")
    said = verify(tmp_path, "--checkpoint", "wrapped.pt")
    assert (said.code, said.verdicts) == (3, ["unavailable"])
    assert "no unprefixed file is at hand" in said.checks[0]["reason"]
    torch.save({"submodule.weight": torch.zeros(2), "bias": torch.zeros(2)}, tmp_path / "plain.pt")
    said = verify(tmp_path, "--checkpoint", "wrapped.pt", "plain.pt")
    assert (said.code, said.verdicts) == (0, ["confirmed"])


def test_full_compares_every_byte_and_sees_a_flipped_bit(tmp_path: Path) -> None:
    project(tmp_path, ANYWHERE, "state_dict.pt", "wrong_crc.pt", "legacy.pt")
    said = verify(tmp_path, "--full", "--checkpoint", "state_dict.pt", "legacy.pt")
    assert said.code == 0
    zipped = next(check for check in said.checks if check["checkpoint"] == "state_dict.pt")
    assert any("equal to the file's, bit by bit, CRCs right" in line for line in zipped["compared"])
    legacy = next(check for check in said.checks if check["checkpoint"] == "legacy.pt")
    assert any("equal bytes before and after" in line for line in legacy["compared"])
    assert verify(tmp_path, "--checkpoint", "wrong_crc.pt").code == 0
    said = verify(tmp_path, "--full", "--checkpoint", "wrong_crc.pt")
    assert (said.code, said.verdicts) == (3, ["unreadable"])
    assert "its CRC is wrong" in said.checks[0]["reason"]


def test_bytes_that_differ_from_the_files_are_seen() -> None:
    import torch

    from ckpt_lint.verify.worker import compare_mapped

    path = str(CHECKPOINTS / "state_dict.pt")
    after, before = (torch.load(path, mmap=True, weights_only=True) for _ in range(2))
    assert compare_mapped(torch, path, after, before)["difference"] is None
    before["0.weight"][2, 1] += 1  # the mapping is private: the file stays as it is
    assert "the two loads give other bytes" in compare_mapped(torch, path, after, before)["difference"]
    after["0.weight"][0, 0] += 1
    assert "the load gives other bytes than the file holds" in compare_mapped(torch, path, after, None)["difference"]


def test_a_file_that_cannot_be_mapped_is_read_whole_once(tmp_path: Path) -> None:
    project(tmp_path, ANYWHERE, last="legacy.pt")
    (check,) = verify(tmp_path, "--checkpoint", "last.pt").checks
    assert check["status"] == "confirmed" and "read whole" in "\n".join(check["compared"])
    assert check["before"].startswith("not replayed: it cannot be mapped")


def test_code_without_findings_has_nothing_to_verify(tmp_path: Path) -> None:
    project(tmp_path, "import torch\n\n\ndef save(model):\n    torch.save(model.state_dict(), 'x.pt')\n")
    said = verify(tmp_path)
    assert (said.code, said.sites) == (0, [])


def test_mmap_is_confirmed_for_a_zip_and_refuted_for_a_file_that_cannot_be_mapped(tmp_path: Path) -> None:
    code = RESTORE.format(name="last.pt").replace('"last.pt"', '"last.pt", map_location="cpu", weights_only=True')
    project(tmp_path, code, last="state_dict.pt")
    (tmp_path / "pyproject.toml").write_text(MANIFEST.replace("2.0", "2.6"))
    assert verify(tmp_path, "--select", "CKP309").verdicts == ["confirmed"]
    (tmp_path / "last.pt").write_bytes((CHECKPOINTS / "legacy.pt").read_bytes())
    said = verify(tmp_path, "--select", "CKP309")
    assert said.verdicts == ["refuted"] and "`mmap=True` cannot read it" in said.checks[0]["reason"]


MISSPELT = """\
import torch


def save(path, model, optimizer, epoch):
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, path)


def resume(model, optimizer):
    ckpt = torch.load("last.pt", map_location="cpu", weights_only=True)
    model.load_state_dict(ckpt["model"])
    optimizer.load_state_dict(ckpt["optimiser"])
    return ckpt["epoch"] + 1
"""


def test_a_misspelt_key_is_confirmed_by_what_the_file_holds(tmp_path: Path) -> None:
    project(tmp_path, MISSPELT, last="train_adam.pt")
    said = verify(tmp_path, "--fix")
    (site,) = said.sites
    assert said.code == 0 and site["verdict"] == "confirmed", said
    assert said.checks[0]["reason"] == "it holds `optimizer` and no `optimiser`"
    assert 'ckpt["optimizer"]' in (tmp_path / "train.py").read_text()


def test_a_misspelt_key_is_refuted_by_a_file_that_holds_it_or_neither(tmp_path: Path) -> None:
    import torch

    project(tmp_path, MISSPELT)
    weights = {"w": torch.ones(1)}
    torch.save({"model": weights, "optimiser": {}, "epoch": 1}, tmp_path / "last.pt")
    said = verify(tmp_path, "--fix")
    assert (said.code, said.verdicts) == (1, ["refuted"]) and "holds no `optimizer` either" in said.checks[0]["reason"]
    torch.save({"model": weights, "optimizer": {}, "optimiser": {}, "epoch": 1}, tmp_path / "last.pt")
    said = verify(tmp_path)
    assert (said.code, said.verdicts) == (1, ["refuted"]) and said.checks[0]["reason"] == "it holds both keys"
    assert 'ckpt["optimiser"]' in (tmp_path / "train.py").read_text()
