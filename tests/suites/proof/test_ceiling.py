"""The arithmetic of ceilings and shares, with literal numbers; and PyTorch's counter against counts by hand."""

from __future__ import annotations

import pytest
import torch

from bench.storage import save
from suites.proof import ceiling
from suites.proof.outcome import Claim, Outcome
from tests.factories import INFERENCE, LATENCY, TRAINING, make_run, make_trial

PARAMETERS = (("data", "digits"), ("model", None), ("shape", "3x32x32"), ("classes", 10))
ROW = {"precision": "amp_bf16", "images_per_s": 1e5, "counted": (None, "3x32x32", 10, False), "case": "c", "model": "m"}


def named(workload):
    from dataclasses import replace

    return replace(workload, parameters=PARAMETERS)


def test_a_product_of_two_matrices_multiplies_and_adds_n_cubed_times():
    assert ceiling.product_flops(1000) == 2e9


def test_a_convolution_by_3x3_has_nine_terms_for_each_channel():
    assert ceiling.convolution_flops(images=2, channels=10, height=4) == 2 * 2 * 10 * 16 * 90


def test_a_convolution_is_counted_as_pytorch_counts_it():
    from torch.utils.flop_counter import FlopCounterMode

    step = ceiling._convolution(2, 8, 4, torch.float32, "cpu")
    with FlopCounterMode(display=False) as counter:
        step()
    assert counter.get_total_flops() == ceiling.convolution_flops(2, 8, 4)


def test_a_copy_reads_and_writes():
    assert ceiling.copy_bytes(1000, 4) == 8000


def test_a_share_is_the_work_done_in_a_second_over_the_best_product_of_its_precision():
    products = {"bf16": {"4096": 4e14, "8192": 5e14, "16384": None}, "fp32": {"4096": 5e13}}
    told = ceiling.share_of(ROW, 1e9, products)
    assert told["flops"] == pytest.approx(1e14)
    assert told["share"] == pytest.approx(0.2)
    assert "counted" not in told


@pytest.mark.parametrize("products", [{}, {"bf16": {"4096": None}}, {"fp32": {"4096": 1e13}}])
def test_without_a_ceiling_of_its_precision_there_is_no_share(products):
    assert ceiling.share_of(ROW, 1e9, products)["share"] is None


def test_a_precision_that_no_product_was_measured_in_has_no_share():
    assert ceiling.share_of({**ROW, "precision": "int8"}, 1e9, {"bf16": {"1": 1.0}})["share"] is None


def test_more_than_the_ceiling_is_a_contradiction():
    shares = [{**ROW, "share": share} for share in (0.4, 1.2, None)]
    assert [claim.holds for claim in ceiling._share_claims(shares)] == [True, False, None]


def test_baseline_and_fastest_sound_row_of_each_workload_are_held_against_it():
    trials = [
        make_trial(named(INFERENCE), 0.02),
        make_trial(named(INFERENCE), 0.01, precision="amp_bf16"),
        make_trial(named(TRAINING), 0.04),
        make_trial(named(LATENCY), 0.001, batch=1),
    ]
    rows = ceiling.best_rows(make_run(*trials), "cpu")
    assert [(row["case"], row["counted"][3]) for row in rows] == [
        ("inference[cpu-fp32]", False),
        ("inference[cpu-amp_bf16]", False),
        ("training[cpu-fp32]", True),
    ]
    assert rows[0]["images_per_s"] == pytest.approx(1600, rel=0.01)
    assert ceiling.best_rows(make_run(*trials), "cuda:0") == []


def test_time_is_spent_on_products_on_others_or_idle():
    profile = {
        "busy_share": 0.7,
        "hotspots": [
            ["operator", "aten::conv2d", 5, 0.9],
            ["kernel", "ampere_sgemm_128x64_nn", 20, 0.5],
            ["kernel", "void at::native::relu_kernel", 20, 0.15],
            ["copy", "Memcpy HtoD", 1, 0.05],
        ],
    }
    told = ceiling.where_spent(profile)
    assert told == {"idle": pytest.approx(0.3), "products": pytest.approx(0.5), "others": pytest.approx(0.2)}
    assert set(ceiling.where_spent({**profile, "busy_share": None}).values()) == {None}
    assert set(ceiling.where_spent(None).values()) == {None}


@pytest.mark.parametrize(("speed", "measured"), [(2e9, [256, 512, 1024]), (1e8, [256, 512]), (1e5, [256])])
def test_sizes_of_which_one_product_would_take_too_long_are_left_out(monkeypatch, speed, measured):
    asked = []

    def found(flops, make, what, task):
        asked.append(what[0])
        return speed

    monkeypatch.setattr(ceiling, "_speed", found)
    told = ceiling._square_speeds((256, 512, 1024), None, None)
    assert asked == measured
    assert {int(size) for size, one in told.items() if one is None} == {256, 512, 1024} - set(measured)


def test_pytorch_counts_what_a_hand_does():
    """Tiny: see tests/suites/models.py; three channels to four by 3x3, then a linear layer."""
    inference = ceiling.count_flops("tests.suites.models:Tiny", "3x8x8", 10, training=False)
    training = ceiling.count_flops("tests.suites.models:Tiny", "3x8x8", 10, training=True)
    assert 2 * inference < training <= 3 * inference


def test_resnet_50_takes_about_eight_billion_operations_an_image():
    """4.09 billion multiplications with their additions. Source: torchvision's table of ResNet50_Weights, "GFLOPS"."""
    found = ceiling.count_flops("suites.proof.models:resnet50", "3x224x224", 1000, training=False)
    assert found / 2e9 == pytest.approx(4.09, abs=0.01)


def test_the_step_measures_this_machine_and_finds_what_earlier_steps_left(task):
    made = task("ceiling-cpu", runs=("inference-cpu",))
    save(make_run(make_trial(named(INFERENCE), 3600.0)), made.home / "inference-cpu" / "out" / "1")
    (made.home / "profile-cpu").mkdir()
    Outcome({"profiles": {"inference[cpu-fp32]": None}}, (Claim("a", True),)).save(made.home / "profile-cpu")
    outcome = ceiling.check(made)
    assert outcome.passed
    assert outcome.facts["ceiling_flops"]["fp32"] > 1e9
    (row,) = outcome.facts["best"]
    assert 0 < row["share"] < 1e-3
    assert outcome.facts["spent"]["inference[cpu-fp32]"]["idle"] is None
