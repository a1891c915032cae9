"""What the outside world's functions are called and what they do: savers, loaders, constructors, since which torch.

Data and small look-ups, standard library only. Users add their own names in the configuration (`[tool.ckpt-lint.api]`).
"""

from __future__ import annotations

import re

# --- one name a thing ----------------------------------------------------------------------------------------------

CANONICAL = {
    "torch.serialization.load": "torch.load",
    "torch.serialization.save": "torch.save",
    "torch.utils.model_zoo.load_url": "torch.hub.load_state_dict_from_url",
    "torchvision.models.utils.load_state_dict_from_url": "torch.hub.load_state_dict_from_url",
    "torchvision._internally_replaced_utils.load_state_dict_from_url": "torch.hub.load_state_dict_from_url",
    "torch.jit._serialization.load": "torch.jit.load",
    "torch.nn.parallel.DataParallel": "torch.nn.DataParallel",
    "torch.nn.parallel.data_parallel.DataParallel": "torch.nn.DataParallel",
    "torch.nn.parallel.distributed.DistributedDataParallel": "torch.nn.parallel.DistributedDataParallel",
    "torch.nn.DistributedDataParallel": "torch.nn.parallel.DistributedDataParallel",
    "apex.parallel.DistributedDataParallel": "torch.nn.parallel.DistributedDataParallel",
    "torch.cuda.amp.GradScaler": "torch.amp.GradScaler",
    "torch.cuda.amp.grad_scaler.GradScaler": "torch.amp.GradScaler",
    "torch.amp.grad_scaler.GradScaler": "torch.amp.GradScaler",
    "torch.cpu.amp.GradScaler": "torch.amp.GradScaler",
    "torch.distributed.fsdp.fully_sharded_data_parallel.FullyShardedDataParallel":
        "torch.distributed.fsdp.FullyShardedDataParallel",
    "torch.distributed.checkpoint.state_dict_loader.load": "torch.distributed.checkpoint.load",
    "torch.distributed.checkpoint.state_dict_saver.save": "torch.distributed.checkpoint.save",
    "torch.distributed.checkpoint.state_dict_saver.async_save": "torch.distributed.checkpoint.async_save",
    "torch.distributed.distributed_c10d.init_process_group": "torch.distributed.init_process_group",
    "ultralytics.yolo.utils.patches.torch_load": "ultralytics.utils.patches.torch_load",
}  # fmt: skip

CUSTOMARY = {"torch": "torch", "nn": "torch.nn", "F": "torch.nn.functional", "optim": "torch.optim", "np": "numpy"}
"""What names mean that a file binds nowhere, and that a star import of it can only have brought along."""

STAR_EXPORTS = {
    "torch": frozenset({"load", "save", "nn", "optim", "jit", "hub", "cuda", "device", "no_grad", "inference_mode"}),
    "torch.serialization": frozenset({"load", "save"}),
    "torch.nn": frozenset({"Module", "DataParallel", "Sequential", "Linear", "ModuleList", "Conv2d"}),
    "torch.optim": frozenset({"SGD", "Adam", "AdamW", "RMSprop", "Optimizer", "lr_scheduler"}),
    "torch.optim.lr_scheduler": frozenset({"StepLR", "MultiStepLR", "LambdaLR", "CosineAnnealingLR", "OneCycleLR"}),
    "torchvision.models": frozenset({"resnet18", "resnet34", "resnet50", "vgg16", "densenet121"}),
    "pathlib": frozenset({"Path"}),
    "os": frozenset({"path"}),
    "copy": frozenset({"deepcopy", "copy"}),
}  # fmt: skip


def canonical(name: str) -> str:
    """The one spelling under which the tables know a dotted name."""
    return CANONICAL.get(name, name)


# --- savers and loaders --------------------------------------------------------------------------------------------

TORCH_SAVE = "torch.save"
SAVERS = frozenset({TORCH_SAVE, "torch_xla.core.xla_model.save", "torch_xla.core.functions.save"})
"""Functions whose first argument is written to the path or file in the second."""

SAVER_METHODS = {
    "accelerate.Accelerator": frozenset({"save"}),
    "lightning.Fabric": frozenset(),
    "lightning.fabric.Fabric": frozenset(),
}
TORCH_LOAD = "torch.load"
HUB_LOAD = "torch.hub.load_state_dict_from_url"
JIT_LOAD = "torch.jit.load"
ULTRALYTICS_LOAD = "ultralytics.utils.patches.torch_load"
LOADERS = frozenset({TORCH_LOAD, HUB_LOAD, JIT_LOAD, ULTRALYTICS_LOAD})

