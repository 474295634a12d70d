from __future__ import annotations

import pytest
import torch

from bench import UnavailableError, UsageError, Variant
from suites.backends import find_backend
from suites.placement import Placement
from tests.suites.models import Tiny


def test_a_model_and_images_are_placed_in_the_layout():
    placement = Placement.of(Variant.of(layout="channels_last"))
    assert placement.place_images(torch.randn(2, 3, 8, 8)).is_contiguous(memory_format=torch.channels_last)
    assert placement.place_model(Tiny()).convolution.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"precision": "fp8"}, "knows no precision 'fp8'; choose one of fp32, amp_bf16"),
        ({"layout": "nchw"}, "knows no layout 'nchw'; choose one of contiguous, channels_last"),
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
