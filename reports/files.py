"""Report files on disk: which forms there are, and how each is made of a run."""

from __future__ import annotations

import os
from pathlib import Path

from bench.errors import StorageError, UsageError
from bench.records import Run
from bench.records.prices import PriceBook
from bench.storage import write_whole
from reports.document import Document

HTML_NAME = "report.html"
MARKDOWN_NAME = "report.md"
#: GitHub takes a mebibyte for each step. Source: docs.github.com, workflow commands, adding a job summary.
SUMMARY_BYTES = 2**20


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


def write_short(document: Document, path: Path) -> None:
    """Write the short form; raises StorageError where the place cannot be written."""
    from reports import short

    write_whole(path, _encoded(short.render(document)))


def write_csv(run: Run, path: Path, prices: PriceBook | None = None) -> None:
    """Write the tidy table; raises StorageError where the place cannot be written."""
    from reports import frames  # pandas

    write_whole(path, _encoded(frames.to_csv(run, prices)))


def write_benchmark_json(run: Run, path: Path) -> None:
    """Write what pytest-benchmark's own commands read; raises StorageError where the place cannot be written."""
    from reports import export_benchmark

    write_whole(path, export_benchmark.encoded(run))


def write_tensorboard(run: Run, folder: Path) -> None:
    """Write event files, a folder for each case; raises StorageError, or UnavailableError without TensorBoard."""
    from reports import export_tensorboard

    export_tensorboard.write(run, folder)


def append_github_summary(document: Document) -> Path:
    """Append the Markdown to the summary of a step of GitHub Actions, and return its path.

    Where the whole of it is more than GitHub takes, the short form is appended.

    Raises:
        UsageError: this is no such step.
        StorageError: the file cannot be written.
    """
    from reports import markdown, short

    place = os.environ.get("GITHUB_STEP_SUMMARY", "")
    if not place:
        msg = "GITHUB_STEP_SUMMARY is not set, as it is in a step of GitHub Actions; use --markdown FILE elsewhere"
        raise UsageError(msg)
    path = Path(place)
    before = _present(path)
    text = _encoded(markdown.render(document))
    if len(before) + len(text) > SUMMARY_BYTES:
        text = _encoded(short.render(document))
    write_whole(path, before + (b"\n" if before and not before.endswith(b"\n\n") else b"") + text)
    return path


def _present(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror or error}); check GITHUB_STEP_SUMMARY"
        raise StorageError(msg) from error


def _encoded(text: str) -> bytes:
    return text.encode("utf-8")
