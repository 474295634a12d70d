"""The metrics of money in the tidy table: for one item each, unscaled, in the currency of the price book."""

from __future__ import annotations

from collections.abc import Iterator

from bench.analysis import Row
from bench.analysis.cost import Cost, Tariff, bill_of


def costs_of(row: Row, tariff: Tariff) -> Iterator[dict[str, object]]:
    """Every metric of money of a row; what is not known has no value."""
    bill, currency = bill_of(row, tariff), tariff.currency
    one = row.trial.case.workload.items.removesuffix("s") or "item"
    costs = (None,) * 5 if bill is None else (bill.rent, bill.spot, bill.owned, bill.electricity, bill.emissions_g)
    names = ("rent", "spot rent", "ownership", "electricity", "emissions")
    drift = f"; time x {row.drift:.4f} (left half-way)" if row.drift != 1 else ""
    assumed = {"assumptions": f"{_assumptions(tariff)}{drift}"}
    for name, cost in zip(names, costs, strict=True):
        yield {**_metric(f"{name} per {one}", "g" if name == "emissions" else currency, cost), **assumed}
    set_up = (None, None) if bill is None else (bill.set_up, bill.set_up_items)
    yield {"metric": "set-up cost cold", "unit": currency, "value": set_up[0], **assumed}
    yield {"metric": "set-up cold in items", "unit": row.trial.case.workload.items, "value": set_up[1]}


def _assumptions(tariff: Tariff) -> str:
    """Use, overhead, and whose prices of when: what somebody must know who adds up such figures."""
    said = [f"at work {tariff.utilisation:g}", f"PUE {tariff.pue:g}", f"units {tariff.device.units}"]
    for name, entry in (("rent", tariff.rent), ("spot", tariff.spot)):
        said += [] if entry is None else [f"{name} {entry.provider} {entry.date}"]
    said += [] if tariff.purchase is None else [f"purchase {tariff.purchase.date}, {tariff.purchase.years:g} years"]
    said += [] if tariff.electricity is None else [f"electricity {tariff.electricity.region} {tariff.electricity.date}"]
    said += [] if tariff.carbon is None else [f"carbon {tariff.carbon.region} {tariff.carbon.date}"]
    return "; ".join(said)


def _metric(name: str, unit: str, cost: Cost | None) -> dict[str, object]:
    if cost is None:
        return {"metric": name, "unit": unit}
    known = cost.low is not None
    return {
        "metric": name,
        "value": cost.value,
        "low": cost.low,
        "high": cost.high,
        "interval": "confidence" if known else None,
        "confidence": cost.confidence if known else None,
        "systematic_low": cost.systematic_low,
        "systematic_high": cost.systematic_high,
        "unit": unit,
        "n": cost.n,
        "origin": "estimated" if cost.estimated else "measured",
    }
