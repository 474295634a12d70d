"""What is measured, as chosen on the command line: grids, and backends from outside; in whole pytest sessions."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import load

SUITES = Path(__file__).parents[2] / "suites"
TINY = """
import torch

class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 4, 3, stride=2)
        self.head = torch.nn.Linear(4, 10)

    def forward(self, images):
        return self.head(self.convolution(images).relu().mean(dim=(2, 3)))
"""
BACKEND = """
from bench import Proof, UnavailableError
from suites.backends import Ready

def ready(model, brief):
    if brief.training:
        raise UnavailableError("mine only infers", "measure inference alone, -k inference")
    calls = []

    def forward(images):
        calls.append(len(images))
        return model(images)

    return Ready(forward, lambda operations: [Proof("backend", "mine", "mine" if calls else "not called")])
"""


def _run(pytester: pytest.Pytester, *arguments: str, suites: tuple[str, ...] = ("inference",)) -> pytest.RunResult:
    return pytester.runpytest_subprocess(
        "--benchmark-only",
        *(str(SUITES / f"bench_{name}.py") for name in suites),
        *(f"--rootdir={pytester.path}", "-p", "no:cacheprovider", "--bench-waves=2", "--bench-rounds=3"),
        *("--bench-model=tiny:Tiny", "--bench-data=synthetic:3x8x8", "--bench-input=3x8x8"),
        *arguments,
    )


@pytest.fixture(autouse=True)
def _tiny_model_and_own_cache(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(tiny=TINY)
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "cache"))


def test_a_grid_is_announced_with_what_is_left_out_before_anything_is_measured(pytester: pytest.Pytester) -> None:
    axes = ("--bench-axis=device=cpu", "--bench-axis=batch=1,8", "--bench-axis", "backend=eager,compile")
    result = _run(pytester, *axes, "--bench-axis=cudnn_benchmark=on,off", "--collect-only")
    result.stdout.fnmatch_lines(
        [
            "joulemark: 5 cases in 1 group, 2 waves of 3 rounds, *",
            "joulemark: left out 4 cases: cuDNN convolves on CUDA devices only",
            "joulemark: added cpu-fp32: what everything on that device is compared with",
            "joulemark: it may take about * minute*: an estimate, *",
        ]
    )
    assert not list(pytester.path.glob("out/*"))


def test_the_project_file_may_hold_a_grid_and_the_command_line_replaces_it(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml(
        "[tool.joulemark]\naxis = {device = 'cpu', onednn = [true, false]}\n[tool.pytest.ini_options]\n"
    )
    result = _run(pytester, "--collect-only", "-q")
    result.stdout.fnmatch_lines(["*test_inference[[]cpu-fp32]", "*test_inference[[]cpu-fp32-no_onednn]"])
    result = _run(pytester, "--collect-only", "-q", "--bench-axis=device=cpu", "--bench-axis=threads=1")
    result.stdout.no_fnmatch_line("*no_onednn*")
    result.stdout.fnmatch_lines(["*test_inference[[]cpu-fp32-threads1]"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--bench-axis=bach=1"], "--bench-axis bach=1: there is no axis 'bach'; choose one of device, *"),
        (["--bench-axis=precision=fp99"], "the classifier knows no precision 'fp99'; choose one of *"),
        (["--bench-backend=mine"], "--bench-backend mine: * give NAME=module:function or NAME=file.py:function"),
        (["--bench-backend=mine=no.py:ready"], "--bench-backend mine=no.py:ready: there is no file no.py; *"),
        (["--bench-backend=mine=broken.py:ready"], "backend 'mine': * cannot be imported (ValueError: half*); mend *"),
        (["--bench-backend=mine=tiny:ready"], "backend 'mine': tiny has no function ready; define def ready(*"),
        (["--bench-backend=eager=tiny:Tiny"], "backend 'eager' is one of Joulemark's own; give yours another name"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence_and_nothing_is_measured(
    arguments: list[str], sentence: str, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(broken="raise ValueError('half written')")
    result = _run(pytester, *arguments, "-k", "cpu-fp32]")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {sentence}"])
    assert "Traceback" not in result.stderr.str()
    assert not list(pytester.path.glob("out/*"))


def test_a_backend_from_outside_is_one_file_and_one_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(own_backend=BACKEND)
    (pytester.mkdir("elsewhere") / "other.py").write_text(BACKEND)
    mine = ("inference and cpu-fp32]", "inference and cpu-fp32-mine", "inference and cpu-fp32-filed")
    selected = " or ".join((*mine, "training and cpu-fp32-mine"))
    result = _run(
        pytester,
        *("--bench-backend=mine=own_backend:ready", "--bench-backend=filed=elsewhere/other.py:ready"),
        *("-k", selected, "--bench-waves=1", "--bench-rounds=1"),
        suites=("inference", "training"),
    )
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["skipped"]) == (3, 1)
    (path,) = pytester.path.glob("out/*/run.json")
    run = load(path)
    names = [trial.case.name for trial in run.trials]
    assert names == ["inference[cpu-fp32]", "inference[cpu-fp32-mine]", "inference[cpu-fp32-filed]"]
    for trial in run.trials[1:]:
        assert trial.honoured
        assert "mine" in [proof.observed for proof in trial.proofs]
    (skip,) = run.skips
    assert (skip.case.name, skip.reason) == ("training[cpu-fp32-mine]", "mine only infers")


def test_latency_is_measured_and_reported_by_its_quantiles(pytester: pytest.Pytester) -> None:
    result = _run(pytester, "--bench-axis=device=cpu", "--bench-axis=threads=1", suites=("latency",))
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*latency on cpu*", "*case * p50 * p99 *", "cpu-fp32-batch1 *"])
    (path,) = pytester.path.glob("out/*/run.json")
    assert all(len(trial.samples) >= 300 for trial in load(path).trials)
