"""The runtimes outside PyTorch, as steps: right scores, honest labels, and labels that lie."""

from __future__ import annotations

import dataclasses
import itertools
import platform
from pathlib import Path

import pytest
import torch
from torch import nn

from bench import UsageError, Variant
from suites.backends import OUTSIDE_TORCH, Brief, Captured, Ready, as_placed, find_backend, openvino
from suites.backends.onnx_export import exported
from suites.backends.onnxruntime import Maker, runtime_proofs
from suites.backends.providers import CPU, Setting
from suites.classifier import new_classifier
from suites.data import rotation
from suites.steps import inference_step, training_step
from tests.suites.models import BreaksTheGraph, Tiny
from tests.suites.test_steps import dishonoured

NEEDED = {
    "onnxruntime": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "openvino"),
}
ON_CPU = [
    Variant.of(backend="onnxruntime"),
    Variant.of(backend="onnxruntime", precision="int8"),
    Variant.of(backend="openvino"),
    Variant.of(backend="openvino", precision="bf16"),
    Variant.of(backend="openvino", precision="int8"),
]
#: Relative distance from eager float32 that rounding in this precision explains, on an untrained ResNet-18.
TOLERANCE = {"fp32": 1e-5, "bf16": 0.05, "int8": 0.15}


def need(variant: Variant) -> None:
    for package in NEEDED[str(variant["backend"])]:
        pytest.importorskip(package)
    if variant["precision"] == "int8":
        pytest.importorskip("onnxruntime")
    if variant["precision"] == "bf16":
        need_bfloat16()


def need_bfloat16() -> None:
    runtime = pytest.importorskip("openvino")
    if "BF16" not in runtime.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("OpenVINO finds no bfloat16 arithmetic in this CPU")


def distance(scores: torch.Tensor, exact: torch.Tensor) -> float:
    return ((scores - exact).norm() / exact.norm()).item()


def worst_distance(forward, model: nn.Module, batches) -> float:
    with torch.inference_mode():
        return max(distance(forward(batch.images), model(batch.images)) for batch in batches)


def brief_of(variant: Variant, data) -> Brief:
    return Brief(variant, False, rotation(data.held_out, int(variant["batch"]), count=1)[0].images, data.train)


@pytest.fixture(scope="module")
def classifier() -> nn.Module:
    return new_classifier(None, 10).eval()


@pytest.mark.parametrize("variant", ON_CPU, ids=str)
def test_a_runtimes_step_takes_effect_and_gives_the_models_scores_for_each_batch(variant, classifier, digits):
    need(variant)
    step = inference_step(variant, classifier, digits)
    eager = inference_step(Variant.of(), classifier, digits)
    pairs = [(step.run().clone(), eager.run()) for _ in range(9)]
    assert max(distance(*pair) for pair in pairs) < TOLERANCE[str(variant["precision"])]
    assert not any(torch.equal(one[0], other[0]) for one, other in itertools.pairwise(pairs))
    assert dishonoured(step) == {}
    assert step.items == 32


@pytest.mark.parametrize("backend", NEEDED)
def test_scores_of_one_step_are_not_overwritten_by_the_next(backend, digits):
    need(Variant.of(backend=backend))
    step = inference_step(Variant.of(backend=backend, batch=4), Tiny(), digits)
    first = step.run()
    kept = first.clone()
    step.run()
    assert torch.equal(first, kept)


@pytest.mark.parametrize("backend", NEEDED)
def test_images_that_are_not_dense_are_made_so(backend, digits):
    variant = Variant.of(backend=backend, batch=4)
    need(variant)
    model, brief = Tiny().eval(), brief_of(variant, digits)
    forward = find_backend(backend)(model, brief).forward
    images = brief.images.to(memory_format=torch.channels_last)
    with torch.inference_mode():
        assert distance(forward(images), model(images)) < 1e-5


def test_a_runtime_that_answers_the_first_batch_for_ever_is_seen_by_its_scores(digits):
    variant = Variant.of(backend="onnxruntime", batch=4)
    need(variant)
    model, batches = Tiny().eval(), rotation(digits.held_out, 4, count=3)
    forward = find_backend("onnxruntime")(model, brief_of(variant, digits)).forward
    first = forward(batches[0].images)
    assert worst_distance(forward, model, batches) < 1e-5
    assert worst_distance(lambda _: first, model, batches) > 0.01


