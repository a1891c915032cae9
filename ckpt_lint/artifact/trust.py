"""What is known of a global that a pickle names. Default-deny: what is on no list is unknown, and never safe.

Three answers: "allowed" (on torch's weights-only list), "data" (a class, or a constructor, known to do nothing but
hold data), "unknown". A name with a dot, or text that is no identifier, is unknown whatever it begins with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ckpt_lint.artifact.tables import Accepted, torch_data_classes, torch_plain_functions

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\Z")

# Classes that `add_safe_globals` may be given: each was loaded so under torch 2.13.
ALLOWABLE = frozenset(
    """
    argparse.Namespace types.SimpleNamespace
    pathlib.PosixPath pathlib.PurePosixPath pathlib.PureWindowsPath
    datetime.datetime datetime.date datetime.time datetime.timedelta datetime.timezone
    uuid.UUID decimal.Decimal fractions.Fraction
    builtins.frozenset builtins.range builtins.slice builtins.bytes
    builtins.list builtins.dict builtins.int builtins.float builtins.str builtins.tuple builtins.bool
    torch.torch_version.TorchVersion
    """.split()
)

# Data, but no allow-list helps, or it would take a function: the value must be saved in another form.
_DATA = frozenset(
    """
    builtins.object builtins.NoneType builtins.Ellipsis builtins.NotImplemented builtins.BaseException
    builtins.Exception builtins.ValueError builtins.RuntimeError builtins.KeyError builtins.TypeError
    exceptions.ValueError exceptions.Exception
    pathlib.WindowsPath pathlib.Path pathlib.PurePath
    pathlib._local.PosixPath pathlib._local.PurePosixPath pathlib._local.WindowsPath pathlib._local.PureWindowsPath
    collections.defaultdict collections.deque collections.UserDict collections.UserList collections.UserString
    copyreg._reconstructor copyreg.__newobj__ copyreg.__newobj_ex__ _codecs.encode re._compile
    types.NoneType
    numpy.dtype numpy.ndarray numpy.core.multiarray.scalar numpy._core.multiarray.scalar
    numpy.core.multiarray._reconstruct numpy._core.multiarray._reconstruct
    numpy.core.numeric._frombuffer numpy._core.numeric._frombuffer numpy.matrix numpy.ma.core.MaskedArray
    numpy.random._pickle.__randomstate_ctor numpy.random._pickle.__generator_ctor
    numpy.random._pickle.__bit_generator_ctor numpy.random._mt19937.MT19937 numpy.random._pcg64.PCG64
    numpy.random._pcg64.PCG64DXSM numpy.random._philox.Philox numpy.random._sfc64.SFC64
    numpy.random.bit_generator.SeedSequence numpy.random.bit_generator.__pyx_unpickle_SeedSequence
    torch._C.Generator torch.storage._load_from_bytes
    torch.amp.grad_scaler._refresh_per_optimizer_state torch.amp.grad_scaler.OptState
    torch.cuda.amp.grad_scaler._refresh_per_optimizer_state torch.cuda.amp.grad_scaler.OptState
    torch._utils._rebuild_xla_tensor torch._tensor._rebuild_from_type
    torch.distributed.tensor.DTensor torch.distributed.tensor._dtensor_spec.DTensorSpec
    torch.distributed.tensor._dtensor_spec.TensorMeta torch.distributed.device_mesh.DeviceMesh
    torch.distributed.tensor.placement_types.Shard torch.distributed.tensor.placement_types.Replicate
    torch.distributed.tensor.placement_types.Partial
    torch.nested._internal.nested_tensor.NestedTensor torch.nested._internal.nested_tensor._rebuild_njt
    torch._dynamo.decorators._DimRange
    torch.distributed.checkpoint.metadata.Metadata torch.distributed.checkpoint.metadata.TensorStorageMetadata
    torch.distributed.checkpoint.metadata.BytesStorageMetadata torch.distributed.checkpoint.metadata.StorageMeta
    torch.distributed.checkpoint.metadata.ChunkStorageMetadata torch.distributed.checkpoint.metadata.MetadataIndex
    torch.distributed.checkpoint.metadata.TensorProperties torch.distributed.checkpoint.metadata._MEM_FORMAT_ENCODING
    torch.distributed.checkpoint.filesystem._StorageInfo
    joblib.numpy_pickle.NumpyArrayWrapper
    omegaconf.dictconfig.DictConfig omegaconf.listconfig.ListConfig omegaconf.base.ContainerMetadata
    omegaconf.base.Metadata omegaconf.nodes.AnyNode omegaconf.nodes.StringNode omegaconf.nodes.IntegerNode
    omegaconf.nodes.FloatNode omegaconf.nodes.BooleanNode omegaconf.nodes.EnumNode omegaconf.nodes.PathNode
    omegaconf.nodes.BytesNode typing.Any typing.Union typing.Dict typing.List
    yacs.config.CfgNode easydict.EasyDict addict.addict.Dict
    pytorch_lightning.utilities.parsing.AttributeDict lightning_fabric.utilities.data.AttributeDict
    lightning.fabric.utilities.data.AttributeDict
    """.split()
)

# Old names under which classes of torch are pickled.
_ALIASES = frozenset(
    """
    torch.nn.modules.linear._LinearWithBias torch.nn.modules.linear.NonDynamicallyQuantizableLinear
    torch.optim.lr_scheduler._LRScheduler
    """.split()
)
_NUMPY_DTYPES = re.compile(r"numpy\.dtypes\.[A-Z][A-Za-z0-9]*DType\Z")
# Calls that only make an instance; a plain name of one of `torch_plain_functions` is never called.
_CONSTRUCTED = ("NEWOBJ", "NEWOBJ_EX", "REDUCE", "INST", "OBJ", "BUILD")


def trust(module: str, name: str, calls: Iterable[str], table: Accepted) -> str:
    """ "allowed", "data" or "unknown", for a global and the opcodes that call it."""
    path = f"{module}.{name}"
    if not _IDENTIFIER.match(name) or not _MODULE.match(module):
        return "unknown"
    if path in table.globals:
        return "allowed"
    if path in torch_plain_functions():
        return "unknown" if any(call in _CONSTRUCTED for call in calls) else "data"
    if path in ALLOWABLE or path in _DATA or path in torch_data_classes() or path in _ALIASES:
        return "data"
    return "data" if _NUMPY_DTYPES.match(path) else "unknown"


def allowable(path: str) -> bool:
    """Whether `add_safe_globals` may be given this class: never a function, never a dotted name."""
    return path in ALLOWABLE or (path in torch_data_classes() and not path.endswith("parameter.Parameter"))


def is_module_class(path: str) -> bool:
    """Whether a class is one of torch's modules, which are saved whole (CKP101)."""
    return path in torch_data_classes() and path.startswith(("torch.nn.", "torch.ao.nn.")) and ".parameter." not in path


def is_optimizer_class(path: str) -> bool:
    """Whether a class is one of torch's optimizers, schedulers or scalers."""
    return path.startswith(("torch.optim.", "torch.amp.", "torch.cuda.amp.")) and path in torch_data_classes()
