from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from bench import Step, Variant
from suites.backends import Ready
from suites.classifier import new_classifier
from suites.data import Split
from suites.evidence import Probe, bits_kept, cudnn_proofs, engine_arithmetic, float32_arithmetic, scaling_proofs
from suites.operations import Operation, record
from suites.placement import Placement
from suites.steps import _descent, inference_step, training_step
from tests.suites.models import BreaksTheGraph, NeverCompiles, StaysInFloat32, Tiny, TurnsContiguous

EAGER = [
    Variant.of(),
    Variant.of(layout="channels_last"),
    Variant.of(precision="amp_bf16"),
    Variant.of(precision="amp_bf16", layout="channels_last"),
    Variant.of(precision="bf16"),
    Variant.of(batch=5),
]


def dishonoured(step: Step) -> dict[str, str]:
    step.run()
    return {proof.fact: proof.observed for proof in step.proofs() if not proof.honoured}


def state_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("variant", EAGER, ids=str)
@pytest.mark.parametrize("make_step", [training_step, inference_step])
def test_every_eager_variant_takes_effect(make_step, variant, digits):
    step = make_step(variant, new_classifier(None, 10), digits)
    assert dishonoured(step) == {}
    assert step.items == variant["batch"]


def test_a_training_step_changes_the_weights_and_the_loss_falls(digits):
    model = new_classifier(None, 10)
    before = state_of(model)
    step = training_step(Variant.of(), model, digits)
    losses = [step.run().item() for _ in range(24)]
    assert not torch.equal(model.fc.weight, before["fc.weight"])
    assert not torch.equal(model.conv1.weight, before["conv1.weight"])
    assert sum(losses[-8:]) < 0.5 * sum(losses[:8])


def test_an_inference_step_leaves_the_model_alone(digits):
    model = new_classifier(None, 10)
    before = state_of(model)
    step = inference_step(Variant.of(), model, digits)
    scores = step.run()
    list(step.proofs())
    assert scores.shape == (32, 10)
    assert not scores.requires_grad
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_steps_rotate_among_different_images(digits):
    step = inference_step(Variant.of(), Tiny(), digits)
    scores = [step.run() for _ in range(9)]
    assert not torch.equal(scores[0], scores[1])
    assert torch.equal(scores[0], scores[8])


def test_mixed_precision_stays_close_to_float32_without_being_it(digits):
    exact, mixed = (
        inference_step(Variant.of(precision=precision), new_classifier(None, 10), digits).run().float()
        for precision in ("fp32", "amp_bf16")
    )
    error = ((mixed - exact).norm() / exact.norm()).item()
    assert 1e-5 < error < 0.05


def test_a_model_that_stays_in_float32_is_not_called_mixed_precision(digits):
    variant = Variant.of(precision="amp_bf16")
    assert dishonoured(inference_step(variant, StaysInFloat32(), digits))["products"] == "float32"
    assert dishonoured(training_step(variant, StaysInFloat32(), digits))["products"] == "float32"


def test_weights_in_bfloat16_are_not_called_mixed_precision(digits):
    model = Tiny()
    step = inference_step(Variant.of(precision="amp_bf16"), model, digits)
    model.head.bfloat16()
    assert dishonoured(step) == {"weights": "bfloat16 and float32"}


def test_weights_in_float32_are_not_called_half(digits):
    model = Tiny()
    step = inference_step(Variant.of(precision="bf16"), model, digits)
    model.float()
    with pytest.raises(RuntimeError, match="type"):
        step.run()
    model.convolution.bfloat16()
    model.head.forward = lambda features: nn.functional.linear(features.float(), model.head.weight, model.head.bias)
    assert dishonoured(step) == {"products": "bfloat16 and float32", "weights": "bfloat16 and float32"}


def test_half_weights_stay_close_to_float32_without_being_it(digits):
    exact, half = (
        inference_step(Variant.of(precision=precision), new_classifier(None, 10), digits).run()
        for precision in ("fp32", "bf16")
    )
    assert half.dtype == torch.bfloat16
    error = ((half.float() - exact).norm() / exact.norm()).item()
    assert 1e-4 < error < 0.05


