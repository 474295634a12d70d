"""What happens inside a worker: import by name, build, run blocks. Knows nothing of processes."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from operator import attrgetter
from pathlib import Path
from typing import Any

from bench.errors import BenchError, MeasurementError, UnavailableError, UsageError
from bench.instruments import nvml
from bench.instruments.nvtx import NvtxTracer, attached_tracer
from bench.instruments.spans import within
from bench.instruments.stopwatch import CudaStopwatch, HostStopwatch, Stopwatch
from bench.records import Variant
from bench.workers import limits, settings
from bench.workers.messages import (
    Block,
    Build,
    Built,
    Examine,
    Examined,
    Finish,
    Finished,
    Inspect,
    Inspected,
    Prepare,
    Prepared,
    Reply,
    Request,
    Sealed,
    Trouble,
)
from bench.workers.step import Step

#: Where compilers keep what they made; in the first wave these folders are empty, so that cold means cold.
CACHE_VARIABLES = ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "CUDA_CACHE_PATH", "JOULEMARK_CASE_CACHE")
_DETAIL_LINES = 12


class CaseRunner:
    """Answers the conductor's requests for one case, in order: build, blocks, finish.

    In a process that is not its own it leaves alone what would bind that process for good: cores and memory.
    """

    def __init__(self, *, own_process: bool = True) -> None:
        self._own_process = own_process
        self._stopwatch: Stopwatch = HostStopwatch()
        self._step: Step | None = None
        self._request: Build | None = None
        self._tracer: NvtxTracer | None = None
        self._run: Callable[[], object] | None = None  # the step, as a range of its own where a profiler is attached
        self._peak_bytes: int | None = None  # read before any inspection

    def answer(self, request: Request) -> Reply:
        """The reply to a request; any exception of the measured code becomes :class:`Trouble`."""
        answers: dict[type[Request], Callable[[Any], Reply]] = {
            Prepare: self._prepare,
            Build: self._build,
            Block: self._block,
            Inspect: self._inspect,
            Examine: self._examine,
            Finish: self._finish,
        }
        try:
            return answers[type(request)](request)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - the user's code may raise anything, SystemExit included
            return _trouble(error)

    def _prepare(self, request: Prepare) -> Prepared:
        find(request.target, request.source)(**request.parameters)
        return Prepared()

    def _build(self, request: Build) -> Built:
        variant, workload = request.case.variant, request.case.workload
        pinned = self._own_process and limits.pin(request.cpus)
        _use_caches(request)
        if self._own_process and variant.device == "cpu":
            limits.bound_memory()
        settings.set_environment(variant)
        build = find(workload.build, request.source)
        settings.apply(variant, request.seed)
        self._stopwatch = choose_stopwatch(variant)
        self._request, self._tracer = request, attached_tracer()
        with self._shown("build"):
            start = time.perf_counter()
            step = build(variant, **dict(workload.parameters))
            build_s = time.perf_counter() - start
        if not isinstance(step, Step):
            msg = f"{workload.build} returned {type(step).__name__}; a builder must return a bench.Step"
            raise UsageError(msg)
        if step.items < 1:
            msg = f"{workload.build} returned a Step of {step.items} items; a step works through at least 1"
            raise UsageError(msg)
        self._step = step
        self._run = step.run if self._tracer is None else within(self._tracer, step.run)
        with self._shown("first step"):
            first = self._stopwatch.time(self._run, 1)
        flags, proofs = settings.read_back(variant)
        if not self._own_process:  # what other cases do in this process would pass for this one's
            with self._shown("proofs"):
                proofs = (*proofs, *step.proofs())
        gc.collect()
        gc.freeze()
        limits.reset_peak_memory()
        return Built(start, build_s, first.host_s, step.items, list(proofs), list(flags), pinned)

    def _block(self, request: Block) -> Sealed:
        run = self._built()
        self._settle()
        stopwatch = self._stopwatch
        with _garbage_kept(), self._shown(request.label):
            self._drop(request, run)
            readings = [stopwatch.time(run, request.steps) for _ in range(request.samples)]
        return Sealed([(reading.start_s, reading.host_s, reading.device_s) for reading in readings])

    def _drop(self, request: Block, run: Callable[[], object]) -> None:
        begin = time.perf_counter()
        for _ in range(request.drop_steps):
            self._stopwatch.time(run, 1)
        while time.perf_counter() - begin < request.drop_s:
            self._stopwatch.time(run, 1)

    def _inspect(self, request: Inspect) -> Inspected:
        from bench import profiling

        if self._step is None or self._request is None:
            msg = "a look into the step was asked for before anything was built"
            raise MeasurementError(msg)
        run, device = self._step.run, self._request.case.variant.device
        self._settle()
        self._keep_peak()
        phases = profile = None
        with _garbage_kept():
            if request.phase_steps:
                with self._shown("phases"):
                    phases = profiling.time_phases(run, request, profiling.choose_marks(device), self._tracer)
            if request.profile_steps:
                profile = profiling.profile_steps(run, request, device)
        return Inspected(phases, profile)

    def _examine(self, request: Examine) -> Examined:
        """Prove the step's label and check what it computes, after all timing.

        A profiler, which proofs ask, stays attached to CUDA for as long as the process lives: launches take longer from
        then on, a replayed graph hardly does (https://github.com/pytorch/pytorch/issues/144455).

        What checks allocate and give back changes how the process gets its memory from then on: glibc raises the size
        from which it asks the kernel for each block anew. A step of AMP in bf16 took 20 ms after such checks, and
        27 ms, with 7,000 page faults, without (docs/experiments.md).
        """
        if self._step is None:
            msg = "checks were asked for before anything was built"
            raise MeasurementError(msg)
        self._settle()
        self._keep_peak()
        begin = time.perf_counter()
        with self._shown("proofs"):
            proofs = [*self._step.proofs()] if self._own_process else []
        proven = time.perf_counter()
        with self._shown("checks"):
            checks = [*self._step.checks(request.thorough)]
        return Examined(proofs, checks, proven - begin, time.perf_counter() - proven)

    def _keep_peak(self) -> None:
        """Remember the peak so far: what is done from now on is none of the step's."""
        if self._peak_bytes is None:
            self._peak_bytes = self._peak_memory_bytes()

    def _settle(self) -> None:
        """Make this case's settings again in a process where another case's may have come in between."""
        if not self._own_process and self._request is not None:
            _use_caches(self._request)
            settings.apply(self._request.case.variant, self._request.seed)

    def _shown(self, phase: str) -> AbstractContextManager[None]:
        """The ranges around what is done now, where a profiler is attached."""
        if self._tracer is None or self._request is None:
            return nullcontext()
        return self._tracer.nested([*self._request.within, *([phase] if phase else [])])

    def _finish(self, request: Finish) -> Finished:
        del request
        self._keep_peak()
        if self._step is not None:
            self._step.close()
        return Finished(self._peak_bytes)

    def _peak_memory_bytes(self) -> int | None:
        """Of the device that is measured: a GPU's own memory, or this process's of the host."""
        device = "cpu" if self._request is None else self._request.case.variant.device
        if device.startswith("cuda"):
            return nvml.process_memory_bytes(device, os.getpid())
        return limits.peak_memory_bytes()

    def _built(self) -> Callable[[], object]:
        if self._run is None:
            msg = "a block was asked for before anything was built"
            raise MeasurementError(msg)
        return self._run


def choose_stopwatch(variant: Variant) -> Stopwatch:
    """The host's stopwatch for a CPU variant, CUDA events for a CUDA one.

    Raises:
        UnavailableError: PyTorch sees no such device.
    """
    if not variant.device.startswith("cuda"):
        return HostStopwatch()
    import torch

    index = int(variant.device.partition(":")[2] or 0)
    if not torch.cuda.is_available() or index >= torch.cuda.device_count():
        reason = f"PyTorch {torch.__version__} sees no device {variant.device}"
        raise UnavailableError(reason, "check the NVIDIA driver with nvidia-smi and that this torch is a CUDA build")
    torch.cuda.set_device(index)
    return CudaStopwatch(torch, variant.device)


def find(name: str, source: str | None) -> Callable[..., Any]:
    """The object behind ``"module:attribute"``; ``source`` is the module's file, for modules not on the path.

    Raises:
        UsageError: there is no such module or attribute.
    """
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if source is None or error.name != module_name.split(".")[0]:
            msg = f"{module_name} cannot be imported in a worker ({error}); put its folder on the import path"
            raise UsageError(msg) from error
        module = _load_file(module_name, source)
    try:
        found: Callable[..., Any] = attrgetter(attribute)(module)
    except AttributeError as error:
        msg = f"{module_name} has no {attribute}; use the name of a module-level function"
        raise UsageError(msg) from error
    return found


def _load_file(module_name: str, source: str) -> Any:
    spec = importlib.util.spec_from_file_location(module_name, source)
    if spec is None or spec.loader is None:
        msg = f"{source} cannot be imported as a module; is it a .py file?"
        raise UsageError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module


def _use_caches(request: Build) -> None:
    if request.caches is not None:
        os.environ.update({name: str(Path(request.caches) / name.lower()) for name in CACHE_VARIABLES})


@contextmanager
def _garbage_kept() -> Iterator[None]:
    """No garbage collection inside a block; what the block left behind is collected after its last sample."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()


def _trouble(error: BaseException) -> Trouble:
    if isinstance(error, UnavailableError):
        return Trouble("unavailable", error.reason, error.fix)
    if isinstance(error, UsageError):
        return Trouble("usage", str(error))
    if isinstance(error, BenchError):
        return Trouble("failure", str(error))
    lines = "".join(traceback.format_exception(error)).strip().splitlines()
    message = " ".join(str(error).split())
    reason = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return Trouble("failure", reason[:500], detail="\n".join(lines[-_DETAIL_LINES:]))
