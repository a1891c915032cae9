"""What proofs saw, as text, JSON, a table and a picture: no torch is needed for any of it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from ckpt_lint.verify.prove import ProofResult, ProofStatus, Seen
from ckpt_lint.verify.prove_docs import pages, write
from ckpt_lint.verify.prove_plot import as_svg
from ckpt_lint.verify.prove_text import as_json, as_table, as_text

VERSIONS = {"python": "3.11.2", "torch": "2.13.0+cpu"}
RESULT = ProofResult(
    code="CKP201",
    name="missing-optimizer-state",
    status=ProofStatus.PROVED,
    before=Seen(
        True,
        False,
        "differs by 0.5 | <or> so",
        {"difference": 0.5, "ran": True, "bytes": 4096},
        {"uninterrupted": [3.0, 2.0, 1.0], "resumed": [3.0, 2.5, 2.0]},
    ),
    after=Seen(
        False, True, "differs by 0", {"difference": 0.0}, {"uninterrupted": [3.0, 2.0, 1.0], "resumed": [3.0, 2.0, 1.0]}
    ),
    by_our_fix=True,
    stand_ins=("a dtype stands in for a device",),
    versions=VERSIONS,
    seconds=0.25,
)
MISSING = ProofResult("CKP203", "missing-scaler-state", ProofStatus.NOT_APPLICABLE, "needs torch 2.3 or newer")


def test_text_of_one() -> None:
    assert as_text([RESULT]) == (
        "CKP201 missing-optimizer-state: proved\n"
        "  before  differs by 0.5 | <or> so\n"
        "  after   differs by 0\n"
        "  difference: 0.5 -> 0\n"
        "  ran: yes -> None\n"
        "  bytes: 4,096 -> None\n"
        "  the right program is our own fix of the bad program\n"
        "  stand-in: a dtype stands in for a device\n"
        "  python 3.11.2, torch 2.13.0+cpu; 0.2 s\n"
    )


def test_text_of_several_counts_them_and_names_what_did_not_run() -> None:
    text = as_text([RESULT, MISSING])
    assert "CKP203 missing-scaler-state: not applicable here (needs torch 2.3 or newer)\n" in text
    assert text.endswith("1 proved, 1 not-applicable\n")


def test_json_has_every_field_and_only_finite_numbers() -> None:
    endless = ProofResult("CKP204", "x", ProofStatus.FAILED, before=Seen(True, False, "", {"apart": float("inf")}))
    first, second = json.loads(as_json([RESULT, endless]), parse_constant=lambda name: name * 2)["proofs"]
    assert first["status"] == "proved" and first["before"]["series"]["resumed"] == [3.0, 2.5, 2.0]
    assert first["versions"] == VERSIONS and second["before"]["figures"] == {"apart": "inf"}


def test_table_escapes_bars_and_has_no_timings() -> None:
    lines = as_table([RESULT, MISSING]).splitlines()
    assert lines[2].startswith(
        "| [CKP201 missing-optimizer-state](../rules/missing-optimizer-state.md) "
        "| differs by 0.5 \\| &lt;or> so | differs by 0 | difference"
    )
    assert "not applicable here" in lines[3]
    assert lines[-1] == "Seen with python 3.11.2, torch 2.13.0+cpu."
    assert "0.25" not in "".join(lines)


def test_picture_draws_the_three_runs() -> None:
    svg = as_svg(RESULT)
    assert svg is not None
    root = ElementTree.fromstring(svg)
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 3 and lines[0].get("points") == "64.0,40.0 344.0,144.0 624.0,248.0"
    assert lines[0].get("points") == lines[2].get("points") != lines[1].get("points")


def test_no_picture_without_curves() -> None:
    assert as_svg(MISSING) is None


def test_pages_are_written_and_those_of_no_proof_removed(tmp_path: Path) -> None:
    wanted = pages([RESULT, MISSING])
    assert sorted(wanted) == [
        "index.md",
        "missing-optimizer-state.svg",
        "missing-optimizer-state.txt",
        "missing-scaler-state.txt",
    ]
    assert wanted["missing-optimizer-state.txt"].endswith("  python 3.11.2, torch 2.13.0+cpu\n")
    (tmp_path / "old.txt").write_text("", encoding="utf-8")
    write(tmp_path, wanted)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(wanted)
