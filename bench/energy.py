"""The energy of a stretch of your own code, without pytest and without torch.

::

    import bench

    with bench.energy_window(power="auto") as window:
        work()  # end it with torch.cuda.synchronize() if it runs on a GPU

    window.energy       # an estimate in joules, or None
    window.caveats      # why not, or how far to trust it

::

    open panel | learn the sensors' rhythm | <---- your code ----> | wait for the next readings | close
                                           enter                exit
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bench.analysis.blocks import polled
from bench.analysis.energy import EnergyEstimate, systematic
from bench.analysis.energy_doubts import disagreement, unread
from bench.analysis.ledger import Block, doubts
from bench.analysis.power import Metered, window_energy
from bench.instruments.panel import open_panel, parse_power
from bench.instruments.power import Panel
from bench.instruments.sampler import Sampler
from bench.records import Caveat, CaveatKind
from bench.records.power import Component, Part, PowerLog, PowerTrace, SourceKind

#: How long learning the sensors, and waiting for their last word, may take; in seconds.
_LEARN_LIMIT_S = 2.0
_LAST_WORD_LIMIT_S = 1.0
_LOOK_EVERY_S = 0.01


@dataclass
class EnergyWindow:
    """What was used between entering and leaving. Everything is None or empty until the window is left.

    ``energy`` sums the measured components; its ``low`` and ``high`` are the bounds that reading the sensors at
    the edges of an unknown load allows (no probability: ``confidence`` is 1), and ``systematic_low`` and ``_high``
    what the sensor's gain adds to that.
    """

    energy: EnergyEstimate | None = None
    duration_s: float | None = None
    components: tuple[tuple[Component, EnergyEstimate | None], ...] = ()
    caveats: tuple[Caveat, ...] = ()
    log: PowerLog | None = None


@contextmanager
def energy_window(
    power: str = "auto",
    *,
    panel: Panel | None = None,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[EnergyWindow]:
    """Measure the energy of the body of a ``with`` statement.

    ``power`` says by what, as ``--bench-power`` does: auto, off, nvml[:INDEX,...], rapl, tdp:WATTS, joined by +.
    Of several GPUs all that can be seen are summed, whoever used them: name yours (``"nvml:0+rapl"``). Entering takes
    up to two seconds and leaving up to one, which are not in ``duration_s``, but in that of a window around this one.
    A body that raises is measured all the same.

    Raises:
        UsageError: ``power`` has no meaning.
    """
    window, at_work = EnergyWindow(), _is_on_a_gpu()
    sampler = Sampler(open_panel(parse_power(power)) if panel is None else panel, clock=clock)
    sampler.start()
    try:
        _wait(sampler.ready, _LEARN_LIMIT_S, clock, sleep)
        start_s = clock()
        try:
            yield window
        finally:
            stop_s = clock()
            _wait(lambda: sampler.past(stop_s), _LAST_WORD_LIMIT_S, clock, sleep)
            sampler.pause()
            log = _without_us(sampler.take([os.getpid()]), at_work=at_work)
            _fill(window, log, start_s, stop_s, named="nvml:" in power or panel is not None)
    finally:
        sampler.stop()


def _is_on_a_gpu() -> bool:
    """Whether this very process works on one already, as far as can be told without importing PyTorch."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.cuda.is_initialized())


def _without_us(log: PowerLog, *, at_work: bool) -> PowerLog:
    """The log without this process among the strangers that were on a GPU before.

    In a container the driver knows us by a number that we do not know, so that then nobody is sure to be a stranger.
    """
    before = {pid for _, pid in log.before}
    return replace(log, before=()) if at_work and os.getpid() not in before else log


def _of_several(gpus: Sequence[Component]) -> tuple[Caveat, ...]:
    """Several GPUs that nobody named are summed, at work or idle."""
    if len(gpus) < 2:
        return ()
    return (Caveat.of(CaveatKind.SUMMED_GPUS, gpus=len(gpus)),)


def _fill(window: EnergyWindow, log: PowerLog, start_s: float, stop_s: float, *, named: bool = False) -> None:
    """Compute what the log says about the stretch, and put it into the window."""
    found = {component: _metered(log, component, start_s, stop_s) for component in log.components}
    estimates = {
        component: _estimate([component], [trace], [figure])
        for component, (trace, figure, _) in found.items()
        if isinstance(figure, Metered)
    }
    added = [component for component in estimates if component.part is not Part.PSYS]
    parts = [(found[component][0], found[component][1]) for component in added]
    window.log = log
    window.duration_s = stop_s - start_s
    window.components = tuple((component, estimates.get(component)) for component in log.components)
    window.energy = _estimate(
        added, [trace for trace, _ in parts], [figure for _, figure in parts if isinstance(figure, Metered)]
    )
    stretch = Block(0, 0, start_s, stop_s, stop_s - start_s)
    window.caveats = (
        *unread(log),
        *(() if named else _of_several([component for component in added if component.part is Part.GPU])),
        *(caveat for _, _, caveats in found.values() for caveat in caveats),
        *doubts(log, [stretch]),
    )


def _metered(
    log: PowerLog, component: Component, start_s: float, stop_s: float
) -> tuple[PowerTrace, Metered | Caveat, tuple[Caveat, ...]]:
    """The figure of the best source that has one, and the doubts about it."""
    traces = [trace for trace in log.traces if trace.component == component]
    figures = [window_energy(trace, start_s, stop_s) for trace in traces]
    best = next((n for n, figure in enumerate(figures) if isinstance(figure, Metered)), 0)
    lacks = tuple(figure for figure in figures[: best + 1] if isinstance(figure, Caveat))
    if traces[best].kind is SourceKind.MODEL:
        lacks = (*lacks, Caveat.of(CaveatKind.ESTIMATED, component=component.name, source=traces[best].source))
    return traces[best], figures[best], (*lacks, *_cross_check(traces, figures, stop_s - start_s))


def _cross_check(
    traces: Sequence[PowerTrace], figures: Sequence[Metered | Caveat], duration_s: float
) -> tuple[Caveat, ...]:
    """A doubt if counter and power disagree, and not only because a load that swings is hard to poll."""
    power = polled(traces)
    if power is None or power is traces[0]:
        return ()
    one, two = figures[0], figures[traces.index(power)]
    if isinstance(one, Caveat) or isinstance(two, Caveat) or (one.low <= two.high and two.low <= one.high):
        return ()
    doubt = disagreement(one.value / duration_s, two.value / duration_s, power.component.name)
    return () if doubt is None else (doubt,)


def _estimate(
    components: Sequence[Component], traces: Sequence[PowerTrace], figures: Sequence[Metered]
) -> EnergyEstimate | None:
    """The sum of some components' figures in joules; None of nothing."""
    if not figures:
        return None
    value = sum(figure.value for figure in figures)
    sources = tuple(trace.source for trace in traces)
    least, most = systematic(value, sources)
    return EnergyEstimate(
        statistic="energy",
        value=value,
        low=sum(figure.low for figure in figures),
        high=sum(figure.high for figure in figures),
        confidence=1.0,
        unit="J",
        n=1,
        systematic_low=least,
        systematic_high=most,
        estimated=any(trace.kind is SourceKind.MODEL for trace in traces),
        components=tuple(component.name for component in components),
        sources=sources,
    )


def _wait(done: Callable[[], bool], limit_s: float, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
    end_s = clock() + limit_s
    while not done() and clock() < end_s:
        sleep(_LOOK_EVERY_S)
