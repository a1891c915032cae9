"""Programs in which the hazard of a rule really happens under torch, and is gone after the fix. One file a rule.

Nothing imports these modules: `ckpt_lint.verify.prove` hands their paths to an interpreter that has torch, where
`worker.py` runs them on the `stage.py` beside it. A proof therefore imports the standard library and torch (numpy and
safetensors where the hazard is about them), never ckpt_lint; the types of the seam are imported for type checkers
only. Its constants are literals, which the side without torch reads from the source:

- `CODE`: the rule.
- `BAD`: a program in which our rule fires. `GOOD`: the right program, only where the rule has no fix; elsewhere the
  right program is what our own fix makes of `BAD`, at run time.
- `NEEDS` (optional): what the proof needs besides any torch from 2.0 on, such as `{"torch": "2.3", "system": "linux"}`.
- `STAND_INS` (optional): what stands in for something a CPU host does not have, one clause each.

`observe(program, stage)` runs one of the two programs and returns what it saw: whether the hazard happened, and
(a separate question) whether the program did what its author meant.
"""
