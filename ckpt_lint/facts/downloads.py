"""Downloads: whether what a load reads came over the network. RULES.md, CKP304."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ckpt_lint.facts.commands import download_program
from ckpt_lint.facts.digests import digest_checked
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.passing import parameter_of
from ckpt_lint.facts.paths import path_facts
from ckpt_lint.facts.world import Definition, bind, is_method_call
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

if TYPE_CHECKING:
    from ckpt_lint.facts.view import View

RETURNS_PATH = re.compile(
    r"^(huggingface_hub\.(\w+\.)*(hf_hub_download|snapshot_download|cached_download|hf_hub_url)|transformers\.(\w+\.)*cached_(path|file)"
    r"|(allennlp|pytorch_pretrained_bert|transformers)\.(\w+\.)*cached_path|cached_path\.cached_path|gdown\.(download|cached_download)"
    r"|wget\.download|pooch\.retrieve|urllib\.request\.urlretrieve|blobfile\.BlobFile"
    r"|modelscope\.(\w+\.)*snapshot_download|kagglehub\.\w+download|timm\.models\.(\w+\.)*download_cached_file"
    r"|(basicsr|facexlib)\.(\w+\.)*load_file_from_url)$"
)
RETURNS_BYTES = re.compile(
    r"^(requests\.(get|post|request)|httpx\.(get|post|request|stream)|urllib\.request\.urlopen|urllib2\.urlopen|urllib3\.request)$"
)
WRITES_FILE = re.compile(
    r"^(torch\.hub\.download_url_to_file|torchvision\.datasets\.utils\.(download_url|download_and_extract_archive)"
    r"|torchvision\.datasets\.utils\.download_file_from_google_drive|urllib\.request\.urlretrieve|wget\.download|gdown\.download)$"
)
CLIENT_METHODS = frozenset(
    {"download_file", "download_fileobj", "download_to_filename", "download_blob", "fget_object"}
)
"""Methods of cloud storage clients that write a file."""

_COMMANDS = (
    "os.system", "os.popen", "subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output",
    "subprocess.Popen", "subprocess.getoutput",
)  # fmt: skip
_PROGRAM = re.compile(r"\b(wget|curl|gdown|aria2c|axel)\b")
_HELPER_DEPTH = 2
_STEPS = 8


@dataclass(frozen=True, slots=True)
class Download:
    """The call (or the shell line) that fetched a file, in words."""

    what: str
    module: ModuleFacts
    node: t.Node | None


@dataclass(frozen=True, slots=True)
class _Site:
    """A path, and the call by which it is loaded, or handed to the function that loads it."""

    module: ModuleFacts
    call: t.Call
    path: t.Expr


@dataclass(frozen=True, slots=True)
class _Calls:
    """The calls of one function that may have fetched a file, each with its name in messages, the last first."""

    downloads: list[tuple[t.Call, str]]
    writes: list[tuple[t.Call, str]]
    commands: list[tuple[t.Call, str]]


def download_behind(view: View, load: Load) -> Download | None:
    """The download that what `load` reads came from; None where there is none, or its digest is checked first."""
    for site in _sites(view, load):
        found = _behind(view, site) or _in_shell(view, site)
        if found is None:
            continue
        fetched = (found.module, found.node) if isinstance(found.node, t.Call) else None
        if not digest_checked(view.facts.world, site.module, site.call, fetched):
            return found
    return None


def _sites(view: View, load: Load) -> Iterator[_Site]:
    """Where the path of a load can be seen: at the load, inside the wrapper it goes through, at its function's calls."""
    if load.path is not None and load.path_module is load.module:
        yield _Site(load.module, load.call, load.path)
    inner = load.innermost
    if inner is not load and inner.path is not None:
        yield _Site(inner.module, inner.call, inner.path)
    function = flow.function_of(load.call)
    if inner is not load or function is None or load.path is None:
        return
    param = parameter_of(load.module, _opened(load.module, load.path), function)
    if param is not None:
        for site in view.facts.world.callers(Definition(load.module, function)):
            value = bind(site.call, function, instance=is_method_call(site.call, function)).values.get(param.name)
            if value is not None:
                yield _Site(site.module, site.call, value)


def _behind(view: View, site: _Site) -> Download | None:
    return (
        _in_expression(view, site.module, site.path, _STEPS)
        or _to_same_place(view, site)
        or _written_bytes(view, site)
        or _by_command(view, site)
    )


