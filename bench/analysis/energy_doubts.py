"""What the energy figures of a trial must be doubted for: sensors, models, speed, and the hardware's state."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bench.analysis import ledger
from bench.analysis.blocks import BlockPower, blocks_of, has_own, own_gpu, own_part, polled
from bench.analysis.estimates import block_seconds
from bench.analysis.ledger import Block
from bench.analysis.power import Metered, steady_power
from bench.analysis.statistics import median
from bench.records import Caveat, CaveatKind, SampleKind, Trial
from bench.records.power import Part, PowerLog, PowerTrace, SourceKind

#: Counter and polled power of one board may differ by this, as a fraction.
_AGREE = 0.05
#: Time per step in energy blocks and in timing blocks may differ by this, as a fraction.
_SAME_SPEED = 0.05


def doubts(
    trial: Trial,
    log: PowerLog,
    blocks: Mapping[tuple[int, int], Block],
    readings: Sequence[BlockPower],
    gpus: set[str] | None,
) -> tuple[Caveat, ...]:
    """All of them, those of the sensors first; the hardware's state is looked at in the blocks of times as well."""
    watched = (*blocks_of(trial, trial.kind).values(), *blocks.values())
    return (
        *unread(log, gpus),
        *_of_own(log, trial, readings),
        *_of_all_gpus(log, trial, gpus),
        *(caveat for reading in readings for caveat in _of_reading(reading, blocks.values())),
        *_speeds(trial),
        *ledger.doubts(log, watched, gpus),
    )


def unread(log: PowerLog, gpus: set[str] | None = None) -> Iterator[Caveat]:
    """The components that could not be read."""
    for lack in log.unread:
        if lack.part is not Part.GPU or gpus is None or (gpus and lack.name in {"GPU", *gpus}):
            yield Caveat.of(
                CaveatKind.NO_SENSOR, component=lack.name, source=lack.source, reason=lack.reason, fix=lack.fix
            )


def _of_own(log: PowerLog, trial: Trial, readings: Sequence[BlockPower]) -> Iterator[Caveat]:
    """Where what did the work was not asked for, so that nothing is summed; else the reason is known already."""
    device = trial.case.variant.device
    part, own = own_part(device), own_gpu(log, device)
    asked = {trace.component.name for trace in log.traces if trace.component.part is part}
    asked |= {lack.name for lack in log.unread if lack.part is part}
    told = bool(asked) if own is None else not asked.isdisjoint({own, "GPU"})
    if told or has_own(readings, trial, log):
        return
    source, name = ("rapl", "cpu package") if part is Part.CPU else ("nvml", own or "GPU")
    yield Caveat.of(
        CaveatKind.NO_SENSOR,
        component=name,
        source=source,
        reason="this case ran on it, but --bench-power left it out, so no energy is given",
        fix="read it as well (--bench-power auto)",
    )


def _of_all_gpus(log: PowerLog, trial: Trial, gpus: set[str] | None) -> Iterator[Caveat]:
    """Where it could not be told which GPU was the trial's, all that were read are in its energy."""
    read = {trace.component for trace in log.traces if trace.component.part is Part.GPU}
    if gpus is None and len(read) > 1:
        yield Caveat.of(CaveatKind.EVERY_GPU, device=trial.case.variant.device, gpus=len(read))


def disagreement(counter_w: float, polled_w: float, component: str) -> Caveat | None:
    """The doubt there is if two sources of one component differ by more than they may; both in watts."""
    larger = max(counter_w, polled_w)
    difference = abs(counter_w - polled_w) / larger if larger > 0 else 0.0
    if difference <= _AGREE:
        return None
    return Caveat.of(
        CaveatKind.COUNTERS_DISAGREE,
        component=component,
        counter_w=counter_w,
        polled_w=polled_w,
        difference=difference,
    )


def _of_reading(reading: BlockPower, blocks: Iterable[Block]) -> Iterator[Caveat]:
    yield from reading.lacks
    if reading.estimated:
        yield Caveat.of(CaveatKind.ESTIMATED, component=reading.component.name, source=reading.trace.source)
    yield from _cross_check(reading.traces, blocks)


def _cross_check(traces: Sequence[PowerTrace], blocks: Iterable[Block]) -> Iterator[Caveat]:
    """Counter against polled power of the same component, over all blocks."""
    counter = next((trace for trace in traces if trace.kind is SourceKind.COUNTER), None)
    power = polled(traces)
    if counter is None or power is None:
        return
    pairs = [tuple(steady_power(trace, b.start_s, b.stop_s) for trace in (counter, power)) for b in blocks]
    both = [(one.value, two.value) for one, two in pairs if isinstance(one, Metered) and isinstance(two, Metered)]
    if both:
        doubt = disagreement(median([one for one, _ in both]), median([two for _, two in both]), counter.component.name)
        yield from () if doubt is None else (doubt,)


def _speeds(trial: Trial) -> Iterator[Caveat]:
    """Energy is quoted beside a time: the blocks it came from must have run at that speed."""
    steps = [list(block_seconds(trial, kind).values()) for kind in (trial.kind, SampleKind.ENERGY)]
    if not all(steps):
        return
    timing_s, energy_s = (median(each) * (trial.items_per_step or 1) for each in steps)
    if abs(math.log(energy_s / timing_s)) > math.log1p(_SAME_SPEED):
        yield Caveat.of(CaveatKind.SPEED_DISAGREES, timing_s=timing_s, energy_s=energy_s)
