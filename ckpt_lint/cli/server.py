"""`ckpt-lint server`: speak with an editor over stdin and stdout."""

from __future__ import annotations

import argparse
import os
import sys

from ckpt_lint.cli.clean import cache_of
from ckpt_lint.cli.configured import configs_from
from ckpt_lint.config import ConfigError
from ckpt_lint.config.merge import merge
from ckpt_lint.rules import ALL

_NEEDED = ("pygls", "lsprotocol")


def server(arguments: argparse.Namespace) -> int:
    """Serve until the editor is done; the exit code. Raises ConfigError where pygls is not installed."""
    configs = configs_from(arguments, ALL)
    merge(configs.overrides, ALL, root=os.getcwd())  # a wrong option is said now, and not in every document
    try:
        from ckpt_lint.server.language_server import serve
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        raise ConfigError("the server needs pygls 2: pip install 'ckpt-lint[lsp]'") from None
    code = serve(configs, cache=cache_of(arguments))
    sys.stderr.flush()
    os._exit(code)  # a thread may still wait for stdin, or check something that nobody will see
