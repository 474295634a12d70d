from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from bench import Variant
from suites.data import Split
from suites.loading import AugmentedImages, EndlessBatches, Feed
from suites.placement import Placement
from suites.steps import end_to_end_step
from tests.suites.models import Tiny

CPU = Placement.of(Variant.of())


def numbered(count: int) -> Split:
    """Images that are their own number, and far apart, so that a crop still tells which one it is."""
    values = torch.arange(count, dtype=torch.float32).reshape(-1, 1, 1, 1)
    return Split(values.expand(-1, 3, 8, 8), torch.arange(count))


def test_an_epoch_has_every_image_once_and_the_next_another_order():
    batches = list(itertools.islice(EndlessBatches(10, 5), 4))
    first, second = sorted(batches[0] + batches[1]), sorted(batches[2] + batches[3])
    assert first == second == list(range(10))
    assert batches[0] + batches[1] != batches[2] + batches[3]


def test_a_batch_is_full_where_an_epoch_ends_in_it():
    assert [len(batch) for batch in itertools.islice(EndlessBatches(7, 5), 9)] == [5] * 9
    assert len(next(iter(EndlessBatches(3, 8)))) == 8


def test_an_image_keeps_its_values_but_for_the_crop_and_eight_bits(digits):
    images = AugmentedImages(digits.train)
    image, label = images[3]
    low, high = digits.train.images.min(), digits.train.images.max()
    assert image.shape == digits.train.images.shape[1:]
    assert image.dtype == torch.float32
    assert label == digits.train.labels[3]
    assert low - 0.01 <= image.min() <= image.max() <= high + 0.01
    assert len(images) == len(digits.train)


def test_the_same_image_comes_in_different_crops_and_both_ways_round(digits):
    images = AugmentedImages(digits.train)
    seen = {tuple(images[0][0].flatten().tolist()) for _ in range(40)}
    assert len(seen) > 15


def test_padding_is_what_zero_is_in_eight_bits():
    split = Split(torch.ones(2, 3, 8, 8) * torch.tensor([-1.0, 3.0]).reshape(2, 1, 1, 1), torch.tensor([0, 1]))
    values = {round(value, 2) for _ in range(30) for value in AugmentedImages(split)[1][0].flatten().tolist()}
    assert values == {-1.0, 3.0}


@pytest.mark.parametrize("loaders", [0, 2])
def test_a_feed_gives_other_batches_with_their_labels_for_ever(loaders):
    feed = Feed(CPU, numbered(12), 4, loaders)
    try:
        batches = [next(feed) for _ in range(9)]  # three epochs
        assert feed.loaders == loaders
    finally:
        feed.close()
    for batch in batches:
        assert batch.images.shape == (4, 3, 8, 8)
        assert torch.equal(batch.images.amax(dim=(1, 2, 3)).round().long(), batch.labels)
    assert sorted(torch.cat([batch.labels for batch in batches[:3]]).tolist()) == list(range(12))
    assert feed.loaders == 0


def test_images_lie_as_the_placement_says():
    feed = Feed(replace(CPU, layout="channels_last"), numbered(12), 4, 0)
    assert next(feed).images.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("axes", [{}, {"loaders": 1}, {"precision": "amp_bf16", "layout": "channels_last"}])
def test_an_end_to_end_step_takes_effect_and_returns_its_loss(axes, digits):
    step = end_to_end_step(Variant.of(batch=4, **axes), Tiny(), digits)
    try:
        losses = [step.run() for _ in range(3)]
        assert [proof for proof in step.proofs() if not proof.honoured] == []
    finally:
        step.close()
    assert all(isinstance(loss, float) for loss in losses)
    assert len(set(losses)) == 3
    assert step.items == 4
