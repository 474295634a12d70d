"""The measuring pytest plugin: ``--bench-*`` options, the ``measure`` fixture, groups measured interleaved.

Cases are declared at collection, so that all selected cases of a group are known. Before the first test of a
group runs, outside any test's capture and time limit, the whole group is measured; every test of it then only
reads its own trial and replays it into pytest-benchmark.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from _pytest.skipping import evaluate_skip_marks  # no public way to ask whether a test will be skipped

import bench
from bench import hooks
from bench.bridge import Replay, mend_params
from bench.declaring import OPTIONS, declared
from bench.errors import BenchError, UnavailableError, UsageError
from bench.gating import Base, Gating
from bench.options import FOR_SUITES, Options, add_options, read_options
from bench.outlook import outlook, resumed, rivals
from bench.records import Case, Run, Skip, Trial
from bench.session import Session
from bench.signals import ended_by_signals, ended_with, heeded_again
from bench.storage import shown_path

SESSION = pytest.StashKey[Session]()
_BASE = pytest.StashKey[Base]()
_GATING = pytest.StashKey[Gating]()
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
    return [f"joulemark: bench from {Path(bench.__file__).parent}, results in {shown_path(_options(config).out)}"]


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
        request.node.stash[_REPLAY].play(result, session.options.plan, benchmark)
        return result

    return measure_case


def _once(session: Session, case: Case, benchmark: Any) -> None:
    try:
        benchmark.pedantic(session.run_once, args=(case,))
    except UnavailableError as error:
        pytest.skip(str(error))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect all but the one case that ``--bench-case`` names, or those of the run that is resumed."""
    options = _options(config)
    wanted, of_run = options.case, options.resumed_cases
    if wanted is None and not of_run:
        return
    named = {item: case.name for item in items if (case := _case_of(item)) is not None}
    kept = [item for item in items if named.get(item) in (of_run or (wanted,))]
    if wanted is not None and not kept:
        near = difflib.get_close_matches(wanted, named.values(), 3, 0.3)
        there = f"there are {', '.join(near)}" if near else "no case was collected at all"
        msg = f"--bench-case {wanted}: no such case; {there}"
        raise pytest.UsageError(msg)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Before the first test: find the cases, check and prepare everything, say what will be done."""
    config = session.config
    if (refusal := declared(config).refusal) is not None:
        raise pytest.UsageError(refusal)
    only_collect = getattr(config.option, "collectonly", False)
    broken = session.testsfailed and not config.option.continue_on_collection_errors  # pytest will run nothing
    items = [item for item in session.items if "measure" in getattr(item, "fixturenames", ())]
    if broken or not items or not (_will_measure(config) or only_collect):  # an ordinary session, which is let be
        return (yield)
    with ended_by_signals():
        try:
            _get_ready(config, items, only_collect=only_collect)
        except BenchError as error:
            raise pytest.UsageError(str(error)) from error
        return (yield)


def _get_ready(config: pytest.Config, items: Sequence[pytest.Item], *, only_collect: bool) -> None:
    """All that comes before the first measurement.

    Raises:
        BenchError: nothing can be measured so.
    """
    measuring = _session(config)
    ordered = sorted(items, key=_place)
    measuring.select([case for item in ordered if (case := _case_of(item)) is not None and not _is_skipped(item)])
    if any(measuring.selected):
        _say(config, outlook(measuring, declared(config).selections))
    _refuse_unheard(config, measuring)
    if only_collect:
        return
    if measuring.options.against is not None:  # before the new run lies in the same folder
        config.stash[_BASE] = Base.at(measuring.options.against)
    if any(measuring.selected):
        _say(config, ["preparing data and models; what takes long is kept for the next run"])
        measuring.get_ready()
        _check_base(config, measuring)
        _say(config, [*resumed(measuring), *rivals(measuring.rivals)])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Measure the group of this test before the test itself, where no capture and no time limit of a test applies."""
    if _will_measure(item.config) and (case := _case_of(item)) is not None and not _is_skipped(item):
        reporter = item.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and _session(item.config).is_due(case):
            reporter.ensure_newline()  # the progress of the group must not be drawn behind the results of tests
        try:
            _session(item.config).measure_group_of(case)
        except BenchError as error:
            raise pytest.UsageError(str(error)) from error
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Attach the replaying timer while the benchmark fixture does not exist yet; skip what is known to be one."""
    case = _case_of(item)
    if "measure" in getattr(item, "fixturenames", ()):
        item.stash[_REPLAY] = Replay()
        if _will_measure(item.config):
            item.stash[_REPLAY].attach(item, case)
    if case is not None and (skip := _session(item.config).known_skip(case)) is not None:
        pytest.skip(f"{skip.reason}; {skip.fix}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the run for the last time and tell whoever listens."""
    measuring = session.config.stash.get(SESSION, None)
    if measuring is None:
        if _is_ungated(session.config) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return
    run = measuring.finish()
    if (status := ended_with()) is not None:
        session.exitstatus = status
    if run is not None and measuring.path is not None:
        session.config.hook.pytest_joulemark_run_saved(
            run=run, path=measuring.path, config=session.config, prices=_options(session.config).prices
        )
    _hold_against_base(session, run)


def _refuse_unheard(config: pytest.Config, measuring: Session) -> None:
    """Options that only suites can follow which ask for them must not be passed over in silence.

    Raises:
        UsageError: one was given, and no suite has asked.
    """
    given = [name for name in FOR_SUITES if config.getoption(f"bench_{name}") not in (None, False)]
    if given and any(measuring.selected) and not declared(config).heard:
        msg = (
            f"nothing that was selected follows --bench-{given[0]}; leave it out, or let the suite ask for its cases "
            "with bench.declare, or for bench.options_of(config)"
        )
        raise UsageError(msg)


