"""Data sets by name, made to fit a model's input: resized, with its channels, normalised."""

from __future__ import annotations

import math

import torch

from bench import UsageError
from suites import cache, own_data
from suites.shapes import Shape, format_shape
from suites.sources import find_source, is_own, source_version
from suites.splits import DataSet, Split

__all__ = ["DataSet", "Split", "check_labels", "check_name", "is_synthetic", "load", "rotation", "rotation_indices"]

#: Raise it when the same name, shape and package version give other images than before.
_RECIPE = 1
_ROTATED_BATCHES = 8
#: A large data set at a large size would fill the memory; beyond this a part of it must do.
_LIMIT_BYTES = 2 * 2**30


def check_name(name: str, shape: Shape) -> None:
    """Refuse a data name that cannot be meant, without reading any data.

    Raises:
        UsageError: no such data set, or synthetic images of another shape than the model's input.
        UnavailableError: the data set needs a package that is missing.
    """
    find_source(name)
    if is_synthetic(name) and name != f"synthetic:{format_shape(shape)}":
        # Noise has no size of its own, and noise that was resized is another noise: the user means one of the two.
        msg = f"data {name!r} does not fit the model's input {format_shape(shape)}; give both the same shape"
        raise UsageError(msg)


def is_synthetic(name: str) -> bool:
    """Whether there is nothing to learn from these images."""
    return name.partition(":")[0] == "synthetic"


def load(name: str, shape: Shape, classes: int) -> DataSet:
    """The data set as float32 images [n, channels, height, width] of this shape and int64 labels [n].

    Each channel has mean 0 and standard deviation 1 over the training images; held-out images are normalised with
    the training images' figures. A user's own floats stay what they are. The result is cached, and read from there by
    memory map, so that a worker pays only for the images that it touches. Of a data set that would take more than
    2 GiB at this size, a fixed random part is used.

    Raises:
        UsageError: no such data set, it cannot be had, or a label is outside 0..classes-1.
        UnavailableError: the data set needs a package that is missing.
    """
    check_name(name, shape)
    key = data_key(name, shape)
    if is_synthetic(name):
        key["classes"] = classes
    tensors = cache.load_or_make("data", key, lambda: _as_tensors(_make(name, shape, classes)))
    data = DataSet(
        Split(tensors["train_images"], tensors["train_labels"]),
        Split(tensors["held_out_images"], tensors["held_out_labels"]),
    )
    check_labels(name, data, classes)
    return data


def data_key(name: str, shape: Shape) -> dict[str, object]:
    """All that decides the images: another value of any of it means other images."""
    source, _ = find_source(name)
    key = {"data": name, "shape": format_shape(shape), "source": source_version(source), "data_recipe": _RECIPE}
    return {**key, **own_data.identity(name)} if is_own(name) else key


def check_labels(name: str, data: DataSet, classes: int) -> None:
    """Refuse labels outside 0..classes-1.

    Raises:
        UsageError: naming the number of classes that would fit.
    """
    labels = torch.cat([data.train.labels, data.held_out.labels])
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        msg = f"data {name!r} has labels {low} to {high}, but the model has {classes} classes; set {high + 1} classes"
        raise UsageError(msg)


def rotation(split: Split, batch: int, count: int = _ROTATED_BATCHES, seed: int = 0) -> list[Split]:
    """``count`` different batches of exactly ``batch`` images, drawn in a fixed random order.

    Every image is used once before any is used again.

    Raises:
        UsageError: the batch is not a positive number.
    """
    chosen = rotation_indices(len(split), batch, count, seed)
    return [Split(split.images[indices], split.labels[indices]) for indices in chosen]


def rotation_indices(images: int, batch: int, count: int = _ROTATED_BATCHES, seed: int = 0) -> torch.Tensor:
    """Which of so many images stand in each batch of :func:`rotation`: int64 [count, batch].

    Raises:
        UsageError: the batch is not a positive number.
    """
    if batch < 1:
        msg = f"a batch of {batch} images cannot be measured; use at least 1"
        raise UsageError(msg)
    random = torch.Generator().manual_seed(seed)
    passes = -(-batch * count // images)
    order = torch.cat([torch.randperm(images, generator=random) for _ in range(passes)])
    return order[: batch * count].reshape(count, batch)


def _make(name: str, shape: Shape, classes: int, limit_bytes: int = _LIMIT_BYTES) -> DataSet:
    source, argument = find_source(name)
    raw = source.load(argument, classes, cache.folder() / "downloads")
    share = min(1.0, limit_bytes / (4 * math.prod(shape) * (len(raw.train) + len(raw.held_out))))
    parts = _part(raw.train, share), _part(raw.held_out, share)
    train, held_out = (Split(_resize(part.images, shape), part.labels) for part in parts)
    if raw.ready:
        one, other = (Split(part.images.expand(-1, shape[0], -1, -1), part.labels) for part in (train, held_out))
        return DataSet(one, other)
    mean = train.images.mean(dim=(0, 2, 3), keepdim=True)
    # A channel that never changes carries nothing; it becomes zero rather than not-a-number.
    deviation = train.images.std(dim=(0, 2, 3), keepdim=True, correction=0).clamp_min(1e-6)

    def fit(split: Split) -> Split:
        # Expanding instead of copying keeps grey images, whose channels are equal, at a third of the size.
        return Split(((split.images - mean) / deviation).expand(-1, shape[0], -1, -1), split.labels)

    return DataSet(fit(train), fit(held_out))


def _part(split: Split, share: float) -> Split:
    """This share of the images, drawn in a fixed random order; all of them, in their own order, for a share of 1."""
    if share >= 1:
        return split
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))
    chosen = order[: max(1, int(share * len(split)))]
    return Split(split.images[chosen], split.labels[chosen])


def _resize(images: torch.Tensor, shape: Shape) -> torch.Tensor:
    """Images of the wanted height and width with the wanted channels, or with one that stands for all of them."""
    channels, height, width = shape
    if images.shape[1] not in (1, channels):
        images = images.mean(dim=1, keepdim=True)
    if images.shape[2:] == (height, width):
        return images
    return torch.nn.functional.interpolate(
        images, size=(height, width), mode="bilinear", align_corners=False, antialias=True
    )


def _as_tensors(data: DataSet) -> dict[str, torch.Tensor]:
    return {
        "train_images": data.train.images,
        "train_labels": data.train.labels,
        "held_out_images": data.held_out.images,
        "held_out_labels": data.held_out.labels,
    }
