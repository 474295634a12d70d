"""Paired ratios and verdicts, on literal numbers with known answers."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import Comparison, ComparisonError, Sample, Verdict, compare, judge, summarise
from bench.analysis.comparison import CROWDED_SHARE, is_crowded
from bench.analysis.statistics import exponential, t_interval, t_quantile
from bench.records import Caveat, CaveatKind, Failure, Proof, Trial
from tests.factories import TRAINING, make_run, make_trial

BASELINE = make_trial(step_s=0.020)


def test_a_ratio_of_paired_blocks_is_exact_when_the_drift_is_common() -> None:
    baseline, other = make_trial(step_s=0.020, wobble=0.3), make_trial(step_s=0.016, wobble=0.3, threads=1)
    comparison = compare(other, baseline, 0.95)
    assert comparison is not None
    assert comparison.speedup == pytest.approx(1.25)
    assert (comparison.low, comparison.high) == (pytest.approx(1.25), pytest.approx(1.25))
    assert len(comparison.evidence) == 6


def test_another_batch_size_is_compared_per_item() -> None:
    comparison = compare(make_trial(step_s=0.030, items=64, batch=64), BASELINE, 0.95)
    assert comparison is not None
    assert comparison.speedup == pytest.approx(64 / 30 * 20 / 32)


def test_with_one_wave_the_evidence_are_its_rounds() -> None:
    comparison = compare(make_trial(step_s=0.010, waves=1, threads=1), make_trial(step_s=0.020, waves=1), 0.95)
    assert comparison is not None
    assert not comparison.over_waves
    assert len(comparison.evidence) == 10
    assert comparison.speedup == pytest.approx(2.0)


def test_trials_without_a_common_round_have_no_ratio() -> None:
    assert compare(replace(BASELINE, samples=()), BASELINE, 0.95) is None


def test_other_workloads_and_devices_are_refused() -> None:
    for stranger in (make_trial(TRAINING), make_trial(device="cuda:0")):
        with pytest.raises(ComparisonError):
            compare(stranger, BASELINE, 0.95)


@given(st.floats(min_value=1e-6, max_value=1e3), st.integers(min_value=1, max_value=8), st.floats(0, 0.5))
def test_a_trial_compared_with_itself_is_never_different(step_s: float, waves: int, wobble: float) -> None:
    trial = make_trial(step_s=step_s, waves=waves, wobble=wobble)
    comparison = compare(trial, trial, 0.95)
    assert comparison is not None
    assert judge([comparison], 0.0)[0] not in (Verdict.FASTER, Verdict.SLOWER)


def _judged(step_s: float, band: float = 0.01) -> Verdict:
    comparison = compare(_jittered(step_s), BASELINE, 0.95)
    assert comparison is not None
    return judge([comparison], band)[0]


def _jittered(step_s: float, size: float = 0.003) -> Trial:
    """Each wave has an offset of its own: -size, 0, +size, -size, ..."""
    trial = make_trial(step_s=step_s, threads=1)
    return replace(trial, samples=tuple(_shift(sample, size) for sample in trial.samples))


def _shift(sample: Sample, size: float) -> Sample:
    return sample._replace(host_s=sample.host_s * (1 + size * (sample.wave % 3 - 1)))


def test_verdicts_need_the_whole_interval_beyond_or_inside_the_band() -> None:
    assert _judged(0.0190) is Verdict.FASTER
    assert _judged(0.0210) is Verdict.SLOWER
    assert _judged(0.0200) is Verdict.SAME
    assert _judged(0.0198) is Verdict.UNSURE


def test_a_smaller_band_finds_smaller_differences() -> None:
    assert _judged(0.0198, band=0.0) is Verdict.FASTER
    assert _judged(0.0200, band=0.0) is Verdict.UNSURE


def test_a_claim_that_holds_alone_may_not_hold_among_many() -> None:
    """With Holm's procedure the same evidence must be stronger when more comparisons share a table."""
    alone = compare(_jittered(0.01945, 0.012), BASELINE, 0.95)
    same = compare(_jittered(0.0200, 0.012), BASELINE, 0.95)
    assert alone is not None
    assert same is not None
    assert judge([alone], 0.01)[0] is Verdict.FASTER
    assert judge([alone, *[same] * 19], 0.01)[0] is Verdict.UNSURE


def test_two_waves_are_too_few_for_a_claim_unless_they_agree_closely() -> None:
    trial = make_trial(step_s=0.0190, waves=2, threads=1)
    noisy = replace(trial, samples=tuple(_shift(sample, 0.02) for sample in trial.samples))
    comparison = compare(noisy, make_trial(step_s=0.020, waves=2), 0.95)
    assert comparison is not None
    assert judge([comparison], 0.01) == (Verdict.UNSURE,)


def test_a_row_whose_label_was_not_honoured_gets_no_verdict() -> None:
    liar = make_trial(step_s=0.010, threads=1, proofs=[Proof("threads", "1", "2")])
    (group,) = summarise(make_run(BASELINE, liar))
    assert group.rows[1].verdict is None
    assert group.rows[1].comparison is not None
    assert "label_not_honoured" in {caveat.kind.value for caveat in group.rows[1].caveats}


