"""Matching saves: which save wrote the file that a load reads. RULES.md, "Matching save"."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ckpt_lint.facts.checkpoints import Checkpoint, Checkpoints
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.paths import PathFacts, path_facts
from ckpt_lint.facts.reads import keys_read, unpacked_length
from ckpt_lint.facts.restores import Restores
from ckpt_lint.facts.saves import Save, Saves
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.world import Definition, World
from ckpt_lint.source import flow
from ckpt_lint.source.module import ModuleFacts

HALF = frozenset({"model", "state_dict", "epoch"})
"""Keys that half the world uses: two of them make one."""

FRAMEWORK = re.compile(
    r"\b(pytorch_lightning|lightning\.pytorch|lightning|transformers\.Trainer|Seq2SeqTrainer|accelerator\.save_state)\b"
)
_TRAINERS = frozenset({"transformers.Trainer", "transformers.Seq2SeqTrainer"})


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """The saves that may have written what a load reads, nearest first, and by what they were found."""

    saves: tuple[Save, ...]
    by: str

    @property
    def nearest(self) -> Save | None:
        """The nearest save."""
        return self.saves[0] if self.saves else None


NO_MATCH = Match((), "")

_SAVING = (b"save", b"dump", b"checkpoint", b"ckpt", b"store", b"snapshot", b"persist")
_CALLED = re.compile(rb"(?!_pretrained|_image|fig\(|txt\()\w*\(")


def _may_save(data: bytes) -> bool:
    """Whether something is called in a file as savers are: in every file that saves, whatever it calls its wrapper.

    `bytes.find` is ten times faster here than one regular expression for all of it.
    """
    text = data.lower()
    for word in _SAVING:
        place = text.find(word)
        while place >= 0:
            if _CALLED.match(text, place + len(word)):
                return True
            place = text.find(word, place + 1)
    return False


class Matching:
    """Finds the saves behind the loads of a world."""

    def __init__(
        self, world: World, values: Values, saves: Saves, checkpoints: Checkpoints, restores: Restores
    ) -> None:
        self.world = world
        self.values = values
        self.saves = saves
        self.checkpoints = checkpoints
        self.restores = restores
        self._matches: dict[Load, Match] = {}
        self._frameworks: dict[ModuleFacts, bool] = {}

    def of(self, load: Load) -> Match:
        """The saves that may have written what `load` reads."""
        known = self._matches.get(load)
        if known is None:
            known = self._matches[load] = self._find(load)
        return known

    def save_path(self, save: Save) -> PathFacts:
        """What is known of the path that a save writes."""
        return path_facts(self.values, save.path_module, save.path)

    def _find(self, load: Load) -> Match:
        if self.leaves_to_framework(load.module):
            return NO_MATCH
        wanted = path_facts(self.values, load.path_module, load.path)
        found = self._by_path(load, wanted, [*self._ways(load.module), *self._through(load, wanted)])
        if found:
            return Match(found, "path")
        others = self._others(load, wanted)
        found = self._by_last_component(wanted, others, load)
        if found:
            return Match(found, "path")
        found = self._by_keys(load, self.saves.of(load.module)) or self._by_keys(load, self._by_words(load))
        return Match(found, "keys") if found else NO_MATCH

    def _by_path(self, load: Load, wanted: PathFacts, saves: Sequence[Save]) -> tuple[Save, ...]:
        """Saves of the same file: same expression, same constant, same last component; those of the load's own function
        come first (elsewhere `path` is another variable), then the last above.
        """
        same = [s for s in saves if self._same(wanted, self.save_path(s), s.path_module is load.path_module)]
        same = [s for s in same if _same_text(wanted, self.save_path(s))] or same
        same = same if wanted.text else _of_class(load, same)
        above = [s for s in same if s.call.start < load.call.start]
        below = [s for s in same if s.call.start >= load.call.start]
        return tuple(sorted((*reversed(above), *below), key=lambda s: not _same_function(load, s)))

    def _through(self, load: Load, wanted: PathFacts) -> Iterator[Save]:
        """The calls, in other files, of save wrappers of the load's file that make the path that is read themselves."""
        for inner in self.saves.direct(load.module) if wanted.text else ():
            wrapper = flow.function_of(inner.call) if inner.passed else None
            if wrapper is None or not _same_text(wanted, self.save_path(inner)):
                continue
            for site in self.world.callers(Definition(load.module, wrapper)):
                if site.module is not load.module and not self.leaves_to_framework(site.module):
                    found = self.saves.of(site.module)
                    yield from (s for s in found if s.call is site.call and s.path_module is load.module)

    def _same(self, one: PathFacts, other: PathFacts, same_module: bool) -> bool:
        if _same_text(one, other):
            return True
        return same_module and bool(one.expression) and one.expression == other.expression and not (one.last and other.last)

    def _others(self, load: Load, wanted: PathFacts) -> list[Save]:
        """Saves of other files that may write a file with the same last component."""
        if not wanted.last or len(wanted.last) < 4:
            return []
        return [s for m in self._modules([wanted.last], load) for s in self._ways(m)]

    def _ways(self, module: ModuleFacts) -> list[Save]:
        """Every file that the saves of a module write, those that their wrappers write besides among them."""
        return [way for save in self.saves.of(module) for way in self.saves.ways(save)]

    def _by_last_component(self, wanted: PathFacts, saves: Sequence[Save], load: Load) -> tuple[Save, ...]:
        here = os.path.dirname(load.module.path)
        same = [s for s in saves if (facts := self.save_path(s)).last == wanted.last and facts.last]
        return tuple(sorted(same, key=lambda s: os.path.dirname(s.module.path) != here))

    def _modules(self, words: Sequence[str], load: Load, also: Sequence[str] = ()) -> Iterable[ModuleFacts]:
        """The other modules that contain one of `words` (and one of `also`), of files that may save something."""
        others = self.world.files.mentioning(also, beside=_may_save) if also else None
        for path in self.world.files.mentioning(words, beside=_may_save):
            if path == load.module.path or (others is not None and path not in others):
                continue
            for module in self.world.modules_of(path):
                if not self.leaves_to_framework(module):
                    yield module

    def _by_words(self, load: Load) -> list[Save]:
        keys = [k for k in keys_read(self.restores, load) if k not in HALF]
        if not keys:
            return []
        longest = max(keys, key=len)
        rest = [k for k in keys_read(self.restores, load) if k != longest]
        return [s for m in self._modules(_spelt([longest]), load, _spelt(rest)) for s in self.saves.of(m)] if rest else []

    def saves_writing(self, key: str, load: Load) -> list[Save]:
        """Every save of the project that may write a key, those of the load's own file first."""
        return [*self.saves.of(load.module), *(s for m in self._modules(_spelt([key]), load) for s in self.saves.of(m))]

    def _by_keys(self, load: Load, saves: Sequence[Save]) -> tuple[Save, ...]:
        """Saves that write at least two of the keys that are read; a list or tuple by its length."""
        keys = set(keys_read(self.restores, load))
        length = unpacked_length(load)
        out = []
        for save in saves:
            checkpoint = self.checkpoints.of(save)
            if checkpoint.shape == "dict" and _shared(keys, checkpoint) >= 2:
                out.append(save)
            elif checkpoint.shape == "sequence" and length == len(checkpoint.entries) and length:
                out.append(save)
        return tuple(sorted(out, key=lambda s: -_shared(keys, self.checkpoints.of(s))))

    def leaves_to_framework(self, module: ModuleFacts) -> bool:
        """Whether a file leaves its checkpoints to Lightning, the HF Trainer or `accelerate.save_state`."""
        known = self._frameworks.get(module)
        if known is None:
            known = self._frameworks[module] = _uses_framework(module)
        return known


