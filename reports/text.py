"""Text from outside (names, reasons, a machine's own description) made safe to stand on one line."""

from __future__ import annotations

import unicodedata

#: Joins emoji into one picture; harmless, and its escape would tear the picture apart.
_ZERO_WIDTH_JOINER = "\u200d"
#: Control, format (with the bidirectional overrides) and surrogate characters, line and paragraph separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def one_line(text: object) -> str:
    r"""The text as one printable line: line breaks become spaces, what would act instead of show is spelled out.

    A terminal escape becomes ``\x1b``, a right-to-left override ``\u202e``: visible, and without effect.
    """
    return "".join(map(_visible, str(text).replace("\r\n", "\n")))


def plain_lines(text: str) -> tuple[str, ...]:
    """The lines of a longer text, each made safe on its own; empty ones at the end are dropped."""
    return tuple(one_line(line.expandtabs(4)) for line in text.strip("\r\n").splitlines())


def shortened(text: str, length: int) -> str:
    """The text, its middle replaced by an ellipsis where it is longer than ``length`` characters."""
    if len(text) <= length:
        return text
    head = (length - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"


def listed(names: tuple[str, ...], limit: int = 4) -> str:
    """``"a, b and c"``; beyond the limit, how many more there are."""
    if len(names) > limit:
        return f"{', '.join(names[:limit])} and {len(names) - limit} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def counted(number: float | str, noun: str) -> str:
    """``"1 wave"``, ``"6 waves"``."""
    number = f"{number:g}" if isinstance(number, (int, float)) else one_line(number)
    return f"{number} {noun}" if number == "1" else f"{number} {noun}s"


def _visible(character: str) -> str:
    if character in "\n\t":
        return " "
    if unicodedata.category(character) not in _UNSAFE or character == _ZERO_WIDTH_JOINER:
        return character
    return character.encode("ascii", "backslashreplace").decode() if character > "\x7f" else f"\\x{ord(character):02x}"
