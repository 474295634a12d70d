"""What repeated runs say, from literal ratios; and one real run of the group, as short as can be."""

from __future__ import annotations

import json
import math

import pytest

from bench import Plan
from suites.proof import repeats


def ratio(speedup, permille=-1, half=0.005, verdict="SAME"):
    return {
        "permille": permille,
        "speedup": speedup,
        "low": speedup * (1 - half),
        "high": speedup * (1 + half),
        "verdict": verdict,
    }


def run(shift, *, alarm="SAME", ten="UNSURE"):
    return {
        "cases": {
            "cpu-amp_bf16": ratio(2.0 * math.exp(shift), verdict="FASTER"),
            "cpu-fp32-permille10": ratio(1 / 1.01 + shift, 10, verdict=ten),
            "cpu-fp32-permille20": ratio(1 / 1.02 + shift, 20, verdict="SLOWER"),
            "cpu-fp32-permille50": ratio(1 / 1.05 + shift, 50, verdict="SLOWER"),
            "copies": ratio(1.0 + shift, 0, verdict=alarm),
        }
    }


def test_a_ratio_spreads_by_the_standard_deviation_of_its_logarithms():
    told = repeats.summary([ratio(2.0 * math.exp(shift)) for shift in (-0.01, 0.0, 0.01)])
    assert told["speedup"] == pytest.approx(2.0)
    assert told["spread"] == pytest.approx(0.01)


def test_an_interval_holds_what_was_planted_or_does_not():
    found = [ratio(1 / 1.05, 50), ratio(1 / 1.04, 50), ratio(1.0, 50)]
    assert repeats.summary(found)["held"] == 1
    assert repeats.summary([ratio(1.0, 0)])["held"] == 1
    assert repeats.summary([ratio(1.0, 0)])["spread"] is None


@pytest.mark.parametrize(
    ("alarms", "least"),
    [
        ({10: 2, 20: 2, 50: 2}, 10),
        ({10: 1, 20: 2, 50: 2}, 20),
        ({10: 2, 20: 1, 50: 2}, 50),  # found by luck, where a larger one was missed
        ({10: 2, 20: 2, 50: 1}, None),
        ({}, None),
    ],
)
def test_the_least_difference_is_the_one_from_which_on_all_are_found(alarms, least):
    assert repeats.least_shown({permille: {"alarms": n, "runs": 2} for permille, n in alarms.items()}) == least


def test_good_runs_bear_out_every_claim():
    outcome = repeats.judge([run(-0.001), run(0.001), run(0.0)])
    assert [claim.holds for claim in outcome.claims] == [True, True, True]
    assert outcome.facts["least_shown_permille"] == 20
    assert outcome.facts["ratios"]["copies"]["alarms"] == 0


def test_a_copy_called_different_and_intervals_that_miss_are_contradictions():
    outcome = repeats.judge([run(0.0, alarm="FASTER"), run(0.04), run(0.05)])
    assert [claim.holds for claim in outcome.claims] == [False, True, False]


def test_without_an_interval_nothing_is_held_against_a_run():
    bare = {name: {**one, "low": None, "high": None} for name, one in run(0.0)["cases"].items()}
    told = repeats.judge([{"cases": bare}])
    assert [claim.holds for claim in told.claims] == [True, None, None]


def test_no_run_leaves_everything_open():
    assert [claim.holds for claim in repeats.judge([]).claims] == [None, None, None]


def test_a_wait_takes_a_fraction_of_a_step_in_cycles_of_the_device():
    assert repeats.wait_cycles(step_s=0.01, cycle_s=1 / 1.5e9, fraction=0.02) == 300_000
    assert repeats.wait_cycles(step_s=1e-9, cycle_s=1e-9, fraction=0.005) == 1


def test_a_run_that_was_torn_is_made_again(tmp_path):
    journal = tmp_path / "runs.jsonl"
    journal.write_text('{"pace": "quick", "seed": 0, "cases": {}}\n{"pace": "qui')
    assert [one["seed"] for one in repeats._stored(journal)] == [0]
    assert repeats._stored(tmp_path / "none") == []


def test_on_a_gpu_the_batch_is_large_enough_for_the_device_to_decide():
    batches = {case.variant["batch"] for case in repeats.group("cuda:0", "digits")}
    assert batches == {4096}


def test_cases_of_a_group_have_names_of_their_own():
    cases = repeats.group("cpu", "digits")
    assert len({case.name for case in cases}) == len(cases)
    assert cases[0].name == "inference[cpu-fp32]"


def test_the_group_is_measured_and_a_finished_run_is_not_measured_again(task):
    made = task("repeats-cpu")
    data = "synthetic:3x32x32"
    cases = repeats.group("cpu", data)
    plan = Plan(waves=2, rounds=1, budget_s=1, warm_up_s=0.01, precision=0.0, start="fork_server")
    told = repeats.measure([cases[0], *cases[1:3], cases[-1]], plan)
    assert set(told) == {str(case.variant) for case in (*cases[1:3], cases[-1])} | {"copies"}
    assert told[str(cases[-1].variant)]["permille"] == 50
    line = json.dumps({"pace": made.pace.name, "seed": 0, "cases": told})
    (made.folder / "runs.jsonl").write_text(f"{line}\n" * made.pace.repeats)
    assert repeats.check(made).facts["runs"] == made.pace.repeats
