"""What every node of a syntax tree is (see `ckpt_lint.source.tree`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import EllipsisType
from typing import ClassVar, TypeAlias

from ckpt_lint.model import Span

Value: TypeAlias = str | bytes | int | float | complex | bool | EllipsisType | None


@dataclass(slots=True, eq=False)
class Node:
    """Anything with a place in the file. `role` is the field of `parent` it stands in; `index` its pre-order rank."""

    CHILDREN: ClassVar[tuple[str, ...]] = ()
    start: int
    end: int
    parent: Node = field(init=False, repr=False)
    role: str = field(init=False, repr=False)
    index: int = field(init=False, repr=False)

    @property
    def span(self) -> Span:
        """The node's characters."""
        return Span(self.start, self.end)


@dataclass(slots=True, eq=False)
class Expr(Node):
    """An expression."""


@dataclass(slots=True, eq=False)
class Stmt(Node):
    """A statement."""
