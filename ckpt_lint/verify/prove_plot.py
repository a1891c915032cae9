"""The curves of a proof as an SVG picture: a pure function, with colours that also differ for the colour-blind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from ckpt_lint.verify.prove import ProofResult, Seen

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 320, 64, 16, 40, 72
BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#888888"


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of the picture; `values` are one an epoch. `dashes` is SVG's stroke-dasharray."""

    label: str
    values: Sequence[float]
    colour: str
    dashes: str = "none"


def curves(before: Seen, after: Seen) -> tuple[Curve, ...]:
    """The lines that tell the story: a run left alone beneath the two resumed ones, or the two runs side by side."""
    if "uninterrupted" in before.series:
        return (
            Curve("uninterrupted", before.series["uninterrupted"], GREY),
            Curve("resumed, before the fix", before.series["resumed"], VERMILION),
            Curve("resumed, after the fix", after.series["resumed"], BLUE, "6 5"),
        )
    return tuple(
        Curve(f"{name}, {when}", seen.series[name], colour, dashes)
        for name in before.series
        for when, seen, colour, dashes in (("before the fix", before, VERMILION, "none"), ("after", after, BLUE, "6 5"))
    )


def as_svg(result: ProofResult) -> str | None:
    """The picture, or None where the proof has no curves."""
    lines = curves(result.before, result.after) if result.before and result.after else ()
    if not lines:
        return None
    values = [value for line in lines for value in line.values]
    low, high, longest = min(values), max(values), max(len(line.values) for line in lines)
    span = high - low or 1.0

    def point(epoch: int, value: float) -> str:
        x = LEFT + (WIDTH - LEFT - RIGHT) * epoch / max(longest - 1, 1)
        return f"{x:.1f},{TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / span:.1f}"

    body = [
        f'<polyline fill="none" stroke="{line.colour}" stroke-width="2" stroke-dasharray="{line.dashes}" '
        f'points="{" ".join(point(epoch, value) for epoch, value in enumerate(line.values))}"/>'
        for line in lines
    ]
    return "\n".join([*_frame(f"{result.code} {result.name}", low, high, longest), *body, *_legend(lines), "</svg>\n"])


def _frame(title: str, low: float, high: float, longest: int) -> list[str]:
    floor, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="sans-serif" font-size="13" fill="#777777">',
        f"<title>{escape(title)}</title>",
        f'<text x="{LEFT}" y="24" font-size="15">{escape(title)}</text>',
        f'<path d="M{LEFT} {TOP}V{floor}H{right}" fill="none" stroke="#777777"/>',
        f'<text x="{LEFT - 6}" y="{TOP + 5}" text-anchor="end">{high:.3g}</text>',
        f'<text x="{LEFT - 6}" y="{floor}" text-anchor="end">{low:.3g}</text>',
        f'<text x="{LEFT}" y="{floor + 18}">epoch 1</text>',
        f'<text x="{right}" y="{floor + 18}" text-anchor="end">epoch {longest}</text>',
    ]


def _legend(lines: Sequence[Curve]) -> list[str]:
    parts: list[str] = []
    for index, line in enumerate(lines):
        x, y = LEFT + index * (WIDTH - LEFT - RIGHT) // len(lines), HEIGHT - 20
        parts.append(
            f'<path d="M{x} {y - 4}h22" stroke="{line.colour}" stroke-width="2" stroke-dasharray="{line.dashes}"/>'
        )
        parts.append(f'<text x="{x + 28}" y="{y}" font-size="11">{escape(line.label)}</text>')
    return parts
