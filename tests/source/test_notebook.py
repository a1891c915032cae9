from __future__ import annotations

import ast
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpt_lint.model import Edit, Location, Problem, Span, Status
from ckpt_lint.source.encode import encode
from ckpt_lint.source.text import Source, read_source

MARKDOWN = {"cell_type": "markdown", "metadata": {}, "source": ["# title"]}


def code(source):
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}


def notebook(*cells, **metadata) -> bytes:
    document = {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def read(data: bytes) -> Source:
    source = read_source("a.ipynb", data)
    assert isinstance(source, Source), source
    return source


def replaced(source: Source, old: str, new: str) -> Source:
    start = source.text.index(old)
    return source.edited([Edit(Span(start, start + len(old)), new)])


def code_of(*lines: str) -> str:
    """What is parsed in the place of a cell, blanks at line ends left out."""
    text = "".join(lines)
    (part,) = read(notebook(code(text))).parts
    assert [len(line) for line in part.code.splitlines()] == [len(line) for line in text.splitlines()]
    ast.parse(part.code)
    return "\n".join(line.rstrip() for line in part.code.splitlines())


def test_code_cells_are_joined_and_numbered_among_all():
    source = read(notebook(MARKDOWN, code(["a = 1\n", "b"]), MARKDOWN, code("c\n"), code([])))
    assert source.text == "a = 1\nb\nc\n\n"
    assert [(part.cell, part.module, part.code) for part in source.parts] == [
        (2, "", "a = 1\nb"),
        (4, "", "c\n"),
        (5, "", ""),
    ]
    assert all(source.text[part.span.start : part.span.end] == part.code for part in source.parts)
    assert source.location(source.text.index("b")) == Location(2, 1, 2)
    assert source.location(source.text.index("c")) == Location(1, 1, 4)
    assert source.offset(1, 1, cell=4) == source.text.index("c")
    with pytest.raises(IndexError):
        source.offset(1, 1, cell=3)


def test_line_magics_become_statements_of_the_same_length():
    assert code_of("%matplotlib inline\n", "import torch\n") == "pass\nimport torch"
    assert code_of("if x:\n", "    !ls -la\n", "else:\n", "    %cd ..\n") == "if x:\n    pass\nelse:\n    pass"
    assert code_of("!a\n", "?\n", "x?\n", "x.y??  # help\n", "?x.y\n", "%%\n"[1:]) == "_\n_\n_\npass   # help\npass\n_"
    assert code_of("x = !ls 'it\n", "y, z = %time f(')\n", "print(x)") == "x = _\ny, z = _\nprint(x)"
    assert code_of("pip install -U torch\n", "if x:\n", "  conda install x\n") == "pass\nif x:\n  pass"
    assert code_of("!wget \\\n", "   'x\n", "y = 1") == "pass\n\ny = 1"


@pytest.mark.parametrize(
    "text",
    [
        "x = ('%s'\n     % y)\n",
        "x = '''\n!ls\n%cd\n'''\n",
        "x = y \\\n  % z\n",
        "x = a if b != c else d == e\n",
        "# what?\nx = 1  # !\n",
        "x = {\n  '''a''': \"b'(\",\n  'c':\n  1 % 2}\n",
        "f(a\n!=b)",
        "x = 'what?'\ny %= 2\n",
        "x = [\n  y for pip in z if\n  pip\n]\npip = install\npip . install\n",
    ],
)
def test_code_that_looks_like_magic_is_left_alone(text):
    assert read(notebook(code(text))).parts[0].code == text


def test_transparent_cell_magics_have_code_in_them():
    assert code_of("%%time\n", "x = 1\n", "!ls out\n") == "\nx = 1\npass"
    assert code_of("\n", "%%capture out\n", "%%timeit -n 1\n", "x = 1") == "\n\n\nx = 1"
    assert code_of("%%prun") == ""


def test_other_cell_magics_are_skipped_whole():
    source = read(
        notebook(code("%%bash\nwget https://a.b/c.pt\n"), code("%%html\n<b>\n"), code("x"), code("%%time\n%%sh\nls"))
    )
    assert [part.cell for part in source.parts] == [3]
    assert source.text.count("\n") == 9 and source.downloads == ()


def test_written_modules_and_manifests_are_their_own():
    source = read(
        notebook(
            code("%%writefile src/train.py\n%notmagic\nx = 1\n"),
            code("%%file 'my utils.py'\ny"),
            code("%%writefile -a requirements-dev.txt\ntorch>=2\n"),
            code("%%writefile environment.yml\nname: x"),
            code("%%writefile notes.md\nx"),
        )
    )
    assert [(part.cell, part.module) for part in source.parts] == [(1, "src/train.py"), (2, "my utils.py")]
    assert source.parts[0].code == " " * 24 + "\n%notmagic\nx = 1\n"
    assert [(manifest.name, manifest.text, manifest.cell) for manifest in source.manifests] == [
        ("requirements-dev.txt", "torch>=2\n", 3),
        ("environment.yml", "name: x", 4),
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("!wget https://a.b/c/m.pt", [("wget", "https://a.b/c/m.pt", "m.pt", "https://a.b/c/m.pt")]),
        ("!wget -q 'https://a.b/m.pt?x=1&y=2' -P data/", [("wget", "https://a.b/m.pt?x=1&y=2", "data/m.pt", None)]),
        ("!wget -qO m.pt https://a.b/c", [("wget", "https://a.b/c", "m.pt", "m.pt")]),
        ("!mkdir -p d && sudo wget --output-document='d/m n.pt' $URL", [("wget", "$URL", "d/m n.pt", None)]),
        ("    !curl -Lo m.pt https://a.b/c # wget x", [("curl", "https://a.b/c", "m.pt", "m.pt")]),
        ("!curl -LO https://a.b/m.pt", [("curl", "https://a.b/m.pt", "m.pt", "https://a.b/m.pt")]),
        ("!curl https://a.b/m.pt > m.pt", [("curl", "https://a.b/m.pt", "m.pt", "m.pt")]),
        ("!curl https://a.b/m.pt 2>/dev/null >m.pt 2>&1", [("curl", "https://a.b/m.pt", "m.pt", "m.pt")]),
        ("!curl https://a.b/m.pt 2> log", [("curl", "https://a.b/m.pt", None, "https://a.b/m.pt")]),
        ("!curl \"https://a.b$(cat x | grep 'a' > b)\" > m.pt", []),
        ("!curl https://a.b/m.json", [("curl", "https://a.b/m.json", None, "https://a.b/m.json")]),
        ("out = !gdown --id 1x -O m.pt", [("gdown", "", "m.pt", "m.pt")]),
        ("!gdown 1abc", [("gdown", "", None, "gdown")]),
        ("!wget {url}", [("wget", "{url}", None, "{url}")]),
        (
            "!wget https://a.b/x https://a.b/y",
            [("wget", "https://a.b/x", "x", None), ("wget", "https://a.b/y", "y", None)],
        ),
        ("!pip install wget gdown", []),
        ("print('!wget https://a.b/c')", []),
    ],
)
def test_downloads(line, expected):
    text = f"import os\nif True:\n{line}\n" if line.startswith(" ") else f"import os\n{line}\n"
    source = read(notebook(code("x = 1"), code(text)))
    found = [(download.program, download.url, download.target) for download in source.downloads]
    assert found == [row[:3] for row in expected]
    for download, (*_, word) in zip(source.downloads, expected):
        spelled = source.text[download.span.start : download.span.end]
        assert word is None or spelled == word
        assert source.text[download.line.start : download.line.end] == line[line.index("!") :]


