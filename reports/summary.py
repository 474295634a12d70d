"""The top of a report: a few sentences, each true of the data, that can be read without the tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.analysis import Comparison, Group, Row, Verdict, input_shares
from bench.records import Caveat, CaveatKind, Plan, Run
from reports.choices import break_even_said, input_said
from reports.figures import DASH, bounds, percent, ratio_scale, share
from reports.independence import independence_said
from reports.money import Account
from reports.precision import precision_said
from reports.standing import Standing, standing
from reports.text import listed, one_line
from reports.wording import OF_ENERGY, of_caveat

#: Groups, each with its title.
Named = tuple[tuple[str, Group], ...]


@dataclass(frozen=True)
class Headline:
    """A group's outcome in a few words; ``figure`` is empty where nothing was shown to be faster."""

    group: str
    baseline: str
    figure: str
    case: str
    text: str


def titles(groups: tuple[Group, ...]) -> tuple[str, ...]:
    """``"inference on cpu"`` for each group, with the workload's parameters where two would read the same."""
    plain = [f"{one_line(group.workload.name)} on {one_line(group.device)}" for group in groups]
    return tuple(
        title if plain.count(title) == 1 else f"{title} ({_parameters(group)})"
        for title, group in zip(plain, groups, strict=True)
    )


def summarised(groups: tuple[Group, ...], run: Run, accounts: tuple[Account, ...] = ()) -> tuple[str, ...]:
    """The sentences: the fastest of each group, what is the same or undecided, what has no verdict and why."""
    if not groups and not run.skips:
        return ("This run holds no cases: nothing was selected, or it ended before the first.",)
    named = tuple(zip(titles(groups), groups, strict=True))
    return (*fastest_said(named), *energy_said(named), *others_said(named, run, accounts))


def fastest_said(named: Named) -> tuple[str, ...]:
    """The fastest of each group, a sentence each."""
    return tuple(_fastest(title, group) for title, group in named)


def energy_said(named: Named) -> tuple[str, ...]:
    """What takes the least energy, a sentence for each group that has any."""
    return tuple(sentence for title, group in named if (sentence := _least_energy(title, group)))


def fastest_in_one(named: Named) -> str:
    """The fastest of every group in one sentence, and the groups that have none."""
    parts = []
    for title, group in named:
        winners = ranked_winners(group)
        if winners:
            row, comparison = winners[0]
            doubts = dict.fromkeys(of_caveat(one).label for one in row.caveats if one.kind not in OF_ENERGY)
            told = ", ".join((title, *_unranked(winners), *doubts))
            parts.append(f"{_speedup(comparison)} times with {_name(row)} ({told})")
    none = tuple(title for title, group in named if not ranked_winners(group))
    said = f"The largest speed-ups shown, each over the baseline of its group: {'; '.join(parts)}." if parts else ""
    lacking = f"Nothing was shown to be faster in {listed(none, 9)}." if none else ""
    return " ".join(filter(None, (said, lacking)))


def energy_in_one(named: Named) -> str:
    """What takes the least energy in every group that has any, in one sentence."""
    parts = []
    for title, group in named:
        savers = _savers(group)
        for row, ratio in savers[:1]:
            doubts = dict.fromkeys(of_caveat(one).label for one in row.caveats)
            told = ", ".join((title, *_unranked(savers), *doubts))
            parts.append(f"{_speedup(ratio)} times with {_name(row)} ({told})")
    if not parts:
        return "No setting was shown to take less energy than the baseline of its group."
    return f"The most work per joule shown, each over the baseline of its group: {'; '.join(parts)}."


def others_said(named: Named, run: Run, accounts: tuple[Account, ...] = ()) -> tuple[str, ...]:
    """What a choice costs, what is the same or undecided, what has no verdict and why."""
    groups = tuple(group for _, group in named)
    sentences = [*_of_choices(named, run, accounts), *_unmeasured_energy(groups)]
    sentences += _of_standing(named, Standing.SAME, f"Not different from the baseline by more than {_band(run.plan)}")
    sentences += _of_standing(named, Standing.UNSURE, "Undecided, so neither faster nor slower may be said of")
    sentences += precision_said(named, run.plan)
    sentences += _without_verdict(named, run)
    if any(row.comparison is not None and not row.comparison.over_waves for group in groups for row in group.rows):
        sentences.append("Comparisons of a single wave leave out what differs from one process to the next.")
    return tuple(sentences)


