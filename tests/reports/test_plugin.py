from __future__ import annotations

import pytest

import reports.html  # noqa: F401  loaded here once, so that no inner session loads and unloads it

CONFTEST = """
    import pathlib
    import pytest
    from bench.storage import save
    from tests.reports.example import example_run

    pytest_plugins = ["reports.plugin"]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(session):
        folder = pathlib.Path("out") / "one"
        if {blocked}:
            (folder / "report.html").mkdir(parents=True)
        if {measured}:
            path = save(example_run(), folder)
            session.config.hook.pytest_joulemark_run_saved(
                run=example_run(), path=path, config=session.config, prices=None
            )
"""


def session(pytester: pytest.Pytester, *options: str, measured: bool = True, blocked: bool = False) -> pytest.RunResult:
    """An inner session that saves a run, with this plugin listening."""
    pytester.makeconftest(CONFTEST.format(measured=measured, blocked=blocked))
    pytester.makepyfile("def test_nothing(): pass")
    return pytester.runpytest_inprocess(*options)


def test_a_saved_run_leaves_reports_and_tables(pytester: pytest.Pytester) -> None:
    result = session(pytester)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["*= joulemark =*", "training on cpu", "* 1.083 FASTER *", "Skipped", "In words", "out/one/report.html"]
    )
    assert (pytester.path / "out/one/report.html").is_file()
    assert (pytester.path / "out/one/report.md").is_file()


def test_a_session_that_saved_nothing_says_nothing(pytester: pytest.Pytester) -> None:
    result = session(pytester, measured=False)
    result.stdout.no_fnmatch_line("*= joulemark =*")


def test_twice_quiet_tells_only_where_the_files_are(pytester: pytest.Pytester) -> None:
    result = session(pytester, "-qq")
    result.stdout.fnmatch_lines(["out/one/run.json", "out/one/report.md", "out/one/report.html"])
    result.stdout.no_fnmatch_line("*FASTER*")


def test_a_report_that_cannot_be_written_costs_one_line_and_not_the_run(pytester: pytest.Pytester) -> None:
    result = session(pytester, blocked=True)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["* 1.083 FASTER *", "out/one/run.json", "joulemark: *report.html cannot be written*"])
    assert (pytester.path / "out/one/run.json").is_file()


def test_colours_follow_the_terminal(pytester: pytest.Pytester) -> None:
    assert "\x1b[" not in session(pytester, "--color=no").stdout.str()
    assert "\x1b[1;32m" in session(pytester, "--color=yes").stdout.str()
