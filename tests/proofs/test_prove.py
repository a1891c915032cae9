"""The runner: each way in which a proof can end, and the interpreter it runs in."""

from __future__ import annotations

import os
import sys
import venv
from pathlib import Path

import pytest

from ckpt_lint.verify.prove import ProofStatus, prove, read_proof

SOUND = """
CODE = "{code}"
BAD = "x = 1"
GOOD = "x = 2"
{more}

def observe(program, stage):
    x = stage.run(program).names["x"]
    {body}
    return stage.seen(f"x is {{x}}", hazard=x == 1, right=x == 2, figures={{"x": x}})
"""


def write(folder: Path, code: str, *, body: str = "pass", more: str = "") -> None:
    (folder / f"rule_{code.lower()}.py").write_text(SOUND.format(code=code, body=body, more=more), encoding="utf-8")


def no_fix(code: str, text: str) -> str:
    return text


def statuses(folder: Path, *, python: str = sys.executable, seconds: float = 60.0) -> dict[str, tuple[str, str]]:
    results = prove((), python, fix=no_fix, folder=folder, seconds=seconds)
    return {result.code: (result.status.value, result.reason) for result in results}


def test_a_sound_proof_gives_what_was_seen_and_the_versions(tmp_path: Path) -> None:
    write(tmp_path, "CKP901")
    (result,) = prove((), sys.executable, fix=no_fix, folder=tmp_path)
    assert result.status is ProofStatus.PROVED and result.before and result.after
    assert (result.before.saw, result.after.saw, result.name) == ("x is 1", "x is 2", "rule-ckp901")
    assert result.after.figures == {"x": 2} and {"torch", "python", "system"} <= set(result.versions)
    assert not result.by_our_fix and (result.bad, result.fixed) == ("x = 1", "x = 2")


def test_each_way_to_end_has_its_own_status_and_the_others_go_on(tmp_path: Path) -> None:
    write(tmp_path, "CKP901", body="raise KeyError('lost')")
    write(tmp_path, "CKP902", body="import os; os._exit(3)")
    write(tmp_path, "CKP903", more='NEEDS = {"torch": "99.1"}')
    write(tmp_path, "CKP904", more='NEEDS = {"no_such_module": ""}')
    write(tmp_path, "CKP905", body="x = 3 - x")
    write(tmp_path, "CKP906", body="x = 0 if x == 2 else x")
    write(tmp_path, "CKP907")
    found = statuses(tmp_path)
    assert found["CKP901"] == ("crashed", "KeyError: 'lost'")
    assert found["CKP902"] == ("crashed", "exit code 3")
    assert found["CKP903"][0] == "not-applicable" and "needs torch 99.1 or newer" in found["CKP903"][1]
    assert found["CKP904"] == ("not-applicable", "needs no_such_module, which is not installed")
    assert found["CKP905"] == ("failed", "the hazard does not show in the bad program")
    assert found["CKP906"] == ("failed", "the fixed program does not do what its author meant")
    assert found["CKP907"] == ("proved", "")


def test_a_proof_that_hangs_is_ended_and_the_next_one_runs(tmp_path: Path) -> None:
    """With a torch that is imported at once: what is waited for is only the proof."""
    venv.create(tmp_path / "quick", with_pip=False)
    python = tmp_path / "quick" / ("Scripts" if os.name == "nt" else "bin") / "python"
    site = next((tmp_path / "quick").rglob("site-packages"))
    (site / "torch.py").write_text(QUICK_TORCH, encoding="utf-8")
    proofs = tmp_path / "proofs"
    proofs.mkdir()
    write(proofs, "CKP901", body="import time; time.sleep(600)")
    write(proofs, "CKP902")
    found = statuses(proofs, python=str(python), seconds=5.0)
    assert found == {"CKP901": ("timed-out", "no answer in 5 seconds"), "CKP902": ("proved", "")}


QUICK_TORCH = """\
__version__ = "2.13.0"

def set_num_threads(number): pass
def manual_seed(number): pass

class distributed:
    def is_available(): return False
"""


def test_an_interpreter_that_is_none(tmp_path: Path) -> None:
    write(tmp_path, "CKP901")
    write(tmp_path, "CKP902")
    found = statuses(tmp_path, python=str(tmp_path / "no-python"))
    assert [status for status, _ in found.values()] == ["unavailable", "unavailable"]
    (tmp_path / "text").write_text("not a program", encoding="utf-8")
    (tmp_path / "text").chmod(0o755)
    assert statuses(tmp_path, python=str(tmp_path / "text"))["CKP901"][0] in {"unavailable", "crashed"}


def test_an_interpreter_without_torch(tmp_path: Path) -> None:
    proofs = tmp_path / "proofs"
    proofs.mkdir()
    write(proofs, "CKP901")
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare" / ("Scripts" if os.name == "nt" else "bin") / "python"
    status, reason = statuses(proofs, python=str(python))["CKP901"]
    assert status == "unavailable" and "no torch in" in reason


def test_neither_pythonpath_nor_the_working_directory_is_imported_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in ("torch", "json", "pickle"):
        (trap / f"{name}.py").write_text("raise SystemExit('the trap was imported')", encoding="utf-8")
    proofs = tmp_path / "proofs"
    proofs.mkdir()
    write(proofs, "CKP901")
    monkeypatch.setenv("PYTHONPATH", str(trap))
    monkeypatch.chdir(trap)
    assert statuses(proofs)["CKP901"] == ("proved", "")


def test_what_a_program_prints_changes_and_leaves_behind_does_not_matter(tmp_path: Path) -> None:
    noise = "; ".join(
        [
            "import os, sys, torch",
            'os.write(1, b\'{"code": "no"}\')',
            "print('{')",
            "os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] = '1'",
            "open('left', 'w').close()",
            "os.chdir(os.path.dirname(os.getcwd()))",
            "torch.manual_seed(7)",
        ]
    )
    write(tmp_path, "CKP901", body=noise)
    clean = (
        "import os, torch; assert 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD' not in os.environ; "
        "assert os.listdir() == [] and torch.initial_seed() == 0"
    )
    write(tmp_path, "CKP902", body=clean)
    assert statuses(tmp_path) == {"CKP901": ("proved", ""), "CKP902": ("proved", "")}


def test_codes_choose_proofs_in_their_order(tmp_path: Path) -> None:
    write(tmp_path, "CKP901")
    write(tmp_path, "CKP902")
    chosen = prove(("CKP902", "CKP901"), sys.executable, fix=no_fix, folder=tmp_path)
    assert [result.code for result in chosen] == ["CKP902", "CKP901"]
    with pytest.raises(KeyError):
        prove(("CKP999",), sys.executable, fix=no_fix, folder=tmp_path)


def test_a_file_without_code_or_program_is_no_proof(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"empty\.py is no proof"):
        read_proof(tmp_path / "empty.py")
