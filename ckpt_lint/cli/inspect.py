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
from ckpt_lint.artifact.remote import RemoteError, is_remote, read_deep_remote, read_remote
from ckpt_lint.artifact.versions import verdict_for, version_key
from ckpt_lint.cli.inspect_arguments import add_arguments
from ckpt_lint.report.look import printable
from ckpt_lint.write import write_output

CLEAN, USAGE, UNCHECKED = 0, 2, 3


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Register the command."""
    parser = commands.add_parser("inspect", help="say what a checkpoint file is and holds, running nothing")
    add_arguments(parser)
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
    known = [facts for facts in map(_read, args.files) if facts is not None]
    unread = len(known) < len(args.files) or any(unreadable(facts) for facts in known)
    try:
        if args.diff:
            _compare(args, known)
        elif args.html:
            _write_page(args, known)
        else:
            _show(args, known)
    except RemoteError as error:
        return _say(f"ckpt-lint inspect: {error}", UNCHECKED)
    except OSError as error:
        if error.filename is None:
            raise
        return _say(f"ckpt-lint inspect: {error.filename}: {error.strerror}", USAGE if args.html else UNCHECKED)
    return UNCHECKED if unread else CLEAN


def _say(text: str, code: int) -> int:
    print(printable(text), file=sys.stderr)
    return code


def _read(name: str) -> ArtifactFacts | None:
    try:
        return read_remote(name) if is_remote(name) else read_artifact(name)
    except (OSError, RemoteError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        _say(f"ckpt-lint inspect: {name}: {reason}", UNCHECKED)
        return None


def _judged(facts: ArtifactFacts, *, deep: bool) -> list[FileFinding]:
    """Findings, with the names of the files beside it. Raises OSError, RemoteError."""
    if is_remote(facts.path):
        return list(findings(facts, deep=read_deep_remote(facts.path, facts) if deep else None))
    folder = Path(facts.path).absolute().parent
    siblings = sorted(os.listdir(folder)) if folder.is_dir() else []
    below: DeepFacts | None = read_deep(facts.path, facts) if deep else None
    return list(findings(facts, deep=below, siblings=siblings))


def _verdicts(facts: ArtifactFacts, versions: list[str]) -> list[Verdict]:
    return [facts.verdict, *(verdict_for(facts, version) for version in versions)]


def _compare(args: argparse.Namespace, known: list[ArtifactFacts]) -> None:
    from ckpt_lint.report import inspect_diff

    if len(known) == 2:
        _print(inspect_diff.render_json(*known) if args.json else inspect_diff.render(*known, width=_width()))


def _write_page(args: argparse.Namespace, known: list[ArtifactFacts]) -> None:
    from ckpt_lint.report import inspect_html

    for facts in known:
        found = _judged(facts, deep=args.deep)
        page = inspect_html.render(facts, findings=found, verdicts=_verdicts(facts, args.torch))
        try:
            write_output(args.html, page)
        except OSError as error:
            raise OSError(error.errno, error.strerror, args.html) from None


def _show(args: argparse.Namespace, known: list[ArtifactFacts]) -> None:
    """One text, or one JSON object, a file; several files make a JSON array."""
    for number, facts in enumerate(known):
        found, verdicts = _judged(facts, deep=args.deep), _verdicts(facts, args.torch)
        if args.json:
            from ckpt_lint.report import inspect_json

            several = len(args.files) > 1
            _print(("," if number else "[") if several else "")
            _print(inspect_json.render(facts, findings=found, verdicts=verdicts))
        else:
            from ckpt_lint.report import inspect_text

            text = inspect_text.render(facts, width=_width(), findings=found, verdicts=verdicts, whole=args.all)
            _print("\n" + text if number else text)
    if args.json and len(args.files) > 1:
        _print("]\n" if known else "[]\n")


def _width() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def _print(text: str) -> None:
    """What the terminal cannot show becomes a question mark."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
