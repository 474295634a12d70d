"""Which settings the shipped workloads are measured under, and with which parameters. Imports no torch."""

from __future__ import annotations

from bench import Case, Options, Variant, Workload
from suites.shapes import format_shape

#: Baseline first: everything else on the same device is compared with it.
CPU = (
    Variant.of(),
    Variant.of(layout="channels_last"),
    Variant.of(precision="amp_bf16"),
    Variant.of(backend="compile"),
    Variant.of(onednn=False),
    Variant.of(threads=1),
)
#: By runtimes outside PyTorch, which do inference only.
CPU_RUNTIMES = (
    Variant.of(backend="onnxruntime"),
    Variant.of(backend="onnxruntime", precision="int8"),
    Variant.of(backend="openvino"),
    Variant.of(backend="openvino", precision="bf16"),
)
CUDA = (Variant.of(device="cuda:0"),)


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
    on_cpu = (*CPU, *CPU_RUNTIMES) if name == "inference" else CPU
    return tuple(Case(workload, variant) for variant in (*on_cpu, *CUDA))