def headline(title: str, group: Group) -> Headline:
    """The group's fastest setting as one large figure, or the plain statement that there is none."""
    winners = ranked_winners(group)
    baseline = one_line(group.baseline.variant.id)
    if not winners:
        return Headline(title, baseline, "", "", _no_winner(group))
    best = winners[0][1]
    text = f"times as fast as {baseline}; {percent(best.level)} interval {_interval(best)}{_rivals(winners)}"
    return Headline(title, baseline, _speedup(winners[0][1]), _name(winners[0][0]), text)


def ranked_winners(group: Group) -> tuple[tuple[Row, Comparison], ...]:
    """The rows that may be called FASTER, the largest speed-up first."""
    winners = [
        (row, row.comparison) for row in group.rows if row.comparison is not None and standing(row) is Standing.FASTER
    ]
    return tuple(sorted(winners, key=lambda winner: -winner[1].speedup))


def _of_choices(named: Named, run: Run, accounts: tuple[Account, ...]) -> list[str]:
    """What is paid for a choice: set-up, input, independence; nothing where nothing of it was measured."""
    winners = [(title, group, next((row for row, _ in ranked_winners(group)), None)) for title, group in named]
    said = [break_even_said(title, group, winner) for title, group, winner in winners]
    said += [input_said(share, run.plan.confidence) for share in input_shares(run.trials, run.plan)]
    said += [
        independence_said(title, group, account)
        for (title, group), account in itertools.zip_longest(named, accounts)  # without prices there are no accounts
    ]
    return [sentence for sentence in said if sentence is not None]


def _fastest(title: str, group: Group) -> str:
    winners = ranked_winners(group)
    if not winners:
        return f"{_capital(title)}: {_no_winner(group)}."
    row, comparison = winners[0]
    checked = any(judgement.holds for judgement in row.judgements)
    right = " of a setting whose results are right" if checked else ""
    doubts = _doubts(caveat for caveat in row.caveats if caveat.kind not in OF_ENERGY)
    return (
        f"{_capital(title)}: {_name(row)} is {_speedup(comparison)} times as fast as {_case(group)} "
        f"({percent(comparison.level)} interval {_interval(comparison)}), "
        f"the largest speed-up shown{right}{_rivals(winners)}.{_accuracies(row, group.rows[0])}{doubts}"
    )


def _rivals(winners: Sequence[tuple[Row, Comparison]]) -> str:
    """The others that the first cannot be told from."""
    close = _close(winners)
    if len(close) > 1:
        return f"; the intervals of {listed(close)} overlap with it, so they are not ranked"
    return f"; the interval of {listed(close)} overlaps with it, so the two are not ranked" if close else ""


def _close(winners: Sequence[tuple[Row, Comparison]]) -> tuple[str, ...]:
    first, comparison = winners[0]
    energy = None if first.energy is None or comparison is not first.energy_comparison else first.energy.per_item
    mixed = energy is not None and energy.mixed  # of such sums no two are ranked
    return tuple(_name(other) for other, theirs in winners[1:] if mixed or _overlap(comparison, theirs))


def _unranked(winners: Sequence[tuple[Row, Comparison]]) -> tuple[str, ...]:
    """The same in a few words, for a list."""
    close = _close(winners)
    return (f"not ranked before {listed(close)}",) if close else ()


def _doubts(caveats: Iterable[Caveat]) -> str:
    labels = tuple(dict.fromkeys(of_caveat(caveat).label for caveat in caveats))
    return f" Its caveats: {listed(labels)}." if labels else ""


def _accuracies(row: Row, baseline: Row) -> str:
    """The winner's accuracy beside the baseline's; nothing where either is unknown."""
    if row.accuracy is None or baseline.accuracy is None:
        return ""
    return (
        f" Its accuracy on {row.accuracy.n} held-out {one_line(row.trial.case.workload.items)} is "
        f"{share(row.accuracy.value)}, the baseline's {share(baseline.accuracy.value)}."
    )


def _least_energy(title: str, group: Group) -> str | None:
    """Which setting takes the least energy; None where none was measured."""
    if not any(row.energy_verdict for row in group.rows):
        return None
    savers = _savers(group)
    if not savers:
        return f"{_capital(title)}: no setting was shown to take less energy than {_case(group)}."
    row, ratio = savers[0]
    return (
        f"{_capital(title)}: {_name(row)} does {_speedup(ratio)} times as much with a joule as {_case(group)} "
        f"({percent(ratio.level)} interval {_interval(ratio)}), the largest saving of energy shown"
        f"{_rivals(savers)}.{_doubts(row.caveats)}"
    )


