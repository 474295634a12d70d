from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.storage import save
from reports import markdown
from reports.cli import report
from reports.document import compose
from reports.files import append_github_summary, write_benchmark_json, write_tensorboard
from tests.reports.example import HOSTILE, example_run, run_saying


def test_pytest_benchmark_compares_what_was_exported(tmp_path: Path) -> None:
    path = tmp_path / "0001_run.json"
    write_benchmark_json(example_run(), path)
    command = [sys.executable, "-m", "pytest_benchmark", "compare", str(path), "--columns=min,median,rounds"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "inference[cpu-fp32-compile]" in done.stdout
    assert "training[cpu-amp_bf16]" in done.stdout


def test_the_exported_samples_are_those_that_were_measured(tmp_path: Path) -> None:
    run = example_run()
    write_benchmark_json(run, tmp_path / "a.json")
    stored = {each["fullname"]: each for each in json.loads((tmp_path / "a.json").read_text())["benchmarks"]}
    for trial in run.trials:
        name = f"joulemark::{trial.case.name}"
        times = [sample.step_s for sample in trial.samples]
        assert (name in stored) == bool(times)
        if times:
            assert stored[name]["stats"]["data"] == times
            assert stored[name]["stats"]["rounds"] == len(times)


def test_what_is_struck_says_so_and_a_copy_is_left_out(tmp_path: Path) -> None:
    run = example_run()
    copy = replace(run.trials[0], case=replace(run.trials[0].case, copy=1))
    write_benchmark_json(replace(run, trials=(*run.trials, copy)), tmp_path / "a.json")
    stored = json.loads((tmp_path / "a.json").read_text())["benchmarks"]
    assert len({each["name"] for each in stored}) == len(stored) == 12  # one of the thirteen failed
    struck = {each["name"] for each in stored if each["extra_info"]["status"] == "struck"}
    assert struck == {"training[cpu-fp32-threads1]", "inference[cpu-int8]"}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_text_in_the_export(text: str, tmp_path: Path) -> None:
    write_benchmark_json(run_saying(text), tmp_path / "a.json")
    stored = json.loads((tmp_path / "a.json").read_text())
    assert all("\n" not in each["name"] and "\x1b" not in each["name"] for each in stored["benchmarks"])


def test_the_summary_of_a_step_is_appended_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "summary.md"
    target.write_text("before", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target))
    document = compose(example_run())
    assert append_github_summary(document) == target
    assert target.read_text(encoding="utf-8") == f"before\n{markdown.render(document)}"
    save(example_run(), tmp_path / "run")
    assert report([str(tmp_path / "run"), "--github-summary"]) == 0
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["run.json"]


def test_a_summary_that_is_full_gets_the_short_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "summary.md"
    target.write_bytes(b"x" * (2**20 - 5000))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target))
    append_github_summary(compose(example_run()))
    assert target.stat().st_size < 2**20
    assert "**Verdict.**" in target.read_text(encoding="utf-8")


def test_outside_of_a_step_there_is_no_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    with pytest.raises(UsageError, match="GITHUB_STEP_SUMMARY is not set"):
        append_github_summary(compose(example_run()))


def test_tensorboard_reads_scalars_and_hyperparameters(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs the extra tensorboard")
    code = (
        "import sys, json; from pathlib import Path\n"
        "from reports.export_tensorboard import write\n"
        "from tests.reports.example import example_run\n"
        "write(example_run(), Path(sys.argv[1]))\n"
        "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n"
        "found = {}\n"
        "for folder in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    events = EventAccumulator(str(folder)); events.Reload()\n"
        "    tags = events.Tags()['scalars']\n"
        "    found[folder.name] = {tag: [e.value for e in events.Scalars(tag)] for tag in tags}\n"
        "    assert '_hparams_/session_start_info' in events.summary_metadata, events.summary_metadata\n"
        "print(json.dumps(found))\n"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) == 13
    first = next(tags for name, tags in found.items() if name.endswith("training-cpu-fp32"))
    assert first["throughput (images per s)"] == [pytest.approx(32 / 0.0621, rel=0.01)]
    assert len(first["throughput by wave (images per s)"]) == 6


@pytest.mark.parametrize("text", HOSTILE)
def test_every_case_has_a_folder_of_its_own_whatever_it_is_called(text: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs the extra tensorboard")
    run = run_saying(text)
    write_tensorboard(run, tmp_path / "events")
    folders = sorted(tmp_path.rglob("*"))
    assert len(list((tmp_path / "events").iterdir())) == len(run.trials)
    assert all(path.name.isascii() and path.resolve().is_relative_to(tmp_path) for path in folders)


def test_without_tensorboard_the_message_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['tensorboard'] = None\n"
        "from reports.cli import report\n"
        "sys.exit(report([sys.argv[1], '--tensorboard', sys.argv[1] + '/events']))\n"
    )
    save(example_run(), tmp_path)
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "pip install 'joulemark[tensorboard]'" in done.stderr
