"""What measuring costs, measured of workers that are scripted."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import Plan, UnavailableError
from bench.overheads import clock_costs, measure_overheads
from bench.workers.fakes import Scene, Script
from bench.workers.messages import Block, Build, Built, Finish, Finished, Prepare, Prepared, Sealed


class _Clock:
    """Moves by a known length at each reading, and by what others add."""

    def __init__(self, call_s: float = 0.0) -> None:
        self.now_s = 5.0
        self._call_s = call_s

    def __call__(self) -> float:
        self.now_s += self._call_s
        return self.now_s


class _Worker:
    """Takes 50 us to answer, 300 us to wake and 100 us to freeze; its samples say 2 us, one of them 1 s."""

    can_freeze = True
    pid = None

    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self.asked: list[str] = []

    def ask(self, request, answer, limit_s):
        self.asked.append(type(request).__name__)
        self._clock.now_s += 50e-6
        match request:
            case Build():
                return Built(0.0, 0.0, 0.0, 1, [], [], True)
            case Block():
                assert request.steps > 1  # single steps are timed without events
                host_s, device_s = 2e-6 * request.steps, 1e-6 * request.steps
                return Sealed([(0.0, host_s, device_s)] * (request.samples - 1) + [(0.0, 1.0, 1.0)])
            case Prepare():
                return Prepared()
            case Finish():
                return Finished(None)

    def freeze(self):
        self.asked.append("freeze")
        self._clock.now_s += 100e-6

    def thaw(self):
        self.asked.append("thaw")
        self._clock.now_s += 300e-6


class _Crew:
    def __init__(self, worker):
        self.workers = [worker]
        self.closed = False

    def close(self):
        self.closed = True


def test_the_clocks_own_cost_is_the_time_between_readings() -> None:
    call_s, tick_s = clock_costs(_Clock(40e-9), 1000)
    assert call_s == pytest.approx(40e-9, rel=1e-3)
    assert tick_s == pytest.approx(40e-9, rel=1e-3)


def test_a_coarse_clock_shows_its_tick_and_one_that_stands_still_none() -> None:
    readings = iter([0.0, 0.0, 0.0, 1e-6, 1e-6, 3e-6])
    assert clock_costs(lambda: next(readings), 6) == (pytest.approx(0.6e-6), pytest.approx(1e-6))
    assert clock_costs(lambda: 1.0, 6) == (0.0, None)


def test_a_switch_is_what_waking_and_freezing_add_to_a_question() -> None:
    clock = _Clock()
    worker = _Worker(clock)
    crew = _Crew(worker)
    found = measure_overheads(1, ["cpu"], Plan(), hire=lambda count, start: crew, clock=clock)
    assert found.round_trip_s == pytest.approx(50e-6)
    assert found.switch_s == pytest.approx(400e-6)
    assert [(empty.device, empty.host_s, empty.device_s) for empty in found.empty] == [("cpu", 2e-6, 1e-6)]
    assert worker.asked[:2] == ["Build", "Block"]
    assert worker.asked[-1] == "Finish"
    assert worker.asked.count("thaw") == worker.asked.count("freeze")
    assert crew.closed


def test_each_device_is_asked_once_and_one_that_is_not_there_is_left_out() -> None:
    scene = Scene({"cuda0-fp32": Script(fails={"build": UnavailableError("no CUDA", "get one")})})
    found = measure_overheads(1, ["cpu", "cuda:0", "cpu"], Plan(), hire=scene.hire, clock=scene.clock)
    assert [empty.device for empty in found.empty] == ["cpu"]
    assert scene.events("crew") == ["hire 1 by fork_server", "close"] * 2


def test_without_processes_there_is_no_switch_and_a_sample_of_nothing_is_short() -> None:
    found = measure_overheads(1, ["cpu"], Plan(start="in_process"))
    assert found.switch_s is found.round_trip_s is None
    assert 0 < found.clock_call_s < 1e-5
    assert 0 < found.empty[0].host_s < 1e-3
    assert found.empty[0].device_s is None


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    measure_overheads(1, ["cpu"], Plan(start="in_process"))
    assert list(tmp_path.iterdir()) == []
