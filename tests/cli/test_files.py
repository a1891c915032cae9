"""`ckpt-lint check` on checkpoint files, as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ckpt_lint.artifact import read_artifact
from ckpt_lint.artifact.judge import findings
from ckpt_lint.rules import ALL
from tests.cli.command import Ran, ckpt_lint, write
from tests.cli.test_imports import imported

FILES = Path(__file__).parents[2] / "fixtures" / "checkpoints" / "files"
MANIFEST: dict[str, dict[str, Any]] = json.loads((FILES.parent / "manifest.json").read_text())["files"]
ON = {rule.code for rule in ALL if rule.on}
HAZARD = "import torch\n\nx = torch.load(p, weights_only=True)\n"


def put(folder: Path, *names: str, under: str = "") -> None:
    (folder / under).mkdir(parents=True, exist_ok=True)
    for name in names:
        if (FILES / name).is_dir():
            shutil.copytree(FILES / name, folder / under / name)
        else:
            shutil.copy(FILES / name, folder / under / name)


def concise(*arguments: str, cwd: Path) -> tuple[int, list[str]]:
    """The exit code, and `path code` of every line."""
    ran = ckpt_lint("check", "--output-format", "concise", "-q", *arguments, cwd=cwd)
    parts = (line.split(": ") for line in ran.out.splitlines())
    return ran.code, [f"{place} {rest[0].split(' ')[0]}" for place, *rest in parts]


def rows(*arguments: str, cwd: Path) -> tuple[Ran, list[dict[str, Any]]]:
    ran = ckpt_lint("check", "--output-format", "json", *arguments, cwd=cwd)
    return ran, json.loads(ran.out)


def test_every_fixture_ends_in_the_codes_that_are_true_of_it(tmp_path: Path) -> None:
    names = sorted(MANIFEST)
    put(tmp_path, *names)
    ran, found = rows("--select", "ALL", "--deep", *names, cwd=tmp_path)
    assert ran.code == 1 and not ran.err
    for name in names:
        seen = {row["code"] for row in found if Path(row["filename"]).name == name}
        wanted = {code.removeprefix("deep:") for code in MANIFEST[name]["codes"]}
        if name == "only_optimizer.pt":
            wanted |= seen & {"CKP505"}
        assert seen == wanted, name
    shallow = {row["code"] for row in rows(*names, cwd=tmp_path)[1]}
    assert shallow <= ON and "CKP504" not in shallow


def test_a_file_finding_says_where_in_the_file(tmp_path: Path) -> None:
    put(tmp_path, "namespace.pt")
    _, (row,) = rows("namespace.pt", cwd=tmp_path)
    assert row["artifact"] == {"member": "archive/data.pkl", "offset": 852, "key": "args"}
    assert row["location"] == row["end_location"] == {"row": 1, "column": 1}
    assert row["fix"] is None and row["severity"] == "warning" and row["name"] == "weights-only-blocker"
    full = ckpt_lint("check", "namespace.pt", cwd=tmp_path).out
    assert "--> namespace.pt:1:1 (archive/data.pkl, offset 852, key args)" in full
    assert "Found 1 finding in 1 of 1 file: 1 warning." in full


def test_sarif_has_the_file_and_no_region(tmp_path: Path) -> None:
    put(tmp_path, "evil_zip.pt")
    ran = ckpt_lint("check", "--output-format", "sarif", "evil_zip.pt", cwd=tmp_path)
    (result,) = json.loads(ran.out)["runs"][0]["results"]
    place = {"physicalLocation": {"artifactLocation": {"uri": "evil_zip.pt", "uriBaseId": "%SRCROOT%"}}}
    assert result["ruleId"] == "CKP501" and result["locations"] == [place]


def test_other_formats(tmp_path: Path) -> None:
    put(tmp_path, "evil_zip.pt", "protocol_4.pt")
    github = ckpt_lint("check", "--output-format", "github", "evil_zip.pt", cwd=tmp_path).out
    assert github.startswith("::error title=ckpt-lint (CKP501),file=") and "line=1,col=1" in github
    statistics = ckpt_lint("check", "--statistics", "evil_zip.pt", "protocol_4.pt", cwd=tmp_path).out
    assert "1\tCKP114\t[ ] refused-protocol" in statistics and "1\tCKP501" in statistics


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    evil = sorted(name for name, row in MANIFEST.items() if row.get("note") == "canary")
    put(tmp_path, *evil)
    before = sorted(os.listdir(tmp_path))
    code, lines = concise("--deep", *evil, cwd=tmp_path)
    assert code == 1 and {line.split(":")[0] for line in lines if line.endswith("CKP501")} == set(evil)
    assert sorted(os.listdir(tmp_path)) == before


def test_code_and_checkpoints_in_one_run(tmp_path: Path) -> None:
    write(tmp_path, a=HAZARD)
    put(tmp_path, "protocol_4.pt", "state_dict.pt")
    code, lines = concise("protocol_4.pt", "a.py", "state_dict.pt", cwd=tmp_path)
    assert (code, lines) == (1, ["protocol_4.pt:1:1 CKP114", "a.py:3:5 CKP301"])
    fixed = ckpt_lint("check", "--fix", "a.py", "protocol_4.pt", cwd=tmp_path)
    assert fixed.code == 1 and (tmp_path / "protocol_4.pt").read_bytes() == (FILES / "protocol_4.pt").read_bytes()


def test_folders_give_code_only_unless_asked(tmp_path: Path) -> None:
    write(tmp_path, pkg__a="x = 1\n")
    put(tmp_path, "protocol_4.pt", "state_dict.pt", under="runs")
    put(tmp_path, "text.pt", under="node_modules")
    (tmp_path / "data.bin").write_bytes(b"")
    assert concise(".", cwd=tmp_path) == (0, [])
    assert concise("--checkpoints", ".", cwd=tmp_path) == (1, ["data.bin:1:1 CKP503", "runs/protocol_4.pt:1:1 CKP114"])
    (tmp_path / "ckpt-lint.toml").write_text('checkpoints-include = ["runs/*.pt"]\n')
    assert concise(".", cwd=tmp_path) == (1, ["runs/protocol_4.pt:1:1 CKP114"])
    shown = ckpt_lint("check", "--show-files", ".", cwd=tmp_path).out.splitlines()
    assert [Path(line).name for line in shown] == ["a.py", "protocol_4.pt", "state_dict.pt"]
    assert 'checkpoints-include = ["runs/*.pt"]' in ckpt_lint("check", "--show-settings", cwd=tmp_path).out


def test_a_distributed_checkpoint_is_one_input(tmp_path: Path) -> None:
    put(tmp_path, "dcp", under="runs")
    assert concise("runs/dcp", cwd=tmp_path) == (0, [])
    for arguments in (
        ["runs/dcp"],
        ["runs/dcp/.metadata"],
        ["runs/dcp/__0_0.distcp", "runs/dcp/.metadata"],
        ["--checkpoints", "runs"],
    ):
        shown = ckpt_lint("check", "--show-files", *arguments, cwd=tmp_path)
        assert shown.out.splitlines() == [str(tmp_path / "runs" / "dcp")], shown
    (tmp_path / "runs" / "dcp" / ".metadata").write_bytes(b"\x80\x02cos\nsystem\nU\x02idR.")
    assert concise("--checkpoints", ".", cwd=tmp_path)[1][0] == "runs/dcp:1:1 CKP501"


def test_names_and_bytes_decide_what_is_a_checkpoint(tmp_path: Path) -> None:
    shutil.copy(FILES / "protocol_4.pt", tmp_path / "weights")
    shutil.copy(FILES / "protocol_4.pt", tmp_path / "model.pth.tar")
    shutil.copy(FILES / "lfs_pointer.pt", tmp_path / "MODEL.PTH")
    (tmp_path / "script").write_text(HAZARD)
    (tmp_path / "tool.py").write_bytes((FILES / "protocol_4.pt").read_bytes())
    code, lines = concise("weights", "model.pth.tar", "MODEL.PTH", "script", cwd=tmp_path)
    assert (code, [line.split(" ")[1] for line in lines]) == (1, ["CKP114", "CKP114", "CKP503", "CKP301"])
    assert concise("tool.py", cwd=tmp_path) == (3, ["tool.py unreadable"])


def test_selection_and_settings_are_those_of_code(tmp_path: Path) -> None:
    put(tmp_path, "evil_legacy.pt", "protocol_4.pt")
    put(tmp_path, "protocol_4.pt", under="tests")
    assert concise("--ignore", "CKP108", "evil_legacy.pt", cwd=tmp_path) == (1, ["evil_legacy.pt:1:1 CKP501"])
    assert concise("--select", "legacy-serialization", "evil_legacy.pt", cwd=tmp_path)[1] == [
        "evil_legacy.pt:1:1 CKP108"
    ]
    assert concise("--fail-on", "error", "--select", "CKP108", "evil_legacy.pt", cwd=tmp_path)[0] == 0
    (tmp_path / "ckpt-lint.toml").write_text(
        'per-file-ignores = {"evil*.pt" = ["CKP108"]}\ntrusted-paths = {"evil_legacy.pt" = "built by our release job"}\n'
    )
    assert concise("evil_legacy.pt", "protocol_4.pt", cwd=tmp_path) == (1, ["protocol_4.pt:1:1 CKP114"])
    silent = ckpt_lint("check", "tests/protocol_4.pt", cwd=tmp_path)
    assert silent.code == 0 and "note: no rule about checkpoint files is on for tests/protocol_4.pt" in silent.out


def test_what_cannot_be_read_is_not_clean(tmp_path: Path) -> None:
    put(tmp_path, "state_dict.pt")
    (tmp_path / "folder.pt").mkdir()
    (tmp_path / "unknown.bin").write_bytes(bytes(range(7, 250)) * 40)
    os.mkfifo(tmp_path / "pipe.pt")
    os.symlink("nowhere", tmp_path / "link.pt")
    assert concise("none.pt", "state_dict.pt", cwd=tmp_path) == (3, ["none.pt unreadable"])
    assert concise("pipe.pt", cwd=tmp_path) == (3, ["pipe.pt unreadable"])
    assert concise("link.pt", cwd=tmp_path) == (3, ["link.pt unreadable"])
    assert concise("folder.pt", cwd=tmp_path) == (0, [])
    assert concise("unknown.bin", cwd=tmp_path) == (3, ["unknown.bin:1:1 CKP503", "unknown.bin unreadable"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_nobody_may_read(tmp_path: Path) -> None:
    put(tmp_path, "state_dict.pt")
    (tmp_path / "state_dict.pt").chmod(0)
    ran = ckpt_lint("check", "--output-format", "concise", "state_dict.pt", cwd=tmp_path)
    assert ran.code == 3 and "state_dict.pt: unreadable: Permission denied" in ran.out


def test_a_limit_is_an_outcome_of_its_own(tmp_path: Path) -> None:
    """A pickle that packs more than any honest header: it is left, and said so."""
    bomb = b"\x80\x02" + b"]" * 40_000_000 + b"."
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bomb)
        archive.writestr("archive/version", "3\n")
    ran = ckpt_lint("check", "--output-format", "concise", "bomb.pt", cwd=tmp_path)
    assert ran.code == 3 and "could not be read to the end" in ran.out, ran


def test_urls_without_a_network(tmp_path: Path) -> None:
    ran = ckpt_lint("check", "--output-format", "concise", "http://127.0.0.1:9/model.pt", cwd=tmp_path)
    assert ran.code == 3 and ran.out.startswith("http://127.0.0.1:9/model.pt: unreadable: ")
    put(tmp_path, "protocol_4.pt")
    ran, found = rows("--deep", f"file://{tmp_path}/protocol_4.pt", cwd=tmp_path)
    assert [row["filename"] for row in found] == [f"file://{tmp_path}/protocol_4.pt"]
    sarif = ckpt_lint("check", "--output-format", "sarif", f"file://{tmp_path}/protocol_4.pt", cwd=tmp_path)
    (result,) = json.loads(sarif.out)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": f"file://{tmp_path}/protocol_4.pt"}


def test_a_counter_alone_is_a_warning(tmp_path: Path) -> None:
    """It shows that the weights were trained, not that a run resumes from them; a scheduler's state does."""
    import torch

    weights = {"w": torch.ones(1)}
    torch.save({"model": weights, "epoch": 3}, tmp_path / "counter.pt")
    torch.save({"model": weights, "epoch": 3, "scheduler": {"last_epoch": 3}}, tmp_path / "scheduler.pt")
    torch.save({"model": weights, "epoch": 3}, tmp_path / "best.pt")
    _, found = rows("--select", "CKP201", "counter.pt", "scheduler.pt", "best.pt", cwd=tmp_path)
    told = {Path(row["filename"]).name: row["severity"] for row in found}
    assert told == {"counter.pt": "warning", "scheduler.pt": "error"}


