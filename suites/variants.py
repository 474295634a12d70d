"""Which settings the shipped workloads are measured under, and with which parameters. Imports no torch."""

from __future__ import annotations

from bench import Case, Options, Variant, Workload
from suites.shapes import format_shape

#: Baseline first: everything else on the same device is compared with it. One setting at a time, then the combinations
#: that are known to be best.
CPU = (
    Variant.of(),
    Variant.of(layout="channels_last"),
    Variant.of(precision="amp_bf16"),
    Variant.of(backend="compile"),
    Variant.of(onednn=False),
    Variant.of(threads=1),
)
CPU_INFERENCE = (
    Variant.of(precision="bf16"),
    Variant.of(backend="compile_frozen"),
    Variant.of(backend="compile_max_autotune"),
)


def _cuda(**axes: str | bool) -> Variant:
    return Variant.of(device="cuda:0", **axes)


CUDA = (
    _cuda(),
    _cuda(cudnn_benchmark=True),
    _cuda(cudnn=False),
    _cuda(deterministic=True),
    _cuda(layout="channels_last"),
    _cuda(precision="tf32"),
    _cuda(precision="amp_bf16"),
    _cuda(precision="amp_fp16"),
    _cuda(backend="compile"),
    _cuda(backend="compile_reduce_overhead"),
    _cuda(backend="compile_max_autotune"),
    _cuda(backend="cuda_graphs"),
    _cuda(precision="amp_bf16", layout="channels_last", cudnn_benchmark=True),
    _cuda(precision="amp_fp16", layout="channels_last", cudnn_benchmark=True),
    _cuda(precision="amp_bf16", layout="channels_last", backend="compile_max_autotune"),
    _cuda(precision="amp_bf16", layout="channels_last", cudnn_benchmark=True, backend="cuda_graphs"),
)
CUDA_INFERENCE = (
    _cuda(precision="bf16"),
    _cuda(precision="fp16"),
    _cuda(precision="fp16", layout="channels_last", cudnn_benchmark=True),
    _cuda(precision="fp16", layout="channels_last", cudnn_benchmark=True, backend="cuda_graphs"),
    _cuda(backend="tensorrt"),
    _cuda(precision="tf32", backend="tensorrt"),
    _cuda(precision="fp16", backend="tensorrt"),
)
#: What a workload adds to the variants that all share.
ADDED = {"inference": (CPU_INFERENCE, CUDA_INFERENCE), "training": ((), ())}


def classifier_cases(name: str, options: Options) -> tuple[Case, ...]:
    """The cases of the workload that ``suites.<name>`` builds, baselines first within each device."""
    workload = Workload(
        name,
        build=f"suites.{name}:build",
        prepare=f"suites.{name}:prepare",
        parameters=(
            ("data", options.data),
            ("model", options.model),
            ("shape", format_shape(options.input_shape)),
            ("classes", options.classes),
        ),
        items="images",
    )
    more_on_cpu, more_on_cuda = ADDED[name]
    return tuple(Case(workload, variant) for variant in (*CPU, *more_on_cpu, *CUDA, *more_on_cuda))
