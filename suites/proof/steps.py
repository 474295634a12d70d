"""The steps of the proof, in the order in which they are worth having, and the paces they can be done at.

No step takes longer than about eight minutes, so that each fits into a call of ten: that is why the default suites are
measured in parts, each with its baseline, and why what compiles for minutes stands apart. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench import UsageError
from suites.proof.outcome import Pace

CUDA, CPU = "cuda:0", "cpu"
PACES = {
    pace.name: pace
    for pace in (
        Pace("full", most_waves=6, budget_share=1.0, length_share=1.0, repeats=4),
        Pace("brief", most_waves=3, budget_share=0.3, length_share=0.5, repeats=2),
        Pace("rehearsal", most_waves=1, budget_share=0.01, length_share=0.02, repeats=2, trains=False),
    )
}
_LIMIT_S = 510.0


@dataclass(frozen=True)
class Step:
    """``work`` is the import name of a function of a :class:`suites.proof.outcome.Task`, called in a child process."""

    name: str
    what: str
    work: str
    device: str = CPU
    limit_s: float = _LIMIT_S
    settings: tuple[tuple[str, object], ...] = ()

    @property
    def needs_cuda(self) -> bool:
        return self.device.startswith("cuda")


def find_step(name: str) -> Step:
    """The step of this name.

    Raises:
        UsageError: there is none.
    """
    found = next((step for step in STEPS if step.name == name), None)
    if found is None:
        msg = f"there is no step {name!r}; choose one of {', '.join(step.name for step in STEPS)}"
        raise UsageError(msg)
    return found


def _run(
    name: str,
    what: str,
    device: str,
    select: str,
    *,
    options: Sequence[str] = (),
    waves: int = 4,
    budget_s: float = 240.0,
) -> Step:
    """A step that measures the suites and judges the run that this leaves.

    ``budget_s`` is that of the group, its first set-up apart: what compiles for minutes is given less. A long
    self-check multiplies it by the number of its copies.
    """
    settings = (("select", select), ("options", tuple(options)), ("waves", waves), ("budget_s", budget_s))
    return Step(name, what, "suites.proof.runs:measure", device, settings=settings)


def _axes(device: str, **axes: Iterable[object]) -> tuple[str, ...]:
    given = {"device": (device,), **axes}
    return tuple(f"--bench-axis={name}={','.join(map(str, values))}" for name, values in given.items())


def _baseline(test: str, device: str) -> str:
    return f"test_{test}[{device.replace(':', '')}-fp32]"


def _compiled(test: str, kind: str) -> str:
    """The baseline on CUDA, and all cases of a test whose name says how they were compiled."""
    return f"{_baseline(test, CUDA)} or test_{test}[cuda0 and {kind}"


_RESNET50 = (
    "--bench-model=suites.proof.models:resnet50",
    "--bench-input=3x224x224",
    "--bench-classes=1000",
    "--bench-data=synthetic:3x224x224",
)
_SWEPT = (1, 4, 16, 64, 256, 1024, 4096)
_TRAINED = _SWEPT[1:]  # of a single image's last maps of 1x1 there is nothing to normalise by
_HALVES = ("fp32", "tf32", "amp_bf16")
_DEFAULT_RUNS = tuple(
    f"{kind}-{name}" for kind in ("training", "inference") for name in ("cuda", "cuda-compile", "cuda-autotune")
)

STEPS = (
    Step(
        "environment",
        "what this machine is and has, and what joulemark doctor says of it",
        "suites.proof.machine:environment",
        limit_s=180,
    ),
    Step(
        "platform",
        "what the platform forbids: affinity, signals, several processes at once",
        "suites.proof.machine:platform",
        limit_s=120,
    ),
    Step(
        "platform-cuda",
        "the same for processes with CUDA contexts, and what the profiler may see",
        "suites.proof.machine:platform",
        CUDA,
        limit_s=180,
    ),
    Step(
        "gpu-tests",
        "the tests marked gpu, those that compile apart",
        "suites.proof.gpu_tests:run",
        CUDA,
        settings=(("select", "not compile"),),
    ),
    _run(
        "training-cuda",
        "training on CUDA: all settings that do not compile",
        CUDA,
        "test_training[cuda0 and not compile",
        waves=3,
        budget_s=300,
    ),
    _run(
        "inference-cuda",
        "inference on CUDA: all settings that do not compile",
        CUDA,
        "test_inference[cuda0 and not compile",
        waves=3,
        budget_s=300,
    ),
    _run(
        "training-cuda-compile",
        "training on CUDA, compiled",
        CUDA,
        f"({_compiled('training', 'compile')}) and not autotune",
    ),
    _run(
        "inference-cuda-compile",
        "inference on CUDA, compiled",
        CUDA,
        f"({_compiled('inference', 'compile')}) and not autotune",
    ),
    _run("inference-cpu", "inference on the CPU", CPU, "test_inference[cpu"),
    _run("training-cpu", "training on the CPU", CPU, "test_training[cpu"),
    Step(
        "energy-cuda",
        "the energy counter against integrated power: idle, under steady loads, and how late both are",
        "suites.proof.energy:check",
        CUDA,
        settings=(("power", "nvml"),),
    ),
    Step(
        "plans",
        "cuDNN's autotuner on and off: in processes of their own, and both orders in one",
        "suites.proof.plans:check",
        CUDA,
    ),
    _run("latency-cuda", "single images on CUDA", CUDA, "test_latency[cuda0 and not compile"),
    _run("end-to-end-cuda", "training with its input loaded", CUDA, "test_training_end_to_end[cuda0"),
    _run(
        "batches-inference-cuda",
        "inference on CUDA with batches of 1 to 4096",
        CUDA,
        "test_inference[",
        options=_axes(CUDA, batch=_SWEPT, precision=("fp32", "amp_bf16")),
        waves=3,
    ),
    _run(
        "batches-training-cuda",
        "training on CUDA with batches of 4 to 4096",
        CUDA,
        "test_training[",
        options=_axes(CUDA, batch=_TRAINED, precision=("fp32", "amp_bf16")),
        waves=3,
    ),
    _run(
        "resnet50-inference-cuda",
        "ResNet-50 at 224x224: inference on CUDA",
        CUDA,
        "test_inference[",
        waves=3,
        options=(*_RESNET50, *_axes(CUDA, precision=_HALVES, layout=("contiguous", "channels_last"), batch=(128,))),
    ),
    _run(
        "resnet50-training-cuda",
        "ResNet-50 at 224x224: training on CUDA",
        CUDA,
        "test_training[",
        waves=3,
        options=(*_RESNET50, *_axes(CUDA, precision=_HALVES, layout=("contiguous", "channels_last"))),
    ),
    Step(
        "profile-cuda",
        "PyTorch's profiler on the winner and the baseline on CUDA",
        "suites.proof.runs:profile",
        CUDA,
        settings=(("runs", _DEFAULT_RUNS),),
    ),
    Step(
        "ceiling-cuda",
        "products and copies as fast as this GPU can, and the share that the best settings reach",
        "suites.proof.ceiling:check",
        CUDA,
        settings=(
            (
                "runs",
                (
                    *_DEFAULT_RUNS,
                    "batches-inference-cuda",
                    "batches-training-cuda",
                    "resnet50-inference-cuda",
                    "resnet50-training-cuda",
                ),
            ),
        ),
    ),
    _run(
        "self-check-cuda",
        "eight copies of the inference baseline on CUDA",
        CUDA,
        _baseline("inference", CUDA),
        options=("--bench-self-check=long",),
        waves=6,
        budget_s=40,
    ),
    Step(
        "repeats-cuda",
        "one group again and again on CUDA: spread, copies, planted differences",
        "suites.proof.repeats:check",
        CUDA,
    ),
    Step(
        "gpu-tests-compile",
        "the tests marked gpu that compile",
        "suites.proof.gpu_tests:run",
        CUDA,
        settings=(("select", "compile and not autotune"),),
    ),
    _run(
        "training-cuda-autotune",
        "training on CUDA, compiled with max-autotune",
        CUDA,
        _compiled("training", "autotune"),
        waves=3,
        budget_s=100,
    ),
    _run(
        "inference-cuda-autotune",
        "inference on CUDA, compiled with max-autotune",
        CUDA,
        _compiled("inference", "autotune"),
        waves=3,
        budget_s=100,
    ),
    Step(
        "gpu-tests-autotune",
        "the tests marked gpu that compile with max-autotune",
        "suites.proof.gpu_tests:run",
        CUDA,
        settings=(("select", "autotune"),),
    ),
    _run(
        "runtimes-cuda",
        "ONNX Runtime and TensorRT on CUDA, where they are installed",
        CUDA,
        "test_inference[",
        waves=3,
        options=_axes(
            CUDA, backend=("eager", "tensorrt", "onnxruntime", "onnxruntime_tensorrt", "onnxruntime_trt_rtx")
        ),
    ),
    _run("latency-cpu", "single images on the CPU", CPU, "test_latency[cpu"),
    _run(
        "batches-inference-cpu",
        "inference on the CPU with batches of 1 to 1024",
        CPU,
        "test_inference[",
        options=_axes(CPU, batch=_SWEPT[:-1]),
        waves=3,
    ),
    _run(
        "resnet50-inference-cpu",
        "ResNet-50 at 224x224: inference on the CPU",
        CPU,
        "test_inference[",
        waves=3,
        options=(*_RESNET50, *_axes(CPU, precision=("fp32", "amp_bf16"), batch=(8,))),
    ),
    _run(
        "self-check-cpu",
        "eight copies of the inference baseline on the CPU",
        CPU,
        _baseline("inference", CPU),
        options=("--bench-self-check=long",),
        waves=6,
        budget_s=30,
    ),
    Step(
        "profile-cpu",
        "PyTorch's profiler on the winner and the baseline on the CPU",
        "suites.proof.runs:profile",
        settings=(("runs", ("training-cpu", "inference-cpu")),),
    ),
    Step(
        "ceiling-cpu",
        "products and copies as fast as this CPU can, and the share that the best settings reach",
        "suites.proof.ceiling:check",
        settings=(("runs", ("training-cpu", "inference-cpu")),),
    ),
    Step(
        "energy-cpu",
        "the CPU's energy counter: idle, under a steady load, and how late it is",
        "suites.proof.energy:check",
        settings=(("power", "rapl"),),
    ),
    Step(
        "repeats-cpu",
        "one group again and again on the CPU: spread, copies, planted differences",
        "suites.proof.repeats:check",
    ),
)
