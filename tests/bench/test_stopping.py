"""Who leaves at the look, and what it costs; literal numbers per wave."""

import math
import random
import statistics
from dataclasses import replace

import pytest

from bench import Plan, Trial, Verdict, compare, is_look, judge, may_leave
from bench.analysis.comparison import LOOK_SHARE
from bench.analysis.statistics import t_quantile
from bench.analysis.stopping import is_warm, strides
from tests.factories import make_trial

PLAN = Plan()
BASELINE = make_trial(waves=3, wobble=0.0)
#: Mean 0, standard deviation 1.
_UNIT = (-1.0, 0.0, 1.0)


def _trial(log_speedup: float, spread: float, threads: int = 1) -> Trial:
    """Three waves that differ from the baseline by so much on average, and by that spread."""
    trial = make_trial(waves=3, wobble=0.0, threads=threads)
    logs = [log_speedup + spread * unit for unit in _UNIT]
    samples = tuple(sample._replace(host_s=sample.host_s * math.exp(-logs[sample.wave])) for sample in trial.samples)
    return replace(trial, samples=samples)


def _leaves(*trials: Trial) -> list[bool]:
    leaving = may_leave([BASELINE, *trials], PLAN)
    return [trial.case in leaving for trial in trials]


@pytest.mark.parametrize(("waves", "looks"), [(3, []), (4, [3]), (6, [3]), (10, [5]), (1, [])])
def test_there_is_one_look_half_way_if_three_waves_can_judge(waves: int, looks: list[int]) -> None:
    assert [done for done in range(1, waves + 1) if is_look(waves, done)] == looks


def test_a_clear_and_precise_case_leaves() -> None:
    assert _leaves(_trial(0.2, 0.004)) == [True]
    assert _leaves(_trial(0.0, 0.0004)) == [True]
    assert _leaves(_trial(-math.log(14), 0.05)) == [True]


def test_a_precise_case_that_is_unsure_stays() -> None:
    """1.5 % faster, its interval from 0.8 to 2.2 %: three more waves may settle it."""
    assert _leaves(_trial(0.015, 0.0018)) == [False]


def test_what_is_precise_at_the_level_of_the_end_only_stays() -> None:
    spread = 0.009 / (t_quantile(2, 0.95) / math.sqrt(3))
    assert compare(_trial(0.1, spread), BASELINE, 0.95).half_width == pytest.approx(0.009)
    assert _leaves(_trial(0.1, spread)) == [False]


def test_a_clear_case_that_is_not_precise_stays() -> None:
    assert _leaves(_trial(0.4, 0.02)) == [False]


def test_cases_are_judged_together_so_that_none_leaves_for_a_verdict_it_will_not_have() -> None:
    one = _trial(0.04, 0.0024)
    assert _leaves(one) == [True]
    others = [_trial(0.015, 0.0018, threads=n) for n in range(2, 12)]
    assert _leaves(one, *others) == [False] * 11


def test_after_the_look_a_case_that_left_keeps_the_stricter_interval() -> None:
    trial = _trial(0.2, 0.004)
    stayed, left = (compare(trial, make_trial(waves=waves, wobble=0.0), 0.95) for waves in (3, 6))
    assert (stayed.at_look, left.at_look) == (False, True)
    assert left.half_width / stayed.half_width == pytest.approx(
        t_quantile(2, 1 - LOOK_SHARE * 0.05) / t_quantile(2, 0.95)
    )
    assert left == compare(trial, BASELINE, 0.95, at_look=True)


def test_a_verdict_on_a_case_that_left_agrees_with_its_interval() -> None:
    margin = math.log1p(0.01)
    half = t_quantile(2, 1 - LOOK_SHARE * 0.05) * 0.004 / math.sqrt(3)
    for beyond, verdict in ((1e-6, Verdict.FASTER), (-1e-6, Verdict.UNSURE)):
        comparison = compare(_trial(margin + half + beyond, 0.004), BASELINE, 0.95, at_look=True)
        assert judge([comparison], 0.01) == (verdict,)


@pytest.mark.parametrize(
    ("blocks_s", "expected"),
    [
        ((0.05, 0.05, 0.05, 0.5), (1, 1, 1, 4)),
        ((0.05, 0.14), (1, 1)),
        ((5.0, 0.05, 0.05), (1, 1, 1)),
        ((0.05,), (1,)),
    ],
)
def test_slow_cases_take_part_in_every_so_many_th_round(blocks_s: tuple[float, ...], expected: tuple[int, ...]) -> None:
    assert strides(blocks_s) == expected


@pytest.mark.parametrize(
    ("stretches_s", "warm"),
    [
        ([], False),
        ([0.03] * 7, False),
        ([0.03] * 8, True),  # four make a tenth of a second
        ([0.09, 0.05, 0.04, 0.035, 0.034, 0.033, 0.032, 0.03], False),
        ([0.09, 0.05, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03], True),
        ([0.4], False),
        ([0.4, 0.4], True),  # each is long enough by itself
        ([0.6, 0.5], False),
        ([0.6, 0.5, 0.4], False),
        ([0.6, 0.5, 0.4, 0.39], True),
        ([0.4, 0.5], False),
        ([0.4, 0.5, 0.6], False),
        ([0.4, 0.5, 0.45], True),
    ],
)
def test_warm_is_what_becomes_neither_faster_nor_slower(stretches_s: list[float], warm: bool) -> None:
    assert is_warm(stretches_s, 0.03) is warm


def test_neighbours_that_slow_single_stretches_do_not_hold_a_warm_up_up() -> None:
    chance = random.Random(1)
    ends = []
    for _ in range(200):
        stretches_s: list[float] = []
        while not is_warm(stretches_s, 0.03):
            stretches_s.append(0.03 * (1 + chance.expovariate(5)))
        ends.append(len(stretches_s))
    assert statistics.median(ends) <= 9
    assert max(ends) < 40
