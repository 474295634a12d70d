"""Where the time of a step goes, as it was seen beside the measuring; no statistic of samples is made of it."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from bench.errors import MeasurementError

#: The phases of a step that have a name of their own, in the order in which a step goes through them.
PHASES = ("data", "host-to-device", "forward", "loss", "backward", "optimizer")

#: No honest stretch of a few steps is as long, in seconds.
_MOST_S = 1e6
_MOST_CALLS = 2**53


def _sane(values: Iterable[float], most: float) -> bool:
    return all(0 <= value < most for value in values)


@dataclass(frozen=True)
class PhaseBlock:
    """The phases of consecutive steps of one worker, step by step.

    ``steps`` has a row for each step: the whole step first, then its phases in the order of ``names``; in seconds.
    """

    wave: int
    clock: str  # "host", or "device": between CUDA events
    names: tuple[str, ...]
    steps: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        for row in self.steps:
            if len(row) != 1 + len(self.names) or not all(0 <= value < _MOST_S for value in row):
                msg = f"a row of the phases {', '.join(self.names)} is {row}; that is no evidence"
                raise MeasurementError(msg)


class SpotKind(enum.Enum):
    """What spent the time."""

    OPERATOR = "operator"  # on the host; its own time, without that of operators it called
    KERNEL = "kernel"  # on the device
    COPY = "copy"  # to, from or on the device


class Hotspot(NamedTuple):
    """One operator, kernel or kind of copy, all its calls together."""

    kind: SpotKind
    name: str
    calls: int
    self_s: float


@dataclass(frozen=True)
class DeviceWork:
    """What one device did in a window of time: a kernel after the other, and the gaps between them."""

    window_s: float
    busy_s: float  # at least one kernel or copy was running
    gaps: int  # stretches between two kernels in which none ran
    gap_median_s: float | None
    launch_median_s: float | None = None  # from the end of the host's launch to the kernel's start; queues add to it


@dataclass(frozen=True)
class Profile:
    """What a profiler saw of a few steps of one case."""

    source: str  # "torch 2.15.0" or "nsys 2022.4.2"
    steps: int
    window_s: float  # of the host's clock, from before the first step until all was done
    hotspots: tuple[Hotspot, ...]
    left_out_s: float = 0.0  # host time of the operators that are not among the hotspots
    device: DeviceWork | None = None  # None on a CPU
    trace: str | None = None  # file beside the run, for Perfetto or Nsight Systems

    def __post_init__(self) -> None:
        lengths = [self.window_s, self.left_out_s, *(spot.self_s for spot in self.hotspots)]
        counts = [self.steps - 1, *(spot.calls for spot in self.hotspots)]
        if (work := self.device) is not None:
            medians = (abs(one) for one in (work.gap_median_s, work.launch_median_s) if one is not None)
            lengths += [work.window_s, work.busy_s, *medians]
            counts.append(work.gaps)
        if not _sane(lengths, _MOST_S) or not _sane(counts, _MOST_CALLS):
            msg = "a profile has times or counts that cannot be; that is no evidence"
            raise MeasurementError(msg)


class RangeTime(NamedTuple):
    """A range of a capture, all its calls under one parent together; ``path`` names it from the outermost in."""

    path: tuple[str, ...]
    calls: int
    total_s: float
    median_s: float
    least_s: float
    most_s: float


@dataclass(frozen=True)
class Capture:
    """What was read from one capture of Nsight Systems."""

    file: str
    tool: str | None  # the version that wrote it
    run: str | None  # the run that its ranges name
    case: str | None  # the case, where it is a single one
    ranges: tuple[RangeTime, ...]
    profile: Profile | None = None  # of the device, within the rounds; None where it holds no work of one
