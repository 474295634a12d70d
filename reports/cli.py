"""The verbs that only read: ``show`` and ``report``, of one run or of several side by side, and ``compare``.

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
from bench.errors import BenchError, UsageError
from bench.records import Run
from bench.records.prices import PriceBook
from bench.storage import find, load
from reports.compare import compose_comparison
from reports.document import Document, compose
from reports.files import (
    HTML_NAME,
    MARKDOWN_NAME,
    append_github_summary,
    write_benchmark_json,
    write_csv,
    write_html,
    write_markdown,
    write_short,
    write_tensorboard,
)
from reports.profile import check_pair
from reports.text import one_line

RUN_HELP = "a run's folder, or the run.json in it"
_MORE_HELP = f"{RUN_HELP}; several are put side by side"
_BETWEEN_HELP = (
    "two cases of a group, to see where their time differs (of a single run with --bench-phases or --bench-profile)"
)


def show(argv: Sequence[str]) -> int:
    """Print the tables of stored runs; 0, or 2 where one cannot be read."""
    from reports.cli_prices import add_price_options

    parser = argparse.ArgumentParser("joulemark show", description="Print the tables of stored runs.")
    parser.add_argument("run", metavar="RUN", type=Path, nargs="+", help=_MORE_HELP)
    parser.add_argument("--between", metavar="CASE", nargs=2, help=_BETWEEN_HELP)
    add_price_options(parser)
    chosen = parser.parse_args(argv)
    return answered(lambda: _show(chosen))


def report(argv: Sequence[str]) -> int:
    """Write the reports of stored runs; 0, or 2 where one cannot be read or they cannot be written."""
    from reports.cli_prices import add_price_options

    parser = argparse.ArgumentParser(
        "joulemark report",
        description=f"Write reports of stored runs: {HTML_NAME} and {MARKDOWN_NAME} beside a run, or what is named.",
    )
    parser.add_argument("run", metavar="RUN", type=Path, nargs="+", help=_MORE_HELP)
    parser.add_argument("--html", metavar="FILE", type=Path, help="one self-contained page")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="the same as Markdown")
    parser.add_argument("--short", metavar="FILE", type=Path, help="Markdown in less than 4,000 characters")
    parser.add_argument(
        "--github-summary", action="store_true", help="append the Markdown to the file in $GITHUB_STEP_SUMMARY"
    )
    parser.add_argument("--csv", metavar="FILE", type=Path, help="one row for each case and metric")
    parser.add_argument("--benchmark-json", metavar="FILE", type=Path, help="for pytest-benchmark compare")
    parser.add_argument("--tensorboard", metavar="FOLDER", type=Path, help="scalars and hparams (extra: tensorboard)")
    parser.add_argument("--between", metavar="CASE", nargs=2, help=_BETWEEN_HELP)
    add_price_options(parser)
    chosen = parser.parse_args(argv)
    return answered(lambda: _report(chosen))


def compare(argv: Sequence[str]) -> int:
    """Print what changed between two stored runs; 0, 1 where a gate failed, or 2 where they cannot be read."""
    parser = argparse.ArgumentParser(
        "joulemark compare",
        description="Print what changed from one stored run to another, and fail on what surely grew by too much.",
        epilog="A base that is not there yet is no failure. A gate holds over all cases together (Holm), and a case "
        "that was sound in the base and fails or is struck out in the new run fails every gate.",
    )
    parser.add_argument("base", metavar="BASE", type=Path, help=f"{RUN_HELP}; or the latest in a folder of runs")
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
    return answered(lambda: _compare(chosen.base, chosen.new, chosen.fail_on, markdown=chosen.markdown))


def _compare(base: Path, new: Path, gates: Sequence[str], *, markdown: bool) -> int:
    asked = [parse_gate(gate) for gate in gates]
    after = load(new)
    if find(base) is None:
        printed(
            f"joulemark: no run at {one_line(base)} yet, so there is nothing to compare {one_line(after.id)} with\n"
        )
        return 0
    before = load(base)
    if before.id == after.id:
        msg = f"{base} and {new} are the same run ({after.id}); name the one that it is to be held against"
        raise UsageError(msg)
    sheet = compose_comparison(compare_runs(before, after), asked)
    if markdown:
        from reports.markdown import render_comparison

        printed(render_comparison(sheet))
    else:
        from reports import console  # rich

        printed(console.render_comparison(sheet, _columns(), color=_takes_color()))
    return 0 if sheet.passed else 1


def _show(chosen: argparse.Namespace) -> None:
    from reports.cli_prices import PRICE_OPTIONS, book_of

    book = book_of(chosen)
    if len(chosen.run) > 1:
        from reports.together import compose_together
        from reports.together_text import text_lines

        _refuse_between(chosen)
        if (asked := next((name for name in PRICE_OPTIONS if getattr(chosen, name)), None)) is not None:
            msg = f"--{asked}: several runs are shown without money; ask joulemark report for it"
            raise UsageError(msg)
        printed("".join(f"{line}\n" for line in text_lines(compose_together(chosen.run), _columns())))
        return
    from reports import console  # rich

    _, document = _read(chosen.run[0], book, chosen.between)
    printed(console.render(document, _columns(), color=_takes_color()))


def _report(chosen: argparse.Namespace) -> None:
    paths = _report_several(chosen) if len(chosen.run) > 1 else _report_one(chosen)
    printed("".join(f"{one_line(path)}\n" for path in paths))


def _read(place: Path, book: PriceBook, between: Sequence[str] | None) -> tuple[Run, Document]:
    run = load(place)
    if between is None:
        return run, compose(run, book)
    first, second = between
    check_pair(run, (first, second))
    return run, compose(run, book, (first, second))


def _refuse_between(chosen: argparse.Namespace) -> None:
    if chosen.between is not None:
        msg = "--between sets two cases of a single run side by side; name one run"
        raise UsageError(msg)


def _report_one(chosen: argparse.Namespace) -> list[Path]:
    from reports.cli_prices import book_of

    (place,) = chosen.run
    book = book_of(chosen)
    run, document = _read(place, book, chosen.between)
    named = ("html", "markdown", "short", "csv", "benchmark_json", "tensorboard")
    if not chosen.github_summary and all(getattr(chosen, name) is None for name in named):
        folder = (find(place) or place).parent
        chosen.html, chosen.markdown = folder / HTML_NAME, folder / MARKDOWN_NAME
    writers: dict[str, Callable[[Path], None]] = {
        "html": lambda path: write_html(document, path),
        "markdown": lambda path: write_markdown(document, path),
        "short": lambda path: write_short(document, path),
        "csv": lambda path: write_csv(run, path, book),
        "benchmark_json": lambda path: write_benchmark_json(run, path),
        "tensorboard": lambda path: write_tensorboard(run, path),
    }
    written = []
    for name, write in writers.items():
        path = getattr(chosen, name)
        if path is not None:
            write(path)
            written.append(path)
    return [*written, *([append_github_summary(document)] if chosen.github_summary else [])]


def _report_several(chosen: argparse.Namespace) -> list[Path]:
    from reports.cli_prices import book_of
    from reports.together import compose_together
    from reports.together_files import write_together_csv, write_together_html, write_together_markdown

    _refuse_between(chosen)
    for name in ("short", "benchmark_json", "tensorboard"):
        if getattr(chosen, name) is not None:
            msg = f"--{name.replace('_', '-')} is made of a single run; of several ask for --html, --markdown or --csv"
            raise UsageError(msg)
    if chosen.github_summary:
        msg = "--github-summary is made of a single run; name one run"
        raise UsageError(msg)
    together = compose_together(chosen.run, book_of(chosen))
    if chosen.html is None and chosen.markdown is None and chosen.csv is None:
        chosen.html, chosen.markdown = Path(HTML_NAME), Path(MARKDOWN_NAME)
    written = []
    for path, write in (
        (chosen.html, write_together_html),
        (chosen.markdown, write_together_markdown),
        (chosen.csv, write_together_csv),
    ):
        if path is not None:
            write(together, path)
            written.append(path)
    return written


def answered(verb: Callable[[], int | None]) -> int:
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


def printed(text: str) -> None:
    """Write to standard output; what its encoding lacks becomes a question mark, not an exception."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def _columns() -> int:
    return max(shutil.get_terminal_size((80, 24)).columns, 40)


def _takes_color() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
