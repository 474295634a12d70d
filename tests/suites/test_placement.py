from __future__ import annotations

import pytest
import torch

from bench import UnavailableError, UsageError, Variant
from suites.backends import find_backend
from suites.placement import Ability, Placement, check_ability
from tests.suites.models import Tiny


def test_a_model_and_images_are_placed_in_the_layout():
    placement = Placement.of(Variant.of(layout="channels_last"))
    assert placement.place_images(torch.randn(2, 3, 8, 8)).is_contiguous(memory_format=torch.channels_last)
    assert placement.place_model(Tiny()).convolution.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"precision": "fp8"}, "know no precision 'fp8'; choose one of fp32, tf32, amp_bf16"),
        ({"precision": "int8"}, "know no precision 'int8'"),
        ({"precision": "tf32"}, "tf32 is arithmetic of NVIDIA GPUs; on a CPU choose fp32"),
        ({"layout": "nchw"}, "know no layout 'nchw'; choose one of contiguous, channels_last"),
        ({"device": "tpu"}, "knows no device 'tpu'; choose cpu or cuda:0"),
        ({"device": "cuda:x"}, "knows no device 'cuda:x'"),
    ],
)
def test_an_unknown_axis_value_is_refused_with_the_choices(axes, words):
    with pytest.raises(UsageError, match=words):
        Placement.of(Variant.of(**axes))


def test_an_unknown_backend_is_refused_with_the_choices():
    with pytest.raises(UsageError, match="knows no backend 'xla'; choose one of eager, compile"):
        find_backend("xla")


def test_a_device_that_is_not_there_is_unavailable_and_the_fix_is_named():
    with pytest.raises(UnavailableError, match="sees no device cuda:99") as caught:
        Placement.of(Variant.of(device="cuda:99"))
    assert "nvidia-smi" in caught.value.fix


TURING = Ability("a T4", tf32=False, bfloat16=False, float16=True)
HOPPER = Ability("an H100", tf32=True, bfloat16=True, float16=True)
OLD_CPU = Ability("this CPU", tf32=False, bfloat16=True, float16=False)


@pytest.mark.parametrize("precision", ["tf32", "amp_bf16", "amp_fp16", "bf16", "fp16"])
def test_a_precision_in_hardware_is_let_be(precision):
    check_ability(precision, HOPPER)


@pytest.mark.parametrize(
    ("precision", "ability", "reason"),
    [
        ("tf32", TURING, "a T4 has no tf32 arithmetic"),
        ("amp_bf16", TURING, "a T4 has no bfloat16 arithmetic"),
        ("bf16", TURING, "a T4 has no bfloat16 arithmetic"),
        ("amp_fp16", OLD_CPU, "this CPU has no float16 arithmetic"),
        ("fp16", OLD_CPU, "this CPU has no float16 arithmetic"),
    ],
)
def test_a_precision_that_would_be_emulated_is_unavailable(precision, ability, reason):
    with pytest.raises(UnavailableError, match=reason) as caught:
        check_ability(precision, ability)
    assert caught.value.fix.startswith("choose fp32 or ")


def test_what_a_cpu_can_do_decides_about_float16():
    assert Placement.of(Variant.of(precision="amp_fp16"), lambda device: HOPPER).computed_in == torch.float16
    with pytest.raises(UnavailableError, match="no float16"):
        Placement.of(Variant.of(precision="amp_fp16"), lambda device: OLD_CPU)


def test_half_weights_come_with_images_of_their_type():
    placement = Placement.of(Variant.of(precision="bf16", layout="channels_last"))
    assert placement.place_images(torch.randn(2, 3, 8, 8)).dtype == torch.bfloat16
    assert {tensor.dtype for tensor in placement.place_model(Tiny()).parameters()} == {torch.bfloat16}


def test_only_mixed_float16_is_trained_with_a_scaled_loss():
    scaler = Placement("cpu", "amp_fp16", "contiguous").loss_scaler()
    assert isinstance(scaler, torch.amp.GradScaler)
    assert Placement("cpu", "bf16", "contiguous").loss_scaler() is None
    with pytest.raises(UsageError, match="choose amp_fp16, or fp16 for inference"):
        Placement("cpu", "fp16", "contiguous").loss_scaler()
