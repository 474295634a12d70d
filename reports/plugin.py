"""The pytest plugin that reports: files beside every saved run, and its tables at the end of the session.

It only listens to bench's hook. Importing it is cheap; what draws and renders is imported when there is a run.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.errors import BenchError

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from bench.analysis import Gate, RunComparison
    from bench.records import Run
    from reports.document import Document


@dataclass(frozen=True)
class _Saved:
    """A run of this session: its document, the files that tell of it, and what went wrong in making them."""

    document: Document | None
    paths: tuple[Path, ...]
    trouble: str | None


_COMPARED = pytest.StashKey["tuple[RunComparison, tuple[Gate, ...]]"]()
_SAVED = pytest.StashKey[list[_Saved]]()


@pytest.hookimpl(optionalhook=True)
def pytest_joulemark_run_saved(run: Run, path: Path, config: pytest.Config, prices: Path | None) -> None:
    """Write the report files beside the run, and keep what the terminal summary needs."""
    config.stash.setdefault(_SAVED, []).append(_reported(run, path, prices))


@pytest.hookimpl(optionalhook=True)
def pytest_joulemark_compared(comparison: RunComparison, gates: tuple[Gate, ...], config: pytest.Config) -> None:
    """Keep what the terminal summary needs; the session's end is the measuring plugin's business."""
    config.stash[_COMPARED] = (comparison, gates)


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Print the tables of each run saved in this session; with ``-qq`` only where the files are."""
    saved = config.stash.get(_SAVED, [])
    if not saved:
        return
    terminalreporter.ensure_newline()
    quiet = config.get_verbosity() <= -2
    if not quiet:
        terminalreporter.section("joulemark", sep="=", bold=True)
    for one in saved:
        if one.document is not None and not quiet:
            for line in _tables(one.document, terminalreporter):
                terminalreporter.write_line(line)
            terminalreporter.write_line("")
        for path in one.paths:
            terminalreporter.write_line(str(_shortest(path)))
        if one.trouble is not None:
            terminalreporter.write_line(f"joulemark: {one.trouble}", red=True)
    compared = config.stash.get(_COMPARED, None)
    if compared is not None and not quiet:
        for line in _comparison(*compared, terminalreporter):
            terminalreporter.write_line(line)


def _reported(run: Run, path: Path, prices: Path | None) -> _Saved:
    from bench.pricebook import read_prices
    from reports.document import compose
    from reports.files import HTML_NAME, MARKDOWN_NAME, write_html, write_markdown

    document, paths = None, [path]
    try:
        document = compose(run, read_prices(prices))
        for write, name in ((write_markdown, MARKDOWN_NAME), (write_html, HTML_NAME)):
            write(document, path.with_name(name))
            paths.append(path.with_name(name))
    except BenchError as error:
        return _Saved(document, tuple(paths), _one_line(str(error)))
    except Exception as error:  # noqa: BLE001  the run is saved; no trouble in telling of it may cost the session
        trouble = f"no complete report of {path} ({type(error).__name__}: {error}); the run itself is saved"
        return _Saved(document, tuple(paths), _one_line(trouble))
    return _Saved(document, tuple(paths), None)


def _tables(document: Document, terminalreporter: TerminalReporter) -> Iterator[str]:
    from reports import console

    yield from console.render(document, _width(), color=terminalreporter.hasmarkup).splitlines()


def _comparison(
    comparison: RunComparison, gates: tuple[Gate, ...], terminalreporter: TerminalReporter
) -> Iterator[str]:
    from reports import console
    from reports.compare import compose_comparison

    sheet = compose_comparison(comparison, gates)
    yield ""
    yield from console.render_comparison(sheet, _width(), color=terminalreporter.hasmarkup).splitlines()


def _width() -> int:
    """The terminal's columns, as pytest's own writer measures them."""
    return max(40, shutil.get_terminal_size((80, 24)).columns)


def _shortest(path: Path) -> Path:
    """The path relative to the working folder where that is shorter."""
    absolute = path.absolute()
    if not absolute.is_relative_to(Path.cwd()):
        return path
    return min(path, absolute.relative_to(Path.cwd()), key=lambda one: len(str(one)))


def _one_line(text: str) -> str:
    from reports.text import one_line

    return one_line(text)