def test_kernels_and_cells_of_other_languages_hold_no_python():
    r = notebook(code("x <- 1"), language_info={"name": "R"}, kernelspec={"language": "R", "name": "ir"})
    assert read(r).parts == () and read(r).text == "" and read(r).location(0) == Location(1, 1)
    cell = {**code("select 1"), "metadata": {"vscode": {"languageId": "sql"}}}
    assert [part.cell for part in read(notebook(cell, code("x"), kernelspec={"language": "python"})).parts] == [2]


def test_nbformat_3_is_read_and_written():
    cells = [
        {"cell_type": "heading", "source": "x"},
        {"cell_type": "code", "language": "python", "input": ["a\n", "b"]},
    ]
    document = {"worksheets": [{"cells": cells[:1]}, {"cells": cells[1:]}], "nbformat": 3, "nbformat_minor": 0}
    data = json.dumps(document, indent=2).encode()
    source = read(data)
    assert [(part.cell, part.code) for part in source.parts] == [(2, "a\nb")]
    assert encode(replaced(source, "b", "c")) == data.replace(b'"b"', b'"c"')


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "line 1, column 2"),
        (b'{\n "cells": [,]}', "not valid JSON"),
        (b"[]", "the JSON is no object"),
        (b"{}", "no list of cells"),
        (b'{"cells": {}}', "no list of cells"),
        (b'{"cells": [1]}', "cell 1 is no object"),
        (b'{"worksheets": [{"cells": 1}]}', "no list of cells"),
        (b'{"cells": [{"cell_type": "code", "source": 1}]}', "cell 1: its source"),
        (b'{"cells": [{"cell_type": "code", "source": ["a", 1]}]}', "cell 1: its source"),
        (b'{"cells": "\xff"}', "no UTF-8 text"),
        (b"\x80\x04\x95", "no UTF-8 text"),
        (b'{"cells":' + b"[" * 100_000, "nested too deeply"),
        (b'{"n": ' + b"1" * 10_000 + b"}", "not a notebook"),
        ("{}".encode("utf-16"), "no UTF-8 text"),
    ],
)
def test_what_is_no_notebook_is_a_problem(data, words):
    problem = read_source("a.ipynb", data)
    assert isinstance(problem, Problem) and problem.status is Status.BAD_NOTEBOOK
    assert words in problem.message and "\n" not in problem.message


