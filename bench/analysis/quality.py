"""Caveats that follow from the evidence, as opposed to those noted while measuring."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import NamedTuple

from bench.analysis.comparison import Comparison
from bench.analysis.correctness import Judgement, is_known, worst_of_each
from bench.analysis.energy import TrialEnergy
from bench.analysis.estimates import wave_seconds
from bench.records import Caveat, CaveatKind, Environment, Plan, Trial
from bench.records.power import HostLoad

#: Two modes: the widest gap between sorted waves is this large (as a logarithm) ...
_MODE_GAP = 0.03
#: ... and so many times the spread inside either cluster.
_MODE_CONTRAST = 4.0
_LEAST_FOR_MODES = 4

#: Others are worth a word when they take, or a hypervisor gives away, so much of the cores we may use.
_DISTURBED = 0.05
#: A CPU quota is worth a word when it ran out in so many of its periods, which are usually a tenth of a second.
_CUT_SHORT = 0.01


def is_disturbed(load: HostLoad) -> bool:
    """Whether others took enough of our cores during a wave for its rows to say so."""
    return max(load.others_cores, load.stolen_cores) >= _DISTURBED * load.cores


def is_cut_short(load: HostLoad) -> bool:
    """Whether a CPU quota stopped us often enough during a wave for its rows to say so."""
    return load.cut_short >= _CUT_SHORT


def caveats(
    trial: Trial, comparison: Comparison | None, plan: Plan, others: Sequence[Comparison] = ()
) -> tuple[Caveat, ...]:
    """All doubts about a trial: those it carries, then those its figures give rise to.

    ``others`` are the comparisons with it, of a baseline.
    """
    return (*trial.caveats, *_derived(trial, comparison, plan), *_two_modes(trial, comparison, others))


def check_caveats(trial: Trial, judgements: Sequence[Judgement], *, expected: bool) -> Iterator[Caveat]:
    """What the checks of its results give rise to; ``expected`` where other cases of the run were checked."""
    for found in worst_of_each(judgements, holds=False):
        check = found.check
        yield Caveat.of(
            CaveatKind.WRONG_RESULT,
            check=check.kind.value,
            found="none" if found.found is None else found.found,
            allowed=found.allowed,
            against=check.against,
            n=check.n,
            items=trial.case.workload.items,
        )
    made = [judgement for judgement in judgements if judgement.holds is not None]
    lacking = len(made) < len(judgements) or (expected and not judgements)
    if lacking and trial.failure is None:
        yield Caveat.of(CaveatKind.UNCHECKED)
    precision = str(trial.case.variant["precision"])
    if made and not is_known(precision):
        yield Caveat.of(CaveatKind.LOOSELY_CHECKED, precision=precision)


def package_caveats(energy: TrialEnergy | None, environment: Environment) -> Iterator[Caveat]:
    """Whole packages are metered, whoever uses their cores: a case on a part of them has the others' joules as well."""
    usable, cores = environment.cores_usable, environment.cores_online
    if energy is None or energy.total is None or usable is None or cores is None:
        return
    usable = min(usable, math.ceil(environment.cpu_quota_cores or usable))
    metered = energy.total.power is not None and "rapl" in energy.total.power.sources
    if metered and usable < cores:
        yield Caveat.of(CaveatKind.WHOLE_PACKAGE, usable=usable, cores=cores)


def _derived(trial: Trial, comparison: Comparison | None, plan: Plan) -> Iterator[Caveat]:
    cold_lives = [life for life in trial.lives if not life.warmed]
    if cold_lives:
        yield Caveat.of(CaveatKind.NOT_WARM, waves=len(cold_lives), warm_up_s=max(c.warm_up_s for c in cold_lives))
    for proof in trial.proofs:
        if not proof.honoured:
            yield Caveat.of(
                CaveatKind.LABEL_NOT_HONOURED, fact=proof.fact, expected=proof.expected, observed=proof.observed
            )
    if comparison is not None and not comparison.over_waves:
        yield Caveat.of(CaveatKind.ONE_WAVE, rounds=len(comparison.evidence))
    if comparison is not None and not comparison.is_precise(plan.precision):
        half_width, wanted = comparison.half_width, comparison.wanted(plan.precision)
        yield Caveat.of(CaveatKind.IMPRECISE, half_width="none" if half_width is None else half_width, wanted=wanted)


class _Parted(NamedTuple):
    """Waves whose ratio lies on either side of a gap that dwarfs the spread within."""

    slower: tuple[int, ...]  # the case beside its baseline
    faster: tuple[int, ...]
    gap: float  # of the logarithm


def _parted(comparison: Comparison | None) -> _Parted | None:
    """Whether the ratio to the baseline falls into two, at least two waves in either part."""
    if comparison is None or not comparison.over_waves or len(comparison.evidence) < _LEAST_FOR_MODES:
        return None
    waves = sorted(zip(comparison.evidence, comparison.waves, strict=True))
    logs = [log for log, _ in waves]
    split = max(range(1, len(logs)), key=lambda index: logs[index] - logs[index - 1])
    gap = logs[split] - logs[split - 1]
    spread = max(logs[split - 1] - logs[0], logs[-1] - logs[split])
    if min(split, len(logs) - split) < 2 or gap < max(_MODE_GAP, _MODE_CONTRAST * spread):
        return None
    slower, faster = (tuple(wave for _, wave in part) for part in (waves[:split], waves[split:]))
    return _Parted(slower, faster, gap)


def _two_modes(trial: Trial, comparison: Comparison | None, others: Sequence[Comparison]) -> Iterator[Caveat]:
    """Autotuning chose differently in some waves: the ratio falls into two, and the trial's own times with it.

    A machine that has two speeds gives them to all cases alike, and leaves the ratios as they are. The modes of a
    baseline, which has no ratio, show in those of most ``others``.
    """
    parted = [found for other in others if (found := _parted(other)) is not None]
    own = _parted(comparison)
    if comparison is None and 2 * len(parted) > len(others):
        own = parted[0]._replace(slower=parted[0].faster, faster=parted[0].slower)
    if own is None:
        return
    seconds = wave_seconds(trial)
    slow, fast = ([math.log(seconds[wave]) for wave in part if wave in seconds] for part in (own.slower, own.faster))
    if slow and fast and fmean(slow) - fmean(fast) >= own.gap / 2:
        items = trial.items_per_step or 1
        low_s, high_s = (items * math.exp(fmean(part)) for part in (fast, slow))
        yield Caveat.of(CaveatKind.TWO_MODES, low_s=low_s, high_s=high_s)
