"""Models of a user's own: good ones, bad ones, and some whose label would be a lie."""

from __future__ import annotations

import torch
from torch import nn

NOT_CALLABLE = 3


class Tiny(nn.Module):
    """A convolution and a matrix product: the least that has every kind of evidence."""

    def __init__(self, channels: int = 3, classes: int = 10) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, 8, kernel_size=3, stride=2, padding=1)
        self.head = nn.Linear(8, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.convolution(images).relu().mean(dim=(2, 3)))


class StaysInFloat32(Tiny):
    def forward(self, images):
        with torch.autocast(images.device.type, enabled=False):
            return super().forward(images.float())


class TurnsContiguous(Tiny):
    def forward(self, images):
        return super().forward(images.contiguous(memory_format=torch.contiguous_format))


class BreaksTheGraph(Tiny):
    def forward(self, images):
        features = self.convolution(images).relu()
        torch._dynamo.graph_break()
        return self.head(features.mean(dim=(2, 3)))


class NeverCompiles(Tiny):
    @torch.compiler.disable
    def forward(self, images):
        return super().forward(images)


class TakesAllMemoryForNine(Tiny):
    def forward(self, images):
        if len(images) == 9:
            torch.empty(2**46, device=images.device)
        return super().forward(images)


class NeedsAnArgument(Tiny):
    def __init__(self, width):
        super().__init__()
        self.width = width


class ReturnsAPair(Tiny):
    def forward(self, images):
        scores = super().forward(images)
        return scores, scores


class ReturnsAPairInTraining(Tiny):
    def forward(self, images):
        scores = super().forward(images)
        return (scores, scores) if self.training else scores


class WithoutParameters(nn.Module):
    def forward(self, images):
        return images.flatten(1)[:, :10]


def grey() -> nn.Module:
    return Tiny(channels=1)


def seven_classes() -> nn.Module:
    return Tiny(classes=7)


def no_module() -> str:
    return "a model"


def fails() -> nn.Module:
    raise RuntimeError("the weights are\nnot there")
