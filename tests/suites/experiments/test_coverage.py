"""A fast, seeded version of docs/coverage.md, and that the simulation is one of what really reads runs."""

from pathlib import Path

import numpy
import pytest

from bench import MeasurementError
from suites.experiments import coverage
from suites.experiments.coverage import LEAST, MOST, PLANTED, RULE, RULES, evidence_of, outcome_of
from suites.experiments.machines import BEYOND, MACHINES, Machine, step_times

DOCUMENT = Path(__file__).parents[3] / "docs" / "coverage.md"
SEED = 7
#: Three standard errors of a share of 95 % in 2000 runs.
SLACK = 0.015


def _times(machine, runs, waves=6, log_speedup=PLANTED):
    return step_times(machine, log_speedup, runs, waves, numpy.random.default_rng(SEED))


@pytest.mark.parametrize("name", MACHINES)
def test_the_interval_holds_the_truth_on_a_disturbed_machine(name):
    row = coverage.row_of(MACHINES[name], runs=2000, seed=SEED, checked=2)
    for waves, share in row.coverage.items():
        assert LEAST - SLACK <= share <= MOST + SLACK, waves


def test_waves_that_remember_the_last_one_are_beyond_any_interval():
    row = coverage.row_of(BEYOND["a wave remembers 0.6 of the last"], runs=2000, seed=SEED, checked=0)
    assert max(row.coverage.values()) < 0.9


@pytest.mark.parametrize("log_speedup", [0.0, 0.02, -2.6])
def test_the_simulation_ends_every_run_as_bench_does(log_speedup):
    times = _times(Machine(offset=0.0015), 60, log_speedup=log_speedup)
    outcome = outcome_of(evidence_of(times))
    assert outcome.left.mean() > 0
    coverage.check(times, outcome, 60)


def test_a_simulation_of_something_else_is_noticed():
    times = _times(Machine(), 1)
    outcome = outcome_of(evidence_of(times))
    with pytest.raises(MeasurementError, match="run 0"):
        coverage.check(times, outcome._replace(low=outcome.low * 1.001), 1)


def test_what_leaves_on_precision_alone_loses_coverage_that_the_rule_keeps():
    alone, kept = (coverage.worst_of(rule, PLANTED, 20_000, SEED) for rule in (RULES[1], RULE))
    assert alone.coverage < LEAST < kept.coverage
    assert alone.leavers is not None
    assert alone.leavers < 0.8


def test_the_rule_finds_what_leaving_on_precision_alone_would_miss():
    evidence = coverage.normal_evidence(PLANTED, 0.005, 20_000, SEED)
    stay, alone, kept = (outcome_of(evidence, rule).faster for rule in (RULES[0], RULES[1], RULE))
    assert alone < stay - 0.04
    assert kept > stay - 0.01


def test_the_document_is_of_these_machines_and_none_is_out_of_bounds():
    text = DOCUMENT.read_text(encoding="utf-8")
    judged, _, beyond = text.partition("## What no interval covers")
    for name in MACHINES:
        (line,) = (line for line in judged.splitlines() if line.startswith(f"| {name} |"))
        assert "**" not in line
    assert all(f"| {name} |" in beyond for name in BEYOND)


def test_the_script_writes_its_document_where_it_is_told(tmp_path, capsys):
    place = tmp_path / "coverage.md"
    status = coverage.main(["--runs", "200", "--checked", "1", "--out", str(place)])
    assert status in (0, 1)  # 200 runs say little
    assert "seed 20261122" in place.read_text(encoding="utf-8")
    assert str(place) in capsys.readouterr().out
