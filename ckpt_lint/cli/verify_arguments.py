"""The arguments of `ckpt-lint verify`, apart from what it does: a run of another command imports none of that."""

from __future__ import annotations

import argparse

EVIDENCE = "ckpt-lint-evidence.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command, besides those of the configuration."""
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="files and folders of code (default: .); checkpoints, too"
    )
    parser.add_argument(
        "--checkpoint",
        action="append",
        nargs="+",
        default=[],
        metavar="FILE|DIR|GLOB",
        help="checkpoints to verify with; each is laid before the loads whose keys it holds",
    )
    parser.add_argument(
        "--python",
        metavar="PATH",
        help="the interpreter that has torch (default: the active one, or our own)",
    )
    parser.add_argument(
        "--trust-project-python",
        action="store_true",
        help="run the interpreter that the project's own setting `python` names, or that lies in its .venv",
    )
    parser.add_argument("--full", action="store_true", help="read every byte and compare it, bit by bit")
    parser.add_argument("--trust", action="store_true", help="replay loads that may run what the files name")
    parser.add_argument("--fix", action="store_true", help="apply safe fixes, and those that were confirmed")
    parser.add_argument("--report", metavar="FILE", help=f"write the evidence as Markdown (with --fix: {EVIDENCE})")
    parser.add_argument("--timeout", type=_seconds, default=120.0, metavar="S", help="seconds a checkpoint may take")
    parser.add_argument("--output-format", choices=("text", "json", "sarif"), default="text", dest="shown_as")


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e9:
        raise argparse.ArgumentTypeError("more than 0")
    return number
