from __future__ import annotations

import ast
import dataclasses
import itertools
import json
from collections.abc import Iterator

import pytest

from ckpt_lint.edits import (
    add_import,
    add_keyword,
    ast_parses,
    converge,
    insert,
    replace,
    wrap,
)
from ckpt_lint.model import Applicability, Finding, Fix, Problem, Span, Status
from ckpt_lint.source.encode import encode
from ckpt_lint.source.lines import LineTable
from ckpt_lint.source.text import Source
from tests.edits.sources import ALL, comments, finding, fix_of, notebook, read
from tests.shapes import shapes


def calls(source: Source) -> Iterator[tuple[ast.Call, Span]]:
    """The calls of `torch.load` that the parser can place (not those in f-strings, before Python 3.12)."""
    for part in source.parts:
        lines = LineTable(part.code)
        for node in ast.walk(ast.parse(part.code)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                start = part.span.start + lines.offset_utf8(node.lineno, node.col_offset)
                end = part.span.start + lines.offset_utf8(node.end_lineno, node.end_col_offset)
                if source.text.startswith("torch", start) and source.text[end - 1] == ")":
                    yield node, Span(start, end)


def rules(source: Source) -> list[Finding]:
    """Two rules that add a keyword, and one that wraps the call and needs an import."""
    found = []
    for node, span in calls(source):
        names = [keyword.arg for keyword in node.keywords]
        for code, name, value in (("CKP1", "map_location", "'cpu'"), ("CKP2", "weights_only", "True")):
            if name not in names:
                edits = add_keyword(source.text, span, f"{name}={value}")
                found.append(finding(source, span, code, fix_of(edits)))
        if not source.text.startswith("deepcopy(", max(span.start - 9, 0)):
            part = next(part for part in source.parts if part.span.start <= span.start <= part.span.end)
            edits = add_import(source, part, "from copy import deepcopy")
            found.append(finding(source, span, "CKP3", fix_of([*edits, *wrap(span, "deepcopy(", ")")])))
    return found


class Undo(ast.NodeTransformer):
    def visit_Call(self, node):
        node = self.generic_visit(node)
        if ast.unparse(node.func) == "deepcopy":
            return node.args[0]
        node.keywords = [word for word in node.keywords if word.arg not in ("map_location", "weights_only")]
        return node

    def visit_ImportFrom(self, node):
        return node if node.module != "copy" else None


@pytest.mark.parametrize("shape", list(shapes("torch.load(path)")), ids=lambda shape: shape.name)
def test_shapes_are_fixed_without_loss(shape):
    source = read(shape.data)
    before = rules(source)
    assert before or shape.name.startswith("f-string")
    result = converge(source, rules, applicabilities=ALL)
    text = result.source.text
    assert (result.problems, result.findings, rules(result.source)) == ((), (), [])
    assert sum(result.applied.values()) == len(before) and result.rounds <= 4
    assert comments(text) == comments(shape.text)
    assert ast.dump(Undo().visit(ast.parse(text))) == ast.dump(ast.parse(shape.text))
    data = encode(result.source)
    assert isinstance(data, bytes)
    assert data.startswith(b"\xef\xbb\xbf") == shape.data.startswith(b"\xef\xbb\xbf")
    for newline in ("\r\n", "\n", "\r"):
        others = shape.text.replace("\r\n", "") if newline != "\r\n" else shape.text
        if newline not in others:
            assert newline not in (text.replace("\r\n", "") if newline != "\r\n" else text)
    assert text.endswith(("\n", "\r")) == shape.text.endswith(("\n", "\r"))
    again = converge(read(data), rules, applicabilities=ALL)
    assert (again.source.text, again.applied, again.rounds) == (text, {}, 0)


def test_notebooks_are_fixed_cell_by_cell():
    source = notebook("!ls\nimport torch", "x = torch.load(p)\n", "broken (", "y = torch.load(\n  q)")
    result = converge(source, _parsed_rules, applicabilities=ALL)
    assert result.problems == () and result.applied == {"CKP1": 2, "CKP2": 2, "CKP3": 2}
    cells = ["".join(cell["source"]) for cell in json.loads(encode(result.source))["cells"]]
    one = "x = deepcopy(torch.load(p, map_location='cpu', weights_only=True))\n"
    two = "y = deepcopy(torch.load(\n  q,\n  map_location='cpu',\n  weights_only=True))"
    assert cells == ["from copy import deepcopy\n!ls\nimport torch", one, "broken (", two]


def _parsed_rules(source: Source) -> list[Finding]:
    parts = tuple(part for part in source.parts if "broken" not in part.code)
    return rules(dataclasses.replace(source, parts=parts))


def test_only_wanted_fixes_are_applied():
    def findings(source: Source) -> list[Finding]:
        span = Span(0, 1)
        return [
            finding(source, span, code, Fix(kind, "", insert(1, code)))
            for code, kind in kinds
            if code not in source.text
        ]

    kinds = [("A", Applicability.SAFE), ("B", Applicability.UNSAFE), ("C", Applicability.DISPLAY)]
    for size in range(4):
        for wanted in itertools.combinations(kinds, size):
            result = converge(read("x"), findings, applicabilities=[kind for _, kind in wanted])
            assert set(result.source.text) == {"x", *(code for code, _ in wanted)}
            assert sorted(result.applied) == [code for code, _ in wanted]


def test_a_fix_that_breaks_the_code_is_dropped_and_named():
    def findings(source: Source) -> list[Finding]:
        found = [finding(source, Span(8, 9), "CKP9", fix_of(insert(8, "(")))]
        if "z" not in source.text:
            found += [finding(source, Span(0, 1), "CKP1", fix_of(insert(len(source.text), "z\n")))]
        return found

    result = converge(read("x = 1\ny = 2\n"), findings, applicabilities=ALL)
    assert result.source.text == "x = 1\ny = 2\nz\n"
    assert result.applied == {"CKP1": 1}
    (problem,) = result.problems
    assert problem.status is Status.NOT_FIXED and "CKP9" in problem.message and problem.location.row == 2


def test_fixes_that_only_break_together_come_one_after_another():
    def findings(source: Source) -> list[Finding]:
        found = []
        if "f(a)" in source.text:
            found.append(finding(source, Span(0, 1), "CKP1", fix_of(replace(Span(2, 3), ""))))
        if ", b" not in source.text:
            start = 3 if "f(a)" in source.text else 2
            found.append(finding(source, Span(1, 2), "CKP2", fix_of(insert(start, ", b" if start == 3 else "*(), b"))))
        return found

    result = converge(read("f(a)\n"), findings, applicabilities=ALL)
    assert (result.source.text, result.problems) == ("f(*(), b)\n", ())


def test_a_fix_outside_of_the_text_is_dropped():
    def findings(source: Source) -> list[Finding]:
        return [finding(source, Span(0, 1), "CKP9", fix_of(insert(99, "x")))]

    result = converge(read("x\n"), findings, applicabilities=ALL)
    assert result.source.text == "x\n" and "CKP9" in result.problems[0].message


def test_rules_that_undo_each_other_are_named_and_nothing_changes():
    def findings(source: Source) -> list[Finding]:
        code, text = ("CKP1", "b") if source.text == "a\n" else ("CKP2", "a")
        return [finding(source, Span(0, 1), code, fix_of(replace(Span(0, 1), text)))]

    source = read("a\n")
    result = converge(source, findings, applicabilities=ALL)
    assert result.source == source and result.applied == {} and result.findings[0].code == "CKP1"
    assert [problem.status for problem in result.problems] == [Status.NOT_FIXED] and "CKP2" in result.problems[
        0
    ].message


@pytest.mark.parametrize("edit", [("x", 1), ("-", 0)])
def test_a_finding_that_survives_its_fix_is_an_error(edit):
    calls_made = []

    def findings(source: Source) -> list[Finding]:
        calls_made.append(1)
        start = source.text.index("x")
        return [finding(source, Span(start, start + 1), "CKP7", fix_of(insert(start + edit[1], edit[0])))]

    result = converge(read("x\n"), findings, applicabilities=ALL)
    assert result.source.text == "x\n" and "CKP7" in result.problems[0].message and len(calls_made) < 6


def test_applied_counts_findings_that_are_gone():
    """A rule's fix can clear the finding of another, and one fix can serve two findings."""

    def findings(source: Source) -> list[Finding]:
        if "b" in source.text:
            return []
        fix = fix_of(replace(Span(0, 1), "b"))
        return [finding(source, Span(0, 1), code, fix) for code in ("CKP1", "CKP2")]

    result = converge(read("a\n"), findings, applicabilities=ALL)
    assert (result.source.text, result.applied) == ("b\n", {"CKP1": 1, "CKP2": 1})


def test_newer_syntax_is_held_to_the_parser_that_reads_it():
    text = "new syntax!\nx\n"

    def findings(source: Source) -> list[Finding]:
        return [] if "Y" in source.text else [finding(source, Span(12, 13), "CKP1", fix_of(replace(Span(12, 13), "Y")))]

    asked: list[str] = []

    def parses(code: str) -> bool:
        asked.append(code)
        return "Y" not in code

    assert converge(read(text), findings, applicabilities=ALL).source.text == "new syntax!\nY\n"
    refused = converge(read(text), findings, applicabilities=ALL, parsers=(ast_parses, parses))
    assert refused.source.text == text and isinstance(refused.problems[0], Problem) and asked
