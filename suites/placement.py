"""Where and in which form a model and its images lie: device, memory layout and precision of a variant."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from bench import UnavailableError, UsageError, Variant

PRECISIONS = ("fp32", "amp_bf16")
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


@dataclass(frozen=True)
class Placement:
    """The axes of a variant that decide how tensors are held; see :meth:`of`."""

    device: str
    precision: str
    layout: str

    @classmethod
    def of(cls, variant: Variant) -> Placement:
        """The placement a variant asks for.

        Raises:
            UsageError: a precision, layout or device that is none, with the choices.
            UnavailableError: the device is not there.
        """
        precision, layout = str(variant["precision"]), str(variant["layout"])
        for axis, value, choices in (("precision", precision, PRECISIONS), ("layout", layout, tuple(LAYOUTS))):
            if value not in choices:
                msg = f"the classifier knows no {axis} {value!r}; choose one of {', '.join(choices)}"
                raise UsageError(msg)
        _check_device(variant.device)
        return cls(variant.device, precision, layout)

    def place_model(self, model: nn.Module) -> nn.Module:
        """The model itself, moved."""
        # The stub of Module.to lacks the combination that its documentation allows.
        return model.to(device=self.device, memory_format=LAYOUTS[self.layout])  # type: ignore[call-overload, no-any-return]

    def place_images(self, images: torch.Tensor) -> torch.Tensor:
        """A copy of the images [n, channels, height, width] on the device, in the layout."""
        return images.to(self.device).contiguous(memory_format=LAYOUTS[self.layout])

    def arithmetic(self) -> AbstractContextManager[object]:
        """The context of a forward pass: automatic mixed precision where the variant asks for it."""
        if self.precision == "amp_bf16":
            return torch.autocast(torch.device(self.device).type, dtype=torch.bfloat16)
        return nullcontext()


def _check_device(device: str) -> None:
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdigit()):
        msg = f"the classifier knows no device {device!r}; choose cpu or cuda:0, cuda:1, ..."
        raise UsageError(msg)
    if kind == "cuda" and not (torch.cuda.is_available() and int(index or 0) < torch.cuda.device_count()):
        reason = f"PyTorch {torch.__version__} sees no device {device}"
        raise UnavailableError(reason, "check the NVIDIA driver with nvidia-smi and that this torch is a CUDA build")
