from __future__ import annotations

import ast
import dataclasses
import io
import itertools
import json
import tokenize
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpt_lint.edits import (
    add_dict_entry,
    add_import,
    add_keyword,
    compose,
    converge,
    insert,
    insert_after,
    insert_before,
    remove_argument,
    replace,
    statement_at,
    wrap,
)
from ckpt_lint.model import Applicability, Edit, Finding, Fix, Problem, Severity, Span, Status
from ckpt_lint.source.encode import encode
from ckpt_lint.source.lines import LineTable
from ckpt_lint.source.text import Source, read_source
from tests.shapes import shapes

SAFE = Applicability.SAFE
ALL = tuple(Applicability)


def read(text: str | bytes, path: str = "a.py") -> Source:
    source = read_source(path, text if isinstance(text, bytes) else text.encode())
    assert isinstance(source, Source), source
    return source


def applied(text: str, *fixes: Sequence[Edit]) -> str:
    """All fixes in one round; fails where one has to wait."""
    chosen = compose([fix_of(edits) for edits in fixes])
    assert not chosen.waiting and not chosen.broken
    return read(text).edited(chosen.edits).text


def fix_of(edits: Sequence[Edit]) -> Fix:
    return Fix(SAFE, "a fix", tuple(edits))


def finding(source: Source, span: Span, code: str, fix: Fix | None) -> Finding:
    start, end = source.location(span.start), source.location(span.end)
    return Finding(code, code.lower(), Severity.ERROR, "m", source.path, span, start, end, start.row, fix)


# Arguments

CALLS = [
    ("f()", "f(a=1)", "f(a=1, b=2)"),
    ("f( )", "f(a=1)", "f(a=1, b=2)"),
    ("f(  # c\n)", "f(a=1  # c\n)", "f(a=1, b=2  # c\n)"),
    ("f(p)", "f(p, a=1)", "f(p, a=1, b=2)"),
    ("f(p,)", "f(p, a=1,)", "f(p, a=1, b=2,)"),
    ("f(p, 'cpu')", "f(p, 'cpu', a=1)", "f(p, 'cpu', a=1, b=2)"),
    ("f(p, **k)", "f(p, **k, a=1)", "f(p, **k, a=1, b=2)"),
    ("f(y for y in z)", "f((y for y in z), a=1)", "f((y for y in z), a=1, b=2)"),
    ("f((y for y in z))", "f((y for y in z), a=1)", "f((y for y in z), a=1, b=2)"),
    ("f([y for y in z])", "f([y for y in z], a=1)", "f([y for y in z], a=1, b=2)"),
    ("f(\n    p,\n)", "f(\n    p,\n    a=1,\n)", "f(\n    p,\n    a=1,\n    b=2,\n)"),
    ("f(\n\tp\n)", "f(\n\tp,\n\ta=1\n)", "f(\n\tp,\n\ta=1,\n\tb=2\n)"),
    ("f(\n  p,  # c\n)", "f(\n  p,  # c\n  a=1,\n)", "f(\n  p,  # c\n  a=1,\n  b=2,\n)"),
    ("f(\n  p  # c\n)", "f(\n  p,  # c\n  a=1,\n)", "f(\n  p,  # c\n  a=1,\n  b=2,\n)"),
    ("f(\n  p  # c, )\n  # d\n)", "f(\n  p,  # c, )\n  a=1,\n  # d\n)", "f(\n  p,  # c, )\n  a=1,\n  b=2,\n  # d\n)"),
    ("f(\n  p  # c\n  ,\n)", "f(\n  p  # c\n  ,\n  a=1,\n)", "f(\n  p  # c\n  ,\n  a=1,\n  b=2,\n)"),
    ("f(p,\n  q)", "f(p,\n  q,\n  a=1)", "f(p,\n  q,\n  a=1,\n  b=2)"),
    ("f(p, q,\n  r)", "f(p, q,\n  r, a=1)", "f(p, q,\n  r, a=1, b=2)"),
    ("f(p, \\\n  q)", "f(p, \\\n  q, a=1)", "f(p, \\\n  q, a=1, b=2)"),
    ("f(p  # c\n)", "f(p, a=1  # c\n)", "f(p, a=1, b=2  # c\n)"),
    ("f(lambda x, y: 0)", "f(lambda x, y: 0, a=1)", "f(lambda x, y: 0, a=1, b=2)"),
    ('f(\')\', \'#(\', """\n(""")', 'f(\')\', \'#(\', """\n(""", a=1)', 'f(\')\', \'#(\', """\n(""", a=1, b=2)'),
    ("f(q)(p)", "f(q)(p, a=1)", "f(q)(p, a=1, b=2)"),
    ("g[h(0)] (p)", "g[h(0)] (p, a=1)", "g[h(0)] (p, a=1, b=2)"),
    ("f(\n  g(p)\n  .h,\n)", "f(\n  g(p)\n  .h,\n  a=1,\n)", "f(\n  g(p)\n  .h,\n  a=1,\n  b=2,\n)"),
]


