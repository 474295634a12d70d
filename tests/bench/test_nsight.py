"""Running Nsight Systems: what is asked of it, and what is said when it cannot. And once for real, where it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import pytest

from bench import MeasurementError, UnavailableError, UsageError, load
from bench.capture import NoRangesError, read
from bench.nsight import Done, Nsys, add_capture, capture_case, find_nsys, probe, read_capture, traces_here
from bench.storage import save
from tests.bench.test_capture import STORED
from tests.factories import TRAINING, make_run, make_trial

CASE = "training[cpu-fp32-threads1]"


@dataclass
class FakeNsys:
    """Answers as nsys would; ``writes`` is the ending of the file that a capture leaves, "" for none."""

    version: str = "NVIDIA Nsight Systems version 2022.4.2.1-df9881f"
    writes: str = ".nsys-rep"
    imports: bool = True
    exports: bool = True
    measures: Callable[[Mapping[str, str]], None] = lambda environ: None
    commands: list[list[str]] = field(default_factory=list)

    def execute(self, command: Sequence[str], environ: Mapping[str, str] | None, shown: bool) -> Done:
        self.commands.append(list(command))
        if command[1] == "--version":
            return Done(0, self.version)
        if command[1] == "profile":
            self.measures(environ or {})
            if self.writes:
                Path(f"{_value(command, '--output')}{self.writes}").write_text("raw")
        if command[1] == "-i" and self.imports:
            Path(command[4]).write_text("report")
        if command[1] == "export" and self.exports:
            shutil.copyfile(STORED, _value(command, "--output"))
        return Done(0, "progress\rwords of nsys")

    def nsys(self, importer: str | None = "/x/QdstrmImporter") -> Nsys:
        return Nsys("/x/nsys", importer, self.execute)


def _value(command: Sequence[str], option: str) -> str:
    return next(word.partition("=")[2] for word in command if word.startswith(f"{option}="))


@pytest.fixture
def run_path(tmp_path: Path) -> Path:
    """A stored run of the stored capture's id."""
    trial = make_trial(TRAINING, threads=1)
    return save(replace(make_run(trial), id=str(read(STORED).run)), tmp_path / "out" / "a-run")


def _fake(run_path: Path, **given: object) -> FakeNsys:
    def measures(environ: Mapping[str, str]) -> None:
        Path(environ["JOULEMARK_SAVED_TO"]).write_text(str(run_path))

    return FakeNsys(measures=measures, **given)  # type: ignore[arg-type]


def test_a_capture_is_of_one_case_in_a_spawned_worker_without_sampling(run_path: Path) -> None:
    fake = _fake(run_path)
    options = ["bench_own.py", "--bench-rounds=5", "-x"]
    assert capture_case(CASE, options, fake.nsys(), pytest=["python", "pytest"], gpus=1) == run_path
    command = next(command for command in fake.commands if command[1] == "profile")
    assert "--sample=none" in command
    assert "--trace=cuda,nvtx,cudnn,cublas,osrt" in command
    assert "--cuda-graph-trace=node" in command  # else a replayed graph looks like an idle GPU
    measured = command[command.index("python") :]
    assert measured[:3] == ["python", "pytest", "bench_own.py"]
    assert f"--bench-case={CASE}" in measured
    assert "--bench-start=spawn" in measured
    assert measured.index("--bench-rounds=5") > measured.index("--bench-rounds=3")  # the user's wish comes last


def test_without_a_gpu_nothing_of_cuda_is_traced() -> None:
    assert traces_here(0) == ("nvtx", "osrt")


def test_an_option_for_nsys_replaces_ours(run_path: Path) -> None:
    fake = _fake(run_path)
    given = ["--sample=process-tree", "--trace=nvtx"]
    capture_case(CASE, [], fake.nsys(), nsys_options=given, pytest=["python"], gpus=1)
    command = next(command for command in fake.commands if command[1] == "profile")
    assert [word for word in command if word.startswith(("--sample", "--trace", "--cuda"))] == given


