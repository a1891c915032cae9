"""Other names of the functions that save and load, told from a text."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ALIAS = re.compile(
    r"\b(\w+)[ \t]*=[ \t]*(?:functools\s*\.\s*)?(?:partial\([ \t]*)?(?:\w+\s*\.\s*){0,3}"
    r"(?:load|save|load_url|load_state_dict_from_url|load_state_dict|state_dict)\b(?![(\w])"
    r"|\b(?:load|save|load_url|load_state_dict_from_url)[ \t]+as[ \t]+(\w+)"
)
_ALIASED = re.compile(
    r"load(?:_url|_state_dict(?:_from_url)?)?\b(?![(\w])|save\b(?![(\w])|state_dict\b(?![(\w])"
)
"""What an alias is of: few places, of which `_ALIAS` looks at the lines."""
_ALIAS_LINES = 4


def aliases(code: str) -> Iterator[str]:
    """What a text calls the functions that save and load instead."""
    for match in _ALIASED.finditer(code):
        start = match.start()
        for _ in range(_ALIAS_LINES):
            start = max(code.rfind("\n", 0, start), 0)
        for one, other in _ALIAS.findall(code[start : (code.find("\n", match.end()) + 1) or len(code)]):
            yield one or other
