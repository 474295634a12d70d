"""What changed between two runs, and which gates that fails; literal numbers with known answers."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy
import pytest

from bench import Plan, Proof, UsageError, Verdict
from bench.analysis import Metric, compare_runs, judge_gates, parse_gate, passed
from bench.analysis.between_runs import Why
from bench.analysis.comparison import LOOK_SHARE
from bench.analysis.settings import differences
from bench.analysis.statistics import t_quantile, welch
from bench.records import Caveat, CaveatKind, Check, CheckKind, Failure, Gpu, Run, Sample, SampleKind, Skip, Trial
from bench.records.power import Component, Part
from tests.factories import make_run, make_trial, with_energy

QUIET = (0.0, 0.002, -0.001, 0.001, -0.002, 0.0)


def _trial(factor: float = 1.0, logs: Sequence[float] = QUIET, **settings) -> Trial:
    """A trial whose waves take ``factor`` times as long, each off by its own logarithm."""
    trial = make_trial(wobble=0.0, **settings)
    samples = (s._replace(host_s=s.host_s * factor * math.exp(logs[s.wave])) for s in trial.samples)
    return replace(trial, samples=tuple(samples))


def _run(*factors: float, common: float = 1.0) -> Run:
    """A baseline and as many cases as factors; ``common`` is the machine's mood."""
    cases = (
        _trial(factor * common, QUIET[n:] + QUIET[:n], threads=n, step_s=0.03) for n, factor in enumerate(factors, 1)
    )
    return make_run(_trial(common), *cases)


def _gated(base: Run, new: Run, *gates: str) -> list[bool]:
    """Whether each gate failed."""
    return [r.failed for r in judge_gates(compare_runs(base, new), [parse_gate(gate) for gate in gates])]


def test_welch_follows_its_formulae() -> None:
    ours, theirs = (1.0, 2.0, 3.0, 4.0), (2.0, 4.0, 9.0)
    found = welch(ours, theirs)
    assert found is not None
    parts = (5 / 3 / 4, 13 / 3)
    assert found.difference == pytest.approx(-2.5)
    assert found.error == pytest.approx(math.sqrt(sum(parts)))
    assert found.degrees == pytest.approx(sum(parts) ** 2 / (parts[0] ** 2 / 3 + parts[1] ** 2 / 2))
    assert found.tail(-2.5) == pytest.approx(0.5)
    assert welch((1.0,), theirs) is None


def test_a_change_is_the_ratio_of_the_waves_means_with_its_interval() -> None:
    (_, change) = compare_runs(_run(1.0), _run(1.1)).changes[Metric.TIME]
    assert change.case.name == "inference[cpu-fp32-threads1]"
    assert change.ratio == pytest.approx(1.1)
    assert change.base == pytest.approx(0.03 / 32)
    error = numpy.std(QUIET, ddof=1) / math.sqrt(6) * math.sqrt(2)
    assert math.log(change.high / change.ratio) == pytest.approx(t_quantile(10, 0.95) * error, rel=1e-6)


def test_the_machines_mood_changes_times_and_not_ratios() -> None:
    base, new = _run(1.0, 1.0, 1.0), _run(1.0, 1.0, 1.0, common=1.15)
    comparison = compare_runs(base, new)
    assert set(comparison.verdicts[Metric.TIME]) == {Verdict.SLOWER}
    assert set(comparison.verdicts[Metric.RATIO]) == {Verdict.SAME}
    assert comparison.common_ratio == pytest.approx(1.15)
    assert _gated(base, new, "time:5%", "ratio:5%") == [True, False]


def test_a_case_that_became_slower_shows_in_the_ratio_whatever_the_mood() -> None:
    base, new = _run(1.0, 1.0), _run(1.0, 1.1, common=0.9)
    verdicts = dict(zip(*_names_and_verdicts(base, new, Metric.RATIO), strict=True))
    assert verdicts == {"cpu-fp32-threads1": Verdict.SAME, "cpu-fp32-threads2": Verdict.SLOWER}
    assert _gated(base, new, "time:5%", "speedup:5%") == [False, True]


def _names_and_verdicts(base: Run, new: Run, metric: Metric):
    comparison = compare_runs(base, new)
    return [str(change.case) for change in comparison.changes[metric]], comparison.verdicts[metric]


