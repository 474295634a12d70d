"""Where the time of a step goes: phases from the pass that timed them, operators and kernels from a profiler.

Of each wave the steps of the middle half count, so that a stall in one step moves nothing; what they took is averaged,
so that the phases and the rest add up to the step. Over waves follows Student's t, as for all figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from bench.analysis.estimates import Estimate
from bench.analysis.statistics import t_interval
from bench.records import PhaseBlock, Profile, SpotKind, Trial
from bench.records.profile import PHASES

#: What a step does outside of all its phases.
OTHER = "other"
_HOST = (SpotKind.OPERATOR,)
_DEVICE = (SpotKind.KERNEL, SpotKind.COPY)


@dataclass(frozen=True)
class PhaseTime:
    """One phase of a step; ``share`` is its fraction of the step."""

    name: str
    seconds: Estimate
    share: float


@dataclass(frozen=True)
class StepTimes:
    """The step as the phase pass saw it, and its phases in order, the rest last."""

    step: Estimate
    phases: tuple[PhaseTime, ...]
    clock: str


@dataclass(frozen=True)
class Spot:
    """One operator, kernel or kind of copy; ``share`` is of all time of the host's operators, or of the device's."""

    kind: SpotKind
    name: str
    calls: float  # per step
    seconds: float  # per step
    share: float


@dataclass(frozen=True)
class Difference:
    """What one phase or spot takes per step in each of two cases; None where a case does not have it."""

    what: str  # "phase", or the kind of a spot
    name: str
    first_s: float | None
    second_s: float | None

    @property
    def more_s(self) -> float:
        """How much longer it takes in the second."""
        return (self.second_s or 0.0) - (self.first_s or 0.0)


def step_times(trial: Trial, confidence: float) -> StepTimes | None:
    """The phases of a trial; None where they were not timed."""
    blocks = [block for block in trial.phases if block.steps]
    if not blocks:
        return None
    names = _ordered(dict.fromkeys(name for block in blocks for name in block.names))
    waves = [_wave(block, names) for block in blocks]
    step = _estimate("step", [wave[0] for wave in waves], confidence)
    phases = (
        PhaseTime(name, seconds, seconds.value / step.value if step.value > 0 else 0.0)
        for number, name in enumerate((*names, OTHER), start=1)
        for seconds in (_estimate(name, [wave[number] for wave in waves], confidence),)
    )
    return StepTimes(step, tuple(phases), blocks[0].clock)


def spots(profile: Profile) -> tuple[Spot, ...]:
    """The hotspots of a profile per step, each with its share."""
    totals = {_HOST: profile.left_out_s + _total(profile, _HOST), _DEVICE: _total(profile, _DEVICE)}
    return tuple(
        Spot(one.kind, one.name, one.calls / profile.steps, one.self_s / profile.steps, one.self_s / total)
        for one in profile.hotspots
        for total in (totals[_HOST if one.kind in _HOST else _DEVICE],)
        if total > 0
    )


def host_bound(profile: Profile) -> float | None:
    """The fraction of the window in which the device had nothing to do; None without a device."""
    work = profile.device
    return None if work is None or not work.window_s else max(0.0, 1 - work.busy_s / work.window_s)


def differences(first: Trial, second: Trial, confidence: float) -> tuple[Difference, ...]:
    """What takes longer or shorter in the second, the largest difference first: phases, then operators and kernels."""
    phases: list[Difference] = []
    both = [step_times(trial, confidence) for trial in (first, second)]
    if both[0] is not None and both[1] is not None:
        ours, theirs = ({one.name: one.seconds.value for one in times.phases} for times in both if times is not None)
        phases = [
            Difference("phase", name, ours.get(name), theirs.get(name)) for name in dict.fromkeys((*ours, *theirs))
        ]
    seen: list[Difference] = []
    if first.profile is not None and second.profile is not None:
        a, b = ({(s.kind, s.name): s.seconds for s in spots(p)} for p in (first.profile, second.profile))
        seen = [Difference(key[0].value, key[1], a.get(key), b.get(key)) for key in dict.fromkeys((*a, *b))]
    return (*_largest(phases), *_largest(seen))


def _largest(found: Sequence[Difference]) -> list[Difference]:
    return sorted(found, key=lambda one: -abs(one.more_s))


def _ordered(names: Sequence[str] | dict[str, None]) -> tuple[str, ...]:
    """Known phases in the order of a step, then the others as they came."""
    known = [name for name in PHASES if name in names]
    return (*known, *(name for name in names if name not in PHASES))


def _wave(block: PhaseBlock, names: Sequence[str]) -> tuple[float, ...]:
    """The step, its phases and the rest, averaged over the middle half of a wave's steps."""
    rows = sorted(block.steps)  # by the whole step, which stands first
    cut = len(rows) // 4
    middle = rows[cut : len(rows) - cut]
    means = dict(zip(("", *block.names), (fmean(column) for column in zip(*middle, strict=True)), strict=True))
    phases = [means.get(name, 0.0) for name in names]
    return means[""], *phases, max(0.0, means[""] - sum(phases))


def _estimate(name: str, values: Sequence[float], confidence: float) -> Estimate:
    value, low, high = t_interval(values, confidence)
    return Estimate(name, value, None if low is None else max(0.0, low), high, confidence, "s", len(values))


def _total(profile: Profile, kinds: Sequence[SpotKind]) -> float:
    return sum(one.self_s for one in profile.hotspots if one.kind in kinds)
