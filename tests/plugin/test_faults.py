"""What happens to long runs: kills, signals, lost disks and pipes, in sessions of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import load
from bench.records import CaveatKind, Run
from suites.experiments import faults

LIMIT_S = 100.0
#: Two groups of two waves are four; the experiment itself has three in each.
_WAVES = "--bench-waves=2"


def _sit(folder: Path, *options: str, **environ: str) -> faults.Sitting:
    return faults.Sitting(folder, _WAVES, *options, **environ)


def _run(folder: Path) -> Run:
    (path,) = folder.glob("out/*/run.json")
    return load(path)


def _output(folder: Path) -> str:
    return (folder / "output.txt").read_text()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list:
    folder = tmp_path_factory.mktemp("undisturbed")
    sitting = _sit(folder)
    assert sitting.process.wait(LIMIT_S) == 0, _output(folder)
    assert not list(folder.glob(f"out/*/{faults.JOURNAL}"))
    return faults.skeleton(_run(folder))


@pytest.mark.parametrize("waves", [0, 1, 3])
def test_a_killed_run_is_resumed_to_the_run_it_would_have_been(waves: int, undisturbed: list, tmp_path: Path) -> None:
    sitting = _sit(tmp_path)
    assert sitting.reached("WaveDone", waves) if waves else sitting.reached("Measured")
    sitting.process.kill()
    sitting.process.wait()
    assert sitting.left_behind() == 0
    (journal,) = tmp_path.glob(f"out/*/{faults.JOURNAL}")
    again = _sit(tmp_path, f"--bench-resume={journal.parent}")
    assert again.process.wait(LIMIT_S) == 0, _output(tmp_path)
    run = _run(tmp_path)
    assert faults.skeleton(run) == undisturbed
    assert len(run.sittings) == 1
    assert not journal.exists()
    assert "The run was broken off" in next(journal.parent.glob("report.md")).read_text()


def test_a_killed_worker_costs_its_own_case_only(undisturbed: list, tmp_path: Path) -> None:
    sitting = _sit(tmp_path)
    assert sitting.reached("Measured", 2)
    os.kill(sitting.workers()[0], signal.SIGKILL)
    assert sitting.process.wait(LIMIT_S) == pytest.ExitCode.TESTS_FAILED
    failed = [trial.case.name for trial in _run(tmp_path).trials if trial.failure is not None]
    assert len(failed) == 1
    assert "SIGKILL" in _output(tmp_path)
    ours, expected = (faults._but(blocks, failed) for blocks in (faults.skeleton(_run(tmp_path)), undisturbed))
    assert ours == expected
    assert sitting.left_behind() == 0


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 2), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["INT", "TERM", "HUP"]
)
def test_a_signal_ends_a_run_with_what_was_measured_and_it_can_be_gone_on_with(
    number: signal.Signals, status: int, tmp_path: Path
) -> None:
    sitting = _sit(tmp_path)
    assert sitting.reached("WaveDone", 1)
    sitting.process.send_signal(number)
    assert sitting.process.wait(LIMIT_S) == status, _output(tmp_path)
    assert sitting.left_behind() == 0
    run = _run(tmp_path)
    assert {sample.wave for trial in run.trials for sample in trial.samples} >= {0}
    assert CaveatKind.INTERRUPTED in {caveat.kind for caveat in run.trials[0].caveats}
    assert "--bench-resume=out/" in _output(tmp_path)
    assert list(tmp_path.glob(f"out/*/{faults.JOURNAL}"))


def test_a_second_interruption_ends_at_once_and_the_journal_has_it_all(tmp_path: Path) -> None:
    sitting = _sit(tmp_path)
    assert sitting.reached("WaveDone", 2)  # the second may still be on its way to the disk, and is lost then
    sitting.process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    sitting.process.send_signal(signal.SIGINT)
    assert sitting.process.wait(LIMIT_S) in (2, -signal.SIGINT, 130), _output(tmp_path)
    assert sitting.left_behind() == 0
    (journal,) = tmp_path.glob(f"out/*/{faults.JOURNAL}")
    assert faults.history(faults.read_journal(journal.parent).entries).kept_waves >= 1


def test_a_reader_of_the_output_that_goes_away_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "bench_spin.py").write_text(faults.SUITE)
    command = [sys.executable, "-m", "pytest", *faults.OPTIONS, _WAVES]
    with (tmp_path / "output.txt").open("wb") as errors:
        run = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=errors)
    with run:
        deadline = time.monotonic() + LIMIT_S
        while not any(b'"WaveDone"' in path.read_bytes() for path in tmp_path.glob(f"out/*/{faults.JOURNAL}")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        run.stdout.close()
        run.wait(LIMIT_S)
    assert run.returncode != 0
    (path,) = tmp_path.glob("out/*/run.json")
    assert any(trial.samples for trial in load(path).trials)
    assert path.with_name(faults.JOURNAL).is_file()


def test_a_conductor_that_is_stopped_for_a_while_goes_on(undisturbed: list, tmp_path: Path) -> None:
    sitting = _sit(tmp_path)
    assert sitting.reached("Measured")
    sitting.process.send_signal(signal.SIGSTOP)
    time.sleep(5)
    sitting.process.send_signal(signal.SIGCONT)
    assert sitting.process.wait(LIMIT_S) == 0, _output(tmp_path)
    assert faults.skeleton(_run(tmp_path)) == undisturbed


def test_a_system_time_that_is_set_back_changes_nothing(undisturbed: list, tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler to set a clock back with")
    library, back = tmp_path / "wall_clock.so", tmp_path / "back"
    source = Path(__file__).with_name("wall_clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    environ = {"LD_PRELOAD": str(library), "WALL_CLOCK_BACK": str(back)}
    sitting = _sit(tmp_path, **environ)
    assert sitting.reached("WaveDone", 1)
    back.write_text("7200")
    assert sitting.reached("WaveDone", 3)
    sitting.process.kill()
    sitting.process.wait()
    (journal,) = tmp_path.glob(f"out/*/{faults.JOURNAL}")
    again = _sit(tmp_path, f"--bench-resume={journal.parent}", **environ)
    assert again.process.wait(LIMIT_S) == 0, _output(tmp_path)
    run = _run(tmp_path)
    assert run.sittings[0].started < run.started  # the clock was set back indeed
    assert faults.skeleton(run) == undisturbed
    for trial in run.trials:
        starts = [sample.start_s for sample in trial.samples]
        assert starts == sorted(starts)
    assert run.duration_s < LIMIT_S


def test_an_output_folder_deleted_in_mid_run_is_there_again_at_the_end(undisturbed: list, tmp_path: Path) -> None:
    sitting = _sit(tmp_path)
    assert sitting.reached("Measured", 3)
    shutil.rmtree(tmp_path / "out")
    assert sitting.process.wait(LIMIT_S) == 0, _output(tmp_path)
    assert faults.skeleton(_run(tmp_path)) == undisturbed


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB at out/, in mid-run full."""
    folder = tmp_path / "out"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)  # noqa: S607


