"""Shapes of one image, as text and as numbers: ``"3x32x32"`` is three channels, 32 rows, 32 columns."""

from __future__ import annotations

import re

from bench import UsageError

Shape = tuple[int, int, int]

_TEXT = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})x([1-9]\d{0,4})")


def parse_shape(text: str) -> Shape:
    """Channels, height and width.

    Raises:
        UsageError: the text is not three positive numbers joined by "x".
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        msg = f"{text!r} is not an image shape; write channels, height and width as in 3x32x32"
        raise UsageError(msg)
    channels, height, width = (int(number) for number in match.groups())
    return channels, height, width


def format_shape(shape: Shape) -> str:
    """The text that :func:`parse_shape` reads."""
    return "x".join(str(number) for number in shape)
