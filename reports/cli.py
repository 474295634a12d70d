"""The verbs that only read: ``joulemark show``, ``joulemark report`` and ``joulemark compare``.

Each verb takes the arguments after its name and returns an exit status: 0, or 2 after one line on standard error;
1 says that a gate of ``compare`` failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.analysis import Metric, compare_runs, parse_gate
from bench.errors import BenchError
from bench.records import Run
from bench.storage import find, load
from reports.compare import compose_comparison
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


def compare(argv: Sequence[str]) -> int:
    """Print what changed between two stored runs; 0, 1 where a gate failed, or 2 where they cannot be read."""
    parser = argparse.ArgumentParser(
        "joulemark compare",
        description="Print what changed from one stored run to another, and fail on what surely grew by too much.",
        epilog="A base that is not there yet is no failure. A gate holds over all cases together (Holm), and a case "
        "that was sound in the base and fails or is struck out in the new run fails every gate.",
    )
    parser.add_argument("base", metavar="BASE", type=Path, help=f"{_RUN_HELP}; or the latest in a folder of runs")
    parser.add_argument("new", metavar="NEW", type=Path, help="the same of the new run")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument(
        "--fail-on",
        metavar="METRIC:LIMIT",
        action="append",
        default=[],
        help=f"as time:5%%; one of {', '.join(metric.value for metric in Metric)}; may be repeated",
    )
    chosen = parser.parse_args(argv)
    return _answered(lambda: _compare(chosen.base, chosen.new, chosen.fail_on, markdown=chosen.markdown))


def _compare(base: Path, new: Path, gates: Sequence[str], *, markdown: bool) -> int:
    asked = [parse_gate(gate) for gate in gates]
    after = load(new)
    if find(base) is None:
        _print(f"joulemark: no run at {one_line(base)} yet, so there is nothing to compare {one_line(after.id)} with\n")
        return 0
    sheet = compose_comparison(compare_runs(load(base), after), asked)
    if markdown:
        from reports.markdown import render_comparison

        _print(render_comparison(sheet))
    else:
        from reports import console  # rich

        columns = shutil.get_terminal_size((80, 24)).columns
        _print(console.render_comparison(sheet, max(columns, 40), color=_takes_color()))
    return 0 if sheet.passed else 1


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


def _answered(verb: Callable[[], int | None]) -> int:
    """The exit status of a verb: foreseen trouble is one line, and a reader who has seen enough is none."""
    try:
        return verb() or 0
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
