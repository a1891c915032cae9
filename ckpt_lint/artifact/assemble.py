"""From a Draft to ArtifactFacts: the tree, trust of each global, ties, bloat, and what torch would say."""

from __future__ import annotations

from ckpt_lint.artifact.draft import Draft, PickleRun
from ckpt_lint.artifact.facts import ArtifactFacts, Bloat, GlobalFacts, Node, TensorFacts, TrainingFacts, Verdict
from ckpt_lint.artifact.tables import REFERENCE
from ckpt_lint.artifact.training import find_training
from ckpt_lint.artifact.tree import Walk, walk
from ckpt_lint.artifact.trust import trust
from ckpt_lint.artifact.values import Storage, Tensor

_SCRIPT_MODULES = ("__torch__", "torch.jit._pickle", "torch._utils", "torch.jit", "torch", "collections")
_BLOAT_LEAST = 1024
_BUFFERS = ("running_mean", "running_var", "num_batches_tracked", "n_averaged")


def assemble(draft: Draft, *, bytes_read: int, reads: int) -> ArtifactFacts:
    """The finished facts of one file."""
    found = walk(draft.root, draft.limits, draft.table, draft.work) if draft.has_root else Walk()
    tensors = tuple(draft.tensors if draft.tensors is not None else found.tensors)
    if found.unread:
        draft.problem("limit", f"it could not be read to the end: {draft.work.too_much()}")
    if found.cut:
        draft.metadata.append(("tree", "too large or too deep to show whole"))
    training = find_training(draft.root if draft.has_root else _table(draft, tensors), draft.work)
    protocols = sorted({number for run in _torch_runs(draft) for number in (run.machine.protocols or [0])})
    return ArtifactFacts(
        draft.path, draft.access.size, draft.kind, draft.title, draft.format_version, draft.fingerprint,
        draft.root_name, draft.byte_order, draft.crc_written, tuple(draft.members),
        found.tree if draft.has_root else _flat_tree(draft, tensors), tensors, tuple(draft.storages),
        sum(fact.elements for fact in _model_tensors(tensors, training)), _tied(tensors), _bloat(found),
        training, _globals(draft, found), tuple(protocols), _operands(draft), tuple(draft.problems), verdict(draft),
        (), tuple(draft.metadata), bytes_read, reads,
    )  # fmt: skip


def _torch_runs(draft: Draft) -> list[PickleRun]:
    return [run for run in draft.runs if run.role in ("object", "header") and draft.kind.startswith(("torch-", "pick"))]


def _operands(draft: Draft) -> tuple[str, ...]:
    return tuple(sorted({name for run in _torch_runs(draft) for name in run.machine.operands_seen}))


def _table(draft: Draft, tensors: tuple[TensorFacts, ...]) -> dict[str, Tensor]:
    """Flat containers (safetensors, DCP) as the state dict that they are."""
    if draft.kind not in ("safetensors", "dcp"):
        return {}
    return {fact.key: Tensor(fact.shape, fact.dtype) for fact in tensors}


def _flat_tree(draft: Draft, tensors: tuple[TensorFacts, ...]) -> Node | None:
    if draft.kind not in ("safetensors", "dcp") or not tensors:
        return None
    children = tuple(
        Node(fact.key, "tensor", f"{fact.dtype} {list(fact.shape)}", fact.size, fact.elements, tensor=index)
        for index, fact in enumerate(tensors)
    )
    size, count = sum(node.size for node in children), sum(node.parameters for node in children)
    return Node("", "dict", f"{len(children)} entries", size, count, children)


def _model_tensors(tensors: tuple[TensorFacts, ...], training: TrainingFacts) -> list[TensorFacts]:
    """Tensors that count as parameters: those of the models, each storage's view once, without the usual buffers.

    Without a state dict that we recognise: all but the optimizers' state and the RNG. An EMA is a second copy.
    """
    models = tuple(model.key + "." for model in training.models if model.key and not model.ema)
    owners = (*training.optimizers, *training.ema)
    state = tuple(path + end for path in owners if path for end in (".", "["))
    rng, everything = frozenset(training.rng), "" in owners
    seen: set[object] = set()
    kept: list[TensorFacts] = []
    for fact in tensors:
        place = (fact.storage_key, fact.storage_offset, fact.shape, fact.stride, fact.dtype)
        if fact.storage_key is not None and place in seen:
            continue
        is_state = everything or fact.key.startswith(state) or fact.key in rng
        inside = fact.key.startswith(models) if models else not is_state
        if inside and not fact.key.endswith(_BUFFERS):
            seen.add(place)
            kept.append(fact)
    return kept


def _tied(tensors: tuple[TensorFacts, ...]) -> tuple[tuple[str, ...], ...]:
    """Keys that are the same elements of one storage."""
    places: dict[object, list[str]] = {}
    for fact in tensors:
        if fact.storage_key is not None and fact.elements:
            place = (fact.storage_key, fact.storage_offset, fact.shape, fact.stride)
            places.setdefault(place, []).append(fact.key)
    return tuple(tuple(keys) for keys in places.values() if len(keys) > 1)