def test_a_full_disk_sends_the_run_elsewhere_and_says_where(small_disk: Path, undisturbed: list, tmp_path) -> None:
    sitting = _sit(tmp_path)
    assert sitting.reached("Measured", 2)
    with (small_disk / "filler").open("wb") as filler:
        filler.write(b"\0" * 2**15)
        filler.flush()
        while True:
            try:
                os.write(filler.fileno(), b"\0" * 512)
            except OSError:
                break
    assert sitting.process.wait(LIMIT_S) == 0, _output(tmp_path)
    output = _output(tmp_path)
    assert "No space left on device" in output
    (line,) = (line for line in output.splitlines() if "the run was rescued to" in line)
    rescued = Path(line.rpartition(" ")[2])
    assert faults.skeleton(load(rescued)) == undisturbed
    shutil.rmtree(rescued.parent)


def test_a_time_limit_leaves_a_run_and_skips_what_was_not_begun(tmp_path: Path) -> None:
    sitting = _sit(tmp_path, "--bench-time-limit=0.5s", "-rs")
    assert sitting.process.wait(LIMIT_S) == 0, _output(tmp_path)
    assert "the time limit of the run has passed" in _output(tmp_path)
    (journal,) = tmp_path.glob(f"out/*/{faults.JOURNAL}")
    again = _sit(tmp_path, f"--bench-resume={journal.parent}")
    assert again.process.wait(LIMIT_S) == 0
    run = _run(tmp_path)
    assert {trial.case.workload.name for trial in run.trials} == {"first", "second"}
    assert not run.skips


def test_another_plan_or_other_cases_are_refused_before_anything_is_measured(tmp_path: Path) -> None:
    sitting = _sit(tmp_path)
    assert sitting.reached("WaveDone")
    sitting.process.kill()
    sitting.process.wait()
    (journal,) = tmp_path.glob(f"out/*/{faults.JOURNAL}")
    before = journal.read_bytes()
    resume = f"--bench-resume={journal.parent}"
    assert _sit(tmp_path, resume, "--bench-band=3%").process.wait(LIMIT_S) == pytest.ExitCode.USAGE_ERROR
    assert "band was 0.01 when the run began, not 0.03" in _output(tmp_path)
    assert _sit(tmp_path, resume, "-k", "9000").process.wait(LIMIT_S) == pytest.ExitCode.USAGE_ERROR
    assert "this is not the run that was begun: it lacks" in _output(tmp_path)
    assert journal.read_bytes() == before


def test_a_second_signal_does_not_break_off_what_the_first_one_asked_for() -> None:
    """Impatient schedulers send two: the second comes while reports are written."""
    script = (
        "import os, signal, time\n"
        "from bench.signals import TerminatedError, ended_by_signals, ended_with\n"
        "try:\n"
        "    with ended_by_signals():\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        time.sleep(5)\n"
        "except TerminatedError:\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(0.2)\n"
        "    print('saved', ended_with())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "saved 143\n")
