"""`ckpt-lint inspect`: what checkpoint files are and hold, without torch and without running anything."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from ckpt_lint.artifact.deep import DeepFacts, read_deep
from ckpt_lint.artifact.facts import ArtifactFacts, Verdict
from ckpt_lint.artifact.judge import FileFinding, findings, unreadable
from ckpt_lint.artifact.reader import read_artifact
from ckpt_lint.artifact.remote import RemoteError, is_remote, read_remote
from ckpt_lint.artifact.versions import verdict_for, version_key

CLEAN, USAGE, UNCHECKED = 0, 2, 3


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Register the command."""
    parser = commands.add_parser("inspect", help="say what a checkpoint file is and holds, running nothing")
    parser.add_argument("files", nargs="+", metavar="FILE", help="a checkpoint file or folder, or a URL (remote extra)")
    parser.add_argument("--json", action="store_true", help="all facts as JSON")
    parser.add_argument("--html", metavar="PAGE", help="write one self-contained page with a treemap of the bytes")
    parser.add_argument("--diff", action="store_true", help="compare two files")
    parser.add_argument("--torch", action="append", default=[], metavar="VERSION", help="also judge for this torch")
    parser.add_argument("--deep", action="store_true", help="read the tensors too: CRCs, NaN")
    parser.add_argument("--all", action="store_true", help="show the whole tree of keys")
    return parser


def run(args: argparse.Namespace) -> int:
    """0: all were read; 2: wrong usage; 3: one could not be read to its end."""
    try:
        for version in args.torch:
            version_key(version)
    except ValueError as error:
        return _say(f"ckpt-lint inspect: {error}", USAGE)
    if args.diff and len(args.files) != 2:
        return _say("ckpt-lint inspect: --diff takes two files", USAGE)
    if args.html and len(args.files) != 1:
        return _say("ckpt-lint inspect: --html takes one file", USAGE)
    read = [_read(name) for name in args.files]
    known = [facts for facts in read if facts is not None]
    if len(known) == len(read):
        _show(args, known)
    unread = len(known) < len(read) or any(unreadable(facts) for facts in known)
    return UNCHECKED if unread else CLEAN


def _say(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def _read(name: str) -> ArtifactFacts | None:
    try:
        return read_remote(name) if is_remote(name) else read_artifact(name)
    except (OSError, RemoteError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        _say(f"ckpt-lint inspect: {name}: {reason}", UNCHECKED)
        return None


def _judged(facts: ArtifactFacts, *, deep: bool) -> list[FileFinding]:
    """Findings, with the names of the files beside it; only local files are read deep."""
    if is_remote(facts.path):
        return list(findings(facts))
    folder = Path(facts.path).absolute().parent
    siblings = sorted(os.listdir(folder)) if folder.is_dir() else []
    below: DeepFacts | None = read_deep(facts.path, facts) if deep else None
    return list(findings(facts, deep=below, siblings=siblings))


def _verdicts(facts: ArtifactFacts, versions: list[str]) -> list[Verdict]:
    return [facts.verdict, *(verdict_for(facts, version) for version in versions)]


def _show(args: argparse.Namespace, known: list[ArtifactFacts]) -> None:
    width = shutil.get_terminal_size((100, 24)).columns
    if args.diff:
        from ckpt_lint.report import inspect_diff

        text = inspect_diff.render_json(*known) if args.json else inspect_diff.render(*known, width=width)
        sys.stdout.write(text)
        return
    for number, facts in enumerate(known):
        found, verdicts = _judged(facts, deep=args.deep), _verdicts(facts, args.torch)
        if args.html:
            from ckpt_lint.report import inspect_html

            Path(args.html).write_text(
                inspect_html.render(facts, findings=found, verdicts=verdicts), encoding="utf-8", errors="replace"
            )
        elif args.json:
            from ckpt_lint.report import inspect_json

            sys.stdout.write(inspect_json.render(facts, findings=found, verdicts=verdicts))
        else:
            from ckpt_lint.report import inspect_text

            sys.stdout.write("\n" if number else "")
            text = inspect_text.render(facts, width=width, findings=found, verdicts=verdicts, whole=args.all)
            sys.stdout.write(
                text.encode(sys.stdout.encoding or "utf-8", "replace").decode(sys.stdout.encoding or "utf-8")
            )
