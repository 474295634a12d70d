from __future__ import annotations

import pytest

from bench import UsageError
from suites.backends.quantised import CALIBRATION_IMAGES, adds_pairs_without_overflow, calibration_proof, quantised
from suites.data import Split


@pytest.mark.parametrize(
    ("images", "available", "honoured"),
    [
        (CALIBRATION_IMAGES, 10_000, True),
        (CALIBRATION_IMAGES - 1, 10_000, False),
        (100, 100, True),
        (99, 100, False),
    ],
)
def test_too_few_calibration_images_are_seen_and_all_there_are_suffice(images, available, honoured):
    assert calibration_proof(images, available).honoured is honoured


@pytest.mark.parametrize(
    ("flags", "wide"), [("fma avx2 avx512f", False), ("avx2 avx_vnni", True), ("avx512f avx512_vnni", True)]
)
def test_a_cpu_that_adds_pairs_in_sixteen_bits_is_told_from_one_that_does_not(flags, wide, tmp_path):
    facts = tmp_path / "cpuinfo"
    facts.write_text(f"flags\t\t: fpu {flags}\n", encoding="utf-8")
    assert adds_pairs_without_overflow(facts) is wide


def test_where_nothing_is_known_of_the_cpu_weights_keep_to_seven_bits(tmp_path):
    assert adds_pairs_without_overflow(tmp_path / "cpuinfo") is False


def test_what_cannot_be_quantised_is_refused_with_the_reason(digits):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    few = Split(digits.train.images[:8], digits.train.labels[:8])
    with pytest.raises(UsageError, match=r"the model cannot be quantised .*; use precision fp32"):
        quantised(b"no model", few, 4, "onnx")