def test_a_gate_judges_the_interval_and_not_the_point() -> None:
    noisy = (0.0, 0.06, -0.06, 0.03, -0.03, 0.0)
    base = make_run(_trial(), _trial(1.0, noisy, threads=1))
    new = make_run(_trial(), _trial(1.07, noisy, threads=1))
    (result,) = judge_gates(compare_runs(base, new), [parse_gate("time:5%")])
    assert not result.failed
    assert [str(change.case) for change in result.undecided] == ["cpu-fp32-threads1"]
    assert _gated(make_run(_trial()), make_run(_trial(1.07)), "time:5%", "time:7%", "time:0") == [True, False, True]


def test_a_gate_over_many_cases_asks_for_more_of_each() -> None:
    spread = tuple(8 * log for log in QUIET)
    one = [_trial(1.065, spread, threads=1)]
    others = [_trial(1.0, spread, threads=n) for n in range(2, 30)]
    base = [_trial(1.0, spread, threads=n) for n in range(1, 30)]
    assert _gated(make_run(base[0]), make_run(*one), "time:4%") == [True]
    assert _gated(make_run(*base), make_run(*one, *others), "time:4%") == [False]


def test_a_run_against_itself_passes_every_gate_it_has_figures_for() -> None:
    run = _run(1.0, 0.5)
    assert _gated(run, run, "time:0", "ratio:0", "memory:0", "setup:0") == [False] * 4


def test_a_gate_without_figures_fails_since_it_would_pass_whatever_happens() -> None:
    run = _run(1.0)
    assert _gated(run, run, "energy:5%", "latency:5%") == [True, True]
    one_wave = make_run(make_trial(waves=1))
    assert _gated(one_wave, one_wave, "time:5%") == [True]


def test_false_alarms_of_a_gate_at_its_very_limit_are_as_rare_as_asked() -> None:
    random = numpy.random.default_rng(5)
    draws = 0.01 * random.standard_normal((20_000, 2, 6))
    alarms = [welch(ours, theirs).tail(0.0) <= 0.025 for ours, theirs in draws[:4000].tolist()]
    assert numpy.mean(alarms) == pytest.approx(0.025, abs=0.008)


def test_memory_and_set_up_are_changes_too() -> None:
    base = _run(1.0)
    slow = tuple(
        replace(t, lives=tuple(replace(x, build_s=2 * x.build_s, peak_memory_bytes=2**30) for x in t.lives))
        for t in base.trials
    )
    new = replace(base, trials=slow)
    assert _gated(base, new, "memory:10%", "setup:10%", "time:10%") == [True, True, False]
    (change, _) = compare_runs(base, new).changes[Metric.SETUP]
    assert change.ratio == pytest.approx(2.05 / 1.05)


def test_ratios_to_different_baselines_are_not_compared() -> None:
    base = _run(1.0, 1.0)
    selected = replace(base, trials=base.trials[1:])  # as with -k threads: the first of them is the baseline now
    assert set(compare_runs(base, selected).changes) == {Metric.TIME, Metric.MEMORY, Metric.SETUP}


def test_latency_is_that_of_the_latency_samples_alone() -> None:
    def with_latency(trial: Trial, step_s: float) -> Trial:
        waves = {sample.wave for sample in trial.samples}
        singles = [Sample(w, 0, 0, None, 1.0, 1, step_s, None, SampleKind.LATENCY) for w in waves for _ in range(5)]
        return replace(trial, samples=(*trial.samples, *singles))

    base, new = (make_run(with_latency(_trial(), step_s)) for step_s in (0.05, 0.06))
    (change,) = compare_runs(base, new).changes[Metric.LATENCY]
    assert (change.base, change.new) == (pytest.approx(0.05), pytest.approx(0.06))
    assert _gated(base, new, "latency:10%", "time:1%") == [True, False]


