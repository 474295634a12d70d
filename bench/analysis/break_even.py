"""After how many items a setting that costs more to set up has paid for itself against the baseline.

::

    seconds |           baseline  /
            |                   /  . ' variant: a later start, less for each item
            |            . / '
            |     . '  /
            |        /
            +------------+------------- items
                     break-even
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.analysis.comparison import Comparison, Verdict
from bench.analysis.estimates import Estimate

#: A cold set-up is timed once. A difference below this fraction of the baseline's is noise, and costs nothing.
_NOISE = 0.25


@dataclass(frozen=True)
class BreakEven:
    """Items until set-up and work together take as long as the baseline's; 0 where set-up costs no more.

    The interval is carried over from the speed-up; ``high`` is None where that may be no speed-up at all.
    """

    items: float
    low: float
    high: float | None


def break_even(
    set_up: Estimate | None,
    baseline_set_up: Estimate | None,
    comparison: Comparison | None,
    verdict: Verdict | None,
    baseline_item_s: float | None,
) -> BreakEven | None:
    """The break-even of a setting, both set up with cold or both with warm caches; None where it never pays.

    Only what is FASTER pays. ``baseline_item_s`` is the baseline's time for one item, in seconds.
    """
    if verdict is not Verdict.FASTER or set_up is None or baseline_set_up is None:
        return None
    if comparison is None or comparison.speedup <= 1 or baseline_item_s is None:
        return None
    extra_s = set_up.value - baseline_set_up.value
    extra_s = extra_s if extra_s > _NOISE * baseline_set_up.value else 0.0
    point, best, worst = (
        _items(extra_s, baseline_item_s, speedup) for speedup in (comparison.speedup, comparison.high, comparison.low)
    )
    if point is None:
        return None
    return BreakEven(point, point if best is None else best, worst)


def _items(extra_s: float, baseline_item_s: float, speedup: float | None) -> float | None:
    """What is saved with each item is the baseline's time less that over the speed-up."""
    if speedup is None or speedup <= 1:
        return None
    return extra_s / (baseline_item_s * (1 - 1 / speedup))
