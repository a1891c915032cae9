"""Faults in training code that saves or resumes nothing by itself: it is given a checkpoint, the right one or a wrong one.

The right one is the site's `ground`; the wrong one has the same text but for the fault.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from seeding.source import Edit, Site, Source, apply, handed_over, loads, restores
from seeding.training import Training, trainings

Fault = tuple[str, str, tuple[Edit, ...], tuple[Edit, ...]]
_LOAD = 'torch.load("last.pt", map_location="cpu", weights_only=True)'
_NUMBERED = '"checkpoint_{}.pt".format({turn})'
_STAYS = "what the file saves or loads by itself cannot be taken out"


def grown(source: Source) -> Iterator[Site]:
    """Give each training loop a checkpoint, and each kind of fault in turn. Its own saves and loads are taken out."""
    out = cleared(source)
    for training in trainings(source):
        row = training.loop.body[-1].lineno
        for code, what, ground, edits in _faults(source, training):
            if out is None:
                yield Site(code, row, what, reason=_STAYS)
            else:
                yield Site(code, row, what, (*out, *edits), "", (*out, *ground))


def cleared(source: Source) -> tuple[Edit, ...] | None:
    """The edits that take all saves, loads and restores out of a file; None where one of them has a use."""
    edits = []
    for call in (*handed_over(source), *restores(source)):
        statement = source.statement(call)
        if not isinstance(statement, ast.Expr) or statement.value is not call:
            return None
        edits.append(source.replace(statement, "pass"))
    for call in loads(source):
        statement = source.statement(call)
        if isinstance(statement, ast.Assign) and statement.value is call:
            edits.append(source.replace(call, "{}"))
        elif not isinstance(statement, ast.Expr) or source.replace(statement, "pass") not in edits:
            return None
    text = apply(source.text, tuple(dict.fromkeys(edits)))
    left = re.search(r"torch\.(?:load|save)\(|load_state_dict\(|\bsave_(?:checkpoint|model|state)\(", text)
    return None if left else tuple(dict.fromkeys(edits))


def _faults(source: Source, training: Training) -> Iterator[Fault]:
    yield from _written(source, training)
    yield from _beside(source, training)
    yield from _kept(source, training)
    yield from _resumed(source, training)
    yield from _asked_for(source, training)


def _save(source: Source, training: Training, text: str, path: str = "") -> Edit:
    path = path or _numbered(training)
    return source.after(training.loop.body[-1], f"torch.save({text}, {path})")


def _numbered(training: Training) -> str:
    return _NUMBERED.replace("{turn}", training.turn)


def _written(source: Source, training: Training) -> Iterator[Fault]:
    """Checkpoints that lack a state, and such as are written in a wrong way. Nothing reads them."""
    whole = training.entries()
    right = (_save(source, training, whole),)
    kinds = [("CKP201", ("optimizer",)), ("CKP205", ("rng_state",)), ("CKP206", ("torch_version", "cuda_version"))]
    others = [(kind, name) for kind, name in training.others if kind != "scheduler" or "last_epoch" not in source.text]
    kinds += [({"scheduler": "CKP202", "scaler": "CKP203"}[kind], (kind,)) for kind, _ in others]
    for code, kind in kinds:
        text = training.entries(without=kind)
        yield code, f"a checkpoint without {kind[0]}", right, (_save(source, training, text),)
    text = training.entries(without=("epoch",))
    fixed = '"last.pt"'
    yield "CKP204", "a checkpoint without epoch", (_save(source, training, whole, fixed),), (
        _save(source, training, text, fixed),
    )  # fmt: skip
    yield "CKP105", "a checkpoint over the last one", right, (_save(source, training, whole, fixed),)
    if training.metric:
        yield "CKP208", "the best weights only", right, _best_only(source, training)


def _beside(source: Source, training: Training) -> Iterator[Fault]:
    """A scheduler, a scaler, an averaged model beside the optimizer, that are saved or are not; a wrapped model."""
    name, optimizer = training.model, training.optimizer
    made = {
        "CKP202": ("lr_sched", f"torch.optim.lr_scheduler.StepLR({optimizer}, 30)", "step()"),
        "CKP203": ("grad_scaler", 'torch.amp.GradScaler("cuda")', "update()"),
        "CKP207": ("ema_model", f"torch.optim.swa_utils.AveragedModel({name})", f"update_parameters({name})"),
    }
    has = {{"scheduler": "CKP202", "scaler": "CKP203"}[kind] for kind, _ in training.others}
    for code, (new, built, used) in made.items():
        if code in has:
            continue
        start = source.before(training.loop, f"{new} = {built}")
        right, wrong = (
            source.after(training.loop.body[-1], f"{new}.{used}", f"torch.save({text}, {_numbered(training)})")
            for text in (training.entries(plus=((new, f"{new}.state_dict()"),)), training.entries())
        )
        yield code, f"{new} is made and not saved", (start, right), (start, wrong)
    if "." not in name and "DataParallel" not in source.text:
        save = _save(source, training, f"{name}.state_dict()")
        start = source.before(training.loop, f"{name} = torch.nn.DataParallel({name})")
        yield "CKP103", f"{name} = DataParallel({name})", (save,), (start, save)


def _kept(source: Source, training: Training) -> Iterator[Fault]:
    """106: weights that are kept in the loop and written after it; 116: a live module that is cast for the file."""
    end = source.after(training.loop, 'torch.save(kept_state, "kept.pt")')
    pad = source.indent(training.loop.body[-1])
    right, wrong = (
        (end[0], end[1], f"{pad}if {training.turn} % 10 == 0:\n{pad}    kept_state = {text}\n{end[2]}")
        for text in (f"copy.deepcopy({training.model}.state_dict())", f"{training.model}.state_dict()")
    )
    imported = source.importing("copy")
    if not end[2].startswith("\n"):
        yield "CKP106", "deepcopy removed", (right, *imported), (wrong, *imported)
    plain, cast = (
        _save(source, training, f"{name}.state_dict()") for name in (training.model, f"{training.model}.half()")
    )
    yield "CKP116", f"{training.model}.half().state_dict()", (plain,), (cast,)


def _asked_for(source: Source, training: Training) -> Iterator[Fault]:
    """411: a checkpoint was asked for, is not there, and the run goes on."""
    if not re.search(r"(?<![\w.])args\.\w", source.part_of(training.scope)):
        return
    lines = (
        "if args.resume:",
        "    if os.path.isfile(args.resume):",
        f'        {training.model}.load_state_dict(torch.load(args.resume, map_location="cpu", weights_only=True))',
        "    else:",
    )
    right = source.before(training.loop, *lines, "        raise FileNotFoundError(args.resume)")
    wrong = source.before(training.loop, *lines, '        print("no checkpoint found at", args.resume)')
    imported = source.importing("os")
    yield "CKP411", "else: print", (right, *imported), (wrong, *imported)


def _best_only(source: Source, training: Training) -> tuple[Edit, ...]:
    first = source.before(training.loop, f"best_{training.metric} = None")
    return first, source.after(training.loop.body[-1], *_best_lines(training))


def _best_lines(training: Training) -> tuple[str, ...]:
    metric = training.metric
    return (
        f"if best_{metric} is None or {metric} < best_{metric}:",
        f"    best_{metric} = {metric}",
        f'    torch.save({training.model}.state_dict(), "best.pt")',
    )


def _resumed(source: Source, training: Training) -> Iterator[Fault]:
    """Loops that go on from their last checkpoint."""
    whole = training.entries(without=("rng_state",))
    ground = _resume(source, training, whole, _restores(training))
    if not ground:
        return
    loads = _restores(training)
    states = ["optimizer", *(kind for kind, _ in training.others)]
    for kind in states:
        wrong = [line for line in loads if f'["{kind}"]' not in line]
        yield "CKP408", f"{kind} is not restored", ground, _resume(source, training, whole, wrong)
    wrong = [line.replace('["optimizer"]', '["optimiser"]') for line in loads]
    yield "CKP409", "optimizer -> optimiser", ground, _resume(source, training, whole, wrong)
    wrong = [line.replace(f'{training.model}.load_state_dict(checkpoint["model"])',
                          f"{training.model}.load_state_dict(checkpoint)") for line in loads]  # fmt: skip
    yield "CKP418", "['model'] dropped", ground, _resume(source, training, whole, wrong)
    wrong = [line.replace('["model"])', '["model"], assign=True)') for line in loads]
    if training.built:
        yield "CKP416", "assign=True", ground, _resume(source, training, whole, wrong)
    again = whole.replace(f"{training.turn} + 1", training.turn)
    yield "CKP412", f"{training.turn} + 1 -> {training.turn}", ground, _resume(source, training, again, loads)
    yield from _with_scheduler(source, training, ground)
    if training.metric and not training.metric.startswith("best"):
        best = (source.before(training.loop, f"best_{training.metric} = None"),)
        both = training.entries(without=("rng_state",), plus=((f"best_{training.metric}", f"best_{training.metric}"),))
        taken = [*loads, f'best_{training.metric} = checkpoint["best_{training.metric}"]']
        yield (
            "CKP210", f"best_{training.metric} is not saved",
            _resume(source, training, both, taken, best, _best_lines(training)),
            _resume(source, training, whole, loads, best, _best_lines(training)),
        )  # fmt: skip
    if training.built:
        yield _bare(source, training)


def _with_scheduler(source: Source, training: Training, ground: tuple[Edit, ...]) -> Iterator[Fault]:
    """A schedule that is built between the two restores, and one that is built before them."""
    if dict(training.others).get("scheduler") or "." in training.optimizer:
        return
    made = f"schedule_lr = torch.optim.lr_scheduler.OneCycleLR({training.optimizer}, max_lr=0.1, total_steps=1000)"
    whole = training.entries(without=("rng_state",), plus=(("schedule", "schedule_lr.state_dict()"),))
    loads, restored = _restores(training), 'schedule_lr.load_state_dict(checkpoint["schedule"])'
    before = (source.before(training.loop, made),)
    step = ("schedule_lr.step()",)
    right = _resume(source, training, whole, [*loads, restored], before, step)
    late = _resume(source, training, whole, [*loads, made, restored], before, step)
    yield "CKP415", "OneCycleLR built between", right, late


def _restores(training: Training) -> list[str]:
    lines = [f'{training.model}.load_state_dict(checkpoint["model"])']
    lines += [f'{training.optimizer}.load_state_dict(checkpoint["optimizer"])']
    lines += [f'{name}.load_state_dict(checkpoint["{kind}"])' for kind, name in training.others]
    return [*lines, 'first_turn = checkpoint["epoch"]']


def _resume(
    source: Source, training: Training, saved: str, lines: list[str],
    before: tuple[Edit, ...] = (), within: tuple[str, ...] = (),
) -> tuple[Edit, ...]:  # fmt: skip
    """The edits that let a loop save and go on; none where its turns are not counted by `range(n)`."""
    turns = training.loop.iter
    counted = isinstance(turns, ast.Call) and isinstance(turns.func, ast.Name) and turns.func.id == "range"
    if not isinstance(turns, ast.Call) or not counted or len(turns.args) not in (1, 2) or turns.keywords:
        return ()
    start, end = source.span(turns.args[0])
    first = source.part(turns.args[0]) if len(turns.args) == 2 else "0"
    begin = (start, end, "first_turn") if len(turns.args) == 2 else (start, start, "first_turn, ")
    ahead = source.before(
        training.loop, f"first_turn = {first}", 'if os.path.isfile("last.pt"):', f"    checkpoint = {_LOAD}",
        *(f"    {line}" for line in lines),
    )  # fmt: skip
    joined = (ahead[0], ahead[1], "".join(edit[2] for edit in before) + ahead[2])
    saving = source.after(training.loop.body[-1], *within, f'torch.save({saved}, "last.pt")')
    return joined, begin, saving, *source.importing("os")


def _bare(source: Source, training: Training) -> Fault:
    """209: weights alone are saved, and training goes on from them where the environment says resume."""
    name = training.model
    ahead = source.before(
        training.loop, 'resume_from = os.environ.get("RESUME")', "if resume_from:",
        f'    {name}.load_state_dict(torch.load(resume_from, map_location="cpu", weights_only=True))',
    )  # fmt: skip
    weights = _save(source, training, f"{name}.state_dict()")
    whole = _save(source, training, training.entries())
    imported = source.importing("os")
    return "CKP209", "goes on from bare weights", (whole, *imported), (ahead, weights, *imported)


MUTATORS = (grown,)
