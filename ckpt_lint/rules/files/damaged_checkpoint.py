"""CKP502."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP502",
    name="damaged-checkpoint",
    severity=Severity.ERROR,
    on=True,
    artifact=True,
    page=Page(
        summary="A checkpoint file is truncated, lacks records, or is not what its own headers say.",
        why=(
            "A copy that broke off, a full disk or a crash inside `torch.save` leaves a file that is found out when "
            "it is needed: at the resume, after the machine is gone. torch then says `PytorchStreamReader failed "
            "finding central directory` or `unexpected EOF`. The headers alone show most of it: records that are "
            "missing, or whose sizes do not fit the tensors that point at them, two directories that contradict each "
            "other. `--deep` reads the data as well and compares the CRC of every record."
        ),
        bad="""\
model.pt
  data/3: the tensors need 4096 bytes, the record holds 1024
""",
        good="""\
model.pt
  every record is there and as long as its tensors say; with --deep every CRC is right
""",
        silent=(
            "a writer that was told to write no CRCs (`torch.serialization.set_crc32_options(False)`)",
        ),
        sources=("https://docs.pytorch.org/docs/stable/notes/serialization.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Nothing in code: a file shows it (`ckpt_lint.artifact.judge`)."""
    yield from ()
