"""How images reach a training step in real life: drawn, cropped, flipped, normalised, batched, copied to the device.

::

    uint8 in memory | random crop of the image padded with 0 | flip or not | float32, normalised      for each image
    stack into a batch | pin (CUDA)                                                                   for each batch
    copy to the device | layout                                                                       in the step

Decoding files is not in it: the data sets here are held in memory, and a disk is another thing to measure.
"""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing import active_children
from typing import cast

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from suites.data import Split
from suites.placement import Placement

#: An image is padded by this fraction of its height before it is cropped: 4 of 32, as is usual with CIFAR-10.
#: Source: K. He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2.
_PADDING = 8


class AugmentedImages(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Images [n, channels, height, width] kept in 8 bits, each taken out as float32, normalised, in a random crop."""

    def __init__(self, split: Split) -> None:
        low, high = float(split.images.min()), float(split.images.max())
        self._step = max(high - low, 1e-6) / 255
        self._low = low
        self._images = split.images.sub(low).div_(self._step).round_().to(torch.uint8)
        self._labels = split.labels

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image = self._images[index]
        height, width = image.shape[1:]
        padding = height // _PADDING
        padded = torch.nn.functional.pad(image, [padding] * 4)
        top, left, flip = (int(torch.randint(0, limit, ())) for limit in (2 * padding + 1, 2 * padding + 1, 2))
        image = padded[:, top : top + height, left : left + width]
        if flip:
            image = image.flip(2)
        return image.to(torch.float32).mul_(self._step).add_(self._low), self._labels[index]


class EndlessBatches(Sampler[list[int]]):
    """Batches of exactly so many indices, for ever: every image once in a new order, then again.

    An epoch's end is no end: small data sets would otherwise show how loaders are started, and nothing else.
    """

    def __init__(self, images: int, batch: int, seed: int = 0) -> None:
        self._images = images
        self._batch = batch
        self._random = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[list[int]]:
        waiting: list[int] = []
        while True:
            while len(waiting) < self._batch:
                waiting += torch.randperm(self._images, generator=self._random).tolist()
            yield waiting[: self._batch]
            waiting = waiting[self._batch :]


class Feed(Iterator[Split]):
    """Batches on the device, in the layout of a placement; each is loaded when it is asked for, or ahead of it.

    ``loaders`` processes load ahead; with none the step loads its images itself. They belong to the worker's process
    group: between blocks they are frozen with it.
    """

    def __init__(self, placement: Placement, split: Split, batch: int, loaders: int) -> None:
        self._placement = placement
        before = set(active_children())
        loader: DataLoader[tuple[torch.Tensor, torch.Tensor]] = DataLoader(
            AugmentedImages(split),
            batch_sampler=EndlessBatches(len(split), batch),
            num_workers=loaders,
            pin_memory=placement.device.startswith("cuda"),
        )
        self._batches: Iterator[list[torch.Tensor]] | None = iter(loader)
        self._processes = set(active_children()) - before

    @property
    def loaders(self) -> int:
        """How many loaders are alive."""
        return sum(process.is_alive() for process in self._processes)

    def __next__(self) -> Split:
        images, labels = next(cast("Iterator[list[torch.Tensor]]", self._batches))
        device = self._placement.device
        placed = self._placement.place_images(images.to(device, non_blocking=True))
        return Split(placed, labels.to(device, non_blocking=True))

    def close(self) -> None:
        """End the loaders: the loader's iterator does so when it is let go."""
        self._batches = None
