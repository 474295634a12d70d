from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.pricebook import read_prices
from bench.storage import save
from reports.cli import report, show
from reports.console import render
from reports.document import compose
from reports.text import one_line
from tests.factories import make_run, make_trial
from tests.reports.example import HOSTILE, example_run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """The folder of a stored run."""
    folder = tmp_path / "run"
    save(example_run(), folder)
    return folder


def fresh(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a new interpreter does with this code."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("place", ["", "run.json"])
def test_show_prints_the_tables_of_a_folder_or_its_file(
    stored: Path, place: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert show([str(stored / place)]) == 0
    assert capsys.readouterr().out == render(compose(example_run(), read_prices()), 80)


def test_report_writes_beside_the_run_when_nothing_else_is_asked(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report([str(stored / "run.json")]) == 0
    assert sorted(path.name for path in stored.iterdir()) == ["report.html", "report.md", "run.json"]
    assert capsys.readouterr().out.splitlines() == [str(stored / "report.html"), str(stored / "report.md")]


def test_several_runs_are_shown_without_money_and_say_so(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = save(replace(example_run(), id="later"), stored.parent.parent / "later").parent
    assert show([str(stored), str(other), "--utilisation", "40%"]) == 2
    assert "--utilisation: several runs are shown without money; ask joulemark report" in capsys.readouterr().err


def test_a_folder_of_runs_is_its_latest(
    stored: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = stored.parent / "runs"
    for name in ("20261128-1", "20261129-1", "20261127-1"):
        save(replace(example_run(), id=name), runs / name)
    latest = runs / "20261129-1"
    assert report([str(runs)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(latest / "report.html"), str(latest / "report.md")]
    assert show([str(runs)]) == 0
    assert "Run 20261129-1" in capsys.readouterr().out
    save(replace(example_run(), id="later"), stored.parent / "others" / "20261128-1")
    assert show([str(stored.parent / "others"), str(stored)]) == 0
    monkeypatch.chdir(stored.parent)
    assert report([str(stored.parent / "others"), str(stored), "--csv", "both.csv"]) == 0


def test_report_writes_what_is_named_and_nothing_else(stored: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "figures.csv"
    assert report([str(stored), "--csv", str(target)]) == 0
    assert target.read_text(encoding="utf-8").startswith("run,started,workload,")
    assert [path.name for path in stored.iterdir()] == ["run.json"]


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (None, "is not there"),
        (b"", "is not a run of Joulemark"),
        (b"{", "is not a run of Joulemark"),
        (b'{"some": "json"}', "is not a run of Joulemark"),
        (b'{"schema": 999, "id": "x"}', "has schema 999"),
        (b'{"schema": 1, "id": "x"}', "is damaged"),
        (b"\xff\xfe\x00", "is not a run of Joulemark"),
    ],
)
@pytest.mark.parametrize("verb", [show, report])
def test_a_file_that_is_no_run_gets_one_line_that_names_it(
    verb: object, content: bytes | None, trouble: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.json"
    if content is not None:
        path.write_bytes(content)
    assert callable(verb)
    assert verb([str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"joulemark: {path} {trouble}")


def test_a_place_that_cannot_be_written_gets_one_line_that_names_it(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = stored / "run.json" / "report.html"
    assert report([str(stored), "--html", str(blocked)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(blocked) in line


def test_figures_that_no_measurement_gives_get_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(make_run(make_trial(waves=1, rounds=1, wobble=0.0)), tmp_path)
    path.write_text(path.read_text().replace(",0.02,", ",7e307,"))
    assert show([str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"joulemark: {path} is damaged")
    assert "that is no evidence" in line


def test_show_imports_neither_torch_nor_pandas_nor_matplotlib(stored: Path) -> None:
    code = (
        "import sys; from reports.cli import show; status = show(sys.argv[1:]);"
        "heavy = {'torch', 'pandas', 'matplotlib', 'suites', 'bench.instruments'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else status)"
    )
    done = fresh(code, str(stored))
    assert (done.returncode, done.stderr) == (0, "")


def test_report_imports_neither_torch_nor_suites(stored: Path) -> None:
    code = (
        "import sys; from reports.cli import report; status = report([*sys.argv[1:], '--csv', sys.argv[1] + '/a.csv']);"
        "heavy = {'torch', 'suites', 'bench.instruments'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else status)"
    )
    done = fresh(code, str(stored))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_listening_plugin_is_cheap_to_import() -> None:
    code = (
        "import sys, reports.plugin;"
        "sys.exit(str({'torch', 'pandas', 'matplotlib', 'rich.console', 'jinja2'} & set(sys.modules) or '') or 0)"
    )
    done = fresh(code)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_who_closes_the_pipe_early_is_no_trouble(stored: Path) -> None:
    code = "import sys; from reports.cli import show; sys.exit(show(sys.argv[1:]))"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(stored)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_a_terminal_without_unicode_is_no_trouble(stored: Path) -> None:
    code = "import sys; from reports.cli import show; sys.exit(show(sys.argv[1:]))"
    done = fresh(code, str(stored), PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "? baseline" in done.stdout


@pytest.mark.parametrize("text", [text for text in HOSTILE if text])
def test_a_variant_that_is_called_what_none_may_be_is_refused_in_one_line(
    text: str, stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = stored / "run.json"
    run = json.loads(path.read_text(encoding="utf-8"))
    for trial in run["trials"]:
        trial["case"]["variant"]["axes"].append(["own", text])
    path.write_text(json.dumps(run), encoding="utf-8")
    other = tmp_path / "other"
    save(example_run(), other)
    for places in ([str(stored)], [str(stored), str(other)]):
        assert show(places) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert len(shown.err.splitlines()) == 1
        assert one_line(shown.err.rstrip("\n")) == shown.err.rstrip("\n")


def test_many_runs_are_shown_without_what_takes_long_to_load(tmp_path: Path) -> None:
    places = [str(save(replace(example_run(), id=str(number)), tmp_path / str(number))) for number in range(9)]
    code = (
        "import sys; from reports.cli import show; status = show(sys.argv[1:])\n"
        "print([name for name in ('pytest', 'scipy', 'pandas', 'matplotlib', 'torch') if name in sys.modules])\n"
        "sys.exit(status)\n"
    )
    done = fresh(code, *places)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