def test_energy_is_compared_where_the_same_sensors_read_it() -> None:
    base, new = with_energy(_run(1.0), [100.0, 100.0]), with_energy(_run(1.0), [100.0, 120.0])
    assert _gated(base, new, "energy:5%") == [True]
    ratios = [change.ratio for change in compare_runs(base, new).changes[Metric.ENERGY]]
    assert ratios == [pytest.approx(1.0, rel=0.01), pytest.approx(1.2, rel=0.01)]
    log = new.power[0]
    other = replace(log, traces=tuple(replace(t, component=Component(Part.GPU, "GPU-2")) for t in log.traces))
    assert Metric.ENERGY not in compare_runs(base, replace(new, power=(other,))).changes
    estimates = (with_energy(_run(1.0), [100.0, watts], estimated=True) for watts in (100.0, 150.0))
    assert Metric.ENERGY not in compare_runs(*estimates).changes


def test_a_case_that_fails_now_fails_every_gate_and_is_compared_no_more() -> None:
    base = _run(1.0, 1.0)
    failed = replace(base.trials[1], failure=Failure("measure", "killed", wave=2))
    struck = replace(base.trials[2], proofs=(Proof("threads", "2", "1"),))
    new = replace(base, trials=(base.trials[0], failed, struck))
    comparison = compare_runs(base, new)
    assert comparison.broken == (failed, struck)
    assert len(comparison.changes[Metric.TIME]) == 1
    results = judge_gates(comparison, [parse_gate("time:5%")])
    assert not results[0].failed
    assert not passed(comparison, results)
    assert passed(comparison, ())
    mended = compare_runs(new, base)
    assert mended.broken == ()
    assert {one.why for one in mended.unmatched} == {Why.UNSOUND_IN_BASE}


def test_a_case_whose_results_are_wrong_now_fails_every_gate_however_fast() -> None:
    base, new = _run(1.0, 1.0), _run(0.7, 1.0)
    wrong = replace(new.trials[1], checks=(Check(CheckKind.SCORES, 32, 0.9, against="FP64"),))
    new = replace(new, trials=(new.trials[0], wrong, new.trials[2]))
    comparison = compare_runs(base, new)
    assert comparison.broken == (wrong,)
    assert wrong.case not in {change.case for found in comparison.changes.values() for change in found}
    assert not passed(comparison, judge_gates(comparison, [parse_gate("time:5%")]))
    tolerant = replace(new, plan=replace(new.plan, rmse_fp32=0.95))
    assert compare_runs(base, tolerant).broken == ()


def test_what_ran_under_a_profiler_is_not_compared_and_is_no_failure() -> None:
    base, new = _run(1.0, 1.0), _run(1.2, 1.0)
    profiled = replace(new.trials[1], caveats=(Caveat.of(CaveatKind.PROFILED, profiler="nsys"),))
    new = replace(new, trials=(new.trials[0], profiled, new.trials[2]))
    for runs, why in (((base, new), Why.PROFILED_IN_NEW), ((new, base), Why.PROFILED_IN_BASE)):
        comparison = compare_runs(*runs)
        assert comparison.broken == ()
        assert [(one.case, one.why) for one in comparison.unmatched] == [(profiled.case, why)]
        assert profiled.case not in {change.case for found in comparison.changes.values() for change in found}


def test_ratios_to_a_baseline_that_is_wrong_or_was_profiled_are_not_compared() -> None:
    base = _run(1.0, 1.0)
    profiled = replace(base.trials[0], caveats=(Caveat.of(CaveatKind.PROFILED, profiler="nsys"),))
    wrong = replace(base.trials[0], checks=(Check(CheckKind.SCORES, 32, 0.9, against="FP64"),))
    for baseline in (profiled, wrong):
        new = replace(base, trials=(baseline, *base.trials[1:]))
        assert Metric.RATIO not in compare_runs(base, new).changes


def test_cases_of_one_run_only_are_named_with_the_reason() -> None:
    base, new = _run(1.0, 1.0), make_run(_trial(), _trial(threads=9))
    skip = Skip(base.trials[1].case, "no such thing", "get one")
    found = {str(one.case): (one.why, one.detail) for one in compare_runs(base, replace(new, skips=(skip,))).unmatched}
    assert found == {
        "cpu-fp32-threads1": (Why.SKIPPED, "no such thing"),
        "cpu-fp32-threads2": (Why.NOT_IN_NEW, ""),
        "cpu-fp32-threads9": (Why.NOT_IN_BASE, ""),
    }


