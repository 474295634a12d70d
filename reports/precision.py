"""How many waves it takes until every speed-up of a table is as precise as asked for, and how to ask for them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from bench.analysis import Comparison, Group
from bench.records import Plan
from reports.figures import percent
from reports.standing import Standing, standing
from reports.text import listed, one_line

#: Nobody waits for more waves than this; a quieter machine is what helps.
_MOST_WAVES = 200
_WITHOUT_VERDICT = (Standing.FAILED, Standing.STRUCK, Standing.UNJUDGED)


def precision_said(named: Iterable[tuple[str, Group]], plan: Plan) -> tuple[str, ...]:
    """One sentence on the groups that are not precise enough; none where all are, or none can tell.

    The number follows from how far waves lay apart (:meth:`bench.analysis.Comparison.waves_for`), so it holds for a
    machine that stays as noisy as it was. The budget is what as many waves of as many rounds take.
    """
    parts = tuple(said for title, group in named if (said := _of_group(title, group, plan)))
    if not parts:
        return ()
    wanted = f"±{percent(plan.precision)}, or a tenth of the difference where that is more"
    return (f"To be as precise as asked for ({wanted}), if the machine stays as noisy: {'; '.join(parts)}.",)


def _of_group(title: str, group: Group, plan: Plan) -> str | None:
    """``training on cpu takes 14 waves, cpu-bf16 the most (--bench-waves=14 --bench-budget=320)``."""
    known = tuple(
        (waves, one_line(row.trial.case.variant.id), row.comparison)
        for row in group.rows
        if row.comparison is not None
        and standing(row) not in _WITHOUT_VERDICT
        and not row.comparison.is_precise(plan.precision)
        and (waves := row.comparison.waves_for(plan.precision)) is not None
    )
    within = [each for each in known if each[0] <= _MOST_WAVES]
    beyond = tuple(name for waves, name, _ in known if waves > _MOST_WAVES)
    never = f"{listed(beyond)} would take more than {_MOST_WAVES} waves" if beyond else ""
    if not within:
        return f"{title}: {never}" if never else None
    waves, name, comparison = max(within, key=lambda each: each[0])
    said = f"{title} takes {waves} waves, {name} the most ({_asked(waves, comparison, len(group.rows), plan)})"
    return f"{said}, but {never}" if never else said


def _asked(waves: int, comparison: Comparison, cases: int, plan: Plan) -> str:
    """The options that ask for so many waves, each as long as those of this run were."""
    budget_s = plan.group_budget_s(cases) * waves / len(comparison.evidence)
    return f"--bench-waves={waves} --bench-budget={math.ceil(budget_s)}"