def _is_ungated(config: pytest.Config) -> bool:
    """Whether gates were asked for and no case was there to be measured, not even to be skipped."""
    asked = bool(_options(config).fail_on) and getattr(config.option, "benchmark_only", False) and _will_measure(config)
    return bool(asked) and SESSION not in config.stash


def _check_base(config: pytest.Config, measuring: Session) -> None:
    """A run that is gone on with must not be held against what was there of it before.

    Raises:
        UsageError: its base is that.
    """
    base, told = config.stash.get(_BASE, None), measuring.resumed
    if base is not None and base.run is not None and told is not None and base.run.id == told.opened.id:
        msg = (
            f"--bench-against {shown_path(base.place)} is the run that is gone on with; name the one to hold it against"
        )
        raise UsageError(msg)


def _hold_against_base(session: pytest.Session, run: Run | None) -> None:
    """Compare the run with its base, if there is one, and let the session fail where a gate does.

    A gate that had nothing to judge fails, and so it does where nothing was measured at all.
    """
    config = session.config
    base, gates, passed = config.stash.get(_BASE, None), _options(config).fail_on, True
    if base is None or base.run is None:
        return
    if run is not None:
        config.stash[_GATING] = gating = Gating.of(base.run, run, gates)
        config.hook.pytest_joulemark_compared(comparison=gating.comparison, gates=gates, config=config)
        passed = gating.passed
    if (not passed or (run is None and gates)) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure() -> None:
    """After the last report: a process that lives on can be ended by signals again."""
    heeded_again()


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    measuring = config.stash.get(SESSION, None)
    if measuring is not None and measuring.trouble is not None:
        terminalreporter.write_line(f"joulemark: {measuring.trouble}", red=True)
        told = f"the run was rescued to {measuring.path}" if measuring.saved else "the run could not be saved anywhere"
        terminalreporter.write_line(f"joulemark: {told}", red=True)
    if measuring is not None and measuring.resumable and measuring.run is not None and measuring.path is not None:
        folder = shown_path(measuring.path.parent)
        advice = f"not all was measured; go on with --bench-resume={folder} and the same options"
        terminalreporter.write_line(f"joulemark: {advice}", yellow=True)
    if measuring is None and _is_ungated(config):
        terminalreporter.write_line("joulemark: nothing was there to be measured, so its gates have failed", red=True)
    gating, base = config.stash.get(_GATING, None), config.stash.get(_BASE, None)
    if gating is not None:
        terminalreporter.write_line(f"joulemark: {gating.line}", red=not gating.passed)
    elif base is not None and base.run is None:
        place = shown_path(base.place)
        terminalreporter.write_line(f"joulemark: no run at {place} yet, so there was nothing to compare with")
    elif base is not None:
        failed = ", so its gates have failed" if _options(config).fail_on else ""
        line = f"nothing was measured to hold against {shown_path(base.place)}{failed}"
        terminalreporter.write_line(f"joulemark: {line}", red=bool(failed))


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(output_json: dict[str, Any]) -> None:
    mend_params(output_json)


def _options(config: pytest.Config) -> Options:
    return config.stash[OPTIONS]


def _session(config: pytest.Config) -> Session:
    if SESSION not in config.stash:
        try:
            config.stash[SESSION] = Session(
                _options(config), quiet=config.getoption("verbose", 0) < 0, command=config.invocation_params.args
            )
        except UsageError as error:
            raise pytest.UsageError(str(error)) from error
    return config.stash[SESSION]


def _case_of(item: pytest.Item) -> Case | None:
    """The case of a test that measures one: any parameter that is a case."""
    if "measure" not in getattr(item, "fixturenames", ()):
        return None
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return next((value for value in parameters.values() if isinstance(value, Case)), None)


def _place(item: pytest.Item) -> int:
    """Where the case of a test stands among those of its function: the first of a group is its baseline.

    Other plugins, and --failed-first, run tests in an order of their own.
    """
    callspec = getattr(item, "callspec", None)
    indices = getattr(callspec, "indices", {})
    parameters = getattr(callspec, "params", {})
    return next((indices.get(name, 0) for name, value in parameters.items() if isinstance(value, Case)), 0)


def _is_skipped(item: pytest.Item) -> bool:
    """Whether its marks skip it; one whose marks make no sense is left to pytest, which says so when it runs it."""
    try:
        return evaluate_skip_marks(item) is not None
    except pytest.fail.Exception:
        return True


def _will_measure(config: pytest.Config) -> bool:
    """Whether tests will run here, and their benchmarks are neither disabled nor skipped."""
    option = config.option
    if hasattr(config, "workerinput"):  # of pytest-xdist: several would measure at the same time
        return False
    if any(getattr(option, name, False) for name in ("collectonly", "setuponly", "setupplan")):
        return False
    if getattr(option, "benchmark_skip", False) and not getattr(option, "benchmark_only", False):
        return False  # of the two, pytest-benchmark lets --benchmark-only win
    return not getattr(option, "benchmark_disable", False) or bool(getattr(option, "benchmark_enable", False))


def _say(config: pytest.Config, sentences: Iterable[str]) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.getoption("verbose", 0) < 0:
        return
    reporter.ensure_newline()
    for sentence in sentences:
        reporter.write_line(f"joulemark: {sentence}")
