"""The lines beneath a group's table: how to read its figures, what was read, and how far it may be off."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis import EnergyEstimate, Group
from bench.analysis.comparison import LOOK_SHARE
from bench.analysis.ledger import Climate, Spread
from bench.records import CaveatKind, Plan
from bench.records.workload import LATENCY
from reports.figures import DASH, percent
from reports.text import listed, one_line


def group_legend(group: Group, plan: Plan) -> str:
    """What the figures of a group are figures of; only of what is there."""
    by_waves = any(len({sample.wave for sample in row.trial.samples}) > 1 for row in group.rows)
    evidence = "over waves" if by_waves else "over the rounds of a single wave"
    return (
        f"Baseline: {one_line(group.baseline.variant.id)}. With each figure its {percent(plan.confidence)} interval "
        f"{evidence}; a speed-up above 1 is faster.{_stricter(group, plan)} Set-up (cold, then warm) lasts to the end "
        f"of the first step.{_latency_legend(group, plan)}{_right_legend(group)}{_energy_legend(group)}"
    )


def _stricter(group: Group, plan: Plan) -> str:
    """Rows whose ratio has another interval than the rest: they left at the look, or others took much of the cores."""
    by_level: dict[str, list[str]] = {}
    for row in group.rows:
        if row.comparison is not None and row.comparison.share != 1:
            by_level.setdefault(percent(row.comparison.level), []).append(one_line(row.trial.case.variant.id))
    told = "; ".join(f"{level} for {listed(tuple(names))}" for level, names in by_level.items())
    ratios = "speed-ups and work per joule" if any(row.energy_comparison for row in group.rows) else "speed-ups"
    why = "stricter, for cases that left half-way and on crowded cores"
    holds = f" So those that left hold in {percent(1 - (1 + LOOK_SHARE) * (1 - plan.confidence))} of runs or more."
    left = any(row.comparison is not None and row.comparison.at_look for row in group.rows)
    return f" Intervals of {ratios} are {why}: {told}.{holds if left else ''}" if told else ""


def _latency_legend(group: Group, plan: Plan) -> str:
    if group.workload.measures != LATENCY:
        return ""
    sure = f"{percent(plan.confidence)} confidence whatever the distribution"
    return (
        f" Steps are timed singly, {plan.latency_steps} or more in a row, each waited for, so with weights and images "
        f"in the caches as far as they fit; a request after a pause takes longer.{_lies_ready(group)} Beneath p90 and "
        f"p99 stands what they are at most, with {sure} (3 % less in simulated bursts of slow steps); under a dash "
        "stands how many samples are needed, more where slow ones come in bursts."
    )


def _lies_ready(group: Group) -> str:
    ready = " The image lies on the GPU before, and the scores stay there: copying is not timed."
    return ready if group.device.startswith("cuda") else ""


def _right_legend(group: Group) -> str:
    """What the figures of right results are figures of; nothing where there are none."""
    accuracy = next((row.accuracy for row in group.rows if row.accuracy is not None), None)
    loss = next((row.loss_difference for row in group.rows if row.loss_difference is not None), None)
    against = listed(tuple(dict.fromkeys(j.check.against for row in group.rows for j in row.judgements)))
    said = []
    if accuracy is not None:
        said.append(
            f"accuracy is that on {accuracy.n} held-out {one_line(group.workload.items)}, in the first wave, with the "
            "interval for others like them (Wilson)"
        )
    if any(row.score_error for row in group.rows):
        said.append(f"error is the relative RMSE of the scores against {against} in the worst wave")
    if loss is not None:
        said.append(f"loss is how far that after {loss.n} steps is from {against}'s from the same start")
    sentence = ", ".join(said)
    return f" {sentence[:1].upper()}{sentence[1:]}." if said else ""


def _energy_legend(group: Group) -> str:
    """What the energy is the energy of, and how far off its sensors may be; nothing where none was read."""
    lacking = _lacking(group)
    return f"{_climate_said(group)}{_energies_said(group, lacking)}"


def _climate_said(group: Group) -> str:
    """At which clocks and how warm a group's GPUs ran: figures are those of such clocks."""
    seen: dict[str, list[Climate]] = {}
    for row in group.rows:
        for climate in row.energy.climates if row.energy is not None else ():
            seen.setdefault(climate.uuid, []).append(climate)
    said = ""
    for uuid, climates in seen.items():
        clocks = [climate.sm_clock_hz for climate in climates if climate.sm_clock_hz is not None]
        heats = [climate.temperature_c for climate in climates if climate.temperature_c is not None]
        parts = [f"its SM clock was {_span(clocks, 1e6)} MHz"] if clocks else []
        parts += [f"it was {_span(heats, 1.0)} °C warm"] if heats else []
        said += f" Of {one_line(uuid)}, in all blocks: {' and '.join(parts)}." if parts else ""
    return said


def _span(spreads: Sequence[Spread], unit: float) -> str:
    low, high = min(one.low for one in spreads) / unit, max(one.high for one in spreads) / unit
    return f"{low:.0f}" if round(low) == round(high) else f"{low:.0f} to {high:.0f}"


def _energies_said(group: Group, lacking: str) -> str:
    named = [(row, row.energy.per_item) for row in group.rows if row.energy is not None and row.energy.per_item]
    if not named:
        return f" No energy: {lacking}." if lacking else ""
    known = max((energy for _, energy in named), key=lambda energy: len(energy.components))
    others = [
        f"{one_line(row.trial.case.variant.id)} of {_sources(energy)}"
        f"{' only' if set(energy.components) < set(known.components) else ''}"
        for row, energy in named
        if (energy.components, energy.sources) != (known.components, known.sources)
    ]
    but = f", but that of {listed(tuple(others))}" if others else ""
    sentence = f" Energy is that of {_sources(known)}{but}, idle included" + (
        f" (not read: {lacking})" if lacking else ""
    )
    if known.estimated:
        return f"{sentence}: an estimate, no measurement."
    if known.systematic_low is None or known.systematic_high is None:
        return f"{sentence}; its sensors may be off by an unknown part, which {_cancels(known)}."
    if not known.value:
        return f"{sentence}; its sensors said 0, which no device takes."
    low, high = (bound / known.value - 1 for bound in (known.systematic_low, known.systematic_high))
    off = f"apart from its interval, the truth may lie {low:+.0%} to {high:+.0%} from it (the sensor's gain)"
    return f"{sentence}; {off}, which {_cancels(known)}."


#: What is left of gains in the ratio of a sum.
_OF_SUMS = (
    "cancels in ratios as far as they are off alike; BETTER or WORSE in energy is said where it holds whatever they "
    "are off by (NVML -6 to +11 %, others ±10 % by assumption)"
)


def _cancels(energy: EnergyEstimate) -> str:
    return _OF_SUMS if energy.mixed else "cancels in ratios only"


def _sources(energy: EnergyEstimate) -> str:
    pairs = zip(energy.components, energy.sources, strict=True)
    return listed(tuple(dict.fromkeys(f"{one_line(component)} ({source})" for component, source in pairs)))


def _lacking(group: Group) -> str:
    """The components that could not be read, each with the reason."""
    figures = [dict(c.figures) for row in group.rows for c in row.caveats if c.kind is CaveatKind.NO_SENSOR]
    named = ((each.get("component", DASH), each.get("reason", DASH)) for each in figures)
    return "; ".join(dict.fromkeys(f"{one_line(component)}: {one_line(reason)}" for component, reason in named))
