"""A run as TensorBoard shows it: a folder for each case, its axes as hyperparameters, its figures as scalars.

A figure is one point at step 0. The rate of each wave is a curve of its own, so that a drift shows.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench.analysis import Row, summarise
from bench.analysis.estimates import wave_seconds
from bench.errors import StorageError, UnavailableError
from bench.records import Run
from reports.standing import Standing, standing
from reports.tables import energy_per_item
from reports.text import one_line

_FIX = "pip install 'joulemark[tensorboard]'"


def write(run: Run, folder: Path) -> None:
    """Write event files below a folder.

    Raises:
        UnavailableError: TensorBoard is not installed.
        StorageError: the folder cannot be written.
    """
    proto = _library()
    cases = [(group, row) for group in summarise(run) for row in group.rows]
    for number, (group, row) in enumerate(cases):  # the number tells apart what reads the same when it is cut
        name = _safe(f"{group.workload.name}-{row.trial.case.variant.id}")
        place = folder / f"{_safe(run.id)}-{number:03}-{name}"
        try:
            events = proto.writer(str(place))
        except OSError as error:
            msg = f"{place} cannot be written ({error.strerror or error}); choose another folder"
            raise StorageError(msg) from error
        wall_s = _moment(run.started)
        points = [
            *_session(proto, _parameters(run, row), row, wall_s, run.duration_s or 0.0),
            *(
                (step, proto.summary.Summary.Value(tag=tag, simple_value=value))
                for tag, step, value in _scalars(row, group.workload.items)
            ),
        ]
        for step, point in points:
            message = proto.summary.Summary(value=[point])
            events.add_event(proto.event.Event(wall_time=wall_s, step=step, summary=message))
        events.close()


class _Library(NamedTuple):
    """The parts of TensorBoard that write, none of which needs TensorFlow."""

    event: Any
    summary: Any
    tensor: Any
    plugin: Any
    status: Any
    writer: Any


def _library() -> _Library:
    try:
        from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2
        from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError as error:
        reason = f"TensorBoard cannot be imported ({one_line(error)})"
        raise UnavailableError(reason, _FIX) from error
    return _Library(event_pb2, summary_pb2, tensor_pb2, plugin_data_pb2, api_pb2, EventFileWriter)


def _session(
    proto: _Library, parameters: dict[str, str | float | bool], row: Row, start_s: float, duration_s: float
) -> Iterator[tuple[int, Any]]:
    """What the hparams plugin looks for: the parameters of a session, and how it ended.

    Source: tensorboard/plugins/hparams/plugin_data.proto.
    """
    began = proto.plugin.SessionStartInfo(start_time_secs=start_s)
    for name, value in parameters.items():
        kind = "bool_value" if isinstance(value, bool) else "string_value" if isinstance(value, str) else "number_value"
        setattr(began.hparams[name], kind, value)
    sound = standing(row) not in (Standing.FAILED, Standing.STRUCK)
    status = proto.status.STATUS_SUCCESS if sound else proto.status.STATUS_FAILURE
    ended = proto.plugin.SessionEndInfo(status=status, end_time_secs=start_s + duration_s)
    for tag, content in (("session_start_info", began), ("session_end_info", ended)):
        data = proto.plugin.HParamsPluginData(version=0, **{tag: content}).SerializeToString()
        metadata = proto.summary.SummaryMetadata(
            plugin_data=proto.summary.SummaryMetadata.PluginData(plugin_name="hparams", content=data)
        )
        nothing = proto.tensor.TensorProto(dtype=1)  # a tensor must be there; nobody reads it
        yield 0, proto.summary.Summary.Value(tag=f"_hparams_/{tag}", metadata=metadata, tensor=nothing)


def _parameters(run: Run, row: Row) -> dict[str, str | float | bool]:
    axes = {name: value if isinstance(value, (bool, str)) else float(value) for name, value in row.trial.case.variant}
    return {**axes, "workload": one_line(row.trial.case.workload.name), "machine": one_line(run.environment.cpu or "")}


def _scalars(row: Row, items: str) -> Iterator[tuple[str, int, float]]:
    """Tag, step and value; SI units, in the tag."""
    energy = energy_per_item(row)
    figures = {
        f"throughput ({one_line(items)} per s)": row.throughput,
        "time per step (s)": row.time_per_step,
        "set-up cold (s)": row.set_up_cold,
        "set-up warm (s)": row.set_up_warm,
        "peak memory (B)": row.peak_memory,
        "energy per item (J)": None if energy is None or energy.estimated else energy,
    }
    for tag, estimate in figures.items():
        if estimate is not None:
            yield tag, 0, estimate.value
    if row.comparison is not None and standing(row) not in (Standing.FAILED, Standing.STRUCK, Standing.UNJUDGED):
        yield "speed-up", 0, row.comparison.speedup
    for wave, item_s in sorted(wave_seconds(row.trial).items()):
        yield f"throughput by wave ({one_line(items)} per s)", wave, 1 / item_s


def _moment(started: str) -> float:
    """Seconds since 1970; 0 for what is no date."""
    try:
        return datetime.datetime.fromisoformat(started).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _safe(name: str) -> str:
    """A name that is one folder on any system."""
    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "_" for letter in name)
    return kept.strip(".")[:80] or "unnamed"
