"""The one place where a caveat, a verdict or a standing becomes a sentence and a next step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench.analysis import Verdict
from bench.records import Caveat, CaveatKind, CheckKind, Plan, Trial
from bench.units import quantity
from reports.figures import DASH, fraction, percent, told_apart
from reports.text import counted, one_line


@dataclass(frozen=True)
class Wording:
    """``sentence`` continues "cpu-fp32: ..." and has no full stop; ``advice`` is a sentence of its own."""

    label: str
    sentence: str
    advice: str


#: Placeholders are a caveat's figures, as :func:`_said` writes them; an absent figure is a dash.
CAVEATS: Mapping[CaveatKind, Wording] = {
    CaveatKind.NOT_WARM: Wording(
        "not warm",
        "step times had not settled when warm-up ended after {warm_up_s} (in {waves}), so it may read too slow",
        "Close other programs and measure again; trust only differences larger than a few percent.",
    ),
    CaveatKind.IMPRECISE: Wording(
        "imprecise",
        "the interval of its speed-up is ±{half_width}, wider than the ±{wanted} asked for",
        "Measure on a quieter machine, or more waves (--bench-waves) with a larger --bench-budget.",
    ),
    CaveatKind.LABEL_NOT_HONOURED: Wording(
        "label not honoured",
        "{fact} should have been {expected} and was {observed}",
        "Do not quote this row under its name; find out why the setting was refused, then measure again.",
    ),
    CaveatKind.ONE_WAVE: Wording(
        "one wave",
        "compared within a single wave ({rounds}), so what differs from process to process is not in its interval",
        "Measure at least three waves (--bench-waves, 6 by default): within a single one every verdict is UNSURE.",
    ),
    CaveatKind.IN_PROCESS: Wording(
        "in process",
        "measured inside the test process, where earlier cases leave their traces",
        "Use such figures for debugging only; make the workload importable, so that each case has its own process.",
    ),
    CaveatKind.UNPINNED: Wording(
        "unpinned",
        "its process was not pinned to fixed cores",
        "Trust only differences above a few percent, or measure on Linux, where a process can be pinned.",
    ),
    CaveatKind.UNFROZEN: Wording(
        "not frozen",
        "the other workers were not frozen while it ran and may have disturbed it",
        "Trust only differences above a few percent, or measure where processes may be sent signals.",
    ),
    CaveatKind.INTERRUPTED: Wording(
        "interrupted",
        "the run was interrupted after {waves} of {planned} planned",
        "Go on with it (--bench-resume), or measure again and let it end by itself.",
    ),
    CaveatKind.NO_WORKERS: Wording(
        "no workers",
        "no more was measured after {waves} of {planned} planned: {reason}",
        "Free what was lacking, and measure again.",
    ),
    CaveatKind.OUT_OF_TIME: Wording(
        "out of time",
        "the time limit of the run ended it after {waves} of {planned} planned",
        "Go on with it (--bench-resume), or allow more time (--bench-time-limit).",
    ),
    CaveatKind.BUSY_HOST: Wording(
        "busy cores",
        "other programs took up to {others} and a hypervisor up to {stolen} of the {cores} cores that were used, "
        "in {waves} ({named})",
        "End the other work, or measure at a quieter hour. Where a quarter of the cores or more was taken, interval "
        "and verdict are stricter (99.5 % for 95 %).",
    ),
    CaveatKind.CPU_QUOTA: Wording(
        "CPU quota",
        "a CPU quota of {quota} of the {cores} cores ran out in {cut_short} of its periods, and all stood still until "
        "the next, in {waves} ({named})",
        "Give the container whole cores (docker run --cpuset-cpus) in place of a quota, or measure with fewer threads "
        "(--bench-axis threads=N).",
    ),
    CaveatKind.ANOTHER_RUN: Wording(
        "another run",
        "{runs} of Joulemark measured on this machine beside this one",
        "Measure one run after the other.",
    ),
    CaveatKind.CUT_TO_BUDGET: Wording(
        "cut to budget",
        "the time allowed ended after {rounds} of {planned} planned",
        "Allow more time (--bench-budget) or select fewer cases (-k).",
    ),
    CaveatKind.FEWER_WAVES: Wording(
        "fewer waves",
        "setting up took so much of the time allowed that only {waves} of {planned} planned were measured, with more "
        "rounds each",
        "Allow more time (--bench-budget), select fewer cases (-k), or insist on the waves (--bench-waves).",
    ),
    CaveatKind.TWO_MODES: Wording(
        "two modes",
        "its waves fall into two modes, {low_s} and {high_s} per step, and one average describes neither",
        "Quote both modes; look for a choice made anew in each process, such as autotuning.",
    ),
    CaveatKind.WRONG_RESULT: Wording(
        "wrong result",
        "{check} is {found}, and {allowed} is allowed",
        "Do not use this setting before it is known why; if so much may be lost, allow it (--bench-tolerance).",
    ),
    CaveatKind.UNPROVEN: Wording(
        "unproven",
        "no wave came to its end, so nobody has looked whether it does what its label says",
        "Let a wave come to its end before you rely on it.",
    ),
    CaveatKind.UNCHECKED: Wording(
        "not checked",
        "its results were not compared with a reference",
        "Look at its results yourself; a model that draws new weights each time it is made cannot be checked: seed it.",
    ),
    CaveatKind.LOOSELY_CHECKED: Wording(
        "loosely checked",
        "no tolerance is known for the precision {precision}, so its results were held to the loosest",
        "Look at its accuracy before using it.",
    ),
    CaveatKind.PROFILED: Wording(
        "profiled",
        "measured with {profiler} attached, which slows some settings more than others, so there is no verdict",
        "Use this run to see where the time goes, and measure without the profiler to decide.",
    ),
    CaveatKind.NOT_INSPECTED: Wording(
        "not inspected",
        "its phases or operators could not be recorded: {reason}",
        "Its measured figures are whole; run this case alone with the same options to see why.",
    ),
    CaveatKind.NO_SENSOR: Wording(
        "partly measured",
        "the energy of {component} was not read by {source}: {reason}, so its figures lack that component",
        "The summary of the report says what would have it measured.",
    ),
    CaveatKind.WINDOW_TOO_SHORT: Wording(
        "window too short",
        "{window_s} is too short for {source} of {component}; it takes at least {needed_s}",
        "Measure for longer: more steps in each energy block, or a longer window.",
    ),
    CaveatKind.ESTIMATED: Wording(
        "estimated",
        "the energy of {component} is an estimate ({source}) and no measurement",
        "Use it for orders of magnitude only, and never to choose between two settings or machines.",
    ),
    CaveatKind.SENSOR_LOST: Wording(
        "sensor lost",
        "{source} of {component} was lost while measuring ({reason})",
        "Look at the kernel's messages, make sure that the device is well, and measure again.",
    ),
    CaveatKind.SENSOR_STALLED: Wording(
        "sensor stalled",
        "{source} of {component} stood still or was not read in a stretch of {window_s}",
        "Measure again; if it happens again, choose another source (--bench-power).",
    ),
    CaveatKind.COUNTERS_DISAGREE: Wording(
        "sensors disagree",
        "the counter of {component} says {counter_w}, its power readings {polled_w}, {difference} apart",
        "Trust neither beyond that difference; compare only figures of the same source.",
    ),
    CaveatKind.EVERY_GPU: Wording(
        "every GPU",
        "which GPU did the work of {device} could not be told, so the energy is that of all {gpus} GPUs that were read",
        "Set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name the GPU (--bench-power nvml:UUID).",
    ),
    CaveatKind.SUMMED_GPUS: Wording(
        "summed GPUs",
        "the energy is that of all {gpus} GPUs that were seen, whoever used them",
        'Name yours: bench.energy_window(power="nvml:0+rapl").',
    ),
    CaveatKind.WHOLE_GPU: Wording(
        "whole GPU",
        "only a MIG slice of {gpu} was used, but its energy is that of the whole GPU",
        "Make sure that no other slice is at work, and do not compare with figures of a whole GPU.",
    ),
    CaveatKind.WHOLE_PACKAGE: Wording(
        "whole package",
        "its energy is that of all {cores} cores of the machine, whoever used them; it could use {usable} of them",
        "Measure where nothing else runs, and do not hold these joules against those of a whole machine.",
    ),
    CaveatKind.SPEED_DISAGREES: Wording(
        "speed disagrees",
        "a step took {energy_s} in the energy blocks and {timing_s} in the timing blocks",
        "Do not quote time and energy together; look for heat or a power limit that acts after a second.",
    ),
    CaveatKind.THROTTLED: Wording(
        "throttled",
        "{gpu} was held back ({reasons}) in {blocks} of {of}: {named}",
        "Let the machine cool, look at its power limit, or quote the figures as those of this limit.",
    ),
    CaveatKind.SHARED: Wording(
        "shared GPU",
        "other work was on {gpu} in {blocks} of {of} (other processes: {processes}): {named}",
        "End the other work, or reserve the GPU, and measure again.",
    ),
    CaveatKind.TEMPERATURE_DRIFT: Wording(
        "temperature drift",
        "{gpu} was at {low_c} to {high_c} in its blocks",
        "Warm the machine up before measuring; a warm chip takes more power for the same work.",
    ),
}

#: What a wrong result is, by the check that found it.
WRONG: Mapping[CheckKind, str] = {
    CheckKind.SCORES: "its scores are {found} off {against} (relative RMSE, {n} {items}); {allowed} is allowed",
    CheckKind.TURNS: "its answers to {n} successive batches lie nearer to those of another batch",
    CheckKind.AGREEMENT: "it agrees with {against} on {found} of {n} {items}; {allowed} is asked for",
    CheckKind.ACCURACY: "of all {n} {items}, {found} fewer are right than with {against}; {allowed} is allowed",
    CheckKind.LOSS: "its loss after {n} steps is {found} off that in {against}; {allowed} is allowed",
    CheckKind.UPDATE: "{n} steps moved its weights {found} more or less far than in {against}; {allowed} is allowed",
}
_NO_NUMBER: Mapping[CheckKind, str] = {
    CheckKind.SCORES: "its scores are no finite numbers",
    CheckKind.LOSS: "its loss is no finite number within {n} steps",
    CheckKind.UPDATE: "its weights are no finite numbers after {n} steps",
}

#: When a case failed, by the phase that its failure names.
PHASES: Mapping[str, str] = {
    "start": "while starting",
    "set-up": "in set-up",
    "measure": "while measuring",
    "energy": "in an energy block",
    "inspect": "while being looked into",
    "check": "while its results were checked",
    "finish": "at its end",
}

#: ``{band}`` is the noise band in percent. The sentence continues "FASTER: ...".
VERDICTS: Mapping[Verdict, Wording] = {
    Verdict.FASTER: Wording(
        "FASTER",
        "more work per second than the baseline, beyond the noise band of ±{band}",
        "Prefer it, if its notes allow.",
    ),
    Verdict.SLOWER: Wording(
        "SLOWER",
        "less work per second than the baseline, beyond the noise band of ±{band}",
        "Keep the baseline.",
    ),
    Verdict.SAME: Wording(
        "SAME",
        "the whole interval lies within the noise band of ±{band}",
        "Choose by other reasons than speed.",
    ),
    Verdict.UNSURE: Wording(
        "UNSURE",
        "the evidence shows neither a difference nor that there is none",
        "Measure more waves (--bench-waves) before deciding.",
    ),
}


def of_caveat(caveat: Caveat) -> Wording:
    """The wording of a caveat with its figures filled in."""
    wording = CAVEATS[caveat.kind]
    figures = _Figures({name: _said(name, value) for name, value in caveat.figures})
    figures.update(_told_apart(dict(caveat.figures)))
    if caveat.kind is CaveatKind.IMPRECISE and figures["half_width"] == DASH:
        return Wording(wording.label, "its speed-up has no interval: too few rounds or waves", wording.advice)
    template = _of_wrong(caveat) if caveat.kind is CaveatKind.WRONG_RESULT else wording.sentence
    return Wording(wording.label, template.format_map(figures), wording.advice)


def _of_wrong(caveat: Caveat) -> str:
    """The sentence for what was found wrong; the general one for a check that this Joulemark does not know."""
    figures = dict(caveat.figures)
    kind = next((kind for kind in CheckKind if kind.value == figures.get("check")), None)
    if kind is None:
        return CAVEATS[CaveatKind.WRONG_RESULT].sentence
    return _NO_NUMBER.get(kind, WRONG[kind]) if figures.get("found") == "none" else WRONG[kind]


def of_verdict(verdict: Verdict, plan: Plan) -> Wording:
    """The wording of a verdict, with the noise band it was reached with."""
    wording = VERDICTS[verdict]
    return Wording(wording.label, wording.sentence.format(band=percent(plan.band)), wording.advice)


def of_failure(trial: Trial) -> Wording | None:
    """What happened to a failed trial, and what to do; None for one that did not fail."""
    failure = trial.failure
    if failure is None:
        return None
    when = PHASES.get(failure.phase, f"in {one_line(failure.phase)}")
    sentence = f"failed {when} (wave {failure.wave + 1}): {_bare(failure.reason)}"
    advice = f'Run this case alone, with --bench-case="{one_line(trial.case.name)}", to see why.'
    return Wording("failed", sentence, advice)


def of_strike(trial: Trial, caveats: Iterable[Caveat] = ()) -> str:
    """Why a trial is struck out: what was read back instead of what its label says, and what it got wrong."""
    refused = (proof for proof in trial.proofs if not proof.honoured)
    facts = [f"{one_line(p.fact)} was {one_line(p.observed)}, not {one_line(p.expected)}" for p in refused]
    wrong = [of_caveat(caveat).sentence for caveat in caveats if caveat.kind is CaveatKind.WRONG_RESULT]
    parts = (("its label was not honoured", "; ".join(facts)), ("its results are wrong", "; ".join(wrong)))
    return f"struck out, {', and '.join(f'{what}: {found}' for what, found in parts if found)}"


def comparisons_said(plan: Plan) -> str:
    """How several comparisons in one table are handled."""
    return (
        "FASTER and SLOWER are claims of a difference. Holm's procedure over each table keeps the chance of any "
        f"false one among them at {percent(1 - plan.confidence)} or less. For every verdict a row whose waves agree "
        "better than is typical of its table is given the mean of both variances. Each interval, and each SAME, is "
        "judged alone."
    )


def absolutes_said() -> str:
    """What an absolute figure is worth."""
    return (
        "Absolute times and rates describe this run on this machine only. "
        "Compare settings by their speed-up, which is measured in pairs, block against block."
    )


class _Figures(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return DASH


def _said(name: str, value: float | str) -> str:
    """One figure of a caveat as text; what it is follows from its name."""
    if name in ("waves", "rounds", "blocks", "runs"):
        return counted(value, name[:-1])
    if isinstance(value, str):
        return DASH if value == "none" else one_line(value)
    if name in ("found", "allowed"):
        return fraction(value)
    if name in ("half_width", "wanted", "difference", "cut_short"):
        return percent(value)
    if name.endswith("_c"):
        return f"{value:.0f} °C"
    unit = {"_s": "s", "_w": "W"}.get(name[-2:])
    return f"{value:g}" if unit is None else quantity(value, unit)


def _told_apart(figures: Mapping[str, float | str]) -> dict[str, str]:
    """What is beyond what, in as many digits as it takes to see that it is."""
    shown: dict[str, str] = {}
    for pair, write in ((("half_width", "wanted"), percent), (("found", "allowed"), fraction)):
        first, second = (figures.get(name) for name in pair)
        if isinstance(first, (int, float)) and isinstance(second, (int, float)):
            shown.update(zip(pair, told_apart(first, second, write), strict=True))
    return shown


def _bare(sentence: str) -> str:
    return one_line(sentence).strip().rstrip(".")


#: What a verdict says of the work done with a joule.
ENERGY_VERDICTS: Mapping[Verdict, str] = {
    Verdict.FASTER: "BETTER",
    Verdict.SLOWER: "WORSE",
    Verdict.SAME: "SAME",
    Verdict.UNSURE: "UNSURE",
}
#: Doubts about energy alone: a speed is none the worse for them.
OF_ENERGY = frozenset(
    {
        CaveatKind.NO_SENSOR,
        CaveatKind.WINDOW_TOO_SHORT,
        CaveatKind.ESTIMATED,
        CaveatKind.SENSOR_LOST,
        CaveatKind.SENSOR_STALLED,
        CaveatKind.COUNTERS_DISAGREE,
        CaveatKind.EVERY_GPU,
        CaveatKind.SUMMED_GPUS,
        CaveatKind.WHOLE_GPU,
        CaveatKind.WHOLE_PACKAGE,
        CaveatKind.SPEED_DISAGREES,
    }
)
