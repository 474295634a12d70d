"""The short form: a comment that people read to its end, with the verdict there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.document import Document, Section
from reports.figures import DASH
from reports.markdown import escaped
from reports.tables import Line, Role
from reports.text import shortened

#: The whole text is shorter than this, in characters.
MOST = 4000
_NAME, _SENTENCE = 60, 600
_COLUMNS = ("case", "rate", "speedup", "verdict", "energy")


def render(document: Document) -> str:
    """Title, a small table for each group and the verdict, in less than 4,000 characters of Markdown.

    What does not fit is left out from the tables, least first: rows without a claim, then whole groups.
    """
    head = f"### {escaped(shortened(document.title, _NAME))}\n\n"
    verdict = f"\n**Verdict.** {_verdict(document)}\n"
    room = MOST - len(head) - len(verdict) - 1
    for kept in (None, 12, 6, 3, 1, 0):
        body = "\n".join(_groups(document.sections, kept))
        if len(body) <= room:
            return f"{head}{body}{verdict}"
    return f"{head}{verdict.lstrip()}"


def _verdict(document: Document) -> str:
    """The first sentences of the summary: what is fastest, what it costs, what to doubt."""
    sentences: list[str] = []
    for sentence in document.lead:
        text = escaped(shortened(sentence, _SENTENCE))
        if sum(map(len, sentences)) + len(text) < MOST // 2:
            sentences.append(text)
    return " ".join(sentences)


def _groups(sections: Sequence[Section], kept: int | None) -> Iterator[str]:
    for section in sections:
        yield f"**{escaped(shortened(section.table.title, _NAME))}**\n"
        yield from _table(section, kept)
        yield ""


def _table(section: Section, kept: int | None) -> Iterator[str]:
    indices = [index for index, column in enumerate(section.table.columns) if column.key in _COLUMNS]
    columns = [section.table.columns[index] for index in indices]
    lines = _weightiest(section.table.lines, kept)
    if not lines:
        return
    headings = (f"{column.heading} ({column.under})" if column.under else column.heading for column in columns)
    yield f"| {' | '.join(escaped(heading) for heading in headings)} |"
    yield "|---" * len(columns) + "|"
    for line in lines:
        cells = [_cell(line, index) for index in indices]
        yield f"| {' | '.join(cells)} |"
    left_out = len(section.table.lines) - len(lines)
    if left_out:
        yield f"\n{left_out} more in the full report."


def _weightiest(lines: Sequence[Line], kept: int | None) -> Sequence[Line]:
    """The baseline and the lines with a claim before the others, in their own order."""
    if kept is None or len(lines) <= kept:
        return lines
    weights = {Role.BASELINE: 0, Role.WINNER: 1, Role.FAILED: 2, Role.STRUCK: 2, Role.LOSER: 3}
    chosen = sorted(range(len(lines)), key=lambda index: weights.get(lines[index].role, 4))[:kept]
    return [lines[index] for index in sorted(chosen)]


def _cell(line: Line, index: int) -> str:
    text = escaped(shortened(line.cells[index].text, _NAME))
    detail = escaped(line.cells[index].detail)
    struck = line.role is Role.STRUCK and text != DASH
    shown = f"~~{text}~~" if struck else text
    return f"{shown} ({detail})" if detail and not struck else shown
