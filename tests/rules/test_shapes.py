"""Every fixing rule through every input shape: whatever it does keeps encoding, newlines, comments, and converges."""

from __future__ import annotations

import io
import tokenize
from pathlib import Path

import pytest

from ckpt_lint import engine
from ckpt_lint.edits import ast_parses
from ckpt_lint.model import Applicability, Problem
from ckpt_lint.source.encode import encode
from ckpt_lint.source.text import Source, read_source
from ckpt_lint.workspace import Workspace
from tests.rules.harness import settings_for
from tests.shapes import Shape, shapes

CALLS = {
    "CKP101": ("torch.save(net, path)", "import torch\nfrom torch import nn\nnet = nn.Linear(1, 1)\npath = 'a'\n"),
    "CKP102": ("torch.save(net.state_dict, path)", "import torch\nnet = torch.nn.Linear(1, 1)\npath = 'a'\n"),
    "CKP108": ("torch.save(x0, path, _use_new_zipfile_serialization=False)", "import torch\nx0 = path = 1\n"),
    "CKP114": ("torch.save(x0, path, pickle_protocol=4)", "import torch\nx0 = path = 1\n"),
    "CKP301": ("torch.load(path)", "import torch\npath = 'a'\n"),
    "CKP302": ("torch.load(path)", "import torch\npath = 'a'\n"),
    "CKP303": ("torch.load(path, weights_only=False)", "import torch\npath = 'a'\n"),
    "CKP306": ("torch.load(path, map_location='cuda')", "import torch\npath = 'a'\n"),
    "CKP301 CKP302": ("torch.load(path)", "import torch\npath = 'a'\n"),
    "CKP301 CKP303": ("torch.load(path, None, weights_only=False)", "import torch\npath = 'a'\n"),
    "CKP102 CKP108 CKP114": (
        "torch.save(net.state_dict, path, pickle_protocol=4, _use_new_zipfile_serialization=False)",
        "import torch\nnet = torch.nn.Linear(1, 1)\npath = 'a'\n",
    ),
    "CKP402": ("net.load_state_dict('a.pt')", "import torch\nnet = torch.nn.Linear(1, 1)\n"),
}
"""A call that each fixing rule which speaks of a single call (or several at once) fires on, and what it needs before."""

CASES = [(code, shape) for code, (call, prelude) in CALLS.items() for shape in shapes(call, prelude=prelude)]


def comments(text: str) -> list[str]:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return []
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


def read(shape_data: bytes, path: Path) -> Source:
    path.write_bytes(shape_data)
    source = read_source(str(path), shape_data)
    assert not isinstance(source, Problem)
    return source


@pytest.mark.parametrize(("code", "shape"), CASES, ids=[f"{code}-{shape.name}" for code, shape in CASES])
def test_a_fix_keeps_everything_else(code: str, shape: Shape, tmp_path: Path) -> None:
    path = tmp_path / "shape.py"
    source = read(shape.data, path)
    settings = settings_for(tmp_path, frozenset(code.split()))
    project = Workspace().project_of(source, settings)
    before = engine.check(source, project=project, settings=settings)
    fixed, outcome = engine.fix(source, project=project, settings=settings, unsafe=True)
    assert not outcome.problems, outcome.problems
    fixable = [f for f in before.findings if f.fix and f.fix.applicability is not Applicability.DISPLAY]
    if not fixable:
        assert fixed.text == source.text
        return
    assert fixed.text != source.text
    assert ast_parses(fixed.text) or not ast_parses(source.text)
    assert comments(fixed.text) == comments(source.text)
    data = encode(fixed)
    assert isinstance(data, bytes)
    again = read(data, path)
    assert again.text == fixed.text and again.encoding == source.encoding and again.bom == source.bom
    second, after = engine.fix(again, project=Workspace().project_of(again, settings), settings=settings, unsafe=True)
    assert second.text == again.text and not after.fixed
    left = [f for f in after.findings if f.fix and f.fix.applicability is not Applicability.DISPLAY]
    assert not left


def test_the_shapes_make_the_rules_speak(tmp_path: Path) -> None:
    """The test above would prove nothing if no shape had a finding: most of them must have one with a fix."""
    for code, (call, prelude) in CALLS.items():
        settings = settings_for(tmp_path, frozenset(code.split()))
        speaking = total = 0
        for shape in shapes(call, prelude=prelude):
            source = read(shape.data, tmp_path / "shape.py")
            project = Workspace().project_of(source, settings)
            outcome = engine.check(source, project=project, settings=settings)
            total += 1
            speaking += any(finding.fix for finding in outcome.findings)
        assert speaking > 0.6 * total, f"{code}: {speaking} of {total} shapes"