def _bloat(found: Walk) -> tuple[Bloat, ...]:
    """Storages of which less is used than saved; the used bytes are the union of the spans of all their tensors."""
    spans: dict[int, list[tuple[int, int]]] = {}
    owners: dict[int, tuple[Storage, list[str]]] = {}
    for fact, tensor in zip(found.tensors, found.described):
        storage = tensor.storage
        if storage is None or storage.root is not None or tensor.layout not in ("strided", "quantized"):
            if storage is not None:
                spans.setdefault(id(storage), []).append((0, storage.size))
            continue
        last = sum((length - 1) * step for length, step in zip(tensor.shape, tensor.stride)) if fact.elements else -1
        start = tensor.offset * fact.item_size
        spans.setdefault(id(storage), []).append((start, start + (last + 1) * fact.item_size))
        owners.setdefault(id(storage), (storage, []))[1].append(fact.key)
    result = []
    for identity, (storage, keys) in owners.items():
        used = _union(spans[identity])
        if used < storage.size and storage.size - used >= _BLOAT_LEAST:
            result.append(Bloat(storage.key, storage.size, used, tuple(keys[:8])))
    return tuple(sorted(result, key=lambda item: (item.used - item.size, item.storage_key)))


def _union(spans: list[tuple[int, int]]) -> int:
    total, reach = 0, 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, reach))
        reach = max(reach, end)
    return total


def _globals(draft: Draft, found: Walk) -> tuple[GlobalFacts, ...]:
    """Every global of every pickle, with what is known of it; one entry a path."""
    merged: dict[str, GlobalFacts] = {}
    for run in draft.runs:
        for use in run.machine.uses.values():
            answer = trust(use.module, use.name, use.calls, draft.table)
            if run.role == "script" and answer == "unknown" and use.module.startswith(_SCRIPT_MODULES):
                answer = "allowed" if _is_script_name(use.module, use.name) else answer
            path = use.path[:300]
            old = merged.get(path)
            if old is None or (old.trust != "unknown" and answer == "unknown"):
                keys = tuple(found.globals.get(path, ()))
                merged[path] = GlobalFacts(path, answer, run.member, use.offset, tuple(sorted(use.calls)), keys)
    order = {"unknown": 0, "data": 1, "allowed": 2}
    return tuple(sorted(merged.values(), key=lambda item: (order[item.trust], item.path)))


def _is_script_name(module: str, name: str) -> bool:
    """Names of TorchScript's own unpickler, which resolves nothing in Python."""
    if module == "__torch__" or module.startswith("__torch__."):
        return True
    return module == "torch.jit._pickle" and name.startswith(("build_", "restore_type_tag"))


def verdict(draft: Draft) -> Verdict:
    """What torch 2.13 answers to a load with weights_only=True and map_location="cpu"."""
    if draft.loads_elsewhere:
        return Verdict(REFERENCE, True, "torch 2.13 and newer hand *.safetensors to safetensors", source="measured")
    if draft.path.endswith(".safetensors"):
        text = "Error while deserializing header: torch 2.13 and newer hand *.safetensors to safetensors"
        return Verdict(REFERENCE, False, text, "format", source="measured")
    run = draft.object_run()
    if draft.kind == "torch-legacy" or (draft.kind == "torch-zip" and run is not None):
        return _torch_verdict(draft, run)
    if draft.obstacle is not None:
        return Verdict(REFERENCE, False, draft.obstacle[0], draft.obstacle[1], source="measured")
    if draft.kind == "dcp":
        return Verdict(REFERENCE, False, "a folder: it is read by torch.distributed.checkpoint", "format")
    return Verdict(REFERENCE, None, "nothing is known of how torch reads this", source="measured")


def _torch_verdict(draft: Draft, run: PickleRun | None) -> Verdict:
    read = ("header", "object") if draft.kind == "torch-legacy" else ("object",)
    before = [item for item in draft.runs if item.role in read]
    if draft.kind == "torch-zip" and draft.obstacle is not None:
        return Verdict(REFERENCE, False, draft.obstacle[0], draft.obstacle[1], source="measured")
    if draft.doubt is not None:
        return Verdict(REFERENCE, None, draft.doubt, "unsure", source="measured")
    for item in before:
        machine = item.machine
        if machine.unsure is not None:
            return Verdict(REFERENCE, None, machine.unsure, "unsure", item.member, machine.at, "measured")
        if machine.refusal is not None:
            reason = machine.refusal
            return Verdict(REFERENCE, False, reason.message, reason.kind, item.member, reason.offset, "measured")
        if machine.broken is not None:
            return Verdict(REFERENCE, None, machine.broken, "limit", item.member, machine.at, "measured")
    if draft.obstacle is not None:
        return Verdict(REFERENCE, False, draft.obstacle[0], draft.obstacle[1], source="measured")
    return Verdict(REFERENCE, True, source="measured")
