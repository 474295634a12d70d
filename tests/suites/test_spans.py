"""The shipped steps say where they are: their phases add up to the step that is measured, and can be profiled."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

import bench
from bench.analysis import step_times, time_per_step
from bench.measurement import GroupMeasurement
from bench.records import SpotKind, Trial
from bench.surroundings import Surroundings
from suites import inference, training
from suites.experiments import annotations

PLAN = bench.Plan(waves=3, rounds=4, phases=True, profile=True, power="off")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Trial]]:
    """Training and inference on synthetic images, one thread, with phases and a profile."""
    folder = tmp_path_factory.mktemp("run")
    options = bench.Options(data="synthetic:3x32x32")
    trials = {}
    for name, suite in (("training", training), ("inference", inference)):
        workload = suite.cases(options)[0].workload
        case = bench.Case(workload, bench.Variant.of(threads=1, batch=8))
        bench.prepare([case], PLAN)
        group = GroupMeasurement([case], PLAN, folder / "caches", surroundings=Surroundings("r", folder))
        group.run()
        (trials[name],) = group.trials
        assert trials[name].failure is None
    return folder, trials


@pytest.mark.parametrize(
    ("name", "phases"),
    [
        ("training", ["data", "forward", "loss", "backward", "optimizer", "other"]),
        ("inference", ["data", "forward", "other"]),
    ],
)
def test_a_step_has_its_phases_in_order(measured: tuple[Path, dict[str, Trial]], name: str, phases: list[str]) -> None:
    times = step_times(measured[1][name], 0.95)
    assert times is not None
    assert [one.name for one in times.phases] == phases


def test_the_phases_of_a_training_step_add_up_to_it_within_their_intervals(
    measured: tuple[Path, dict[str, Trial]],
) -> None:
    trial = measured[1]["training"]
    times, step = step_times(trial, 0.95), time_per_step(trial, 0.95)
    assert times is not None
    assert step is not None
    named = [one.seconds for one in times.phases if one.name != "other"]
    low, high = (sum(getattr(one, end) or 0.0 for one in named) for end in ("low", "high"))
    assert times.step.low is not None
    assert times.step.high is not None
    assert low <= times.step.high
    assert times.step.low <= high + times.phases[-1].seconds.value
    assert times.phases[-1].share < 0.1  # little of a step lies outside of its phases
    # And it is the step that was measured, at another time, when neighbours may have been louder.
    assert 0.5 < times.step.value / step.value < 2


def test_the_pass_leaves_the_samples_alone(measured: tuple[Path, dict[str, Trial]]) -> None:
    trial = measured[1]["training"]
    assert {(sample.wave, sample.round) for sample in trial.samples} <= {(w, r) for w in range(3) for r in range(4)}
    assert [block.wave for block in trial.phases] == [0, 1, 2]


def test_a_profile_names_the_operators_and_leaves_a_trace_for_perfetto(
    measured: tuple[Path, dict[str, Trial]],
) -> None:
    folder, trials = measured
    profile = trials["training"].profile
    assert profile is not None
    assert profile.steps == 5
    assert any("convolution" in one.name for one in profile.hotspots[:10] if one.kind is SpotKind.OPERATOR)
    assert profile.device is None
    assert profile.trace == "traces/training-cpu-fp32-batch8-threads1.json.gz"
    events = json.loads(gzip.decompress((folder / profile.trace).read_bytes()))["traceEvents"]
    assert sum(event.get("name") == "aten::cross_entropy_loss" for event in events) == 5


def test_an_annotated_copy_is_the_same_case_but_for_its_ranges() -> None:
    plain, shown = annotations.pair("training")
    assert plain.group == shown.group
    assert (str(plain), str(shown)) == ("cpu-fp32-threads1-no_annotated", "cpu-fp32-threads1-annotated")
    parameters = dict(plain.workload.parameters)
    parameters["data"] = "synthetic:3x32x32"
    prepared = [annotations.build_inference(case.variant, **parameters) for case in (plain, shown)]
    assert [step.items for step in prepared] == [32, 32]
    assert prepared[0].run().shape == prepared[1].run().shape


def test_a_span_costs_less_than_a_millionth_of_a_second_when_nobody_is_told() -> None:
    costs = annotations.span_costs()
    assert 0 < costs["nobody is told"] < 1e-6
    assert costs["pushed and popped, no profiler attached"] < 20e-6
