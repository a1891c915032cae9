"""What `weights_only=True` refuses, as a table: dotted names, and what to write instead. TORCH_FACTS 2, run on 2.13."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """`what` a refused value is, in words; `before` and `after` are the code that makes plain data of it, both "" where
    only a person can; `classes` the last names that an allow-list would have to hold.
    """

    what: str
    before: str = ""
    after: str = ""
    classes: tuple[str, ...] = ()
    advice: str = ""

    @property
    def rewritten(self) -> bool:
        """Whether there is code that makes plain data of it."""
        return bool(self.before or self.after)


_NUMPY_CLASSES = ("scalar", "dtype", "ndarray", "_reconstruct")
NUMPY_SCALAR = Refusal("a NumPy scalar", "float(", ")", _NUMPY_CLASSES)
NUMPY_INTEGER = Refusal("a NumPy scalar", "int(", ")", _NUMPY_CLASSES)
NUMPY_ARRAY = Refusal("a NumPy array", "torch.from_numpy(", ")", _NUMPY_CLASSES)
NUMPY_VALUE = Refusal("a NumPy scalar or array", "", "", _NUMPY_CLASSES, "convert it with `float(...)` or `.tolist()`")
NUMPY_LIST = Refusal("a list with NumPy scalars", "", "", _NUMPY_CLASSES, "append `float(...)` of each")
NUMPY_STATE = Refusal(
    "NumPy's random state, which holds an array", "", "", _NUMPY_CLASSES, "save its array as `state[1].tolist()`"
)
NUMPY_GENERATOR = Refusal(
    "a NumPy random generator", "", "", _NUMPY_CLASSES, "save `rng.bit_generator.state`, a plain dict"
)
NAMESPACE = Refusal("an `argparse.Namespace`", "vars(", ")", ("Namespace",))
SIMPLE_NAMESPACE = Refusal("a `SimpleNamespace`", "vars(", ")", ("SimpleNamespace",))
PATH = Refusal("a `pathlib.Path`", "str(", ")", ("Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath"))
DATETIME = Refusal("a `datetime`", "", ".isoformat()", ("datetime", "date", "time"))
DURATION = Refusal("a `timedelta`", "", ".total_seconds()", ("timedelta",))
VERSION = Refusal("a `Version` of packaging", "str(", ")", ("Version",))
TORCH_VERSION = Refusal("`torch.__version__`, which is no plain string", "str(", ")", ("TorchVersion",))
ENUM = Refusal("an Enum member", "", ".value", ())
FUNCTION = Refusal("a function", "", "", (), "save its name")
CLASS = Refusal("a class", "", "", (), "save its name")
CONFIG = Refusal("an OmegaConf config", "", "", ("DictConfig", "ListConfig"), "save `OmegaConf.to_container(cfg)`")
OPTIMIZER = Refusal("a whole optimizer", "", ".state_dict()", ())
SCHEDULER = Refusal("a whole scheduler", "", ".state_dict()", ())
SCALER = Refusal("a whole gradient scaler", "", ".state_dict()", ("GradScaler",))
MODULE = Refusal("a whole module", "", ".state_dict()", ())
DEFAULTDICT = Refusal("a `defaultdict`, which no allow-list helps", "dict(", ")", ())

MADE = {
    "argparse.Namespace": NAMESPACE,
    "types.SimpleNamespace": SIMPLE_NAMESPACE,
    "datetime.datetime": DATETIME, "datetime.datetime.now": DATETIME, "datetime.datetime.utcnow": DATETIME,
    "datetime.datetime.today": DATETIME, "datetime.date": DATETIME, "datetime.date.today": DATETIME,
    "datetime.timedelta": DURATION,
    "uuid.uuid4": Refusal("a `UUID`", "str(", ")", ("UUID",)),
    "uuid.uuid1": Refusal("a `UUID`", "str(", ")", ("UUID",)),
    "decimal.Decimal": Refusal("a `Decimal`", "str(", ")", ("Decimal",)),
    "re.compile": Refusal("a compiled pattern", "", ".pattern", ("_compile", "Pattern")),
    "collections.defaultdict": DEFAULTDICT,
    "collections.deque": Refusal("a `deque`, which no allow-list helps", "list(", ")", ()),
    "builtins.frozenset": Refusal("a `frozenset`", "set(", ")", ("frozenset",)),
    "builtins.range": Refusal("a `range`", "list(", ")", ("range",)),
    "builtins.zip": Refusal("a `zip`", "list(", ")", ()),
    "builtins.map": Refusal("a `map`", "list(", ")", ()),
    "builtins.type": CLASS,
    "functools.partial": Refusal("a `functools.partial`", "", "", ("partial",), "save a name and the arguments"),
    "torch.Generator": Refusal("a `torch.Generator`", "", ".get_state()", ("Generator",)),
    "numpy.random.get_state": NUMPY_STATE,
    "numpy.random.default_rng": NUMPY_GENERATOR, "numpy.random.RandomState": NUMPY_GENERATOR,
    "omegaconf.OmegaConf.load": CONFIG, "omegaconf.OmegaConf.create": CONFIG, "omegaconf.OmegaConf.merge": CONFIG,
    "omegaconf.OmegaConf.from_cli": CONFIG, "omegaconf.OmegaConf.structured": CONFIG, "hydra.compose": CONFIG,
    "packaging.version.Version": VERSION, "packaging.version.parse": VERSION,
    "pathlib.Path.cwd": PATH, "pathlib.Path.home": PATH,
}  # fmt: skip
"""What a call of a dotted name makes."""

READ = {"torch.__version__": TORCH_VERSION, "torch.torch_version.__version__": TORCH_VERSION}
"""What reading a dotted name gives."""

ANNOTATED = {
    "argparse.Namespace": NAMESPACE, "types.SimpleNamespace": SIMPLE_NAMESPACE, "pathlib.Path": PATH,
    "datetime.datetime": DATETIME, "datetime.timedelta": DURATION, "omegaconf.DictConfig": CONFIG,
    "numpy.ndarray": NUMPY_ARRAY, "collections.defaultdict": DEFAULTDICT,
    "collections.deque": MADE["collections.deque"],
}  # fmt: skip
"""What a parameter with that annotation is."""

PATH_CLASSES = re.compile(r"^pathlib\.(Pure)?(Posix|Windows)?Path$")
PATH_METHODS = frozenset({
    "resolve", "absolute", "expanduser", "with_suffix", "with_name", "joinpath", "with_stem", "relative_to", "parent",
})  # fmt: skip
"""Methods and properties of a path that give a path."""

NUMPY_SCALARS = frozenset({
    "mean", "sum", "median", "std", "var", "average", "nanmean", "nansum", "percentile", "quantile", "prod",
    "trapz", "float64", "float32", "float16", "sqrt", "exp", "log", "log10", "log2", "abs", "round", "around", "floor",
    "ceil", "max", "min", "amax", "amin", "nanmax", "nanmin", "dot", "clip", "bool_", "maximum", "minimum", "power",
})  # fmt: skip
NUMPY_INTEGERS = frozenset({"int64", "int32", "argmax", "argmin", "count_nonzero", "int8", "uint8", "int16"})
NUMPY_ARRAYS = frozenset({
    "array", "asarray", "zeros", "ones", "empty", "full", "arange", "linspace", "concatenate", "stack", "vstack",
    "hstack", "zeros_like", "ones_like", "full_like", "empty_like", "eye", "where", "argsort", "sort", "unique",
    "cumsum", "corrcoef",
    "logspace", "geomspace", "fromiter", "atleast_1d", "atleast_2d", "squeeze", "expand_dims", "random.permutation",
    "ascontiguousarray", "histogram2d", "repeat", "tile", "meshgrid", "diff", "frombuffer", "loadtxt", "genfromtxt",
})  # fmt: skip
"""NumPy's functions by what they give for what programs hand them, where no axis is named."""

