"""The price of independence: who stands for either side, and who may not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import Proof, Variant, summarise
from bench.analysis import Independence
from bench.analysis.comparison import LOOK_SHARE
from bench.analysis.independence import is_bound
from bench.records import Trial
from tests.factories import make_run, make_trial
from tests.reports.example import spread

CUDA = "cuda:0"


def on_cuda(step_s: float, **axes: str | int | bool) -> Trial:
    return make_trial(step_s=step_s, device=CUDA, **axes)


def found(*trials: Trial) -> Independence | None:
    return summarise(make_run(on_cuda(0.020), *trials))[0].independence


@pytest.mark.parametrize(
    ("axes", "bound"),
    [
        ({}, False),
        ({"backend": "onnxruntime"}, False),
        ({"backend": "cuda_graphs"}, True),
        ({"backend": "tensorrt"}, True),
        ({"precision": "tf32"}, True),
        ({"backend": "onnxruntime", "precision": "tf32"}, True),
        ({"backend": "mine"}, None),
    ],
)
def test_a_setting_is_bound_by_any_of_its_values(axes, bound) -> None:
    assert is_bound(Variant.of(**axes)) is bound


def test_the_best_of_either_side_are_compared_in_pairs() -> None:
    result = found(
        on_cuda(0.016, backend="compile"), on_cuda(0.008, backend="cuda_graphs"), on_cuda(0.010, precision="tf32")
    )
    assert result is not None
    assert result.bound is not None
    assert result.price is not None
    assert result.neutral.trial.case.variant["backend"] == "compile"
    assert result.bound.trial.case.variant["backend"] == "cuda_graphs"
    assert result.price.speedup == pytest.approx(2.0)
    assert result.price.low == pytest.approx(2.0)


def test_the_baseline_stands_for_independence_where_nothing_neutral_is_better() -> None:
    result = found(on_cuda(0.030, backend="compile"), on_cuda(0.010, backend="tensorrt"))
    assert result is not None
    assert str(result.neutral.trial.case) == "cuda0-fp32"


def test_nobody_stands_for_a_side_who_was_not_what_its_label_says() -> None:
    struck = make_trial(step_s=0.001, device=CUDA, backend="tensorrt", proofs=[Proof("engine", "TensorRT", "PyTorch")])
    result = found(struck, on_cuda(0.010, backend="cuda_graphs"))
    assert result is not None
    assert result.bound is not None
    assert result.bound.trial.case.variant["backend"] == "cuda_graphs"


def test_the_undecided_do_not_win_and_are_named() -> None:
    result = found(spread(on_cuda(0.018, backend="tensorrt"), 0.3, 1))
    assert result is not None
    assert result.bound is None
    assert [str(trial.case) for trial in result.undecided] == ["cuda0-fp32-tensorrt"]


def test_without_anything_vendor_bound_there_is_no_price() -> None:
    assert found(on_cuda(0.010, backend="compile")) is None
    assert found(on_cuda(0.010, backend="mine")) is None


def test_of_who_left_half_way_the_price_is_made_at_the_stricter_level() -> None:
    graphs, compiled = (
        spread(on_cuda(step_s, backend=backend), 0.002, number)
        for number, (step_s, backend) in enumerate([(0.008, "cuda_graphs"), (0.010, "compile")])
    )
    left = [replace(one, samples=tuple(s for s in one.samples if s.wave < 3)) for one in (graphs, compiled)]
    for bound, neutral in (left, (graphs, left[1]), (left[0], compiled)):
        independence = found(bound, neutral)
        assert independence is not None
        assert independence.price is not None
        assert independence.price.level == pytest.approx(1 - 0.05 * LOOK_SHARE)
    whole = found(graphs, compiled)
    assert whole is not None
    assert whole.price is not None
    assert whole.price.level == pytest.approx(0.95)
