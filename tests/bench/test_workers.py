"""Real worker processes: they measure, they freeze, they fail alone, and nobody outlives the conductor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench import Case, MeasurementError, Plan, Trial, UsageError, Variant, Workload
from bench.instruments.host import HostMeter
from bench.measurement import GroupMeasurement, usable_cpus
from bench.preparing import prepare
from bench.workers.case_runner import CaseRunner
from bench.workers.crew import ProcessCrew, WorkerError, describe_ending, hire
from bench.workers.messages import Block, Build, Built, Examine, Examined, Finish, Finished, Sealed
from tests.bench import workloads

TROUBLES = {
    "raise_at_build": "ValueError: broken on purpose",
    "raise_at_first_step": "RuntimeError: first step refused",
    "raise_at_step_100": "RuntimeError: step 100 refused",
    "exit_3": "ended with exit code 3",
    "kill": "killed by SIGKILL",
    "sleep": "no answer within the limit",
    "allocate": "MemoryError",
    "not_a_step": "must return a bench.Step",
    "no_items": "works through at least 1",
}


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> GroupMeasurement:
    """One run with a healthy case on either side of every way to fail."""
    cases = [workloads.case(), *map(workloads.case, TROUBLES), workloads.case("unavailable"), workloads.case("none")]
    plan = Plan(waves=2, rounds=3, warm_up_s=1.0, build_limit_s=20.0, block_limit_s=20.0)
    measurement = GroupMeasurement(cases, plan, tmp_path_factory.mktemp("caches"))
    measurement.run()
    return measurement


def _trial(measurement: GroupMeasurement, name: str) -> Trial:
    return next(trial for trial in measurement.trials if str(trial.case) == name)


@pytest.mark.parametrize("name", ["cpu-fp32-threads1", "cpu-fp32-threads1-none"])
def test_healthy_cases_are_complete_whatever_happens_beside_them(troubled: GroupMeasurement, name: str) -> None:
    trial = _trial(troubled, name)
    assert trial.failure is None
    assert {(sample.wave, sample.round) for sample in trial.samples} == {(w, r) for w in range(2) for r in range(3)}
    assert [life.cold for life in trial.lives] == [True, False]
    assert trial.items_per_step == 4
    assert trial.honoured


@pytest.mark.parametrize(("trouble", "reason"), TROUBLES.items())
def test_a_failed_case_names_its_reason(troubled: GroupMeasurement, trouble: str, reason: str) -> None:
    failure = _trial(troubled, f"cpu-fp32-threads1-{trouble}").failure
    assert failure is not None
    assert reason in failure.reason


def test_an_exception_leaves_its_last_lines(troubled: GroupMeasurement) -> None:
    failure = _trial(troubled, "cpu-fp32-threads1-raise_at_build").failure
    assert failure is not None
    assert 'raise ValueError("broken on purpose")' in failure.detail


def test_what_is_unavailable_is_a_skip_and_not_a_failure(troubled: GroupMeasurement) -> None:
    (skip,) = troubled.skips
    assert (skip.reason, skip.fix) == ("no such accelerator", "buy one")


def test_samples_are_in_the_order_of_one_clock(troubled: GroupMeasurement) -> None:
    samples = [sample for trial in troubled.trials for sample in trial.samples]
    blocks = sorted({(s.wave, s.round, s.position, s.start_s) for s in samples})
    assert [start_s for *_, start_s in blocks] == sorted(start_s for *_, start_s in blocks)


@pytest.fixture(params=["fork_server", "spawn"])
def crew(request: pytest.FixtureRequest) -> Iterator[ProcessCrew]:
    count = 2 if request.param == "fork_server" else 1
    with closing(hire(count, request.param)) as crew:
        assert isinstance(crew, ProcessCrew)
        yield crew


def test_a_frozen_worker_uses_no_processor_and_goes_on_when_thawed(crew: ProcessCrew) -> None:
    worker = crew.workers[0]
    case = workloads.case()
    worker.ask(Build(case, None, usable_cpus(), None, 0), Built, 60.0)
    worker.freeze()
    assert _state(worker.pid) == "T"
    worker.thaw()
    sealed = worker.ask(Block(steps=10, samples=3, drop_steps=1, drop_s=0.0), Sealed, 60.0)
    assert len(sealed.samples) == 3
    assert all(host_s > 0 and device_s is None for _, host_s, device_s in sealed.samples)
    assert (worker.ask(Finish(), Finished, 60.0).peak_memory_bytes or 1) > 0


def _state(pid: int) -> str:
    """One letter from proc(5); a signal takes a moment to arrive, so this looks until it has."""
    deadline = time.monotonic() + 5
    state = "?"
    while state != "T" and time.monotonic() < deadline:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state


def test_a_worker_killed_from_outside_is_reported_with_the_signal(crew: ProcessCrew) -> None:
    worker = crew.workers[-1]
    os.kill(worker.pid, signal.SIGTERM)
    with pytest.raises(WorkerError, match="SIGTERM"):
        worker.ask(Block(1, 1, 0, 0.0), Sealed, 60.0)


def test_what_a_worker_used_stays_ours_when_it_dies(crew: ProcessCrew) -> None:
    """Its time goes to whoever reaps it: it must not look like a stranger's."""
    worker = crew.workers[0]
    worker.ask(Build(workloads.case(), None, usable_cpus(), None, 0), Built, 60.0)
    worker.ask(Block(steps=1, samples=1, drop_steps=0, drop_s=1.0), Sealed, 60.0)
    meter = HostMeter()
    before, without = meter.read(crew.groups), meter.read([])
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(WorkerError, match="SIGKILL"):
        worker.ask(Finish(), Finished, 60.0)
    after = meter.read(crew.groups)
    assert before is not None
    assert without is not None
    assert after is not None
    assert before.ours_s - without.ours_s > 0.2  # seconds that could be missed
    assert after.ours_s >= before.ours_s


