"""What the rules on loading say beyond the place: severity, message, safety of the fix, precedence, settings."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ckpt_lint import engine
from ckpt_lint.model import Applicability, Finding, Severity
from ckpt_lint.settings import Patterns, TrustedPath
from ckpt_lint.workspace import Workspace
from tests.rules.harness import DEFAULT_CODES, settings_for, source_of

ERROR, WARNING = Severity.ERROR, Severity.WARNING
SAFE, UNSAFE = Applicability.SAFE, Applicability.UNSAFE


def judge(
    root: Path, body: str, *, torch: str | None = None, codes: frozenset[str] = DEFAULT_CODES, trusted: str = ""
) -> list[Finding]:
    """The findings in a program that imports torch and nn, alone in its folder."""
    path = root / "train.py"
    path.write_text(f"import torch\nfrom torch import nn\n{body}\n", encoding="utf-8")
    source = source_of(path)
    settings = settings_for(root, codes, torch)
    if trusted:
        known = TrustedPath(Patterns(str(root), (trusted,)), "made by us")
        settings = dataclasses.replace(settings, trusted_paths=(known,))
    outcome = engine.check(source, project=Workspace().project_of(source, settings), settings=settings)
    assert not outcome.problems
    return list(outcome.findings)


def only(findings: list[Finding], code: str) -> Finding:
    assert [f.code for f in findings] == [code], [(f.code, f.message) for f in findings]
    return findings[0]


LOAD = "def f(path):\n    return torch.load(path, map_location='cpu')"
HUB = "from torch.hub import load_state_dict_from_url as get\ndef f(url):\n    return get(url, map_location='cpu'{})"
OWN = "def s(m):\n    torch.save(m.state_dict(), 'w.pt')\ndef f(m):\n    m.load_state_dict(torch.load('w.pt', 'cpu'))"
INSIDE = "def f(path, k):\n    with torch.serialization.safe_globals(k):\n        return torch.load(path, 'cpu')"


@pytest.mark.parametrize(
    ("body", "torch", "severity", "says"),
    [
        (LOAD, ">=2.4", ERROR, "a boundary against hostile files only from torch 2.10"),
        (LOAD, ">=1.13,<2.10", ERROR, "below torch 2.6"),
        (LOAD, None, WARNING, "no torch version is declared"),
        (LOAD, ">=1.7", WARNING, "raise the floor first"),
        (LOAD, "==1.6.0", WARNING, "raise the floor first"),
        (OWN, ">=2.4", WARNING, "bare state dict"),
        (INSIDE, ">=2.4", WARNING, "torch 2.5"),
        (HUB.format(""), ">=2.10", ERROR, "still False"),
        (HUB.format(""), None, ERROR, "still False"),
        (HUB.format(", check_hash=False"), ">=2.10", ERROR, "still False"),
        (HUB.format(", check_hash=True"), ">=2.10", WARNING, "still False"),
    ],
)
def test_severity_of_a_load_without_weights_only(
    body: str, torch: str | None, severity: Severity, says: str, tmp_path: Path
) -> None:
    finding = only(judge(tmp_path, body, torch=torch), "CKP302")
    assert (finding.severity, says in finding.message) == (severity, True), finding.message


def test_loads_that_a_declared_torch_would_settle_share_a_cause(tmp_path: Path) -> None:
    assert "torch>=2.6" in (only(judge(tmp_path, LOAD), "CKP302").cause or "")
    assert "torch>=2.6" in (only(judge(tmp_path, LOAD, torch=">=2.4"), "CKP302").cause or "")
    assert only(judge(tmp_path, LOAD, torch="==2.4"), "CKP302").cause is None
    assert only(judge(tmp_path, HUB.format("")), "CKP302").cause is None


FETCHED = "import gdown\ndef f(u):\n    p = gdown.download(u)\n    return torch.load(p, map_location='cpu')"


@pytest.mark.parametrize(("torch", "raised"), [("==1.7.0", True), (">=1.7", True), (">=1.13", False), (None, False)])
def test_a_download_says_when_torch_must_rise_before_the_argument_can_be_given(
    torch: str | None, raised: bool, tmp_path: Path
) -> None:
    finding = only(judge(tmp_path, FETCHED, torch=torch), "CKP304")
    assert ("raise the floor first" in finding.message) is raised, finding.message


REFUSED = "def s(m, p):\n    torch.save(m, 'm.pt')\ndef f():\n    return torch.load('m.pt', map_location='cpu')"
MODULE = "def f(path, x):\n    m = torch.load(path, map_location='cpu')\n    m.eval()\n    return m(x)"


@pytest.mark.parametrize(
    ("body", "torch", "codes", "why"),
    [
        (LOAD, ">=1.7", "CKP302", "releases"),
        (HUB.format(""), ">=2.0", "CKP302", "hub loader"),
        (MODULE, ">=2.4,<2.6", "CKP302", "pickled module"),
        ("def f(path):\n    return torch.load(path, 'cpu', encoding='x')", ">=2.4", "CKP302", "`encoding`"),
        ("def f(e, p):\n    return e.submit(torch.load, p, 'cpu')", ">=2.4", "CKP302", "hands the loader on"),
    ],
)
def test_a_withheld_fix_says_why(body: str, torch: str, codes: str, why: str, tmp_path: Path) -> None:
    finding = only(judge(tmp_path, body, torch=torch, codes=frozenset({codes})), codes)
    assert finding.fix is None
    assert finding.fix_withheld is not None and why in finding.fix_withheld


@pytest.mark.parametrize(
    ("body", "torch", "safety"),
    [
        (OWN, ">=2.4", SAFE),
        (INSIDE, ">=2.4", SAFE),
        (LOAD, ">=2.4", UNSAFE),
        (LOAD, None, UNSAFE),
        (OWN.replace("m.state_dict()", "{'a': m.state_dict()}").replace("'cpu')", "'cpu')['a']"), ">=2.4", UNSAFE),
        (HUB.format(""), ">=2.10", UNSAFE),
    ],
)
def test_safety_of_adding_weights_only(body: str, torch: str | None, safety: Applicability, tmp_path: Path) -> None:
    fix = only(judge(tmp_path, body, torch=torch), "CKP302").fix
    assert fix is not None and fix.applicability is safety


@pytest.mark.parametrize(
    ("body", "safety"),
    [
        ("def f(m, p):\n    m.load_state_dict(torch.load(p))", SAFE),
        ("def f(m, p):\n    d = torch.load(p)\n    m.load_state_dict(d['model'])\n    return d['epoch'] + 1", SAFE),
        ("def f(m, p):\n    m.load_state_dict({k: v for k, v in torch.load(p).items()})", SAFE),
        ("def f(m, p):\n    m.load_state_dict(torch.load(p), assign=True)", UNSAFE),
        ("def f(m, p):\n    d = torch.load(p)\n    m.load_state_dict(d)\n    return d", UNSAFE),
        ("def f(p):\n    return torch.load(p)", UNSAFE),
        ("WEIGHTS = torch.load('w.pt')", UNSAFE),
        ("def f(m, p, x):\n    d = torch.load(p)\n    m.load_state_dict(d['m'])\n    return x * d['scale']", UNSAFE),
        ("class A:\n    def f(self, p):\n        self.d = torch.load(p)\n        self.m.load_state_dict(self.d)", UNSAFE),
    ],
)
def test_safety_of_adding_map_location(body: str, safety: Applicability, tmp_path: Path) -> None:
    fix = only(judge(tmp_path, body, torch=">=2.6"), "CKP301").fix
    assert fix is not None and fix.applicability is safety


DOWNLOADED = (
    "from huggingface_hub import hf_hub_download\n"
    "def f(x):\n    m = torch.load(hf_hub_download('a', 'b'), map_location=0, weights_only=False){}\n"
    "    m.eval()\n    return m(x)"
)


@pytest.mark.parametrize(
    ("without", "speaks", "named"),
    [
        ("", "CKP304", ("CKP303", "CKP307")),
        ("CKP304", "CKP303", ("CKP307",)),
        ("CKP304 CKP303", "CKP307", ()),
    ],
)
def test_the_strongest_of_what_is_selected_speaks(
    without: str, speaks: str, named: tuple[str, ...], tmp_path: Path
) -> None:
    codes = DEFAULT_CODES - set(without.split()) - {"CKP310"}
    finding = only(judge(tmp_path, DOWNLOADED.format(""), codes=codes), speaks)
    assert all(code in finding.message for code in named)


@pytest.mark.parametrize(
    ("comment", "speaks"),
    [("CKP304", "CKP303"), ("CKP304,CKP303", "CKP307"), ("CKP304,CKP303,CKP307", "")],
)
def test_a_suppressed_finding_lets_the_next_one_speak(comment: str, speaks: str, tmp_path: Path) -> None:
    found = judge(tmp_path, DOWNLOADED.format(f"  # noqa: {comment}"), codes=DEFAULT_CODES - {"CKP310"})
    assert [f.code for f in found] == ([speaks] if speaks else [])


FALLBACK = (
    "def f(p):\n    try:\n        return torch.load(p, 'cpu', weights_only=True)\n"
    "    except Exception:\n        return torch.load(p, 'cpu', weights_only=False)"
)


def test_a_fallback_speaks_for_its_handler(tmp_path: Path) -> None:
    assert "CKP303" in only(judge(tmp_path, FALLBACK, torch=">=2.4"), "CKP312").message
    unselected = judge(tmp_path, FALLBACK, torch=">=2.4", codes=DEFAULT_CODES - {"CKP312"})
    assert only(unselected, "CKP303").location.row == 7


def test_device_findings_have_their_own_order(tmp_path: Path) -> None:
    body = "def f(p):\n    return torch.load(p, map_location='{}')"
    assert only(judge(tmp_path, body.format("cuda"), torch=">=2.6"), "CKP306")
    assert only(judge(tmp_path, body.format("cpu:0"), torch=">=2.6"), "CKP310")


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("CKP302", "def f():\n    return torch.load('assets/net.pt', 'cpu')"),
        ("CKP303", "def f():\n    return torch.load('assets/net.pt', 'cpu', weights_only=False)"),
        (
            "CKP304",
            "import urllib.request\ndef f():\n    urllib.request.urlretrieve('https://x', 'assets/net.pt')\n"
            "    return torch.load('assets/net.pt', 'cpu')",
        ),
        ("CKP305", "import pickle\ndef f():\n    with open('assets/net.pt', 'rb') as s:\n        return pickle.load(s)"),
    ],
)
def test_trusted_paths_silence_what_is_said_of_unpickling(code: str, body: str, tmp_path: Path) -> None:
    assert only(judge(tmp_path, body, torch=">=2.4"), code)
    assert judge(tmp_path, body, torch=">=2.4", trusted="assets/*.pt") == []
    assert only(judge(tmp_path, body, torch=">=2.4", trusted="other/*.pt"), code)


READER = "import torch\ndef read(path, where=None):\n    return torch.load(path, map_location=where, weights_only=True)\n"
LEFT = "from reader import read\ndef {}(path):\n    return read(path), read(path)\n"


@pytest.mark.parametrize(
    ("left_in", "known"), [("tests/test_reader.py", False), ("tests/test_reader.py", True), ("other.py", False)]
)
def test_only_calls_that_are_judged_leave_an_argument_to_a_default(tmp_path: Path, left_in: str, known: bool) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'reader'\n", encoding="utf-8")
    (tmp_path / "tests").mkdir()
    (tmp_path / "reader.py").write_text(READER, encoding="utf-8")
    (tmp_path / left_in).write_text(LEFT.format("test_read"), encoding="utf-8")
    source = source_of(tmp_path / "reader.py")
    settings = settings_for(tmp_path, frozenset({"CKP301"}))
    in_tests = frozenset({"CKP301"}) if known else frozenset()
    settings = dataclasses.replace(settings, in_tests=in_tests, test_paths=Patterns(str(tmp_path), ("tests/**",)))
    outcome = engine.check(source, project=Workspace().project_of(source, settings), settings=settings)
    assert [f.location.row for f in outcome.findings] == ([] if left_in.startswith("tests") and not known else [2])
