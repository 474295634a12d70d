"""Whole pytest sessions with the plugin, each in a process of its own: a suite as a user would write it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import Run, load
from bench.plugin import _will_measure

SUITE = """
import time
import pytest
from bench import Case, Step, UnavailableError, Workload, expand

def build(variant):
    length = variant["length"]
    if length == 13:
        raise ValueError("thirteen is not built")
    if length == 14:
        raise UnavailableError("no such thing here", "get one")
    def run():
        time.sleep(3600) if length == 15 else None
        return sum(range(length * 1000))
    return Step(run=run, items=length)

SUMS = Workload.of("sums", build, items="numbers")
CASES = [Case(SUMS, variant) for variant in expand(threads=[1], length=[{lengths}])]

@pytest.mark.parametrize("case", CASES, ids=str)
def test_sums(case, measure):
    measure(case)
"""
QUICK = ("--bench-waves=2", "--bench-rounds=3", "--bench-start=spawn", "-p", "no:cacheprovider")


def _suite(pytester: pytest.Pytester, lengths: str = "10, 20") -> Path:
    return pytester.makepyfile(bench_sums=SUITE.replace("{lengths}", lengths))


def _run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("--benchmark-only", "bench_sums.py", *QUICK, *arguments)


def _stored(pytester: pytest.Pytester) -> Run:
    (path,) = pytester.path.glob("out/*/run.json")
    return load(path)


@pytest.fixture
def finished(pytester: pytest.Pytester) -> pytest.RunResult:
    """A session with two healthy cases, one that fails to build, and one that is not available."""
    _suite(pytester, "10, 20, 13, 14")
    return _run(pytester, "--benchmark-json=bench.json", "--bench-seed=5")


def test_a_session_measures_saves_and_reports(finished: pytest.RunResult, pytester: pytest.Pytester) -> None:
    finished.assert_outcomes(passed=2, failed=1, skipped=1)
    finished.stdout.fnmatch_lines(
        [
            "*joulemark: 4 cases in 1 group, 2 waves of 3 rounds*seed 5",
            "*ValueError: thirteen is not built*",
            "*sums on cpu*",
            "- sums[[]cpu-fp32-threads1-length14[]]: no such thing here; get one",
        ]
    )
    run = _stored(pytester)
    names = [trial.case.name for trial in run.trials]
    assert names == [f"sums[cpu-fp32-threads1-length{n}]" for n in (10, 20, 13)]
    assert run.trials[2].failure is not None
    assert [skip.case.variant["length"] for skip in run.skips] == [14]
    assert run.plan.seed == 5
    assert run.duration_s is not None
    assert {path.name for path in next(pytester.path.glob("out/*")).iterdir()} == {
        "run.json",
        "report.md",
        "report.html",
    }
    _pytest_benchmark_holds_the_very_samples(run, pytester)


def _pytest_benchmark_holds_the_very_samples(run: Run, pytester: pytest.Pytester) -> None:
    benchmarks = json.loads((pytester.path / "bench.json").read_text())["benchmarks"]
    assert len(benchmarks) == 2
    for entry, trial in zip(benchmarks, run.trials, strict=False):
        assert entry["stats"]["data"] == [sample.step_s for sample in trial.samples]
        assert entry["params"] == {"case": str(trial.case)}
        assert entry["extra_info"]["case"] == trial.case.name


def test_only_what_is_selected_is_measured_and_a_skipped_test_is_not(pytester: pytest.Pytester) -> None:
    path = _suite(pytester, "10, 20, 30")
    path.write_text(
        path.read_text().replace('"case", CASES', '"case", [CASES[0], pytest.param(CASES[1], marks=pytest.mark.skip)]')
    )
    result = _run(pytester, "-k", "length10 or length20")
    result.assert_outcomes(passed=1, skipped=1)
    assert [str(trial.case) for trial in _stored(pytester).trials] == ["cpu-fp32-threads1-length10"]


def test_disabled_benchmarks_take_one_step_and_leave_no_run(pytester: pytest.Pytester) -> None:
    _suite(pytester, "10, 14")
    result = pytester.runpytest_subprocess("bench_sums.py", *QUICK, "--benchmark-disable")
    result.assert_outcomes(passed=1, skipped=1)
    assert not list(pytester.path.glob("out/*"))


def test_collecting_measures_nothing(pytester: pytest.Pytester) -> None:
    _suite(pytester)
    result = _run(pytester, "--collect-only", "-q")
    result.stdout.fnmatch_lines(["*test_sums[[]cpu-fp32-threads1-length10[]]"])
    assert not list(pytester.path.glob("out/*"))


def test_a_case_that_nobody_declared_is_measured_by_itself(pytester: pytest.Pytester) -> None:
    path = _suite(pytester)
    path.write_text(path.read_text() + "\ndef test_one(measure):\n    assert measure(CASES[1]).samples\n")
    _run(pytester, "-k", "test_one").assert_outcomes(passed=1)
    assert len(_stored(pytester).trials) == 1


def test_of_two_options_that_contradict_each_other_benchmark_only_wins(pytester: pytest.Pytester) -> None:
    """As in pytest-benchmark: a project may skip its benchmarks by default."""
    _suite(pytester)
    _run(pytester, "--benchmark-skip", "--benchmark-json=bench.json").assert_outcomes(passed=2)
    trials = _stored(pytester).trials
    samples = [sample.step_s for sample in trials[0].samples]
    entries = json.loads((pytester.path / "bench.json").read_text())["benchmarks"]
    assert entries[0]["stats"]["min"] == min(samples)
    assert entries[0]["group"] == "sums on cpu"
    assert entries[0]["extra_info"]["status"] == "measured"


def test_the_baseline_is_the_first_case_whatever_order_tests_run_in(pytester: pytest.Pytester) -> None:
    """Other plugins shuffle, and --failed-first sorts."""
    _suite(pytester, "30, 20, 10")
    pytester.makeconftest("def pytest_collection_modifyitems(items):\n    items.reverse()\n")
    _run(pytester).assert_outcomes(passed=3)
    assert [trial.case.variant["length"] for trial in _stored(pytester).trials] == [30, 20, 10]


def test_a_worker_of_xdist_measures_nothing() -> None:
    """Several would measure the same group at the same time."""
    option = SimpleNamespace(benchmark_only=True)
    assert _will_measure(SimpleNamespace(option=option))
    assert not _will_measure(SimpleNamespace(option=option, workerinput={}))


def test_a_case_that_comes_after_its_group_was_measured_is_refused(pytester: pytest.Pytester) -> None:
    """It would be set against a baseline that ran minutes before it, as if the two had taken turns."""
    path = _suite(pytester)
    late = "\ndef test_late(measure):\n    measure(Case(SUMS, CASES[0].variant.__class__.of(threads=1, length=30)))\n"
    path.write_text(path.read_text() + late)
    result = _run(pytester)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*comes after its group was measured*"])
    assert len(_stored(pytester).trials) == 2


def test_a_comparison_with_an_earlier_session_works_as_with_any_benchmark(pytester: pytest.Pytester) -> None:
    _suite(pytester, "10")
    _run(pytester, "--benchmark-autosave").assert_outcomes(passed=1)
    result = _run(pytester, "--benchmark-compare")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*test_sums[[]cpu-fp32-threads1-length10[]] (0001*"])


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("--bench-budget=-3", "--bench-budget -3: that is not possible; give a positive number of seconds, like 150"),
        ("--bench-waves=0", "--bench-waves 0: that is not possible; give a whole number from 1, like 6"),
        ("--bench-prices=none.toml", "the price book none.toml cannot be read (No such file or directory)*"),
        (
            "--bench-tolerance=rmse=0.1",
            "--bench-tolerance rmse=0.1: that is not possible; give name=fraction, *rmse_int8*",
        ),
        ("--bench-band=half", "--bench-band half: that is not possible; give a fraction, like 1% or 0.01"),
        ("--bench-start=thread", "--bench-start thread: * give one of fork_server, spawn, in_process"),
        ("--bench-model=nonsense", "--bench-model nonsense: that is not possible; give module:factory"),
        ("--bench-input=3x0x32", "--bench-input 3x0x32: * give channels x height x width, like 3x32x32"),
        ("--bench-out=file", "--bench-out file: nothing can be written there (*); choose another folder"),
    ],
)
def test_bad_options_are_one_sentence_and_nothing_is_measured(
    argument: str, sentence: str, pytester: pytest.Pytester
) -> None:
    _suite(pytester)
    (pytester.path / "file").write_text("not a folder")
    result = _run(pytester, argument)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {sentence}"])
    assert "Traceback" not in result.stderr.str()
    assert not list(pytester.path.glob("out/*"))


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("nowhere:make", "module nowhere cannot be imported"),
        ("mine:absent", "has no function absent"),
        ("mine:no_model", "Module"),
        ("mine:three_classes", "10"),
    ],
)
def test_a_model_that_cannot_be_measured_is_one_sentence_before_anything_is(
    model: str, sentence: str, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(
        mine="""
        import torch
        def no_model():
            return 7
        def three_classes():
            return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 3))
        """
    )
    suite = Path(__file__).parents[2] / "suites" / "bench_inference.py"
    result = pytester.runpytest_subprocess(
        "--benchmark-only", str(suite), *QUICK, f"--rootdir={pytester.path}", f"--bench-model={model}"
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.stderr.lines if line.startswith("ERROR")]
    assert sentence in line
    assert "Traceback" not in result.stderr.str()
    assert not list(pytester.path.glob("out/*"))


def test_options_may_stand_in_the_project_file_and_the_command_line_wins(pytester: pytest.Pytester) -> None:
    _suite(pytester, "10")
    pytester.makepyprojecttoml(
        "[tool.joulemark]\nself-check = true\nwaves = 3\nrounds = 50\nband = '2%'\n"
        "tolerance = 'rmse_int8=0.3,agreement=90%'\n"
        "[tool.pytest.ini_options]\n"
    )
    _run(pytester).assert_outcomes(passed=1)
    plan = _stored(pytester).plan
    assert (plan.waves, plan.rounds, plan.band) == (2, 3, 0.02)
    assert (plan.rmse_int8, plan.agreement, plan.rmse_half) == (0.3, 0.9, 0.05)
    assert _stored(pytester).self_check is not None


def test_an_unknown_setting_in_the_project_file_is_named(pytester: pytest.Pytester) -> None:
    _suite(pytester)
    pytester.makepyprojecttoml("[tool.joulemark]\nwavs = 3\n[tool.pytest.ini_options]\n")
    result = _run(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *has no setting 'wavs'; the settings are waves, *"])


def test_an_output_folder_that_pytest_takes_for_its_root_is_explained(
    pytester: pytest.Pytester, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _suite(pytester)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for option in ("--bench-out", "--bench-against"):
        result = pytester.runpytest_subprocess("--benchmark-only", option, str(elsewhere))
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"*write {option}={elsewhere}*"])


def test_an_interrupted_session_leaves_a_run_with_what_was_measured(pytester: pytest.Pytester) -> None:
    _suite(pytester, "10, 20, 15")
    path = pytester.path / "bench_sums.py"
    path.write_text(path.read_text() + "\nOTHER = Workload.of('others', build)\n" + _second_group())
    # Of what was started in the background, as by nohup, the children ignore an interruption unless they say otherwise.
    listens = (
        "import signal, sys, pytest; signal.signal(2, signal.default_int_handler); sys.exit(pytest.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", listens, "--benchmark-only", "bench_sums.py", *QUICK, "-k", "not length15 or two"]
    with subprocess.Popen(
        command, cwd=pytester.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        _wait_for_first_group(pytester.path)
        run.send_signal(signal.SIGINT)
        output, _ = run.communicate(timeout=60)
    assert run.returncode == pytest.ExitCode.INTERRUPTED
    assert "sums on cpu" in output
    trials = _stored(pytester).trials
    assert all(len(trial.samples) > 0 for trial in trials if trial.case.workload.name == "sums")
    assert not re.search("Traceback", output)


def _second_group() -> str:
    """A group that hangs in its first step, so that the interruption finds it at work."""
    return """
