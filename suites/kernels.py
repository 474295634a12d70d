"""What the names of GPU kernels tell: whose they are, what they multiply, and in which layout.

No interface says which arithmetic a library has chosen, but its kernels are named after it. The names are nobody's
promise, so what is not recognised stays unknown: it is listed, and judges no row.

Source: names in published traces. cuDNN and TensorRT write operand types in pairs
(``sm80_xmma_fprop_implicit_gemm_tf32f32_tf32f32_f32_nhwckrsc_nhwc_...``), and the last layout of a name is that of the
tensors in memory. cuBLAS writes ``sgemm`` for plain float32, ``s16816gemm_fp16`` for tensor cores, and since Hopper
``nvjet_tst`` (bfloat16) and ``nvjet_hsh`` (float16). CUTLASS's operation names: ``simt`` are plain cores, ``tensorop``
tensor cores, and ``s1688gemm`` without a type is TF32 (NVIDIA/cutlass, tools/library). Inductor's are ``triton_*``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench import Proof

#: The first pattern that is found decides, so that what is special stands before what is general.
_LIBRARIES = (
    (r"execute_kernel_trt|^trt_|^sm\d+_trt_|__myl|genericReformat", "TensorRT"),
    (r"^triton_", "Triton"),
    (r"cublas", "cuBLAS"),
    (r"cudnn|convolve_sgemm|nchwToNhwc|nhwcToNchw|xmma_(fprop|dgrad|wgrad)|_s?(fprop|dgrad|wgrad)_", "cuDNN"),
    (r"^(void )?cutlass|tensorop_|simt_sgemm", "CUTLASS"),
    (r"nvjet_|xmma_gemm|[shd]gemm_|s\d+gemm_|gemmSN|gemv|splitKreduce|^(void )?gemmk1", "cuBLAS"),
    (r"at::native|at_cuda_detail|^(void )?at::|c10::", "PyTorch"),
)
_ARITHMETIC = (
    (r"e4m3|e5m2|nvjet_(sm\d+_)?q", "float8"),
    (r"i8i8|i8i32|_s8_|imma|int8", "int8"),
    (r"bf16|bfloat16|nvjet_(sm\d+_)?t", "bfloat16"),
    (r"f16f16|(?<!b)f16|fp16|__half|c10::Half|_h\d{3,5}(gemm|cudnn)|hgemm|nvjet_(sm\d+_)?h", "float16"),
    (r"tf32|tensorop_s1688(gemm|fprop|dgrad|wgrad)", "tf32"),
    (r"f32f32_f32f32|ffma|sgemm|scudnn|simt_s|<float|[<, ]float[,>]", "float32"),
)
_PRODUCT = re.compile(
    r"gemm|gemv|conv|xmma|winograd|[wd]grad|fprop|nvjet_|cutlass|\dcudnn_|scudnn|triton_(tem|mm|bmm)", re.IGNORECASE
)
_NO_PRODUCT = re.compile(
    r"nchwToNhwc|nhwcToNchw|pooling|splitKreduce|bn_|batch_?norm|generateWinogradTiles|triton_(poi|per|red)_|im2col|col2im"
    r"|at::native(?!.*conv_depthwise)|convert|genericReformat|__myl",
    re.IGNORECASE,
)
_LAYOUT = re.compile(r"(?:^|_)(nchw|nhwc)(?=_|$)", re.IGNORECASE)
_TRANSPOSES = re.compile(r"nchwToNhwc|nhwcToNchw", re.IGNORECASE)
#: The arithmetic that a precision is named for, and what small layers may do beside it.
_WANTED = {
    "fp32": ("float32", frozenset[str]()),
    "tf32": ("tf32", frozenset({"float32"})),
    "amp_bf16": ("bfloat16", frozenset({"float32"})),
    "bf16": ("bfloat16", frozenset({"float32"})),
    "amp_fp16": ("float16", frozenset({"float32"})),
    "fp16": ("float16", frozenset({"float32"})),
    "int8": ("int8", frozenset({"float32", "float16", "bfloat16"})),
}
_NAMES_SHOWN = 3


@dataclass(frozen=True)
class Kernel:
    """What a name tells; None for what it does not."""

    name: str
    library: str | None
    product: bool  # a convolution or a matrix product, where nearly all arithmetic is done
    arithmetic: str | None  # of a product: the type its operands are multiplied in
    layout: str | None  # of a product: "nchw" or "nhwc"


def classify(name: str) -> Kernel:
    """The kernel behind a name as a profiler writes it."""
    product = _PRODUCT.search(name) is not None and _NO_PRODUCT.search(name) is None
    layouts = _LAYOUT.findall(name)
    return Kernel(
        name,
        _first(_LIBRARIES, name),
        product,
        _first(_ARITHMETIC, name) if product else None,
        str(layouts[-1]).lower() if product and layouts else None,
    )


def kernel_proofs(
    precision: str, layout: str, names: Sequence[str], *, own_arithmetic: bool = False
) -> Iterator[Proof]:
    """What the kernels of a step say about its precision and layout; ``layout`` is "" where nobody asked for one.

    ``own_arithmetic`` where a compiler chooses among kernels by timing them: with TF32 allowed it may prefer float32.
    """
    found = [classify(name) for name in names]
    if not found:
        yield Proof.seen("kernels", "none seen, the driver may not let the profiler look")
        return
    yield Proof.seen("kernel libraries", _counted(found))
    multiplied = [kernel for kernel in found if kernel.product]
    known = {kernel.arithmetic for kernel in multiplied if kernel.arithmetic}
    if known:
        wanted, tolerated = _WANTED[precision]
        fits = wanted in known and known - {wanted} <= tolerated
        observed = wanted if fits else " and ".join(sorted(known))
        chosen = own_arithmetic and precision == "tf32"
        yield Proof.seen("products on the GPU", observed) if chosen else Proof("products on the GPU", wanted, observed)
    unknown = sorted({kernel.name for kernel in multiplied if kernel.arithmetic is None})
    if unknown:
        yield Proof.seen("products of unknown arithmetic", ", ".join(name[:80] for name in unknown[:_NAMES_SHOWN]))
    layouts = {kernel.layout for kernel in multiplied if kernel.layout}
    if layout == "channels_last" and layouts:
        seen = "nhwc" if "nhwc" in layouts else "nchw"
        # In float32 most kernels are named without a layout, and the library may turn tensors around for one that is.
        judged = precision not in ("fp32", "tf32")
        yield Proof("layout on the GPU", "nhwc", seen) if judged else Proof.seen("layout on the GPU", seen)
    turns = sum(_TRANSPOSES.search(kernel.name) is not None for kernel in found)
    if turns:
        yield Proof.seen("tensors turned between layouts", str(turns))


def _counted(kernels: Sequence[Kernel]) -> str:
    counts = Counter(kernel.library or "unknown" for kernel in kernels)
    return ", ".join(f"{library} {count}" for library, count in counts.most_common())


def _first(patterns: Sequence[tuple[str, str]], name: str) -> str | None:
    return next((meaning for pattern, meaning in patterns if re.search(pattern, name)), None)