def test_size_limits():
    big = notebook(code("#" * 1_000_001))
    assert "code cells of 1 MB" in read_source("a.ipynb", big).message
    outputs = {**code("x"), "outputs": [{"output_type": "stream", "text": "#" * 2_000_000}]}
    assert read(notebook(outputs)).text == "x"
    problem = read_source("a.ipynb", b" " * 50_000_000)
    assert problem == Problem(Status.TOO_LARGE, "a notebook of 50 MB, over the limit of 20 MB (max-file-size)")


def test_a_cell_that_cannot_be_source_leaves_the_others():
    source = read(notebook(code("a")).replace(b'"a"', b'"\\ud800"') + b"")
    assert source.parts == () and [problem.location for problem in source.problems] == [Location(1, 1, 1)]
    source = read(notebook(code("\0"), code("b")))
    assert [part.cell for part in source.parts] == [2] and len(source.problems) == 1


def test_only_the_changed_lines_are_written_anew():
    data = (
        b'\xef\xbb\xbf{ "cells":[\r\n {"source" :["caf\\u00e9 = \'\\/\'\\n" ,\r\n\t"y = torch.load(\\"p\\")\\n",  "z" ]'
        b', "cell_type": "code", "outputs": [{"x": 1.0e5}]},'
        b'{"cell_type": "code", "source": "a = \\u0041\\u000Ab = 1\\n\\\\n"}'
        b' ] , "nbformat":4, "extra": {"source": "b = 1"}}\r\n \n'
    )
    source = read(data)
    assert source.text == "caf\u00e9 = '/'\ny = torch.load(\"p\")\nz\na = A\nb = 1\n\\n"
    assert encode(source) == data
    once = replaced(source, ")\n", ", x=1)\n")
    assert encode(once) == data.replace(b'\\"p\\")', b'\\"p\\", x=1)')
    both = replaced(once, "b = 1", "b = 2\nc = '\u00e9'")
    changed = data.replace(b'\\"p\\")', b'\\"p\\", x=1)').replace(b"Ab = 1", b"Ab = 2\\nc = '\\u00e9'")
    assert encode(both) == changed


