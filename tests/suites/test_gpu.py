"""Relations that must hold on any NVIDIA GPU: which settings take effect, and what must not change with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench import Case, GroupMeasurement, Plan, UnavailableError, Variant, Workload
from bench.instruments.stopwatch import CudaStopwatch
from bench.workers import settings
from suites.classifier import new_classifier
from suites.data import DataSet
from suites.evidence import float32_arithmetic
from suites.kernels import classify
from suites.operations import kernels, record
from suites.steps import inference_step, training_step
from suites.variants import CUDA, CUDA_INFERENCE

#: Some releases of PyTorch advise against strict float32 when they compile for a GPU that has TF32: that is meant here.
pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("ignore:TensorFloat32 tensor cores:UserWarning")]
DEVICE = "cuda:0"


def variant(**axes: str | bool | int) -> Variant:
    return Variant.of(device=DEVICE, **axes)


@pytest.fixture(autouse=True)
def _settings_as_before():
    yield
    settings.apply(Variant.of(threads=1), seed=0)
    torch._dynamo.reset()


def ready_step(chosen: Variant, data: DataSet, *, training: bool = False):
    """A step as a worker would build it, or a skip with the reason for which the worker would skip."""
    settings.apply(chosen, seed=0)
    try:
        make = training_step if training else inference_step
        return make(chosen, new_classifier(None, 10), data)
    except UnavailableError as error:
        pytest.skip(str(error))


def dishonoured(chosen: Variant, data: DataSet, *, training: bool) -> dict[str, str]:
    step = ready_step(chosen, data, training=training)
    for _ in range(4):  # inductor records its graphs at the second and third call
        step.run()
    _, flags = settings.read_back(chosen)
    return {proof.fact: proof.observed for proof in (*flags, *step.proofs()) if not proof.honoured}


@pytest.mark.parametrize("chosen", CUDA, ids=str)
def test_every_setting_of_training_takes_effect(chosen, digits):
    assert dishonoured(chosen, digits, training=True) == {}


@pytest.mark.parametrize("chosen", [*CUDA, *CUDA_INFERENCE], ids=str)
def test_every_setting_of_inference_takes_effect(chosen, digits):
    assert dishonoured(chosen, digits, training=False) == {}


@pytest.mark.parametrize("chosen", [variant(), variant(backend="cuda_graphs"), variant(precision="amp_fp16")], ids=str)
def test_the_time_between_events_is_within_the_time_on_the_wall(chosen, digits):
    step = ready_step(chosen, digits)
    reading = CudaStopwatch(torch, DEVICE).time(step.run, 20)
    assert 0 < reading.device_s <= reading.host_s


@pytest.mark.parametrize("precision", ["fp32", "amp_bf16", "fp16"])
def test_a_captured_forward_pass_gives_the_eager_scores(precision, digits):
    eager, graph = (
        ready_step(variant(precision=precision, backend=backend), digits) for backend in ("eager", "cuda_graphs")
    )
    for _ in range(9):
        torch.testing.assert_close(graph.run(), eager.run())


@pytest.mark.parametrize("precision", ["fp32", "amp_bf16", "amp_fp16"])
def test_captured_training_has_the_losses_of_eager_training(precision, digits):
    eager, graph = (
        ready_step(variant(precision=precision, backend=backend, deterministic=True), digits, training=True)
        for backend in ("eager", "cuda_graphs")
    )
    pairs = [(eager.run().item(), graph.run().item()) for _ in range(8)]
    for expected, found in pairs:
        assert found == pytest.approx(expected, rel=1e-3 if precision == "fp32" else 3e-2)
    assert pairs[-1][1] < pairs[0][1]


def test_looking_at_a_captured_step_does_not_spoil_the_next(digits):
    eager, graph = (
        ready_step(variant(backend=backend, precision="amp_fp16", deterministic=True), digits, training=True)
        for backend in ("eager", "cuda_graphs")
    )
    graph.run(), eager.run()
    list(graph.proofs())  # two steps: one plain, one replayed
    eager.run(), eager.run()
    for _ in range(4):
        assert graph.run().item() == pytest.approx(eager.run().item(), rel=5e-2)


@pytest.mark.parametrize("precision", ["fp16", "amp_fp16", "bf16", "tf32"])
def test_fewer_bits_stay_within_their_tolerance_of_float32(precision, digits):
    exact = ready_step(variant(), digits).run().float()
    reduced = ready_step(variant(precision=precision), digits).run().float()
    error = ((reduced - exact).norm() / exact.norm()).item()
    assert 0 < error < (0.05 if precision == "bf16" else 0.02)


def test_tf32_changes_bits_and_strict_float32_does_not():
    for precision, finding in (("fp32", "full"), ("tf32", "tf32"), ("fp32", "full")):
        if torch.cuda.get_device_capability(DEVICE) < (8, 0):
            pytest.skip("this GPU has no TF32")
        settings.apply(variant(precision=precision), seed=0)
        assert float32_arithmetic(DEVICE) == finding


def test_tf32_on_in_the_process_does_not_reach_a_strict_step(digits):
    torch.backends.cudnn.conv.fp32_precision = "tf32"
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    assert dishonoured(variant(), digits, training=False) == {}


@pytest.mark.parametrize("precision", ["fp32", "tf32", "amp_fp16"])
def test_the_products_of_a_step_have_names_that_are_known(precision, digits):
    step = ready_step(variant(precision=precision), digits)
    step.run()
    names = kernels(record(step.run, DEVICE))
    if not names:
        pytest.skip("the driver does not let the profiler see kernels")
    products = [kernel for kernel in map(classify, names) if kernel.product]
    assert products
    assert [kernel.name for kernel in products if kernel.arithmetic is None] == []


def measured(cases: list[Case], folder: Path) -> GroupMeasurement:
    plan = Plan(waves=1, rounds=2, warm_up_s=2.0, power="off")
    measurement = GroupMeasurement(cases, plan, folder)
    measurement.run()
    return measurement


def tiny_cases(*variants: Variant, model: str = "Tiny") -> list[Case]:
    parameters = (("data", "synthetic:3x64x64"), ("model", f"tests.suites.models:{model}"), ("shape", "3x64x64"))
    workload = Workload("training", build="suites.training:build", parameters=(*parameters, ("classes", 10)))
    return [Case(workload, each) for each in variants]


def test_cudnn_on_and_off_are_measured_in_processes_of_their_own(tmp_path):
    trials = measured(tiny_cases(variant(), variant(cudnn=False)), tmp_path).trials
    seen = [{proof.fact: proof.observed for proof in trial.proofs} for trial in trials]
    assert [facts["cuDNN convolutions"] for facts in seen] == ["yes", "no"]
    assert all(trial.honoured and trial.samples for trial in trials)


def test_running_out_of_memory_costs_one_case_and_leaves_the_others(tmp_path):
    cases = tiny_cases(variant(batch=8), variant(batch=9), model="TakesAllMemoryForNine")
    small, large = measured(cases, tmp_path).trials
    assert "OutOfMemoryError" in large.failure.reason
    assert small.failure is None
    assert small.samples
