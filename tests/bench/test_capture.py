"""What is read from an export of Nsight Systems: one of our own, and tables written by hand where it needs a GPU.

``tests/bench/captures/training.sqlite`` is ``nsys export`` (2022.4) of ``joulemark nsys "training[cpu-fp32-threads1]"``
with nvtx 0.2.11; tables that are not read, and with them the machine's names and paths, were dropped.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bench import MeasurementError, StorageError
from bench import capture as capture_module
from bench.capture import NoRangesError, read
from bench.records import DeviceWork, Hotspot, RangeTime, SpotKind

STORED = Path(__file__).parent / "captures" / "training.sqlite"
CASE = ("20261122-213000-abcd", "training on cpu", "cpu-fp32-threads1")
#: Process 5, thread 5 and process 6, thread 6, as nsys numbers them.
FIVE, SIX = (5 << 24) + 5, (6 << 24) + 6


def test_the_stored_capture_gives_the_nesting_and_the_counts_it_was_made_with() -> None:
    capture = read(STORED)
    assert (capture.tool, capture.case, capture.profile) == ("2022.4.2.1", "cpu-fp32-threads1", None)
    assert {one.path[0] for one in capture.ranges} == {capture.run}
    assert {one.path[1:3] for one in capture.ranges if len(one.path) > 2} == {CASE[1:]}
    calls = {one.path[3:]: one.calls for one in capture.ranges if len(one.path) > 3}
    for phase in ("build", "first step", "proofs", "round 1", "round 2", "round 3", "phases"):
        assert calls[(phase,)] == 1
    for phase in ("first step", "warm-up", "round 1", "round 2", "round 3", "phases"):
        steps = calls[phase, "step"]
        assert {calls[phase, "step", name] for name in ("data", "forward", "loss", "backward", "optimizer")} == {steps}
    assert calls["phases", "step"] == 10


def test_a_range_is_never_shorter_than_those_in_it() -> None:
    total = {one.path: one.total_s for one in read(STORED).ranges}
    for path, seconds in total.items():
        inner = sum(other for name, other in total.items() if name[:-1] == path)
        assert inner <= seconds * (1 + 1e-9), path


def test_reading_leaves_the_file_as_it_was() -> None:
    before = STORED.read_bytes()
    read(STORED)
    assert STORED.read_bytes() == before
    assert sorted(file.name for file in STORED.parent.iterdir()) == [STORED.name]


def _write(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.executescript(statement)
        database.commit()
    return path


def _names(*names: str) -> str:
    rows = ", ".join(f"({number}, '{name}')" for number, name in enumerate(names, 1))
    return f"CREATE TABLE StringIds (id INTEGER, value TEXT); INSERT INTO StringIds VALUES {rows};"  # noqa: S608  the test's own words


def _ranges(*rows: tuple[object, ...]) -> str:
    """Rows of start, end, type, text, textId, thread, domain."""
    columns = (
        "start INTEGER, end INTEGER, eventType INTEGER, text TEXT, textId INTEGER, globalTid INTEGER, domainId INTEGER"
    )
    values = ", ".join(f"({', '.join('NULL' if v is None else repr(v) for v in row)})" for row in rows)
    return f"CREATE TABLE NVTX_EVENTS ({columns}); INSERT INTO NVTX_EVENTS VALUES {values};"  # noqa: S608  the test's own words


DOMAIN = (0, None, 75, "joulemark", None, FIVE, 1)


def test_ranges_of_other_domains_and_of_the_same_number_in_another_process_are_not_ours(tmp_path: Path) -> None:
    rows = [
        DOMAIN,
        (0, None, 75, "theirs", None, SIX, 1),
        (0, 90, 59, "run", None, FIVE, 1),
        (10, 20, 59, None, 1, FIVE, 1),
        (10, 20, 59, "own", None, FIVE, 2),
        (10, 20, 59, "own", None, SIX, 1),
        (30, None, 59, "never ended", None, FIVE, 1),
        (40, 50, 60, "start and end", None, FIVE, 1),
    ]
    capture = read(_write(tmp_path / "a.sqlite", _names("inner"), _ranges(*rows)))
    assert capture.ranges == (
        RangeTime(("run",), 1, 90e-9, 90e-9, 90e-9, 90e-9),
        RangeTime(("run", "inner"), 1, pytest.approx(10e-9), *(pytest.approx(10e-9),) * 3),
    )


def test_a_domain_without_ranges_is_a_pair_of_versions_that_do_not_get_on(tmp_path: Path) -> None:
    with pytest.raises(NoRangesError, match=r"nvtx==0\.2\.11"):
        read(_write(tmp_path / "a.sqlite", _names("x"), _ranges(DOMAIN)))


def test_a_capture_of_something_else_says_what_to_trace(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="spawned workers"):
        read(_write(tmp_path / "a.sqlite", _names("x"), _ranges((0, None, 75, "theirs", None, FIVE, 1))))


GPU = f"""
CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start, end, correlationId, globalPid, shortName);
INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES
    (150, 250, 1, {5 << 24}, 1), (300, 350, 2, {5 << 24}, 2), (400, 600, 3, {5 << 24}, 1), (950, 990, 4, {5 << 24}, 2);
