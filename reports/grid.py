"""A table as lines of text of a given width: which columns stand where, and what stands beneath what.

::

    wide     case   time interval   rate interval   speed-up interval   verdict   set-up   memory   notes
    narrow   case   time            rate            speed-up            verdict   set-up   memory
                    interval        interval        interval            notes     warm

In the narrow form the error of the scores stands beneath their accuracy. Where even that does not fit, gaps shrink;
then the break-even is left out, then peak memory, then the energy if none was read, then set-up, then the rate, or the
ninetieth percentile, then the ratio of energies.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells
from rich.text import Text

from reports.figures import DASH
from reports.tables import Align, Cell, Line, Role, Table

STYLES: Mapping[Role, str] = {
    Role.PLAIN: "",
    Role.MUTED: "dim",
    Role.STRUCK: "strike dim",
    Role.BASELINE: "dim",
    Role.WINNER: "bold green",
    Role.LOSER: "magenta",
    Role.SAME: "cyan",
    Role.UNSURE: "yellow",
    Role.FAILED: "bold red",
}
_GAPS = (2, 1)
_NAME_WIDTH = 44  # a longer name is folded in any case
_NAME_WIDTH_LEAST = 16  # and none is folded to less than this to make room
_TEXT_WIDTH_LEAST = 9  # nor other words, which are folded last
_HEADING_WIDTH = 20
#: In the narrow form the one column stands beneath the other.
_BENEATH = {"verdict": "notes", "accuracy": "error"}
_ALL_BUT_MONEY = ("rate", "p90", "saving", "setup", "payoff", "memory")
#: Of a bill, what follows from the rest; the columns above are not in one.
_OF_A_BILL = (
    "set-up", "epoch-emissions", "epoch-energy", "run-emissions", "spot", "emissions", "electricity",
    "run-electricity", "at0.5", "pays",
)  # fmt: skip
#: What is left out, one step after the other, until the rest fits.
_DISPENSABLE: tuple[tuple[str, ...], ...] = (
    (),
    ("payoff",),
    ("payoff", "memory"),
    ("setup", "payoff", "memory"),
    ("rate", "p90", "setup", "payoff", "memory"),
    _ALL_BUT_MONEY,
    *((*_ALL_BUT_MONEY, *_OF_A_BILL[:number]) for number in range(1, len(_OF_A_BILL) + 1)),
)


@dataclass(frozen=True)
class _Track:
    """One column as it stands on the screen: heading, and for each line of the table its pieces, top to bottom."""

    heading: tuple[str, str]
    align: Align
    cells: tuple[tuple[Text, ...], ...]

    @property
    def width(self) -> int:
        pieces = (piece.cell_len for cell in self.cells for piece in cell)
        return max(*map(cell_len, self.heading), *pieces, 0)


@dataclass(frozen=True)
class Grid:
    """The lines of a table, and the headings of the columns for which there was no room."""

    lines: tuple[Text, ...]
    left_out: tuple[str, ...]


def lay_out(table: Table, width: int) -> Grid:
    """The table in its widest form that fits; the least form is used even where that does not fit either."""
    tracks = _inline(table)
    if _total(tracks, _GAPS[0]) <= width:
        return Grid(tuple(_drawn(table, tracks, _GAPS[0], width)), ())
    for dropped, gap in itertools.product(_dispensable(table), _GAPS):
        tracks = _stacked(table, dropped, _NAME_WIDTH)
        room_for_name = tracks[0].width - (_total(tracks, gap) - width)
        if room_for_name >= min(tracks[0].width, _NAME_WIDTH_LEAST):
            break
    name_width, text_width = max(room_for_name, _NAME_WIDTH_LEAST), _NAME_WIDTH
    tracks = _stacked(table, dropped, name_width)
    while _total(tracks, gap) > width and text_width > _TEXT_WIDTH_LEAST:
        text_width -= 1
        tracks = _stacked(table, dropped, name_width, text_width)
    left_out = tuple(column.heading for column in table.columns if column.key in dropped and column.key != "energy")
    return Grid(tuple(_drawn(table, tracks, gap, width)), left_out)


def _dispensable(table: Table) -> tuple[tuple[str, ...], ...]:
    """What may be left out of this table; a column of dashes for the energy goes soon, since it holds nothing."""
    index = next((i for i, column in enumerate(table.columns) if column.key == "energy"), None)
    if index is None or any(line.cells[index].text != DASH for line in table.lines):
        return _DISPENSABLE
    return (*_DISPENSABLE[:2], *(("energy", *dropped) for dropped in _DISPENSABLE[1:]))


def folded(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` cells, broken at spaces, else after hyphens, else anywhere."""
    folds: list[str] = []
    current = ""
    for word in text.split(" "):
        joined = f"{current} {word}" if current else word
        if cell_len(joined) <= width:
            current = joined
            continue
        folds += [current] if current else []
        *whole, current = _broken(word, width)
        folds += whole
    return [*folds, current]


