from __future__ import annotations

import ast

import pytest

from ckpt_lint.edits import (
    add_import,
    insert,
    insert_after,
    insert_before,
    replace,
    statement_at,
    wrap,
)
from ckpt_lint.model import Span
from tests.edits.sources import applied, notebook, read


def test_values_are_wrapped_replaced_and_added_to():
    assert applied("f(m)", wrap(Span(2, 3), "copy.deepcopy(", ")")) == "f(copy.deepcopy(m))"
    assert applied("f(m)", replace(Span(2, 3), "n")) == "f(n)"
    assert applied("f(m)", insert(3, ".state_dict()")) == "f(m.state_dict())"
    assert applied("f(g(m))", wrap(Span(2, 6), "a(", ")"), wrap(Span(4, 5), "b(", ")")) == "f(a(g(b(m))))"


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
