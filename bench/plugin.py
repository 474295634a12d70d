"""The measuring pytest plugin: ``--bench-*`` options, the ``measure`` fixture, groups measured interleaved.

Cases are declared at collection, so that all selected cases of a group are known. Before the first test of a
group runs, outside any test's capture and time limit, the whole group is measured; every test of it then only
reads its own trial and replays it into pytest-benchmark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.skipping import evaluate_skip_marks  # no public way to ask whether a test will be skipped

import bench
from bench import hooks
from bench.bridge import Replay, mend_params
from bench.errors import BenchError, UnavailableError, UsageError
from bench.options import OPTIONS, Options, add_options, read_options
from bench.records import Case, Plan, Skip, Trial
from bench.session import Session

SESSION = pytest.StashKey[Session]()
_REPLAY = pytest.StashKey[Replay]()

Measure = Callable[[Case], Trial | None]


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hooks)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    try:
        config.stash[OPTIONS] = read_options(config)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_report_header(config: pytest.Config) -> list[str]:
    if not config.getoption("benchmark_only", False):
        return []
    return [f"joulemark: bench from {Path(bench.__file__).parent}, results in {_options(config).out}"]


@pytest.fixture
def measure(request: pytest.FixtureRequest, benchmark: Any) -> Measure:
    """What measures a case when it is called with one, and returns its trial; None where benchmarks are disabled.

    The case is measured together with all other selected cases of its group, interleaved. The test fails if the
    case failed, and is skipped if this machine cannot run it.
    """
    if hasattr(request.config, "workerinput"):
        pytest.fail("cases would be measured on top of each other: run benchmarks without -n (pytest-xdist)", False)
    session = _session(request.config)

    def measure_case(case: Case) -> Trial | None:
        if benchmark.disabled:
            _once(session, case, benchmark)
            return None
        result = session.result(case)
        if isinstance(result, Skip):
            pytest.skip(f"{result.reason}; {result.fix}")
        request.node.stash[_REPLAY].play(result, benchmark)
        return result

    return measure_case


def _once(session: Session, case: Case, benchmark: Any) -> None:
    try:
        benchmark.pedantic(session.run_once, args=(case,))
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Before the first test: find the cases, check and prepare everything, say what will be done."""
    config = session.config
    if _will_measure(config):
        cases = [case for item in session.items if (case := _case_of(item)) is not None and not _is_skipped(item)]
        measuring = _session(config)
        try:
            measuring.select(cases)
            if any(measuring.selected):
                _announce(config, measuring)
                measuring.get_ready()
        except BenchError as error:
            raise pytest.UsageError(str(error)) from error
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Measure the group of this test before the test itself, where no capture and no time limit of a test applies."""
    if _will_measure(item.config) and (case := _case_of(item)) is not None and not _is_skipped(item):
        reporter = item.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and _session(item.config).is_due(case):
            reporter.ensure_newline()  # the progress of the group must not be drawn behind the results of tests
        _session(item.config).measure_group_of(case)
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Attach the replaying timer while the benchmark fixture does not exist yet; skip what is known to be one."""
    case = _case_of(item)
    if "measure" in getattr(item, "fixturenames", ()):
        item.stash[_REPLAY] = Replay()
        if _will_measure(item.config):
            item.stash[_REPLAY].attach(item)
    if case is not None and (skip := _session(item.config).known_skip(case)) is not None:
        pytest.skip(f"{skip.reason}; {skip.fix}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the run for the last time and tell whoever listens."""
    measuring = session.config.stash.get(SESSION, None)
    if measuring is None:
        return
    run = measuring.finish()
    if run is not None and measuring.path is not None:
        session.config.hook.pytest_joulemark_run_saved(
            run=run, path=measuring.path, config=session.config, prices=_options(session.config).prices
        )


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    measuring = config.stash.get(SESSION, None)
    if measuring is not None and measuring.trouble is not None:
        terminalreporter.write_line(f"joulemark: {measuring.trouble}", red=True)
        terminalreporter.write_line(f"joulemark: the run was rescued to {measuring.path}", red=True)


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(output_json: dict[str, Any]) -> None:
    mend_params(output_json)


def _options(config: pytest.Config) -> Options:
    return config.stash[OPTIONS]


def _session(config: pytest.Config) -> Session:
    if SESSION not in config.stash:
        config.stash[SESSION] = Session(_options(config), quiet=config.option.verbose < 0)
    return config.stash[SESSION]


def _case_of(item: pytest.Item) -> Case | None:
    """The case of a test that measures one: any parameter that is a case."""
    if "measure" not in getattr(item, "fixturenames", ()):
        return None
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return next((value for value in parameters.values() if isinstance(value, Case)), None)


def _is_skipped(item: pytest.Item) -> bool:
    return evaluate_skip_marks(item) is not None


def _will_measure(config: pytest.Config) -> bool:
    """Whether tests will run, and their benchmarks are neither disabled nor skipped."""
    option = config.option
    if any(getattr(option, name, False) for name in ("collectonly", "setuponly", "setupplan", "benchmark_skip")):
        return False
    return not getattr(option, "benchmark_disable", False) or bool(getattr(option, "benchmark_enable", False))


def _announce(config: pytest.Config, measuring: Session) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.option.verbose < 0:
        return
    plan = measuring.options.plan
    cases, groups = measuring.selected
    reporter.ensure_newline()
    reporter.write_line(
        f"joulemark: {_counted(cases, 'case')} in {_counted(groups, 'group')}, "
        f"{_counted(plan.waves, 'wave')} of {_rounds(plan)}, "
        f"about {plan.budget_s:.0f} s a group at most (and set-up); seed {plan.seed}"
    )
    reporter.write_line("joulemark: preparing data and models; what takes long is kept for the next run")


def _rounds(plan: Plan) -> str:
    return _counted(plan.rounds, "round") if plan.rounds else "as many rounds as there is time for"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
