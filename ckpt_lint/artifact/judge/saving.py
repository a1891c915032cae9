"""CKP101 to CKP114 as a file shows them: how the object was saved."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.artifact.facts import ArtifactFacts, GlobalFacts
from ckpt_lint.artifact.judge.finding import FileFinding, listed
from ckpt_lint.artifact.trust import is_module_class
from ckpt_lint.model import Artifact

_TORCH = ("torch-zip", "torch-legacy", "torch-tar")
_DATA_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".npy", ".npz", ".json", ".csv", ".txt", ".yaml",
                  ".yml", ".h5", ".hdf5", ".onnx", ".parquet", ".mp4", ".wav")  # fmt: skip
_ADVICE: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("argparse.", "types.SimpleNamespace"), "a namespace", "save vars(args)"),
    (("numpy.",), "NumPy values", "save float(x), int(x) or torch.from_numpy(x)"),
    (("pathlib.",), "a path", "save str(path)"),
    (("datetime.",), "a date or time", "save x.isoformat()"),
    (("uuid.", "decimal.", "fractions."), "a number or id object", "save str(x)"),
    (("torch.torch_version.",), "torch.__version__ itself", "save str(torch.__version__)"),
    (("collections.defaultdict",), "a defaultdict", "save dict(x): no allow-list admits it from torch 2.10 on"),
    (("collections.deque",), "a deque", "save list(x): no allow-list admits it"),
    (("collections.User",), "a user container", "save its plain dict or list"),
    (("torch.optim.", "torch.amp.", "torch.cuda.amp."), "a whole optimizer or scheduler", "save x.state_dict()"),
    (("torch._C.Generator",), "a generator", "save generator.get_state()"),
    (("omegaconf.", "yacs.", "easydict.", "addict."), "a config object", "save it as a plain container"),
    (("torch.distributed.tensor", "torch.distributed.device_mesh"), "a DTensor", "save full tensors, or use DCP"),
    (("torch.nested", "torch._dynamo"), "a nested tensor", "import torch.nested first, or save plain tensors"),
    (("builtins.", "exceptions."), "a value of a refused class", "save plain lists, dicts and numbers"),
    (("re.", "typing.", "copyreg."), "a value of another refused class", "save plain values"),
)


def saving_findings(facts: ArtifactFacts) -> Iterator[FileFinding]:
    """The family CKP1, as far as files show it."""
    yield from _whole_modules(facts)
    yield from _wrapped(facts)
    yield from _devices(facts)
    if facts.kind in ("torch-legacy", "torch-tar"):
        text = "saved in the legacy format: no mmap, no partial reads; load it once and torch.save it again"
        yield FileFinding("CKP108", text)
    if facts.kind == "pickle" and (facts.tensors or facts.training.whole_modules or facts.storages):
        text = "weights in a plain pickle: every load of it runs what it names; save the state dict with torch.save"
        yield FileFinding("CKP109", text)
    yield from _blockers(facts)
    for item in facts.bloat:
        key = item.keys[0] if item.keys else None
        text = f"{listed(list(item.keys))}: of {item.size} bytes saved, {item.used} are used; .clone() first"
        yield FileFinding("CKP112", text, Artifact(key=key))
    yield from _misnamed(facts)
    yield from _protocol(facts)


def _whole_modules(facts: ArtifactFacts) -> Iterator[FileFinding]:
    for key in facts.training.whole_modules[:1]:
        if facts.kind not in (*_TORCH, "pickle"):
            continue
        where = f"{key} is" if key else "it is"
        text = f"{where} a whole module, not its state_dict(): weights_only refuses it, and it needs the same source"
        yield FileFinding("CKP101", text, Artifact(key=key or None))


def _wrapped(facts: ArtifactFacts) -> Iterator[FileFinding]:
    for model in facts.training.models:
        if model.prefix is not None:
            where = f"{model.key}: " if model.key else ""
            text = f"{where}all {model.tensors} keys carry {model.prefix!r}: it was saved from a wrapper; strip it once"
            yield FileFinding("CKP103", text, Artifact(key=model.key or None))


def _devices(facts: ArtifactFacts) -> Iterator[FileFinding]:
    tags = [tag for tag in facts.devices if tag not in ("cpu", "meta")]
    if tags and facts.kind in _TORCH:
        first = next((fact.key for fact in facts.tensors if fact.device not in ("cpu", "meta")), None)
        text = f"saved on {listed(tags)}: torch.load without map_location fails on a host that lacks it"
        yield FileFinding("CKP107", text, Artifact(key=first))


def _blockers(facts: ArtifactFacts) -> Iterator[FileFinding]:
    """CKP110: one finding a sort of value. Classes that belong to a whole module are CKP101's."""
    if facts.kind not in _TORCH or not facts.tensors:
        return
    told: set[str] = set()
    outer: list[str] = []
    modules = list(facts.training.whole_modules)
    for item in sorted(facts.data_globals, key=lambda item: min(map(len, item.keys), default=1 << 20)):
        inner = item.path.startswith(("builtins.", "collections.", "torch."))
        if inner and item.keys and all(_is_below(key, outer) for key in item.keys):
            continue
        outer.extend(item.keys)
        if item.keys and all("" in modules or key in modules or _is_below(key, modules) for key in item.keys):
            continue
        if facts.training.whole_modules and (is_module_class(item.path) or not item.keys):
            continue
        what, advice = _advice(item)
        if what in told or (item.path.startswith(("torch.nn.", "torch.ao.")) and facts.training.whole_modules):
            continue
        told.add(what)
        where = f" at {listed(list(item.keys), 3)}" if item.keys and item.keys[0] else ""
        text = f"it holds {what} ({item.path}){where}, which weights_only refuses: {advice}"
        yield FileFinding("CKP110", text, Artifact(item.member, item.offset, item.keys[0] if item.keys else None))
    reason = facts.verdict
    if not told and reason.loads is False and reason.kind == "operand" and set(facts.protocols) <= {2, 3}:
        text = f"it holds a value that weights_only refuses ({reason.message}): a huge int, or bytes of protocol 3"
        yield FileFinding("CKP110", text, Artifact(reason.member, reason.offset))


