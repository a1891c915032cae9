"""All opcodes in one table."""

from __future__ import annotations

from ckpt_lint.artifact.machine import Handler, Machine
from ckpt_lint.artifact.op_containers import CONTAINERS
from ckpt_lint.artifact.op_objects import OBJECTS
from ckpt_lint.artifact.op_plain import PLAIN, unknown
from ckpt_lint.artifact.op_tensor import TENSORS


def handlers_for(operands: frozenset[int]) -> list[Handler]:
    """The 256 handlers; one that torch does not know refuses first and is then read all the same."""
    table: list[Handler] = [unknown] * 256
    for code, handler in {**PLAIN, **CONTAINERS, **OBJECTS, **TENSORS}.items():
        table[code[0]] = handler
    return [handler if code in operands else _unsupported(code, handler) for code, handler in enumerate(table)]


def _unsupported(code: int, handler: Handler) -> Handler:
    def refused(m: Machine) -> None:
        m.refuse(f"Unsupported operand {code}", "operand")
        handler(m)

    return refused
