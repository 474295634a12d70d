"""One end of a socket pair that carries whole messages: four bytes of length, then JSON."""

from __future__ import annotations

import select
import socket
import struct
import time
from typing import TypeVar

import msgspec

_LENGTH = struct.Struct("!I")
#: A block of 100,000 samples is below 10 MB; a longer message is a stray process writing to our socket.
_MAX_BYTES = 64 * 2**20

T = TypeVar("T")


class ChannelClosedError(Exception):
    """The other end is gone, or speaks nonsense."""


class Channel:
    """Sends messages, and waits for them with a limit."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def fileno(self) -> int:
        return self._end.fileno()

    def send(self, message: msgspec.Struct) -> None:
        """Send one message.

        Raises:
            ChannelClosedError: nobody is there to receive it.
        """
        data = msgspec.json.encode(message)
        try:
            self._end.sendall(_LENGTH.pack(len(data)) + data)
        except OSError as error:
            raise ChannelClosedError from error

    def receive(self, kind: type[T], limit_s: float | None = None) -> T:
        """The next message.

        Raises:
            TimeoutError: none came within the limit.
            ChannelClosedError: the other end is gone, or sent no such message.
        """
        deadline = None if limit_s is None else time.monotonic() + limit_s
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size, deadline))
        if length > _MAX_BYTES:
            raise ChannelClosedError
        try:
            return msgspec.json.decode(self._read(length, deadline), type=kind)
        except msgspec.DecodeError as error:
            raise ChannelClosedError from error

    def close(self) -> None:
        self._end.close()

    def _read(self, count: int, deadline: float | None) -> bytes:
        data = bytearray()
        while len(data) < count:
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self._end], [], [], remaining)[0]:
                raise TimeoutError
            try:
                part = self._end.recv(count - len(data))
            except OSError as error:
                raise ChannelClosedError from error
            if not part:
                raise ChannelClosedError
            data += part
        return bytes(data)
