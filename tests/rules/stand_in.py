"""A stand-in for torch, and for everything else that a program may touch: it records every call, and does nothing.

`calls_of` runs a program in which every import but that of a few harmless modules gives a `Recorder`, and so does every
name that is bound nowhere. Then each function and method of the program is called with recorders. Whether a recorder
is true depends on its name and on the `world`, so that several worlds go through the branches of a program.
"""

from __future__ import annotations

import builtins
import importlib
import inspect
import re
import types
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

HARMLESS = frozenset({"__future__", "collections", "contextlib", "copy", "dataclasses", "enum", "functools", "typing"})
MOST_CALLS = 400

Call = tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]]
"""What is called, its arguments, and its keyword arguments by name."""


@dataclass
class Tape:
    """What a program does. A call of a name in `transparent` gives what it was called on; `renamed` are one name."""

    world: int
    transparent: frozenset[str] = frozenset()
    renamed: frozenset[str] = frozenset()
    calls: list[Call] = field(default_factory=list)
    count: dict[str, int] = field(default_factory=dict)

    def record(self, name: str, arguments: tuple[Any, ...] = (), keywords: dict[str, Any] | None = None) -> str:
        """Note a call; the name of its result."""
        shown = tuple((key, show(value)) for key, value in sorted((keywords or {}).items()))
        self.calls.append((name, tuple(map(show, arguments)), shown))
        if len(self.calls) > MOST_CALLS:
            raise Enough
        plain = re.sub(rf"\.({'|'.join(self.renamed)})$", ".renamed", name) if self.renamed else name
        self.count[plain] = self.count.get(plain, 0) + 1
        return f"{plain}()#{self.count[plain]}"


class Enough(BaseException):
    """The program has called enough."""


