"""What a stopwatch does, in which order, without a GPU: CUDA is a recorder of calls."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from bench.instruments.stopwatch import CudaStopwatch, HostStopwatch


class RecordedCuda:
    """Stands in for torch.cuda: keeps the order of calls; its events are 30 ms apart."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def synchronize(self, device: Any) -> None:
        self.calls.append(f"synchronize {device}")

    def Event(self, *, enable_timing: bool) -> Any:  # noqa: N802 - the name is torch's
        assert enable_timing
        return SimpleNamespace(record=lambda: self.calls.append("event"), elapsed_time=lambda other: 30.0)


def test_the_host_stopwatch_reads_the_clock_once_before_and_once_after_all_steps() -> None:
    ticks = itertools.count(10.0, 0.5)
    calls: list[str] = []
    reading = HostStopwatch(clock=lambda: next(ticks)).time(lambda: calls.append("step"), 3)
    assert reading == (10.0, 0.5, None)
    assert calls == ["step"] * 3


def test_the_cuda_stopwatch_synchronises_before_the_clock_starts_and_before_it_stops() -> None:
    cuda = RecordedCuda()
    torch = SimpleNamespace(cuda=cuda, device=str)
    ticks = itertools.count(0.0, 0.04)

    def clock() -> float:
        cuda.calls.append("clock")
        return next(ticks)

    reading = CudaStopwatch(torch, "cuda:0", clock).time(lambda: cuda.calls.append("step"), 2)
    assert cuda.calls == [
        "synchronize cuda:0",
        "clock",
        "event",
        "step",
        "step",
        "event",
        "synchronize cuda:0",
        "clock",
    ]
    assert reading == (0.0, pytest.approx(0.04), pytest.approx(0.03))


def test_a_single_step_on_cuda_pays_for_no_events() -> None:
    cuda = RecordedCuda()
    ticks = iter([1.0, 1.5])
    watch = CudaStopwatch(SimpleNamespace(cuda=cuda, device=str), "cuda:0", lambda: next(ticks))
    assert watch.time(lambda: cuda.calls.append("step"), 1) == (1.0, 0.5, None)
    assert cuda.calls == ["synchronize cuda:0", "step", "synchronize cuda:0"]


@pytest.mark.gpu
def test_the_time_between_events_is_within_the_time_on_the_wall() -> None:
    torch = pytest.importorskip("torch")
    matrix = torch.randn(2048, 2048, device="cuda:0")
    reading = CudaStopwatch(torch, "cuda:0").time(lambda: matrix @ matrix, 20)
    assert reading.device_s is not None
    assert 0 < reading.device_s <= reading.host_s
