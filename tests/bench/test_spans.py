"""Spans: free when nobody is told, nested as they are written, timed by whoever listens."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

import bench
from bench.errors import UnavailableError
from bench.instruments.nvtx import NvtxTracer, attached_tracer, profiler
from bench.instruments.phases import CudaMarks, HostMarks, PhaseTimer
from bench.instruments.spans import Together, span, told, within


class Journal:
    """A tracer that writes down what it is told."""

    def __init__(self, log: list[str], mark: str = "") -> None:
        self.log = log
        self.mark = mark

    @contextmanager
    def span(self, name: str):
        self.log.append(f"{self.mark}+{name}")
        yield
        self.log.append(f"{self.mark}-{name}")


def test_a_span_of_which_nobody_is_told_is_always_the_same_object() -> None:
    assert span("forward") is span("backward")
    with span("forward") as nothing:
        assert nothing is None


def test_the_public_name_is_this_span() -> None:
    assert bench.span is span


def test_a_tracer_is_told_only_as_long_as_it_is_asked_for() -> None:
    log: list[str] = []
    with told(Journal(log)), span("forward"):
        pass
    with span("backward"):
        pass
    assert log == ["+forward", "-forward"]


def test_the_tracer_before_is_told_again_also_after_an_exception() -> None:
    outer: list[str] = []
    inner: list[str] = []
    with told(Journal(outer)):
        with pytest.raises(ValueError, match="x"), told(Journal(inner)):
            raise ValueError("x")
        with span("loss"):
            pass
    assert (outer, inner) == (["+loss", "-loss"], [])


def test_a_step_is_a_span_around_its_phases() -> None:
    log: list[str] = []

    def run() -> int:
        with span("forward"):
            return 7

    assert within(Journal(log), run)() == 7
    assert log == ["+step", "+forward", "-forward", "-step"]


def test_several_tracers_are_nested_in_each_other() -> None:
    log: list[str] = []
    with told(Together([Journal(log, "a"), Journal(log, "b")])), span("x"):
        pass
    assert log == ["a+x", "b+x", "b-x", "a-x"]


def _clock(*readings: float):
    return iter(readings).__next__


def test_phases_are_the_time_between_the_ends_of_their_spans() -> None:
    def run() -> None:
        with span("forward"):
            pass
        with span("backward"):
            pass

    timer = PhaseTimer(HostMarks(_clock(0.0, 1.0, 4.0, 5.0, 11.0, 12.0)))
    assert timer.time(run) == (12.0, {"forward": 3.0, "backward": 6.0})


def test_a_span_inside_another_belongs_to_it_and_equal_names_add_up() -> None:
    def run() -> None:
        with span("forward"), span("layer"):
            pass
        with span("forward"):
            pass

    timer = PhaseTimer(HostMarks(_clock(0.0, 1.0, 2.0, 5.0, 6.5, 9.0)))
    assert timer.time(run) == (9.0, {"forward": 2.5})


def test_a_step_that_raises_leaves_the_timer_fit_for_the_next() -> None:
    timer = PhaseTimer(HostMarks(iter(range(100)).__next__))

    def broken() -> None:
        with span("forward"):
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        timer.time(broken)

    def whole() -> None:
        with span("loss"):
            pass

    assert list(timer.time(whole)[1]) == ["loss"]


class FakeCuda:
    """CUDA as far as marks need it: events that hold a scripted time, and a log of what was called."""

    def __init__(self, times_ms: list[float]) -> None:
        self.log: list[str] = []
        times = iter(times_ms)
        log = self.log

        class Event:
            def __init__(self, enable_timing: bool) -> None:
                assert enable_timing

            def record(self) -> None:
                self.at_ms = next(times)
                log.append("event")

            def elapsed_time(self, other: Event) -> float:
                return other.at_ms - self.at_ms

        self.Event = Event

    def synchronize(self, device: object) -> None:
        self.log.append(f"synchronize {device}")


def test_on_cuda_phases_lie_between_events_and_each_step_is_synchronised() -> None:
    cuda = FakeCuda([0.0, 1.0, 5.0, 6.0])
    torch = SimpleNamespace(cuda=cuda, device=lambda name: name)

    def run() -> None:
        with span("forward"):
            cuda.log.append("launch")

    marks = CudaMarks(torch, "cuda:0")
    assert PhaseTimer(marks).time(run) == (pytest.approx(0.006), {"forward": pytest.approx(0.004)})
    assert marks.clock == "device"
    assert cuda.log == ["synchronize cuda:0", "event", "event", "launch", "event", "event", "synchronize cuda:0"]


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, None),
        ({"NVTX_INJECTION64_PATH": ""}, None),
        ({"NVTX_INJECTION64_PATH": "/x/libToolsInjection64.so"}, "a profiler of NVTX ranges"),
        ({"NVTX_INJECTION64_PATH": "/x", "NSYS_PROFILING_SESSION_ID": "9"}, "Nsight Systems"),
    ],
)
def test_a_profiler_is_known_by_what_it_sets(environ: dict[str, str], name: str | None) -> None:
    assert profiler(environ) == name
    assert (attached_tracer(environ) is None) == (name is None)


def test_without_a_profiler_nvtx_is_not_even_imported() -> None:
    code = "import sys; from bench.instruments.nvtx import attached_tracer as a; print(a({}), 'nvtx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "False"]


def test_ranges_can_be_entered_again_and_within_themselves() -> None:
    tracer = NvtxTracer()
    assert tracer.span("step") is tracer.span("step")
    with tracer.nested(["run", "group", "case"]), span("step"), span("step"):
        pass


def test_a_missing_nvtx_is_said_with_the_fix() -> None:
    def load(name: str) -> object:
        raise ImportError(name)

    with pytest.raises(UnavailableError, match="pip install nvtx"):
        NvtxTracer(load)


def test_a_step_may_be_annotated_without_a_profiler() -> None:
    assert bench.annotated(lambda: 5)() == 5
