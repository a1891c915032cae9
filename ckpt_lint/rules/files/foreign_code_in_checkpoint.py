"""CKP501."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP501",
    name="foreign-code-in-checkpoint",
    severity=Severity.ERROR,
    on=True,
    groups=("security",),
    artifact=True,
    page=Page(
        summary="A checkpoint file names or calls code that is not known to be safe.",
        why=(
            "A checkpoint is a pickle, and a pickle is a program: what it names is imported and called while it "
            "loads, before anything of it is looked at. `torch.load(weights_only=True)` refuses what is not on "
            "torch's list; `weights_only=False`, `pickle.load` and joblib run it. Every pickle in the file is "
            "interpreted (those of the legacy format, and those that lie in other members too) without running "
            "anything, and each global is on torch's list for that version, a class known to be data, or unknown. "
            "Unknown is not known to be safe, which need not mean evil. A namespace, a NumPy scalar or a whole "
            "module of torch.nn is none of it: those are CKP110 and CKP101."
        ),
        bad="""\
model.pt
  data.pkl, offset 22: os.system is called
""",
        good="""\
model.pt
  data.pkl: tensors in dicts, lists and numbers
""",
        silent=(
            "globals on torch's weights-only list",
            "classes that are known to be data (CKP110), and whole modules of known classes (CKP101)",
        ),
        sources=("https://docs.pytorch.org/docs/stable/notes/serialization.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Nothing in code: a file shows it (`ckpt_lint.artifact.judge`)."""
    yield from ()
