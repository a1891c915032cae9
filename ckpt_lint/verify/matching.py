"""Which checkpoints a site reads, and why we think so: named in the settings, found by path, given, or of its shape."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property

from ckpt_lint.artifact.facts import ArtifactFacts, Node
from ckpt_lint.artifact.reader import read_artifact
from ckpt_lint.facts.matching import HALF
from ckpt_lint.facts.paths import WILD
from ckpt_lint.settings import DEFAULT_EXCLUDE, Patterns
from ckpt_lint.verify.protocol import Identity, identity
from ckpt_lint.verify.sites import Site

SUFFIXES = (".pt", ".pth", ".ckpt", ".bin", ".pth.tar", ".pt.tar", ".tar", ".safetensors", ".pkl")
"""What a folder is searched for."""

BY_SETTING = "the setting `checkpoints`"
BY_PATH = "the path in the code"
BY_SHAPE = (".pt", ".pth", ".ckpt", ".pth.tar", ".pt.tar")
MOST_ENTRIES = 100_000
DIGESTED = 16 << 20
"""Files up to this many bytes are told by their digest where they hold no id."""

ENOUGH = 2.0
"""So many shared keys make a match by shape, where `model`, `state_dict` and `epoch` count half."""


@dataclass(frozen=True, slots=True)
class Header:
    """A checkpoint as its header shows it: the facts, or why there are none; who it was when it was read.

    `content` tells its content, where that is cheap.
    """

    path: str
    shown: str
    facts: ArtifactFacts | None
    seen: Identity | None
    error: str = ""
    content: str = ""

    @property
    def size(self) -> int:
        """Bytes of the file, or of the folder's files."""
        return self.facts.size if self.facts is not None else 0


@dataclass(frozen=True, slots=True)
class Match:
    """A checkpoint of a site, and why it is one."""

    header: Header
    why: str


@dataclass
class Headers:
    """Headers, each read once."""

    known: dict[str, Header] = field(default_factory=dict)

    def of(self, path: str) -> Header:
        """The header of a file or folder; nothing in it is run."""
        key = os.path.realpath(path)
        if key not in self.known:
            self.known[key] = _header(path)
        return self.known[key]


def _header(path: str) -> Header:
    shown = _shown(path)
    try:
        seen = identity(path)
        facts = read_artifact(path)
    except OSError as error:
        return Header(path, shown, None, None, error.strerror or str(error))
    return Header(path, shown, facts, seen, content=_content(path, facts))


def _content(path: str, facts: ArtifactFacts) -> str:
    """What tells the content: torch's own id, which a zip holds; the digest of a small file; "" for the rest."""
    if facts.fingerprint:
        return f"content id {facts.fingerprint}"
    if facts.size > DIGESTED or not os.path.isfile(path):
        return ""
    with open(path, "rb") as stream:
        return f"SHA-256 {hashlib.sha256(stream.read()).hexdigest()}"


def _shown(path: str) -> str:
    relative = os.path.relpath(path)
    return os.path.abspath(path) if relative.startswith(os.pardir) else relative


@dataclass(frozen=True, slots=True)
class Given:
    """What `--checkpoint` named: the files, and the names that mean nothing."""

    files: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def given(names: Sequence[str]) -> Given:
    """The files behind FILE, DIR and GLOB arguments, each once, in order."""
    files: dict[str, None] = {}
    missing: list[str] = []
    for name in names:
        found = _expanded(name)
        files.update(dict.fromkeys(found))
        if not found:
            missing.append(name)
    return Given(tuple(files), tuple(missing))


def _expanded(name: str) -> list[str]:
    if os.path.isdir(name) and not _is_dcp(name):
        inside = (os.path.join(folder, file) for folder, _, files in os.walk(name) for file in files)
        return sorted(path for path in inside if path.lower().endswith(SUFFIXES))
    if os.path.lexists(name):
        return [name]
    return sorted(path for path in glob.glob(name, recursive=True) if not os.path.isdir(path) or _is_dcp(path))


def _is_dcp(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, ".metadata"))


