"""How many waves are asked for, and by which options; literal numbers per wave."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bench import Plan, compare
from bench.analysis import summarise
from bench.analysis.statistics import t_quantile
from bench.records import Proof, Trial
from reports.precision import precision_said
from reports.summary import summarised, titles
from tests.factories import make_run, make_trial

#: Mean 0, standard deviation 1.
_UNIT = (-1.0, 0.0, 1.0)
BASELINE = make_trial(waves=3, wobble=0.0)


def _trial(log_speedup: float, half_width: float, threads: int = 1) -> Trial:
    """Three waves whose ratio to the baseline has such an interval at 95 %."""
    trial = make_trial(waves=3, wobble=0.0, threads=threads)
    spread = half_width * math.sqrt(3) / t_quantile(2, 0.95)
    samples = tuple(
        sample._replace(host_s=sample.host_s * math.exp(-log_speedup - spread * _UNIT[sample.wave]))
        for sample in trial.samples
    )
    return replace(trial, samples=samples)


def _said(*trials: Trial, **plan: float) -> tuple[str, ...]:
    run = make_run(BASELINE, *trials, plan=Plan(waves=3, **plan))
    groups = summarise(run)
    return precision_said(zip(titles(groups), groups, strict=True), run.plan)


@pytest.mark.parametrize(
    ("log_speedup", "half_width", "waves"),
    [
        (0.0, 0.0101, 4),  # 3 * 1.01² = 3.06
        (0.0, 0.02, 12),  # twice too wide: four times as many
        (0.5, 0.1, 12),  # of a large difference a tenth is asked for
        (-0.5, 0.1, 12),
        (0.0, 0.005, 3),  # never fewer than there were
    ],
)
def test_the_number_grows_with_the_square_of_what_the_interval_is_too_wide_by(
    log_speedup: float, half_width: float, waves: int
) -> None:
    comparison = compare(_trial(log_speedup, half_width), BASELINE, 0.95)
    assert comparison is not None
    assert comparison.half_width == pytest.approx(half_width)
    assert comparison.waves_for(0.01) == waves


def test_a_single_wave_cannot_tell() -> None:
    comparison = compare(make_trial(waves=1, threads=1), make_trial(waves=1), 0.95)
    assert comparison is not None
    assert comparison.waves_for(0.01) is None


def test_the_options_ask_for_waves_as_long_as_those_there_were() -> None:
    (said,) = _said(_trial(0.0, 0.02), _trial(0.0, 0.03, threads=2), budget_s=60.0)
    assert "±1 %" in said.replace("\u00a0", " ")
    assert said.endswith(
        "inference on cpu takes 27 waves, cpu-fp32-threads2 the most (--bench-waves=27 --bench-budget=540)."
    )


def test_a_default_budget_is_that_of_the_number_of_cases() -> None:
    (said,) = _said(_trial(0.0, 0.02))
    assert "--bench-waves=12 --bench-budget=252" in said  # 45 s and 9 s for each of two cases, four times


def test_what_no_machine_will_measure_is_not_asked_for() -> None:
    (said,) = _said(_trial(0.0, 0.02), _trial(0.0, 0.3, threads=2))
    assert "takes 12 waves" in said
    assert said.endswith("but cpu-fp32-threads2 would take more than 200 waves.")
    (said,) = _said(_trial(0.0, 0.3))
    assert said.endswith("inference on cpu: cpu-fp32-threads1 would take more than 200 waves.")


def test_nothing_is_said_where_all_are_precise_or_nothing_can_be_told() -> None:
    assert _said(_trial(0.0, 0.009)) == ()
    assert _said(replace(_trial(0.0, 0.02), samples=())) == ()


def test_a_row_that_cannot_win_asks_for_nothing() -> None:
    struck = replace(_trial(0.0, 0.02), proofs=(Proof("torch.get_num_threads()", "1", "2"),))
    assert _said(struck) == ()


def test_the_summary_has_it() -> None:
    run = make_run(BASELINE, _trial(0.0, 0.02), plan=Plan(waves=3))
    assert any("--bench-waves=12" in sentence for sentence in summarised(summarise(run), run))