@pytest.mark.parametrize("call", ["socket.socketpair", "tempfile.TemporaryFile", "subprocess.Popen"])
def test_workers_that_the_system_has_no_room_for_are_a_sentence(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(f"bench.workers.crew.{call}", refuse)
    with pytest.raises(MeasurementError, match=r"cannot be started .*Too many open files"):
        hire(2, "fork_server")


def test_a_closed_crew_leaves_no_process_behind() -> None:
    crew = hire(2, "fork_server")
    assert isinstance(crew, ProcessCrew)
    pids = [worker.pid for worker in crew.workers]
    crew.workers[0].freeze()
    crew.close()
    crew.close()
    assert _gone(pids)


_ORPHANER = """
import sys, time
from bench.workers.crew import hire
crew = hire(2, sys.argv[1])
for worker in crew.workers: worker.freeze()
print(*[worker.pid for worker in crew.workers], flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("start", ["fork_server", "spawn"])
def test_frozen_workers_do_not_outlive_a_conductor_that_is_killed(start: str) -> None:
    with subprocess.Popen([sys.executable, "-c", _ORPHANER, start], stdout=subprocess.PIPE, text=True) as conductor:
        assert conductor.stdout is not None
        pids = [int(pid) for pid in conductor.stdout.readline().split()]
        assert len(pids) == 2
        conductor.kill()
    assert _gone(pids)


def _gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not any(_runs(pid) for pid in pids):
            return True
    return False


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_preparer_that_refuses_is_the_callers_error() -> None:
    with pytest.raises(UsageError, match="size -1 is negative"):
        prepare([workloads.case(size=-1)], Plan(start="in_process"))


def test_a_preparer_runs_once_for_all_cases_of_a_workload() -> None:
    hired = []

    def count_and_hire(count: int, start: str) -> object:
        hired.append(start)
        return hire(count, "in_process")

    prepare([workloads.case(), workloads.case("none")], Plan(), hire=count_and_hire)  # type: ignore[arg-type]
    assert hired == ["fork_server"]


def test_workers_in_this_process_leave_its_environment_as_it_was(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", "mine")
    monkeypatch.delenv("JOULEMARK_CASE_CACHE", raising=False)
    before = dict(os.environ)
    measurement = GroupMeasurement([workloads.case()], Plan(waves=1, rounds=1, start="in_process"), tmp_path)
    measurement.run()
    assert dict(os.environ) == before | {"PYTEST_CURRENT_TEST": os.environ["PYTEST_CURRENT_TEST"]}


def test_in_process_figures_say_so(tmp_path: Path) -> None:
    measurement = GroupMeasurement([workloads.case()], Plan(waves=1, rounds=2, start="in_process"), tmp_path)
    measurement.run()
    (trial,) = measurement.trials
    assert trial.failure is None
    assert "in_process" in {caveat.kind.value for caveat in trial.caveats}


def test_in_one_process_each_case_still_has_its_own_settings() -> None:
    with closing(hire(2, "in_process")) as crew:
        for worker, threads in zip(crew.workers, (1, 2), strict=True):
            worker.ask(Build(workloads.case(threads=threads), None, None, None, 0), Built, 60.0)
        import torch

        for worker, threads in zip(crew.workers, (1, 2), strict=True):
            worker.ask(Block(1, 1, 0, 0.0), Sealed, 60.0)
            assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [(3, "exit code 3"), (-11, "SIGSEGV"), (-9, "out of memory"), (-250, "signal 250"), (None, "nobody knows")],
)
def test_endings_are_described_in_words(exit_code: int | None, words: str) -> None:
    assert words in describe_ending(exit_code)


def test_a_conductor_that_asks_for_the_wrong_thing_is_told() -> None:
    with closing(hire(1, "in_process")) as crew, pytest.raises(MeasurementError, match="before anything was built"):
        crew.workers[0].ask(Block(1, 1, 0, 0.0), Sealed, 1.0)


@pytest.mark.parametrize("thorough", [True, False])
@pytest.mark.parametrize(("own_process", "order"), [(True, "run run proofs"), (False, "run proofs run")])
def test_labels_are_proven_and_results_checked_after_all_that_is_timed(
    thorough: bool, own_process: bool, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What checks allocate and give back, and a profiler that stays attached, would change what a step takes.

    In a process that cases share proofs come at once, while what they look at is still of this case alone.
    """
    monkeypatch.setattr("bench.workers.limits.bound_memory", lambda: None)
    case = Case(Workload.of("checked", workloads.build_checked), Variant.of())
    runner = CaseRunner(own_process=own_process)
    assert isinstance(runner.answer(Build(case, None, None, None, 0)), Built)
    assert isinstance(runner.answer(Block(1, 1, 0, 0.0)), Sealed)
    examined = runner.answer(Examine(thorough))
    assert isinstance(examined, Examined)
    (check,) = examined.checks
    assert (check.against, check.value) == (order, float(thorough))


def test_checks_before_anything_was_built_are_refused() -> None:
    with closing(hire(1, "in_process")) as crew, pytest.raises(MeasurementError, match="before anything was built"):
        crew.workers[0].ask(Examine(True), Examined, 1.0)
