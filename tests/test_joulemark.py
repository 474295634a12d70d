"""The face, seen from outside: in fresh interpreters, in other people's projects, at the command line."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

import joulemark

STARTS = {
    "python -m pytest": ("-m", "pytest"),
    "pytest": ("-P", "-c", "import pytest, sys; sys.exit(pytest.console_main())"),
}
THEIRS = "OWNER = 'the project'\n"
TEST = "import {name}\ndef test_own(): assert {name}.OWNER == 'the project'\n"

#: Projects with a name of ours: files, and the path that the notice must give.
RIVALS = {
    "a package at the root": (
        {"conftest.py": "", "bench/__init__.py": THEIRS, "tests/test_own.py": TEST.format(name="bench")},
        "bench/__init__.py",
    ),
    "a package of tests": (
        {"tests/bench/__init__.py": THEIRS, "tests/bench/test_own.py": TEST.format(name="bench")},
        "tests/bench/__init__.py",
    ),
    "a package of tests, deep": (
        {"a/b/c/bench/__init__.py": THEIRS, "a/b/c/bench/test_own.py": TEST.format(name="bench")},
        "a/b/c/bench/__init__.py",
    ),
    "a module at the root": (
        {"conftest.py": "", "reports.py": THEIRS, "tests/test_own.py": TEST.format(name="reports")},
        "reports.py",
    ),
    "a module beside the tests": (
        {"tests/reports.py": THEIRS, "tests/test_own.py": TEST.format(name="reports")},
        "tests/reports.py",
    ),
    "a package in src": (
        {"src/suites/__init__.py": THEIRS, "tests/test_own.py": TEST.format(name="suites")},
        "src/suites/__init__.py",
    ),
    "a package where pythonpath points": (
        {"python/suites/__init__.py": THEIRS, "tests/test_own.py": TEST.format(name="suites")},
        "python/suites/__init__.py",
    ),
}

#: Names that look like ours and cannot be mixed up with them, each for a reason of its own.
NEIGHBOURS = {
    "tests/__init__.py": "",  # a package inside another
    "tests/bench/__init__.py": "",
    "tests/bench/test_x.py": "",
    "reports/figures.csv": "",  # a folder without code
    "scripts/bench.py": "",  # a script without tests beside it
    "node_modules/bench/__init__.py": "",  # nothing of the project's
    ".hidden/bench/__init__.py": "",
    "env/pyvenv.cfg": "",
    "env/lib/bench/__init__.py": "",
}


def write(folder, files):
    config = {"pyproject.toml": "[tool.pytest]\npythonpath = ['src', 'python']\nfilterwarnings = ['error']\n"}
    for name, text in {**config, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def python(*arguments, cwd, **variables):
    """What a fresh interpreter says to these arguments."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**environment, "COLUMNS": "200", **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# --- as a plugin ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("project", RIVALS)
def test_a_project_with_a_name_of_ours_keeps_it(tmp_path, project, start):
    files, place = RIVALS[project]
    result = python(*STARTS[start], cwd=write(tmp_path, files))
    assert "1 passed" in result.stdout, result.stdout + result.stderr
    [notice] = [line for line in result.stdout.splitlines() if "joulemark:" in line]
    assert notice.startswith(f"joulemark: not loaded, since {place} bears a name of Joulemark's own; rename it")


def test_a_test_named_on_the_command_line_from_elsewhere_finds_its_own_package(tmp_path):
    project = write(tmp_path / "project", RIVALS["a package of tests"][0])
    result = python(*STARTS["pytest"], f"{project}/tests/bench/test_own.py::test_own", cwd=tmp_path)
    assert "1 passed" in result.stdout, result.stdout + result.stderr
    assert "joulemark: not loaded" in result.stdout


def test_a_project_with_a_name_of_ours_can_hide_the_notice(tmp_path):
    write(tmp_path, RIVALS["a package at the root"][0])
    result = python(*STARTS["pytest"], "-p", "no:joulemark", cwd=tmp_path)
    assert "1 passed" in result.stdout
    assert "joulemark:" not in result.stdout


@pytest.mark.parametrize("files", [{}, NEIGHBOURS], ids=["plain", "lookalike"])
def test_a_project_without_a_name_of_ours_can_measure(tmp_path, files):
    result = python(*STARTS["pytest"], "--fixtures", cwd=write(tmp_path, files))
    assert "\nmeasure -- " in result.stdout, result.stdout + result.stderr
    assert "joulemark: not loaded" not in result.stdout