def test_graphs_are_traced_node_by_node_whichever_trace_of_cuda_is_asked_for(run_path: Path) -> None:
    fake = _fake(run_path)
    capture_case(CASE, [], fake.nsys(), nsys_options=["--trace=nvtx,cuda"], pytest=["python"], gpus=1)
    command = next(command for command in fake.commands if command[1] == "profile")
    asked = [word for word in command if word.startswith(("--trace", "--cuda"))]
    assert asked == ["--cuda-graph-trace=node", "--trace=nvtx,cuda"]


def test_the_capture_lies_beside_its_run_and_in_it(run_path: Path) -> None:
    capture_case(CASE, [], _fake(run_path).nsys(), pytest=["python"], gpus=0)
    assert (run_path.parent / "training-cpu-fp32-threads1.nsys-rep").is_file()
    (capture,) = load(run_path).captures
    assert capture.file == "training-cpu-fp32-threads1.nsys-rep"
    assert capture.case == "cpu-fp32-threads1"


def test_a_capture_that_nsys_left_raw_is_imported(run_path: Path) -> None:
    fake = _fake(run_path, writes=".qdstrm")
    capture_case(CASE, [], fake.nsys(), pytest=["python"], gpus=0)
    assert any(command[0] == "/x/QdstrmImporter" for command in fake.commands)
    assert (run_path.parent / "training-cpu-fp32-threads1.nsys-rep").read_text() == "report"


@pytest.mark.parametrize(
    ("given", "importer", "words"),
    [
        ({"writes": ""}, "/x/QdstrmImporter", "wrote no training-cpu-fp32-threads1.nsys-rep"),
        ({"writes": ".qdstrm"}, None, "QdstrmImporter is not there"),
        ({"writes": ".qdstrm", "imports": False}, "/x/QdstrmImporter", "words of nsys"),
        ({"exports": False}, "/x/QdstrmImporter", "could not export"),
    ],
)
def test_what_goes_wrong_is_said_and_the_run_stands(
    run_path: Path, given: dict[str, object], importer: str | None, words: str
) -> None:
    with pytest.raises(MeasurementError, match=words):
        capture_case(CASE, [], _fake(run_path, **given).nsys(importer), pytest=["python"], gpus=0)
    assert load(run_path).captures == ()
    raw = run_path.with_name("training-cpu-fp32-threads1.qdstrm")
    assert raw.is_file() == (given.get("writes") == ".qdstrm")  # kept, to be imported elsewhere


def test_a_pytest_that_measured_nothing_is_said(run_path: Path) -> None:
    with pytest.raises(MeasurementError, match="was not measured"):
        capture_case(CASE, [], FakeNsys().nsys(), pytest=["python"], gpus=0)


def test_forked_workers_are_refused_before_anything_runs() -> None:
    fake = FakeNsys()
    with pytest.raises(UsageError, match="forked"):
        capture_case(CASE, ["--bench-start=fork_server"], fake.nsys(), pytest=["python"], gpus=0)
    with pytest.raises(UsageError, match="forked"):
        capture_case(CASE, ["--bench-start", "fork_server"], fake.nsys(), pytest=["python"], gpus=0)
    assert fake.commands == []


@pytest.mark.parametrize(
    ("version", "words"),
    [("NVIDIA Nsight Systems version 2019.6.1.6-1", "older than"), ("command not found", "does not run")],
)
def test_an_nsys_that_is_too_old_or_does_not_run_is_said(version: str, words: str) -> None:
    with pytest.raises(UnavailableError, match=words):
        FakeNsys(version).nsys().check()


def test_a_missing_nsys_is_said_with_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="apt install nsight-systems"):
        find_nsys(lambda _: None, (str(tmp_path),))


def test_nsys_is_also_found_where_no_path_leads_and_the_newest_is_taken(tmp_path: Path) -> None:
    for version in ("2023.1", "2024.5"):
        for name in ("bin/nsys", "host-linux-x64/QdstrmImporter"):
            file = tmp_path / version / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(0o755)
    nsys = find_nsys(lambda _: None, (str(tmp_path),))
    assert nsys.path == str(tmp_path / "2024.5/bin/nsys")
    assert nsys.importer == str(tmp_path / "2024.5/host-linux-x64/QdstrmImporter")


