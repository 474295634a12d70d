"""How the classifier is trained, evaluated and asked for predictions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from bench import UsageError
from suites.data import Split

_EVALUATION_BATCH = 256


@dataclass(frozen=True)
class Recipe:
    """Plain stochastic gradient descent with momentum on cross-entropy."""

    epochs: int = 10
    batch: int = 32
    learning_rate: float = 0.001
    momentum: float = 0.9
    seed: int = 0  # of the first weights and of the order of the images

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                msg = f"{name} must be at least 1, not {getattr(self, name)}"
                raise UsageError(msg)
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            msg = f"the learning rate must be a positive number, not {self.learning_rate}"
            raise UsageError(msg)
        if not 0 <= self.momentum < 1:
            msg = f"momentum must be from 0 to below 1, not {self.momentum}"
            raise UsageError(msg)


def new_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Stochastic gradient descent over all parameters of the model."""
    return torch.optim.SGD(model.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum)


def new_loss() -> nn.Module:
    """Cross-entropy of scores [n, classes] and labels [n], averaged over the batch."""
    return nn.CrossEntropyLoss()


def train_classifier(
    model: nn.Module,
    split: Split,
    recipe: Recipe,
    on_batch: Callable[[], None] = lambda: None,
) -> Iterator[float]:
    """Train in place, and yield the mean loss of each epoch as it ends; nothing happens until it is iterated."""
    random = torch.Generator().manual_seed(recipe.seed)
    optimizer, loss_of = new_optimizer(model, recipe), new_loss()
    for _ in range(recipe.epochs):
        model.train()
        total, batches = 0.0, epoch_order(len(split), recipe.batch, random)
        for indices in batches:
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model(split.images[indices]), split.labels[indices])
            loss.backward()
            optimizer.step()
            total += loss.item()
            on_batch()
        yield total / len(batches)


def epoch_order(images: int, batch: int, random: torch.Generator) -> list[torch.Tensor]:
    """Indices of each full batch of one epoch, in random order.

    What is left over sits out this epoch: a last batch of one image would give batch normalisation nothing to
    normalise by.
    """
    order = torch.randperm(images, generator=random)
    return list(torch.split(order, batch)[: epoch_batches(images, batch)])


def epoch_batches(images: int, batch: int) -> int:
    """How many batches an epoch has: full ones, or one smaller where there are too few images to fill it."""
    return max(1, images // batch)


def evaluate(model: nn.Module, split: Split) -> float:
    """The fraction of images, from 0 to 1, whose highest score is the label's."""
    return float((predict(model, split.images) == split.labels).to(torch.float64).mean())


def predict(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The class with the highest score for each image: int64 [n]."""
    model.eval()
    with torch.inference_mode():
        return torch.cat([model(part).argmax(dim=1) for part in torch.split(images, _EVALUATION_BATCH)])