def _is_below(key: str, outer: list[str]) -> bool:
    """Whether a key path lies inside of one of the objects that were told already."""
    return any(key.startswith(path) and key[len(path) : len(path) + 1] in ("(", ".", "[") for path in outer)


def _advice(item: GlobalFacts) -> tuple[str, str]:
    for prefixes, what, advice in _ADVICE:
        if item.path.startswith(prefixes):
            return what, advice
    return f"an object of {item.path}", "save its plain values"


def _misnamed(facts: ArtifactFacts) -> Iterator[FileFinding]:
    name = facts.path.lower()
    if facts.kind in _TORCH and name.endswith(".safetensors"):
        yield FileFinding("CKP113", "a torch.save file under the name .safetensors: every reader refuses it; rename it")
    elif facts.kind in _TORCH and name.endswith(_DATA_SUFFIXES):
        suffix = name[name.rfind(".") :]
        yield FileFinding("CKP113", f"a torch.save file under the name *{suffix}: rename it to .pt")
    elif facts.kind == "safetensors" and name.endswith((".pt", ".pth", ".ckpt", ".bin", ".pkl")):
        text = "a safetensors file under the name of a torch file: torch.load refuses it; rename it to .safetensors"
        yield FileFinding("CKP113", text)


def _protocol(facts: ArtifactFacts) -> Iterator[FileFinding]:
    refused = [number for number in facts.protocols if number not in (2, 3)]
    if facts.kind in ("torch-zip", "torch-legacy") and refused and facts.verdict.kind != "damage":
        text = f"written with pickle protocol {refused[-1]}: weights_only reads 2 and 3; save without pickle_protocol"
        yield FileFinding("CKP114", text)
