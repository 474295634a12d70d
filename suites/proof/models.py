"""Models that the proof measures beside the shipped one, importable by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def resnet50() -> nn.Module:
    """ResNet-50 for images of 3x224x224 and 1000 classes, with fresh weights."""
    from torchvision.models import resnet50 as make

    model: nn.Module = make(weights=None)
    return model
