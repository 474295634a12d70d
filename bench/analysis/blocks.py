"""The energy blocks of a trial, and what every component's best sensor said of each of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.ledger import Block
from bench.analysis.power import Metered, peak_power, steady_power
from bench.records import Caveat, Sample, SampleKind, Trial
from bench.records.power import Component, Part, PowerLog, PowerTrace, SourceKind, SpanKind

#: (wave, round) -> a figure of that block.
Figures = Mapping[tuple[int, int], float]


@dataclass(frozen=True)
class BlockPower:
    """One component in the energy blocks of one trial, by the source that has a number for the most of them."""

    component: Component
    trace: PowerTrace
    traces: tuple[PowerTrace, ...]  # all of the component, best first
    power_w: Figures
    peak_w: Figures
    idle_w: Mapping[int, float]  # by wave
    lacks: tuple[Caveat, ...]  # why blocks have no number, or not from the best source

    @property
    def estimated(self) -> bool:
        """Whether it is a model's figure."""
        return self.trace.kind is SourceKind.MODEL

    @property
    def adds_up(self) -> bool:
        """Whether it may be added to others: psys holds them already."""
        return bool(self.power_w) and self.component.part is not Part.PSYS


def energy_blocks(trial: Trial) -> dict[tuple[int, int], Block]:
    """(wave, round) -> when that energy block ran, and its seconds per step."""
    return blocks_of(trial, SampleKind.ENERGY)


def blocks_of(trial: Trial, kind: SampleKind) -> dict[tuple[int, int], Block]:
    """(wave, round) -> when that block of samples of one kind ran, and its seconds per step."""
    members: dict[tuple[int, int], list[Sample]] = defaultdict(list)
    for sample in trial.samples:
        if sample.kind is kind:
            members[sample.wave, sample.round].append(sample)
    return {key: _block(samples) for key, samples in members.items()}


def read_blocks(
    log: PowerLog, blocks: Mapping[tuple[int, int], Block], gpus: set[str] | None
) -> tuple[BlockPower, ...]:
    """Every component of a log, in these blocks; of GPUs only those named, None for all."""
    traces: dict[Component, list[PowerTrace]] = defaultdict(list)
    for trace in log.traces:
        if trace.component.part is not Part.GPU or gpus is None or trace.component.name in gpus:
            traces[trace.component].append(trace)
    return tuple(_read(component, tuple(own), log, blocks) for component, own in traces.items())


def own_part(device: str) -> Part:
    """What does the work of a case on a device: the CPU or a GPU."""
    return Part.CPU if device.partition(":")[0] == "cpu" else Part.GPU


def own_gpu(log: PowerLog, device: str) -> str | None:
    """The UUID of the GPU that a case on a device used; None where it used none, or that is not known."""
    return dict(log.devices).get(device if ":" in device else f"{device}:0")


def has_own(readings: Iterable[BlockPower], trial: Trial, log: PowerLog) -> bool:
    """Whether what did the work of a trial is among these: without it nothing that is summed is the trial's energy."""
    device = trial.case.variant.device
    named = {reading.component.name for reading in readings if reading.component.part is own_part(device)}
    own = own_gpu(log, device)
    return bool(named) and (own is None or own in named)


def polled(traces: Sequence[PowerTrace]) -> PowerTrace | None:
    """The trace of these that holds power readings."""
    return next((trace for trace in traces if trace.kind is SourceKind.POWER), None)


def _block(samples: Sequence[Sample]) -> Block:
    start_s = min(sample.start_s for sample in samples)
    stop_s = max(sample.start_s + sample.host_s for sample in samples)
    for_energy = samples[0].kind is SampleKind.ENERGY
    # Power is that of the whole block, with what lies between two samples; of energy, so is the time.
    spent_s = stop_s - start_s if for_energy else sum(sample.host_s for sample in samples)
    step_s = spent_s / sum(sample.steps for sample in samples)
    return Block(samples[0].wave, samples[0].round, start_s, stop_s, step_s, for_energy)


def _read(
    component: Component,
    traces: tuple[PowerTrace, ...],
    log: PowerLog,
    blocks: Mapping[tuple[int, int], Block],
) -> BlockPower:
    tried = [
        {key: steady_power(trace, block.start_s, block.stop_s) for key, block in blocks.items()} for trace in traces
    ]
    counts = [sum(isinstance(found, Metered) for found in figures.values()) for figures in tried]
    best = counts.index(max(counts))
    peaks = {
        key: peak_power(polled(traces) or traces[best], block.start_s, block.stop_s) for key, block in blocks.items()
    }
    lacks = [found for figures in (tried[0], tried[best]) for found in figures.values() if isinstance(found, Caveat)]
    return BlockPower(
        component,
        traces[best],
        traces,
        {key: found.value for key, found in tried[best].items() if isinstance(found, Metered)},
        {key: peak for key, peak in peaks.items() if peak is not None},
        _idles(traces[best], log),
        tuple({lack.kind: lack for lack in reversed(lacks)}.values()),
    )


def _idles(trace: PowerTrace, log: PowerLog) -> dict[int, float]:
    """Wave -> watts with contexts loaded and nothing running: the mean of before and after."""
    waves: dict[int, list[float]] = defaultdict(list)
    for span in log.spans:
        if span.kind is SpanKind.IDLE:
            found = steady_power(trace, span.start_s, span.stop_s)
            if isinstance(found, Metered):
                waves[span.wave].append(found.value)
    return {wave: sum(values) / len(values) for wave, values in waves.items()}