@pytest.mark.parametrize(("call", "one", "two"), CALLS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_keywords_are_added_in_the_style_of_the_call(call, one, two, newline):
    call, one, two = (code.replace("\n", newline) for code in (call, one, two))
    before, behind = f"é = [0, {newline}", f"]{newline}"

    def missing(source: Source) -> list[Finding]:
        inside = Span(len(before), len(source.text) - len(behind))
        keywords = [keyword for keyword in ("a=1", "b=2") if keyword not in source.text]
        return [
            finding(source, inside, "CKP" + keyword, fix_of(add_keyword(source.text, inside, keyword)))
            for keyword in keywords
        ]

    source = read(before + call + behind)
    edits = add_keyword(source.text, Span(len(before), len(before + call)), "a=1")
    assert source.edited(compose([fix_of(edits)]).edits).text == before + one + behind
    result = converge(source, missing, applicabilities=ALL)
    assert result.source.text == before + two + behind
    assert (result.applied, result.problems, result.findings) == ({"CKPa=1": 1, "CKPb=2": 1}, (), ())
    assert result.rounds == (2 if "f()" in call or "f( " in call else 1)
    ast.parse(result.source.text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f'{f(p)}'", "f'{f(p, a=\"b\")}'"),
        ('f"{f(p)}"', "f\"{f(p, a='b')}\""),
        ('x = rf"""\n{f(p)}"""', 'x = rf"""\n{f(p, a=\'b\')}"""'),
        ("f'' + f(p)", "f'' + f(p, a=\"b\")"),
        ("f'''\n''' + f(p)", "f'''\n''' + f(p, a=\"b\")"),
        ("# f'''\nf(p)", "# f'''\nf(p, a=\"b\")"),
        ("'{f(p)}'", "'{f(p, a=\"b\")}'"),
    ],
)
def test_keywords_in_f_strings_have_the_other_quotes(text, expected):
    start = text.index("f(p)")
    assert applied(text, add_keyword(text, Span(start, start + 4), 'a="b"')) == expected
    ast.parse(expected)


def test_no_call_no_keyword():
    for text in ("f", "f(", "[p]", "f(p]", ""):
        with pytest.raises(ValueError, match="closes"):
            add_keyword(text, Span(0, len(text)), "a=1")


@pytest.mark.parametrize(
    ("call", "argument", "expected"),
    [
        ("f(x=1)", "x=1", "f()"),
        ("f(x=1,)", "x=1", "f()"),
        ("f(x=1, y=2)", "x=1", "f(y=2)"),
        ("f(p, x=1)", "x=1", "f(p)"),
        ("f(p, x=1,)", "x=1", "f(p,)"),
        ("f(p, x=1, y=2)", "x=1", "f(p, y=2)"),
        ("f(p,\n  x=1,\n  y=2)", "x=1", "f(p,\n  y=2)"),
        ("f(\n  p,\n  x=1,\n)", "x=1", "f(\n  p,\n)"),
        ("f(\n  x=1,\n  y=2,\n)", "x=1", "f(\n  y=2,\n)"),
        ("f(\n  p,  # c\n  x=1,\n  y=2,\n)", "x=1", "f(\n  p,  # c\n  y=2,\n)"),
        ("f(\n  p,  # c\n  x=1\n)", "x=1", "f(\n  p,  # c\n)"),
        ("f(\n  p,  # c\n  x=1,  # d\n)", "x=1", "f(\n  p,  # c\n  # d\n)"),
        ("f(\n  p,\n  x=1,  # d\n)", "x=1", "f(\n  p,  # d\n)"),
        ("f(\n  x=1,  # d\n)", "x=1", "f(\n    # d\n)"),
        ("f(\n  x=1,  # d\n  y=2)", "x=1", "f(\n  # d\n  y=2)"),
        ("f(p, x=g(1, 2), y=3)", "x=g(1, 2)", "f(p, y=3)"),
    ],
)
def test_arguments_are_removed_with_their_comma(call, argument, expected):
    start = call.index(argument)
    edits = remove_argument(call, Span(0, len(call)), Span(start, start + len(argument)))
    assert applied(call, edits) == expected
    ast.parse(expected)


