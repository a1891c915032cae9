"""The sample project of the README: what is found there, and that fixing it comes to an end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.cli.command import ckpt_lint

SAMPLE = Path(__file__).parents[1] / "fixtures" / "projects" / "classifier"
EXPECTED = {
    ("classifier/finetune.py", "torch.load(path"): {"CKP302"},
    ("classifier/finetune.py", "strict=False"): {"CKP403"},
    ("classifier/finetune.py", "model.state_dict,"): {"CKP102", "CKP201"},
    ("classifier/finetune.py", "latest.pt"): {"CKP201"},
    ("classifier/predict.py", "torch.load(path"): {"CKP301", "CKP303", "CKP401"},
    ("classifier/train.py", "torch.load(args.resume)"): {"CKP301", "CKP302"},
    ("classifier/train.py", "best_weights = model"): {"CKP106"},
    ("classifier/train.py", "            {"): {"CKP202", "CKP203", "CKP204"},
    ("classifier/train.py", '"model.pt"'): {"CKP101"},
    ("notebooks/mistakes.ipynb", "3:3"): {"CKP301", "CKP302"},
    ("notebooks/mistakes.ipynb", "6:2"): {"CKP101"},
}
FIRST = {code for codes in EXPECTED.values() for code in codes}


def test_the_hazards_are_found() -> None:
    ran = ckpt_lint("check", "--output-format", "json", cwd=SAMPLE)
    found: dict[tuple[str, str], set[str]] = {}
    for row in json.loads(ran.out):
        path = str(Path(row["filename"]).relative_to(SAMPLE))
        if row["code"] in FIRST:
            found.setdefault((path, _place(path, row)), set()).add(row["code"])
    assert found == {(path, _line(path, text)): codes for (path, text), codes in EXPECTED.items()}


def _place(path: str, row: dict[str, dict[str, int]]) -> str:
    line = row["location"]["row"]
    return f"{row['cell']}:{line}" if path.endswith(".ipynb") else str(line)


def _line(path: str, text: str) -> str:
    if path.endswith(".ipynb"):
        return text
    lines = (SAMPLE / path).read_text().splitlines()
    return str(next(number for number, line in enumerate(lines, 1) if text in line))


def test_fixing_it_leaves_what_a_person_must_do(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / "classifier")
    ran = ckpt_lint("check", "--fix", "--unsafe-fixes", cwd=tmp_path / "classifier")
    assert ran.code == 1 and "fixed" in ran.out
    for file in sorted(tmp_path.rglob("*.py")):
        compile(file.read_text(), str(file), "exec")
    json.loads((tmp_path / "classifier" / "notebooks" / "mistakes.ipynb").read_text())
    fixed = {file: file.read_bytes() for file in sorted(tmp_path.rglob("*.*")) if file.is_file()}
    again = ckpt_lint("check", "--fix", "--unsafe-fixes", cwd=tmp_path / "classifier")
    assert " fixed" not in again.out
    assert {file: file.read_bytes() for file in fixed} == fixed
