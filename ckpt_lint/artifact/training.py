"""Which training state a checkpoint holds, told by the shape of its dicts. Everything here is about values, not names,
where the values suffice: an optimizer's state has `state` and `param_groups`, a scheduler's has `last_epoch`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice

from ckpt_lint.artifact.facts import StateDict, TrainingFacts
from ckpt_lint.artifact.limits import Work
from ckpt_lint.artifact.trust import is_module_class
from ckpt_lint.artifact.values import Called, Global, Ordered, Storage, Tensor, Value

_PROGRESS = re.compile(
    r"(^|[_\-. ])(epochs?|steps?|iters?|iterations?|updates?|batches|it|niter|kimg|rounds?)($|[_\-. ])",
    re.IGNORECASE,
)
_NOT_PROGRESS = re.compile(
    r"size|per|max|total|num_workers|warmup|every|interval|best|patience|eval|log|save", re.IGNORECASE
)
_RNG = re.compile(r"rng|random_?state|(^|_)generator($|_)", re.IGNORECASE)
_EMA = re.compile(
    r"(^|[_\-.])(ema|averaged|swa|shadow)($|[_\-.])|(^|[_\-.])model_ema|ema_model|ema_state", re.IGNORECASE
)
_SCALER = re.compile(r"scaler|^amp$|amp_scaling|MixedPrecision", re.IGNORECASE)
_VERSION = re.compile(r"version|^torch$|pytorch", re.IGNORECASE)
_RNG_LENGTHS = (5056, 16, 816)
PREFIXES = ("module.", "_orig_mod.", "_fsdp_wrapped_module.")
_DEEP = 5
_CHILDREN = 4096
_PATH = 2000
_MOST = 100
_OF_A_VALUE = 40


@dataclass(slots=True)
class Finder:
    """Collects what `look` is shown. Paths are key paths from the root."""

    models: list[tuple[str, dict[Value, Value]]] = field(default_factory=list)
    optimizers: list[str] = field(default_factory=list)
    schedulers: list[str] = field(default_factory=list)
    scalers: list[str] = field(default_factory=list)
    empty_scalers: list[str] = field(default_factory=list)
    rng: list[str] = field(default_factory=list)
    ema: list[str] = field(default_factory=list)
    progress: list[tuple[str, int]] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)
    scheduled: bool = False
    optimizer_storages: dict[int, int] = field(default_factory=dict)
    optimizer_parts: set[int] = field(default_factory=set)

    def facts(self) -> TrainingFacts:
        """The frozen result."""
        ema = set(self.ema)
        models = tuple(
            StateDict(path, len(table), prefix_of(table), path in ema) for path, table in self.models[:_MOST]
        )
        return TrainingFacts(
            models, tuple(self.optimizers[:_MOST]), tuple(self.schedulers[:_MOST]), tuple(self.scalers[:_MOST]),
            tuple(self.empty_scalers[:_MOST]), tuple(self.rng[:_MOST]), tuple(self.ema[:_MOST]),
            tuple(self.progress[:_MOST]), tuple(self.versions[:_MOST]), self.scheduled,
            tuple(self.whole[:_MOST]), sum(self.optimizer_storages.values()),
        )  # fmt: skip


def find_training(root: Value, work: Work) -> TrainingFacts:
    """Walk the outer levels of an object and say what it holds, as far as the work that is left goes."""
    finder = Finder()
    pending: list[tuple[str, str, Value, int]] = [("", "", root, 0)]
    seen: set[int] = set()
    while pending and work.left > 0:
        path, key, value, depth = pending.pop()
        work.left -= _OF_A_VALUE + (len(key) >> 4)
        if id(value) in seen and isinstance(value, (dict, list, tuple, Called)):
            continue
        seen.add(id(value))
        if _look(finder, path, key, value) or depth >= _DEEP or len(path) > _PATH:
            continue
        pending.extend(reversed([(*child, depth + 1) for child in _children(path, value)]))
    return finder.facts()


def _children(path: str, value: Value) -> list[tuple[str, str, Value]]:
    if isinstance(value, dict):
        pairs = ((key, part) for key, part in value.items() if isinstance(key, str) and len(key) <= _PATH)
        return [(f"{path}.{key}" if path else key, key, part) for key, part in islice(pairs, _CHILDREN)]
    if isinstance(value, (list, tuple)) and len(value) <= 64:
        return [(f"{path}[{index}]", path.rsplit(".", 1)[-1], part) for index, part in enumerate(value)]
    if isinstance(value, Called):
        states = [state for state in value.state[:_MOST] if isinstance(state, dict)]
        return [child for state in states for child in _children(path, state)]
    return []


def _look(finder: Finder, path: str, key: str, value: Value) -> bool:
    """Classify one value; True where there is no need to look inside."""
    if isinstance(value, dict):
        return _look_dict(finder, path, key, value)
    if isinstance(value, Called):
        return _look_called(finder, path, key, value)
    if isinstance(value, Tensor):
        if _is_rng(key, value):
            finder.rng.append(path)
        return True
    if isinstance(value, tuple):
        if len(value) == 3 and value[0] == 3 and isinstance(value[1], tuple) and len(value[1]) == 625:
            finder.rng.append(path)
            return True
        if value and value[0] == "MT19937":
            finder.rng.append(path)
            return True
        return False
    if type(value) is int and _PROGRESS.search(key) and not _NOT_PROGRESS.search(key):
        finder.progress.append((path, value))
    if isinstance(value, str) and _VERSION.search(key) and re.match(r"v?\d+\.\d+", value):
        finder.versions.append(path)
    return not isinstance(value, list)


def _look_dict(finder: Finder, path: str, key: str, value: dict[Value, Value]) -> bool:
    if _RNG.search(key) and value:
        finder.rng.append(path)
        return True
    if isinstance(value.get("state"), dict) and isinstance(value.get("param_groups"), list):
        _optimizer(finder, path, value)
        return True
    if "last_epoch" in value and not any(isinstance(part, Tensor) for part in list(value.values())[:8]):
        finder.schedulers.append(path)
        return True
    if "growth_factor" in value and "scale" in value:
        finder.scalers.append(path)
        return True
    if _SCALER.search(key) and not value:
        finder.empty_scalers.append(path)
        return True
    if is_state_dict(value):
        if _EMA.search(path) or "n_averaged" in value:
            finder.ema.append(path)
        finder.models.append((path, value))
        return True
    return False


def _optimizer(finder: Finder, path: str, value: dict[Value, Value]) -> None:
    finder.optimizers.append(path)
    for group in value["param_groups"]:
        if isinstance(group, dict) and "initial_lr" in group:
            finder.scheduled = True
    pending: list[Value] = [value["state"]]
    seen = finder.optimizer_parts
    while pending:
        part = pending.pop()
        if isinstance(part, Tensor) and isinstance(part.storage, Storage):
            finder.optimizer_storages[id(part.storage)] = part.storage.size
        elif isinstance(part, (dict, list, tuple)) and id(part) not in seen:
            seen.add(id(part))
            pending.extend(part.values() if isinstance(part, dict) else part)


def _look_called(finder: Finder, path: str, key: str, value: Called) -> bool:
    if is_whole_module(value):
        finder.whole.append(path)
        return True
    if value.path == "torch.torch_version.TorchVersion":
        finder.versions.append(path)
        return True
    if value.path.startswith("torch.optim.lr_scheduler."):
        finder.schedulers.append(path)
        return True
    if value.path.startswith("torch.optim.") and "swa_utils" not in value.path:
        finder.optimizers.append(path)
        return True
    if _RNG.search(key) or value.path.startswith("numpy.random."):
        finder.rng.append(path)
        return True
    return False


def is_whole_module(value: Called) -> bool:
    """Whether an object is a module: of a class of torch, or with the insides of one."""
    if not isinstance(value.callee, Global):
        return False
    if is_module_class(value.path):
        return True
    return any(isinstance(state, dict) and {"_parameters", "_modules"} <= state.keys() for state in value.state)


def is_state_dict(value: dict[Value, Value]) -> bool:
    """Whether a dict is a model's state dict: text to tensors, or what `_metadata` marks as one."""
    tensors = sum(1 for part in value.values() if isinstance(part, Tensor))
    if not tensors or not all(isinstance(key, str) for key in value):
        return False
    if tensors == len(value):
        return True
    if isinstance(value, Ordered) and "_metadata" in value.attributes:
        return True
    rest = [key for key, part in value.items() if not isinstance(part, Tensor)]
    return all(key.endswith(("_extra_state", "_packed_params.dtype", "_packed_params", ".dtype")) for key in rest)


def prefix_of(table: dict[Value, Value]) -> str | None:
    """The wrapper's prefix that every key carries (`module.`, `_orig_mod.`, or one after the other), or None."""
    keys = [key for key in table if isinstance(key, str)]
    found = ""
    while keys:
        prefix = next((p for p in PREFIXES[:2] if all(key.startswith(p, len(found)) for key in keys)), None)
        if prefix is None or len(found) > 100:
            break
        found += prefix
    return found or None


def _is_rng(key: str, value: Tensor) -> bool:
    if value.dtype != "uint8" or len(value.shape) != 1:
        return False
    return bool(_RNG.search(key)) or value.shape[0] in _RNG_LENGTHS[:1]
