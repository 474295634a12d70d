"""Which settings are measured where nobody asks for others: plain tuples, chosen from by :mod:`suites.choice`.

Imports no torch.
"""

from __future__ import annotations

from bench import Variant

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
#: Of inference alone, beside those above.
CPU_INFERENCE = (Variant.of(precision="bf16"),)
#: By runtimes outside PyTorch, which do inference only.
CPU_RUNTIMES = (
    Variant.of(backend="onnxruntime"),
    Variant.of(backend="onnxruntime", precision="int8"),
    Variant.of(backend="openvino"),
    Variant.of(backend="openvino", precision="bf16"),
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
#: With the input loaded as in a real training: do loaders of their own help, does a faster step wait for them? On a CPU
#: the step is so long that the input is a small part of it: measured when asked for, by --bench-axis loaders=0,2.
CPU_END_TO_END: tuple[Variant, ...] = ()
CUDA_END_TO_END = (
    Variant.of(device="cuda:0"),
    Variant.of(device="cuda:0", loaders=4),
    Variant.of(device="cuda:0", precision="amp_bf16"),
    Variant.of(device="cuda:0", precision="amp_bf16", loaders=4),
)
