"""A look into the step, beside all measuring: its phases by a clock, its operators by PyTorch's profiler.

::

    wave    build | warm-up | rounds ... | energy | inspect, dismiss [ A ] | [ B ] | [ C ]
    inspect           peak memory is read | steps, phase by phase | a few steps under the profiler (first wave)

The worker ends after it, so that no profiler's traces are left in a process that is still to be measured.
"""

from __future__ import annotations

import gzip
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.analysis.trace import read_trace
from bench.errors import UnavailableError
from bench.instruments.phases import CudaMarks, HostMarks, Marks, PhaseTimer
from bench.instruments.spans import STEP, Together, Tracer
from bench.records import Case, PhaseBlock, Plan, Profile
from bench.storage import write_whole
from bench.workers.messages import Inspect

#: The steps that count come after this mark; the GPU rests for so long after it.
_MARK, _APART_S = "joulemark: the steps", 0.05
#: A phase pass lasts about so long, within these numbers of steps.
_PHASES_S = 0.5
_LEAST_STEPS, _MOST_STEPS = 10, 100
_PROFILE_STEPS = 5
_FOLDER = "traces"

Run = Callable[[], object]


def request(case: Case, plan: Plan, wave: int, step_s: float, folder: Path | None) -> Inspect | None:
    """What to look for in this wave; None where nothing was asked for. ``folder`` is the run's own, for traces."""
    profile = plan.profile and wave == 0
    if not (plan.phases or profile):
        return None
    steps = min(_MOST_STEPS, max(_LEAST_STEPS, math.ceil(_PHASES_S / step_s))) if plan.phases else 0
    trace = None if folder is None or not profile else str(folder.absolute() / trace_name(case))
    return Inspect(wave, steps, _PROFILE_STEPS if profile else 0, trace)


def trace_name(case: Case) -> str:
    """The trace's file, relative to the run's folder."""
    name = "".join(character if character.isalnum() or character in "-_." else "-" for character in case.name)
    return f"{_FOLDER}/{name.strip('-')}.json.gz"


def choose_marks(device: str) -> Marks:
    """CUDA events for a CUDA device, the host's clock for any other."""
    if not device.startswith("cuda"):
        return HostMarks()
    import torch

    return CudaMarks(torch, device)


def time_phases(run: Run, asked: Inspect, marks: Marks, tracer: Tracer | None = None) -> PhaseBlock | None:
    """The phases of so many steps; ``tracer`` is told of the spans as well. None where none were asked for."""
    if not asked.phase_steps:
        return None
    timer = PhaseTimer(marks)
    step, listening = (run, timer) if tracer is None else (_shown(run, tracer), Together([tracer, timer]))
    run()  # the first step after a pause is slow
    rows = [timer.time(step, listening) for _ in range(asked.phase_steps)]
    names = tuple(dict.fromkeys(name for _, phases in rows for name in phases))
    steps = tuple((step_s, *(phases.get(name, 0.0) for name in names)) for step_s, phases in rows)
    return PhaseBlock(asked.wave, marks.clock, names, steps)


def _shown(run: Run, tracer: Tracer) -> Run:
    def stepped() -> object:
        with tracer.span(STEP):
            return run()

    return stepped


def profile_steps(run: Run, asked: Inspect, device: str) -> Profile:
    """What PyTorch's profiler saw of a few steps; its trace is written where the request says.

    Raises:
        UnavailableError: another profiler holds the device.
    """
    import torch

    try:
        _recorded(run, 1, device)  # the first use of the profiler loads what it needs, in the middle of a step
        profiler, window_s = _recorded(run, asked.profile_steps, device)
    except RuntimeError as error:
        reason = f"PyTorch's profiler could not record ({error})"
        raise UnavailableError(reason, "end the other profiler; two cannot record one device") from error
    text = _exported(profiler)
    told = read_trace(_events(json.loads(text)), window_s)
    name = None
    if asked.trace is not None:
        write_whole(Path(asked.trace), gzip.compress(text.encode(), mtime=0))
        name = "/".join(Path(asked.trace).parts[-2:])
    source, steps = f"torch {torch.__version__}", asked.profile_steps
    return Profile(source, steps, window_s, told.hotspots, told.left_out_s, told.device, name)


def _recorded(run: Run, steps: int, device: str) -> tuple[Any, float]:
    """The profiler after so many steps, and how long they took until all was done.

    On CUDA another step comes first, since the profiler may lose the kernels at the start of a session
    (pytorch/pytorch issue 192021); what happened before the mark is not counted.
    """
    import torch
    from torch.profiler import ProfilerActivity, profile, record_function

    on_cuda = device.startswith("cuda")
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_cuda else [])]
    with profile(activities=activities) as profiler:
        if on_cuda:
            run()
            torch.cuda.synchronize(device)
        with record_function(_MARK):
            pass
        if on_cuda:
            time.sleep(_APART_S)
        start_s = time.perf_counter()
        for _ in range(steps):
            run()
        if on_cuda:
            torch.cuda.synchronize(device)
        window_s = time.perf_counter() - start_s
    return profiler, window_s


def _exported(profiler: Any) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        return path.read_text(encoding="utf-8")


def _events(trace: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """The events after the mark, and what has no time."""
    events: Sequence[Mapping[str, Any]] = trace["traceEvents"]
    begin = max((float(event["ts"]) for event in events if event.get("name") == _MARK), default=-math.inf)
    return [event for event in events if event.get("ph") != "X" or float(event["ts"]) > begin]