def test_lines_are_added_and_removed_in_the_style_of_the_list():
    data = notebook(code(["a\n", "b\n", "c"]), code(["only"]), code([]))
    source = read(data)
    assert encode(replaced(source, "b\n", "b\n\u00e9\n")) == notebook(
        code(["a\n", "b\n", "\u00e9\n", "c"]), code(["only"]), code([])
    )
    assert encode(replaced(source, "b\n", "")) == notebook(code(["a\n", "c"]), code(["only"]), code([]))
    assert encode(replaced(source, "only", "x\ny")) == notebook(code(["a\n", "b\n", "c"]), code(["x\n", "y"]), code([]))
    end = len(source.text)
    filled = encode(source.edited([Edit(Span(end, end), "x\ny")]))
    assert filled.count(b"\n") == data.count(b"\n") and read(filled).text == source.text + "x\ny"


def test_a_list_that_is_not_one_line_a_string_keeps_its_strings():
    data = notebook(code(["a\nb\nc\n", "d\ne"]), code(["x", " = 1\n", "y"]))
    source = read(data)
    assert encode(replaced(source, "b\n", "B\nnew\n")) == data.replace(b"b\\n", b"B\\nnew\\n")
    assert read(encode(replaced(source, "x = 1", "x = 2"))).text == source.text.replace("x = 1", "x = 2")


def test_edits_stay_inside_a_cell():
    source = read(notebook(code("a\n"), code("b")))
    with pytest.raises(ValueError, match="border"):
        source.edited([Edit(Span(1, 4), "")])


SOURCES = st.one_of(
    st.text(alphabet='ab\n\r"\\/\u00e9\U0001f600\t', max_size=20),
    st.lists(st.text(alphabet='ab\n"\\\u00e9', max_size=6), max_size=5),
)


@given(
    st.lists(SOURCES, min_size=1, max_size=4),
    st.booleans(),
    st.sampled_from([None, 1, "\t"]),
    st.data(),
)
def test_any_edit_of_any_notebook_changes_its_cell_alone(sources, ascii_only, indent, data):
    cells = [code(source) for source in sources]
    raw = json.dumps({"cells": cells, "nbformat": 4}, ensure_ascii=ascii_only, indent=indent).encode()
    source = read(raw)
    assert encode(source) == raw
    index = data.draw(st.integers(0, len(sources) - 1))
    span = source.cells[index].span
    start = data.draw(st.integers(span.start, span.end))
    end = data.draw(st.integers(start, span.end))
    edited = source.edited([Edit(Span(start, end), data.draw(st.text(alphabet='xy\u00e9"\\', max_size=5)))])
    written = encode(edited)
    assert read(written).text == edited.text
    before, after = json.loads(raw), json.loads(written)
    assert type(after["cells"][index]["source"]) is type(before["cells"][index]["source"])
    after["cells"][index] = before["cells"][index]
    assert after == before


@given(
    st.lists(st.sampled_from([*"%!?=\\'\"()[]#\n\r; ax", "%%time", "'''", "\\\n", "!ls", "\u00e9", "writefile x.py"]))
)
def test_what_is_parsed_has_the_lines_of_the_cell(pieces):
    text = "".join(pieces)
    source = read(notebook(code(text)))
    for part in source.parts:
        assert len(part.code) == len(text)
        assert [(i, c) for i, c in enumerate(part.code) if c in "\r\n"] == [
            (i, c) for i, c in enumerate(text) if c in "\r\n"
        ]
