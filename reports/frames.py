"""A run as a tidy table for further work: one row for each case and metric, SI units, nothing scaled or rounded."""

from __future__ import annotations

from collections.abc import Iterator

import pandas

from bench.analysis import BreakEven, Comparison, EnergyEstimate, Estimate, Group, Row, TrialEnergy, summarise
from bench.analysis.cost import device_of, tariff_of
from bench.analysis.energy import ComponentEnergy
from bench.records import Run, Skip
from bench.records.prices import PriceBook
from reports.frames_money import costs_of
from reports.standing import Standing, standing
from reports.text import one_line
from reports.wording import ENERGY_VERDICTS, of_strike

#: The columns of :func:`frame`, in order. ``interval`` says what ``low`` and ``high`` are: the bounds of a
#: confidence interval, the smallest and largest value of all waves, or (of p90 and p99) a bound from above alone.
#: ``systematic_low`` and ``systematic_high`` say where the truth may lie if a sensor's gain is off. ``origin`` is
#: "measured" or "estimated". ``assumptions`` are those that money rests on, apart from what was measured.
COLUMNS = (
    "run", "started", "workload", "device", "case", "baseline", "metric", "value", "low", "high", "interval",
    "confidence", "systematic_low", "systematic_high", "unit", "n", "origin", "components", "verdict", "status",
    "reason", "caveats", "assumptions",
)  # fmt: skip
_NUMBERS = ("value", "low", "high", "confidence", "systematic_low", "systematic_high", "n")
#: A cell that begins with one of these is a formula to a spreadsheet.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

_Values = dict[str, object]


def frame(run: Run, prices: PriceBook | None = None) -> pandas.DataFrame:
    """One row for each case and metric; every case has every metric, an unknown value is missing.

    Failed and struck cases have their status and the reason on each of their rows, skipped cases a row of their own.
    With a price book there are metrics of money, for one item each.
    """
    rows: list[_Values] = []
    for group in summarise(run):
        tariff = None if prices is None else tariff_of(prices, device_of(group, run))
        for row in group.rows:
            rows += [{**_of_run(run), **values} for values in _of_row(group, row)]
            if tariff is not None:
                rows += [
                    {**_of_run(run), **_of_case(group, row), **cost} for cost in costs_of(group.comparable(row), tariff)
                ]
    rows += [{**_of_run(run), **_of_skip(skip)} for skip in run.skips]
    table = pandas.DataFrame(rows, columns=list(COLUMNS))
    types = {name: "Int64" if name == "n" else "Float64" for name in _NUMBERS}
    texts = {name: "string" for name in COLUMNS if name not in _NUMBERS}
    return table.astype({**types, **texts})


def to_csv(run: Run, prices: PriceBook | None = None) -> str:
    """The frame as CSV: unknown values empty, full precision, no cell that a spreadsheet would compute."""
    table = frame(run, prices)
    for name in COLUMNS:
        if name not in _NUMBERS:
            table[name] = table[name].map(inert, na_action="ignore")
    text: str = table.to_csv(index=False, lineterminator="\n")
    return text


def _of_run(run: Run) -> _Values:
    return {"run": run.id, "started": run.started}


def _of_case(group: Group, row: Row) -> _Values:
    stands = standing(row)
    return {
        "workload": group.workload.name,
        "device": group.device,
        "case": row.trial.case.variant.id,
        "baseline": group.baseline.variant.id,
        "verdict": None,  # a speed-up and a saving have one, each its own
        "status": _status(stands),
        "reason": _reason(row, stands),
        "caveats": " ".join(dict.fromkeys(caveat.kind.value for caveat in row.caveats)),
    }


def _of_row(group: Group, row: Row) -> Iterator[_Values]:
    case = _of_case(group, row)
    rate = f"{group.workload.items}/s"
    yield {**case, **_metric("time per step", "s", row.time_per_step)}
    yield {**case, **_metric("throughput", rate, row.throughput)}
    yield {**case, **_speedup(row.comparison), "verdict": None if row.verdict is None else row.verdict.value}
    yield {**case, **_metric("set-up cold", "s", row.set_up_cold)}
    yield {**case, **_metric("set-up warm", "s", row.set_up_warm)}
    items = group.workload.items
    yield {**case, **_break_even("break-even cold", items, row.break_even_cold, row.comparison)}
    yield {**case, **_break_even("break-even warm", items, row.break_even_warm, row.comparison)}
    yield {**case, **_metric("peak memory", "B", row.peak_memory)}
    yield from ({**case, **_tail(name, row)} for name in ("p90", "p99"))
    yield {**case, **_metric("accuracy", "1", row.accuracy)}
    yield {**case, **_metric("agreement", "1", row.agreement)}
    yield {**case, **_metric("relative RMSE", "1", row.score_error)}
    yield {**case, **_metric("loss difference", "1", row.loss_difference)}
    yield from ({**case, **metric} for metric in _energies(row))


