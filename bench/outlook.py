"""What a session says before it measures: how much there is to do, what is left out and why, how long it may take."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from bench.analysis.settings import environment_differences
from bench.forecast import forecast_s
from bench.measurement import group_name
from bench.option_values import COPIES
from bench.records import Case, Plan, Skip
from bench.selection import Selection
from bench.session import Session


def outlook(measuring: Session, selections: Sequence[Selection]) -> Iterator[str]:
    """What will be measured, what was left out and why, and how long it may take: a sentence each."""
    plan = measuring.options.plan
    cases, groups = measuring.selected
    yield (
        f"{_counted(cases, 'case')} in {_counted(groups, 'group')}, "
        f"{_counted(plan.waves, 'wave')} of {_rounds(plan)}, "
        f"about {_budget(measuring.planned)} s a group (and set-up); seed {plan.seed}"
    )
    yield from _left_out(selections)
    yield from _other_baselines(measuring.planned, selections)
    yield from _impossible(measuring.impossible)
    yield from _self_check(measuring.options.self_check)
    yield from _attached(measuring.profiler)
    minutes = max(1, math.ceil(forecast_s(measuring.planned) / 60))
    yield f"it may take about {_counted(minutes, 'minute')}: an estimate, from the plan and usual set-up times"


def resumed(measuring: Session) -> Iterator[str]:
    """What a session goes on with, where it does."""
    told = measuring.resumed
    if told is not None:
        kept = _counted(told.kept_waves, "finished wave")
        changes = len(environment_differences(told.environment, told.sittings[-1].environment))
        machine = f"{_counted(changes, 'fact')} of the machine changed since" if changes else "the machine is the same"
        yield f"going on with {told.opened.id}: {kept} kept, the rest is measured now; {machine}"


def rivals(number: int) -> Iterator[str]:
    """How many others measure at the same time."""
    if number:
        yield f"{_counted(number, 'other run')} of Joulemark on this machine now: figures of both will suffer"


def _left_out(selections: Sequence[Selection]) -> Iterator[str]:
    """A line for each reason, however many cases it holds for."""
    reasons = Counter(reason for selection in selections for _, reason in selection.left_out)
    yield from (f"left out {_counted(count, 'case')}: {reason}" for reason, count in reasons.items())
    added = tuple(dict.fromkeys(str(case) for selection in selections for case in selection.added))
    if added:
        yield f"added {', '.join(added)}: what everything on that device is compared with"


def _other_baselines(planned: Iterable[tuple[Sequence[Case], Plan]], selections: Sequence[Selection]) -> Iterator[str]:
    """Groups whose baseline is another case than usual, because that was not selected."""
    usual: dict[object, Case] = {}
    for selection in selections:
        for case in selection.cases:
            usual.setdefault(case.group, case)
    for group, _ in planned:
        first = group[0]
        if usual.get(first.group, first) != first:
            compared = f"{group_name(first)} is compared with {first}" if len(group) > 1 else f"{first} stands alone"
            yield f"{compared}: {usual[first.group]}, the usual baseline, is not selected"


def _self_check(kind: str | None) -> Iterator[str]:
    if kind is not None:
        cost = "which takes as much more of the budget" if COPIES[kind] > 1 else "in the same budget"
        yield f"self-check: each group's baseline is measured {_counted(COPIES[kind], 'more time')}, {cost}"


def _attached(profiler: str | None) -> Iterator[str]:
    if profiler is not None:
        yield f"{profiler} is attached: it sees ranges, workers are spawned, and there will be no verdicts"


def _impossible(skips: Sequence[Skip]) -> Iterator[str]:
    reasons = Counter((skip.reason, skip.fix) for skip in skips)
    yield from (f"{_counted(count, 'case')} cannot run here: {why}; {fix}" for (why, fix), count in reasons.items())


def _budget(planned: Iterable[tuple[Sequence[Case], Plan]]) -> str:
    budgets = sorted({round(plan.group_budget_s(len(group))) for group, plan in planned})
    return f"{budgets[0]} to {budgets[-1]}" if len(budgets) > 1 else str(budgets[0])


def _rounds(plan: Plan) -> str:
    return _counted(plan.rounds, "round") if plan.rounds else "as many rounds as there is time for"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
