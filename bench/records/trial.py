"""What was measured of one case: raw facts, from which every figure is computed on reading."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple

from bench.errors import MeasurementError
from bench.records.check import Check
from bench.records.profile import PhaseBlock, Profile
from bench.records.workload import LATENCY, Case, Workload

#: No step is shorter than light takes for a third of a millimetre, or longer than eleven days.
LEAST_S, MOST_S = 1e-12, 1e6
#: No sample has so many steps, and no run so many waves or rounds.
MOST_STEPS, MOST_COUNTED = 10**15, 10**6
#: No honest step works through as many items.
MOST_ITEMS = 2**53


class SampleKind(enum.Enum):
    """What a sample was taken for; kinds are never mixed in one statistic."""

    TIMING = "timing"
    LATENCY = "latency"
    ENERGY = "energy"


def kind_of(workload: Workload) -> SampleKind:
    """The kind of sample that times of this workload are made of."""
    return SampleKind.LATENCY if workload.measures == LATENCY else SampleKind.TIMING


class Sample(NamedTuple):
    """One timed stretch of steps. A tuple, and stored as one, because a run holds many thousands."""

    wave: int
    round: int
    position: int  # of the block in its round, from 0
    predecessor: int | None  # index, in the group's case order, of the case whose block ran before
    start_s: float  # monotonic clock of the machine, comparable within one run only
    steps: int
    host_s: float  # from before the first step's call until after the closing synchronise
    device_s: float | None  # between CUDA events, None on a CPU
    kind: SampleKind = SampleKind.TIMING

    @property
    def step_s(self) -> float:
        """Wall-clock seconds per step."""
        return self.host_s / self.steps


#: What stands for an expectation where there is none: evidence that nobody can judge.
_NOT_JUDGED = "not judged"


class Proof(NamedTuple):
    """Evidence, read back in the worker, that one axis value took effect."""

    fact: str
    expected: str
    observed: str

    @classmethod
    def seen(cls, fact: str, observed: str) -> Proof:
        """A fact listed for the reader: it speaks neither for the label nor against it."""
        return cls(fact, _NOT_JUDGED, observed)

    @property
    def judged(self) -> bool:
        """Whether the fact could have spoken against the label."""
        return self.expected != _NOT_JUDGED

    @property
    def honoured(self) -> bool:
        return self.expected == self.observed or not self.judged


class CaveatKind(enum.Enum):
    """Doubtful but usable evidence; ``reports/wording.py`` has a sentence for each."""

    NOT_WARM = "not_warm"  # figures: waves, warm_up_s
    IMPRECISE = "imprecise"  # figures: half_width, wanted
    LABEL_NOT_HONOURED = "label_not_honoured"  # figures: fact, expected, observed
    ONE_WAVE = "one_wave"  # figures: rounds
    IN_PROCESS = "in_process"
    UNPINNED = "unpinned"
    UNFROZEN = "unfrozen"
    INTERRUPTED = "interrupted"  # figures: waves, planned
    OUT_OF_TIME = "out_of_time"  # figures: waves, planned
    NO_WORKERS = "no_workers"  # figures: waves, planned, reason
    BUSY_HOST = "busy_host"  # figures: waves, named, others, stolen: the most in any, in cores; cores
    CPU_QUOTA = "cpu_quota"  # figures: waves, named, cut_short (the most in any, a fraction), quota, cores
    ANOTHER_RUN = "another_run"  # figures: runs
    CUT_TO_BUDGET = "cut_to_budget"  # figures: rounds, planned
    FEWER_WAVES = "fewer_waves"  # figures: waves, planned
    TWO_MODES = "two_modes"  # figures: low_s, high_s
    # Of the results; check is a CheckKind's value.
    WRONG_RESULT = "wrong_result"  # figures: check, found (or "none"), allowed, against, n, items
    UNCHECKED = "unchecked"
    UNPROVEN = "unproven"
    LOOSELY_CHECKED = "loosely_checked"  # figures: precision
    PROFILED = "profiled"  # figures: profiler
    NOT_INSPECTED = "not_inspected"  # figures: reason
    # Of energy; component and gpu are names, source is a sensor's.
    NO_SENSOR = "no_sensor"  # figures: component, source, reason, fix
    WINDOW_TOO_SHORT = "window_too_short"  # figures: component, source, window_s, needed_s
    ESTIMATED = "estimated"  # figures: component, source
    SENSOR_LOST = "sensor_lost"  # figures: component, source, reason
    SENSOR_STALLED = "sensor_stalled"  # figures: component, source, window_s (without a change)
    COUNTERS_DISAGREE = "counters_disagree"  # figures: component, counter_w, polled_w, difference (a fraction)
    EVERY_GPU = "every_gpu"  # figures: device, gpus; their energy was counted together, since its own was unknown
    SUMMED_GPUS = "summed_gpus"  # figures: gpus; those that were seen, in an energy window
    WHOLE_GPU = "whole_gpu"  # figures: gpu; the case used a MIG slice of it
    WHOLE_PACKAGE = "whole_package"  # figures: usable, cores; the case could use some of the cores that were metered
    SPEED_DISAGREES = "speed_disagrees"  # figures: timing_s, energy_s (per step, in the two kinds of block)
    # Of the hardware's state.
    THROTTLED = "throttled"  # figures: gpu, blocks, of, reasons, named
    SHARED = "shared"  # figures: gpu, blocks, of, processes, named
    TEMPERATURE_DRIFT = "temperature_drift"  # figures: gpu, low_c, high_c


@dataclass(frozen=True)
class Caveat:
    """A doubt as data: its kind and the figures its sentence needs."""

    kind: CaveatKind
    figures: tuple[tuple[str, float | str], ...] = ()

    @classmethod
    def of(cls, kind: CaveatKind, **figures: float | str) -> Caveat:
        return cls(kind, tuple(figures.items()))


@dataclass(frozen=True)
class Life:
    """One worker process of a case: what it cost to set up, before any block.

    ::

        build | first step | warm-up ... until they are steady | blocks
    """

    wave: int
    cold: bool  # with empty caches of its own (compilers, autotuners)
    build_s: float
    first_step_s: float
    warm_up_s: float
    warm_up_steps: int
    warmed: bool
    peak_memory_bytes: int | None = (
        None  # of the process: on a CPU the most after set-up, on CUDA what it held at the end
    )
    settings: tuple[tuple[str, str], ...] = ()  # global flags as read back in the worker

    def __post_init__(self) -> None:
        for name in ("build_s", "first_step_s", "warm_up_s"):
            if not 0 <= getattr(self, name) <= MOST_S:
                msg = f"a worker's {name} is {getattr(self, name)}; that is no evidence"
                raise MeasurementError(msg)


@dataclass(frozen=True)
class Failure:
    """Why a case has no (further) figures; it cost its own case only."""

    phase: str  # "start", "set-up", "measure", "energy", "inspect", "check" or "finish"
    reason: str  # one sentence
    detail: str = ""  # the worker's last lines
    wave: int = 0


@dataclass(frozen=True)
class Trial:
    """All that one run measured of one case."""

    case: Case
    items_per_step: int | None
    lives: tuple[Life, ...] = ()
    samples: tuple[Sample, ...] = ()
    proofs: tuple[Proof, ...] = ()
    caveats: tuple[Caveat, ...] = ()
    failure: Failure | None = None
    checks: tuple[Check, ...] = ()  # of all waves; what they must be stands in the plan
    phases: tuple[PhaseBlock, ...] = ()  # of each wave, where they were asked for
    profile: Profile | None = None

    def __post_init__(self) -> None:
        if self.items_per_step is not None and not 1 <= self.items_per_step < MOST_ITEMS:
            said = str(self.items_per_step)[:30]
            msg = f"{self.case.name} says a step has {said} items; it must be at least 1, and a number that can be"
            raise MeasurementError(msg)
        for sample in self.samples:
            if not 1 <= sample.steps < MOST_STEPS or not LEAST_S <= sample.host_s / sample.steps <= MOST_S:
                said = f"{str(sample.steps)[:20]} steps in {sample.host_s} s"
                msg = f"{self.case.name} has a sample of {said}; that is no evidence"
                raise MeasurementError(msg)
            if not (0 <= sample.wave < MOST_COUNTED and 0 <= sample.round < MOST_COUNTED):
                msg = f"{self.case.name} has a sample of a wave or round that no run gets to; that is no evidence"
                raise MeasurementError(msg)

    @property
    def kind(self) -> SampleKind:
        """The kind of sample that this trial's times are made of."""
        return kind_of(self.case.workload)

    @property
    def honoured(self) -> bool:
        """Whether all evidence says that the label took effect."""
        return all(proof.honoured for proof in self.proofs)


@dataclass(frozen=True)
class Skip:
    """A case that this machine cannot run, with the reason and what would change that."""

    case: Case
    reason: str
    fix: str
