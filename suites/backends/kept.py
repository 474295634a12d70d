"""What a backend made of a model, kept from one wave to the next, as compilers keep their code.

A cold set-up makes it, a warm one reads it: so does whoever exports a model once and ships the file. The folder is the
case's own, empty in the first wave, and gone after the run.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

#: Named in the worker's environment; without it, nothing is kept.
FOLDER = "JOULEMARK_CASE_CACHE"


def kept(name: str, make: Callable[[], bytes]) -> bytes:
    """What ``make`` returns, or returned in an earlier wave of this case under this name."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return make()
    path = Path(folder) / name
    if path.is_file():
        return path.read_bytes()
    data = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    Path(file.name).replace(path)
    return data
