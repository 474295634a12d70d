"""What is kept until the end, in as little room as it needs.

A sample is ten numbers: 40 bytes as they are written, ten times as many as Python objects. Nobody reads them before
the look or the end, and a run of a day has millions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Packed(Generic[T]):
    """A list that only grows, each item kept as the bytes of its MessagePack; read, the items are made anew."""

    def __init__(self, kind: type[T], items: Iterable[T] = ()) -> None:
        self._decoder = msgspec.msgpack.Decoder(kind)
        self._pieces = [msgspec.msgpack.encode(item) for item in items]

    def append(self, item: T) -> None:
        self._pieces.append(msgspec.msgpack.encode(item))

    def __len__(self) -> int:
        return len(self._pieces)

    def __iter__(self) -> Iterator[T]:
        return map(self._decoder.decode, self._pieces)
