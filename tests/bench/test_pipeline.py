"""The share of the input in a step, on literal numbers."""

import math
from dataclasses import replace

import pytest

from bench import Plan, Workload
from bench.analysis.pipeline import input_shares
from bench.records import Check, CheckKind, Proof, Trial
from tests.factories import TRAINING, make_trial
from tests.reports.example import failed, spread

WHOLE = Workload(
    "training_end_to_end", "suites.training_end_to_end:build", parameters=TRAINING.parameters, items="images"
)


def shares(*trials: Trial) -> dict[str, float]:
    return {share.end_to_end.name: share.share for share in input_shares(trials, Plan())}


def test_the_share_is_what_the_input_adds_to_the_whole() -> None:
    (share,) = input_shares((make_trial(TRAINING, 0.06), make_trial(WHOLE, 0.08)), Plan())
    assert share.share == pytest.approx(0.25)
    assert (share.resident.name, share.end_to_end.name) == ("training[cpu-fp32]", "training_end_to_end[cpu-fp32]")


def test_loaders_are_compared_with_the_same_step_on_resident_images() -> None:
    amp = make_trial(TRAINING, 0.04, precision="amp_bf16")
    found = shares(make_trial(TRAINING, 0.06), amp, make_trial(WHOLE, 0.05, precision="amp_bf16", loaders=2))
    assert found == {"training_end_to_end[cpu-amp_bf16-loaders2]": pytest.approx(0.2)}


def test_what_has_no_sound_counterpart_has_no_share() -> None:
    lying = make_trial(TRAINING, 0.06, proofs=[Proof("device", "cpu", "cuda:0")])
    assert shares(lying, make_trial(WHOLE, 0.08)) == {}
    assert shares(make_trial(TRAINING, 0.06), failed(make_trial(WHOLE, 0.08))) == {}
    assert shares(make_trial(TRAINING, 0.06, batch=8), make_trial(WHOLE, 0.08)) == {}
    wrong = replace(make_trial(TRAINING, 0.06), checks=(Check(CheckKind.LOSS, 8, 9.0, reference=1.0),))
    assert shares(wrong, make_trial(WHOLE, 0.08)) == {}


def test_the_interval_grows_with_the_spread_of_either_and_holds_the_share() -> None:
    calm = input_shares((make_trial(TRAINING, 0.06), make_trial(WHOLE, 0.08)), Plan())[0]
    noisy = input_shares((spread(make_trial(TRAINING, 0.06), 0.05, 1), make_trial(WHOLE, 0.08)), Plan())[0]
    assert calm.low is not None
    assert calm.high is not None
    assert noisy.low is not None
    assert noisy.high is not None
    assert noisy.low < calm.low < calm.share < calm.high < noisy.high


def test_welch_gives_the_textbook_half_width() -> None:
    first, second = (
        spread(make_trial(TRAINING, 0.06, wobble=0), 0.05, 1),
        spread(make_trial(WHOLE, 0.08, wobble=0), 0.05, 1),
    )
    (share,) = input_shares((first, second), Plan())
    assert share.low is not None
    logs = [math.log(1 + 0.05 * offset) for offset in (0.4, 1.1, -0.3, 0.8, -1.0, 0.2)]
    mean = sum(logs) / 6
    variance = sum((log - mean) ** 2 for log in logs) / 5
    half = 2.2281 * math.sqrt(2 * variance / 6)  # t with ten degrees of freedom, since both spread alike
    assert math.log((1 - share.low) / (1 - share.share)) == pytest.approx(half, rel=1e-3)