def _api(view: View, module: ModuleFacts, call: t.Call) -> str | None:
    for name in module.names.of(call.func):
        plain = name.lstrip(":.")
        if RETURNS_PATH.match(name) or RETURNS_BYTES.match(name) or WRITES_FILE.match(name):
            return name
        if name in view.settings.api.download_helpers or plain in view.settings.api.download_helpers:
            return plain
    if isinstance(call.func, t.Attribute) and call.func.attr in CLIENT_METHODS and call.args:
        return call.func.attr
    return None


def _in_expression(view: View, module: ModuleFacts, expr: t.Expr, steps: int) -> Download | None:
    """A download anywhere in the making of a path or of bytes."""
    if steps <= 0:
        return None
    for node in t.walk(expr):
        if isinstance(node, t.Call):
            name = _api(view, module, node)
            if name is not None:
                return Download(f"`{name}`", module, node)
            helper = _helper(view, module, node, _HELPER_DEPTH)
            if helper is not None:
                return Download(f"`{last_name(node.func)}`, which downloads through {helper.what}", module, node)
        elif isinstance(node, (t.Name, t.Attribute)):
            found = _through_name(view, module, node, steps)
            if found is not None:
                return found
    return None


def _through_name(view: View, module: ModuleFacts, node: t.Expr, steps: int) -> Download | None:
    """The same as `_through_binding`, told once: in nested calls a name stands below the path of every load around it."""
    key = ("download of a name", node, steps)
    memo = view.facts.world.memo
    if key not in memo:
        memo[key] = _through_binding(view, module, node, steps)
    found = memo[key]
    return found if isinstance(found, Download) else None


def _through_binding(view: View, module: ModuleFacts, node: t.Expr, steps: int) -> Download | None:
    """The download that made a variable; of what a part is taken from (`answer.content`), only a download itself."""
    part = isinstance(node.parent, t.Attribute)
    for binding in module.names.bindings(node):
        value = binding.value
        if binding.how not in ("assign", "unpack", "with", "item") or value is None or value is node:
            continue
        if flow.body_of(binding.node) is not flow.body_of(node):
            continue
        if part and not (isinstance(value, t.Call) and _api(view, module, value)):
            continue
        found = _in_expression(view, module, value, steps - 1)
        if found is not None:
            return found
    return None


def _helper(view: View, module: ModuleFacts, call: t.Call, depth: int) -> Download | None:
    """The download in a project function that is called, at most two calls away."""
    for found in view.facts.world.callees(module, call):
        inner = _inside(view, found, depth - 1)
        if inner is not None:
            return inner
    return None


def _inside(view: View, definition: Definition, depth: int) -> Download | None:
    key = ("download", definition.node, depth)
    memo = view.facts.world.memo
    if key not in memo:
        memo[key] = None
        memo[key] = _find_inside(view, definition, depth)
    found = memo[key]
    return found if isinstance(found, Download) else None


def _find_inside(view: View, definition: Definition, depth: int) -> Download | None:
    node, module = definition.node, definition.module
    if not isinstance(node, t.FunctionDef):
        return None
    calls = [c for c in module.calls if node.start <= c.start < node.end]
    for call in calls:
        name = _api(view, module, call) or download_program(module, call)
        if name is not None:
            return Download(f"`{name}`", module, call)
    if depth > 0:
        for call in calls:
            inner = _helper(view, module, call, depth)
            if inner is not None:
                return inner
    return None


def _before(site: _Site, calls: list[tuple[t.Call, str]]) -> Iterator[tuple[t.Call, str]]:
    """Of the calls of the load's function those before it, in their order; not those of another branch."""
    for call, name in calls:
        if call.start < site.call.start and not flow.exclusive(call, site.call):
            yield call, name


def _calls_in(view: View, site: _Site) -> _Calls:
    """What of the load's function may have fetched a file. Told once: functions of hundreds of loads ask for each."""
    body = flow.body_of(site.call)
    key = ("fetching calls", body)
    memo = view.facts.world.memo
    found = memo.get(key)
    if not isinstance(found, _Calls):
        found = memo[key] = _sorted_calls(view, site.module, _calls_by_body(view, site.module).get(body, []))
    return found


def _sorted_calls(view: View, module: ModuleFacts, calls: list[t.Call]) -> _Calls:
    found = _Calls([], [], [])
    for call in calls:
        name = _api(view, module, call)
        if name is not None or _helper(view, module, call, _HELPER_DEPTH) is not None:
            found.downloads.append((call, name or last_name(call.func)))
        if _stream_written(call) is not None:
            found.writes.append((call, ""))
        if call.args and module.names.is_a(call.func, *_COMMANDS):
            program = _PROGRAM.search(_texts(call.args[0].value))
            if program is not None:
                found.commands.append((call, program.group()))
    return found


