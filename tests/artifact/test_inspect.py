"""What `inspect` shows: text that fits, JSON, a page that escapes and loads nothing, and differences."""

from __future__ import annotations

import argparse
import html.parser
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ckpt_lint.artifact import read_artifact
from ckpt_lint.artifact.judge import findings
from ckpt_lint.artifact.versions import verdict_for
from ckpt_lint.cli import inspect as command
from ckpt_lint.report import inspect_diff, inspect_html, inspect_json, inspect_text

FILES = Path(__file__).parents[2] / "fixtures" / "checkpoints" / "files"
NAMES = sorted(path.name for path in FILES.iterdir())
NASTY = "\x1b[31m<script>alert(1)</script>\u202e\n"


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return command.run(parser.parse_args(["inspect", *words]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [40, 100])
def test_text_fits_and_says_what_it_is(name: str, width: int) -> None:
    facts = read_artifact(FILES / name)
    text = inspect_text.render(facts, width=width, findings=list(findings(facts)))
    assert max(len(line) for line in text.splitlines()) <= width
    assert all(line == line.rstrip() for line in text.splitlines())
    assert text.isprintable() or set(text) - {"\n"} == {letter for letter in text if letter.isprintable()}
    assert facts.title.split()[1] in text


@pytest.mark.parametrize("name", NAMES)
def test_json_and_html_of_every_kind(name: str) -> None:
    facts = read_artifact(FILES / name)
    found = list(findings(facts))
    row = json.loads(inspect_json.render(facts, findings=found))
    assert [item["code"] for item in row["findings"]] == [item.code for item in found]
    assert len(row["tensors"]) == len(facts.tensors)
    page = inspect_html.render(facts, findings=found)
    assert not re.search(r"(src|href)=|<script|@import|url\(", page)
    html.parser.HTMLParser().feed(page)


def test_names_from_the_file_are_escaped_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "nasty.pt"
    torch.save({NASTY: torch.ones(2), "ok": {NASTY: NASTY}}, path)
    facts = read_artifact(path)
    for text in (inspect_text.render(facts), inspect_json.render(facts), inspect_html.render(facts)):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<script" not in inspect_html.render(facts)


def test_the_treemap_covers_the_page_by_size(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"big": torch.ones(3000), "two": {"a": torch.ones(500), "b": torch.ones(500)}}, path)
    tree = read_artifact(path).tree
    assert tree is not None
    boxes = inspect_html.boxes(tree)
    area = sum(box.width * box.height for box in boxes)
    assert [box.label for box in boxes] == ["big", "two.a", "two.b"]
    for box in boxes:
        assert box.width * box.height / area == pytest.approx(box.size / 16000, rel=1e-6)


def test_a_diff_names_what_changed(tmp_path: Path) -> None:
    old, new = tmp_path / "old.pt", tmp_path / "new.pt"
    torch.save({"a": torch.ones(2), "b": torch.ones(3), "c": torch.ones(4)}, old)
    torch.save({"a": torch.zeros(2), "b": torch.ones(3, 1), "d": torch.ones(4)}, new)
    found = {(item.kind, item.key) for item in inspect_diff.changes(read_artifact(old), read_artifact(new))}
    assert {("data", "a"), ("shape", "b"), ("removed", "c"), ("added", "d")} <= found
    assert ("data", "b") not in found
    same = inspect_diff.render(read_artifact(old), read_artifact(old))
    assert same.endswith("no differences\n")
    assert json.loads(inspect_diff.render_json(read_artifact(old), read_artifact(new)))["changes"]


def test_facts_of_a_training_checkpoint() -> None:
    facts = read_artifact(FILES / "train_full.pt")
    assert facts.parameters == 34
    assert [model.key for model in facts.training.models] == ["model"]
    assert facts.training.optimizers == ("optimizer",)
    assert facts.training.scalers == ("scaler",)
    assert set(facts.training.rng) == {"rng", "py_rng"}
    assert facts.training.progress == (("epoch", 3),)
    assert facts.training.versions == ("torch_version",)


def test_facts_of_ties_views_and_wrappers() -> None:
    assert read_artifact(FILES / "tied.pt").tied == (("embed.weight", "head.weight"),)
    bloat = read_artifact(FILES / "view_of_large.pt").bloat
    assert [(item.used, item.size) for item in bloat] == [(32, 16384)]
    prefixes = [model.prefix for model in read_artifact(FILES / "data_parallel_compiled.pt").training.models]
    assert prefixes == ["module._orig_mod."]
    assert read_artifact(FILES / "cuda_two.pt").devices == ("cuda:1",)


def test_an_allow_list_is_proposed_only_where_it_helps() -> None:
    """And it does help: torch loads the file under it."""
    import argparse as admitted

    assert read_artifact(FILES / "namespace.pt").safe_globals == ("argparse.Namespace",)
    with torch.serialization.safe_globals([admitted.Namespace]):
        torch.load(FILES / "namespace.pt", weights_only=True)
    for name in ("defaultdict.pt", "numpy_scalar.pt", "enum.pt", "evil_zip.pt", "whole_optimizer.pt", "protocol_4.pt"):
        assert read_artifact(FILES / name).safe_globals == ()


def test_other_versions_of_torch() -> None:
    plain, rich = read_artifact(FILES / "state_dict.pt"), read_artifact(FILES / "train_adam.pt")
    assert verdict_for(plain, "2.0.1").loads is True
    assert verdict_for(rich, "1.13.1").loads is False
    assert verdict_for(rich, "2.13.0+cpu").loads is True
    assert verdict_for(rich, "99.0").loads is None
    assert verdict_for(read_artifact(FILES / "train_sched_multistep.pt"), "2.3.1").loads is False
    assert verdict_for(read_artifact(FILES / "train_sched_multistep.pt"), "2.4.1").loads is True
    assert verdict_for(read_artifact(FILES / "namespace.pt"), "2.6").loads is False
    with pytest.raises(ValueError, match="no version"):
        verdict_for(plain, "newest")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(FILES / "train_full.pt"), "--torch", "2.4.1") == 0
    assert "torch 2.4.1" in capsys.readouterr().out
    assert run(str(FILES / "train_full.pt"), "--html", str(tmp_path / "page.html")) == 0
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert run("--diff", str(FILES / "train_adam.pt"), str(FILES / "train_sgd.pt"), "--json") == 0
    assert json.loads(capsys.readouterr().out)["changes"]
    assert run(str(tmp_path / "none.pt")) == 3
    assert "none.pt" in capsys.readouterr().err
    assert run("--diff", str(FILES / "train_adam.pt")) == 2
    assert run(str(FILES / "nan.pt"), "--deep") == 0
    assert "CKP504" in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.pt")
    command = [sys.executable, "-m", "ckpt_lint", "inspect", str(tmp_path / "model.pt")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3 and "no regular file" in done.stderr


def test_no_torch_is_imported() -> None:
    """In a fresh process, and nothing else that is heavy."""
    import subprocess

    code = (
        "import sys; from ckpt_lint.artifact import read_artifact; from ckpt_lint.artifact.judge import findings\n"
        f"list(findings(read_artifact({str(FILES / 'train_full.pt')!r})))\n"
        "print([name for name in ('torch', 'numpy', 'libcst', 'fsspec', 'rich', 'pickle') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"
