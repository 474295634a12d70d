from __future__ import annotations

import pytest
import torch

from bench import UnavailableError, UsageError
from suites import cache
from suites.data import DataSet, Split, _make, check_labels, check_name, load, rotation

SHAPE = (3, 32, 32)


def rows(split: Split) -> set[bytes]:
    return {image.contiguous().numpy().tobytes() for image in split.images}


def test_digits_have_the_promised_sizes_and_types(digits):
    assert digits.train.images.shape == (1437, *SHAPE)
    assert digits.held_out.images.shape == (360, *SHAPE)
    for split in (digits.train, digits.held_out):
        assert split.images.dtype == torch.float32
        assert split.labels.dtype == torch.int64
        assert split.labels.shape == (len(split.images),)


def test_no_held_out_digit_is_trained_on(digits):
    assert not rows(digits.train) & rows(digits.held_out)


def test_every_digit_is_held_out_in_proportion(digits):
    train, held_out = (torch.bincount(split.labels, minlength=10) for split in (digits.train, digits.held_out))
    shares = held_out / (train + held_out)
    assert torch.all((shares - 360 / 1797).abs() < 0.005)


def test_digits_are_normalised_by_the_training_images_alone(digits):
    for channel in range(3):
        values = digits.train.images[:, channel]
        assert values.mean().item() == pytest.approx(0, abs=1e-4)
        assert values.std(correction=0).item() == pytest.approx(1, abs=1e-4)
    assert digits.held_out.images.mean().item() != pytest.approx(0, abs=1e-4)


def test_the_split_is_the_same_every_time(digits):
    again = _make("digits", SHAPE, 10)
    assert torch.equal(again.train.labels, digits.train.labels)
    assert torch.equal(again.held_out.images, digits.held_out.images)


def test_images_take_the_size_and_channels_of_the_model():
    assert load("digits", (1, 16, 24), 10).train.images.shape == (1437, 1, 16, 24)


def test_a_damaged_data_file_is_made_anew(digits):
    for path in cache.folder().glob("data-*.pt"):
        beginning = path.read_bytes()[:1000]
        path.unlink()  # another file of this name: the old one is still mapped
        path.write_bytes(beginning)
    assert torch.equal(load("digits", SHAPE, 10).train.images, digits.train.images)


def test_a_data_set_too_large_for_memory_is_used_in_part():
    whole, part = _make("digits", SHAPE, 10), _make("digits", SHAPE, 10, limit_bytes=4 * 3 * 32 * 32 * 180)
    assert (len(part.train), len(part.held_out)) == (143, 36)
    assert len(whole.train) == 1437


def test_synthetic_images_are_random_and_the_same_every_time():
    data = load("synthetic:3x8x8", (3, 8, 8), 4)
    assert data.train.images.shape[1:] == (3, 8, 8)
    assert data.train.images.std(dim=0).min() > 0.5
    assert set(data.train.labels.tolist()) == {0, 1, 2, 3}
    assert torch.equal(_make("synthetic:3x8x8", (3, 8, 8), 4).train.images, data.train.images)


@pytest.mark.parametrize("name", ["", "cifar", "digit", "synthetic", "synthetic:3x8", "digits:5", "mnist:5"])
def test_a_data_name_that_cannot_be_meant_is_refused(name):
    with pytest.raises(UsageError, match=r"choose one of|write channels|leave it out"):
        check_name(name, SHAPE)


def test_synthetic_images_must_have_the_shape_of_the_models_input():
    with pytest.raises(UsageError, match="does not fit the model's input 3x32x32; give both the same shape"):
        check_name("synthetic:3x64x64", SHAPE)


def test_medical_images_are_read_by_name_or_the_package_to_install_is_named():
    with pytest.raises((UsageError, UnavailableError), match=r"choose one of bloodmnist|joulemark\[medmnist\]"):
        check_name("medmnist:no_such_set", SHAPE)


@pytest.mark.parametrize("labels", [[0, 10], [-1, 9]])
def test_labels_that_the_model_has_no_class_for_are_refused(labels):
    split = Split(torch.zeros(2, *SHAPE), torch.tensor(labels))
    with pytest.raises(UsageError, match=f"labels {labels[0]} to {labels[1]}, but the model has 10 classes"):
        check_labels("digits", DataSet(split, split), 10)


def test_batches_in_rotation_differ_and_use_every_image_before_any_twice():
    split = Split(torch.arange(12.0).reshape(12, 1, 1, 1), torch.arange(12))
    batches = rotation(split, batch=4, count=3)
    assert [len(batch) for batch in batches] == [4, 4, 4]
    assert sorted(label for batch in batches for label in batch.labels.tolist()) == list(range(12))


def test_a_batch_larger_than_the_data_set_is_still_full():
    split = Split(torch.zeros(5, 1, 1, 1), torch.arange(5))
    assert [len(batch) for batch in rotation(split, batch=8, count=2)] == [8, 8]


def test_an_empty_batch_is_refused(digits):
    with pytest.raises(UsageError, match="use at least 1"):
        rotation(digits.train, batch=0)
