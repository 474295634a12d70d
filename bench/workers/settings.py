"""Global settings of a worker's process: every one is set, whatever its default, and read back.

An environment variable, a library's import or another version's default must not decide what a case measures. What
libraries read from the environment by themselves is put there, or taken away, before they are first used.

Source: torch.backends (``fp32_precision`` since PyTorch 2.9; "ieee" is strict FP32), torch.use_deterministic_algorithms
(CUBLAS_WORKSPACE_CONFIG), cuBLAS and cuDNN (NVIDIA_TF32_OVERRIDE outranks whatever a program asks for).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from operator import attrgetter

from bench.errors import UsageError
from bench.instruments.cores import threads_by_default
from bench.records import Proof, Variant

#: Places in ``torch.backends`` that decide how FP32 arithmetic is done.
_CUDA_FP32 = ("cuda.matmul", "cudnn", "cudnn.conv", "cudnn.rnn")  # inductor asks the second, and none of the others
_CPU_FP32 = ("mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn")
#: Half products may add up their parts in half precision: PyTorch's default, and so every case's.
_REDUCTIONS = ("allow_fp16_reduced_precision_reduction", "allow_bf16_reduced_precision_reduction")
_UNSET = "unset"
#: Whatever is compiled would be tuned, frozen or replayed as if a case had asked for it (torch._inductor.config).
_OF_INDUCTOR = (
    "TORCHINDUCTOR_MAX_AUTOTUNE",
    "TORCHINDUCTOR_MAX_AUTOTUNE_GEMM",
    "TORCHINDUCTOR_MAX_AUTOTUNE_POINTWISE",
    "TORCHINDUCTOR_COORDINATE_DESCENT_TUNING",
    "TORCHINDUCTOR_FREEZING",
    "TORCHINDUCTOR_CUDAGRAPHS",
)


def apply(variant: Variant, seed: int) -> None:
    """Set threads, oneDNN, cuDNN, determinism, FP32 strictness and seeds for the variant.

    Raises:
        UsageError: the variant asks for a setting that this PyTorch does not know.
    """
    import torch

    set_environment(variant)
    torch.manual_seed(seed)
    torch.set_num_threads(variant.threads or threads_by_default())
    torch.backends.mkldnn.set_flags(bool(variant["onednn"]))  # type: ignore[no-untyped-call]
    torch.backends.cudnn.enabled = bool(variant["cudnn"])
    torch.backends.cudnn.benchmark = bool(variant["cudnn_benchmark"])
    deterministic = bool(variant["deterministic"])
    torch.backends.cudnn.deterministic = deterministic
    if torch.are_deterministic_algorithms_enabled() != deterministic:  # asked first, since to set it loads the compiler
        torch.use_deterministic_algorithms(deterministic)
    for name in _REDUCTIONS:
        setattr(torch.backends.cuda.matmul, name, True)
    try:
        # The older switches too: where they and the newer ones differ, whoever reads them fails, and torch.export does.
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = variant["precision"] == "tf32"
        for name in _CUDA_FP32:
            attrgetter(name)(torch.backends).fp32_precision = _cuda_fp32(variant)
        for name in _CPU_FP32:
            attrgetter(name)(torch.backends).fp32_precision = "ieee"
    except AttributeError as error:
        msg = f"PyTorch {torch.__version__} has no torch.backends fp32_precision; install torch 2.11 or later"
        raise UsageError(msg) from error


def read_back(variant: Variant) -> tuple[tuple[tuple[str, str], ...], tuple[Proof, ...]]:
    """The settings as PyTorch reports them now, and the proofs of those that the variant names."""
    settings = _current()
    on_cuda = variant.device.startswith("cuda")
    fp32 = dict.fromkeys(_CUDA_FP32, _cuda_fp32(variant)) if on_cuda else dict.fromkeys(_CPU_FP32, "ieee")
    wanted = {
        "threads": str(variant.threads or threads_by_default()),
        "onednn": _on_off(variant["onednn"]),
        "cudnn": _on_off(variant["cudnn"]),
        "cudnn_benchmark": _on_off(variant["cudnn_benchmark"]),
        "deterministic": _on_off(variant["deterministic"]),
        "cudnn.deterministic": _on_off(variant["deterministic"]),
        **{f"{name}.fp32_precision": value for name, value in fp32.items()},
        **{name: value or _UNSET for name, value in _environment(variant).items()},
    }
    proofs = tuple(Proof(name, expected, settings[name]) for name, expected in wanted.items())
    return tuple(settings.items()), proofs


def _current() -> dict[str, str]:
    import torch

    settings = {
        "threads": str(torch.get_num_threads()),
        "onednn": _on_off(torch.backends.mkldnn.enabled),
        "cudnn": _on_off(torch.backends.cudnn.enabled),
        "cudnn_benchmark": _on_off(torch.backends.cudnn.benchmark),
        "deterministic": _on_off(torch.are_deterministic_algorithms_enabled()),
        "cudnn.deterministic": _on_off(torch.backends.cudnn.deterministic),
    }
    for name in _REDUCTIONS:
        settings[f"cuda.matmul.{name}"] = _on_off(getattr(torch.backends.cuda.matmul, name))
    for name in (*_CUDA_FP32, *_CPU_FP32):
        settings[f"{name}.fp32_precision"] = str(attrgetter(name)(torch.backends).fp32_precision)
    settings.update({name: os.environ.get(name, _UNSET) for name in _environment(Variant.of())})
    return settings


def _cuda_fp32(variant: Variant) -> str:
    return "tf32" if variant["precision"] == "tf32" else "ieee"


def _environment(variant: Variant) -> Mapping[str, str | None]:
    """What the environment must hold for this variant; None for a variable that must not be there."""
    return {
        "NVIDIA_TF32_OVERRIDE": None,
        "CUDA_LAUNCH_BLOCKING": None,  # for debugging: each launch waits, which a replayed graph hardly feels
        "PYTORCH_NO_CUDA_MEMORY_CACHING": None,  # likewise: each allocation asks the driver
        "PYTORCH_TUNABLEOP_ENABLED": None,  # products are chosen by trial, whatever the backend
        **dict.fromkeys(_OF_INDUCTOR),
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8" if variant["deterministic"] else None,
    }


def set_environment(variant: Variant) -> None:
    """What libraries read by themselves, some of them once: before any code of the user's is imported."""
    for name, value in _environment(variant).items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _on_off(flag: object) -> str:
    return "on" if flag else "off"
