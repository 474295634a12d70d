"""Sessions under a profiler, with phases and profiles, and of a single case."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import Run, load
from tests.plugin.test_plugin import QUICK, _suite

SPANNED = """
import pytest
from bench import Case, Step, Workload, expand, span

def build(variant):
    def run():
        with span("forward"):
            sum(range(variant["length"] * 1000))
        with span("own words"):
            pass
    return Step(run=run, items=1)

SUMS = Workload.of("sums", build, items="numbers")
CASES = [Case(SUMS, variant) for variant in expand(threads=[1], length=[10, 100])]

@pytest.mark.parametrize("case", CASES, ids=str)
def test_sums(case, measure):
    measure(case)
"""


def _run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("--benchmark-only", "bench_sums.py", *QUICK, *arguments)


def _stored(pytester: pytest.Pytester) -> Run:
    (path,) = pytester.path.glob("out/*/run.json")
    return load(path)


def test_phases_of_a_users_own_step_stand_in_the_run_and_in_its_report(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(bench_sums=SPANNED)
    result = _run(pytester, "--bench-phases")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*sums on cpu: the phases of a step*", "*forward*own words*other*"])
    for trial in _stored(pytester).trials:
        assert [block.wave for block in trial.phases] == [0, 1]
        assert trial.phases[0].names == ("forward", "own words")


def test_without_the_option_there_are_none(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(bench_sums=SPANNED)
    result = _run(pytester)
    assert "phases of a step" not in result.stdout.str()
    assert all(trial.phases == () for trial in _stored(pytester).trials)


def test_phases_may_be_asked_for_in_the_project(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(bench_sums=SPANNED)
    pytester.makepyprojecttoml("[tool.joulemark]\nphases = true\n[tool.pytest]\n")
    _run(pytester).assert_outcomes(passed=2)
    assert all(trial.phases for trial in _stored(pytester).trials)


def test_one_case_can_be_measured_alone_by_its_full_name(pytester: pytest.Pytester) -> None:
    _suite(pytester)
    result = _run(pytester, "--bench-case=sums[cpu-fp32-threads1-length10]")
    result.assert_outcomes(passed=1, deselected=1)
    assert [str(trial.case) for trial in _stored(pytester).trials] == ["cpu-fp32-threads1-length10"]


def test_a_case_that_is_not_there_is_a_usage_error_that_names_the_nearest(pytester: pytest.Pytester) -> None:
    _suite(pytester)
    result = _run(pytester, "--bench-case=sums[cpu-fp32-length10]")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*no such case; there are *sums*cpu-fp32-threads1-length10*"])


@pytest.fixture
def attached(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment that nsys makes for what it profiles, without its library."""
    monkeypatch.setenv("NSYS_PROFILING_SESSION_ID", "1")


@pytest.mark.usefixtures("attached")
def test_under_a_profiler_workers_are_spawned_and_rows_have_no_verdict(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(bench_sums=SPANNED)
    options = [option for option in QUICK if not option.startswith("--bench-start")]
    result = pytester.runpytest_subprocess("--benchmark-only", "bench_sums.py", *options)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*Nsight Systems is attached*", "*unjudged*", "*a profiler was attached*"])
    run = _stored(pytester)
    assert run.plan.start == "spawn"
    assert all("profiled" in {caveat.kind.value for caveat in trial.caveats} for trial in run.trials)
    assert all(trial.failure is None for trial in run.trials)


@pytest.mark.usefixtures("attached")
def test_two_profilers_at_once_are_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(bench_sums=SPANNED)
    result = _run(pytester, "--bench-profile")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*leave out --bench-profile*"])


def test_the_run_says_where_it_was_saved_to_whoever_started_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULEMARK_SAVED_TO", str(pytester.path / "told"))
    _suite(pytester, "10")
    _run(pytester, "-p", "bench.announce").assert_outcomes(passed=1)
    assert load(Path((pytester.path / "told").read_text())) == _stored(pytester)