def test_when_the_baselines_label_was_not_honoured_nothing_gets_a_verdict() -> None:
    liar = make_trial(step_s=0.020, proofs=[Proof("onednn", "on", "off")])
    (group,) = summarise(make_run(liar, make_trial(step_s=0.010, threads=1)))
    assert [row.verdict for row in group.rows] == [None, None]


def test_when_the_baseline_failed_the_other_rows_keep_their_times() -> None:
    failed = Trial(BASELINE.case, None, failure=Failure("set-up", "ValueError: no"))
    (group,) = summarise(make_run(failed, make_trial(threads=1)))
    assert group.rows[1].comparison is None
    assert group.rows[1].time_per_step is not None


def test_a_case_that_failed_half_way_gets_no_verdict_from_what_it_left() -> None:
    broken = replace(make_trial(step_s=0.010, threads=1), failure=Failure("measure", "killed", wave=3))
    (group,) = summarise(make_run(BASELINE, broken))
    assert group.rows[1].verdict is None


def _busy(others: float, cores: int = 2) -> Caveat:
    return Caveat.of(CaveatKind.BUSY_HOST, waves=1, named="1", others=others, stolen=0.0, cores=cores)


@pytest.mark.parametrize("which", [0, 1])
def test_on_crowded_cores_interval_and_verdict_are_held_to_a_stricter_level(which: int) -> None:
    pair = [make_trial(step_s=0.016, wobble=0.01, threads=1), BASELINE]
    quiet = compare(*pair, 0.95)
    pair[which] = replace(pair[which], caveats=(_busy(0.6),))
    crowded = compare(*pair, 0.95)
    assert quiet is not None
    assert crowded is not None
    assert (quiet.share, crowded.share) == (1.0, CROWDED_SHARE)
    assert crowded.half_width / quiet.half_width == pytest.approx(t_quantile(5, 0.995) / t_quantile(5, 0.95))
    band = math.sqrt(quiet.low * crowded.low) - 1  # between the two lower bounds
    assert judge([quiet], band) == (Verdict.FASTER,)
    assert judge([crowded], band) == (Verdict.UNSURE,)


def test_a_little_company_is_no_crowd() -> None:
    assert not is_crowded([_busy(0.4)])
    assert is_crowded([_busy(0.5)])
    assert is_crowded([Caveat.of(CaveatKind.BUSY_HOST, others=0.0, stolen=1.0, cores=4)])
    assert not is_crowded([Caveat.of(CaveatKind.BUSY_HOST), Caveat.of(CaveatKind.UNPINNED)])


def _said(evidence: Sequence[float]) -> Comparison:
    """A comparison whose waves said this."""
    ratio = exponential(t_interval(evidence, 0.95))
    return Comparison(BASELINE.case, BASELINE.case, *ratio, 0.95, over_waves=True, evidence=tuple(evidence))


#: Four waves that happen to agree, on a machine where others differ by 6 % from wave to wave.
LUCKY = _said([-0.037, -0.059, -0.050, -0.038])
NOISY = [_said([x, -x, y, -y]) for x, y in ((0.05, 0.06), (0.04, 0.08), (0.07, 0.03))]


def test_a_row_that_is_steadier_than_is_typical_of_its_table_is_believed_by_half() -> None:
    assert judge([LUCKY], 0.01) == (Verdict.SLOWER,)
    assert judge([LUCKY, *NOISY], 0.01)[0] is Verdict.UNSURE
    assert judge([LUCKY, *NOISY[:1]], 0.01)[0] is Verdict.SLOWER  # two do not tell what is typical


def test_same_is_a_claim_too() -> None:
    agreed = _said([0.001, -0.001, 0.002, -0.002])
    assert judge([agreed], 0.01) == (Verdict.SAME,)
    assert judge([agreed, *NOISY], 0.01)[0] is Verdict.UNSURE


def test_a_row_that_is_noisier_than_the_others_is_judged_by_its_own_spread() -> None:
    noisy, steady = _said([-0.1, -0.01, -0.06, -0.03]), [_said([0.2, 0.201, 0.202, 0.203])] * 5
    assert judge([noisy], 0.01) == judge([noisy, *steady], 0.01)[:1] == (Verdict.UNSURE,)


def test_large_differences_are_called_on_a_noisy_machine() -> None:
    twice = _said([0.69, 0.75, 0.64, 0.70])
    assert judge([twice, *NOISY], 0.01)[0] is Verdict.FASTER


def test_of_copies_on_a_noisy_machine_fewer_are_called_different_in_a_table_than_alone() -> None:
    chance = random.Random(3)
    alone = together = 0
    for _ in range(400):
        table = [_said([chance.gauss(0, 0.06) for _ in range(4)]) for _ in range(5)]
        alone += sum(judge([one], 0.01)[0] in (Verdict.FASTER, Verdict.SLOWER) for one in table)
        together += sum(verdict in (Verdict.FASTER, Verdict.SLOWER) for verdict in judge(table, 0.01))
    assert alone > 30  # of 2000
    assert together <= 4
