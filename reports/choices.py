"""What a choice costs: set-up that must pay for itself, and the loading of input."""

from __future__ import annotations

from bench.analysis import BreakEven, Group, InputShare, Row
from bench.records import Trial
from bench.units import quantity
from reports.figures import DASH, percent, rounded
from reports.text import one_line


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
        f"({_range(cold)} by the interval of the speed-up; set-up was timed once){later}."
    )


def input_said(share: InputShare, confidence: float) -> str:
    """How much of the end-to-end time is the input's."""
    interval = "no interval"
    if share.low is not None and share.high is not None:
        interval = f"{percent(confidence)} interval {percent(share.low)} to {percent(share.high)}, of waves alone"
    ours, resident = one_line(share.end_to_end.name), one_line(share.resident.name)
    how = f"{interval}; not paired, so it does not know how the machine changed between the two"
    if share.low is not None and share.low <= 0:
        return f"What share of its time {ours} spends on its input, beside {resident}, could not be shown ({how})."
    return (
        f"{ours} spends {percent(share.share)} of its time on its input, as against {resident}, whose images lie ready "
        f"({how})."
    )


def _range(found: BreakEven) -> str:
    low = rounded(found.low)
    return f"at least {low}" if found.high is None else f"{low} to {rounded(found.high)}"


def _name(trial: Trial) -> str:
    return one_line(trial.case.variant.id)


def _capital(title: str) -> str:
    return title[:1].upper() + title[1:]
