"""The two workloads as the rest of Joulemark sees them: cases, prepare, build."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench import Options, Step, UsageError, Variant
from suites import inference, training

MODELS = "tests.suites.models"
WORKLOADS = pytest.mark.parametrize("workload", [training, inference], ids=["training", "inference"])


def parameters(**changes: object) -> dict[str, object]:
    return {"data": "synthetic:3x8x8", "model": f"{MODELS}:Tiny", "shape": "3x8x8", "classes": 10, **changes}


@WORKLOADS
def test_the_baseline_comes_first_on_each_device(workload):
    variants = [str(case) for case in workload.cases(Options())]
    on_cpu, on_cuda = ([name for name in variants if name.startswith(device)] for device in ("cpu", "cuda0"))
    assert variants == [*on_cpu, *on_cuda]
    assert (on_cpu[0], on_cuda[0]) == ("cpu-fp32", "cuda0-fp32")
    assert len(set(variants)) == len(variants)


def test_half_weights_and_engines_are_for_inference():
    trained, inferred = ({str(case) for case in each.cases(Options())} for each in (training, inference))
    assert trained < inferred
    assert {"cpu-bf16", "cuda0-fp16", "cuda0-fp16-tensorrt", "cpu-fp32-openvino"} <= inferred - trained
    assert {"cpu-fp32-onnxruntime", "cpu-int8-onnxruntime", "cpu-bf16-openvino"} <= inferred - trained


@WORKLOADS
def test_cases_carry_the_users_options_as_plain_values(workload):
    options = Options(data="mnist", model="mine:make", input_shape=(1, 28, 28), classes=26)
    for case in workload.cases(options):
        assert case.workload.items == "images"
        assert dict(case.workload.parameters) == {
            "data": "mnist",
            "model": "mine:make",
            "shape": "1x28x28",
            "classes": 26,
        }


@WORKLOADS
def test_what_is_prepared_can_be_built_and_run(workload):
    workload.prepare(**parameters())
    step = workload.build(Variant.of(batch=3), **parameters())
    step.run()
    assert isinstance(step, Step)
    assert step.items == 3
    assert all(proof.honoured for proof in step.proofs())


@WORKLOADS
def test_a_model_that_does_not_fit_is_refused_while_preparing(workload):
    with pytest.raises(UsageError, match="set the number of classes to fit"):
        workload.prepare(**parameters(model=f"{MODELS}:seven_classes"))


def test_collecting_the_suites_imports_no_torch():
    code = (
        "import sys, suites.bench_training, suites.bench_inference, suites.bench_latency, suites.bench_end_to_end\n"
        "from bench import Options\n"
        "from suites import inference, latency, training, training_end_to_end\n"
        "[module.selection(Options()) for module in (inference, latency, training, training_end_to_end)]\n"
        "print([name for name in ('torch', 'torchvision', 'sklearn', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_worker_that_builds_a_case_imports_no_pytest():
    code = (
        "import sys, bench.workers.nest\n"
        "from suites import inference, latency, reference, steps, subject, training, training_end_to_end\n"
        "print('torch' in sys.modules, 'pytest' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True False"
