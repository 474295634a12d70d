"""What loading images costs: a step fed from a loader beside the same step on images that lie ready.

The two are measured in groups of their own, so the comparison is not paired: what changed on the machine between them
is in it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.analysis.estimates import wave_seconds
from bench.analysis.soundness import is_sound
from bench.analysis.statistics import t_quantile, welch
from bench.records import Case, Plan, Trial, Variant

#: A workload whose name ends like this is the same step as the one without, its input included.
END_TO_END = "_end_to_end"
#: The axis that only the end-to-end form has.
_LOADERS = "loaders"


@dataclass(frozen=True)
class InputShare:
    """The fraction of the end-to-end time per item that its input adds, with an unpaired interval.

    Below 0 where the step with its input was faster, which only noise does.
    """

    end_to_end: Case
    resident: Case
    share: float
    low: float | None
    high: float | None


def input_shares(trials: Sequence[Trial], plan: Plan) -> tuple[InputShare, ...]:
    """A share for each end-to-end trial whose resident form is in the run as well, both sound."""
    sound = [trial for trial in trials if is_sound(trial, plan)]
    resident = {_key(trial): trial for trial in sound if not trial.case.workload.name.endswith(END_TO_END)}
    pairs = ((trial, resident.get(_key(trial))) for trial in sound if trial.case.workload.name.endswith(END_TO_END))
    shares = (_share(whole, part, plan.confidence) for whole, part in pairs if part is not None)
    return tuple(share for share in shares if share is not None)


def _key(trial: Trial) -> tuple[object, ...]:
    workload = trial.case.workload
    axes = {axis: value for axis, value in trial.case.variant if axis != _LOADERS}
    return workload.name.removesuffix(END_TO_END), workload.parameters, Variant.of(**axes)


def _share(whole: Trial, part: Trial, confidence: float) -> InputShare | None:
    """One less the ratio of times; Welch's interval of the difference of two means of logarithms over waves."""
    ours, theirs = ([math.log(value) for value in wave_seconds(trial).values()] for trial in (whole, part))
    if not ours or not theirs:
        return None
    difference = statistics.fmean(theirs) - statistics.fmean(ours)
    low = high = None
    if (evidence := welch(theirs, ours)) is not None:
        half = t_quantile(evidence.degrees, confidence) * evidence.error
        low, high = 1 - math.exp(difference + half), 1 - math.exp(difference - half)
    return InputShare(whole.case, part.case, 1 - math.exp(difference), low, high)
