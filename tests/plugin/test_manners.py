"""How the plugin behaves beside pytest's other options, in other folders, and where it has no business."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.plugin.test_plugin import QUICK, SUITE, _run, _stored, _suite

NOTHING_TO_MEASURE = """
import signal

def test_signals():
    assert not callable(signal.getsignal(signal.SIGTERM))  # whatever this session was started with, it is no function
    assert not callable(signal.getsignal(signal.SIGHUP))
"""


def _saved(pytester: pytest.Pytester) -> Path:
    (path,) = pytester.path.glob("out/*/run.json")
    return path.parent


def test_a_session_without_cases_keeps_the_signals_of_everybody(pytester: pytest.Pytester) -> None:
    """A child that such a session forks must end of SIGTERM, as it would without us."""
    pytester.makepyfile(NOTHING_TO_MEASURE)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_without_a_terminal_plugin_it_measures_all_the_same(pytester: pytest.Pytester) -> None:
    _suite(pytester, "10")
    assert _run(pytester, "-p", "no:terminal").ret == pytest.ExitCode.OK
    assert _stored(pytester).trials[0].samples


def test_a_mark_that_makes_no_sense_fails_its_test_and_no_more(pytester: pytest.Pytester) -> None:
    path = _suite(pytester)
    mark = "pytest.mark.skipif(False or 1 == 2)"  # pytest asks a reason of conditions that are no text
    path.write_text(
        path.read_text().replace('"case", CASES', f'"case", [CASES[0], pytest.param(CASES[1], marks={mark})]')
    )
    result = _run(pytester)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*you need to specify reason=STRING*"])


def test_after_an_error_at_collection_nothing_is_prepared(pytester: pytest.Pytester) -> None:
    _suite(pytester)
    broken = pytester.makepyfile(bench_broken="import no_such_module")
    result = _run(pytester, str(broken))
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.no_fnmatch_line("*preparing data*")


def test_another_baseline_than_usual_is_said(pytester: pytest.Pytester) -> None:
    path = _suite(pytester, "10, 20, 30")
    declared = path.read_text().replace('@pytest.mark.parametrize("case", CASES, ids=str)\n', "")
    hook = """
import bench

def pytest_generate_tests(metafunc):
    bench.declare(metafunc, lambda options: bench.Selection(tuple(CASES)))
"""
    path.write_text(declared + hook)
    said = "*sums on cpu is compared with cpu-fp32-threads1-length20: cpu-fp32-threads1-length10, the usual baseline,*"
    _run(pytester, "--collect-only", "-k", "length20 or length30").stdout.fnmatch_lines([said])
    _run(pytester, "--collect-only", "-k", "length30").stdout.fnmatch_lines(
        ["*length30 stands alone: *length10, the usual*"]
    )
    _run(pytester, "--collect-only").stdout.no_fnmatch_line("*the usual baseline*")


def test_an_option_that_no_suite_follows_is_refused(pytester: pytest.Pytester) -> None:
    _suite(pytester)
    result = _run(pytester, "--bench-axis", "threads=1,2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*nothing that was selected follows --bench-axis*bench.declare*"])


def test_a_gate_fails_where_nothing_was_measured(pytester: pytest.Pytester) -> None:
    """A runner whose driver broke skips everything, and must not be green."""
    path = _suite(pytester, "10")
    assert _run(pytester).ret == pytest.ExitCode.OK
    base = _saved(pytester).rename(pytester.path / "base")
    path.write_text(SUITE.replace("{lengths}", "10").replace("threads=[1]", 'device=["cuda:7"], threads=[1]'))
    gated = ("--bench-against=base", "--bench-fail-on=time:5%")
    result = _run(pytester, *gated)
    result.assert_outcomes(skipped=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"*nothing was measured to hold against {base.name}, so its gates have failed*"])
    assert _run(pytester, gated[0]).ret == pytest.ExitCode.OK  # no gate, no failure


def test_places_in_the_project_s_file_are_meant_from_there_and_outlast_a_change_of_folder(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\n[tool.joulemark]\nout = "kept"\n')
    below = pytester.mkdir("below")
    wander = f"""
