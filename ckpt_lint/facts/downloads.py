"""Downloads: whether what a load reads came over the network. RULES.md, CKP304."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.paths import path_facts
from ckpt_lint.facts.world import Definition
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

if TYPE_CHECKING:
    from ckpt_lint.facts.view import View

RETURNS_PATH = re.compile(
    r"^(huggingface_hub\.(\w+\.)*(hf_hub_download|snapshot_download|cached_download|hf_hub_url)|transformers\.(\w+\.)*cached_(path|file)"
    r"|(allennlp|pytorch_pretrained_bert|transformers)\.(\w+\.)*cached_path|cached_path\.cached_path|gdown\.(download|cached_download)"
    r"|wget\.download|pooch\.retrieve|urllib\.request\.urlretrieve|fsspec\.open|smart_open\.open|blobfile\.BlobFile"
    r"|modelscope\.(\w+\.)*snapshot_download|kagglehub\.\w+download|timm\.models\.(\w+\.)*download_cached_file)$"
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
_DIGEST = re.compile(r"sha(1|256|512)|md5|digest|checksum|hexdigest|blake2|verify_hash|check_hash", re.IGNORECASE)
_HELPER_DEPTH = 2
_STEPS = 8


@dataclass(frozen=True, slots=True)
class Download:
    """The call (or the shell line) that fetched a file, in words."""

    what: str
    module: ModuleFacts
    node: t.Node | None


def download_behind(view: View, load: Load) -> Download | None:
    """The download that what `load` reads came from; None where there is none, or its digest is checked first."""
    if load.path is None:
        return None
    found = (
        _in_expression(view, load.path_module, load.path, _STEPS)
        or _to_same_place(view, load)
        or _by_command(view, load)
        or _in_shell(view, load)
    )
    if found is None or _digest_checked(view, load, found):
        return None
    return found


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
            found = _through_binding(view, module, node, steps)
            if found is not None:
                return found
    return None


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
        name = _api(view, module, call)
        if name is not None:
            return Download(f"`{name}`", module, call)
    if depth > 0:
        for call in calls:
            inner = _helper(view, module, call, depth)
            if inner is not None:
                return inner
    return None


def _to_same_place(view: View, load: Load) -> Download | None:
    """A call before the load, in the same function, that downloads to the path that is loaded."""
    module = load.module
    wanted = path_facts(view.facts.values, module, load.path)
    body = flow.body_of(load.call)
    for call in reversed(module.calls):
        if call.start >= load.call.start or flow.body_of(call) is not body:
            continue
        name = _api(view, module, call)
        if name is None and _helper(view, module, call, _HELPER_DEPTH) is None:
            continue
        for arg in call.args:
            if _same_place(view, module, arg.value, load, wanted.text, wanted.expression):
                return Download(f"`{name or last_name(call.func)}`", module, call)
    return _written_bytes(view, load)


def _same_place(view: View, module: ModuleFacts, expr: t.Expr, load: Load, text: str, expression: str) -> bool:
    if load.path is not None:
        variable = module.variable(load.path)
        if variable is not None and module.variable(expr) == variable:
            return True
    other = path_facts(view.facts.values, module, expr)
    return bool(text) and other.constant and other.text == text or (
        bool(expression) and other.expression == expression
    )


def _written_bytes(view: View, load: Load) -> Download | None:
    """`open(path, "wb").write(requests.get(url).content)` before `torch.load(path)`."""
    module = load.module
    body = flow.body_of(load.call)
    wanted = path_facts(view.facts.values, module, load.path)
    for call in module.calls:
        if call.start >= load.call.start or flow.body_of(call) is not body:
            continue
        stream = _stream_written(call)
        if stream is None:
            continue
        target = path_facts(view.facts.values, module, _opened(module, stream))
        if (target.text and target.text == wanted.text) or (
            target.expression and target.expression == wanted.expression
        ):
            found = _in_expression(view, module, call.args[0].value, 4)
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


def _by_command(view: View, load: Load) -> Download | None:
    """`os.system(f"wget -O {path} {url}")`, or a `subprocess` call, before the load and with its path in it."""
    module, body = load.module, flow.body_of(load.call)
    wanted = path_facts(view.facts.values, load.path_module, load.path)
    variable = module.variable(load.path) if load.path is not None else None
    for call in reversed(module.calls):
        if call.start >= load.call.start or flow.body_of(call) is not body or not call.args:
            continue
        if not module.names.is_a(call.func, *_COMMANDS):
            continue
        parts = list(t.walk(call.args[0].value))
        text = " ".join(p.value for p in parts if isinstance(p, t.Constant) and isinstance(p.value, str))
        program = _PROGRAM.search(text)
        named = variable is not None and any(module.variable(p) == variable for p in parts)
        if program and (named or (wanted.last and wanted.last in text)):
            return Download(f"`{program.group()}`", module, call)
    return None


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


def _in_shell(view: View, load: Load) -> Download | None:
    """`!wget URL` in a cell before the load, or before the call that reaches it, of the file that is loaded."""
    if not view.source.downloads or load.module is not view.module:
        return None
    wanted = path_facts(view.facts.values, load.module, load.path)
    if not wanted.last:
        return None
    reached = _reached_at(view, load)
    for download in view.source.downloads:
        name = (download.target or download.url).rstrip("/").rsplit("/", 1)[-1]
        if download.line.start < reached and wanted.last == name:
            return Download(f"`!{download.program}`", load.module, None)
    return None


def _reached_at(view: View, load: Load) -> int:
    function = flow.function_of(load.call)
    if function is None:
        return load.call.start
    sites = view.facts.world.callers(Definition(load.module, function))
    return max([site.call.start for site in sites if site.module is load.module], default=load.call.start)


def _digest_checked(view: View, load: Load, found: Download) -> bool:
    """Whether a digest is compared before the load: where it stands, in what it calls, or in the download's helpers."""
    body = flow.body_of(load.call)
    before = [n for n in t.walk(body) if n.start < load.call.start and flow.body_of(n) is body]
    if any(_compares_digest(node) for node in before):
        return True
    calls = [(load.module, n) for n in before if isinstance(n, t.Call)]
    if isinstance(found.node, t.Call):
        calls.append((found.module, found.node))
    return any(_checks_inside(view, module, call, _HELPER_DEPTH) for module, call in calls)


def _checks_inside(view: View, module: ModuleFacts, call: t.Call, depth: int) -> bool:
    """Whether a project function that is called compares a digest, or one that it calls does."""
    for definition in view.facts.world.callees(module, call):
        if not isinstance(definition.node, t.FunctionDef):
            continue
        nodes = list(t.walk(definition.node))
        if any(_compares_digest(node) for node in nodes):
            return True
        inner = [n for n in nodes if isinstance(n, t.Call)] if depth > 1 else []
        if any(_checks_inside(view, definition.module, n, depth - 1) for n in inner):
            return True
    return False


def _compares_digest(node: t.Node) -> bool:
    if isinstance(node, (t.Assert, t.If, t.Compare)):
        test = node.test if isinstance(node, (t.Assert, t.If)) else node
        return any(_DIGEST.search(name) for name in _names_in(test))
    return False


def _names_in(node: t.Node) -> Iterator[str]:
    for part in t.walk(node):
        if isinstance(part, t.Name):
            yield part.id
        elif isinstance(part, t.Attribute):
            yield part.attr
