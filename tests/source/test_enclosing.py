"""The functions around a call, told from bytes: never fewer than the syntax says."""

from __future__ import annotations

import pytest

from ckpt_lint.source import flow
from ckpt_lint.source.enclosing import functions_calling, without_texts
from ckpt_lint.source.module import ModuleFacts
from ckpt_lint.source.parse import Unparsable, parse_draft
from tests.rules.harness import FIXTURES

FILES = [path for path in sorted(FIXTURES.rglob("*.py")) if b"load_state_dict" in path.read_bytes()]


def test_no_function_of_a_fixture_is_missed() -> None:
    found = 0
    for path in FILES:
        data = path.read_bytes()
        try:
            root = parse_draft(data.decode("utf-8", "replace"))
        except Unparsable:
            continue
        if root is None:
            continue
        module = ModuleFacts(str(path), root)
        functions = [flow.function_of(call) for call in module.calls_by_name.get("load_state_dict", ())]
        names = {function.name for function in functions if function is not None}
        found += len(names)
        assert names <= functions_calling(data, b"load_state_dict"), path
    assert found > 100


@pytest.mark.parametrize(
    "text",
    [
        "def a():\n    def b(): pass\n    m.load_state_dict(s)\n",
        'def a():\n    """\ndef no():\n"""\n    m.load_state_dict(s)\n',
        "class K:\n\tasync def a(self):\n\t\tif x:\n\t\t\tm.load_state_dict(\n\ns)\n",
        "def a(\n    p,\n):\n    x = '''\ndef no(): pass\n'''; m.load_state_dict(s)\n",
        "def b(): pass\ndef a(): m.load_state_dict(s)\n",
        "def a():\n    print(f'{m.load_state_dict(s)}')\n",
        "def a():\n    print(f\"\"\"\ndef no(): pass\n{x}\n\"\"\")\n    m.load_state_dict(s)\n",
        "def a():  # def no():\n    m.load_state_dict(s)  # m\n",
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_function_around_a_call_is_found(text: str, newline: str) -> None:
    assert functions_calling(text.replace("\n", newline).encode(), b"load_state_dict") - {"b"} == {"a"}


def test_what_only_a_text_names_is_not_called() -> None:
    data = b'def a():\n    """Then m.load_state_dict(s)."""\n    # m.load_state_dict(s)\n'
    assert functions_calling(data, b"load_state_dict") == frozenset()
    assert b"load_state_dict" not in without_texts(data)
