"""Torch-TensorRT: the exported model becomes TensorRT engines, built during set-up.

Engines are strongly typed: they compute in the types of the exported program, so that half precision is that of the
weights, and mixed precision has no counterpart here. TF32, which TensorRT allows by default, is off unless the variant
asks for it. Built engines are not kept, since building them is the set-up that is measured; TensorRT's timing cache
lies where inductor's does, in folders that are empty in the first wave.

Source: ``torch_tensorrt.dynamo.compile`` of 2.11 (where ``use_explicit_typing`` is on by default) and 2.14 (where it
and ``enabled_precisions`` are gone). It swallows names that it does not know, so these are held against its signature.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench import Proof, UnavailableError, UsageError
from suites.backends.ready import Brief, Ready
from suites.backends.runtimes import idle_axes
from suites.evidence import Probe, engine_arithmetic, float32_arithmetic
from suites.operations import Operation

PRECISIONS = ("fp32", "tf32", "fp16", "bf16")
_FIX = "pip install 'joulemark[tensorrt]', which takes TensorRT's libraries from NVIDIA's own package index"
#: Submodules of the compiled module. Source: torch_tensorrt.dynamo.partitioning, 2.11 to 2.14.
_ENGINE, _FALLBACK = "_run_on_acc", "_run_on_gpu"
_ALONE = "TensorRT alone"

Compile = Callable[..., Any]


def ready(model: nn.Module, brief: Brief, load: Callable[[], Compile] | None = None) -> Ready:
    """The model as engines of TensorRT; ``load`` returns Torch-TensorRT's compile function.

    Raises:
        UsageError: training, a CPU, channels_last or a precision that engines do not have.
        UnavailableError: Torch-TensorRT or its libraries are missing.
    """
    _check(brief)
    build, precision = (load or load_compiler)(), str(brief.variant["precision"])

    def built(module: nn.Module, images: torch.Tensor) -> Any:
        with torch.no_grad():
            exported = torch.export.export(module, (images,))
            return build(exported, arg_inputs=[images], **options(precision, os.environ))

    compiled = built(model, brief.images)

    def proofs(operations: Sequence[Operation]) -> Iterable[Proof]:
        del operations
        yield Proof("backend", _ALONE, partition(compiled))
        if precision in ("fp32", "tf32"):
            probe, device = Probe(), brief.variant.device
            engine = built(probe.to(device), probe.images.to(device))
            yield engine_arithmetic(precision, float32_arithmetic(device, engine))

    return Ready(compiled, proofs, own_layout=True, own_arithmetic=True, hidden=True)


def load_compiler() -> Compile:
    """``torch_tensorrt.dynamo.compile``.

    Raises:
        UnavailableError: the package is not installed, or TensorRT's libraries are not.
    """
    try:
        import torch_tensorrt
    except ImportError as error:
        reason = f"Torch-TensorRT is not installed ({error})"
        raise UnavailableError(reason, _FIX) from error
    except Exception as error:  # without TensorRT's libraries it raises a plain Exception
        reason = f"Torch-TensorRT does not load ({' '.join(str(error).split())[:200]})"
        raise UnavailableError(reason, _FIX) from error
    compiler: Compile = torch_tensorrt.dynamo.compile
    return compiler


def options(precision: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """Keyword arguments of ``torch_tensorrt.dynamo.compile``, the model and its inputs apart."""
    chosen: dict[str, Any] = {
        "disable_tf32": precision != "tf32",
        "min_block_size": 1,  # else fewer than five operations in a row silently stay in PyTorch
        "immutable_weights": True,
        "cache_built_engines": False,
        "reuse_cached_engines": False,
    }
    caches = environment.get("TORCHINDUCTOR_CACHE_DIR")
    if caches:
        chosen["timing_cache_path"] = str(Path(caches) / "tensorrt_timing.bin")
    return chosen


def partition(compiled: Any) -> str:
    """What runs where: ``"TensorRT alone"``, or how much of the model fell back to PyTorch."""
    names = [name for name, _ in compiled.named_children()]
    engines = sum(name.startswith(_ENGINE) for name in names)
    loose = [
        node
        for node in compiled.graph.nodes
        if node.op in ("call_function", "call_method") and node.target is not operator.getitem
    ]
    parts = sum(name.startswith(_FALLBACK) for name in names) + len(loose)
    if not engines:
        return "no engine of TensorRT"
    return f"{_counted(parts, 'part')} in PyTorch beside {_counted(engines, 'engine')}" if parts else _ALONE


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _check(brief: Brief) -> None:
    variant, precision = brief.variant, str(brief.variant["precision"])
    if brief.training:
        msg = "tensorrt is for inference; train with backend eager, compile or cuda_graphs"
    elif not variant.device.startswith("cuda"):
        msg = "tensorrt is for NVIDIA GPUs; choose device cuda:0, or on a CPU backend eager or compile"
    elif precision not in PRECISIONS:
        msg = f"tensorrt computes in the types of the weights, not in {precision}; choose {', '.join(PRECISIONS)}"
    elif variant["layout"] != "contiguous":
        msg = "tensorrt lays tensors out as it likes and takes contiguous images; leave layout at contiguous"
    elif idle := idle_axes(variant):
        msg = f"{idle[0]} would change nothing in tensorrt, which does not use PyTorch's; leave it at its default"
    else:
        return
    raise UsageError(msg)
