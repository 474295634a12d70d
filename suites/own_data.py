"""Images of the user's own, from one file of NumPy arrays; nothing in it can run.

::

    numpy.savez("mine.npz", train_images=..., train_labels=..., held_out_images=..., held_out_labels=...)

Images are [n, channels, height, width], and resized to the model's input where they have another size. Bytes (uint8,
0 to 255) are normalised as all others are, floats are not: they are for a model that was trained on images prepared in
its own way. Labels are whole numbers, [n], from 0.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch

from bench import UsageError
from suites.splits import DataSet, Split

ENDING = ".npz"
#: What a damaged, forged or encrypted file may raise.
_UNREADABLE = (
    *(OSError, ValueError, EOFError, TypeError, AttributeError),
    *(zipfile.BadZipFile, zlib.error, RuntimeError, MemoryError),
)
_BYTES = np.dtype(np.uint8)
_ARRAYS = ("train_images", "train_labels", "held_out_images", "held_out_labels")


def check(place: str) -> None:
    """Refuse a file that is not there.

    Raises:
        UsageError: with what to write.
    """
    if not Path(place).is_file():
        msg = f"there is no such file; write it with numpy.savez(..., {'=, '.join(_ARRAYS)}=)"
        raise UsageError(msg)


def identity(place: str) -> dict[str, object]:
    """What tells this content of a file from another, without reading it."""
    path = Path(place).resolve()
    status = path.stat()
    return {"file": str(path), "bytes": status.st_size, "changed_ns": status.st_mtime_ns}


def load(place: str, _classes: int, _downloads: Path) -> DataSet:
    """The images and labels of a file.

    Raises:
        UsageError: it is no such file, or its arrays do not fit together.
    """
    try:
        with np.load(place, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in _ARRAYS}
    except KeyError as error:
        msg = f"data {place!r}: {' '.join(str(error.args[0]).split())}; it needs {', '.join(_ARRAYS)}"
        raise UsageError(msg) from error
    except _UNREADABLE as error:
        msg = f"data {place!r} cannot be read ({' '.join(str(error).split())[:200]}); write it with numpy.savez"
        raise UsageError(msg) from error
    parts = [_split(place, name, arrays[f"{name}_images"], arrays[f"{name}_labels"]) for name in ("train", "held_out")]
    train, held_out = parts
    kinds = {arrays[f"{name}_images"].dtype for name in ("train", "held_out")}
    if len(kinds) > 1 or train.images.shape[1:] != held_out.images.shape[1:]:
        msg = f"data {place!r}: images to train on and held-out ones are of different size or type"
        raise UsageError(msg)
    return DataSet(train, held_out, ready=_BYTES not in kinds)


def _split(place: str, name: str, images: np.ndarray, labels: np.ndarray) -> Split:
    said = f"data {place!r}: {name}_images are {images.dtype} {list(images.shape)}"
    if images.ndim != 4 or 0 in images.shape or not (images.dtype == _BYTES or images.dtype.kind == "f"):
        msg = f"{said}; give uint8 or floats, [n, channels, height, width]"
        raise UsageError(msg)
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        msg = (
            f"data {place!r}: {name}_labels are {labels.dtype} {list(labels.shape)}; give a whole number for each of "
            f"{len(images)} images"
        )
        raise UsageError(msg)
    pixels = torch.from_numpy(images.astype(np.float32))
    if images.dtype == _BYTES:
        pixels /= 255
    elif not bool(torch.isfinite(pixels).all()):
        msg = f"data {place!r}: {name}_images hold values that are no finite numbers"
        raise UsageError(msg)
    return Split(pixels, torch.from_numpy(labels.astype(np.int64)))
