"""The arguments of `ckpt-lint inspect`, apart from what it does, so that no other command imports that."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Files, what to show of them, and in which form."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="a checkpoint file or folder, or a URL (remote extra)")
    parser.add_argument("--json", action="store_true", help="all facts as JSON")
    parser.add_argument("--html", metavar="PAGE", help="write one self-contained page with a treemap of the bytes")
    parser.add_argument("--diff", action="store_true", help="compare two files")
    parser.add_argument("--torch", action="append", default=[], metavar="VERSION", help="also judge for this torch")
    parser.add_argument("--deep", action="store_true", help="read the tensors too: CRCs, NaN")
    parser.add_argument("--all", action="store_true", help="show the whole tree of keys")
