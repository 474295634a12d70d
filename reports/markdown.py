"""A document as Markdown, with tables as GitHub shows them; text from outside can form no markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from reports.compare import Sheet
from reports.document import Document
from reports.figures import DASH
from reports.tables import STRUCK, Align, Cell, Note, Role, Table

#: Every ASCII character that begins or ends any markup, HTML and autolinks among it.
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~&$@!])")
#: What GitHub makes a link of without any markup: the colon of an address, the dot after "www".
_ADDRESS = re.compile(r":(?=//)|(?<=www)\.", re.IGNORECASE)
#: What would begin a list, a quotation or a rule at the start of a cell or an item: a sign, or a number with a dot.
_START = re.compile(r"^(\d+(?=[.)](?:\s|$))|(?=[-+=]))([-+=.)])")


def render(document: Document) -> str:
    """The document as Markdown, ending in a line break."""
    return "\n\n".join(_blocks(document)) + "\n"


def render_comparison(sheet: Sheet) -> str:
    """A comparison of two runs as Markdown, ending in a line break."""
    blocks = [f"# {escaped(sheet.title)}", "\n".join(f"- {escaped(run)}" for run in sheet.runs)]
    blocks.append("\n".join(f"- {escaped(sentence)}" for sentence in (*sheet.sentences, *sheet.gates)))
    blocks += [block for table in sheet.tables for block in _section(table)]
    return "\n\n".join(blocks) + "\n"


def escaped(text: str) -> str:
    """The text so that Markdown shows it as it stands."""
    return _START.sub(r"\1\\\2", _ADDRESS.sub(r"\\\g<0>", _MARKUP.sub(r"\\\1", text.strip())))


def section_blocks(table: Table) -> Iterator[str]:
    """A table with its heading, legend and notes, as blocks of Markdown."""
    yield from _section(table)


def _blocks(document: Document) -> Iterator[str]:
    yield f"# {escaped(document.title)}"
    yield "\n".join(f"- {name}: {escaped(value)}" for name, value in document.facts)
    yield "\n".join(f"- {escaped(sentence)}" for sentence in (*document.summary, *document.cautions))
    for section in document.sections:
        yield from _section(section.table)
        if section.aside is not None:
            yield from _section(section.aside, "###")
        for table in section.time:
            yield from _section(table)
    for table in document.money:
        yield from _section(table)
    for table in (*document.captures, document.failures, document.skips, document.self_check):
        if table.lines:
            yield from _section(table)
    yield from _section(document.environment)
    yield from _section(document.method)
    yield "## How to read it"
    yield "\n".join(f"- **{escaped(label)}**: {escaped(meaning)}" for label, meaning in document.verdicts)


def _section(table: Table, level: str = "##") -> Iterator[str]:
    title = table.title[:1].upper() + table.title[1:]
    yield f"{level} {escaped(title)}"
    yield "\n".join(_table(table))
    if table.legend:
        yield escaped(table.legend)
    if table.notes:
        yield "\n".join(_note(note) for note in table.notes)


def _table(table: Table) -> Iterator[str]:
    yield _joined(_heading(column.heading, column.under) for column in table.columns)
    yield _joined("---:" if column.align is Align.RIGHT else "---" for column in table.columns)
    for line in table.lines:
        cells = zip(line.cells, table.columns, strict=True)
        shown = [_cell(cell, struck=line.role is Role.STRUCK and column.key in STRUCK) for cell, column in cells]
        shown[-1] = f"{shown[-1]} {escaped(line.remark)}".strip()
        yield _joined(shown)


def _heading(heading: str, under: str) -> str:
    return f"{escaped(heading)} ({escaped(under)})" if under else escaped(heading)


def _cell(cell: Cell, *, struck: bool) -> str:
    parts = [escaped(part) for part in (cell.text, cell.detail) if part]
    if struck and cell.text != DASH:
        parts = [f"~~{part}~~" for part in parts]
    if cell.role is Role.WINNER:
        parts = [f"**{part}**" for part in parts]
    return "<br>".join(parts)


def _note(note: Note) -> str:
    return f"- **{note.mark} {escaped(note.label)}.** {escaped(note.text)}. {escaped(note.advice)}"


def _joined(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
