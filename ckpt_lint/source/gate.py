"""The gate: whether a file can matter at all, told from its bytes before anything is parsed."""

from __future__ import annotations

WORDS = (b"state_dict", b"torch", b"load_url")
ACTIONS = (b"load", b"save", b"state_dict", b"dump")


def may_matter(data: bytes) -> bool:
    """Whether some rule may fire in a file with these bytes. Plain `in`: a regular expression is far slower."""
    return any(word in data for word in WORDS) and any(word in data for word in ACTIONS)
