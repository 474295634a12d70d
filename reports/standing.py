"""Where a case stands in its table: its verdict, or why it has none."""

from __future__ import annotations

import enum

from bench.analysis import Row, Verdict


class Standing(enum.Enum):
    """Verdicts are written in capitals, everything else in small letters."""

    FASTER = "FASTER"
    SLOWER = "SLOWER"
    SAME = "SAME"
    UNSURE = "UNSURE"
    BASELINE = "baseline"
    FAILED = "failed"
    STRUCK = "struck"
    UNJUDGED = "unjudged"


_JUDGED = {verdict: Standing[verdict.name] for verdict in Verdict}


def standing(row: Row) -> Standing:
    """A failure weighs more than a label that was not honoured or a wrong result, and each more than any verdict."""
    if row.trial.failure is not None:
        return Standing.FAILED
    if not (row.trial.honoured and row.right):
        return Standing.STRUCK
    if row.is_baseline:
        return Standing.BASELINE
    return Standing.UNJUDGED if row.verdict is None else _JUDGED[row.verdict]


def standing_of(row: Row, way: str) -> Standing:
    """Where a case stands in what it costs by a way of paying, for which time or energy or both decide.

    Rent follows the time, electricity the energy; ownership is the sum of both.
    """
    by_time = standing(row)
    if by_time in _UNCOMPARED or way not in ("electricity", "ownership"):
        return by_time
    by_energy = Standing.UNJUDGED if row.energy_verdict is None else _JUDGED[row.energy_verdict]
    return by_energy if way == "electricity" else _both(by_time, by_energy)


def _both(one: Standing, other: Standing) -> Standing:
    """What may be said of a sum of two, each of which was judged by itself."""
    if one is other:
        return one
    pair = {one, other}
    if Standing.UNJUDGED in pair:
        return Standing.UNJUDGED
    if Standing.UNSURE in pair or pair == {Standing.FASTER, Standing.SLOWER}:
        return Standing.UNSURE
    return one if other is Standing.SAME else other


#: What no comparison has put there.
_UNCOMPARED = (Standing.FAILED, Standing.STRUCK, Standing.BASELINE)