@pytest.fixture
def two_threads():
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


@pytest.mark.parametrize("backend", NEEDED)
def test_a_runtime_computes_with_the_threads_of_the_worker(backend, digits, two_threads):
    variant = Variant.of(backend=backend, batch=2)
    need(variant)
    assert dishonoured(inference_step(variant, Tiny(), digits)) == {}


def test_openvino_with_other_threads_than_the_worker_is_not_honoured(digits, two_threads):
    variant = Variant.of(backend="openvino", batch=2)
    need(variant)
    step = inference_step(variant, Tiny(), digits)
    torch.set_num_threads(1)
    assert dishonoured(step) == {"runtime threads": "2"}


@pytest.mark.parametrize("threads", [1, 3])
def test_the_threads_that_onnx_runtime_really_made_are_counted(threads, digits):
    variant = Variant.of(backend="onnxruntime", batch=2)
    need(variant)
    maker = dataclasses.replace(_maker(variant), setting=Setting(variant, threads))
    _, counted = maker.counted_session(exported(Tiny(), brief_of(variant, digits).images, "onnx"))
    assert counted in (threads, None)


@pytest.mark.parametrize("backend", sorted(OUTSIDE_TORCH))
def test_training_is_refused(backend, digits):
    with pytest.raises(UsageError, match=f"backend {backend} does inference only; measure training with backend eager"):
        training_step(Variant.of(backend=backend), Tiny(), digits)


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"backend": "onnxruntime", "precision": "bf16"}, "no precision bf16 on cpu; choose one of fp32, int8"),
        ({"backend": "openvino", "precision": "amp_bf16"}, "no precision amp_bf16 on cpu; choose one of fp32, bf16"),
        ({"backend": "onnxruntime", "precision": "fp8"}, "no precision fp8"),
        ({"backend": "onnxruntime_tensorrt"}, "does not run on device cpu; give it a device of the kind cuda"),
        ({"backend": "onnxruntime_trt_rtx"}, "does not run on device cpu"),
        ({"backend": "onnxruntime", "layout": "channels_last"}, "layout=channels_last would change nothing"),
        ({"backend": "openvino", "onednn": False}, "onednn=False would change nothing in backend openvino"),
        ({"backend": "onnxruntime", "cudnn_benchmark": True}, "cudnn_benchmark=True would change nothing"),
    ],
)
def test_what_a_runtime_cannot_do_is_refused_with_what_it_can(axes, words, digits):
    with pytest.raises(UsageError, match=words):
        inference_step(Variant.of(**axes), Tiny(), digits)


def test_a_runtimes_model_stays_in_float32_whatever_its_precision():
    assert as_placed(Variant.of(backend="openvino", precision="bf16", batch=8)) == Variant.of(
        backend="openvino", batch=8
    )
    assert as_placed(Variant.of(precision="amp_bf16"))["precision"] == "amp_bf16"


def test_a_model_that_pytorch_runs_under_a_runtimes_label_is_seen(digits):
    variant = Variant.of(backend="onnxruntime", batch=4)
    need(variant)
    model = Tiny()
    step = inference_step(variant, model, digits)
    lying = dataclasses.replace(step, proofs=_proofs_of_eager(variant, model, digits))
    assert dishonoured(lying) == {"left to PyTorch": "aten::addmm and aten::convolution"}


def _proofs_of_eager(variant, model, digits):
    from suites.placement import Placement
    from suites.steps import _proofs

    batch = rotation(digits.held_out, 4, count=1)[0]
    ready = Ready(model, lambda _: ())
    work = Captured(lambda: model(batch.images), lambda: model(batch.images))
    return _proofs(variant, Placement.of(Variant.of()), model, ready, batch, work)


def test_a_model_that_is_not_quantised_is_not_called_int8(digits):
    variant = Variant.of(backend="onnxruntime", precision="int8", batch=4)
    need(variant)
    maker = _maker(variant)
    images = brief_of(variant, digits).images
    model = exported(Tiny(), images, "onnx")
    assert _dishonoured(runtime_proofs(maker, maker.session(model), model, images)) == {"products": "float32"}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="elsewhere ONNX Runtime may fuse int8 activations too")
