"""What a choice costs: set-up that must pay for itself, the loading of input, independence of a vendor."""

from __future__ import annotations

from bench.analysis import BreakEven, Comparison, Group, Independence, InputShare, Row
from bench.records import Trial
from bench.units import quantity
from reports.figures import DASH, bounds, percent, ratio_scale, rounded
from reports.tables import Align, Cell, Column, Line, Table, energy_per_item
from reports.text import listed, one_line


def break_even_said(title: str, group: Group, winner: Row | None) -> str | None:
    """After how many items the fastest setting has paid for its set-up; None where it costs no more to set up."""
    cold = None if winner is None else winner.break_even_cold
    if winner is None or cold is None or cold.items == 0 or winner.set_up_cold is None:
        return None
    baseline = group.rows[0].set_up_cold
    extra = DASH if baseline is None else quantity(winner.set_up_cold.value - baseline.value, "s")
    warm = winner.break_even_warm
    later = "" if warm is None else f", with warm ones after {rounded(warm.items)}"
    return (
        f"{_capital(title)}: {_name(winner.trial)} takes {extra} more to set up than {_name(group.rows[0].trial)} with "
        f"cold caches, which has paid after {rounded(cold.items)} {one_line(group.workload.items)} "
        f"({_range(cold)}){later}."
    )


def input_said(share: InputShare, confidence: float) -> str:
    """How much of the end-to-end time is the input's."""
    interval = "no interval"
    if share.low is not None and share.high is not None:
        interval = f"{percent(confidence)} interval {percent(share.low)} to {percent(share.high)}"
    ours, resident = one_line(share.end_to_end.name), one_line(share.resident.name)
    how = f"{interval}, not paired: measured one after the other"
    if share.low is not None and share.low <= 0:
        return f"What share of its time {ours} spends on its input, beside {resident}, could not be shown ({how})."
    return (
        f"{ours} spends {percent(share.share)} of its time on its input, as against {resident}, whose images lie ready "
        f"({how})."
    )


def independence_said(title: str, group: Group) -> str | None:
    """What it costs in time to do without what one vendor alone has; None where there was nothing to weigh."""
    found = group.independence
    if found is None:
        return None
    start = f"{_capital(title)}, the price of independence"
    if found.bound is None or found.price is None:
        return f"{start}: unknown, no vendor-bound setting has a sure verdict."
    names = f"{_name(found.bound.trial)} (vendor-bound) against {_name(found.neutral.trial)} (vendor-neutral)"
    doubt = ""
    if found.undecided:
        doubt = f" Undecided, and so not counted: {listed(tuple(map(_name, found.undecided)))}."
    return f"{start}: {_ratio(found.price)} times as fast, {names}.{doubt}"


def independence_table(group: Group) -> Table | None:
    """The best of either side, beside each other; None where there is nothing to weigh."""
    found = group.independence
    if found is None or found.bound is None:
        return None
    rows = {row.trial.case: row for row in group.rows}
    sides = (("vendor-neutral", found.neutral), ("vendor-bound", found.bound))
    return Table(
        "The price of independence",
        (
            Column("case", "best of"),
            Column("setting", "setting"),
            Column("speedup", "speed-up", "× baseline", Align.RIGHT),
            Column("rate", f"{one_line(group.workload.items)}/s", "", Align.RIGHT),
            Column("energy", "energy", f"J/{one_line(group.workload.items).removesuffix('s')}", Align.RIGHT),
        ),
        tuple(
            Line(
                (
                    Cell(side),
                    Cell(_name(candidate.trial)),
                    Cell(f"{candidate.speedup:.3f}"),
                    Cell(_rate(rows[candidate.trial.case])),
                    Cell(_energy(rows[candidate.trial.case])),
                )
            )
            for side, candidate in sides
        ),
        legend=_price_legend(found),
    )


def _price_legend(found: Independence) -> str:
    if found.price is None:
        return ""
    return (
        f"The vendor-bound setting is {_ratio(found.price)} times as fast, measured in pairs. Vendor-neutral is what "
        "runs elsewhere without change, vendor-bound what one vendor's hardware alone has: CUDA graphs, TensorRT, TF32."
    )


def _ratio(comparison: Comparison) -> str:
    scale = ratio_scale([bounds(comparison)])
    text = scale.number(comparison.speedup)
    if comparison.low is None or comparison.high is None:
        return text
    interval = f"{scale.number(comparison.low)} to {scale.number(comparison.high)}"
    return f"{text} ({percent(comparison.confidence)} interval {interval})"


def _range(found: BreakEven) -> str:
    low = rounded(found.low)
    return f"at least {low}" if found.high is None else f"{low} to {rounded(found.high)}"


def _rate(row: Row) -> str:
    return DASH if row.throughput is None else f"{row.throughput.value:.4g}"


def _energy(row: Row) -> str:
    known = energy_per_item(row)
    if known is None:
        return DASH
    return f"{'≈ ' if known.estimated else ''}{known.value:.3g}"


def _name(trial: Trial) -> str:
    return one_line(trial.case.variant.id)


def _capital(title: str) -> str:
    return title[:1].upper() + title[1:]