def test_other_data_or_another_model_is_not_compared() -> None:
    base = make_run(_trial())
    case = base.trials[0].case
    other = replace(case, workload=replace(case.workload, parameters=(("data", "mnist"), ("model", "m:f"))))
    comparison = compare_runs(base, make_run(replace(base.trials[0], case=other)))
    assert comparison.changes == {}
    (unmatched,) = comparison.unmatched
    assert unmatched.why is Why.OTHER_WORKLOAD
    assert unmatched.detail == "data: digits, now mnist; model: None, now m:f"


def test_a_case_that_left_at_the_look_is_held_to_the_stricter_level() -> None:
    run = _run(1.0)
    left = replace(run.trials[1], samples=tuple(s for s in run.trials[1].samples if s.wave < 3))
    stayed, early = (
        compare_runs(one, one).changes[Metric.TIME][1] for one in (run, replace(run, trials=(run.trials[0], left)))
    )
    assert (stayed.share, early.share) == (1.0, LOOK_SHARE)
    assert early.evidence is not None
    expected = t_quantile(early.evidence.degrees, 1 - LOOK_SHARE * 0.05) * early.evidence.error
    assert math.log(early.high) == pytest.approx(expected)
    assert early.tail(0.001) == pytest.approx(min(1.0, early.evidence.tail(0.001) / LOOK_SHARE))


def test_what_differs_between_machines_and_plans_is_listed_and_the_seed_is_not() -> None:
    base = _run(1.0)
    e = base.environment
    gpus = (Gpu(0, "H", "GPU-1", 2**30, 700.0),)
    new = replace(
        base,
        environment=replace(e, packages=(("torch", "2.16.0"), ("onnx", "1")), gpus=gpus, load_average=9.0),
        plan=replace(base.plan, waves=10, seed=99),
    )
    found = [(d.of, d.name, d.base, d.new) for d in differences(base, new)]
    assert found == [
        ("package", "torch", "2.15.0", "2.16.0"),
        ("package", "torchvision", "0.29.2", None),
        ("plan", "waves", 6, 10),
        ("GPU 0", "name", None, "H"),
        ("GPU 0", "uuid", None, "GPU-1"),
        ("GPU 0", "memory_bytes", None, 2**30),
        ("GPU 0", "power_limit_w", None, 700.0),
        ("package", "onnx", None, "1"),
    ]
    assert differences(base, base) == ()


@pytest.mark.parametrize("text", ["", "time", "time:", "time:x", "speed:5%", "time:-1%", "time:nan", "time:inf", "5%"])
def test_a_gate_that_cannot_be_meant_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="time:5%"):
        parse_gate(text)


def test_limits_are_percent_or_fractions() -> None:
    assert parse_gate("time:5%") == parse_gate("time:0.05") == (Metric.TIME, 0.05)
    assert str(parse_gate("speedup:2.5%")) == "ratio:2.5%"
    assert Plan().confidence == 0.95


def test_a_change_of_a_sum_is_one_only_if_it_is_so_however_far_off_its_sensors_are() -> None:
    """The GPU takes a third less and the package nearly twice as much: less in all, unless both sensors are off."""

    def run(gpu_w: float, package_w: float) -> Run:
        trial = make_trial(device="cuda:0")
        one, other = (with_energy(make_run(trial), [watts]) for watts in (gpu_w, package_w))
        package = replace(other.power[0].traces[0], component=Component(Part.CPU, "cpu package 0"), source="rapl")
        return replace(one, power=(replace(one.power[0], traces=(*one.power[0].traces, package)),))

    (doubtful,) = compare_runs(run(300.0, 100.0), run(200.0, 190.0)).changes[Metric.ENERGY]
    assert doubtful.ratio == pytest.approx(0.975, rel=0.01)
    assert doubtful.low is not None
    assert doubtful.high is not None
    assert doubtful.low < doubtful.ratio < 1 < doubtful.high
    assert [doubtful.tail(0.0, sign) > 0.5 for sign in (1, -1)] == [True, True]
    same = run(300.0, 100.0)
    (result,) = judge_gates(compare_runs(same, replace(same, id="again")), [parse_gate("energy:5%")])
    assert not result.failed
    (clear,) = compare_runs(run(300.0, 100.0), run(400.0, 130.0)).changes[Metric.ENERGY]
    assert clear.tail(math.log(1.2)) < 0.01
    assert clear.low is not None
    assert clear.low > 1.3