def test_the_plugin_stays_out_too_where_it_is_named(tmp_path):
    write(tmp_path, RIVALS["a package at the root"][0])
    result = python(*STARTS["pytest"], "-p", "joulemark", cwd=tmp_path)
    assert "1 passed" in result.stdout, result.stdout + result.stderr
    assert result.stdout.count("joulemark: not loaded") == 1


def test_the_plugin_may_be_named_though_it_is_installed(tmp_path):
    result = python(*STARTS["python -m pytest"], "-p", "joulemark", "-p", "bench.plugin", "--fixtures", cwd=tmp_path)
    assert "\nmeasure -- " in result.stdout, result.stdout + result.stderr


def test_the_plugin_may_be_passed_by_a_program(tmp_path):
    program = "import pytest, sys; sys.exit(pytest.main(['--fixtures'], plugins=['joulemark']))"
    result = python("-c", program, cwd=tmp_path)
    assert "\nmeasure -- " in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("joulemark", ("bench", "reports", "suites", "pytest", "torch", "pandas", "scipy", "numpy")),
        ("joulemark, bench, bench.plugin", ("torch", "pandas", "scipy", "matplotlib", "suites", "reports")),
        ("reports.plugin, reports.cli", ("torch", "pandas", "matplotlib", "suites", "bench.instruments")),
    ],
)
def test_importing_us_imports_nothing_heavy(tmp_path, modules, heavy):
    program = f"import {modules}, sys; print([name for name in {heavy} if name in sys.modules])"
    result = python("-c", program, cwd=tmp_path)
    assert (result.stdout, result.stderr) == ("[]\n", "")


# --- as a command --------------------------------------------------------------------------------------------


def test_help_names_every_verb(capsys):
    assert joulemark.main(["--help"]) == 0
    output = capsys.readouterr().out
    assert [verb for verb in joulemark.VERBS if f"  {verb} " not in output] == []


def test_no_verb_at_all_is_answered_with_the_help(capsys):
    assert joulemark.main([]) == 0
    assert capsys.readouterr().out.startswith("usage: joulemark VERB")


def test_the_version_is_printed(capsys):
    assert joulemark.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("joulemark 0.")


def test_an_unknown_verb_is_refused_in_one_line(capsys):
    assert joulemark.main(["shwo"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert (
        output.err == "joulemark: no such verb: shwo; "
        "choose from run, nsys, recover, doctor, show, compare, report, recommend, prices, or see joulemark --help\n"
    )


@pytest.mark.parametrize("verb", joulemark.VERBS)
def test_every_verb_is_there(verb):
    module, _, function = joulemark.VERBS[verb][0].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("verb", joulemark.VERBS)
def test_every_verb_explains_itself(verb, tmp_path):
    result = python("-m", "joulemark", verb, "--help", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"usage: joulemark {verb} ")


def test_a_hidden_bench_is_refused_in_one_line(tmp_path):
    write(tmp_path, {"bench.py": ""})
    result = python("-m", "joulemark", "show", "out", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    [line] = result.stderr.splitlines()
    assert line.startswith(f"joulemark: {tmp_path}/bench.py bears a name of Joulemark's own")


def test_run_takes_the_installed_suites_from_any_folder(tmp_path):
    write(tmp_path, {"conftest.py": "raise RuntimeError('not mine to load')", "bench_mine.py": "def test_x(): pass"})
    result = python("-P", "-m", "joulemark", "run", "--collect-only", "-q", "-k", "inference", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    cases = [line for line in result.stdout.splitlines() if "::" in line]
    assert "suites/bench_inference.py::test_inference[cpu-fp32]" in cases
    assert [case for case in cases if not case.startswith("suites/bench_inference.py::")] == []


@pytest.mark.parametrize("path", ["bench_mine.py", "mine", "mine/bench_mine.py::test_x"])
def test_run_takes_the_paths_that_come_first_instead(tmp_path, path):
    measured = "def test_x(benchmark): benchmark.pedantic(int, rounds=1)\n"
    write(tmp_path, {"bench_mine.py": measured, "mine/bench_mine.py": measured})
    result = python("-P", "-m", "joulemark", "run", path, "--bench-rounds", "2", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 passed" in result.stdout


def test_run_passes_on_how_it_ended(tmp_path):
    write(tmp_path, {"bench_mine.py": "def test_x(benchmark): benchmark.pedantic(int, rounds=1); assert False\n"})
    assert python("-P", "-m", "joulemark", "run", "bench_mine.py", cwd=tmp_path).returncode == 1
    assert python("-P", "-m", "joulemark", "run", "bench_mine.py", "--no-such-option", cwd=tmp_path).returncode == 4
