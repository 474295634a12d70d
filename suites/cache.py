"""What is made once and kept between runs: data and trained weights, in the user's cache folder.

A cached file is written whole or not at all, and says itself what it holds. One that is damaged, or holds something
else, is as good as absent and is made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from bench import UsageError

Key = Mapping[str, object]

#: What torch.load raises, depending on where the damage is.
_DAMAGE = (OSError, RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError)


def folder() -> Path:
    """``$XDG_CACHE_HOME/joulemark``, by default ``~/.cache/joulemark``; not created here.

    Source: XDG Base Directory Specification 0.8, which has relative paths ignored.
    """
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(chosen) if os.path.isabs(chosen) else Path.home() / ".cache"
    return root / "joulemark"


def path_of(name: str, key: Key) -> Path:
    """Where the file for this key is kept; any change of the key gives another path."""
    digest = hashlib.sha256(json.dumps(dict(key), sort_keys=True).encode()).hexdigest()
    return folder() / f"{name}-{digest[:16]}.pt"


def find(name: str, key: Key) -> dict[str, torch.Tensor] | None:
    """The tensors cached under this key, mapped from the file; None where there are none."""
    return _read(path_of(name, key), key)


def load_or_make(name: str, key: Key, make: Callable[[], dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The tensors cached under this key, mapped from the file; made and cached first where they are not.

    Raises:
        UsageError: the cache folder cannot be written.
    """
    found = find(name, key)
    if found is not None:
        return found
    made = make()
    store(name, key, made)
    return made


def store(name: str, key: Key, tensors: dict[str, torch.Tensor]) -> Path:
    """Cache the tensors under this key, in place of what was there; returns the file.

    Raises:
        UsageError: the cache folder cannot be written.
    """
    path = path_of(name, key)
    save({"key": dict(key), "tensors": tensors}, path)
    return path


def save(content: Mapping[str, Any], path: Path) -> None:
    """Write ``content`` with torch.save, whole or not at all.

    Raises:
        UsageError: the file cannot be written.
    """
    descriptor, temporary = _open_beside(path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            torch.save(content, file)
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        raise _unwritable(path, error) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Refuse a path at which no file can be made; its folder is made.

    Raises:
        UsageError: the file cannot be written.
    """
    descriptor, temporary = _open_beside(path)
    os.close(descriptor)
    Path(temporary).unlink()


def _open_beside(path: Path) -> tuple[int, str]:
    """A new temporary file in the folder of ``path``, on the same file system: its descriptor and name."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: Exception) -> UsageError:
    reason = error.strerror if isinstance(error, OSError) else "the disk may be full"
    return UsageError(f"{path} cannot be written ({reason}); free the place, choose another, or set XDG_CACHE_HOME")


def _read(path: Path, key: Key) -> dict[str, torch.Tensor] | None:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        if content["key"] != dict(key):
            return None
        tensors = content["tensors"]
    except (*_DAMAGE, TypeError):
        return None
    sound = isinstance(tensors, dict) and all(isinstance(tensor, torch.Tensor) for tensor in tensors.values())
    return tensors if sound else None