def _savers(group: Group) -> list[tuple[Row, Comparison]]:
    """The rows that were shown to save energy, the largest saving first."""
    savers = [
        (row, row.energy_comparison)
        for row in group.rows
        if row.energy_comparison is not None and row.energy_verdict is Verdict.FASTER
    ]
    return sorted(savers, key=lambda saver: -saver[1].speedup)


def _unmeasured_energy(groups: tuple[Group, ...]) -> list[str]:
    """Why there is no energy, or why it decides nothing."""
    rows = [row for group in groups for row in group.rows if row.energy is not None]
    known = [row.energy.per_item for row in rows if row.energy is not None and row.energy.per_item is not None]
    if known:
        estimated = any(estimate.estimated for estimate in known)
        return ["Energy figures are estimates of a model and decide nothing."] if estimated else []
    lacks = [caveat for row in rows for caveat in row.caveats if caveat.kind is CaveatKind.NO_SENSOR]
    if not lacks:
        return []
    figures = [dict(lack.figures) for lack in lacks]
    reasons = dict.fromkeys(one_line(each.get("reason", DASH)) for each in figures)
    fixes = dict.fromkeys(one_line(each.get("fix", DASH)) for each in figures)
    return [f"Energy was not measured: {'; '.join(reasons)}. To have it: {'; '.join(fixes)}."]


def _no_winner(group: Group) -> str:
    baseline = group.rows[0]
    if standing(baseline) is Standing.FAILED:
        what = "can be compared" if baseline.time_per_step is None else "is judged"
        return f"the baseline {_case(group)} failed, so no setting {what}"
    if standing(baseline) is Standing.STRUCK and baseline.trial.honoured:
        return f"the baseline {_case(group)} gave wrong results, so no setting is judged"
    if standing(baseline) is Standing.STRUCK:
        return f"the baseline {_case(group)} was not measured as labelled, so no setting is judged"
    if any(caveat.kind is CaveatKind.PROFILED for row in group.rows for caveat in row.caveats):
        return "a profiler was attached, so no setting is judged"
    if all(row.comparison is None for row in group.rows):
        return f"only {_case(group)} has figures, so nothing is compared"
    return f"no setting was shown to be faster than {_case(group)}"


def _of_standing(named: Named, wanted: Standing, start: str) -> list[str]:
    parts = []
    for title, group in named:
        cases = tuple(_name(row) for row in group.rows if standing(row) is wanted)
        if cases:
            parts.append(f"{listed(cases)} ({title})")
    return [f"{start}: {'; '.join(parts)}."] if parts else []


def _without_verdict(named: Named, run: Run) -> list[str]:
    rows = [(row, f"{_name(row)} ({title})") for title, group in named for row in group.rows]
    failed = tuple(name for row, name in rows if standing(row) is Standing.FAILED)
    struck = tuple(name for row, name in rows if standing(row) is Standing.STRUCK and not row.trial.honoured)
    wrong = tuple(name for row, name in rows if standing(row) is Standing.STRUCK and row.trial.honoured)
    skipped = tuple(one_line(skip.case.name) for skip in run.skips)
    parts = (
        ("failed", failed),
        ("struck out because the label was not honoured", struck),
        ("struck out because the results are wrong", wrong),
        ("skipped, because this machine cannot run it", skipped),
    )
    said = [f"{what}: {listed(names)}" for what, names in parts if names]
    return [f"{_capital('; '.join(said))}."] if said else []


def _overlap(first: Comparison, second: Comparison) -> bool:
    return first.low is None or second.high is None or second.high >= first.low


def _speedup(comparison: Comparison) -> str:
    return ratio_scale([bounds(comparison)]).number(comparison.speedup)


def _interval(comparison: Comparison) -> str:
    written = ratio_scale([bounds(comparison)])
    if comparison.low is None or comparison.high is None:
        return "unknown"
    return f"{written.number(comparison.low)} to {written.number(comparison.high)}"


def _parameters(group: Group) -> str:
    return (
        ", ".join(f"{one_line(name)} {one_line(value)}" for name, value in group.workload.parameters) or "no parameters"
    )


def _band(plan: Plan) -> str:
    return percent(plan.band)


def _name(row: Row) -> str:
    return one_line(row.trial.case.variant.id)


def _case(group: Group) -> str:
    return one_line(group.baseline.variant.id)


def _capital(title: str) -> str:
    return title[:1].upper() + title[1:]