import os

@pytest.fixture(autouse=True, scope="module")
def wander():
    os.chdir({str(pytester.path.parent)!r})
"""
    (below / "bench_sums.py").write_text(SUITE.replace("{lengths}", "10") + wander)
    pytester.chdir()
    result = pytester.runpytest_subprocess("--benchmark-only", "below/bench_sums.py", *QUICK)
    result.assert_outcomes(passed=1)
    assert [path.name for path in pytester.path.glob("kept/*/*")] != []
    assert {path.name for path in next(pytester.path.glob("kept/*")).iterdir()} == {
        "run.json",
        "report.md",
        "report.html",
    }


def test_a_case_that_nobody_declared_is_prepared_too_and_cannot_be_resumed(pytester: pytest.Pytester) -> None:
    path = _suite(pytester)
    text = path.read_text().replace('Workload.of("sums", build,', 'Workload.of("sums", build, prepare=prepare,')
    text = text.replace("SUMS =", "def prepare():\n    open('prepared', 'a').write('x')\n\nSUMS =")
    path.write_text(text.partition("@pytest")[0] + "\ndef test_one(measure):\n    measure(CASES[0])\n")
    _run(pytester).assert_outcomes(passed=1)
    assert (pytester.path / "prepared").read_text() == "x"
    result = _run(pytester, "--bench-time-limit=0.01")
    result.stdout.no_fnmatch_line("*--bench-resume=out/*same options*")


def test_steps_can_be_tried_through_the_command(pytester: pytest.Pytester) -> None:
    _suite(pytester, "10")
    result = pytester.run(sys.executable, "-m", "joulemark", "run", "bench_sums.py", "--benchmark-disable", *QUICK)
    assert result.ret == 0
    assert not list(pytester.path.glob("out/*"))


def test_a_suite_that_asks_for_the_options_itself_hears_them(pytester: pytest.Pytester) -> None:
    path = _suite(pytester, "10")
    hook = "\nimport bench\n\ndef pytest_generate_tests(metafunc):\n    bench.options_of(metafunc.config)\n"
    path.write_text(path.read_text() + hook)
    assert _run(pytester, "--bench-axis", "threads=1,2").ret == pytest.ExitCode.OK


def test_a_gate_fails_where_the_suite_has_vanished(pytester: pytest.Pytester) -> None:
    """It skips itself as a whole, and other tests are there to make the session look alive."""
    _suite(pytester, "10")
    pytester.makepyfile(bench_sums="import pytest\npytest.skip('no such package', allow_module_level=True)")
    other = pytester.makepyfile(test_other="def test_other():\n    pass\n")
    gated = ("--bench-against=out", "--bench-fail-on=time:5%", str(other))
    result = _run(pytester, *gated)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*nothing was there to be measured, so its gates have failed*"])


def test_a_late_case_that_cannot_run_here_is_skipped_beside_others(pytester: pytest.Pytester) -> None:
    path = _suite(pytester, "10")
    path.write_text(path.read_text() + LATE)
    result = _run(pytester)
    result.assert_outcomes(passed=1, skipped=1)


LATE = """
def test_on_a_gpu(measure):
    measure(Case(SUMS, CASES[0].variant.__class__.of(device="cuda:7", length=10)))
"""


def test_own_data_of_the_project_s_file_is_meant_from_there(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\n[tool.joulemark]\ndata = "mine.npz"\n')
    below = pytester.mkdir("below")
    (below / "bench_said.py").write_text(SAID)
    told = pytester.runpytest_subprocess("-s", "below/bench_said.py", "-o", "python_files=bench_*.py")
    told.stdout.fnmatch_lines(["*data=mine.npz*"])
    os.chdir(below)
    told = pytester.runpytest_subprocess("-s", "bench_said.py", "-o", "python_files=bench_*.py")
    told.stdout.fnmatch_lines([f"*data={pytester.path / 'mine.npz'}*"])


SAID = """
import bench

def test_said(request):
    print("data=" + bench.options_of(request.config).data)
"""