@pytest.mark.parametrize("case", [Case(OTHER, variant) for variant in expand(threads=[1], length=[15])], ids=str)
def test_two(case, measure):
    measure(case)
"""


def _wait_for_first_group(folder: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if list(folder.glob("out/*/run.json")):
            return
        time.sleep(0.1)
    pytest.fail("the first group was not finished in two minutes")


def test_a_self_check_measures_the_baseline_once_more_and_says_what_is_noise(pytester: pytest.Pytester) -> None:
    _suite(pytester, "10, 20")
    result = _run(pytester, "--bench-self-check", "--bench-power=off")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "*self-check: each group's baseline is measured 1 more time*",
            "- sums on cpu: differences below:*",
            "- clock*",
        ]
    )
    run = _stored(pytester)
    assert [trial.case.name.partition("-")[2] for trial in run.trials] == [
        "fp32-threads1-length10]",
        "fp32-threads1-length20]",
        "fp32-threads1-length10]~1",
    ]
    assert run.self_check is not None
    assert run.self_check.switch_s >= 0  # what is left of it when a round trip is taken off
    assert run.self_check.round_trip_s > 0
    assert run.self_check.empty[0].host_s < 1e-3


def test_a_path_after_a_bare_self_check_is_not_taken_for_its_value(pytester: pytest.Pytester) -> None:
    _suite(pytester)
    result = pytester.runpytest_subprocess("--benchmark-only", "--bench-self-check", "bench_sums.py")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--bench-self-check bench_sums.py: *give --bench-self-check=short or =long*"])


def test_a_session_is_held_against_an_earlier_one(pytester: pytest.Pytester) -> None:
    """Its own suite against itself, once with limits that nothing exceeds, once with a case that fails by then."""
    path = _suite(pytester, "10, 20")
    gate = ("--bench-against=out", "--bench-fail-on=time:9900%", "--bench-fail-on", "ratio:9900%", "--bench-power=off")
    first = _run(pytester, *gate)
    assert first.ret == pytest.ExitCode.OK
    first.stdout.fnmatch_lines(["joulemark: no run at out yet, so there was nothing to compare with"])
    second = _run(pytester, *gate)
    assert second.ret == pytest.ExitCode.OK
    second.stdout.fnmatch_lines(["Two runs compared", "joulemark: passed against *: time:9900%, ratio:9900%"])
    stored = sorted(pytester.path.glob("out/*/run.json"))
    lying = "proofs=lambda: [Proof('label', 'kept', 'broken')]"
    source = path.read_text().replace("import Case,", "import Case, Proof,")
    path.write_text(source.replace("items=length", f"items=length, {lying}"))
    third = _run(pytester, *gate[1:], f"--bench-against={stored[0]}")
    assert third.ret == pytest.ExitCode.TESTS_FAILED
    third.stdout.fnmatch_lines(["joulemark: FAILED against *: newly failed sums*length10]; newly failed sums*"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--bench-fail-on=time:5%"], "*name it with --bench-against=RUN*"),
        (["--bench-against=out", "--bench-fail-on=speed"], "*'speed' is no gate; give METRIC:LIMIT like time:5%*"),
        (["--bench-against=bench_sums.py"], "*bench_sums.py is not a run of Joulemark*"),
    ],
)
def test_a_gate_that_cannot_be_meant_is_said_before_anything_is_measured(
    arguments: list[str], sentence: str, pytester: pytest.Pytester
) -> None:
    _suite(pytester)
    result = _run(pytester, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([sentence])
    assert not list(pytester.path.glob("out/*"))
