"""What copies of the baseline say, on literal numbers with known answers."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy
import pytest

from bench import Case, UsageError, Variant, load, storage, summarise
from bench.analysis.self_check import detectable, false_alarm_rate, noises
from bench.analysis.statistics import binomial_interval, t_quantile
from bench.records import EmptyStep, Failure, Run, SelfCheck, Trial
from tests.factories import INFERENCE, make_run, make_trial

BASELINE = make_trial(wobble=0.0)


def _copy(number: int, logs: Sequence[float]) -> Trial:
    """A copy of the baseline that is faster by so much in each wave."""
    samples = tuple(s._replace(host_s=s.host_s * math.exp(-logs[s.wave])) for s in BASELINE.samples)
    return replace(BASELINE, case=replace(BASELINE.case, copy=number), samples=samples)


def _run(*copies: Trial) -> Run:
    run = make_run(BASELINE, make_trial(threads=1, wobble=0.0, step_s=0.03), *copies)
    return replace(run, self_check=SelfCheck(len(copies), 4e-8, 1e-9))


def test_a_copy_has_a_name_of_its_own_and_the_variant_of_its_original() -> None:
    case = Case(INFERENCE, Variant.of())
    copy = replace(case, copy=2)
    assert (copy.name, str(copy)) == ("inference[cpu-fp32]~2", "cpu-fp32~2")
    assert copy != case
    assert (copy.group, copy.variant) == (case.group, case.variant)
    with pytest.raises(UsageError):
        replace(case, copy=-1)


def test_copies_are_in_no_table() -> None:
    (group,) = summarise(_run(_copy(1, [0.0] * 6)))
    assert [row.trial.case.name for row in group.rows] == ["inference[cpu-fp32]", "inference[cpu-fp32-threads1]"]


def test_a_run_with_a_self_check_is_read_back_as_it_was(tmp_path: Path) -> None:
    run = _run(_copy(1, [0.0] * 6))
    run = replace(run, self_check=SelfCheck(1, 4e-8, 1e-9, 1e-4, 4e-4, (EmptyStep("cuda:0", 1e-5, 2e-6),)))
    assert load(storage.save(run, tmp_path)) == run


def test_the_least_difference_is_the_band_and_what_the_spread_hides() -> None:
    (noise,) = noises(_run(_copy(1, [-0.01, 0.01, -0.01, 0.01, -0.01, 0.01])))
    spread = 0.01 * math.sqrt(6 / 5)
    assert noise.spread == pytest.approx(spread)
    deviates = 2.5706 + 0.9195  # Student's t, 5 degrees: 97.5 % and 80 %
    assert math.log1p(noise.detectable) == pytest.approx(math.log(1.01) + deviates * spread / math.sqrt(6), rel=1e-4)
    assert noise.comparisons[0].speedup == pytest.approx(1.0)
    assert (noise.copies, noise.claims, noise.pairs) == (1, 0, 0)


@pytest.mark.parametrize(("waves", "spread"), [(6, 0.005), (10, 0.02)])
def test_a_difference_of_that_size_is_found_in_80_of_100_runs(waves: int, spread: float) -> None:
    log = math.log1p(detectable(spread, waves, 0.01, 0.95))
    evidence = log + spread * numpy.random.default_rng(3).standard_normal((20_000, waves))
    low = evidence.mean(axis=1) - t_quantile(waves - 1, 0.95) * evidence.std(axis=1, ddof=1) / waves**0.5
    assert (low > math.log1p(0.01)).mean() == pytest.approx(0.8, abs=0.03)


def test_pairs_of_a_long_check_share_no_copy() -> None:
    quiet, off = [0.0, 0.001, 0.0, -0.001, 0.0, 0.0], [0.05, 0.051, 0.05, 0.049, 0.05, 0.05]
    run = _run(*(_copy(n, logs) for n, logs in enumerate([quiet, off, quiet, quiet, quiet], 1)))
    (noise,) = noises(run)
    assert (noise.copies, noise.claims) == (5, 1)
    assert (noise.pairs, noise.false_alarms) == (2, 1)
    assert false_alarm_rate([noise, noise], 0.95) == binomial_interval(2, 4, 0.95)


def test_without_copies_or_with_one_that_failed_there_is_no_answer() -> None:
    assert noises(_run()) == ()
    failed = replace(_copy(1, [0.0] * 6), failure=Failure("measure", "killed", wave=3))
    (noise,) = noises(_run(failed))
    assert noise.detectable is None
    assert false_alarm_rate([noise], 0.95) is None


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(0, 8, 0.0, 0.3694), (8, 8, 0.6306, 1.0), (4, 8, 0.1570, 0.8430), (1, 20, 0.0013, 0.2487)],
)
def test_clopper_and_pearsons_bounds_are_those_of_their_tables(count: int, of: int, low: float, high: float) -> None:
    interval = binomial_interval(count, of, 0.95)
    assert interval.value == count / of
    assert (interval.low, interval.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


@pytest.mark.parametrize(("count", "of"), [(1, 0), (-1, 5), (6, 5)])
def test_a_share_of_nothing_is_refused(count: int, of: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        binomial_interval(count, of, 0.95)


def test_eight_copies_are_judged_together_before_a_run_is_distrusted() -> None:
    """One that is surprising by itself is no surprise among eight."""
    odd = [0.016, 0.032, 0.020, 0.036, 0.008, 0.034]
    (alone,) = noises(_run(_copy(1, odd)))
    assert alone.claims == 1
    (among,) = noises(
        _run(_copy(1, odd), *(_copy(n, [0.004, -0.006, 0.005, -0.005, 0.007, -0.004]) for n in range(2, 9)))
    )
    assert (among.copies, among.claims) == (8, 0)