def _same_text(one: PathFacts, other: PathFacts) -> bool:
    """Whether two paths are the same by what is written of them, and not only by the name of a variable."""
    return bool(one.text and other.text) and (one.text == other.text or bool(one.last and one.last == other.last))


def _same_function(load: Load, save: Save) -> bool:
    return flow.function_of(save.call) is flow.function_of(load.call) is not None


def _of_class(load: Load, saves: list[Save]) -> list[Save]:
    """Of saves whose path is spelt alike, those of the load's class: elsewhere `path` is another parameter."""
    holder = flow.class_of(load.call)
    own = [save for save in saves if save.module is load.module and flow.class_of(save.call) is holder]
    return own if holder is not None and own else saves


def _shared(keys: set[str], checkpoint: Checkpoint) -> float:
    both = keys & set(checkpoint.keys)
    return sum(0.5 if key in HALF else 1.0 for key in both)


def _uses_framework(module: ModuleFacts) -> bool:
    if "save_state" in module.calls_by_name and "load_state" in module.calls_by_name:
        return True
    for call in module.calls_by_name.get("Trainer", ()):
        if any(re.match(r"(pytorch_lightning|lightning|transformers)\b", name) for name in module.names.of(call.func)):
            return True
    return False


__all__ = ["Match", "Matching", "NO_MATCH"]


def _spelt(keys: Sequence[str]) -> list[str]:
    """How keys stand in a dict or a call of `dict`."""
    return [form for key in keys for form in (f'"{key}"', f"'{key}'", f"{key}=")]
