"""Images of the user's own: one file, of which nothing runs, kept as long as it stays the same."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import UsageError
from suites.data import check_name, data_key, load
from suites.recipe import Recipe
from suites.reference import _key
from suites.subject import Subject, new_model
from suites.weights import weights_key

SHAPE = (3, 8, 8)


def _arrays(**changed: object) -> dict[str, object]:
    random = np.random.default_rng(0)
    arrays: dict[str, object] = {
        "train_images": random.integers(0, 256, (40, 3, 8, 8), np.uint8),
        "train_labels": np.arange(40) % 4,
        "held_out_images": random.integers(0, 256, (12, 3, 8, 8), np.uint8),
        "held_out_labels": np.arange(12) % 4,
    }
    return {name: value for name, value in {**arrays, **changed}.items() if value is not None}


def _saved(folder: Path, **changed: object) -> str:
    path = folder / "mine.npz"
    np.savez(path, **_arrays(**changed))  # type: ignore[arg-type]
    return str(path)


def test_bytes_are_treated_as_all_other_images_are(tmp_path):
    data = load(_saved(tmp_path), SHAPE, 4)
    assert (data.train.images.shape, data.held_out.images.shape) == ((40, *SHAPE), (12, *SHAPE))
    assert data.train.images.mean(dim=(0, 2, 3)) == pytest.approx([0.0] * 3, abs=1e-5)
    assert data.train.labels.tolist() == [n % 4 for n in range(40)]


def test_floats_stay_what_they_are(tmp_path):
    images = np.random.default_rng(1).normal(5.0, 3.0, (40, 3, 8, 8))
    data = load(_saved(tmp_path, train_images=images, held_out_images=images[:12]), SHAPE, 4)
    assert torch.equal(data.train.images, torch.from_numpy(images).float())
    assert torch.equal(data.held_out.images, torch.from_numpy(images[:12]).float())


def test_other_sizes_and_channels_are_made_to_fit_the_model(tmp_path):
    grey = np.full((40, 1, 4, 4), 7.0)
    data = load(_saved(tmp_path, train_images=grey, held_out_images=grey[:12]), SHAPE, 4)
    assert data.train.images.shape == (40, *SHAPE)
    assert data.train.images.unique().tolist() == pytest.approx([7.0])


def test_another_content_of_the_file_is_another_set_of_images_weights_and_references(tmp_path):
    place = _saved(tmp_path)
    subject = Subject(place, None, SHAPE, 4)
    model = new_model(subject)
    before = data_key(place, SHAPE), weights_key(place, SHAPE, 4, Recipe()), _key(subject, model)
    first = load(place, SHAPE, 4).train.labels.tolist()
    _saved(tmp_path, train_labels=np.zeros(40, np.int64))
    os.utime(place, ns=(10**18, 10**18))  # whatever the file system's clock says
    after = data_key(place, SHAPE), weights_key(place, SHAPE, 4, Recipe()), _key(subject, model)
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert load(place, SHAPE, 4).train.labels.tolist() == [0] * 40 != first


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"held_out_labels": None}, "held_out_labels.*it needs train_images"),
        (
            {"train_images": np.zeros((40, 8, 8), np.uint8)},
            r"train_images are uint8 \[40, 8, 8\]; give uint8 or floats",
        ),
        ({"train_images": np.zeros((0, 3, 8, 8), np.uint8)}, "train_images are uint8"),
        ({"train_images": np.zeros((40, 3, 8, 8), np.int64)}, "train_images are int64"),
        (
            {"train_labels": np.zeros(39, np.int64)},
            r"train_labels are int64 \[39\]; give a whole number for each of 40",
        ),
        ({"train_labels": np.zeros(40)}, "train_labels are float64"),
        ({"held_out_images": np.zeros((12, 3, 9, 8), np.uint8)}, "different size or type"),
        ({"held_out_images": np.zeros((12, 3, 8, 8))}, "different size or type"),
        (
            {"train_images": np.full((40, 3, 8, 8), np.nan), "held_out_images": np.zeros((12, 3, 8, 8))},
            "no finite numbers",
        ),
        ({"train_labels": np.arange(40)}, "has labels 0 to 39, but the model has 4 classes"),
        ({"train_labels": np.array([{}] * 40, dtype=object)}, "cannot be read"),  # it would have to be unpickled
    ],
)
def test_arrays_that_do_not_fit_are_refused_in_a_sentence(tmp_path, changed, said):
    with pytest.raises(UsageError, match=said):
        load(_saved(tmp_path, **changed), SHAPE, 4)


def test_a_file_that_is_none_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(UsageError, match=r"no such file; write it with numpy.savez\(..., train_images="):
        check_name(str(tmp_path / "gone.npz"), SHAPE)
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(UsageError, match="cannot be read"):
        load(str(tmp_path / "text.npz"), SHAPE, 4)


def test_a_damaged_or_absurd_file_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, **_arrays())  # type: ignore[arg-type]
    whole = path.read_bytes()
    for place in range(60, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            load(str(path), SHAPE, 4)
        except UsageError as error:
            assert "\n" not in str(error)  # noqa: PT017 - what is left unharmed is read