def test_names_from_the_file_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02c\x1b[31mos\nsystem\nU\x02idR.")
        archive.writestr("archive/version", "3\n")
    ran = ckpt_lint("check", "a.pt", cwd=tmp_path)
    assert ran.code == 1 and "CKP501" in ran.out and "\x1b" not in ran.out


def test_every_code_of_a_file_is_in_the_catalogue() -> None:
    about_files = {rule.code for rule in ALL if rule.artifact}
    seen = {item.code for name in MANIFEST for item in findings(read_artifact(FILES / name))}
    assert seen <= about_files and {f"CKP50{digit}" for digit in range(1, 6)} <= about_files


def test_what_a_run_imports(tmp_path: Path) -> None:
    put(tmp_path, "train_full.pt")
    write(tmp_path, a="x = 1\n")
    files = imported("check", "train_full.pt", cwd=tmp_path)
    assert "ckpt_lint.artifact" in files
    assert not {"torch", "numpy", "libcst", "fsspec", "pickle", "rich", "multiprocessing"} & files
    assert not {"ckpt_lint.artifact", "ckpt_lint.checkpoint_file"} & imported("check", "a.py", cwd=tmp_path)


def test_many_small_files_in_one_run(tmp_path: Path) -> None:
    for number in range(300):
        shutil.copy(FILES / "train_adam.pt", tmp_path / f"{number}.pt")
    ran = ckpt_lint("check", "--checkpoints", "-j", "1", ".", cwd=tmp_path)
    assert (ran.code, ran.out) == (0, "All checks passed!\n")