CREATE TABLE CUPTI_ACTIVITY_KIND_MEMCPY (start, end, copyKind);
INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY VALUES (110, 130, 1), (0, 50, 1);
CREATE TABLE CUPTI_ACTIVITY_KIND_RUNTIME (start, end, correlationId, globalTid);
INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES
    (100, 120, 1, {FIVE}), (130, 140, 2, {FIVE}), (150, 200, 3, {FIVE}), (5, 6, 1, {SIX});
"""  # noqa: S608  the test's own words


def test_on_a_gpu_the_work_within_the_rounds_is_told(tmp_path: Path) -> None:
    outer = [(0, 1000, 59, name, None, FIVE, 1) for name in ("r", "training on cuda:0", "cuda0-fp32")]
    outer = [(start + n, end - n, *rest) for n, (start, end, *rest) in enumerate(outer)]
    rows = [DOMAIN, *outer, (100, 500, 59, "round 1", None, FIVE, 1), (101, 300, 59, "step", None, FIVE, 1)]
    capture = read(_write(tmp_path / "a.sqlite", _names("gemm", "relu"), _ranges(*rows), GPU))
    profile = capture.profile
    assert profile is not None
    assert (profile.steps, profile.source) == (1, "nsys (unknown)")
    assert profile.window_s == pytest.approx(400e-9)
    assert profile.device == DeviceWork(
        pytest.approx(400e-9), pytest.approx(270e-9), 3, pytest.approx(50e-9), pytest.approx(160e-9)
    )
    assert profile.hotspots == (
        Hotspot(SpotKind.KERNEL, "gemm", 2, pytest.approx(300e-9)),
        Hotspot(SpotKind.KERNEL, "relu", 1, pytest.approx(50e-9)),
        Hotspot(SpotKind.COPY, "copy, host to device", 1, pytest.approx(20e-9)),
    )


_ROUND = [
    DOMAIN,
    *((n, 1000 - n, 59, name, None, FIVE, 1) for n, name in enumerate(("r", "training on cuda:0", "cuda0-fp32"))),
    (100, 500, 59, "round 1", None, FIVE, 1),
]


def test_a_graph_traced_as_a_whole_is_work_and_no_idleness(tmp_path: Path) -> None:
    graphs = f"""
CREATE TABLE CUPTI_ACTIVITY_KIND_GRAPH_TRACE (start, end, deviceId, correlationId, globalPid, graphId);
INSERT INTO CUPTI_ACTIVITY_KIND_GRAPH_TRACE VALUES (200, 480, 0, 2, {5 << 24}, 1);
CREATE TABLE CUPTI_ACTIVITY_KIND_MEMCPY (start, end, copyKind);
INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY VALUES (110, 130, 8);
"""  # noqa: S608  the test's own words
    profile = read(_write(tmp_path / "a.sqlite", _names("unused"), _ranges(*_ROUND), graphs)).profile
    assert profile is not None
    assert profile.device is not None
    assert profile.device.busy_s == pytest.approx(300e-9)
    assert profile.hotspots[0].name == "a CUDA graph as a whole"


def test_of_a_graph_traced_by_its_nodes_only_the_first_was_launched(tmp_path: Path) -> None:
    nodes = f"""
CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start, end, correlationId, globalPid, shortName);
INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES
    (300, 400, 1, {5 << 24}, 1), (200, 300, 1, {5 << 24}, 1), (400, 490, 1, {5 << 24}, 1);
CREATE TABLE CUPTI_ACTIVITY_KIND_RUNTIME (start, end, correlationId, globalTid);
INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES (150, 190, 1, {FIVE});
"""  # noqa: S608  the test's own words
    profile = read(_write(tmp_path / "a.sqlite", _names("gemm"), _ranges(*_ROUND), nodes)).profile
    assert profile is not None
    assert profile.device is not None
    assert profile.device.launch_median_s == pytest.approx(10e-9)


def test_more_entries_than_are_read_are_no_idleness_but_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _write(tmp_path / "a.sqlite", _names("gemm", "relu"), _ranges(*_ROUND), GPU)
    monkeypatch.setattr(capture_module, "_MOST_ROWS", len(_ROUND))
    read(path)
    monkeypatch.setattr(capture_module, "_MOST_ROWS", 3)
    with pytest.raises(MeasurementError, match="capture fewer rounds"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_no_export_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.sqlite"
    path.write_bytes(content)
    with pytest.raises(StorageError, match="nsys export"):
        read(path)


def test_a_file_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="check the path"):
        read(tmp_path / "none.sqlite")
    assert list(tmp_path.iterdir()) == []
