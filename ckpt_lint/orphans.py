"""Processes that work for another one end when that one is killed: it cannot tell them any more."""

from __future__ import annotations

import os
import sys
import threading
import time

ORPHAN_SECONDS = 1.0
"""How long a process goes on after the one that it works for was killed."""


def end_with_parent(parent: int) -> None:
    """Have this process end soon after `parent`, the process that started it; else it would wait for work for ever."""
    if sys.platform != "win32":
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(ORPHAN_SECONDS)
    os._exit(1)
