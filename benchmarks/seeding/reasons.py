"""Why faults of the committed table were not found as they should be, by rule and file: each was read by hand."""

from __future__ import annotations

_NVIDIA = "NVIDIA__DeepLearningExamples/"
_DISTILL = f"{_NVIDIA}PyTorch/LanguageModeling/BERT/distillation/task_distill.py"
_LAMB = f"{_NVIDIA}PyTorch/LanguageModeling/BERT/lamb_amp_opt/main.py"
_EDGES = f"{_NVIDIA}Tools/DGLPyTorch/SyntheticGraphGeneration/syngen/benchmark/tasks/ec.py"
_REID = "KaiyangZhou__deep-person-reid/projects/attribute_recognition/main.py"
_ALIAS = "out of reach: the module is trained under another name than the one that is saved"
_OWN_SAVE = "mutator: the file's own save, which a package re-exports, was left in and holds the state"
_MADE_ELSEWHERE = "definition: the module is made by what a table holds, it may lie on a device"
_BUILT_OVER = "mutator: it is built over a module that another function puts in eval"
_TACOTRON = f"{_NVIDIA}PyTorch/SpeechSynthesis/Tacotron2/"

REASONS: dict[tuple[str, str], str] = {
    ("CKP106", f"{_NVIDIA}PyTorch/Recommendation/NCF/ncf.py"): "true: the save that was moved has left its rank guard",
    ("CKP106", _DISTILL): _ALIAS,
    ("CKP107", _LAMB): "definition: TorchScript",
    ("CKP116", _DISTILL): _ALIAS,
    ("CKP116", "kekmodel__FixMatch-pytorch/train.py"): _ALIAS,
    ("CKP201", _REID): _OWN_SAVE,
    ("CKP202", "facebookresearch__swav/main_deepclusterv2.py"): "mutator: `lr_schedule` is an array, no scheduler",
    ("CKP204", _REID): _OWN_SAVE,
    ("CKP209", _EDGES): _MADE_ELSEWHERE,
    ("CKP210", "wkentaro__pytorch-fcn/torchfcn/trainer.py"): "out of reach: the resume stands in other files",
    ("CKP309", "lightning-2.6.6/lightning/fabric/strategies/model_parallel.py"): (
        "definition: what is read goes into functions that may do more than copy it"
    ),
    ("CKP405", f"{_NVIDIA}PyTorch/Classification/GPUNet/validate.py"): "definition: the module is handed on before it runs",
    ("CKP405", f"{_TACOTRON}exports/export_tacotron2_onnx.py"): _BUILT_OVER,
    ("CKP405", f"{_TACOTRON}tensorrt/convert_tacotron22onnx.py"): _BUILT_OVER,
    ("CKP407", "yunjey__pytorch-tutorial/tutorials/02-intermediate/bidirectional_recurrent_neural_network/main.py"): (
        "rule: `forward` moves a tensor of its own, which is taken for a move of the module"
    ),
    ("CKP407", "pytorch__examples/distributed/tensor_parallelism/tensor_parallel_example.py"): (
        "mutator: `parallelize_module` places the module, too"
    ),
    ("CKP407", _LAMB): "definition: TorchScript; the optimizer restores its own state",
    ("CKP407", _EDGES): _MADE_ELSEWHERE,
    ("CKP409", f"{_NVIDIA}PyTorch/SpeechSynthesis/HiFiGAN/common/utils.py"): (
        "likely definition: a test of another key of the same dict stands around (not confirmed)"
    ),
    ("CKP417", "wkentaro__pytorch-fcn/examples/voc/train_fcn8s.py"): "another fault of the project in the same round",
    ("CKP418", f"{_NVIDIA}PyTorch/Translation/Transformer/fairseq/utils.py"): (
        "definition: the saved weights come out of a conversion, what they hold is unknown"
    ),
    ("CKP419", "facebookresearch__dino/utils.py"): (
        "true: with an RNG state it is a resume path, in which a result of `strict=False` that is only printed counts"
    ),
}  # fmt: skip