def test_any_arguments_are_removed_and_added_together():
    """Every subset of the arguments goes, and two keywords come, whatever waits for a later round."""
    for count in range(4):
        arguments = ["p=0", "q=1", "r=2"][:count]
        for size, tail in itertools.product(range(count + 1), ("", ",")):
            for gone in itertools.combinations(arguments, size):
                text = f"f({', '.join(arguments)}{tail if arguments else ''})"
                result = converge(read(text), _swap(gone), applicabilities=ALL)
                node = ast.parse(result.source.text, mode="eval").body
                left = sorted({*arguments} - {*gone} | {"a=1", "b=2"})
                assert sorted(ast.unparse(keyword) for keyword in node.keywords) == left, (text, gone)
                assert result.problems == ()


def _swap(gone: Sequence[str]) -> Callable[[Source], list[Finding]]:
    def findings(source: Source) -> list[Finding]:
        text, call = source.text, Span(0, len(source.text))
        found = [
            (argument, remove_argument(text, call, Span(text.index(argument), text.index(argument) + len(argument))))
            for argument in gone
            if argument in text
        ]
        found += [(keyword, add_keyword(text, call, keyword)) for keyword in ("a=1", "b=2") if keyword not in text]
        return [finding(source, call, f"CKP {name}", fix_of(edits)) for name, edits in found]

    return findings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", '{"k": v}'),
        ("{'a': 1}", "{'a': 1, 'k': v}"),
        ('{"a": 1,}', '{"a": 1, "k": v,}'),
        ("{**a}", '{**a, "k": v}'),
        ("{f'a': 1}", "{f'a': 1, 'k': v}"),
        ("{\n    'a': 1,  # c\n    'b': {'c': 2}\n}", "{\n    'a': 1,  # c\n    'b': {'c': 2},\n    'k': v\n}"),
        ("{\n    'a': 1,\n    # c\n}", "{\n    'a': 1,\n    'k': v,\n    # c\n}"),
        ("{  # c\n}", '{"k": v  # c\n}'),
        ("dict()", "dict(k=v)"),
        ("dict(a=1)", "dict(a=1, k=v)"),
        ("dict((a, b) for a in b)", "dict(((a, b) for a in b), k=v)"),
        ("dict(\n  a=1,\n)", "dict(\n  a=1,\n  k=v,\n)"),
    ],
)
def test_entries_are_added_to_dicts(text, expected):
    assert applied(text, add_dict_entry(text, Span(0, len(text)), "k", "v")) == expected
    ast.parse(expected)


@pytest.mark.parametrize(("text", "key"), [("{a: b for a in c}", "k"), ("dict(a=1)", "k.l"), ("{1}x", "k")])
def test_what_takes_no_entry(text, key):
    with pytest.raises(ValueError, match=r"comprehension|spell|closes"):
        add_dict_entry(text, Span(0, len(text)), key, "v")


# Values


def test_values_are_wrapped_replaced_and_added_to():
    assert applied("f(m)", wrap(Span(2, 3), "copy.deepcopy(", ")")) == "f(copy.deepcopy(m))"
    assert applied("f(m)", replace(Span(2, 3), "n")) == "f(n)"
    assert applied("f(m)", insert(3, ".state_dict()")) == "f(m.state_dict())"
    assert applied("f(g(m))", wrap(Span(2, 6), "a(", ")"), wrap(Span(4, 5), "b(", ")")) == "f(a(g(b(m))))"


# Statements


