"""`inspect` as one self-contained page: no script, no network; a treemap of where the bytes are, drawn here as SVG."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckpt_lint.artifact.facts import ArtifactFacts, Node, Verdict
from ckpt_lint.artifact.judge import FileFinding
from ckpt_lint.report.inspect_text import render as render_text
from ckpt_lint.report.inspect_words import printable, sized

_WIDTH, _HEIGHT = 1000.0, 520.0
_LEAST = 3.0
_MOST_BOXES = 4000
_ROWS = 2000
_COLOURS = ("#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#e15759", "#76b7b2", "#edc948", "#9c755f")
_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;
background:Canvas;color:CanvasText;overflow-wrap:anywhere}
h1{font-size:1.3rem}h2{font-size:1.05rem;margin-top:2rem}
svg{width:100%;height:auto;display:block}rect{stroke:Canvas}
text{font:11px system-ui,sans-serif;fill:#fff;pointer-events:none}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2rem .6rem;border-bottom:1px solid #8884}
td.n{text-align:right;font-variant-numeric:tabular-nums}td.k{min-width:9rem;font-family:ui-monospace,monospace}
pre{overflow-x:auto;background:#8881;padding:.8rem}
.finding{border-left:4px solid #e15759;padding:.3rem .8rem;margin:.5rem 0}
.key{display:inline-block;margin-right:1.2rem}.key i{display:inline-block;width:.8em;height:.8em;margin-right:.4em}
.ok{color:#2a8a3c}.no{color:#c33}
"""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of the treemap; `group` is the number of its top-level key, which gives the colour."""

    x: float
    y: float
    width: float
    height: float
    label: str
    size: int
    group: int


def render(facts: ArtifactFacts, *, findings: Sequence[FileFinding] = (), verdicts: Sequence[Verdict] = ()) -> str:
    """The page. Every text of the file is escaped."""
    title = _text(facts.path.rsplit("/", 1)[-1])
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>{title} · ckpt-lint</title><style>{_STYLE}</style></head><body>",
        f"<h1>{title}</h1>",
        *_summary(facts, verdicts),
        *_findings(findings),
        *_treemap(facts),
        *_tensors(facts),
        "<h2>Everything</h2><pre>",
        _text(render_text(facts, width=160, verdicts=verdicts)),
        "</pre></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _text(value: str) -> str:
    return html.escape("\n".join(printable(line) for line in value.split("\n")))


def _summary(facts: ArtifactFacts, verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield f"<p>{_text(facts.title)}, {sized(facts.size)}, {facts.parameters:,} parameters.</p><ul>"
    for verdict in verdicts or (facts.verdict,):
        word = {True: "loads", False: "does not load", None: "not known"}[verdict.loads]
        kind = "ok" if verdict.loads else "no"
        yield (
            f"<li>torch {_text(verdict.version)}, weights_only=True: <b class={kind}>{word}</b> "
            f"{_text(verdict.message[:300])}</li>"
        )
    yield "</ul>"


def _findings(findings: Sequence[FileFinding]) -> Iterator[str]:
    if findings:
        yield "<h2>Findings</h2>"
    for item in findings:
        yield f'<div class="finding"><b>{_text(item.code)}</b> {_text(item.message)}</div>'


def _treemap(facts: ArtifactFacts) -> Iterator[str]:
    if facts.tree is None or not facts.tree.size:
        return
    yield "<h2>Where the bytes are</h2>"
    yield f'<svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" aria-label="treemap of bytes by key">'
    for box in boxes(facts.tree):
        colour = _COLOURS[box.group % len(_COLOURS)]
        yield (
            f'<g><title>{_text(box.label)}: {sized(box.size)}</title><rect x="{box.x:.1f}" y="{box.y:.1f}" '
            f'width="{box.width:.1f}" height="{box.height:.1f}" fill="{colour}" stroke-width="1"/>'
        )
        room = int((box.width - 8) / 6.8)
        if box.height > 14 and room > 4:
            label = box.label if len(box.label) <= room else "…" + box.label[-(room - 1) :]
            yield f'<text x="{box.x + 4:.1f}" y="{box.y + 13:.1f}">{_text(label)}</text>'
        yield "</g>"
    yield "</svg>"
    yield from _legend(facts.tree)


def _legend(root: Node) -> Iterator[str]:
    """The top-level keys and their colours, where there are as many colours as keys."""
    keys = _by_size(root)
    if not 1 < len(keys) <= len(_COLOURS):
        return
    names = [
        f'<span class="key"><i style="background:{colour}"></i>{_text(node.key)}: {sized(node.size)}</span>'
        for node, colour in zip(keys, _COLOURS)
    ]
    yield f"<p>{''.join(names)}</p>"


def _by_size(node: Node) -> list[Node]:
    """The children that have bytes, the largest first."""
    return sorted((child for child in node.children if child.size), key=lambda child: -child.size)


def boxes(root: Node) -> list[Box]:
    """The treemap: leaves with bytes as rectangles, by a slice-and-dice of rows that are as square as can be."""
    found: list[Box] = []
    pending = [(root, "", 0.0, 0.0, _WIDTH, _HEIGHT, 0, 0)]
    while pending and len(found) < _MOST_BOXES:
        node, path, x, y, width, height, group, depth = pending.pop()
        sized_children = _by_size(node)
        if not sized_children or min(width, height) < _LEAST:
            found.append(Box(x, y, width, height, path or node.key or "all", node.size, group))
            continue
        places = _squarified([child.size for child in sized_children], x, y, width, height)
        for index, (child, place) in enumerate(zip(sized_children, places)):
            label = child.key if not path or child.key.startswith("[") else f".{child.key}"
            number = index if depth == 0 else group
            pending.append((child, path + label, *place, number, depth + 1))
    return sorted(found, key=lambda box: (-box.size, box.label))


Place = tuple[float, float, float, float]


def _squarified(sizes: list[int], x: float, y: float, width: float, height: float) -> list[Place]:
    """Rectangles for sizes in falling order, row by row, each row along the shorter side."""
    total = float(sum(sizes))
    scale = width * height / total if total else 0.0
    areas = [size * scale for size in sizes]
    places: list[Place] = []
    start = 0
    while start < len(areas):
        side = min(width, height)
        end = _row_end(areas, start, side)
        depth = sum(areas[start:end]) / side if side else 0.0
        along = 0.0
        for area in areas[start:end]:
            length = area / depth if depth else 0.0
            places.append((x, y + along, depth, length) if width >= height else (x + along, y, length, depth))
            along += length
        if width >= height:
            x, width = x + depth, max(width - depth, 0.0)
        else:
            y, height = y + depth, max(height - depth, 0.0)
        start = end
    return places


def _row_end(areas: list[float], start: int, side: float) -> int:
    """Where the row that begins at `start` is as square as it gets."""
    total, best = 0.0, float("inf")
    for end in range(start, len(areas)):
        total += areas[end]
        if total <= 0.0 or side <= 0.0:
            return end + 1
        worst = max(side * side * areas[start] / total**2, total**2 / (side * side * max(areas[end], 1e-12)))
        if worst > best:
            return end
        best = worst
    return len(areas)


def _tensors(facts: ArtifactFacts) -> Iterator[str]:
    if not facts.tensors:
        return
    yield f"<h2>Tensors ({len(facts.tensors):,})</h2><table><tr><th>key<th>shape<th>dtype<th>device<th>bytes</tr>"
    for fact in sorted(facts.tensors, key=lambda item: (-item.size, item.key))[:_ROWS]:
        yield (
            f'<tr><td class="k">{_text(fact.key)}<td>{list(fact.shape)}<td>{_text(fact.dtype)}'
            f'<td>{_text(fact.device)}<td class="n">{fact.size:,}</tr>'
        )
    yield "</table>"
    if len(facts.tensors) > _ROWS:
        yield f"<p>and {len(facts.tensors) - _ROWS:,} more</p>"
