"""Faults of distributed checkpoints: collectives where one rank comes, and what dcp.load returns."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from seeding.source import Site, Source, dotted, keyword, loads

_ONE_RANK = re.compile(r"rank\w*(?:\(\))?\s*==\s*0|is_main_process|is_master|master_process")
_DISTRIBUTED = "torch.distributed"
_LIGHTNING = re.compile(r"(?m)^(?:from|import) (?:pytorch_lightning|lightning)\b")


def collective_guarded(source: Source) -> Iterator[Site]:
    """413: put a collective save under a rank guard."""
    for call in source.calls:
        name, statement = dotted(call.func), source.statement(call)
        collective = name in (
            "dcp.save",
            "dist_cp.save",
            "dist_cp.save_state_dict",
            "torch.distributed.checkpoint.save",
        )
        engine = re.search(r"(?:^|\.)(?:model_engine|engine)\.save_checkpoint$", name) and "deepspeed" in source.text
        made = re.search(r"\btrainer(?: = |: [\"']?)[\w.]*Trainer\b", source.part_of(source.scope(call)))
        trainer = re.search(r"(?:^|\.)trainer\.save_checkpoint$", name) and _LIGHTNING.search(source.text) and made
        collective |= bool(engine or trainer)
        if not collective or not isinstance(statement, ast.Expr) or not source.stands_alone(statement):
            continue
        start, end = source.lines_of(statement)
        pad = source.indent(statement)
        text = f"{pad}if torch.distributed.get_rank() == 0:\n{source.indented(statement)}"
        reason = "" if re.search(r"(?m)^import torch[ \t]*$", source.text) else "torch is not imported"
        if any(isinstance(one, ast.If) and "rank" in source.part(one.test) for one in source.above(statement)):
            reason = "under a guard already"
        yield Site("CKP413", call.lineno, "if torch.distributed.get_rank() == 0:", ((start, end, text),), reason)


def collective_instead(source: Source) -> Iterator[Site]:
    """413: save by dcp, a collective, where only one rank comes."""
    imported = "import torch.distributed.checkpoint as dcp\n"
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.If) or not _ONE_RANK.search(source.part(node.test)) or node.orelse:
            continue
        for call in source.saves:
            if source.statement(call) in node.body:
                reason = "" if _DISTRIBUTED in source.text else "nothing in the file is distributed"
                reason = "dcp is bound already" if re.search(r"\bdcp\b", source.text) else reason
                text = f"dcp.save({source.part(call.args[0])}, checkpoint_id={source.part(call.args[1])})"
                edits = (source.replace(call, text), (source.docs_end, source.docs_end, imported))
                yield Site("CKP413", call.lineno, "dcp.save under a rank guard", edits, reason)


def dcp_result(source: Source) -> Iterator[Site]:
    """417: use the result of dcp.load."""
    for call in source.calls:
        statement = source.statement(call)
        if dotted(call.func) not in ("dcp.load", "dist_cp.load", "torch.distributed.checkpoint.load"):
            continue
        state = call.args[0] if call.args else getattr(keyword(call, "state_dict"), "value", None)
        if isinstance(statement, ast.Expr) and statement.value is call and isinstance(state, ast.Name):
            start = source.span(statement)[0]
            reason = "a planner is given" if keyword(call, "planner") else ""
            yield Site("CKP417", call.lineno, f"{state.id} = dcp.load", ((start, start, f"{state.id} = "),), reason)


def dcp_instead(source: Source) -> Iterator[Site]:
    """417: read the checkpoint by dcp.load into an empty dict, and use what it returns."""
    imported = "import torch.distributed.checkpoint as dcp\n"
    for call in loads(source):
        statement = source.statement(call)
        if not isinstance(statement, ast.Assign) or statement.value is not call or not dotted(statement.targets[0]):
            continue
        line = source.replace(call, f"dcp.load({{}}, checkpoint_id={source.part(call.args[0])})")
        reason = "dcp is bound already" if re.search(r"\bdcp\b", source.text) else ""
        edits = (line, (source.docs_end, source.docs_end, imported))
        yield Site("CKP417", call.lineno, "dcp.load({}, ...)", edits, reason)


MUTATORS = (collective_guarded, collective_instead, dcp_result, dcp_instead)