def test_a_capture_of_another_run_is_refused(run_path: Path, tmp_path: Path) -> None:
    other = save(make_run(make_trial()), tmp_path / "other")
    with pytest.raises(UsageError, match="is a capture of the run"):
        add_capture(STORED, other, None)
    assert load(other).captures == ()
    add_capture(STORED, run_path, None)
    run, _ = add_capture(STORED, run_path.parent, None)  # again: it replaces the one before
    assert [capture.file for capture in run.captures] == [STORED.name]


def test_a_report_needs_nsys_and_an_export_does_not(tmp_path: Path) -> None:
    file = tmp_path / "a.nsys-rep"
    file.touch()
    with pytest.raises(UnavailableError, match="there is no nsys here"):
        read_capture(file, None)
    with pytest.raises(UsageError, match="is not there"):
        read_capture(tmp_path / "b.nsys-rep", None)
    raw = tmp_path / "c.qdstrm"
    raw.write_text("raw")
    assert read_capture(raw, FakeNsys().nsys()).file == "c.qdstrm"
    assert raw.is_file()


# --- the real one ---------------------------------------------------------------------------------------------


def _nvtx_that_is_shown() -> dict[str, str]:
    """The environment in which this machine's nsys shows our ranges; a skip with the reason where there is none.

    JOULEMARK_TEST_NVTX may name a folder with another version of nvtx, for an older nsys.
    """
    try:
        nsys = find_nsys()
        nsys.check()
    except UnavailableError as error:
        pytest.skip(str(error))
    old = os.environ.get("JOULEMARK_TEST_NVTX")
    paths = [path for path in (old, os.environ.get("PYTHONPATH")) if path]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)} if paths else dict(os.environ)

    def execute(command: Sequence[str], given: Mapping[str, str] | None, shown: bool) -> Done:
        return nsys.execute(command, environ if given is None else given, shown)

    try:
        probe(replace(nsys, execute=execute))
    except NoRangesError as error:
        pytest.skip(f"{error} (or name its folder in JOULEMARK_TEST_NVTX)")
    except MeasurementError as error:
        pytest.skip(f"nsys makes no capture here: {error}")
    return environ


@pytest.mark.timeout(240)
def test_a_real_capture_shows_the_ranges_of_a_case_and_agrees_with_its_own_phases(tmp_path: Path) -> None:
    environ = _nvtx_that_is_shown()
    command = [sys.executable, "-m", "joulemark", "nsys", CASE, "--bench-phases", "--nsys=--trace=nvtx"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("out/*/run.json")
    run = load(path)
    (capture,), (trial,) = run.captures, run.trials
    assert (path.parent / capture.file).is_file()
    assert (capture.run, capture.case) == (run.id, str(trial.case))
    assert [caveat.kind.name for caveat in trial.caveats if caveat.kind.name == "PROFILED"] == ["PROFILED"]
    ranges = {one.path[2:]: one for one in capture.ranges}
    case = str(trial.case)
    assert {one.path[:3] for one in capture.ranges if len(one.path) > 2} == {(run.id, "training on cpu", case)}
    (block,) = trial.phases
    assert ranges[case, "phases", "step"].calls == len(block.steps)
    for number, name in enumerate(block.names, start=1):
        shown = ranges[case, "phases", "step", name]
        assert shown.calls == len(block.steps)
        timed_s = median(row[number] for row in block.steps)
        assert shown.median_s == pytest.approx(timed_s, rel=0.1, abs=50e-6), name
    rounds = {sample.round for sample in trial.samples}
    for number in rounds:
        steps = sum(sample.steps for sample in trial.samples if sample.round == number)
        assert ranges[case, f"round {number + 1}", "step"].calls == steps + 1  # the first is dropped
    assert ranges[case, "build"].median_s == pytest.approx(trial.lives[0].build_s, rel=0.1)
    report = path.with_name("report.html").read_text()
    assert "joulemark" in report.lower()
    assert capture.file in report
    stats = _stats(path.parent / capture.file, tmp_path)
    assert "joulemark:step" in stats.replace(":joulemark:", "joulemark:")


def _stats(report: Path, folder: Path) -> str:
    """What nsys itself prints of the ranges, by the name its version has for the table."""
    copy = shutil.copy(report, folder / "stats.nsys-rep")
    for name in ("nvtxsum", "nvtx_sum"):
        command = [find_nsys().path, "stats", "--report", name, str(copy)]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        if "step" in said:
            return said
    return ""