def test_a_scaled_loss_is_unscaled_and_checked_before_the_weights_move(digits):
    model = Tiny()
    before = state_of(model)
    placement = Placement("cpu", "amp_fp16", "contiguous")
    work = _descent(
        Ready(model, lambda operations: ()),
        Placement("cpu", "amp_bf16", "contiguous"),  # this CPU may have no float16; the scaling is the same
        torch.optim.SGD(model.parameters(), lr=0.1),
        placement.loss_scaler(),
    )(itertools.repeat(Split(digits.train.images[:4], digits.train.labels[:4])))
    work.run()
    assert torch.equal(model.head.weight, before["head.weight"])
    assert model.head.weight.grad.abs().max() > 100  # still as large as the loss was made
    assert [proof.observed for proof in scaling_proofs(placement, record(work.settle))] == ["yes"]
    assert not torch.equal(model.head.weight, before["head.weight"])
    assert model.head.weight.grad.abs().max() < 100


def test_training_without_a_scaled_loss_is_not_called_mixed_float16(digits):
    step = training_step(Variant.of(precision="amp_bf16"), Tiny(), digits)
    (proof,) = scaling_proofs(Placement("cpu", "amp_fp16", "contiguous"), record(step.run))
    assert proof.observed == "no"


@pytest.mark.parametrize(
    ("names", "observed"),
    [(["aten::convolution", "aten::cudnn_convolution"], "yes"), (["aten::convolution", "aten::_slow_conv2d"], "no")],
)
def test_the_library_that_convolved_on_a_gpu_is_seen(names, observed):
    operations = [Operation(name) for name in names]
    for cudnn in (True, False):
        (proof,) = cudnn_proofs(Variant.of(device="cuda:0", cudnn=cudnn), operations)
        assert proof.observed == observed
        assert proof.honoured == (cudnn == (observed == "yes"))
    assert list(cudnn_proofs(Variant.of(), operations)) == []


def test_an_eager_step_is_the_bare_work_with_nothing_around_it(digits):
    step = training_step(Variant.of(batch=2), Tiny(), digits)
    assert step.run.__qualname__ == "_descent.<locals>.new_work.<locals>.run"
    step = inference_step(Variant.of(batch=2), Tiny(), digits)
    assert step.run.__qualname__ == "inference_step.<locals>.new_work.<locals>.run"


def test_a_model_turned_back_to_contiguous_is_not_called_channels_last(digits):
    model = Tiny()
    step = inference_step(Variant.of(layout="channels_last"), model, digits)
    model.to(memory_format=torch.contiguous_format)
    assert dishonoured(step)["layout given"] == "channels_last and contiguous"


def test_images_turned_contiguous_inside_the_model_are_seen(digits):
    step = inference_step(Variant.of(layout="channels_last"), TurnsContiguous(), digits)
    assert dishonoured(step) == {"layout convolved": "channels_last and contiguous"}


@pytest.mark.parametrize("make_step", [training_step, inference_step])
def test_the_library_that_convolved_is_seen(make_step, digits):
    on, off = (make_step(Variant.of(onednn=onednn, batch=2), Tiny(), digits) for onednn in (True, False))
    assert dishonoured(on) == {}
    assert dishonoured(off) == {"oneDNN convolutions": "yes"}


@pytest.mark.parametrize("make_step", [training_step, inference_step])
def test_convolutions_without_onednn_are_seen(make_step, digits, without_onednn):
    on, off = (make_step(Variant.of(onednn=onednn, batch=2), Tiny(), digits) for onednn in (True, False))
    assert dishonoured(on) == {}  # allowed, and not chosen
    assert "none, by PyTorch's choice" in {proof.observed for proof in on.proofs()}
    assert dishonoured(off) == {}


def test_compiled_code_that_runs_under_an_eager_label_is_seen(digits, compiler):
    model = torch.compile(Tiny(), backend="eager")
    step = inference_step(Variant.of(), model, digits)
    assert dishonoured(step) == {"backend": "wrapped by torch.compile"}