def show(value: Any) -> str:
    """A value as the tape has it: no addresses."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


class Recorder:
    """Stands for anything: called, subscripted, iterated over, computed with."""

    def __init__(self, tape: Tape, name: str, owner: Any = None) -> None:
        self.__dict__.update(_tape=tape, _name=name, _owner=owner)

    def _new(self, name: str) -> Recorder:
        return Recorder(self._tape, name)

    def __repr__(self) -> str:
        return str(self._name)

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return []
        if name.startswith("__") and name.endswith("__") and name not in ("__version__", "__class__"):
            raise AttributeError(name)
        return Recorder(self._tape, f"{self._name}.{name}", self)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        result = self._tape.record(self._name, arguments, keywords)
        last = self._name.rpartition(".")[2]
        if last in self._tape.transparent:
            return self if last == "state_dict" else self._owner
        if len(arguments) == 1 and isinstance(arguments[0], (types.FunctionType, type)) and not keywords:
            return arguments[0]  # a decorator
        return self._new(result)

    def __deepcopy__(self, memo: Any) -> Recorder:
        self._tape.record("copy.deepcopy", (self,))
        return self if "deepcopy" in self._tape.transparent else self._new(f"copy of {self._name}")

    def __mro_entries__(self, bases: Any) -> tuple[type, ...]:
        return (_based(self._tape),)

    def __bool__(self) -> bool:
        return bool(zlib.crc32(f"{self._name}{self._tape.world}".encode()) & 4)

    def __instancecheck__(self, value: Any) -> bool:
        return bool(self._new(f"isinstance({show(value)}, {self._name})"))

    def __iter__(self) -> Iterator[Recorder]:
        return iter([self._new(f"{self._name}[first]"), self._new(f"{self._name}[second]")])

    def __getitem__(self, key: Any) -> Recorder:
        return Recorder(self._tape, f"{self._name}[{show(key)}]", self)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._tape.record(f"{self._name}.__setitem__", (key, value))

    def __delitem__(self, key: Any) -> None:
        self._tape.record(f"{self._name}.__delitem__", (key,))

    def __setattr__(self, name: str, value: Any) -> None:
        self._tape.record(f"{self._name}.__setattr__", (name, value))

    def __eq__(self, other: object) -> bool:
        return repr(self) == repr(other)

    def __hash__(self) -> int:
        return zlib.crc32(self._name.encode())

    def __contains__(self, item: Any) -> bool:
        return bool(self._new(f"{show(item)} in {self._name}"))

    def __lt__(self, other: Any) -> bool:
        return bool(self._new(f"{self._name} < {show(other)}"))

    __gt__ = __le__ = __ge__ = __lt__

    def __len__(self) -> int:
        return 2

    def __index__(self) -> int:
        return 2

    __int__ = __index__

    def __float__(self) -> float:
        return 2.0

    def __enter__(self) -> Recorder:
        self._tape.record(f"{self._name}.__enter__")
        return self._new(f"with {self._name}")

    def __exit__(self, *error: Any) -> None:
        self._tape.record(f"{self._name}.__exit__")

    async def __aenter__(self) -> Recorder:
        return self.__enter__()

    async def __aexit__(self, *error: Any) -> None:
        self.__exit__()

    def __await__(self) -> Iterator[Recorder]:
        return self
        yield


def _operator(name: str) -> Callable[..., Recorder]:
    return lambda self, *others: self._new(f"{name}({', '.join(map(show, (self, *others)))})")


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift"):
    for _prefix in ("", "r", "i"):
        setattr(Recorder, f"__{_prefix}{_name}__", _operator(_prefix + _name))
for _name in ("neg", "pos", "abs", "invert"):
    setattr(Recorder, f"__{_name}__", _operator(_name))


def _based(tape: Tape) -> type:
    """What a class of the program is based on in the place of a recorder."""

    class Based:
        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            tape.record(f"{type(self).__name__}.__init__", arguments, keywords)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return Recorder(tape, f"{self!r}.{name}", self)

        def __call__(self, *arguments: Any, **keywords: Any) -> Any:
            return Recorder(tape, tape.record(repr(self), arguments, keywords))

        def __repr__(self) -> str:
            return type(self).__name__

    return Based


class _Names(dict[str, Any]):
    """The names of the program; one that is bound nowhere is a recorder."""

    def __init__(self, tape: Tape) -> None:
        found = dict(vars(builtins))
        for name in ("open", "print", "input", "exit", "quit", "eval", "exec", "breakpoint"):
            found[name] = Recorder(tape, name)
        found["__import__"] = lambda name, *rest: _imported(tape, name, *rest)
        super().__init__(__builtins__=found, __name__="__main__", __file__="train.py")
        self.tape = tape

    def __missing__(self, name: str) -> Any:
        if name in self["__builtins__"]:
            raise KeyError(name)
        return Recorder(self.tape, name)


def _imported(tape: Tape, name: str, scope: Any = None, local: Any = None, names: Any = (), level: int = 0) -> Any:
    top = name.partition(".")[0]
    if level == 0 and top in HARMLESS:
        return importlib.import_module(name if names else top)
    return Recorder(tape, "." * level + (name if names else top))


def calls_of(program: str, world: int, **options: frozenset[str]) -> list[Call]:
    """The calls that a program makes, then each of its functions; an error ends the function that it comes from."""
    tape = Tape(world, **options)
    names = _Names(tape)
    _run(tape, lambda: exec(compile(program, "train.py", "exec"), names))
    for name, value in list(names.items()):
        if isinstance(value, types.FunctionType) and value.__globals__ is names:
            _call(tape, value)
        elif isinstance(value, type) and value.__module__ == "__main__":
            _use(tape, value, name)
    return tape.calls


def _use(tape: Tape, kind: type, name: str) -> None:
    made: list[Any] = []
    _run(tape, lambda: made.append(kind(*_arguments(tape, kind.__init__, name)[1:])))
    for method, function in list(vars(kind).items()):
        if made and isinstance(function, types.FunctionType) and method != "__init__":
            _call(tape, function, made[0])


def _call(tape: Tape, function: Callable[..., Any], *first: Any) -> None:
    given = _arguments(tape, function, function.__name__)
    _run(tape, lambda: function(*first, *given[len(first) :]))


def _arguments(tape: Tape, function: Any, name: str) -> list[Any]:
    """A recorder for every positional parameter without a default."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    wanted = [one.name for one in parameters if one.kind in kinds and one.default is one.empty]
    return [Recorder(tape, f"{name}:{one}") for one in wanted]


def _run(tape: Tape, act: Callable[[], Any]) -> None:
    """Do it; a coroutine or a generator that comes of it is run to its end. How it ends is on the tape."""
    before = len(tape.calls)
    try:
        result = act()
        if isinstance(result, types.CoroutineType):
            result.send(None)
        elif isinstance(result, types.GeneratorType):
            list(result)
        tape.calls.append(("returns", (show(result),), ()))
    except (Exception, SystemExit, Enough) as error:
        del tape.calls[before + MOST_CALLS :]
        tape.calls.append(("raises", (type(error).__name__,), ()))
