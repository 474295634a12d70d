"""What a capture of Nsight Systems says, read from its SQLite export: ranges, kernels, copies, the device's gaps.

::

    NVTX_EVENTS      push/pop ranges (59) of the domain that a creation event (75) calls joulemark; text or textId
    StringIds        names
    CUPTI_ACTIVITY_KIND_KERNEL, _MEMCPY, _MEMSET     the device's work, where CUDA was traced
    CUPTI_ACTIVITY_KIND_RUNTIME                      the host's calls; a launch and its kernel share correlationId

The file is somebody else's: it is opened for reading only, and so many rows are read and no more.

Source: NVIDIA, Nsight Systems, SQLite schema reference. Times in nanoseconds of one clock; of a globalTid the lowest
24 bits are the thread, those above it the process.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from bench.analysis.statistics import median
from bench.analysis.timeline import Stretch, within, work_within
from bench.errors import MeasurementError, StorageError
from bench.instruments.nvtx import DOMAIN
from bench.instruments.spans import STEP
from bench.records import Capture, Hotspot, Profile, RangeTime, SpotKind

MAX_BYTES = 8 * 2**30
_MOST_ROWS = 5_000_000
_KEPT = 40
#: CUPTI_ACTIVITY_MEMCPY_KIND; Source: CUPTI, Activity API.
_COPIES = {1: "host to device", 2: "device to host", 8: "device to device", 10: "peer to peer"}
_RANGES = "SELECT start, end, globalTid, domainId, text, textId FROM NVTX_EVENTS WHERE eventType = 59 AND end NOT NULL"
_DOMAINS = "SELECT DISTINCT globalTid, domainId, text FROM NVTX_EVENTS WHERE eventType = 75"
_KERNELS = "SELECT start, end, correlationId, globalPid, shortName FROM CUPTI_ACTIVITY_KIND_KERNEL"
#: CUDA graphs that were traced as a whole, as nsys does by default: what runs in them is not in the table of kernels.
_GRAPH_COLUMNS = ("start", "end", "correlationId", "globalPid")
_GRAPHS = "SELECT start, end, correlationId, globalPid FROM CUPTI_ACTIVITY_KIND_GRAPH_TRACE"
_LAUNCHES = (
    "SELECT r.end, r.correlationId, r.globalTid FROM CUPTI_ACTIVITY_KIND_RUNTIME r "
    "WHERE r.correlationId IN (SELECT correlationId FROM CUPTI_ACTIVITY_KIND_KERNEL)"
)
#: Where an export says who wrote it: until 2022, and since.
_VERSIONS = {
    "EXPORT_META_DATA": "SELECT name, value FROM EXPORT_META_DATA",
    "META_DATA_EXPORT": "SELECT name, value FROM META_DATA_EXPORT",
}
#: Which process a globalTid or a globalPid is of.
_PROCESS = 24
#: Levels of the nesting: run, group, case, phase, step.
_CASE, _PHASE = 2, 3


class NoRangesError(MeasurementError):
    """The capture has our domain and none of its ranges: this nsys and this nvtx do not understand each other."""


class _Range(NamedTuple):
    start_s: float
    end_s: float
    path: tuple[str, ...]


class _Work(NamedTuple):
    kind: SpotKind
    name: str
    stretch: Stretch


def read(path: Path, file: str | None = None) -> Capture:
    """What is in an export; ``file`` is the name of the capture that it was made of.

    Raises:
        StorageError: no such file, or one that is no export of Nsight Systems.
        NoRangesError: the profiler was attached, and shows none of our ranges.
        MeasurementError: nothing in it is ours.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            msg = f"{path} is larger than {MAX_BYTES >> 30} GiB; capture fewer rounds, with --trace=nvtx,cuda"
            raise StorageError(msg)
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as database:
            database.execute("PRAGMA query_only = ON")
            database.execute("PRAGMA trusted_schema = OFF")
            return _read(_Export(database), file or path.name)
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror or error}); check the path"
        raise StorageError(msg) from error
    except (sqlite3.Error, TypeError, ValueError, OverflowError) as error:
        said = " ".join(str(error).split())[:200]
        msg = f"{path} is no SQLite export of Nsight Systems ({said}); make one with nsys export --type sqlite"
        raise StorageError(msg) from error


