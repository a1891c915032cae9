"""`python -m ckpt_lint`."""

from __future__ import annotations

import sys

from ckpt_lint.cli import main

sys.exit(main())