@dataclass(frozen=True)
class Project:
    """The checkpoint files under one folder, found once."""

    root: str

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Absolute paths, sorted; what discovery passes by, this passes by."""
        out: list[str] = []
        seen = 0
        for folder, folders, files in os.walk(self.root):
            folders[:] = sorted(name for name in folders if name not in DEFAULT_EXCLUDE and not name.startswith("."))
            seen += len(files) + len(folders)
            out += [os.path.join(folder, name) for name in files if name.lower().endswith(SUFFIXES)]
            if seen > MOST_ENTRIES:
                break
        return tuple(sorted(out))


@dataclass
class Finder:
    """Finds the checkpoints of sites. `mapped` is the setting `checkpoints`: file or function to globs."""

    headers: Headers
    given: Given
    mapped: Mapping[str, Sequence[str]]
    base: str
    projects: dict[str, Project] = field(default_factory=dict)

    def of_all(self, sites: Sequence[Site]) -> list[tuple[Match, ...]]:
        """The checkpoints of every site. Given files go to the sites whose own are not known for sure.

        A given file whose shape fits none of them is laid before all of them: then the keys are the verdict.
        """
        found = [self._own(site) for site in sites]
        everyone = list(range(len(sites)))
        open_ones = [index for index in everyone if not any(_is_sure(match) for match in found[index])] or everyone
        for path in self.given.files:
            whys = {index: self._fits(sites[index], path) for index in open_ones}
            fitting = [index for index, why in whys.items() if why]
            for index in fitting or open_ones:
                why = f"--checkpoint, {whys[index]}" if whys.get(index) else "--checkpoint"
                found[index].append(Match(self.headers.of(path), why))
        return [_once(matches) or self._by_shape(site) for site, matches in zip(sites, found)]

    def _own(self, site: Site) -> list[Match]:
        """By the settings, else by the path in the code."""
        globs = [pattern for key, values in self.mapped.items() if _means(key, site, self.base) for pattern in values]
        if globs:
            paths = dict.fromkeys(path for text in globs for path in _expanded(os.path.join(self.base, text)))
            return [Match(self.headers.of(path), BY_SETTING) for path in paths]
        named = [pair for text in site.hint.texts for pair in self._by_path(site, text)]
        return [Match(self.headers.of(path), why) for path, why in named]

    def _by_path(self, site: Site, text: str) -> list[tuple[str, str]]:
        if re.match(r"[a-z]+://", text):
            cached = os.path.join(_hub_folder(), text.rsplit("/", 1)[-1])
            return [(cached, "the hub's cache holds this URL")] if os.path.isfile(cached) else []
        if WILD not in text:
            for folder in dict.fromkeys((site.root, os.path.dirname(site.file), os.getcwd(), self.base)):
                path = os.path.normpath(os.path.join(folder, os.path.expanduser(text)))
                if os.path.exists(path):
                    return [(path, f"{BY_PATH}, `{text}`")]
        return self._by_tail(site, text)

    def _by_tail(self, site: Site, text: str) -> list[tuple[str, str]]:
        """The constant end of the path, looked for in the project: `*/weights/*/*.pth`."""
        parts = [part.replace(WILD, "*") for part in re.split(r"[\\/]", text)]
        while parts and (not parts[0].strip("*") or parts[0] in (".", "..")):
            parts.pop(0)
        if not parts or os.path.isabs(text) or not _telling(parts):
            return []
        shown = "*/" + "/".join(parts)
        return [(path, f"its path ends as in the code, `{shown}`") for path in self._project(site).files
                if _ends(path, self._project(site).root, parts)]  # fmt: skip

    def _project(self, site: Site) -> Project:
        """The files of the working folder, where the project lies in it, else those of the project."""
        folder = os.getcwd()
        inside = os.path.join(site.root, "").startswith(os.path.join(folder, ""))
        root = folder if inside and folder not in (os.sep, os.path.expanduser("~")) else site.root
        if root not in self.projects:
            self.projects[root] = Project(root)
        return self.projects[root]

    def _fits(self, site: Site, path: str) -> str:
        facts = self.headers.of(path).facts
        return fits(site, facts) if facts is not None else ""

    def _by_shape(self, site: Site) -> tuple[Match, ...]:
        """Files of the project that hold all keys that the code reads, where those keys say something."""
        weight = sum(0.5 if key in HALF else 1.0 for key in site.keys)
        if weight < ENOUGH:
            return ()
        wanted = (path for path in self._project(site).files if path.lower().endswith(BY_SHAPE))
        whys = ((path, self._fits(site, path)) for path in wanted)
        return tuple(Match(self.headers.of(path), f"by shape, {why}") for path, why in whys if why)


def _is_sure(match: Match) -> bool:
    return match.why.startswith((BY_SETTING, BY_PATH))


def _once(matches: Iterable[Match]) -> tuple[Match, ...]:
    return tuple({match.header.path: match for match in reversed(list(matches))}.values())[::-1]


def _means(key: str, site: Site, base: str) -> bool:
    """Whether a key of the setting means a site: `train.py`, `src/**`, `train.py::resume`, `Trainer.resume`."""
    pattern, _, function = key.partition("::")
    if function:
        return _is_function(function, site) and Patterns(base, (pattern,)).matches(site.file)
    if re.fullmatch(r"[A-Za-z_][\w.]*", key) and not key.endswith((".py", ".ipynb", ".pyw")):
        return _is_function(key, site)
    return Patterns(base, (key,)).matches(site.file)


def _is_function(name: str, site: Site) -> bool:
    return site.function == name or site.function.endswith("." + name)


def _hub_folder() -> str:
    """Where `torch.hub` keeps what it downloaded."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(os.environ.get("TORCH_HOME") or os.path.join(cache, "torch"), "hub", "checkpoints")


