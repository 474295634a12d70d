"""Which case to take from a run, with the runner-up and the reason; never one that is doubtful without saying so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.analysis import EnergyEstimate, Estimate, Row, Tail
from bench.analysis.choice import Candidate, Choice, Goal, Refusal, choose
from bench.analysis.cost import WAYS, Bill, Tariff
from bench.errors import UsageError
from bench.units import quantity, significant
from reports.figures import percent
from reports.money import MANY, Account
from reports.money_said import prices_asked
from reports.prices_used import entries_of
from reports.standing import Standing, standing, standing_of
from reports.text import counted, listed, one_line
from reports.wording import OF_ENERGY, of_caveat

#: What rules a case out before any limit.
_OUT = {Standing.FAILED: Refusal.FAILED, Standing.STRUCK: Refusal.STRUCK}

#: Of a case: its device and variant.
_Key = tuple[str, str]


@dataclass(frozen=True)
class Limits:
    """What a case must keep to; None where nothing is asked."""

    max_latency_s: float | None = None
    min_accuracy: float | None = None


@dataclass(frozen=True)
class Advice:
    """The choice in words; ``found`` is false where no case meets the limits."""

    found: bool
    lines: tuple[str, ...]


@dataclass(frozen=True)
class _Case:
    """A row as a choice, with all that words need."""

    account: Account
    row: Row
    bill: Bill | None

    @property
    def key(self) -> _Key:
        return self.account.group.device, self.row.trial.case.variant.id

    @property
    def name(self) -> str:
        return f"{one_line(self.row.trial.case.variant.id)} on {one_line(self.account.group.device)}"

    @property
    def items(self) -> str:
        return self.account.items


def advise(accounts: Sequence[Account], workload: str, goal: Goal, limits: Limits) -> Advice:
    """What to take for one workload.

    Raises:
        UsageError: the run has no such workload.
    """
    chosen = [account for account in accounts if account.group.workload.name == workload]
    if len({account.group.workload for account in chosen}) > 1:
        msg = f"{one_line(workload)} was measured with different parameters; recommend from a run of one of them"
        raise UsageError(msg)
    if not chosen:
        names = listed(tuple(dict.fromkeys(one_line(account.group.workload.name) for account in accounts)), 9)
        msg = f"the run has no workload {one_line(workload)!r}; choose from {names or 'none: it holds no cases'}"
        raise UsageError(msg)
    cases = [
        _Case(account, row, bill)
        for account in chosen
        for row, bill in zip(account.group.rows, account.bills, strict=True)
    ]
    latencies = _single_steps(accounts, cases)
    for way in _ways(cases) if goal is Goal.COST else ("",):
        candidates = [_candidate(number, case, goal, way, latencies) for number, case in enumerate(cases)]
        choice = choose(candidates, limits.max_latency_s, limits.min_accuracy)
        if choice.winner is not None:
            break
    lines = (*_words(cases, choice, goal, way, limits), *_asked_elsewhere(accounts, candidates, workload, limits))
    return Advice(choice.winner is not None, lines)


def _candidate(key: int, case: _Case, goal: Goal, way: str, latencies: Mapping[_Key, Estimate | None]) -> Candidate:
    aim = _aim(case, goal, way)
    refused = _OUT.get(standing(case.row))
    latency = latencies.get(case.key) if latencies else case.row.time_per_step
    energy = _energy(case) if _rests_on_energy(goal, way) else None
    basis: object = None if energy is None else energy.sensors  # GPUs bear their own numbers
    if energy is not None and energy.mixed:
        basis = key, basis  # what each of several sensors is off by cancels in no ratio of their sums
    return Candidate(
        key, aim, bool(getattr(aim, "estimated", False)), latency, case.row.accuracy, refused, basis, _widest(aim)
    )


def _energy(case: _Case) -> EnergyEstimate | None:
    return case.account.group.comparable_energy(case.row)


def _rests_on_energy(goal: Goal, way: str) -> bool:
    return goal is Goal.ENERGY or (goal is Goal.COST and way != "rent")


def _widest(aim: Estimate | None) -> tuple[float, float] | None:
    """Bounds of both errors together; None where it is not known how far the sensors may be off."""
    low, high = (getattr(aim, f"systematic_{side}", None) for side in ("low", "high"))
    if aim is None or not aim.value or low is None or high is None or aim.low is None or aim.high is None:
        return None
    return aim.low * low / aim.value, aim.high * high / aim.value


def _aim(case: _Case, goal: Goal, way: str) -> Estimate | None:
    if goal is Goal.ENERGY:
        return _energy(case)
    if goal is Goal.COST:
        return None if case.bill is None else case.bill.paid(way)
    rate, drift = case.row.throughput, case.row.drift
    if rate is None:
        return None
    low, high = (None if bound is None else drift / bound for bound in (rate.high, rate.low))
    return replace(rate, statistic="time per item", value=drift / rate.value, low=low, high=high, unit="s")


def _ways(cases: Sequence[_Case]) -> tuple[str, ...]:
    """How cost may be counted for all of them alike, the fullest way first: what is known of any, and is no estimate.

    The first by which one of them can be chosen is taken. Who has no such price is left out and its price asked for:
    counted by what all of them have, a device whose rent is known would look as cheap as its electricity.
    """

    def known(way: str) -> bool:
        costs = [None if case.bill is None else case.bill.paid(way) for case in cases]
        return any(cost is not None and not cost.estimated for cost in costs)

    return tuple(way for way in WAYS if known(way)) or WAYS[:1]


def _single_steps(accounts: Sequence[Account], cases: Sequence[_Case]) -> dict[_Key, Estimate | None]:
    """The tail of single steps of each case of which any were timed, the same quantile of all.

    It is the one furthest out that all have a bound of, or else that most have; None where a case has none: its steps
    were slow too often for that. What latency times are single steps of inference.
    """
    workload = cases[0].account.group.workload.name
    meant = {workload} | ({"latency"} if workload == "inference" else set())
    keys = {case.key for case in cases}
    rows = {
        (account.group.device, row.trial.case.variant.id): row.tails
        for account in accounts
        for row in account.group.rows
        if account.group.workload.name in meant and row.tails and standing(row) not in _OUT
    }
    timed = {key: tails for key, tails in rows.items() if key in keys}
    bounded = Counter(tail.quantile for tails in timed.values() for tail in tails if tail.bound_s is not None)
    chosen = max(bounded, key=lambda quantile: (bounded[quantile], quantile), default=None)
    return {key: next((_tail(one) for one in tails if one.quantile == chosen), None) for key, tails in timed.items()}


def _tail(tail: Tail) -> Estimate | None:
    if tail.value_s is None or tail.bound_s is None:
        return None
    return Estimate(tail.name, tail.value_s, None, tail.bound_s, tail.confidence, "s", tail.n)


def _asked_elsewhere(
    accounts: Sequence[Account], candidates: Sequence[Candidate], workload: str, limits: Limits
) -> Iterator[str]:
    """Where single steps were timed, if a latency was asked of cases of which none were."""
    timed = {account.group.workload.name for account in accounts if any(row.tails for row in account.group.rows)}
    used = any(one.latency is not None and one.latency.statistic != "time per step" for one in candidates)
    if limits.max_latency_s is not None and timed - {workload} and not used:
        names = listed(tuple(one_line(name) for name in sorted(timed - {workload})))
        yield f"No single steps were timed for these cases; they were in {names} (--workload)."


# --- words ---------------------------------------------------------------------------------------------------------


def _words(cases: Sequence[_Case], choice: Choice, goal: Goal, way: str, limits: Limits) -> Iterator[str]:
    account = cases[0].account
    asked = _asked(limits)
    unpriced = [cases[one.key] for one, reason in choice.refused if reason in (Refusal.NO_FIGURE, Refusal.ESTIMATED)]
    if choice.winner is None:
        yield f"{_title(account)}: {_nothing(choice, goal, asked)}."
        if goal is Goal.COST and unpriced:
            yield from prices_asked(list({id(case.account): case.account for case in cases}.values()))
        yield from _refusals(cases, choice, limits)
    else:
        winner = cases[choice.winner.key]
        yield f"{_title(account)}: take {winner.name}."
        left = len(cases) - len(choice.refused)
        among = f"of {counted(left, 'case')} that {'meet' if left != 1 else 'meets'} {asked or 'every check'}"
        yield f"Why: {_figure(choice.winner, goal, way, winner)}, the least {among}."
        yield from _against(cases, choice, goal, way)
        yield from _latency(choice.winner, limits)
        yield from _doubts(winner, goal, way, limits)
        if goal is Goal.COST:
            yield _priced_by(winner.account.tariff, way)
        yield from _refusals(cases, choice, limits)
        if goal is Goal.COST and (names := _without_price(unpriced, way)):
            yield (
                f"The price book has no {_LACKING[way]} of {listed(names)}: write it there (joulemark prices > "
                "prices.toml) and give it with --prices prices.toml."
            )


def _without_price(cases: Sequence[_Case], way: str) -> tuple[str, ...]:
    """The devices of these cases that have no price of this way of paying."""
    tariffs = [case.account.tariff for case in cases]
    lacking = [one for one in tariffs if getattr(one, {"ownership": "purchase"}.get(way, way)) is None]
    return tuple(dict.fromkeys(one_line(tariff.device.name) for tariff in lacking))


def _priced_by(tariff: Tariff, way: str) -> str:
    """The entries of the price book behind the figure, which is worth no more than they are."""
    told = [entry for kind, entry in entries_of(tariff) if kind in _PRICES[way]]
    entries = "; ".join(f"{what}: {value} ({source}, {date})" for what, value, source, date in told)
    use = f"; the device at work in {percent(tariff.utilisation)} of the time that is paid" if way != WAYS[-1] else ""
    return f"Priced by {entries}{use}."


def _nothing(choice: Choice, goal: Goal, asked: str) -> str:
    """Why there is no choice; what is lacking is looked at only of cases that keep to the limits."""
    reasons = {reason for _, reason in choice.refused}
    among = f" that meets {asked}" if asked else ""
    if Refusal.ESTIMATED in reasons:
        return f"no case{among} has {_AIMS[goal]} that is no estimate"
    if Refusal.NO_FIGURE in reasons:
        return f"no case{among} has {_AIMS[goal]}"
    return f"no case meets {asked}" if asked and reasons & _BY_LIMITS else "no case can be recommended"


def _title(account: Account) -> str:
    name = one_line(account.group.workload.name)
    return name[:1].upper() + name[1:]


def _asked(limits: Limits) -> str:
    parts = []
    if limits.max_latency_s is not None:
        parts.append(f"a latency of {quantity(limits.max_latency_s, 's')} at most")
    if limits.min_accuracy is not None:
        parts.append(f"an accuracy of {limits.min_accuracy:g} at least")
    return " and ".join(parts)


def _figure(candidate: Candidate, goal: Goal, way: str, case: _Case) -> str:
    """The figure that decides, with its interval."""
    aim = candidate.aim
    if aim is None:
        return "no figure"
    if goal is Goal.COST:
        currency = one_line(case.account.tariff.currency)
        text = f"{significant(aim.value * MANY)} {currency} for a million {case.items} by {way}"
        bounds = [None if bound is None else significant(bound * MANY) for bound in (aim.low, aim.high)]
    else:
        unit = "J" if goal is Goal.ENERGY else "s"
        text = f"{quantity(aim.value, unit)} per {case.items.removesuffix('s')}"
        bounds = [None if bound is None else quantity(bound, unit) for bound in (aim.low, aim.high)]
    if None in bounds or aim.confidence is None:
        return text
    return f"{text} ({percent(aim.confidence)} interval {bounds[0]} to {bounds[1]})"


def _against(cases: Sequence[_Case], choice: Choice, goal: Goal, way: str) -> Iterator[str]:
    winner, second = choice.winner, choice.runner_up
    if winner is None or second is None or winner.aim is None or second.aim is None:
        yield "There is no runner-up: every other case is ruled out."
        return
    more = percent(second.aim.value / winner.aim.value - 1) if winner.aim.value else "any"
    ranked = ""
    if not choice.apart:
        ranked = "; the two intervals overlap, so that they are not ranked for certain"
        if winner.basis != second.basis:
            ranked = "; sensors may be off by more than that, so that the two are not ranked for certain"
    elif cases[winner.key].account.group.device != cases[second.key].account.group.device:
        ranked = "; the two were measured one after the other, not in turn"
    yield f"Runner-up: {cases[second.key].name}, {_figure(second, goal, way, cases[second.key])}, {more} more{ranked}."
    others = tuple(cases[each.key].name for each in choice.close if each.key != second.key)
    if others:
        yield f"The choice is not certain against {listed(others, 6)}."


def _latency(winner: Candidate, limits: Limits) -> Iterator[str]:
    """Which latency was held against the limit."""
    latency = winner.latency
    if limits.max_latency_s is None or latency is None or latency.high is None or latency.confidence is None:
        return
    most, sure = quantity(latency.high, "s"), percent(latency.confidence)
    yield f"Its {latency.statistic} is {most} at most ({sure} confidence); all cases are judged by theirs."


def _doubts(winner: _Case, goal: Goal, way: str, limits: Limits) -> Iterator[str]:
    """What must be known of the winner before it is taken."""
    baseline = one_line(winner.account.group.baseline.variant.id)
    by = {Goal.TIME: "rent", Goal.ENERGY: "electricity", Goal.COST: way}[goal]
    stands = standing_of(winner.row, by)
    if stands in (Standing.UNSURE, Standing.UNJUDGED):
        yield f"Beware: it is UNSURE whether it is better than {baseline}; measure more waves before relying on it."
    elif stands is Standing.SAME:
        yield f"It is the SAME as {baseline} within the noise band; other reasons may decide."
    elif stands is Standing.SLOWER:
        worse = {"rent": "is SLOWER than", "electricity": "takes more energy than"}.get(by, "costs more than")
        yield f"Beware: it {worse} {baseline} in its own group."
    labels = dict.fromkeys(
        of_caveat(caveat).label
        for caveat in winner.row.caveats
        if goal is not Goal.TIME or caveat.kind not in OF_ENERGY
    )
    if labels:
        yield f"Its caveats: {listed(tuple(labels), 9)}."
    if limits.min_accuracy is None and winner.row.accuracy is None:
        yield "Its accuracy was not measured in this run."


def _refusals(cases: Sequence[_Case], choice: Choice, limits: Limits) -> Iterator[str]:
    """The cases left out, by reason, with the figure that ruled them out."""
    reasons: dict[Refusal, list[str]] = {}
    for candidate, reason in choice.refused:
        reasons.setdefault(reason, []).append(f"{cases[candidate.key].name}{_refused_by(candidate, reason)}")
    for reason in Refusal:
        if reason in reasons:
            yield f"Left out, {_REFUSED[reason]}: {listed(tuple(reasons[reason]), 6)}."
    if limits.max_latency_s is not None and choice.winner is not None:
        named = choice.winner.latency
        if named is not None and named.statistic == "time per step":
            yield (
                "Latency is the time per step of steps back to back, for no single steps were timed; "
                "a single one may take longer."
            )


#: What of a price book has a part in each way of paying.
_PRICES = {
    "rent": {"rent"},
    "ownership": {"purchase", "electricity", "overhead"},
    "electricity": {"electricity", "overhead"},
}
_LACKING = {"rent": "rent", "ownership": "purchase price", "electricity": "price of electricity"}
_AIMS = {Goal.COST: "a price", Goal.ENERGY: "a known energy", Goal.TIME: "a known time"}
_BY_LIMITS = {Refusal.TOO_SLOW, Refusal.NO_LATENCY, Refusal.NOT_ACCURATE, Refusal.NO_ACCURACY}
_REFUSED = {
    Refusal.FAILED: "failed",
    Refusal.STRUCK: "struck out",
    Refusal.TOO_SLOW: "too slow (the upper end of the interval counts)",
    Refusal.NO_LATENCY: "latency not measured, or without a bound",
    Refusal.NOT_ACCURATE: "not accurate enough (the lower end of the interval counts)",
    Refusal.NO_ACCURACY: "accuracy not measured",
    Refusal.NO_FIGURE: "no figure for what is to be least",
    Refusal.ESTIMATED: "its figure is an estimate, which decides nothing",
}


def _refused_by(candidate: Candidate, reason: Refusal) -> str:
    if reason is Refusal.TOO_SLOW and candidate.latency is not None:
        high = candidate.latency.high
        return f" ({quantity(candidate.latency.value if high is None else high, 's')})"
    if reason is Refusal.NOT_ACCURATE and candidate.accuracy is not None:
        low = candidate.accuracy.low
        return f" ({candidate.accuracy.value if low is None else low:.4g})"
    return ""
