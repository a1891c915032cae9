"""Words and numbers as `inspect` shows them. Text from a file is never printed as it is: controls are spelled out."""

from __future__ import annotations

from ckpt_lint.report.look import printable as harmless

_UNITS = ("B", "kB", "MB", "GB", "TB")


def printable(text: str) -> str:
    """Text that can be shown on a terminal: control and odd characters as escapes."""
    if not (text.isprintable() and text.isascii()):
        text = "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
    return harmless(text)


def sized(count: int) -> str:
    """`1.5 MB`; three figures are enough."""
    value = float(count)
    unit = _UNITS[0]
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            break
        value /= 1000
    return f"{count} B" if unit == "B" else f"{value:.3g} {unit}" if value < 100 else f"{value:.0f} {unit}"


def counted(count: int, noun: str) -> str:
    """`1 key`, `2 keys`, `12,345 keys`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def shortened(text: str, width: int) -> str:
    """Text cut in its middle to fit `width` columns."""
    if len(text) <= width:
        return text
    if width <= 1:
        return text[:width]
    head = (width - 1) // 2
    return text[:head] + "…" + text[len(text) - (width - 1 - head) :]
