"""Proofs that a variant took effect, each read back from a step that ran, not from the setting that was made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import nn

from bench import Proof, Variant
from suites.kernels import kernel_proofs
from suites.operations import Operation, convolution_layouts, kernels, layout_of, operand_types, products
from suites.placement import Placement

_NOTHING = "nothing seen"
_FULL, _TF32 = "full", "tf32"
#: Between FP32 (1e-7 to 1e-6), operands cut or rounded to 10 bits (TF32, 2e-4 to 7e-4), and to 7 (bfloat16, from 2e-3).
_FP32_ERROR, _TF32_ERROR = 3e-5, 1.2e-3


def placement_proofs(
    placement: Placement,
    model: nn.Module,
    images: torch.Tensor,
    operations: Sequence[Operation],
    *,
    own_layout: bool,
    own_arithmetic: bool = False,
    hidden: bool = False,
) -> Iterator[Proof]:
    """Evidence for device, precision and layout.

    ``own_layout`` where the backend lays tensors out as it likes; ``own_arithmetic`` where PyTorch's is not what it
    computes by; ``hidden`` where it may run what PyTorch's profiler sees as kernels only: then operations that were not
    seen say nothing.
    """
    devices = {str(tensor.device) for tensor in (*model.parameters(), images)}
    yield Proof("device", placement.device, _joined(devices))
    weights = {_name(tensor.dtype) for tensor in model.parameters()}
    yield Proof("weights", _name(placement.held_in), _joined(weights))
    types = operand_types(operations)
    if types or not hidden:
        yield Proof("products", _name(placement.computed_in), _joined(types))
    if placement.precision in ("fp32", "tf32") and not own_arithmetic:
        wanted = _FULL if placement.precision == "fp32" else _TF32
        yield Proof("float32 arithmetic", wanted, float32_arithmetic(placement.device))
    given = {layout_of(each.shape, each.stride()) for each in (*model.parameters(), images)}
    yield Proof("layout given", placement.layout, _joined(name for name in given if name))
    if not own_layout and any(each.name == "aten::convolution" for each in operations):
        yield Proof("layout convolved", placement.layout, _joined(convolution_layouts(operations)))
    if placement.device != "cpu":
        layout = "" if own_layout else placement.layout
        yield from kernel_proofs(placement.precision, layout, kernels(operations), own_arithmetic=own_arithmetic)


def engine_arithmetic(precision: str, found: str) -> Proof:
    """What :func:`float32_arithmetic` found of engines whose compiler chooses among kernels by timing them.

    With TF32 allowed it may still choose one in full float32 for the probe, which then says nothing of the model.
    """
    fact = "float32 arithmetic"
    return Proof(fact, _FULL, found) if precision == "fp32" else Proof.seen(fact, found)


def onednn_proofs(variant: Variant, operations: Sequence[Operation]) -> Iterator[Proof]:
    """Which library convolved: on a CPU, where there are convolutions at all.

    Where oneDNN is allowed PyTorch still does small convolutions itself: its choice, which no label denies.
    """
    convolved = [each for each in products(operations) if "convolution" in each.name]
    if variant.device != "cpu" or not convolved:
        return
    used = any("mkldnn" in each.name for each in operations)
    if variant["onednn"] and not used:
        yield Proof.seen("oneDNN convolutions", "none, by PyTorch's choice")
    else:
        yield Proof("oneDNN convolutions", "yes" if variant["onednn"] else "no", "yes" if used else "no")


def cudnn_proofs(variant: Variant, operations: Sequence[Operation]) -> Iterator[Proof]:
    """Which library convolved: on a GPU, where PyTorch dispatched convolutions at all."""
    if not variant.device.startswith("cuda") or not any(each.name == "aten::convolution" for each in operations):
        return
    used = any(each.name.startswith("aten::cudnn_convolution") for each in operations)
    yield Proof("cuDNN convolutions", "yes" if variant["cudnn"] else "no", "yes" if used else "no")


def scaling_proofs(placement: Placement, operations: Sequence[Operation]) -> Iterator[Proof]:
    """Whether gradients were scaled back and looked at for overflow: in training with float16."""
    if placement.precision == "amp_fp16":
        names = {each.name for each in operations}
        scaled = {"aten::_amp_foreach_non_finite_check_and_unscale_", "aten::_amp_update_scale_"} <= names
        yield Proof("loss scaling", "yes", "yes" if scaled else "no")


class Probe(nn.Module):
    """One convolution and one matrix product of the same images, side by side: [n, 64, 8, 8] becomes [n, 2368].

    Neither works on the other's result, so that each shows its own arithmetic.
    """

    def __init__(self) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(0)
        self.images = torch.randn(64, 64, 8, 8, generator=random)
        self.kernels = nn.Buffer(torch.randn(64, 64, 3, 3, generator=random))
        self.weights = nn.Buffer(torch.randn(64 * 8 * 8, 64, generator=random))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat((nn.functional.conv2d(images, self.kernels).flatten(1), images.flatten(1) @ self.weights), 1)


def float32_arithmetic(device: str, forward: Callable[[torch.Tensor], torch.Tensor] | None = None) -> str:
    """``"full"`` when float32 products on this device keep 24 bits, ``"tf32"`` when 11, else "reduced" with the error.

    Global settings let PyTorch round the operands of a float32 product to fewer bits without a trace in any type; only
    a result shows it. ``forward`` computes what :class:`Probe` does in the way that is in question, by default PyTorch
    does; it is compared with the same in float64.
    """
    probe = Probe()
    exact = probe.double()(probe.images.double())
    with torch.inference_mode():
        values = (forward or probe.float().to(device))(probe.images.to(device)).cpu()
    split = [64 * 6 * 6, 64]
    return _worst(*(bits_kept(*both) for both in zip(values.split(split, 1), exact.split(split, 1), strict=True)))


def bits_kept(values: torch.Tensor, exact: torch.Tensor) -> str:
    """``"full"`` when ``values`` differ from the ``exact`` float64 ones by rounding alone, else "tf32" or "reduced"."""
    error = float((values.double() - exact).norm() / exact.norm())
    if error < _FP32_ERROR:
        return _FULL
    return _TF32 if error < _TF32_ERROR else f"reduced (relative error {error:.0e})"


def _worst(*findings: str) -> str:
    return max(findings, key=lambda finding: (_FULL, _TF32).index(finding) if finding in (_FULL, _TF32) else 2)


def _name(kind: torch.dtype) -> str:
    return str(kind).removeprefix("torch.")


def _joined(words: Iterable[str]) -> str:
    found = sorted(words)
    return " and ".join(found) or _NOTHING
