"""What the shared plan cache does to a comparison, from literal lists of kernels."""

from __future__ import annotations

import pytest

from bench import MeasurementError
from suites.operations import Operation
from suites.proof import plans
from suites.proof.plans import OFF, ON, compare, judge

SLOW, FAST = {"implicit_gemm": 20}, {"implicit_gemm": 12, "winograd": 8}


def seen(first_decides):
    """Off takes 2 ms by its own plans and on 1 ms; in one process the first decides, or each chooses for itself."""
    own = {OFF: {"kernels": SLOW, "step_s": 0.002}, ON: {"kernels": FAST, "step_s": 0.001}}
    told = {(name,): {name: own[name]} for name in own}
    for first, second in ((OFF, ON), (ON, OFF)):
        told[first, second] = {first: own[first], second: own[first if first_decides else second]}
    return told


def test_a_shared_cache_shows_in_kernels_and_in_what_on_seems_to_bring():
    told = compare(seen(first_decides=True))
    assert told["plans_differ"]
    assert told["only_off"] == {"implicit_gemm": 8}
    assert told["only_on"] == {"winograd": 8}
    assert told["orders"] == {
        "off then on": {"second_like_first": True, "second_like_own": False},
        "on then off": {"second_like_first": True, "second_like_own": False},
    }
    assert told["speedup_of_on"] == {"own processes": 2.0, "off then on": 1.0, "on then off": 1.0}
    assert [claim.holds for claim in judge("x", told)] == [True, True]


def test_a_cache_that_is_not_shared_contradicts_the_claim():
    told = compare(seen(first_decides=False))
    assert set(told["speedup_of_on"].values()) == {2.0}
    assert [claim.holds for claim in judge("x", told)] == [True, False]


def test_where_both_settings_choose_the_same_nothing_can_be_told():
    told = {order: {name: {"kernels": SLOW, "step_s": 1.0} for name in order} for order in plans.ORDERS}
    assert [claim.holds for claim in judge("x", compare(told))] == [True, None]


def test_a_setting_without_kernels_is_named():
    told = seen(first_decides=True)
    told[ON,] = {ON: {"kernels": {}, "step_s": 0.001}}
    first, _ = judge("x", compare(told))
    assert (first.holds, first.seen) == (False, "on")


def test_products_are_known_by_their_kernels_and_without_any_by_their_operations():
    operation = Operation("aten::convolution")
    kernels = [Operation(name, kind="kernel") for name in ("ampere_sgemm_128x64_nn", "void at::native::relu_kernel")]
    assert plans.product_names([operation, *kernels]) == ["ampere_sgemm_128x64_nn"]
    assert plans.product_names([operation, Operation("aten::relu")]) == ["aten::convolution"]


def test_a_process_records_each_setting_in_turn():
    told = plans.observe("cpu", ("inference", "fp32", "contiguous", 1), (ON, OFF), 0.01)
    assert list(told) == [ON, OFF]
    for one in told.values():
        assert one["kernels"]["aten::convolution"] == 20
        assert one["step_s"] > 0


def test_a_process_that_fails_is_told_with_its_last_words():
    with pytest.raises(MeasurementError, match="know no layout 'sideways'"):
        plans.observe("cpu", ("inference", "fp32", "sideways", 1), (ON,), 0.01)
