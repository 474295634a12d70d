"""What a run costs, in sentences: the cheapest of each group, all groups in one, and prices that are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.analysis import Comparison, Row
from bench.analysis.cost import Bill, Cost
from reports.figures import DASH, Scale, bounds, column_scale
from reports.money import MANY, Account, rounded, variant_of
from reports.standing import Standing, standing_of
from reports.text import listed, one_line

#: What must be said with the cheapest.
_DOUBTS = {
    Standing.UNSURE: ", though it was not shown to be better (UNSURE)",
    Standing.SAME: ", which is no difference that counts (SAME)",
    Standing.UNJUDGED: ", though it was not judged",
}

_Paid = tuple[Row, Bill, tuple[str, Cost]]


def costs_said(accounts: Sequence[Account]) -> tuple[str, ...]:
    """What a million items cost, in a sentence for each group that has a price."""
    return tuple(sentence for account in accounts if (sentence := _cheapest_said(account)))


def costs_in_one(accounts: Sequence[Account]) -> str:
    """The cheapest case of every group that has a price, in one sentence."""
    parts = []
    for account in accounts:
        known = _known(account)
        if not known:
            continue
        row, _, (way, cost) = min(known, key=_amount)
        scale = column_scale([bounds(cost.times(MANY))], "1")
        stands, close = standing_of(row, way), _close(row, known, way)
        doubt = f", {stands.value}" if stands in _DOUBTS else ""
        doubt += f", not ranked before {listed(close)}" if close else ""
        said = _said(cost, scale, account)
        parts.append(f"{said} with {variant_of(row)} by {way} ({account.title}{doubt})")
    items = dict.fromkeys(account.items for account in accounts)
    what = next(iter(items)) if len(items) == 1 else "items"
    return f"The cheapest of each group, for {rounded(MANY)} {what} as they are paid by default: {'; '.join(parts)}."


def prices_asked(accounts: Sequence[Account]) -> Iterator[str]:
    """For devices and regions without a price, what is asked for."""
    unpriced = dict.fromkeys(
        one_line(account.tariff.device.name)
        for account in accounts
        if account.tariff.rent is None and account.tariff.purchase is None and any(account.bills)
    )
    if unpriced:
        yield (
            f"The price book has neither rent nor purchase price of {listed(tuple(unpriced))}: write one there "
            "(joulemark prices > prices.toml) and give it with --prices prices.toml, or --bench-prices when measuring."
        )
    yield from _lacks_said(accounts)


def _lacks_said(accounts: Sequence[Account]) -> Iterator[str]:
    """What of electricity the price book does not know, where there is energy to be priced."""
    used = [account for account in accounts if any(bill is not None and bill.energy_j for bill in account.bills)]
    if not used:
        return
    tariff, region = used[0].tariff, one_line(used[0].book.assume.region) or DASH
    entries = (("price", "electricity", tariff.electricity), ("CO2e", "carbon", tariff.carbon))
    for what, name, entry in entries:
        if entry is None:
            yield (
                f"The price book has no {what} of electricity for the region {region}: write it there ([[{name}]]), "
                "or name another region (--region)."
            )


def _known(account: Account) -> list[_Paid]:
    """The rows that have a bill which rests on no estimate, with how it is paid by default."""
    return [
        (row, bill, paid)
        for row, bill in account.priced
        if (paid := bill.default_way) is not None and not paid[1].estimated
    ]


def _amount(paid: _Paid) -> float:
    return paid[2][1].value


def _cheapest_said(account: Account) -> str | None:
    known = _known(account)
    if not known:
        return None
    row, _, (way, cost) = min(known, key=_amount)
    same_way = [one for one in known if one[2][0] == way]
    scale = column_scale([bounds(one[2][1].times(MANY)) for one in same_way], "1")
    title = account.title[:1].upper() + account.title[1:]
    text = (
        f"{title}: {rounded(MANY)} {account.items} cost {_said(cost, scale, account)} with {variant_of(row)} by {way}"
    )
    baseline = next((one for one in same_way if one[0].is_baseline), None)
    if baseline is None or row.is_baseline:
        return f"{text}, the cheapest that was measured{_rivals(row, same_way, way)}."
    doubt = _DOUBTS.get(standing_of(row, way), "")
    said = f"{_said(baseline[2][1], scale, account)} with {variant_of(baseline[0])}"
    return f"{text}{doubt}, and {said}{_rivals(row, same_way, way)}."


def _rivals(row: Row, known: Sequence[_Paid], way: str) -> str:
    close = _close(row, known, way)
    return f"; it is not ranked before {listed(close)}" if close else ""


def _close(row: Row, known: Sequence[_Paid], way: str) -> tuple[str, ...]:
    return unranked(row, [one[0] for one in known if one[2][0] == way], way)


def unranked(row: Row, rows: Sequence[Row], way: str) -> tuple[str, ...]:
    """The other settings that the cheapest cannot be told from, by the ratios that decide what is paid.

    Of a baseline, those that were not shown to be worse; the baseline itself is spoken of elsewhere.
    """
    others = [other for other in rows if other is not row and not other.is_baseline]
    if row.is_baseline:
        return tuple(variant_of(other) for other in others if standing_of(other, way) is not Standing.SLOWER)
    return tuple(variant_of(other) for other in others if not _is_better(_ratios(row, way), _ratios(other, way)))


def _ratios(row: Row, way: str) -> tuple[Comparison | None, ...]:
    known = None if row.energy is None else row.energy.per_item
    energy = None if known is None or known.mixed else row.energy_comparison  # of such sums no two are ranked
    both = {"rent": (row.comparison,), "spot rent": (row.comparison,), "electricity": (energy,)}
    return both.get(way, (row.comparison, energy))


def _is_better(ours: Sequence[Comparison | None], theirs: Sequence[Comparison | None]) -> bool:
    """Whether all that is paid for is less, and for certain: faster and thriftier, not the one at the other's cost."""
    return all(map(_above, ours, theirs))


def _above(first: Comparison | None, second: Comparison | None) -> bool:
    if first is None or second is None or first.low is None or second.high is None:
        return False
    return first.low > second.high


def _said(cost: Cost, scale: Scale, account: Account) -> str:
    many = cost.times(MANY)
    interval = ""
    if many.low is not None and many.high is not None:
        interval = f" ({scale.number(many.low)} to {scale.number(many.high)})"
    return f"{scale.number(many.value)} {one_line(account.tariff.currency)}{interval}"
