"""ONNX Runtime, with the execution provider that the backend and the device name.

::

    backend                device    execution provider
    onnxruntime            cpu       CPU        precision fp32, int8
    onnxruntime            cuda:N    CUDA       precision fp32, tf32
    onnxruntime_tensorrt   cuda:N    TensorRT   precision fp32, tf32
    onnxruntime_trt_rtx    cuda:N    TensorRT for RTX, a plug-in of NVIDIA's       precision fp32, tf32
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import nn

from bench import Proof
from suites.backends.node_trace import operand_types, read_nodes
from suites.backends.onnx_export import INPUT, OUTPUT, Forward, exported, float32_arithmetic
from suites.backends.providers import CPU, CUDA, TENSORRT, TRT_RTX, Provider, Setting, open_session, providers_used
from suites.backends.quantised import quantised
from suites.backends.ready import Brief, Ready
from suites.backends.runtimes import dense, find_runtime, joined, refuse_unfit
from suites.evidence import engine_arithmetic
from suites.operations import Operation

_PRODUCTS = {"fp32": "float32", "tf32": "float32", "int8": "int8"}
_ARITHMETIC = {"fp32": "full", "tf32": "tf32"}
_TASKS = Path("/proc/self/task")


def ready(model: nn.Module, brief: Brief) -> Ready:
    """The model run by the CPU or the CUDA provider."""
    return _ready(model, brief, CUDA if brief.variant.device.startswith("cuda") else CPU)


def ready_tensorrt(model: nn.Module, brief: Brief) -> Ready:
    """The model run by TensorRT; its engine is built here, and not cached."""
    return _ready(model, brief, TENSORRT)


def ready_trt_rtx(model: nn.Module, brief: Brief) -> Ready:
    """The model run by TensorRT for RTX; its engine is built here, and not cached."""
    return _ready(model, brief, TRT_RTX)


@dataclass(frozen=True)
class Maker:
    """Opens sessions, each in the same way: for the model that is measured and for what is asked of it as evidence."""

    runtime: Any  # the module onnxruntime
    provider: Provider
    setting: Setting
    stream: Any = None  # of torch.cuda, whose address is in the setting

    def session(self, model: bytes, trace: Path | None = None) -> Any:
        return open_session(self.runtime, model, self.provider, self.setting, trace)

    def counted_session(self, model: bytes) -> tuple[Any, int | None]:
        """A session, and with how many threads it computes: those that came with it, and the caller's.

        None where the system does not say how many threads a process has.
        """
        before = _threads()
        session = self.session(model)
        after = _threads()
        return session, None if before is None or after is None else after - before + 1

    def forward(self, session: Any) -> Forward:
        """The session as a function of images on the provider's device: nothing is copied on the way in or out."""
        device, index = self.provider.kind, self.setting.device_index
        sizes = tuple(session.get_outputs()[0].shape)
        binding = session.io_binding()
        asynchronous = self.runtime.RunOptions()
        asynchronous.add_run_config_entry("disable_synchronize_execution_providers", "1")

        def run(images: torch.Tensor) -> torch.Tensor:
            given = dense(images)
            scores = torch.empty(sizes, device=given.device)
            binding.bind_input(INPUT, device, index, numpy.float32, tuple(given.shape), given.data_ptr())
            binding.bind_output(OUTPUT, device, index, numpy.float32, sizes, scores.data_ptr())
            session.run_with_iobinding(binding, asynchronous)
            return scores

        return run if self.stream is None else _on_stream(run, self.stream)


def _ready(model: nn.Module, brief: Brief, provider: Provider) -> Ready:
    refuse_unfit(brief, precisions=provider.precisions, kind=provider.kind, honours=provider.honours)
    runtime = find_runtime("onnxruntime", provider.extra)
    stream = _new_stream(brief.variant.device) if provider.kind == "cuda" else None
    address = 0 if stream is None else stream.cuda_stream
    maker = Maker(runtime, provider, Setting(brief.variant, torch.get_num_threads(), address), stream)
    onnx_model, calibrated = exported(model, brief.images, provider.extra), None
    if brief.variant["precision"] == "int8":
        onnx_model, calibrated = quantised(onnx_model, brief.calibration, len(brief.images), provider.extra)
    session, threads = maker.counted_session(onnx_model)

    def proofs(operations: Sequence[Operation]) -> Iterable[Proof]:
        del operations
        if threads is not None and provider.kind == "cpu":
            yield Proof("runtime threads", str(maker.setting.threads), str(threads))
        if calibrated is not None:
            yield calibrated
        yield from runtime_proofs(maker, session, onnx_model, brief.images)

    return Ready(maker.forward(session), proofs, own_layout=True)


def runtime_proofs(maker: Maker, session: Any, model: bytes, images: torch.Tensor) -> Iterator[Proof]:
    """Evidence for the provider and for the precision: of a session, and of others opened like it."""
    precision, provider = str(maker.setting.variant["precision"]), maker.provider
    yield Proof("execution provider", provider.name, joined(providers_used(session)))
    if not provider.compiles:
        yield Proof("products", _PRODUCTS[precision], joined(_types_of_products(maker, model, images)))
    if precision in _ARITHMETIC:
        found = float32_arithmetic(
            lambda probe: maker.forward(maker.session(probe)), maker.setting.variant.device, provider.extra
        )
        wanted = Proof("float32 arithmetic", _ARITHMETIC[precision], found)
        yield engine_arithmetic(precision, found) if provider.compiles else wanted


def _types_of_products(maker: Maker, model: bytes, images: torch.Tensor) -> tuple[str, ...]:
    """Element types in a profile of one run, taken of a second session: a profile would slow the one that is timed."""
    with tempfile.TemporaryDirectory() as folder:
        session = maker.session(model, Path(folder) / "trace")
        maker.forward(session)(images)
        if maker.provider.kind == "cuda":
            torch.cuda.synchronize(images.device)
        return operand_types(read_nodes(Path(session.end_profiling()).read_text(encoding="utf-8")))


def _on_stream(run: Forward, stream: Any) -> Forward:
    """``run``, whose work lies on a stream of the session's own, as if it lay on the caller's.

    ::

        caller's stream   ... images ready |                         | scores ready ...
        session's stream                    | convolutions, products |

    The caller's may be CUDA's default stream, whose address is 0, and for 0 ONNX Runtime makes a stream of its own.
    Source: cuda_execution_provider_info.cc, ``has_user_compute_stream``.
    """

    def ordered(images: torch.Tensor) -> torch.Tensor:
        callers = torch.cuda.current_stream(images.device)
        given = dense(images)  # a copy, if it takes one, is the caller's work
        stream.wait_stream(callers)
        scores = run(given)
        callers.wait_stream(stream)
        return scores

    return ordered


def _threads() -> int | None:
    """How many threads this process has; None where the system does not say."""
    return sum(1 for _ in _TASKS.iterdir()) if _TASKS.is_dir() else None


def _new_stream(device: str) -> Any:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
