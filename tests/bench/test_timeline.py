from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.timeline import Stretch, device_work, merged, work_within
from bench.analysis.trace import KEPT, read_trace
from bench.records import DeviceWork, Hotspot, SpotKind


def test_stretches_that_overlap_or_touch_are_one() -> None:
    assert merged([(5, 6), (0, 2), (1, 3), (3, 4)]) == [(0, 4), (5, 6)]


def test_work_on_two_streams_counts_once_and_gaps_lie_between() -> None:
    work = device_work([Stretch(0.0, 2.0), Stretch(1.0, 3.0), Stretch(4.0, 5.0), Stretch(8.0, 9.0)], 10.0)
    assert work == DeviceWork(10.0, 5.0, 2, 2.0)


def test_a_window_shorter_than_the_work_in_it_is_that_of_the_work() -> None:
    work = device_work([Stretch(0.0, 2.0)], 1.0)
    assert work is not None
    assert work.window_s == 2.0


def test_a_launch_is_from_when_it_returned_to_when_its_kernel_began() -> None:
    work = device_work([Stretch(1.0, 2.0, 0.9), Stretch(3.0, 4.0, 2.5), Stretch(5.0, 6.0)], 6.0)
    assert work is not None
    assert work.launch_median_s == pytest.approx(0.3)


def test_no_work_is_none() -> None:
    assert device_work([], 1.0) is None
    assert work_within([Stretch(0.0, 1.0)], []) is None


def test_what_lies_outside_the_windows_counts_neither_as_work_nor_as_a_gap() -> None:
    stretches = [Stretch(0.0, 1.0), Stretch(2.0, 3.0), Stretch(4.0, 4.5), Stretch(9.5, 12.0)]
    work = work_within(stretches, [(2.0, 5.0), (9.0, 10.0)])
    assert work == DeviceWork(4.0, pytest.approx(2.0), 1, pytest.approx(1.0))


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.001, 10))))
def test_busy_time_is_never_more_than_the_window(starts: list[tuple[float, float]]) -> None:
    work = device_work([Stretch(start, start + length) for start, length in starts], 1.0)
    assert work is None or 0 <= work.busy_s <= work.window_s * (1 + 1e-9)


def _op(name: str, ts: float, dur: float, tid: int = 1) -> dict[str, object]:
    return {"ph": "X", "cat": "cpu_op", "name": name, "ts": ts, "dur": dur, "pid": 9, "tid": tid}


def test_an_operators_own_time_is_without_that_of_those_it_called() -> None:
    events = [
        _op("aten::conv2d", 0, 100),
        _op("aten::convolution", 10, 80),
        _op("aten::mkldnn", 20, 60),
        _op("aten::relu", 100, 10),
        _op("aten::relu", 5, 7, tid=2),
        {"ph": "X", "cat": "user_annotation", "name": "step", "ts": 0, "dur": 500},
        {"ph": "i", "cat": "cpu_op", "name": "mark", "ts": 0},
    ]
    told = read_trace(events, 1.0)
    assert {(spot.name, spot.calls, round(spot.self_s * 1e6)) for spot in told.hotspots} == {
        ("aten::mkldnn", 1, 60),
        ("aten::conv2d", 1, 20),
        ("aten::convolution", 1, 20),
        ("aten::relu", 2, 17),
    }
    assert told.hotspots[0].name == "aten::mkldnn"
    assert told.device is None


def test_what_is_not_kept_is_kept_as_one_figure() -> None:
    told = read_trace([_op(f"op{n}", 10 * n, 5) for n in range(KEPT + 3)], 1.0)
    assert len(told.hotspots) == KEPT
    assert told.left_out_s == pytest.approx(3 * 5e-6)


def test_kernels_copies_and_launches_of_cuda_are_told_apart() -> None:
    events = [
        _op("aten::mm", 0, 10),
        {"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "ts": 2, "dur": 3, "args": {"correlation": 7}},
        {"ph": "X", "cat": "kernel", "name": "gemm", "ts": 15, "dur": 20, "args": {"correlation": 7}},
        {"ph": "X", "cat": "gpu_memcpy", "name": "Memcpy HtoD", "ts": 45, "dur": 5, "args": {"correlation": 8}},
    ]
    told = read_trace(events, 100e-6)
    assert told.hotspots[1:] == (
        Hotspot(SpotKind.KERNEL, "gemm", 1, pytest.approx(20e-6)),
        Hotspot(SpotKind.COPY, "Memcpy HtoD", 1, pytest.approx(5e-6)),
    )
    assert told.device == DeviceWork(100e-6, pytest.approx(25e-6), 1, pytest.approx(10e-6), pytest.approx(10e-6))