@pytest.mark.parametrize("make_step", [training_step, inference_step])
def test_a_compiled_step_takes_effect(make_step, digits, compiler):
    step = make_step(Variant.of(backend="compile", batch=4), Tiny(), digits)
    assert dishonoured(step) == {}


@pytest.mark.parametrize("backend", ["compile_frozen", "compile_max_autotune"])
def test_a_step_with_weights_made_constants_takes_effect(backend, digits, compiler):
    step = inference_step(Variant.of(backend=backend, batch=4), Tiny().eval(), digits)
    assert dishonoured(step) == {}
    facts = {proof.fact for proof in step.proofs()}
    assert ("products tuned" in facts) == (backend == "compile_max_autotune")


def test_a_compiled_mixed_precision_step_shows_what_it_computes_with(digits, compiler):
    variant = Variant.of(backend="compile", precision="amp_bf16", batch=4)
    assert dishonoured(inference_step(variant, Tiny(), digits)) == {}


def test_a_model_that_fell_back_to_eager_is_not_called_compiled(digits, compiler):
    step = inference_step(Variant.of(backend="compile", batch=4), NeverCompiles(), digits)
    assert dishonoured(step) == {"backend": "no compiled code ran"}


def test_a_model_compiled_in_pieces_is_told_from_a_whole_one(digits, compiler):
    step = inference_step(Variant.of(backend="compile", batch=4), BreaksTheGraph(), digits)
    assert dishonoured(step) == {"backend": "compiled in pieces, graph breaks: 1"}


def test_strict_float32_arithmetic_is_full():
    assert float32_arithmetic("cpu") == "full"


@pytest.mark.parametrize(("bits_dropped", "finding"), [(0, "full"), (13, "tf32"), (16, "reduced")])
def test_operands_rounded_as_tensor_float_32_or_bfloat16_show_in_the_result(bits_dropped, finding):
    left, right = torch.randn(2, 64, 64)
    exact = left.double() @ right.double()
    mask = -1 << bits_dropped
    rounded = [(each.view(torch.int32) & mask).view(torch.float32) for each in (left, right)]
    assert bits_kept(rounded[0] @ rounded[1], exact).startswith(finding)


@pytest.mark.parametrize(
    ("kept_bits", "finding"), [((24, 24), "full"), ((11, 11), "tf32"), ((11, 24), "tf32"), ((24, 8), "reduced")]
)
def test_the_probe_shows_the_worse_of_convolution_and_product(kept_bits, finding):
    probe = Probe()

    def forward(images: torch.Tensor) -> torch.Tensor:
        convolved, multiplied = (
            nn.functional.conv2d(_cut(images, kept_bits[0]), _cut(probe.kernels, kept_bits[0])),
            _cut(images, kept_bits[1]).flatten(1) @ _cut(probe.weights, kept_bits[1]),
        )
        return torch.cat((convolved.flatten(1), multiplied), 1)

    assert float32_arithmetic("cpu", forward).startswith(finding)


def _cut(values: torch.Tensor, bits: int) -> torch.Tensor:
    """The values with so many bits of their mantissas, the rest cut off as some tensor cores do."""
    return (values.view(torch.int32) & (-1 << (24 - bits))).view(torch.float32)


def test_engines_that_may_choose_full_float32_are_not_held_to_tf32():
    assert not engine_arithmetic("fp32", "tf32").honoured
    assert engine_arithmetic("fp32", "full").honoured
    assert not engine_arithmetic("tf32", "full").judged


@pytest.mark.gpu
def test_tensor_float_32_shows_in_the_result(tf32):
    assert float32_arithmetic("cuda:0") == "tf32"


@pytest.mark.gpu
@pytest.mark.parametrize("make_step", [training_step, inference_step])
@pytest.mark.parametrize("precision", ["fp32", "amp_bf16"])
def test_a_step_on_a_gpu_takes_effect(make_step, precision, digits, strict_float32):
    step = make_step(Variant.of(device="cuda:0", precision=precision), new_classifier(None, 10), digits)
    assert dishonoured(step) == {}
