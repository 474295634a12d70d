"""Where and in which form a model and its images lie: device, memory layout and precision of a variant.

==========  =======  =================  ==============================================================
precision   weights  products           on
==========  =======  =================  ==============================================================
fp32        float32  float32, 24 bits   everywhere
tf32        float32  float32, 11 bits   NVIDIA GPUs from compute capability 8.0
amp_bf16    float32  bfloat16           NVIDIA GPUs from 8.0; CPUs whose bfloat16 arithmetic oneDNN can use
amp_fp16    float32  float16            NVIDIA GPUs; CPUs whose float16 arithmetic oneDNN can use
bf16        bf16     bfloat16           as amp_bf16
fp16        fp16     float16            as amp_fp16, inference only
==========  =======  =================  ==============================================================

Elsewhere a precision would be emulated, and its time that of the emulation: the case is refused with the reason.
Images are held in the type of the weights, so that no step pays for turning them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from bench import UnavailableError, UsageError, Variant

PRECISIONS = ("fp32", "tf32", "amp_bf16", "amp_fp16", "bf16", "fp16")
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
#: Types that autocast turns operands into, and types that weights and images are held in; float32 elsewhere.
_AUTOCAST = {"amp_bf16": torch.bfloat16, "amp_fp16": torch.float16}
_HELD = {"bf16": torch.bfloat16, "fp16": torch.float16}
_NEEDED = {**_AUTOCAST, **_HELD}
#: The first NVIDIA architecture with TF32 and bfloat16 arithmetic. Source: CUDA C++ Programming Guide.
_AMPERE = (8, 0)


@dataclass(frozen=True)
class Ability:
    """What a device computes in hardware, apart from float32."""

    name: str
    tf32: bool
    bfloat16: bool
    float16: bool

    @classmethod
    def of(cls, device: str) -> Ability:
        """What this machine's device can do; of a CPU, what oneDNN can: PyTorch's own loops are far slower."""
        if not device.startswith("cuda"):
            onednn = torch.ops.mkldnn  # there are no public names for these
            brain, half = onednn._is_mkldnn_bf16_supported(), onednn._is_mkldnn_fp16_supported()  # noqa: SLF001
            return cls("this CPU", tf32=False, bfloat16=bool(brain), float16=bool(half))
        major, minor = torch.cuda.get_device_capability(device)
        modern = (major, minor) >= _AMPERE
        name = f"{torch.cuda.get_device_name(device)} (compute capability {major}.{minor})"
        return cls(name, tf32=modern, bfloat16=modern, float16=True)


@dataclass(frozen=True)
class Placement:
    """The axes of a variant that decide how tensors are held; see :meth:`of`."""

    device: str
    precision: str
    layout: str

    @classmethod
    def of(cls, variant: Variant, ability_of: Callable[[str], Ability] = Ability.of) -> Placement:
        """The placement a variant asks for.

        Raises:
            UsageError: a precision, layout or device that is none, with the choices; a precision the device never has.
            UnavailableError: the device is not there, or it lacks the precision.
        """
        precision, layout = str(variant["precision"]), str(variant["layout"])
        for axis, value, choices in (("precision", precision, PRECISIONS), ("layout", layout, tuple(LAYOUTS))):
            if value not in choices:
                msg = f"PyTorch's own backends know no {axis} {value!r}; choose one of {', '.join(choices)}"
                raise UsageError(msg)
        _check_device(variant.device)
        if precision == "tf32" and variant.device == "cpu":
            msg = "tf32 is arithmetic of NVIDIA GPUs; on a CPU choose fp32 or amp_bf16"
            raise UsageError(msg)
        if precision != "fp32":
            check_ability(precision, ability_of(variant.device))
        return cls(variant.device, precision, layout)

    @property
    def held_in(self) -> torch.dtype:
        """The type of weights and images."""
        return _HELD.get(self.precision, torch.float32)

    @property
    def computed_in(self) -> torch.dtype:
        """The type that operands of convolutions and matrix products have when they are multiplied."""
        return _NEEDED.get(self.precision, torch.float32)

    def place_model(self, model: nn.Module) -> nn.Module:
        """The model itself, moved."""
        if self.precision in _HELD:
            model = model.to(dtype=self.held_in)
        # The stub of Module.to lacks the combination that its documentation allows.
        return model.to(device=self.device, memory_format=LAYOUTS[self.layout])  # type: ignore[call-overload, no-any-return]

    def place_images(self, images: torch.Tensor) -> torch.Tensor:
        """A copy of the images [n, channels, height, width] on the device, in the layout and the weights' type."""
        return images.to(self.device, self.held_in).contiguous(memory_format=LAYOUTS[self.layout])

    def arithmetic(self) -> AbstractContextManager[object]:
        """The context of a forward pass: automatic mixed precision where the variant asks for it."""
        if self.precision in _AUTOCAST:
            return torch.autocast(torch.device(self.device).type, dtype=_AUTOCAST[self.precision])
        return nullcontext()

    def loss_scaler(self) -> torch.amp.GradScaler | None:
        """What keeps small gradients from vanishing in float16; None where there is nothing to keep.

        Raises:
            UsageError: weights in float16, which cannot be trained: there is no room for their updates.
        """
        if self.precision == "fp16":
            msg = "fp16 weights lose their own updates in training; choose amp_fp16, or fp16 for inference"
            raise UsageError(msg)
        return torch.amp.GradScaler(torch.device(self.device).type) if self.precision == "amp_fp16" else None


def check_ability(precision: str, ability: Ability) -> None:
    """Refuse a precision that the device would have to emulate.

    Raises:
        UnavailableError: with what to choose instead.
    """
    kind = str(_NEEDED[precision]).removeprefix("torch.") if precision in _NEEDED else precision
    able: Mapping[str, bool] = {"tf32": ability.tf32, "bfloat16": ability.bfloat16, "float16": ability.float16}
    if not able[kind]:
        others = [name for name, there in able.items() if there]
        reason = f"{ability.name} has no {kind} arithmetic"
        raise UnavailableError(
            reason, f"choose fp32{''.join(f' or {name}' for name in others)} here, or another device"
        )


def _check_device(device: str) -> None:
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdigit()):
        msg = f"the classifier knows no device {device!r}; choose cpu or cuda:0, cuda:1, ..."
        raise UsageError(msg)
    if kind == "cuda" and not (torch.cuda.is_available() and int(index or 0) < torch.cuda.device_count()):
        reason = f"PyTorch {torch.__version__} sees no device {device}"
        raise UnavailableError(reason, "check the NVIDIA driver with nvidia-smi and that this torch is a CUDA build")