@pytest.mark.parametrize(
    ("text", "after", "before"),
    [
        ("x = 1\n", "x = 1\nNEW\n", "NEW\nx = 1\n"),
        ("x = 1", "x = 1\nNEW", "NEW\nx = 1"),
        ("x = 1  # c\ny\n", "x = 1  # c\nNEW\ny\n", "NEW\nx = 1  # c\ny\n"),
        ("if y:\n\tx = 1\n", "if y:\n\tx = 1\n\tNEW\n", "if y:\n\tNEW\n\tx = 1\n"),
        ("if y: x = 1\n", "if y: x = 1; NEW\n", "if y: NEW; x = 1\n"),
        ("y; x = 1; z\n", "y; x = 1; NEW; z\n", "y; NEW; x = 1; z\n"),
        ("x = 1; z\n", "x = 1; NEW; z\n", "NEW\nx = 1; z\n"),
        ("x = 1;  # c\n", "x = 1; NEW;  # c\n", "NEW\nx = 1;  # c\n"),
        ("if y: \\\n  x = 1\nz\n", "if y: \\\n  x = 1; NEW\nz\n", "if y: \\\n  NEW; x = 1\nz\n"),
        ("if y:\n  pass\n\f  x = 1\n", None, None),
        ("\fx = 1\n", "\fx = 1\nNEW\n", "\fNEW\nx = 1\n"),
        ("y\n\n\nx = 1\n\n\nz\n", "y\n\n\nx = 1\nNEW\n\n\nz\n", "y\n\n\nNEW\nx = 1\n\n\nz\n"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_statements_are_put_beside_others(text, after, before, newline):
    if after is None:
        after = text + "  NEW\n"
        before = text.replace("\f  x", "\f  NEW\n  x")
    if "\n" not in text and newline != "\n":
        return  # one line has no newline to take up
    text, after, before = (code.replace("\n", newline) for code in (text, after, before))
    start = text.index("x = 1")
    span = Span(start, start + 5)
    assert statement_at(text, start + 3) == span
    assert applied(text, insert_after(text, span, "NEW")) == after
    assert applied(text, insert_before(text, span, "NEW")) == before
    ast.parse(after)
    ast.parse(before)
    two = applied(text, insert_after(text, span, "B"), insert_after(text, span, "A"))
    assert [two.index("x = 1") < two.index("A") < two.index("B"), ast.parse(two) is not None] == [True, True]


def test_statement_at_a_place():
    text = "@d(\n 1)\nclass A:\n    def f(self):\n        try:\n            return (1)\n        except E: pass\n\n# c\n"
    at = {word: statement_at(text, text.index(word)) for word in ("1)", "f(", "(1)", "E:", "pass", "# c")}
    spelled = {word: span and text[span.start : span.end].split("\n")[0] for word, span in at.items()}
    assert spelled == {
        "1)": "@d(",
        "f(": "def f(self):",
        "(1)": "return (1)",
        "E:": "try:",
        "pass": "pass",
        "# c": None,
    }
    assert statement_at("x = (", 0) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "NEW\n"),
        ("import torch\n", "NEW\nimport torch\n"),
        ("# c\n\nimport torch\n", "# c\n\nNEW\nimport torch\n"),
        ("#!x\n# coding: utf-8\nx = 1\n", "#!x\n# coding: utf-8\nNEW\nx = 1\n"),
        ('"""Doc."""\n\nimport torch\n', '"""Doc."""\n\nNEW\nimport torch\n'),
        ('"""Doc."""\nfrom __future__ import a\n\nx\n', '"""Doc."""\nfrom __future__ import a\n\nNEW\nx\n'),
        ('"""Doc."""; import torch\n', '"""Doc."""; NEW; import torch\n'),
        ('"""Doc."""', '"""Doc."""\nNEW'),
        ("from __future__ import a; x\n", "from __future__ import a; NEW; x\n"),
        ("@d\ndef f(): pass\n", "NEW\n@d\ndef f(): pass\n"),
        ("if TYPE_CHECKING:\n    NEW\nx\n", "NEW\nif TYPE_CHECKING:\n    NEW\nx\n"),
        ("def f():\n    NEW\n", "NEW\ndef f():\n    NEW\n"),
        ("x\nNEW\n", None),
        ("import os, copy\nx\n", None),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_imports_are_added_once_and_at_the_top(text, expected, newline):
    text, expected = (code and code.replace("NEW", "import copy").replace("\n", newline) for code in (text, expected))
    source = read(text)
    edits = add_import(source, source.parts[0], "import copy")
    assert edits is not None and (expected is None) == (edits == ())
    result = source.edited(edits).text
    if "\n" not in text:  # no newline to take up
        result, expected = result.replace("\r", ""), (expected or "").replace("\r", "")
    assert result == (expected or text)
    ast.parse(result)


@pytest.mark.parametrize(
    "text",
    [
        "copy = 1\n",
        "from shutil import copy\n",
        "import shutil as copy\n",
        "def f(copy): pass\n",
        "def copy(): pass\n",
        "try: pass\nexcept E as copy: pass\n",
        "x = (\n",
    ],
)
def test_an_import_whose_name_is_taken_is_withheld(text):
    source = read(text)
    assert add_import(source, source.parts[0], "import copy") is None


def test_from_imports():
    source = read("from copy import copy, deepcopy as d\n")
    part = source.parts[0]
    assert add_import(source, part, "from copy import copy") == ()
    assert add_import(source, part, "from copy import deepcopy as d") == ()
    assert add_import(source, part, "from copy import deepcopy") != ()
    assert add_import(source, part, "from .copy import copy") is None


def notebook(*sources: str) -> Source:
    cells = [{"cell_type": "code", "source": text.splitlines(keepends=True)} for text in sources]
    return read(json.dumps({"cells": cells}).encode(), "a.ipynb")


def test_imports_of_notebooks_go_to_the_other_imports_or_where_they_are_needed():
    source = notebook("import os\n", "%%time\n!ls\nx = 1", "import copy", "%%writefile a.py\nx", "y")
    parts = source.parts
    edited = source.edited(add_import(source, parts[1], "import copy"))
    assert [part.code for part in edited.parts[:2]] == ["import copy\nimport os\n", parts[1].code]
    alone = notebook("x = 1", "%%time\n!ls -l\ny = 2")
    edited = alone.edited(add_import(alone, alone.parts[1], "import copy"))
    assert [part.code for part in edited.parts] == ["x = 1", "      \nimport copy\npass  \ny = 2"]
    assert add_import(source, parts[4], "import copy") == ()
    assert source.edited(add_import(source, parts[3], "import copy")).parts[3].code.endswith("\nimport copy\nx")


# Composition

SMALL = st.builds(
    lambda start, length, text: Edit(Span(start, min(start + length, 12)), text),
    st.integers(0, 12),
    st.sampled_from([0, 0, 1, 2, 5]),
    st.sampled_from(["", "A", ", b", ", c", "\nd", "e\n", ")", "; f"]),
)
FIXES = st.lists(st.lists(SMALL, min_size=1, max_size=3).map(fix_of), max_size=6)


@given(FIXES, st.randoms(use_true_random=False))
def test_composition_is_atomic_and_knows_no_order(fixes, random):
    source = read("abcdefghijkl")
    chosen = compose(fixes)
    assert sorted((*chosen.taken, *chosen.waiting, *chosen.broken)) == list(range(len(fixes)))
    wanted = {edit for index in chosen.taken for edit in fixes[index].edits}
    assert set(chosen.edits) == wanted and len(chosen.edits) == len(wanted)
    text = source.edited(chosen.edits).text
    inserted = sum(len(edit.text) for edit in chosen.edits)
    removed = sum(edit.span.end - edit.span.start for edit in chosen.edits)
    assert len(text) == 12 + inserted - removed
    if set(chosen.broken) != set(range(len(fixes))):
        assert chosen.taken, "a round without progress"
    shuffled = list(fixes)
    random.shuffle(shuffled)
    again = compose(shuffled)
    assert source.edited(again.edits).text == text
    assert {shuffled[index].edits for index in again.taken} == {fixes[index].edits for index in chosen.taken}


@given(FIXES)
def test_rounds_of_compositions_come_to_an_end(fixes):
    left = fixes
    for _ in range(len(fixes) + 1):
        chosen = compose(left)
        left = [left[index] for index in chosen.waiting]
    assert left == []


@given(st.sets(st.sampled_from("abcdef"), min_size=1), st.booleans(), st.data())
def test_any_number_of_keywords_makes_one_call(names, trailing, data):
    text = data.draw(st.sampled_from(["f(p)", "f(\n  p\n)", "f(\n  p  # c\n)", "f(y for y in p)", "f(g(p))"]))
    text = text.replace("p", "p,", 1) if trailing and "for" not in text else text
    fixes = [fix_of(add_keyword(text, Span(0, len(text)), f"{name}=1")) for name in sorted(names)]
    fixes = data.draw(st.permutations(fixes))
    result = read(text).edited(compose(fixes).edits).text
    node = ast.parse(result, mode="eval").body
    assert [keyword.arg for keyword in node.keywords] == sorted(names) and len(node.args) == 1
    assert ("# c" in result) == ("# c" in text)


def test_ambiguous_neighbours_wait():
    wrapping, calling = fix_of(wrap(Span(2, 3), "d(", ")")), fix_of(insert(3, "()"))
    keyword = fix_of(add_keyword("f(m)", Span(0, 4), "a=1"))
    for fixes in itertools.permutations([wrapping, calling, keyword]):
        assert len(compose(fixes).taken) == 1
    assert compose([calling, calling]).taken == (0, 1)
    nested = fix_of([*insert(0, "("), *insert(9, ")")])
    assert compose([wrapping, nested]).taken == (0, 1)


def test_a_fix_whose_own_edits_overlap_is_broken():
    chosen = compose([fix_of([Edit(Span(0, 2), ""), Edit(Span(1, 3), "")]), fix_of(insert(0, "x"))])
    assert (chosen.taken, chosen.broken) == ((1,), (0,))


def test_lines_and_values_at_one_point_keep_apart():
    text = "m.state_dict()\n"
    edits = [*wrap(Span(0, 14), "copy.deepcopy(", ")"), *insert_before(text, Span(0, 14), "import copy")]
    edits += insert_after(text, Span(0, 14), "done()")
    assert applied(text, edits) == "import copy\ncopy.deepcopy(m.state_dict())\ndone()\n"


# The fixed point


def calls(source: Source) -> Iterator[tuple[ast.Call, Span]]:
    """The calls of `torch.load` that the parser can place (not those in f-strings, before Python 3.12)."""
    for part in source.parts:
        lines = LineTable.of(part.code)
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


def comments(text: str) -> list[str]:
    lines = io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n"), newline="\n")
    return [token.string for token in tokenize.generate_tokens(lines.readline) if token.type == tokenize.COMMENT]


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
    refused = converge(read(text), findings, applicabilities=ALL, parses=parses)
    assert refused.source.text == text and isinstance(refused.problems[0], Problem) and asked


# Any layout

BLANKS = st.sampled_from(["", "", " ", " ", "\n", "\n    ", " \\\n ", "  # c, )\n  ", "\n# c (\n\t"])
ARGUMENTS = [
    "p",
    "'),('",
    "*q",
    "x=1",
    "lambda a, b=1: (a, b)",
    "g(1, *y)[0]",
    "**{'z': 1}",
    '"""\n,"""',
    "not y",
    "w={}",
]


@st.composite
def layouts(draw: st.DrawFn) -> tuple[str, list[Span]]:
    """A call with any blanks and comments in it, and where its arguments stand."""
    chosen = draw(st.lists(st.sampled_from(ARGUMENTS), max_size=4, unique=True))
    plain = [argument for argument in chosen if argument[:2] not in ("x=", "w=", "**")]
    text, spans = "f(" + draw(BLANKS), []
    for argument in sorted(chosen, key=lambda argument: (argument not in plain, argument.startswith("**"))):
        spans.append(Span(len(text), len(text) + len(argument)))
        text += argument + draw(BLANKS) + "," + draw(BLANKS)
    if spans and draw(st.booleans()):
        text = text[: spans[-1].end] + draw(BLANKS)
    return text + ")", spans


def arguments_of(text: str) -> list[str]:
    node = ast.parse(text, mode="eval").body
    return sorted(ast.dump(child) for child in (*node.args, *node.keywords))


@given(layouts())
def test_any_layout_takes_keywords(layout):
    text, _ = layout
    span = Span(0, len(text))
    result = converge(read(text), _missing_keywords, applicabilities=ALL)
    wanted = sorted([*arguments_of(text), *arguments_of("f(a=1, b=2)")])
    assert (arguments_of(result.source.text), result.problems) == (wanted, ()), add_keyword(text, span, "a=1")
    assert comments(result.source.text) == comments(text)


def _missing_keywords(source: Source) -> list[Finding]:
    text, span = source.text, Span(0, len(source.text))
    missing = [keyword for keyword in ("a=1", "b=2") if keyword not in text]
    return [finding(source, span, f"CKP {word}", fix_of(add_keyword(text, span, word))) for word in missing]


@given(layouts(), st.data())
def test_any_layout_loses_an_argument(layout, data):
    text, spans = layout
    if not spans:
        return
    gone = data.draw(st.sampled_from(spans))
    result = applied(text, remove_argument(text, Span(0, len(text)), gone))
    (removed,) = arguments_of(f"f({text[gone.start : gone.end]})")
    assert sorted([*arguments_of(result), removed]) == arguments_of(text)
    assert comments(result) == comments(text)
