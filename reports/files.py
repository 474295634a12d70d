"""Report files on disk: which forms there are, and how each is made of a run."""

from __future__ import annotations

from pathlib import Path

from bench.records import Run
from bench.storage import write_whole
from reports.document import Document

HTML_NAME = "report.html"
MARKDOWN_NAME = "report.md"


def write_html(document: Document, path: Path) -> None:
    """Write the page.

    Raises:
        StorageError: the place cannot be written.
    """
    from reports import html  # templates and pictures: only when a page is made

    write_whole(path, _encoded(html.render(document)))


def write_markdown(document: Document, path: Path) -> None:
    """Write the Markdown; raises StorageError where the place cannot be written."""
    from reports import markdown

    write_whole(path, _encoded(markdown.render(document)))


def write_csv(run: Run, path: Path) -> None:
    """Write the tidy table; raises StorageError where the place cannot be written."""
    from reports import frames  # pandas

    write_whole(path, _encoded(frames.to_csv(run)))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8")
