"""Variants are equal when they mean the same, and have ids a person would type."""

import math

import numpy
import pytest

from bench import Case, UsageError, Variant, Workload, expand


def test_an_id_reads_as_words_a_person_would_type() -> None:
    variant = Variant.of(cudnn_benchmark=True, layout="channels_last", precision="amp_bf16", device="cuda:0")
    assert variant.id == "cuda0-amp_bf16-channels_last-cudnn_benchmark"


def test_a_value_equal_to_its_default_is_left_out() -> None:
    assert Variant.of(device="cpu", threads=0, onednn=True) == Variant.of()
    assert Variant.of().id == "cpu-fp32"


def test_the_order_of_writing_does_not_matter() -> None:
    assert Variant.of(threads=1, layout="channels_last") == Variant.of(layout="channels_last", threads=1)


def test_numbers_and_switches_carry_their_axis_name() -> None:
    assert Variant.of(threads=1, onednn=False, batch=64).id == "cpu-fp32-batch64-threads1-no_onednn"


def test_settings_of_cudnn_read_as_words() -> None:
    assert Variant.of(device="cuda:0", cudnn=False).id == "cuda0-fp32-no_cudnn"
    assert Variant.of(device="cuda:0", deterministic=True).id == "cuda0-fp32-deterministic"


def test_an_axis_of_the_users_own_follows_the_known_ones() -> None:
    variant = Variant.of(width=256, threads=2)
    assert variant.id == "cpu-fp32-threads2-width256"
    assert variant["width"] == 256


@pytest.mark.parametrize("value", [0.5, None, (1, 2), 1j, numpy.int64(3), numpy.str_("a")])
def test_a_value_that_an_id_cannot_say_is_refused_in_a_sentence(value) -> None:
    with pytest.raises(UsageError, match=r"axis dropout has the value .*; give text, a whole number or True and False"):
        expand(dropout=[value])


@pytest.mark.parametrize("value", [[64, 128], {"a": 1}, object(), b"x", numpy.float64(0.1), math.nan, math.inf])
def test_a_parameter_that_cannot_travel_is_refused_in_a_sentence(value) -> None:
    with pytest.raises(UsageError, match=r"workload 'sums' has the parameter sizes=.*no other process can be given"):
        Workload.of("sums", expand, sizes=value)


def test_the_short_form_takes_what_the_long_one_does() -> None:
    made = Workload.of("sums", expand, prepare=pytest.fixture, items="numbers", measures="latency", length=5)
    place = "bench.records.variant:expand"
    assert made == Workload("sums", place, made.prepare, (("length", 5),), "numbers", "latency")
    assert made.prepare == f"{pytest.fixture.__module__}:fixture"


def test_an_axis_that_nobody_set_or_knows_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        Variant.of()["width"]


@pytest.mark.parametrize("axes", [{"layout": "channels last"}, {"precision": ""}, {"Threads": 1}, {"layout": "a\nb"}])
def test_names_and_values_that_would_break_an_id_are_refused(axes: dict[str, str | int]) -> None:
    with pytest.raises(UsageError):
        Variant.of(**axes)


def test_expand_varies_the_last_axis_fastest() -> None:
    ids = [variant.id for variant in expand(precision=["fp32", "amp_bf16"], threads=[0, 1])]
    assert ids == ["cpu-fp32", "cpu-fp32-threads1", "cpu-amp_bf16", "cpu-amp_bf16-threads1"]


def test_a_case_is_one_row_and_its_group_is_workload_and_device() -> None:
    case = Case(Workload("training", "suites.training:build"), Variant.of(device="cuda:1"))
    assert str(case) == "cuda1-fp32"
    assert case.name == "training[cuda1-fp32]"
    assert case.group == (case.workload, "cuda:1")


def test_a_builder_that_no_other_process_can_import_is_refused() -> None:
    with pytest.raises(UsageError, match="module-level function"):
        Workload.of("mine", lambda variant: None)