LOAD_PARAMETERS = {
    TORCH_LOAD: ("f", "map_location", "pickle_module"),
    ULTRALYTICS_LOAD: ("f", "map_location", "pickle_module"),
    JIT_LOAD: ("f", "map_location", "_extra_files", "_restore_shapes"),
    HUB_LOAD: ("url", "model_dir", "map_location", "progress", "check_hash", "file_name", "weights_only"),
}
SAVE_PARAMETERS = ("obj", "f", "pickle_module", "pickle_protocol", "_use_new_zipfile_serialization")

PICKLE_MODULES = ("pickle", "joblib", "dill", "cloudpickle", "_pickle", "cPickle", "pickle5", "sklearn.externals.joblib")
PICKLE_DUMPS = frozenset(f"{m}.{f}" for m in PICKLE_MODULES for f in ("dump", "dumps"))
PICKLE_LOADS = frozenset(f"{m}.{f}" for m in PICKLE_MODULES for f in ("load", "loads"))

# --- what a constructor makes --------------------------------------------------------------------------------------

MODULE = "module"
OPTIMIZER = "optimizer"
SCHEDULER = "scheduler"
SCALER = "scaler"
EMA = "ema"
DATA_PARALLEL = "torch.nn.DataParallel"
DDP = "torch.nn.parallel.DistributedDataParallel"
FSDP = "torch.distributed.fsdp.FullyShardedDataParallel"
COMPILE = "torch.compile"
GRAD_SCALER = "torch.amp.GradScaler"

MODULE_BASES = frozenset({
    "torch.nn.Module", "torch.nn.modules.module.Module", "torch.nn.modules.Module", "pytorch_lightning.LightningModule",
    "lightning.LightningModule", "lightning.pytorch.LightningModule", "transformers.PreTrainedModel",
    "torch.jit.ScriptModule", "mmengine.model.BaseModule", "mmcv.runner.BaseModule", "timm.models.ResNet",
    "stable_baselines3.common.policies.BasePolicy",
})  # fmt: skip
OPTIMIZER_BASES = frozenset({"torch.optim.Optimizer", "torch.optim.optimizer.Optimizer"})
SCHEDULER_BASES = frozenset({
    "torch.optim.lr_scheduler._LRScheduler", "torch.optim.lr_scheduler.LRScheduler",
    "torch.optim.lr_scheduler.LambdaLR",
})  # fmt: skip

MODULE_FACTORIES = re.compile(
    r"^(torchvision\.models\.(\w+\.)*[a-z]\w*|torchvision\.models\.\w+\.[A-Z]\w*|timm\.create_model|timm\.models\.create_model"
    r"|timm\.models\.(\w+\.)*[a-z]\w*|torch\.compile|torch\.hub\.load|segmentation_models_pytorch\.\w+"
    r"|monai\.networks\.nets\.\w+|efficientnet_pytorch\.EfficientNet\.\w+|diffusers\.\w*Model\d*D?\w*"
    r"|transformers\.(Auto)?Model\w*\.\w+|transformers\.\w+For\w+|open_clip\.create_model)$"
)
NOT_FACTORIES = re.compile(
    r"\.(get_weight|get_model_weights|list_models|get_model_builder|utils\.\w+|_\w+|feature_extraction\.\w+)$"
    r"|^timm\.models\.(helpers|layers|registry|features)\b|^torchvision\.models\.utils\b"
)
OPTIMIZER_FACTORIES = re.compile(
    r"^(torch\.optim\.(\w+\.)?[A-Z]\w*|torch_optimizer\.[A-Z]\w*|transformers\.(AdamW|Adafactor|optimization\.\w+)"
    r"|apex\.optimizers\.\w+|timm\.optim\.create_optimizer(_v2)?|timm\.optim\.optim_factory\.create_optimizer(_v2)?"
    r"|bitsandbytes\.optim\.\w+|adabound\.AdaBound|torch\.optim\.swa_utils\.SWA|torchcontrib\.optim\.SWA"
    r"|deepspeed\.ops\.adam\.\w+|timm\.optim\.[A-Z]\w*|lion_pytorch\.Lion|adan_pytorch\.Adan)$"
)
SCHEDULER_FACTORIES = re.compile(
    r"^(torch\.optim\.lr_scheduler\.[A-Z]\w*|torch\.optim\.swa_utils\.SWALR"
    r"|(transformers|diffusers|pytorch_transformers)\.(\w+\.)*get_\w*(schedule|scheduler)\w*"
    r"|timm\.scheduler\.[a-z]\w*|timm\.scheduler\.[A-Z]\w*|warmup_scheduler\.\w+)$"
)
EMA_FACTORIES = re.compile(
    r"^(torch\.optim\.swa_utils\.AveragedModel|timm\.utils\.(\w+\.)?ModelEma\w*|torch_ema\.ExponentialMovingAverage"
    r"|ema_pytorch\.\w+|diffusers\.training_utils\.EMAModel)$"
)

