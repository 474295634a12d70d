"""What the README shows is what happens: its suite runs, its table is that of a stored run, its options exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench import AXES, load
from reports import console
from reports.document import compose
from suites.choice import known_values

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def _block(language: str) -> str:
    match = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert match is not None
    return match[1]


def test_the_suite_of_the_readme_measures_a_module_beside_the_shipped_ones(pytester: pytest.Pytester) -> None:
    code = _block("python")
    assert 12 <= len(code.splitlines()) <= 18
    suite = pytester.makepyfile(bench_layers=code)
    shipped = ROOT / "suites" / "bench_inference.py"
    result = pytester.runpytest_subprocess(
        "--benchmark-only",
        *("-k", "layer or inference and cpu-fp32]", "-p", "no:cacheprovider"),
        *("--bench-waves=2", "--bench-rounds=3", "--bench-data=synthetic:3x32x32"),  # nothing to train first
        *(f"--rootdir={pytester.path}", str(suite), str(shipped)),
    )
    assert result.parseoutcomes()["passed"] == 3
    (path,) = pytester.path.glob("out/*/run.json")
    names = [trial.case.name for trial in load(path).trials]
    assert names == ["layer[cpu-fp32-width512]", "layer[cpu-fp32-threads1-width512]", "inference[cpu-fp32]"]


def test_the_tables_of_the_readme_are_those_of_the_stored_run() -> None:
    text = console.render(compose(load(ROOT / "docs" / "example-run")), 80)
    parts = _block("text").strip().split("\n\n")
    assert len(parts) >= 3
    for part in parts:
        assert part in text


def test_every_option_of_the_readme_exists(pytester: pytest.Pytester) -> None:
    shown = set(re.findall(r"--bench-[a-z-]*[a-z]", README))
    known = set(re.findall(r"--bench-[a-z-]*[a-z]", pytester.runpytest_subprocess("--help").stdout.str()))
    assert shown <= known
    assert len(shown) > 8


def test_the_axes_of_the_readme_are_those_there_are() -> None:
    table = README.partition("| axis | values |")[2].partition("\n\n")[0]
    lines = re.findall(r"^\| (`[a-z_`, ]+`) \| (.*) \|$", table, re.MULTILINE)
    named = {name: values for names, values in lines for name in re.findall(r"`(\w+)`", names)}
    assert set(named) == set(AXES)
    for name, known in known_values().items():
        values = re.findall(r"`(\w+)`", named[name])
        assert values[0] == AXES[name]
        assert set(values) == known


def test_the_commands_of_the_readme_are_those_of_continuous_integration() -> None:
    commands = re.findall(r"^\$ (.*)$", README, re.MULTILINE)
    assert ".venv/bin/pytest --benchmark-only" in commands[0]
    assert commands[1].endswith(".venv/bin/pytest tests")
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith(".venv/bin/pytest tests")
