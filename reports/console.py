"""A document on a terminal: as wide as the terminal is, down to 80 columns without losing what matters."""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from reports.compare import Sheet
from reports.document import Document
from reports.grid import folded, lay_out
from reports.tables import Note, Table
from reports.text import listed

#: Prose is hard to read in longer lines, however wide the terminal.
_PROSE_WIDTH = 110


def render(document: Document, width: int, *, color: bool = False) -> str:
    """The whole document as text for a terminal of that many columns, ending in a line break."""
    return _printed(_document(document, width), width, color)


def render_comparison(sheet: Sheet, width: int, *, color: bool = False) -> str:
    """A comparison of two runs as text for a terminal of that many columns, ending in a line break."""
    return _printed(_sheet(sheet, width), width, color)


def _printed(lines: Iterator[Text], width: int, color: bool) -> str:
    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    for line in lines:
        console.print(line, soft_wrap=True)
    return file.getvalue()


def _document(document: Document, width: int) -> Iterator[Text]:
    facts = dict(document.facts)
    yield from _prose(f"Run {facts['run']}, {facts['started']}, {facts['machine']}", width)
    for section in document.sections:
        yield Text()
        yield from _table(section.table, width)
        if section.aside is not None:
            yield Text()
            yield from _table(section.aside, width)
    for table in (*(table for section in document.sections for table in section.time), *document.captures):
        yield Text()
        yield from _table(table, width)
    for table in document.money:
        yield Text()
        yield from _prices(table, width) if table is document.prices else _table(table, width)
    if document.skips.lines:
        yield Text()
        yield from _skips(document.skips, width)
    if document.self_check.lines:
        yield Text()
        yield from _self_check(document.self_check, width)
    yield Text()
    yield from _summary(document, width)


def _sheet(sheet: Sheet, width: int) -> Iterator[Text]:
    yield Text(sheet.title, "bold")
    for run in sheet.runs:
        yield from _prose(run, width, mark="- ")
    for table in sheet.tables:
        yield Text()
        yield from _table(table, width)
    yield Text()
    yield Text("In words", "bold")
    for sentence in sheet.sentences:
        yield from _prose(sentence, width, mark="- ")
    for gate in sheet.gates:
        yield from _prose(gate, width, mark="- ", style="" if gate.startswith("passed") else "bold red")


def _summary(document: Document, width: int) -> Iterator[Text]:
    yield Text("In words", "bold")
    for sentence in document.summary:
        yield from _prose(sentence, width, mark="- ")
    for caution in document.cautions:
        yield from _prose(caution, width, mark="- ", style="dim")


def _table(table: Table, width: int) -> Iterator[Text]:
    grid = lay_out(table, width)
    yield from _prose(table.title, width, style="bold")
    yield from grid.lines
    yield from _prose(table.legend, width, style="dim")
    if grid.left_out:
        yield from _prose(f"No room here for {listed(grid.left_out)}; the report files have them.", width, style="dim")
    for note in table.notes:
        yield from _note(note, width)


def _note(note: Note, width: int) -> Iterator[Text]:
    yield from _prose(f"{note.label}: {note.text}. {note.advice}", width, mark=f"[{note.mark}] ")


def _skips(table: Table, width: int) -> Iterator[Text]:
    yield Text(table.title, "bold")
    for line in table.lines:
        case, reason, fix = (cell.text for cell in line.cells)
        yield from _prose(f"{case}: {reason}; {fix}", width, mark="- ")


def _prices(table: Table, width: int) -> Iterator[Text]:
    """Each price in a sentence: an address is wider than any column."""
    yield Text(table.title, "bold")
    for line in table.lines:
        what, value, source, date = (cell.text for cell in line.cells)
        yield from _prose(f"{what}: {value}; {', '.join(filter(None, (source, date)))}", width, mark="- ")


def _self_check(table: Table, width: int) -> Iterator[Text]:
    yield Text(table.title, "bold")
    for line in table.lines:
        what, value, meaning = (cell.text for cell in line.cells)
        yield from _prose(f"{what}: {value} – {meaning}", width, mark="- ")


def _prose(text: str, width: int, mark: str = "", style: str = "") -> Iterator[Text]:
    """The text in lines that fit, after a mark under which the later lines are indented."""
    for number, line in enumerate(folded(text, max(20, min(width, _PROSE_WIDTH) - len(mark)))):
        yield Text(f"{' ' * len(mark) if number else mark}{line}", style)
