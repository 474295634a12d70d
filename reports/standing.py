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
