"""Global settings of a worker's process: every one is set, whatever its default, and read back.

An environment variable, a library's import or another version's default must not decide what a case measures.

Source: torch.backends (``fp32_precision`` since PyTorch 2.9; "ieee" is strict FP32).
"""

from __future__ import annotations

import os
from operator import attrgetter

from bench.errors import UsageError
from bench.records import Proof, Variant

#: Places in ``torch.backends`` that decide how FP32 arithmetic is done.
_CUDA_FP32 = ("cuda.matmul", "cudnn.conv", "cudnn.rnn")
_CPU_FP32 = ("mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn")


def apply(variant: Variant, seed: int) -> None:
    """Set threads, oneDNN, cuDNN, FP32 strictness and seeds for the variant.

    Raises:
        UsageError: the variant asks for a setting that this PyTorch does not know.
    """
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(variant.threads or usable_cores())
    torch.backends.mkldnn.set_flags(bool(variant["onednn"]))  # type: ignore[no-untyped-call]
    torch.backends.cudnn.enabled = True
    torch.backends.cudnn.benchmark = bool(variant["cudnn_benchmark"])
    torch.backends.cudnn.deterministic = False
    if torch.are_deterministic_algorithms_enabled():  # asked first, since to set it loads the compiler
        torch.use_deterministic_algorithms(False)
    try:
        # The older switches too: where they and the newer ones differ, whoever reads them fails, and torch.export does.
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = variant["precision"] == "tf32"
        for name in _CUDA_FP32:
            attrgetter(name)(torch.backends).fp32_precision = "tf32" if variant["precision"] == "tf32" else "ieee"
        for name in _CPU_FP32:
            attrgetter(name)(torch.backends).fp32_precision = "ieee"
    except AttributeError as error:
        msg = f"PyTorch {torch.__version__} has no torch.backends fp32_precision; install torch 2.11 or later"
        raise UsageError(msg) from error


def read_back(variant: Variant) -> tuple[tuple[tuple[str, str], ...], tuple[Proof, ...]]:
    """The settings as PyTorch reports them now, and the proofs of those that the variant names."""
    import torch

    settings = {
        "threads": str(torch.get_num_threads()),
        "onednn": _on_off(bool(torch.backends.mkldnn.enabled)),
        "cudnn_benchmark": _on_off(torch.backends.cudnn.benchmark),
        "deterministic": _on_off(torch.are_deterministic_algorithms_enabled()),
    }
    for name in (*_CUDA_FP32, *_CPU_FP32):
        settings[f"{name}.fp32_precision"] = str(attrgetter(name)(torch.backends).fp32_precision)
    fp32_precision = {f"{name}.fp32_precision": "ieee" for name in _CPU_FP32}
    if variant.device.startswith("cuda"):
        wanted_on_cuda = "tf32" if variant["precision"] == "tf32" else "ieee"
        fp32_precision = {f"{name}.fp32_precision": wanted_on_cuda for name in _CUDA_FP32}
    wanted = {
        "threads": str(variant.threads or usable_cores()),
        "onednn": _on_off(bool(variant["onednn"])),
        "cudnn_benchmark": _on_off(bool(variant["cudnn_benchmark"])),
        **fp32_precision,
    }
    proofs = tuple(Proof(name, expected, settings[name]) for name, expected in wanted.items())
    return tuple(settings.items()), proofs


def usable_cores() -> int:
    """How many cores this process may use: its affinity where the platform has one, else the machine's count."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _on_off(flag: bool) -> str:
    return "on" if flag else "off"