def _telling(parts: Sequence[str]) -> bool:
    """Whether the end of a path says more than a suffix."""
    stem = parts[-1].rpartition(".")[0] if "." in parts[-1] else parts[-1]
    return bool(stem.strip("*-_.")) or any(part.strip("*.") for part in parts[:-1])


def _ends(path: str, root: str, parts: Sequence[str]) -> bool:
    own = os.path.relpath(path, root).replace(os.sep, "/").split("/")
    return len(own) >= len(parts) and all(fnmatchcase(one, part) for one, part in zip(own[-len(parts) :], parts))


# -- shape ------------------------------------------------------------------------------------------------------------

DICTS = frozenset({"dict", "OrderedDict", "collections.OrderedDict", "Counter", "collections.Counter"})


def top_keys(facts: ArtifactFacts) -> tuple[str, ...] | None:
    """The keys of the outermost dict, None where the file holds no dict."""
    tree = facts.tree
    return None if tree is None or tree.kind not in DICTS else tuple(child.key for child in tree.children)


def node_at(facts: ArtifactFacts, path: str) -> Node | None:
    """The node of a key path as `TrainingFacts` spell it."""
    return next((node for key, node in _nodes(facts.tree) if key == path), None) if facts.tree else None


def _nodes(tree: Node) -> Iterable[tuple[str, Node]]:
    pending = [("", tree)]
    while pending:
        path, node = pending.pop()
        yield path, node
        if node.tensor is None:
            pending.extend((f"{path}.{child.key}" if path else child.key, child) for child in node.children)


def is_state(facts: ArtifactFacts) -> bool:
    """Whether the whole file is one state dict: of a model, an optimizer, a scheduler, a scaler."""
    training = facts.training
    return "" in (*(model.key for model in training.models), *training.optimizers, *training.schedulers,
                  *training.scalers, *training.ema)  # fmt: skip


def fits(site: Site, facts: ArtifactFacts) -> str:
    """Why a file may be what a site reads, "" where it cannot be."""
    keys = top_keys(facts)
    if site.cut is not None:
        return "it holds a state dict" if facts.training.models else ""
    if site.keys:
        if keys is None or not set(site.keys) <= set(keys):
            return ""
        return "it holds the keys that the code reads: " + ", ".join(site.keys[:6])
    if site.whole:
        return "it is one state dict, as the code wants" if is_state(facts) else ""
    if keys is not None and site.maybe and not set(site.maybe) & set(keys):
        return ""
    return "the code names no key that it must hold"
