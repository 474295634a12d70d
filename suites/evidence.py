"""Proofs that a variant took effect, each read back from a step that ran, not from the setting that was made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import nn

from bench import Proof, Variant
from suites.operations import Operation, convolution_layouts, layout_of, operand_types, products
from suites.placement import Placement

_NOTHING = "nothing seen"
_FULL = "full"
#: Between FP32 (1e-7 to 1e-6) and what rounds its operands to 10 bits (TF32, 3e-4) or to 7 (bfloat16, 2e-3).
_FP32_ERROR = 3e-5


def placement_proofs(
    placement: Placement,
    model: nn.Module,
    images: torch.Tensor,
    operations: Sequence[Operation],
    *,
    own_layout: bool,
) -> Iterator[Proof]:
    """Evidence for device, precision and layout; ``own_layout`` where the backend lays tensors out as it likes."""
    devices = {str(tensor.device) for tensor in (*model.parameters(), images)}
    yield Proof("device", placement.device, _joined(devices))
    weights = {str(tensor.dtype).removeprefix("torch.") for tensor in model.parameters()}
    yield Proof("weights", "float32", _joined(weights))
    products_in = "bfloat16" if placement.precision == "amp_bf16" else "float32"
    yield Proof("products", products_in, _joined(operand_types(operations)))
    if placement.precision == "fp32":
        yield Proof("float32 arithmetic", _FULL, float32_arithmetic(placement.device))
    given = {layout_of(each.shape, each.stride()) for each in (*model.parameters(), images)}
    yield Proof("layout given", placement.layout, _joined(name for name in given if name))
    if not own_layout and any(each.name == "aten::convolution" for each in operations):
        yield Proof("layout convolved", placement.layout, _joined(convolution_layouts(operations)))


def onednn_proofs(variant: Variant, operations: Sequence[Operation]) -> Iterator[Proof]:
    """Which library convolved: on a CPU, where there are convolutions at all."""
    convolved = [each for each in products(operations) if "convolution" in each.name]
    if variant.device != "cpu" or not convolved:
        return
    used = any("mkldnn" in each.name for each in operations)
    yield Proof("oneDNN convolutions", "yes" if variant["onednn"] else "no", "yes" if used else "no")


def float32_arithmetic(device: str) -> str:
    """``"full"`` when float32 products on this device keep 24 bits, else ``"reduced"`` with the relative error seen.

    Global settings let PyTorch round the operands of a float32 product to fewer bits without a trace in any type; only
    a result shows it. The products of one convolution and one matrix are compared with those computed in float64.
    """
    random = torch.Generator().manual_seed(0)
    images, kernels = (torch.randn(sizes, generator=random) for sizes in ((8, 64, 8, 8), (64, 64, 3, 3)))
    left, right = (torch.randn(256, 256, generator=random) for _ in range(2))
    with torch.inference_mode():
        convolved = nn.functional.conv2d(images.to(device), kernels.to(device)).cpu()
        multiplied = (left.to(device) @ right.to(device)).cpu()
        return _worst(
            bits_kept(convolved, nn.functional.conv2d(images.double(), kernels.double())),
            bits_kept(multiplied, left.double() @ right.double()),
        )


def bits_kept(values: torch.Tensor, exact: torch.Tensor) -> str:
    """``"full"`` when float32 ``values`` differ from the ``exact`` float64 ones by rounding alone, else "reduced"."""
    error = float((values.double() - exact).norm() / exact.norm())
    return _FULL if error < _FP32_ERROR else f"reduced (relative error {error:.0e})"


def _worst(*findings: str) -> str:
    return next((finding for finding in findings if finding != _FULL), _FULL)


def _joined(words: Iterable[str]) -> str:
    found = sorted(words)
    return " and ".join(found) or _NOTHING