class _Export:
    """The tables of an export; one that is not there is empty."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        self.tables = {str(name) for (name,) in found}

    def rows(self, table: str, query: str) -> Iterator[tuple[Any, ...]]:
        if table in self.tables:
            for number, row in enumerate(self._database.execute(f"{query} LIMIT {_MOST_ROWS + 1}")):
                if number == _MOST_ROWS:
                    msg = f"the capture holds more than {_MOST_ROWS:,} entries of {table}; capture fewer rounds"
                    raise MeasurementError(msg)
                yield row  # where "yield from" would close the cursor, after the database perhaps

    def has(self, table: str, columns: Iterable[str]) -> bool:
        """Whether a table is there with these columns."""
        found = self._database.execute("SELECT name FROM pragma_table_info(?)", (table,))
        return set(columns) <= {str(name) for (name,) in found}

    def names(self) -> dict[int, str]:
        return {int(key): str(value) for key, value in self.rows("StringIds", "SELECT id, value FROM StringIds")}


def _read(export: _Export, file: str) -> Capture:
    if not export.tables & {"NVTX_EVENTS", "StringIds"}:
        msg = "it has none of its tables"
        raise ValueError(msg)
    names = export.names()
    ranges = list(_ranges(export, names))
    if not ranges:
        raise _nothing(export)
    runs = {one.path[0] for one in ranges}
    cases = {one.path[1 : _CASE + 1] for one in ranges if len(one.path) > _CASE}
    version = _version(export)
    return Capture(
        file=file,
        tool=version,
        run=runs.pop() if len(runs) == 1 else None,
        case=cases.pop()[-1] if len(cases) == 1 else None,
        ranges=_summed(ranges),
        profile=_device_profile(export, names, ranges, f"nsys {version or '(unknown)'}", file),
    )


def _version(export: _Export) -> str | None:
    for table, query in _VERSIONS.items():
        facts = dict(export.rows(table, query))
        if "EXPORT_PRODUCT_VERSION" in facts:
            return str(facts["EXPORT_PRODUCT_VERSION"])
    return None


def _ranges(export: _Export, names: dict[int, str]) -> Iterator[_Range]:
    """Our ranges with the names of those around them, thread by thread in the order in which they began."""
    ours = {(tid >> _PROCESS, domain) for tid, domain, text in export.rows("NVTX_EVENTS", _DOMAINS) if text == DOMAIN}
    threads: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    for start, end, tid, domain, text, text_id in export.rows("NVTX_EVENTS", _RANGES):
        if (tid >> _PROCESS, domain) in ours:
            threads[tid].append((start, end, str(names.get(text_id, "?") if text is None else text)))
    for events in threads.values():
        around: list[tuple[int, str]] = []
        for start, end, name in sorted(events, key=lambda event: (event[0], -event[1])):
            while around and around[-1][0] <= start:
                around.pop()
            around.append((end, name))
            yield _Range(start / 1e9, end / 1e9, tuple(each for _, each in around))


def _nothing(export: _Export) -> MeasurementError:
    version = _version(export) or "this version"
    if any(text == DOMAIN for *_, text in export.rows("NVTX_EVENTS", _DOMAINS)):
        return NoRangesError(
            f"Nsight Systems {version} saw the domain {DOMAIN} and none of its ranges: it does not understand this "
            f"nvtx. {PAIRS}"
        )
    return MeasurementError(
        "nothing in this capture is Joulemark's: trace nvtx, and spawned workers (--bench-start=spawn), not forked ones"
    )


#: What was seen to work together; Source: captures made with each.
PAIRS = (
    "Nsight Systems 2022.4 works with nvtx 0.2.11 (pip install nvtx==0.2.11); nvtx 0.2.12 and later need a newer "
    "Nsight Systems"
)


def _summed(ranges: Sequence[_Range]) -> tuple[RangeTime, ...]:
    """One line for each path, in the order in which they first began."""
    times: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for one in sorted(ranges):
        times[one.path].append(one.end_s - one.start_s)
    return tuple(
        RangeTime(path, len(all_s), sum(all_s), median(all_s), min(all_s), max(all_s)) for path, all_s in times.items()
    )


def _device_profile(
    export: _Export, names: dict[int, str], ranges: Sequence[_Range], source: str, file: str
) -> Profile | None:
    """The device's work within the rounds (without those, within all steps); None where there was none."""
    rounds = [one for one in ranges if len(one.path) == _PHASE + 1 and one.path[-1].startswith("round ")]
    windows = [(one.start_s, one.end_s) for one in rounds or ranges if rounds or one.path[-1] == STEP]
    works = list(_works(export, names))
    device = work_within([work.stretch for work in works], windows)
    if device is None:
        return None
    lies_within = within(windows)
    inside = [work for work in works if lies_within(work.stretch.start_s)]
    steps = [one for one in ranges if one.path[-1] == STEP and lies_within(one.start_s)]
    return Profile(source, max(1, len(steps)), device.window_s, _hotspots(inside), 0.0, device, file)