FOREIGN = re.compile(r"^(sklearn|xgboost|lightgbm|catboost|tensorflow|keras|jax|flax|spacy|gensim|paddle|mxnet)\b")
"""Packages whose models are none of torch's."""

RECURSIVE_SCHEDULERS = frozenset({"StepLR", "MultiStepLR", "ExponentialLR", "CosineAnnealingLR"})

# --- names by convention ("with nothing against it") ----------------------------------------------------------------

MODULE_NAMES = re.compile(
    r"^(model|net|network|netG|netD|encoder|decoder|generator|discriminator|policy|actor_critic|backbone|\w+_model|module)$"
)
OPTIMIZER_NAMES = re.compile(r"^(\w*optimi[sz]ers?\w*|opt|optim|\w+_(opt|optim)|(opt|optim)_\w+|optim[GD])$")
SCHEDULER_NAMES = re.compile(r"^(\w*sched(uler)?s?|(lr_)?sched(uler)?_\w+)$")
SCALER_NAMES = re.compile(r"^(\w*scaler|grad_scaler)$")
EMA_NAMES = re.compile(r"^(ema|\w*_ema|ema_\w*|model_ema|averaged_model|swa_model)$")

DATA_NAMES = re.compile(r"(data_?set|loader|sampler)s?$", re.IGNORECASE)
STATEFUL = frozenset({"state_dict", "load_state_dict"})
"""What data sets and loaders have, as modules do."""


def constructs(name: str) -> str | None:
    """What calling a dotted name makes: MODULE, OPTIMIZER, SCHEDULER, SCALER, EMA, or None where the tables know none."""
    if SCHEDULER_FACTORIES.match(name):
        return SCHEDULER
    if EMA_FACTORIES.match(name):
        return EMA
    if OPTIMIZER_FACTORIES.match(name):
        return OPTIMIZER if not name.startswith("torch.optim.swa_utils") else None
    if name == GRAD_SCALER or name.endswith(".ShardedGradScaler"):
        return SCALER
    if name.endswith((".from_pretrained", ".from_config")) and not FOREIGN.match(name):
        return None if re.search(r"(Tokenizer|Processor|Config|Scheduler|FeatureExtractor|Pipeline)\b", name) else MODULE
    if name.startswith("torch.nn.") and _layer(name.removeprefix("torch.nn.")):
        return MODULE
    if name in (FSDP, "torch.fx.GraphModule") or (MODULE_FACTORIES.match(name) and not NOT_FACTORIES.search(name)):
        return MODULE
    return None


def _layer(rest: str) -> bool:
    head, _, last = rest.rpartition(".")
    if head.split(".")[0] in ("functional", "init", "utils", "attention") or last in ("Parameter", "Buffer", "ParameterList"):
        return False
    return bool(last) and last[0].isupper()


# --- surroundings --------------------------------------------------------------------------------------------------

TAKE_MODULES = frozenset({
    DATA_PARALLEL, DDP, FSDP, COMPILE, "torch.jit.trace", "torch.jit.script", "torch.onnx.export", "torch.export.export",
})  # fmt: skip
"""Functions whose first argument is a module."""

DEEPCOPY = frozenset({"copy.deepcopy"})
OF_ARRAYS = frozenset({"torch.from_numpy"})
"""What takes arrays of NumPy and nothing else."""
IN_MEMORY = frozenset({"io.BytesIO", "io.StringIO", "tempfile.SpooledTemporaryFile"})
PROCESS_GROUP = frozenset({
    "torch.distributed.init_process_group", DDP, "accelerate.Accelerator", "lightning.Fabric", "lightning.fabric.Fabric",
    "lightning_fabric.Fabric", "deepspeed.initialize", "deepspeed.init_distributed", "horovod.torch.init",
})  # fmt: skip
NO_GRAD = frozenset({
    "torch.no_grad", "torch.inference_mode", "torch.set_grad_enabled", "torch.autograd.no_grad",
    "torch.autograd.set_grad_enabled", "torch.autograd.grad_mode.no_grad",
})  # fmt: skip
DCP = "torch.distributed.checkpoint"
DCP_SAVES = frozenset({f"{DCP}.save", f"{DCP}.async_save", f"{DCP}.save_state_dict"})
DCP_LOADS = frozenset({f"{DCP}.load", f"{DCP}.load_state_dict"})

SAFE_GLOBALS = "torch.serialization.safe_globals"
ADD_SAFE_GLOBALS = "torch.serialization.add_safe_globals"

TRAINING_STATE_KINDS = (OPTIMIZER, SCHEDULER, SCALER, EMA)
