"""flake8 that writes down which files our plugin judges: `python -m tests.watched_flake8 FILE OPTION...`."""

from __future__ import annotations

import sys
from typing import Any

from flake8.main.cli import main

import ckpt_lint.flake8


def watch(seen: str) -> None:
    """From now on every path that is judged becomes a line of a file, in this process and in those it starts."""
    judge = ckpt_lint.flake8.Worker.check_text

    def watched(self: Any, path: str, *rest: Any, **named: Any) -> Any:
        with open(seen, "a") as stream:
            stream.write(path + "\n")
        return judge(self, path, *rest, **named)

    ckpt_lint.flake8.Worker.check_text = watched  # type: ignore[method-assign]


if __name__ == "__main__":
    watch(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
