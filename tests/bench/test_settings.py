"""A case's settings are its own: whatever was set outside before, the worker sets and reads back."""

from __future__ import annotations

import subprocess
import sys

import pytest

_CHECK = """
import os, torch
torch.set_num_threads(1)
torch.backends.cudnn.benchmark = True
torch.backends.fp32_precision = "tf32"
torch.backends.cudnn.enabled = False
torch.backends.cudnn.deterministic = True
torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
torch.backends.mkldnn.set_flags(False)
torch.use_deterministic_algorithms(True)
from bench import Variant
from bench.workers import settings
variant = Variant.of({axes})
settings.apply(variant, seed=0)
flags, proofs = settings.read_back(variant)
assert all(proof.honoured for proof in proofs), proofs
print(dict(flags))
"""


def _flags_after(axes: str, **environment: str) -> dict[str, str]:
    result = subprocess.run(
        [sys.executable, "-c", _CHECK.replace("{axes}", axes)],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path), **environment},
    )
    flags = eval(result.stdout)  # noqa: S307 - our own output
    assert isinstance(flags, dict)
    return flags


def test_global_defaults_flipped_outside_do_not_reach_the_case() -> None:
    flags = _flags_after(
        "",
        OMP_NUM_THREADS="1",
        NVIDIA_TF32_OVERRIDE="1",
        TORCH_ALLOW_TF32_CUBLAS_OVERRIDE="1",
        CUBLAS_WORKSPACE_CONFIG=":16:8",
        PYTORCH_TUNABLEOP_ENABLED="1",
        TORCHINDUCTOR_MAX_AUTOTUNE="1",
    )
    assert flags["onednn"] == "on"
    assert flags["cudnn"] == "on"
    assert flags["NVIDIA_TF32_OVERRIDE"] == flags["CUBLAS_WORKSPACE_CONFIG"] == "unset"
    assert flags["PYTORCH_TUNABLEOP_ENABLED"] == flags["TORCHINDUCTOR_MAX_AUTOTUNE"] == "unset"
    assert flags["cudnn.deterministic"] == "off"
    assert flags["cuda.matmul.allow_fp16_reduced_precision_reduction"] == "on"
    assert flags["cudnn_benchmark"] == "off"
    assert flags["deterministic"] == "off"
    assert {value for name, value in flags.items() if name.endswith("fp32_precision")} == {"ieee"}
    assert int(flags["threads"]) >= 1


@pytest.mark.parametrize(
    ("axes", "wanted"),
    [
        ("threads=1, onednn=False", {"threads": "1", "onednn": "off", "cudnn": "on"}),
        ("cudnn_benchmark=True", {"cudnn_benchmark": "on", "deterministic": "off"}),
        (
            "cudnn=False, deterministic=True",
            {"cudnn": "off", "deterministic": "on", "cudnn.deterministic": "on", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"},
        ),
        (
            'device="cuda:0", precision="tf32"',
            {
                "cudnn.conv.fp32_precision": "tf32",
                "cuda.matmul.fp32_precision": "tf32",
                "mkldnn.conv.fp32_precision": "ieee",
            },
        ),
    ],
)
def test_an_axis_is_set_and_read_back(axes: str, wanted: dict[str, str]) -> None:
    flags = _flags_after(axes)
    assert {name: flags[name] for name in wanted} == wanted


def test_what_is_set_behind_the_back_of_a_case_is_reported_as_not_honoured() -> None:
    check = _CHECK.replace("{axes}", "").replace(
        "flags, proofs =",
        'os.environ["NVIDIA_TF32_OVERRIDE"] = "1"\n'
        "torch.backends.cudnn.benchmark = True\n"
        'torch.backends.mkldnn.matmul.fp32_precision = "bf16"\n'
        "flags, proofs =",
    )
    check = check.replace("assert all(proof.honoured for proof in proofs), proofs", "").replace(
        "print(dict(flags))", "print([proof.fact for proof in proofs if not proof.honoured])"
    )
    result = subprocess.run(
        [sys.executable, "-c", check],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path)},
    )
    facts = "['cudnn_benchmark', 'mkldnn.matmul.fp32_precision', 'NVIDIA_TF32_OVERRIDE']"
    assert result.stdout.strip() == facts


@pytest.mark.parametrize(("precision", "allowed"), [("fp32", False), ("tf32", True)])
def test_the_older_switches_can_still_be_read_and_say_the_same(precision: str, allowed: bool) -> None:
    check = _CHECK.replace("{axes}", f'precision="{precision}"').replace(
        "print(dict(flags))",
        "print([torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32])",
    )
    environment = {"PATH": "", "PYTHONPATH": ":".join(sys.path)}
    result = subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, text=True, env=environment)
    assert result.stdout.strip() == str([allowed, allowed])
