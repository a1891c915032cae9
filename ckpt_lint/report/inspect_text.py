"""`inspect` for a terminal: what a checkpoint file is and holds, in as many columns as there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ckpt_lint.artifact.facts import ArtifactFacts, Node, Verdict
from ckpt_lint.artifact.judge import FileFinding
from ckpt_lint.report.inspect_words import counted, printable, shortened, sized

_LABEL = 15
_CODE = 7
_CHILDREN = 12


def render(
    facts: ArtifactFacts,
    *,
    width: int = 100,
    findings: Sequence[FileFinding] = (),
    verdicts: Sequence[Verdict] = (),
    depth: int = 3,
    whole: bool = False,
) -> str:
    """The text, lines of at most `width` columns. `depth` and `whole` say how much of the tree is shown."""
    rows = [*_head(facts), *_loads(facts, verdicts), *_training(facts), *_oddities(facts)]
    lines = [line for row in rows for line in _wrapped(row, width, _LABEL)]
    if facts.tree is not None:
        lines.append("")
        lines.extend(_tree(facts.tree, depth=99 if whole else depth, most=10**9 if whole else _CHILDREN))
    if findings:
        lines.append("")
        for item in findings:
            lines.extend(_wrapped(f"{item.code} {printable(item.message)}", width, _CODE))
    return "".join(shortened(line, width) + "\n" for line in lines)


def _row(label: str, text: str) -> str:
    return f"{label:<{_LABEL}}{printable(text)}".rstrip()


def _head(facts: ArtifactFacts) -> Iterator[str]:
    yield printable(facts.path)
    version = f", format version {facts.format_version}" if facts.format_version not in (None, "legacy") else ""
    yield _row("container", f"{facts.title}{version}, {sized(facts.size)}")
    if facts.fingerprint:
        yield _row("fingerprint", facts.fingerprint)
    if facts.tensors:
        total = sum(storage.size for storage in facts.storages)
        yield _row("tensors", f"{len(facts.tensors):,} in {counted(len(facts.storages), 'storage')}, {sized(total)}")
        yield _row("parameters", f"{facts.parameters:,}")
        yield _row("dtypes", ", ".join(sorted({fact.dtype for fact in facts.tensors})))
        yield _row("devices", ", ".join(facts.devices))
    if facts.byte_order == "big":
        yield _row("byte order", "big")


def _loads(facts: ArtifactFacts, verdicts: Sequence[Verdict]) -> Iterator[str]:
    for verdict in verdicts or [facts.verdict]:
        answer = {True: "yes", False: "no", None: "not known"}[verdict.loads]
        reason = "" if verdict.loads and not verdict.message else f": {verdict.message}"
        if verdict.kind == "global":
            reason = f": {verdict.message.split(' was not an')[0]}"
        yield _row("weights_only", f"torch {verdict.version}: {answer}{reason}")
    if facts.safe_globals:
        names = ", ".join(facts.safe_globals)
        yield _row("", f"with torch.serialization.safe_globals([{names}]): yes")
    elif facts.data_globals and facts.verdict.loads is False:
        yield _row("", "no allow-list is advised: save the values below as plain ones")
    for label, found in (("unknown", facts.unknown_globals), ("re-save", facts.data_globals)):
        for item in found[:8]:
            where = f" at {', '.join(item.keys[:3])}" if any(item.keys) else ""
            yield _row(label, f"{item.path}{where}")
        if len(found) > 8:
            yield _row("", f"and {len(found) - 8} more")


def _training(facts: ArtifactFacts) -> Iterator[str]:
    training = facts.training
    found = [f"model {model.key}".strip() for model in training.models]
    for name, keys in (
        ("optimizer", training.optimizers),
        ("scheduler", training.schedulers),
        ("scaler", training.scalers),
        ("rng", training.rng),
        ("version", training.versions),
    ):
        found.extend(f"{name} {key}".strip() if key != name else name for key in keys)
    found.extend(f"{key} = {value}" for key, value in training.progress)
    found.extend(f"whole module {key}".strip() for key in training.whole_modules)
    if found:
        yield _row("state", ", ".join(found[:12]) + (" …" if len(found) > 12 else ""))
    for model in training.models:
        if model.prefix:
            yield _row("prefix", f"{model.prefix} on all {model.tensors} keys of {model.key or 'the state dict'}")


def _oddities(facts: ArtifactFacts) -> Iterator[str]:
    for keys in facts.tied[:4]:
        yield _row("tied", " = ".join(keys[:4]))
    if len(facts.tied) > 4:
        yield _row("", f"and {len(facts.tied) - 4} more ties")
    for item in facts.bloat[:4]:
        yield _row("bloat", f"{', '.join(item.keys[:2])}: {sized(item.used)} used of {sized(item.size)}")
    for problem in facts.problems[:6]:
        place = f"{problem.member}: " if problem.member else ""
        yield _row("problem", f"{place}{problem.message}")
    for key, value in facts.metadata[:6]:
        yield _row("note", f"{key}: {value}")


def _tree(root: Node, *, depth: int, most: int) -> Iterator[str]:
    """Keys, indented; long levels and deep ones are summed up."""
    yield _line("(root)", root)
    pending: list[tuple[int, Node | str]] = [(1, node) for node in reversed(_shown(root, most))]
    while pending:
        level, node = pending.pop()
        indent = "  " * level
        if isinstance(node, str):
            yield f"{indent}{node}"
            continue
        yield _line(f"{indent}{node.key}", node)
        if level < depth:
            pending.extend((level + 1, child) for child in reversed(_shown(node, most)))


def _shown(node: Node, most: int) -> list[Node | str]:
    if len(node.children) <= most + 1:
        return list(node.children)
    rest = node.children[most:]
    size = sum(child.size for child in rest)
    return [*node.children[:most], f"… {len(rest):,} more ({sized(size)})"]


def _line(label: str, node: Node) -> str:
    size = f"  {sized(node.size)}" if node.size else ""
    kind = "" if node.kind in ("tensor", "parameter") else f"{node.kind} "
    return f"{printable(label)}  {printable(kind)}{printable(node.detail)}{size}".rstrip()


def _wrapped(text: str, width: int, indent: int) -> Iterator[str]:
    """The text in lines of at most `width`, broken at blanks; lines after the first are indented."""
    if len(text) <= width or width < 2 * indent:
        yield text
        return
    line, words = text[:indent], text[indent:].split(" ")
    for word in words:
        if len(line) > indent and len(line) + len(word) > width:
            yield line.rstrip()
            line = " " * indent
        line += word + " "
    yield line.rstrip()