def _broken(word: str, width: int) -> list[str]:
    """One word in parts of at most ``width`` cells."""
    parts = [""]
    for syllable in word.replace("-", "-\0").split("\0"):
        if cell_len(parts[-1] + syllable) <= width:
            parts[-1] += syllable
            continue
        parts += chop_cells(syllable, width)
    return [part for part in parts if part] or [""]


def _inline(table: Table) -> list[_Track]:
    """Every column, each detail beside its text."""
    tracks = []
    for index, column in enumerate(table.columns):
        cells = [line.cells[index] for line in table.lines]
        text_width = max((cell_len(cell.text) for cell in cells), default=0)
        detail_width = max((cell_len(cell.detail) for cell in cells), default=0)
        pieces = []
        for line, cell in zip(table.lines, cells, strict=True):
            shown = _bracketed(cell.text) if column.key == "notes" else cell.text
            text = Text(_padded(shown, text_width, column.align), _style(cell, line))
            if detail_width:
                text.append(f"  {_padded(cell.detail, detail_width, column.align)}", "dim")
            folds = folded(cell.text, _NAME_WIDTH) if index == 0 else []
            pieces.append(tuple(Text(fold, _style(cell, line)) for fold in folds) or (text,))
        tracks.append(_Track((_cropped(column.heading), column.under), column.align, tuple(pieces)))
    return tracks


def _stacked(table: Table, dropped: tuple[str, ...], name_width: int, text_width: int = _NAME_WIDTH) -> list[_Track]:
    """The columns but for those dropped, each detail or a whole other column beneath its text.

    Names are folded to ``name_width``, other words (a device, a setting) to ``text_width``.
    """
    tracks = []
    places = {column.key: index for index, column in enumerate(table.columns)}
    beneath = {upper: lower for upper, lower in _BENEATH.items() if {upper, lower} <= places.keys()}
    for index, column in enumerate(table.columns):
        if column.key in (*dropped, *beneath.values()):
            continue
        pieces = []
        for line in table.lines:
            cell = line.cells[index]
            detail = line.cells[places[beneath[column.key]]].text if column.key in beneath else cell.detail
            detail = _bracketed(detail) if column.key == "verdict" else detail
            words = column.align is Align.LEFT and column.key not in beneath
            room = name_width if index == 0 else text_width
            texts = folded(cell.text, room) if index == 0 or words else [cell.text]
            pieces.append(
                (*(Text(text, _style(cell, line)) for text in texts), *([Text(detail, "dim")] if detail else []))
            )
        heading = _cropped(column.heading.replace("time per step", "time/step"))
        under = column.under.rpartition(" / ")[2]  # of "cold / warm" only the warm one stands beneath
        under = "error" if beneath.get(column.key) == "error" else under
        tracks.append(_Track((heading, under), column.align, tuple(pieces)))
    return tracks


def _drawn(table: Table, tracks: list[_Track], gap: int, width: int) -> Iterator[Text]:
    for part in (0, 1):
        yield _joined(tracks, [Text(track.heading[part], "dim") for track in tracks], gap)
    yield Text("─" * min(width, _total(tracks, gap)), "dim")
    for number, line in enumerate(table.lines):
        cells = [track.cells[number] for track in tracks]
        for level in range(max(map(len, cells))):
            yield _joined(tracks, [cell[level] if level < len(cell) else Text() for cell in cells], gap)
        if line.remark:
            yield from (Text(f"    {fold}", STYLES[line.role]) for fold in folded(line.remark, width - 4))


def _joined(tracks: list[_Track], pieces: list[Text], gap: int) -> Text:
    """One line of the screen, without blanks at its end."""
    joined = Text()
    for number, (track, piece) in enumerate(zip(tracks, pieces, strict=True)):
        space = " " * max(0, track.width - piece.cell_len)
        joined.append(" " * gap if number else "")
        joined.append(space if track.align is Align.RIGHT else "")
        joined.append_text(piece)
        joined.append("" if track.align is Align.RIGHT else space)
    joined.rstrip()
    return joined


def _total(tracks: list[_Track], gap: int) -> int:
    return sum(track.width for track in tracks) + gap * (len(tracks) - 1)


def _style(cell: Cell, line: Line) -> str:
    """A line that is struck out or failed is so in all its cells; elsewhere each cell has its own role."""
    if line.role in (Role.STRUCK, Role.FAILED) and cell.role is Role.PLAIN:
        return "dim"
    return STYLES[cell.role]


def _padded(text: str, width: int, align: Align) -> str:
    space = " " * max(0, width - cell_len(text))
    return space + text if align is Align.RIGHT else text + space


def _bracketed(marks: str) -> str:
    return f"[{','.join(marks.split())}]" if marks else ""


def _cropped(heading: str) -> str:
    return heading if cell_len(heading) <= _HEADING_WIDTH else f"{chop_cells(heading, _HEADING_WIDTH - 1)[0]}…"
