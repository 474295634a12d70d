"""Energy of a trial from its energy blocks and the log beside them: by component, gross and net of idle.

::

    block       power from the second change to the last  x  seconds per step  =  joules per step
    wave        the median over its blocks                                        one number per wave
    the run     Student's t over waves: the statistical interval

Two error bars, never mixed. ``low`` and ``high`` are statistical, as for times. ``systematic_low`` and ``_high``
say where the truth may lie if the board's gain is off: that cancels in ratios on one board, and only there.

The sum is of *measured components*, never of "the node": power supply, fans and board are in nobody's reading,
and psys, which holds the others, is not added to them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from types import MappingProxyType

from bench.analysis.blocks import BlockPower, Figures, blocks_of, energy_blocks, has_own, own_gpu, read_blocks
from bench.analysis.comparison import Comparison, comparison_of
from bench.analysis.energy_doubts import doubts
from bench.analysis.estimates import Estimate
from bench.analysis.ledger import Block, Climate, climates
from bench.analysis.power import Metered, window_energy
from bench.analysis.statistics import Interval, exponential, median, sign_interval, t_interval
from bench.errors import ComparisonError
from bench.records import Case, Caveat, Trial
from bench.records.power import Component, Part, PowerLog, SourceKind, SpanKind

#: What a source reads, divided by the truth: from, to. Nothing is known of those that are not here.
#: Source: external metering of boards of twelve generations, results of arXiv 2312.02741 (SC24); two models from
#: before 2015 lie outside.
GAIN: Mapping[str, tuple[float, float]] = MappingProxyType(
    dict.fromkeys(("nvml counter", "nvml instant power", "nvml average power"), (0.94, 1.11))
)


#: So far off a sensor may be of which nothing is known.
_UNKNOWN_GAIN = (0.9, 1.1)
#: Of so many sensors all ways are tried in which they may be off.
_MOST_SPLIT = 6
#: Component -> what its sensor reads, divided by the truth; 1 of what is not there.
Gains = Mapping[str, float]
_TRUE: Gains = MappingProxyType({})
#: What every component's best sensor said of the energy blocks of one trial.
Readings = tuple[BlockPower, ...]


@dataclass(frozen=True)
class EnergyEstimate(Estimate):
    """An estimate with its systematic bounds (None: unknown), and where it comes from.

    ``estimated`` says that a model had a part in it: then it is no measurement, and is not compared with one.
    """

    systematic_low: float | None
    systematic_high: float | None
    estimated: bool
    components: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def sensors(self) -> tuple[tuple[str, str], ...]:
        """Component and source of each."""
        return tuple(zip(self.components, self.sources, strict=True))

    @property
    def mixed(self) -> bool:
        """Whether sensors were summed that may be off by different amounts, which cancels in no ratio."""
        return bool(gains_at_worst(self.sensors))

    def scaled(self, factor: float, statistic: str) -> EnergyEstimate:
        """The same evidence for another amount: per image, per epoch."""
        bounds = (self.low, self.high, self.systematic_low, self.systematic_high)
        low, high, least, most = (None if bound is None else bound * factor for bound in bounds)
        return replace(
            self,
            statistic=statistic,
            value=self.value * factor,
            low=low,
            high=high,
            systematic_low=least,
            systematic_high=most,
        )


@dataclass(frozen=True)
class ComponentEnergy:
    """One component, or the sum of those that were measured; None where there is no number."""

    component: Component | None  # None for the sum
    gross: EnergyEstimate | None  # J per step
    net: EnergyEstimate | None  # J per step, less what idling for the same time takes
    power: EnergyEstimate | None  # mean W in the blocks
    idle_w: float | None
    peak_w: float | None  # None for a sum: peaks of different components do not fall together


@dataclass(frozen=True)
class TrialEnergy:
    """The energy of one trial. ``total`` sums the measured components; psys stands among ``components`` only."""

    total: ComponentEnergy | None
    components: tuple[ComponentEnergy, ...]
    energy_delay: EnergyEstimate | None  # J·s: energy per step times time per step
    set_up_cold: EnergyEstimate | None  # J, of the measured components
    set_up_warm: EnergyEstimate | None
    items_per_step: int
    caveats: tuple[Caveat, ...]
    climates: tuple[Climate, ...] = ()  # of each of its GPUs, in its blocks of time and of energy

    @property
    def per_item(self) -> EnergyEstimate | None:
        """Gross joules per item of all measured components."""
        if self.total is None or self.total.gross is None:
            return None
        return self.total.gross.scaled(1 / self.items_per_step, "energy per item")


def counted_gpus(log: PowerLog, device: str, power: str) -> set[str] | None:
    """The UUIDs of the GPUs whose energy counts for a group on a device; None, for all, where its own is unknown.

    A group's own GPU is counted and no other: a node has several, idle or at somebody else's work. A group on the CPU
    has none. GPUs that the user named (``power`` is the plan's, like ``"nvml:0,1"``) count for every group on a GPU, so
    that a workload that spreads over several can be measured; the group's own counts beside them.
    """
    if device.partition(":")[0] != "cuda":
        return set()
    own = own_gpu(log, device)
    known = set() if own is None else {own}
    if any(word.strip().startswith("nvml:") for word in power.split("+")):
        read = {component.name for component in log.components if component.part is Part.GPU}
        return known | read | {lack.name for lack in log.unread if lack.part is Part.GPU}
    return known or None


def energy_of(trial: Trial, log: PowerLog, confidence: float, gpus: Iterable[str] | None = None) -> TrialEnergy:
    """Everything a log says about a trial. ``gpus`` are the UUIDs to count in, None for all that were read.

    Where what did the work was not read, nothing is summed: the joules of a CPU that waits are not those of its GPU.
    """
    wanted = None if gpus is None else set(gpus)
    blocks = energy_blocks(trial)
    readings = read_blocks(log, blocks, wanted)
    parts = [_Addend.of([reading]) for reading in readings if reading.power_w]
    total = _sum_of(readings, trial, log)
    return TrialEnergy(
        total=None if total is None else total.energy(None, blocks, confidence),
        components=tuple(part.energy(part.readings[0].component, blocks, confidence) for part in parts),
        energy_delay=None if total is None else total.energy_delay(blocks, confidence),
        set_up_cold=_set_up(trial, log, total, cold=True),
        set_up_warm=_set_up(trial, log, total, cold=False),
        items_per_step=trial.items_per_step or 1,
        caveats=doubts(trial, log, blocks, readings, wanted),
        climates=climates(log, [*blocks_of(trial, trial.kind).values(), *blocks.values()], wanted),
    )


def gains_at_worst(sensors: Iterable[tuple[str, str]]) -> tuple[Gains, ...]:
    """What sensors may be off by at worst: some of them one way, the rest the other; none of a single sensor.

    ``sensors`` are components with their sources. The gain of one sensor cancels in a ratio; of a sum of several only
    what they have in common does. Each board has a gain of its own; what RAPL reads in one machine is off alike.
    """
    kinds: dict[str, list[str]] = defaultdict(list)
    ranges = {}
    for component, source in sensors:
        kind = source if source == "rapl" else component
        kinds[kind].append(component)
        ranges[kind] = GAIN.get(source, _UNKNOWN_GAIN)
    if len(kinds) < 2:
        return ()
    if len(kinds) <= _MOST_SPLIT:
        splits = [split for split in product((0, 1), repeat=len(kinds)) if len(set(split)) == 2]
    else:  # each against all others
        splits = [
            tuple(int(n == alone) ^ side for n in range(len(kinds))) for alone in range(len(kinds)) for side in (0, 1)
        ]
    return tuple(
        {name: ranges[kind][side] for (kind, names), side in zip(kinds.items(), split, strict=True) for name in names}
        for split in splits
    )


def compare_energy(
    trial: Trial,
    baseline: Trial,
    log: PowerLog,
    confidence: float,
    gpus: Iterable[str] | None = None,
    gains: Gains = _TRUE,
    read: Mapping[Case, Readings] = MappingProxyType({}),
) -> Comparison | None:
    """How many times less energy per item than the baseline, paired round by round; None without shared rounds.

    ``speedup`` of the comparison is this ratio: above 1 is less energy. ``gains`` are those of the sensors;
    ``read`` has what was read of each trial, where that is known already.

    Raises:
        ComparisonError: they are not of one group, or were not read by the same sensors: an estimate is never
            compared with a measurement.
    """
    if trial.case.group != baseline.case.group:
        msg = f"{trial.case.name} and {baseline.case.name} are not of one group; compare cases of one group"
        raise ComparisonError(msg)
    wanted = None if gpus is None else set(gpus)
    ours, theirs = (_per_item(one, log, wanted, gains, read.get(one.case)) for one in (trial, baseline))
    if ours is None or theirs is None:
        return None
    if ours[1] != theirs[1]:
        msg = f"{trial.case.name} and {baseline.case.name} were not read by the same sensors; measure both alike"
        raise ComparisonError(msg)
    waves: dict[int, list[tuple[float]]] = defaultdict(list)
    for key in sorted(ours[0].keys() & theirs[0].keys()):
        if ours[0][key] > 0 and theirs[0][key] > 0:
            waves[key[0]].append((math.log(theirs[0][key] / ours[0][key]),))
    if not waves:
        return None
    return comparison_of(trial, baseline, waves, confidence)


def over_waves(figures: Figures, confidence: float) -> tuple[Interval, int] | None:
    """The median of each wave, then Student's t over waves; within a single wave, the median's own interval.

    Of logarithms where all are positive; what is net of idle may be about zero, and is taken as it is.
    """
    waves: dict[int, list[float]] = defaultdict(list)
    for (wave, _), value in figures.items():
        waves[wave].append(value)
    if not waves:
        return None
    if len(waves) == 1:
        (values,) = waves.values()
        return sign_interval(values, confidence), len(values)
    medians = [median(values) for values in waves.values()]
    if min(medians) > 0:
        return exponential(t_interval([math.log(value) for value in medians], confidence)), len(medians)
    return t_interval(medians, confidence), len(medians)


def systematic(value: float, sources: Iterable[str]) -> tuple[float | None, float | None]:
    """Where the truth may lie if gains are off; unknown if that of any source is."""
    gains = {GAIN.get(source) for source in sources}
    if len(gains) != 1:
        return None, None
    (gain,) = gains
    if gain is None:
        return None, None
    low, high = sorted((value / gain[1], value / gain[0]))
    return low, high


@dataclass(frozen=True)
class _Addend:
    """One or several components together, in the blocks that all of them have."""

    readings: tuple[BlockPower, ...]
    power_w: Figures
    idle_w: Mapping[int, float]

    @classmethod
    def of(cls, readings: Sequence[BlockPower], gains: Gains = _TRUE) -> _Addend:
        weighted = [(1 / gains.get(reading.component.name, 1.0), reading) for reading in readings]
        keys = set.intersection(*(set(reading.power_w) for reading in readings))
        waves = set.intersection(*(set(reading.idle_w) for reading in readings))
        return cls(
            tuple(readings),
            {key: sum(weight * reading.power_w[key] for weight, reading in weighted) for key in sorted(keys)},
            {wave: sum(weight * reading.idle_w[wave] for weight, reading in weighted) for wave in sorted(waves)},
        )

    @property
    def sensors(self) -> tuple[tuple[str, str], ...]:
        """Component and source of each."""
        return tuple((reading.component.name, reading.trace.source) for reading in self.readings)

    def energy(
        self, component: Component | None, blocks: Mapping[tuple[int, int], Block], confidence: float
    ) -> ComponentEnergy:
        """Gross and net energy per step, and power."""
        idle_w = median(self.idle_w.values()) if self.idle_w else None
        gross = {key: power_w * blocks[key].step_s for key, power_w in self.power_w.items()}
        net: dict[tuple[int, int], float] = {}
        if idle_w is not None:
            for key, power_w in self.power_w.items():
                net[key] = (power_w - self.idle_w.get(key[0], idle_w)) * blocks[key].step_s
        peaks = self.readings[0].peak_w.values() if component is not None else ()
        return ComponentEnergy(
            component,
            self.estimate("energy per step", gross, "J", confidence),
            self.estimate("energy per step, net of idle", net, "J", confidence),
            self.estimate("mean power", self.power_w, "W", confidence),
            idle_w,
            max(peaks, default=None),
        )

    def energy_delay(self, blocks: Mapping[tuple[int, int], Block], confidence: float) -> EnergyEstimate | None:
        """Energy times time of a step: what is left of a gain in energy that was bought with time."""
        products = {key: power_w * blocks[key].step_s ** 2 for key, power_w in self.power_w.items()}
        return self.estimate("energy-delay product", products, "J·s", confidence)

    def estimate(self, statistic: str, figures: Figures, unit: str, confidence: float) -> EnergyEstimate | None:
        """The estimate of a figure over blocks and waves."""
        evidence = over_waves(figures, confidence)
        return None if evidence is None else self.dressed(statistic, *evidence, unit, confidence)

    def dressed(
        self, statistic: str, interval: Interval, n: int, unit: str, confidence: float | None
    ) -> EnergyEstimate:
        """An interval, or without a confidence a range, with its systematic bounds and its origin."""
        sources = tuple(source for _, source in self.sensors)
        least, most = systematic(interval.value, sources)
        return EnergyEstimate(
            statistic,
            interval.value,
            interval.low,
            interval.high,
            confidence,
            unit,
            n,
            least,
            most,
            any(reading.estimated for reading in self.readings),
            tuple(name for name, _ in self.sensors),
            sources,
        )


def _sum_of(readings: Sequence[BlockPower], trial: Trial, log: PowerLog, gains: Gains = _TRUE) -> _Addend | None:
    """The measured components together; None where what did the work is not among them."""
    added = [reading for reading in readings if reading.adds_up]
    return _Addend.of(added, gains) if has_own(added, trial, log) else None


def _per_item(
    trial: Trial, log: PowerLog, gpus: set[str] | None, gains: Gains = _TRUE, read: Readings | None = None
) -> tuple[Figures, tuple[tuple[str, str], ...]] | None:
    """Joules per item in each block, of all measured components, and by which sensors."""
    blocks = energy_blocks(trial)
    readings = read_blocks(log, blocks, gpus) if read is None else read
    total, items = _sum_of(readings, trial, log, gains), trial.items_per_step or 1
    if total is None:
        return None
    return {key: power_w * blocks[key].step_s / items for key, power_w in total.power_w.items()}, total.sensors


def measured_energy(
    trial: Trial, log: PowerLog, gpus: set[str] | None, gains: Gains = _TRUE
) -> tuple[Figures, tuple[tuple[str, str], ...]] | None:
    """(wave, round) -> joules per item of all measured components, and by which sensors; None for a model's."""
    estimated = any(trace.kind is SourceKind.MODEL for trace in log.traces)
    return None if estimated else _per_item(trial, log, gpus, gains)


def _set_up(trial: Trial, log: PowerLog, total: _Addend | None, *, cold: bool) -> EnergyEstimate | None:
    """Joules of build and first step: the median and the range over lives with empty (or filled) caches."""
    if total is None:
        return None
    waves = {life.wave for life in trial.lives if life.cold == cold}
    sums: list[float] = []
    for span in log.spans:
        if span.kind is SpanKind.SET_UP and span.case == trial.case.name and span.wave in waves:
            found = [window_energy(reading.trace, span.start_s, span.stop_s) for reading in total.readings]
            metered = [figure.value for figure in found if isinstance(figure, Metered)]
            if len(metered) == len(found):
                sums.append(sum(metered))
    if not sums:
        return None
    low, high = (min(sums), max(sums)) if len(sums) > 1 else (None, None)
    statistic = "set-up energy, cold" if cold else "set-up energy, warm"
    return total.dressed(statistic, Interval(median(sums), low, high), len(sums), "J", None)
