"""The judge of fixes names what a change does, and lets nothing else pass."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from differences import SHAPES, differences, foreign


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("x = torch.load(p)", "x = torch.load(p, map_location='cpu')", ["keyword-added"]),
        ("f(torch.load(p), b=1)", "f(torch.load(p, a=1), b=1)", ["keyword-added"]),
        ("torch.load(p, weights_only=False)", "torch.load(p, weights_only=True)", ["keyword-changed"]),
        ("torch.save(x, p, pickle_protocol=4)", "torch.save(x, p)", ["keyword-removed"]),
        ("torch.save(x, p, pickle)", "torch.save(x, p)", ["argument-removed"]),
        ("torch.save(m.state_dict, p)", "torch.save(m.state_dict(), p)", ["called"]),
        ("torch.save(m, p)", "torch.save(m.state_dict(), p)", ["method-called"]),
        ("d = {'a': args}", "d = {'a': vars(args)}", ["wrapped"]),
        ("b = m.state_dict()", "import copy\nb = copy.deepcopy(m.state_dict())", ["import-added", "wrapped"]),
        ("torch.save(m.state_dict(), p)", "torch.save(m.module.state_dict(), p)", ["attribute-inserted"]),
        ("d = {'m': 1}", "d = {'m': 1, 'o': o.state_dict()}", ["entry-added"]),
        ("d = dict(m=1)", "d = dict(m=1, o=2)", ["keyword-added"]),
        ("d = {}\nsave(d)", "d = {}\nd['o'] = o\nsave(d)", ["entry-added"]),
        ("m.load(sd)\nrun(m)", "m.load(sd)\nm.eval()\nrun(m)", ["statement-added"]),
        ("m = m.load_state_dict(sd)", "m.load_state_dict(sd)", ["target-removed"]),
        ("k = k.lstrip('module.')", "k = k.removeprefix('module.')", ["method-renamed"]),
        ("k = k.replace('module.', '')", "k = k.removeprefix('module.')", ["method-replaced"]),
        ("for k in sd: pass", "for k in list(sd): pass", ["wrapped"]),
        ("x = ckpt['optimzer']", "x = ckpt['optimizer']", ["constant-changed"]),
        ("torch.save(list(m.parameters()), p)", "torch.save(m.state_dict(), p)", ["method-renamed"]),
        ("torch.load(p, f)", "torch.load(p, 'cpu')", ["argument-changed"]),
        ("x = f(a)", "x = g(b)", ["other", "other"]),
        ("x = 1\ny = 2", "x = 1", ["statement-removed"]),
        ("# a\nx = 1", "x = 1", []),
    ],
)
def test_differences(before: str, after: str, expected: list[str]) -> None:
    assert [one for one in differences(before, after) if one] == expected


def test_a_shape_lets_only_its_own_differences_pass() -> None:
    assert foreign("keyword-set", ["keyword-added", "import-added"]) == []
    assert foreign("keyword-set", ["keyword-added", "statement-removed"]) == ["statement-removed"]
    assert foreign(None, ["keyword-added"]) == ["keyword-added"]
    assert not any("other" in allowed or "statement-removed" in allowed for allowed in SHAPES.values())
