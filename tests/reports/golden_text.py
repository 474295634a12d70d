"""Comparison with the files in ``golden/``.

``JOULEMARK_GOLDEN=write pytest tests/reports`` writes them anew; look at the difference before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).with_name("golden")


def golden(name: str, text: str) -> str:
    """The stored text of that name; the given text takes its place first where writing was asked for."""
    path = FOLDER / name
    if os.environ.get("JOULEMARK_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8", newline="\n")
    return path.read_text(encoding="utf-8")
