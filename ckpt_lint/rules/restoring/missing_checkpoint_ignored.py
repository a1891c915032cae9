"""CKP411."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ckpt_lint.facts.guards import tests_above
from ckpt_lint.facts.handlers import only_tells, restores_in
from ckpt_lint.facts.passing import parameter_of
from ckpt_lint.facts.ranks import Ranks
from ckpt_lint.facts.view import Report, View
from ckpt_lint.facts.world import Definition, bind, is_method_call
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import last_name
from ckpt_lint.source.names import path_key

EXISTENCE = frozenset({"os.path.isfile", "os.path.exists", "os.path.lexists"})
METHODS = frozenset({"exists", "is_file"})
_SAME_PATH = frozenset({"Path", "str", "expanduser", "abspath", "realpath"})

RULE = RuleInfo(
    code="CKP411",
    name="missing-checkpoint-ignored",
    severity=Severity.WARNING,
    on=True,
    groups=("resume",),
    page=Page(
        summary="Somebody names a checkpoint that does not exist, and the run goes on with fresh weights.",
        why=(
            "A misspelt `--resume` is told in one line of the log, and days of training later it shows that nothing "
            "was restored. What was asked for by name and is not there is an error."
        ),
        bad="""\
import os
import torch

def main(args, model):
    if args.resume:
        if os.path.isfile(args.resume):
            model.load_state_dict(torch.load(args.resume, map_location="cpu", weights_only=True))
        else:
            print("no checkpoint found at", args.resume)
""",
        good="""\
import os
import torch

def main(args, model):
    if args.resume:
        if os.path.isfile(args.resume):
            model.load_state_dict(torch.load(args.resume, map_location="cpu", weights_only=True))
        else:
            raise FileNotFoundError(args.resume)
""",
        silent=(
            "auto-resume from a fixed or derived path",
            "caches, and files that are no checkpoint",
            "a branch that the empty default reaches, too: no test that the argument was given stands around",
            "the branch raises, returns, or does anything but pass, print or log",
        ),
        sources=("https://docs.python.org/3/library/os.path.html#os.path.isfile",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Tests whether a checkpoint that was asked for exists, whose other branch only says so."""
    for node in view.module.nodes:
        if not isinstance(node, t.If):
            continue
        path, there = _tested_path(view, node.test)
        if path is None:
            continue
        found, missing = (node.body, node.orelse) if there else (node.orelse, node.body)
        if _only_tells_it(view, missing) and restores_in(view, found) is not None and _is_asked_for(view, node, path):
            name = view.code(path)
            yield Report(
                node,
                f"`{name}` was asked for, is not there, and the run goes on with fresh weights: raise there",
            )


def _tested_path(view: View, test: t.Expr) -> tuple[t.Expr | None, bool]:
    """The path whose existence a test asks for, and whether it is there where the test comes out true."""
    there = True
    while isinstance(test, t.UnaryOp) and test.op == "not":
        test, there = test.operand, not there
    if not isinstance(test, t.Call):
        return None, there
    if set(view.module.names.of(test.func)) & EXISTENCE and len(test.args) == 1:
        return test.args[0].value, there
    if isinstance(test.func, t.Attribute) and test.func.attr in METHODS and not test.args:
        holder = test.func.value
        if isinstance(holder, t.Call) and view.module.names.is_a(holder.func, "pathlib.Path") and holder.args:
            return holder.args[0].value, there
        return holder, there
    return None, there


def _only_tells_it(view: View, block: Sequence[t.Stmt]) -> bool:
    """An absent branch passes, too; an `elif` asks something else, unless it asks for the process that tells it."""
    asked = [statement.test for statement in block if isinstance(statement, t.If)]
    ranks = Ranks(view.facts.values)
    return only_tells(view, block) and all(ranks.is_guard(view.module, test, True) for test in asked)


def _is_asked_for(view: View, node: t.If, path: t.Expr) -> bool:
    """Whether a test around says that the argument which names the path was given."""
    keys = {path_key(path), *_bound_to(view, path)} - {""}
    return any(_was_given(above.test, above.outcome, keys) for above in tests_above(node)) or _at_calls(view, path)


def _at_calls(view: View, path: t.Expr) -> bool:
    """Whether the path is a parameter, and such a test stands around every call: `if path: self.resume(path)`."""
    function = flow.function_of(path)
    param = parameter_of(view.module, path, function) if function is not None else None
    if function is None or param is None:
        return False
    sites = view.facts.world.callers(Definition(view.module, function))
    return bool(sites) and all(_was_given_at(site.call, function, param) for site in sites)


def _was_given_at(call: t.Call, function: t.FunctionDef, param: t.Parameter) -> bool:
    value = bind(call, function, instance=is_method_call(call, function)).values.get(param.name)
    keys = {path_key(value)} - {""} if value is not None else set()
    return any(_was_given(above.test, above.outcome, keys) for above in tests_above(call))


def _bound_to(view: View, path: t.Expr) -> Iterator[str]:
    """The argument that a path variable is bound to, itself: `path = args.resume`, `Path(args.resume)`."""
    if not isinstance(path, (t.Name, t.Attribute)):
        return
    for binding in view.module.names.bindings(path):
        value = binding.value if binding.how == "assign" else None
        if isinstance(value, t.Call) and len(value.args) == 1 and last_name(value.func) in _SAME_PATH:
            value = value.args[0].value
        if value is not None:
            yield path_key(value)


def _was_given(test: t.Expr, outcome: bool, keys: set[str]) -> bool:
    """`if p:`, `if p is not None:`, `if p != "":`, `if len(p):`."""
    if isinstance(test, t.Call) and last_name(test.func) in ("len", "bool", "str") and len(test.args) == 1:
        test = test.args[0].value
    if path_key(test) in keys:
        return outcome
    if not isinstance(test, t.Compare) or len(test.ops) != 1:
        return False
    left = test.left
    if isinstance(left, t.Call) and last_name(left.func) == "len" and left.args:
        left = left.args[0].value
    if path_key(left) not in keys or not _is_empty(test.comparators[0]):
        return False
    return outcome == (test.ops[0] in ("is not", "!=", ">"))


def _is_empty(value: t.Expr) -> bool:
    return isinstance(value, t.Constant) and value.value in (None, "", 0, "None", "none")