def _energies(row: Row) -> Iterator[_Values]:
    """Energy and power of all measured components together; each metric is there, known or not."""
    energy = row.energy
    total = None if energy is None else energy.total
    one = row.trial.case.workload.items.removesuffix("s") or "item"
    verdict = ENERGY_VERDICTS[row.energy_verdict] if row.energy_verdict is not None else None
    yield _metric(f"energy per {one}", "J", None if energy is None else energy.per_item)
    yield _metric("energy per step", "J", None if total is None else total.gross)
    yield _metric("energy per step, net of idle", "J", None if total is None else total.net)
    yield _metric("mean power", "W", None if total is None else total.power)
    yield {"metric": "idle power", "unit": "W", "value": None if total is None else total.idle_w, **_origin(total)}
    yield {"metric": "peak power of one component", "unit": "W", **_peak(energy)}
    yield from _climates(energy)
    yield _metric("energy-delay product", "J·s", None if energy is None else energy.energy_delay)
    yield _metric("set-up energy cold", "J", None if energy is None else energy.set_up_cold)
    yield _metric("set-up energy warm", "J", None if energy is None else energy.set_up_warm)
    yield {**_speedup(row.energy_comparison), "metric": "work per joule", **_origin(total), "verdict": verdict}


def _climates(energy: TrialEnergy | None) -> Iterator[_Values]:
    """Clocks and heat of a case's GPU, with the range over its blocks; of several, those of the first."""
    climate = energy.climates[0] if energy is not None and energy.climates else None
    for name, unit, field in (("SM clock", "Hz", "sm_clock_hz"), ("temperature", "°C", "temperature_c")):
        spread = None if climate is None else getattr(climate, field)
        found = None if spread is None else Estimate(name, spread.value, spread.low, spread.high, None, unit, spread.n)
        yield {**_metric(name, unit, found), "components": None if found is None or climate is None else climate.uuid}


def _break_even(name: str, items: str, found: BreakEven | None, comparison: Comparison | None) -> _Values:
    if found is None or comparison is None:
        return {"metric": name, "unit": items}
    # Not of set-up, which was timed once: the interval of the speed-up alone, with no confidence of its own.
    n = len(comparison.evidence)
    values = _metric(name, items, Estimate(name, found.items, found.low, found.high, None, items, n))
    return {**values, "interval": "of the speed-up alone" if found.high is not None or found.low else None}


def _tail(name: str, row: Row) -> _Values:
    """One quantile of the time of single steps; ``high`` is what it is at most."""
    tail = next((tail for tail in row.tails if tail.name == name), None)
    if tail is None:
        return {"metric": name, "unit": "s"}
    known = None if tail.bound_s is None else "upper bound"
    figures: _Values = {"value": tail.value_s, "high": tail.bound_s, "interval": known, "confidence": tail.confidence}
    return {"metric": name, "unit": "s", "n": tail.n, **figures}


def _peak(energy: TrialEnergy | None) -> _Values:
    """The highest power of any one component, and of which: peaks of several do not fall together."""
    parts = [] if energy is None else [part for part in energy.components if part.peak_w is not None]
    highest = max(parts, key=lambda part: part.peak_w or 0.0, default=None)
    return {} if highest is None else {**_origin(highest), "value": highest.peak_w}


def _origin(total: ComponentEnergy | None) -> _Values:
    if total is None or total.gross is None:
        return {}
    return {
        "origin": "estimated" if total.gross.estimated else "measured",
        "components": " + ".join(total.gross.components),
    }


def _of_skip(skip: Skip) -> _Values:
    return {
        "workload": skip.case.workload.name,
        "device": skip.case.variant.device,
        "case": skip.case.variant.id,
        "status": "skipped",
        "reason": f"{skip.reason}; {skip.fix}",
    }


def _metric(name: str, unit: str, estimate: Estimate | None) -> _Values:
    if estimate is None:
        return {"metric": name, "unit": unit}
    kind = "range" if estimate.confidence is None else "confidence"
    known = kind if estimate.low is not None else None
    energy: _Values = {}
    if isinstance(estimate, EnergyEstimate):
        energy = {
            "systematic_low": estimate.systematic_low,
            "systematic_high": estimate.systematic_high,
            "origin": "estimated" if estimate.estimated else "measured",
            "components": " + ".join(estimate.components),
        }
    return {
        **energy,
        "metric": name,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "interval": known,
        "confidence": estimate.confidence if known == "confidence" else None,
        "unit": unit,
        "n": estimate.n,
    }


def _speedup(comparison: Comparison | None) -> _Values:
    if comparison is None:
        return {"metric": "speed-up", "unit": "1"}
    known = comparison.low is not None
    return {
        "metric": "speed-up",
        "value": comparison.speedup,
        "low": comparison.low,
        "high": comparison.high,
        "interval": "confidence" if known else None,
        "confidence": comparison.level if known else None,
        "unit": "1",
        "n": len(comparison.evidence),
    }


def _status(stands: Standing) -> str:
    return stands.value if stands in (Standing.FAILED, Standing.STRUCK) else "measured"


def _reason(row: Row, stands: Standing) -> str | None:
    if row.trial.failure is not None:
        return row.trial.failure.reason
    return of_strike(row.trial, row.caveats) if stands is Standing.STRUCK else None


def inert(text: str) -> str:
    """The text on one line, with an apostrophe before what a spreadsheet would take for a formula."""
    line = one_line(text)
    return f"'{line}" if text.startswith(_FORMULA_STARTS) or line.lstrip().startswith(_FORMULA_STARTS) else line