def test_a_quantised_model_that_runs_in_float32_all_the_same_is_not_called_int8(digits, tmp_path):
    variant = Variant.of(backend="onnxruntime", precision="int8", batch=4)
    need(variant)
    maker, images = _maker(variant), brief_of(variant, digits).images
    model = _with_signed_activations(exported(new_classifier(None, 10), images, "onnx"), images, tmp_path)
    found = _dishonoured(runtime_proofs(maker, maker.session(model), model, images))
    assert found == {"products": "float32 and int8"}


def _with_signed_activations(model: bytes, images: torch.Tensor, folder: Path) -> bytes:
    import onnx
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.left = [{"images": images.numpy()}]

        def get_next(self):
            return self.left.pop() if self.left else None

    target = folder / "signed.onnx"
    quantization.quantize_static(
        onnx.load_model_from_string(model),
        target,
        Reader(),
        per_channel=True,
        activation_type=quantization.QuantType.QInt8,
    )
    return target.read_bytes()


def test_what_openvino_does_by_itself_is_not_called_float32(digits, classifier):
    need_bfloat16()
    variant = Variant.of(backend="openvino")
    need(variant)
    brief = brief_of(variant, digits)
    by_itself = openvino.ready_under({"INFERENCE_NUM_THREADS": torch.get_num_threads()}, classifier, brief)
    found = _dishonoured(by_itself.proofs(()))
    assert found.pop("float32 arithmetic").startswith("reduced")
    assert found == {"products": "bfloat16"}


def test_bfloat16_that_stays_float32_is_not_honoured(digits, classifier):
    need_bfloat16()
    variant = Variant.of(backend="openvino", precision="bf16")
    need(variant)
    float32 = openvino.new_settings(Variant.of(), torch.get_num_threads())
    stays = openvino.ready_under(float32, classifier, brief_of(variant, digits))
    assert _dishonoured(stays.proofs(())) == {"products": "float32"}


def test_int8_that_openvino_is_given_unquantised_is_not_honoured(digits):
    variant = Variant.of(backend="openvino", batch=4)
    need(variant)
    runtime = pytest.importorskip("openvino")
    core = runtime.Core()
    model = exported(Tiny(), brief_of(variant, digits).images, "openvino")
    compiled = core.compile_model(
        core.read_model(model), "CPU", openvino.new_settings(Variant.of(precision="int8", threads=1), 1)
    )
    assert openvino.product_types(compiled) == ("float32",)


def test_a_model_that_torch_compile_would_take_in_pieces_is_exported_whole(digits):
    variant = Variant.of(backend="onnxruntime", batch=4)
    need(variant)
    assert dishonoured(inference_step(variant, BreaksTheGraph(), digits)) == {}


def test_a_model_that_cannot_be_exported_is_refused_with_the_reason(digits):
    variant = Variant.of(backend="onnxruntime", batch=4)
    need(variant)
    with pytest.raises(UsageError, match=r"cannot be exported to ONNX .*; use backend eager or compile"):
        inference_step(variant, AsksTheScores(), digits)


class AsksTheScores(Tiny):
    """Its path depends on what it computes, which no exporter can write down."""

    def forward(self, images):
        scores = super().forward(images)
        return scores if scores.sum() > 0 else -scores


def _maker(variant: Variant) -> Maker:
    runtime = pytest.importorskip("onnxruntime")
    return Maker(runtime, CPU, Setting(variant, torch.get_num_threads()))


def _dishonoured(proofs) -> dict[str, str]:
    return {proof.fact: proof.observed for proof in proofs if not proof.honoured}


@pytest.mark.gpu
@pytest.mark.parametrize("backend", ["onnxruntime", "onnxruntime_tensorrt", "onnxruntime_trt_rtx"])
@pytest.mark.parametrize("precision", ["fp32", "tf32"])
def test_a_runtimes_step_on_a_gpu_takes_effect(backend, precision, classifier, digits, gpu):
    from bench import UnavailableError

    variant = Variant.of(device="cuda:0", backend=backend, precision=precision)
    try:
        step = inference_step(variant, classifier.to("cuda:0"), digits)
    except UnavailableError as error:
        pytest.skip(str(error))
    eager = inference_step(Variant.of(device="cuda:0"), classifier, digits)
    assert max(distance(step.run(), eager.run()) for _ in range(9)) < 0.01
    assert dishonoured(step) == {}