def _works(export: _Export, names: dict[int, str]) -> Iterator[_Work]:
    launched: dict[tuple[int, int], float] = {}
    if "CUPTI_ACTIVITY_KIND_KERNEL" in export.tables:  # which tells the launches from all other calls
        for end, correlation, tid in export.rows("CUPTI_ACTIVITY_KIND_RUNTIME", _LAUNCHES):
            launched[tid >> _PROCESS, correlation] = end / 1e9
    kernels = [*export.rows("CUPTI_ACTIVITY_KIND_KERNEL", _KERNELS)]
    if export.has("CUPTI_ACTIVITY_KIND_GRAPH_TRACE", _GRAPH_COLUMNS):
        kernels += ((*row, None) for row in export.rows("CUPTI_ACTIVITY_KIND_GRAPH_TRACE", _GRAPHS))
    for start, end, correlation, pid, name in sorted(kernels, key=lambda kernel: kernel[0]):
        # Of a graph traced by its nodes only the first is launched; a graph traced as a whole is one stretch of work.
        stretch = Stretch(start / 1e9, end / 1e9, launched.pop((pid >> _PROCESS, correlation), None))
        yield _Work(SpotKind.KERNEL, "a CUDA graph as a whole" if name is None else names.get(name, "?"), stretch)
    copies = "SELECT start, end, copyKind FROM CUPTI_ACTIVITY_KIND_MEMCPY"
    for start, end, kind in export.rows("CUPTI_ACTIVITY_KIND_MEMCPY", copies):
        yield _Work(SpotKind.COPY, f"copy, {_COPIES.get(kind, 'other')}", Stretch(start / 1e9, end / 1e9))
    fills = "SELECT start, end FROM CUPTI_ACTIVITY_KIND_MEMSET"
    for start, end in export.rows("CUPTI_ACTIVITY_KIND_MEMSET", fills):
        yield _Work(SpotKind.COPY, "fill", Stretch(start / 1e9, end / 1e9))


def _hotspots(works: Sequence[_Work]) -> tuple[Hotspot, ...]:
    times: dict[tuple[SpotKind, str], list[float]] = defaultdict(list)
    for work in works:
        times[work.kind, work.name].append(work.stretch.end_s - work.stretch.start_s)
    spots = [Hotspot(kind, name, len(all_s), sum(all_s)) for (kind, name), all_s in times.items()]
    return tuple(sorted(spots, key=lambda spot: -spot.self_s)[:_KEPT])
