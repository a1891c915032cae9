from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpt_lint.edits import (
    add_dict_entry,
    add_keyword,
    compose,
    converge,
    remove_argument,
)
from ckpt_lint.model import Finding, Span
from ckpt_lint.source.text import Source
from tests.edits.sources import ALL, applied, comments, finding, fix_of, read

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