def _calls_by_body(view: View, module: ModuleFacts) -> dict[t.Node, list[t.Call]]:
    """The calls of each function and of the module, the last first."""
    key = ("calls by body", module)
    memo = view.facts.world.memo
    found = memo.get(key)
    if not isinstance(found, dict):
        calls: dict[t.Node, list[t.Call]] = {}
        for call in reversed(module.calls):
            calls.setdefault(flow.body_of(call), []).append(call)
        found = memo[key] = calls
    return found


def _to_same_place(view: View, site: _Site) -> Download | None:
    """A call before the load, in the same function, that downloads to the path that is loaded."""
    for call, name in _before(site, _calls_in(view, site).downloads):
        if any(_same_place(view, site, arg.value) for arg in call.args):
            return Download(f"`{name}`", site.module, call)
    return None


def _same_place(view: View, site: _Site, expr: t.Expr) -> bool:
    """Whether an expression is the loaded path, in any spelling of either: the variable, the text, the file's name."""
    module = site.module
    other = path_facts(view.facts.values, module, expr)
    for spelling in _spellings(module, site.path):
        variable = module.variable(spelling)
        if variable is not None and module.variable(expr) == variable:
            return True
        wanted = path_facts(view.facts.values, module, spelling)
        if wanted.expression and wanted.expression == other.expression:
            return True
        if other.constant and (other.text == wanted.text or (len(other.last) > 3 and other.last == wanted.last)):
            return True
    return False


def _spellings(module: ModuleFacts, path: t.Expr) -> list[t.Expr]:
    """The expressions that a path may be: itself, what was opened under its name, what its name was bound to."""
    out = [path]
    opened = _opened(module, path)
    if opened is not path:
        out.append(opened)
    out.extend(b.value for b in module.names.bindings(opened) if b.how == "assign" and b.value is not None)
    return out


def _written_bytes(view: View, site: _Site) -> Download | None:
    """`open(path, "wb").write(requests.get(url).content)` before `torch.load(path)`."""
    for call, _ in _before(site, _calls_in(view, site).writes):
        stream = _stream_written(call)
        if stream is not None and _same_place(view, site, _opened(site.module, stream)):
            found = _in_expression(view, site.module, call.args[0].value, 4)
            if found is not None:
                return found
    return None


def _stream_written(call: t.Call) -> t.Expr | None:
    """The stream (or path) that the first argument of a call is written to."""
    name = last_name(call.func)
    if name in ("write", "write_bytes") and isinstance(call.func, t.Attribute) and call.args:
        return call.func.value
    if name == "copyfileobj" and len(call.args) > 1:
        return call.args[1].value
    return None


def _by_command(view: View, site: _Site) -> Download | None:
    """`os.system(f"wget -O {path} {url}")`, or a `subprocess` call, before the load and with its path in it."""
    module = site.module
    wanted = path_facts(view.facts.values, module, site.path)
    variable = module.variable(site.path)
    for call, program in _before(site, _calls_in(view, site).commands):
        command = call.args[0].value
        named = variable is not None and any(module.variable(part) == variable for part in t.walk(command))
        if named or (wanted.last and wanted.last in _texts(command)):
            return Download(f"`{program}`", module, call)
    return None


def _texts(command: t.Expr) -> str:
    parts = t.walk(command)
    return " ".join(p.value for p in parts if isinstance(p, t.Constant) and isinstance(p.value, str))


def _opened(module: ModuleFacts, stream: t.Expr) -> t.Expr:
    """The path of a stream that was opened under a name."""
    for binding in module.names.bindings(stream):
        value = binding.value
        if isinstance(value, t.Call) and last_name(value.func) == "open":
            if isinstance(value.func, t.Attribute) and not module.names.of(value.func):
                return value.func.value
            if value.args:
                return value.args[0].value
    return stream


def _in_shell(view: View, site: _Site) -> Download | None:
    """`!wget URL` in a cell before the load, or before the call that reaches it, of the file that is loaded."""
    if not view.source.downloads or site.module is not view.module:
        return None
    wanted = path_facts(view.facts.values, site.module, site.path)
    if not wanted.last:
        return None
    reached = _reached_at(view, site)
    for download in view.source.downloads:
        name = (download.target or download.url).rstrip("/").rsplit("/", 1)[-1]
        if download.line.start < reached and wanted.last == name:
            return Download(f"`!{download.program}`", site.module, None)
    return None


def _reached_at(view: View, site: _Site) -> int:
    function = flow.function_of(site.call)
    if function is None:
        return site.call.start
    callers = view.facts.world.callers(Definition(site.module, function))
    return max([c.call.start for c in callers if c.module is site.module], default=site.call.start)
