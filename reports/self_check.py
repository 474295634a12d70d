"""What a self-check found: how small a difference the machine shows, and what the instruments themselves cost."""

from __future__ import annotations

from collections.abc import Iterator

from bench.analysis import Noise, false_alarm_rate, noises
from bench.analysis.self_check import POWER
from bench.records import Plan, Run
from bench.units import quantity
from reports.facts import sampling_share
from reports.figures import DASH, bounds, percent, ratio_scale
from reports.tables import Cell, Column, Line, Role, Table
from reports.text import counted, one_line

_Row = tuple[str, str, str]


def self_check_table(run: Run) -> Table:
    """A line for each group, then the instruments; no lines where there was no self-check."""
    rows = [row for noise in noises(run) for row in _of_group(noise, run.plan)]
    rows += [*_of_alarms(run), *_of_costs(run)] if run.self_check is not None else []
    return Table(
        "Self-check",
        (Column("case", "what"), Column("value", "value"), Column("meaning", "meaning")),
        tuple(Line((Cell(what), Cell(value), Cell(meaning, role=Role.MUTED))) for what, value, meaning in rows),
    )


def noise_said(run: Run) -> tuple[str, ...]:
    """A sentence for each group: below which difference too many would be missed."""
    return tuple(_sentence(noise) for noise in noises(run))


def _sentence(noise: Noise) -> str:
    if noise.detectable is None:
        return f"Self-check of {_where(noise)}: no answer, for lack of copies measured in two waves or more."
    claimed = ""
    if noise.claims:
        claimed = f" Yet {noise.claims} of {noise.copies} identical copies were called different: distrust this run."
    said = f"here and in this time, differences below {_least(noise)} drown in noise"
    return f"Self-check of {_where(noise)}: {said} in more than {percent(1 - POWER)} of runs.{claimed}"


def _of_group(noise: Noise, plan: Plan) -> Iterator[_Row]:
    what = f"{_where(noise)}: differences below"
    if noise.detectable is None or noise.spread is None:
        yield what, DASH, "no copy of the baseline was measured in two waves or more"
        return
    waves = counted(min(len(comparison.evidence) for comparison in noise.comparisons), "wave")
    meaning = (
        f"drown in noise: one of this size is found in {percent(POWER)} of runs of {waves}, judged alone. "
        f"Copies differ by ±{percent(noise.spread)} from wave to wave; the band is ±{percent(plan.band)}"
    )
    yield what, _least(noise), meaning
    scale = ratio_scale([bounds(comparison) for comparison in noise.comparisons])
    for number, ratio in enumerate(noise.comparisons, 1):
        interval = scale.interval(ratio.low, ratio.high)
        yield f"{_where(noise)}: copy {number}", scale.number(ratio.speedup), f"× baseline, {interval}; the truth is 1"


def _of_alarms(run: Run) -> Iterator[_Row]:
    found = noises(run)
    rate = false_alarm_rate(found, run.plan.confidence)
    if rate is None or rate.low is None or rate.high is None:
        return
    alarms, pairs = sum(noise.false_alarms for noise in found), sum(noise.pairs for noise in found)
    meaning = (
        f"pairs of copies that share no process, called different; so the rate is between {percent(rate.low)} and "
        f"{percent(rate.high)} ({percent(run.plan.confidence)}, Clopper and Pearson)"
    )
    yield "false alarms", f"{alarms} of {pairs}", meaning


def _of_costs(run: Run) -> Iterator[_Row]:
    costs = run.self_check
    if costs is None:
        return
    yield "clock, a reading", quantity(costs.clock_call_s, "s"), f"least step {quantity(costs.clock_tick_s, 's')}"
    for empty in costs.empty:
        events = "" if empty.device_s is None else f"; {quantity(empty.device_s, 's')} between its events"
        meaning = f"what a sample takes on {one_line(empty.device)} beside its steps{events}"
        yield "sample of nothing", quantity(empty.host_s, "s"), meaning
    yield "question to a worker", quantity(costs.round_trip_s, "s"), "and its answer, outside any sample"
    yield "waking and freezing", quantity(costs.switch_s, "s"), "of a worker, once for each block, outside any sample"
    share = sampling_share(run)
    if share is not None:
        yield "reading sensors", percent(share), "of one core, beside everything that is measured"


def _where(noise: Noise) -> str:
    return f"{one_line(noise.workload.name)} on {one_line(noise.device)}"


def _least(noise: Noise) -> str:
    return DASH if noise.detectable is None else percent(noise.detectable)
