"""Labelled images, and two sets of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Split:
    """Labelled images.

    ``images`` is float32, [n, channels, height, width]; ``labels`` is int64, [n].
    """

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class DataSet:
    """Images to train on, and others, never trained on, to judge by; ``ready`` images are not to be normalised."""

    train: Split
    held_out: Split
    ready: bool = False