NUMPY_AXIS = {
    **dict.fromkeys((
        "mean", "sum", "median", "std", "var", "average", "nanmean", "nansum", "prod", "max", "min", "amax", "amin",
        "nanmax", "nanmin", "argmax", "argmin", "count_nonzero",
    ), 1), "percentile": 2, "quantile": 2,
}  # fmt: skip
"""Where the axis stands among the arguments of those that reduce; `axis=` is the same for all."""

PLAIN_ATTRIBUTES = frozenset({
    "shape", "device", "dtype", "data", "grad", "T", "ndim", "requires_grad", "is_cuda", "type", "index", "real",
    "imag", "weight", "bias", "module", "size", "layout", "names", "itemsize", "nbytes", "flat", "state_dict",
    "param_groups", "training", "values", "indices", "is_leaf", "grad_fn", "is_sparse", "mT", "flags", "strides",
    "base",
})  # fmt: skip
"""Attributes that plain data, tensors and modules have: reading them says nothing."""


def of_numpy(name: str) -> Refusal | None:
    """What a function of NumPy gives; None for those that give plain data, and for the unknown."""
    if not name.startswith("numpy."):
        return None
    last = name.removeprefix("numpy.")
    if last in NUMPY_INTEGERS:
        return NUMPY_INTEGER
    if last in NUMPY_SCALARS:
        return NUMPY_SCALAR
    return NUMPY_ARRAY if last in NUMPY_ARRAYS else None
