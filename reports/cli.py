"""The verbs that only read: ``joulemark show`` and ``joulemark report``.

Each verb takes the arguments after its name and returns an exit status: 0, or 2 after one line on standard error.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.errors import BenchError
from bench.records import Run
from bench.storage import load
from reports.document import Document, compose
from reports.files import HTML_NAME, MARKDOWN_NAME, write_csv, write_html, write_markdown
from reports.profile import check_pair
from reports.text import one_line

_BETWEEN_HELP = (
    "two cases of a group, to see where their time differs (of a run with --bench-phases or --bench-profile)"
)
_RUN_HELP = "a run's folder, or the run.json in it"


def show(argv: Sequence[str]) -> int:
    """Print the tables of a stored run; 0, or 2 where it cannot be read."""
    parser = argparse.ArgumentParser("joulemark show", description="Print the tables of a stored run.")
    parser.add_argument("run", metavar="RUN", type=Path, help=_RUN_HELP)
    parser.add_argument("--between", metavar="CASE", nargs=2, help=_BETWEEN_HELP)
    chosen = parser.parse_args(argv)
    return _answered(lambda: _show(chosen.run, chosen.between))


def report(argv: Sequence[str]) -> int:
    """Write the reports of a stored run; 0, or 2 where it cannot be read or they cannot be written."""
    parser = argparse.ArgumentParser(
        "joulemark report",
        description=f"Write reports of a stored run: {HTML_NAME} and {MARKDOWN_NAME} beside it, or what is named.",
    )
    parser.add_argument("run", metavar="RUN", type=Path, help=_RUN_HELP)
    parser.add_argument("--html", metavar="FILE", type=Path, help="one self-contained page")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="the same as Markdown")
    parser.add_argument("--csv", metavar="FILE", type=Path, help="one row for each case and metric")
    parser.add_argument("--between", metavar="CASE", nargs=2, help=_BETWEEN_HELP)
    chosen = parser.parse_args(argv)
    return _answered(lambda: _report(chosen.run, chosen.html, chosen.markdown, chosen.csv, chosen.between))


def _show(place: Path, between: Sequence[str] | None) -> None:
    from reports import console  # rich

    _, document = _read(place, between)
    columns = shutil.get_terminal_size((80, 24)).columns
    _print(console.render(document, max(columns, 40), color=_takes_color()))


def _report(
    place: Path, html: Path | None, markdown: Path | None, csv: Path | None, between: Sequence[str] | None
) -> None:
    run, document = _read(place, between)
    if html is None and markdown is None and csv is None:
        folder = place if place.is_dir() else place.parent
        html, markdown = folder / HTML_NAME, folder / MARKDOWN_NAME
    if html is not None:
        write_html(document, html)
    if markdown is not None:
        write_markdown(document, markdown)
    if csv is not None:
        write_csv(run, csv)
    _print("".join(f"{one_line(path)}\n" for path in (html, markdown, csv) if path is not None))


def _read(place: Path, between: Sequence[str] | None) -> tuple[Run, Document]:
    run = load(place)
    if between is None:
        return run, compose(run)
    first, second = between
    check_pair(run, (first, second))
    return run, compose(run, (first, second))


def _answered(verb: Callable[[], None]) -> int:
    """The exit status of a verb: foreseen trouble is one line, and a reader who has seen enough is none."""
    try:
        verb()
    except BenchError as error:
        print(f"joulemark: {one_line(error)}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The interpreter flushes standard output once more on its way out, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _print(text: str) -> None:
    """Write to standard output; what its encoding lacks becomes a question mark, not an exception."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def _takes_color() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
