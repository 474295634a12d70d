"""The real ``pynvml`` over a stand-in library: what is read, what is said where something cannot be."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
GPUS = [f"GPU-0000000{n}-aaaa-bbbb-cccc-0123456789ab" for n in range(2)]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of every scene, see nvml_scenes.py; played once, in a process that loads the stand-in."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("there is no C compiler to build the stand-in for NVIDIA's library with")
    library = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
    flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1"]
    subprocess.run([compiler, *flags, "-o", str(library), str(HERE / "nvml_stand_in.c"), "-lm"], check=True)
    played = subprocess.run(
        [sys.executable, "-m", "tests.bench.nvml_scenes", str(library)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert played.returncode == 0, played.stderr
    return json.loads(played.stdout)


def test_a_steady_block_after_five_times_the_power_is_within_a_percent_by_the_counter(scenes):
    for row in scenes["steady_blocks"]:
        assert abs(row["counter"]) < 0.01, row


def test_a_steady_block_is_within_a_percent_by_polling(scenes):
    for row in scenes["steady_blocks"]:
        assert abs(row["power"]) < 0.01, row


def test_the_same_blocks_read_at_both_ends_are_off_by_several_percent(scenes):
    worst = {
        (step_s, late_s): max(
            abs(row["naive"]) for row in scenes["steady_blocks"] if (row["step_s"], row["late_s"]) == (step_s, late_s)
        )
        for step_s in (0.02, 0.1)
        for late_s in (0.0, 0.05)
    }
    assert min(worst.values()) > 0.03
    assert worst[0.1, 0.05] > 0.2


def test_the_truth_of_any_window_lies_in_its_stated_interval(scenes):
    assert {row["load"] for row in scenes["windows"]} == {0, 1, 2}
    for row in scenes["windows"]:
        assert row["within"] == {"counter": True, "power": True}, row


def test_the_interval_of_a_window_is_narrow_by_the_counter(scenes):
    widths = sorted(row["half_width"]["counter"] for row in scenes["windows"])
    assert widths[len(widths) // 2] < 0.1


def test_the_same_windows_read_at_both_ends_are_off_by_several_percent_and_do_not_say_so(scenes):
    assert max(abs(row["naive"]) for row in scenes["windows"]) > 0.03


def test_gpus_are_listed_with_driver_and_power_limit(scenes):
    assert scenes["listing"] == {"driver": "999.1", "uuids": GPUS, "limit_w": 700.0, "same": True, "why": None}


@pytest.mark.parametrize(("code", "word"), [("12", "Not Found"), ("9", "Not Loaded"), ("4", "Permission")])
def test_a_library_that_does_not_start_is_named_with_its_reason_and_fix(scenes, code, word):
    traces, reason, fix, why = scenes["refused"][code]
    assert traces == 0
    assert word in reason
    assert fix
    assert why[0] == reason


def test_without_a_counter_power_is_read(scenes):
    told = scenes["lacking"]["no counter"]
    assert told["sources_used"] == ["nvml instant power"]
    assert told["energy_j"] == pytest.approx(10.0, rel=0.01)


def test_without_instant_power_the_plain_reading_checks_the_counter(scenes):
    told = scenes["lacking"]["no instant power"]
    assert told["sources"] == ["nvml counter", "nvml average power"]
    assert told["sources_used"] == ["nvml counter"]


def test_without_power_there_is_the_counter_alone(scenes):
    assert scenes["lacking"]["no power"]["sources"] == ["nvml counter"]


def test_a_gpu_with_neither_is_named_and_has_no_number(scenes):
    told = scenes["lacking"]["nothing"]
    assert told["energy_j"] is None
    assert told["caveats"]["no_sensor"]["component"] == GPUS[0]
    assert "Not Supported" in told["caveats"]["no_sensor"]["reason"]


def test_a_state_that_may_not_be_asked_for_is_unknown_and_no_trouble(scenes):
    told = scenes["forbidden"]
    assert told["state"] == [None] * 8
    assert told["looks"] >= 10
    assert told["caveats"] == {}


def test_a_gpu_lost_in_mid_run_costs_the_blocks_after_and_is_named(scenes):
    told = scenes["lost"]
    assert max(told["last_s"]) <= 103.5
    assert told["troubles"] == ["lost", "lost"]
    assert told["ledger"] == ["lost"]
    assert told["blocks"] == 1
    assert told["energy_j"] == pytest.approx(10.0, rel=0.01)
    assert "lost" in told["caveats"]["sensor_lost"]["reason"]


def test_two_gpus_are_added_and_either_can_be_chosen(scenes):
    told = scenes["two_gpus"]
    expected = {"both": 40.0, "second visible": 30.0, "second by uuid": 30.0}
    assert {name: told[name]["energy_j"] for name in expected} == {
        name: pytest.approx(energy_j, rel=0.01) for name, energy_j in expected.items()
    }
    assert told["second visible"]["boards"] == [1]
    assert told["second visible"]["devices"] == [["cuda:0", GPUS[1]]]
    named = told["first named"]  # which is not the one that does the work
    assert (named["devices"], named["energy_j"]) == ([["cuda:0", GPUS[1]]], None)
    assert named["caveats"]["no_sensor"]["component"] == GPUS[1]
    assert told["none visible"]["energy_j"] is None
    assert "CUDA_VISIBLE_DEVICES" in told["none visible"]["caveats"]["no_sensor"]["reason"]
    assert "nvidia-smi lists 0" in told["no such"]


def test_a_mig_slice_is_measured_as_its_whole_gpu_and_says_so(scenes):
    told = scenes["mig"]
    assert (told["boards"], told["mig"]) == ([1], True)
    assert told["caveats"] == {"whole_gpu": {"gpu": GPUS[1]}}


def test_another_process_on_the_gpu_is_counted_and_its_blocks_named(scenes):
    told = scenes["shared"]
    beside = told["beside ours"]["caveats"]["shared"]
    assert (beside["processes"], beside["blocks"], beside["of"]) == (1, 1, 2)
    assert beside["named"] == "wave 1 energy 2"
    assert told["before us"]["caveats"]["shared"]["blocks"] == 2
    assert "shared" not in told["not before us"]["caveats"]  # in a container this may be a worker of ours


def test_memory_of_a_gpu_is_that_of_the_process_on_the_gpu_that_cuda_shows_it(scenes):
    assert scenes["memory"] == {"ours": 2**30, "another": None, "elsewhere": None, "hidden": None}


def test_throttling_from_the_third_second_marks_the_blocks_after(scenes):
    caveats = scenes["throttled"]["caveats"]
    assert caveats["throttled"]["reasons"] == "sw_power_cap"
    assert caveats["throttled"]["named"] == "wave 1 energy 2, wave 1 energy 3"
    assert caveats["temperature_drift"]["high_c"] == 85
    assert scenes["throttled"]["blocks"] == 3  # nothing is discarded


def test_a_window_in_real_time_holds_the_truth(scenes):
    told = scenes["window_now"]
    low, value, high = told["interval_j"]
    assert low <= told["truth_j"] <= high
    assert told["systematic_j"][0] < value < told["systematic_j"][1]
    assert told["duration_s"] == pytest.approx(told["slept_s"], abs=0.05)
    assert told["components"] == [GPUS[0]]
    assert told["caveats"] == []


def test_sampling_takes_less_than_a_percent_of_a_core_where_waking_up_takes_less(scenes):
    """On a virtual machine in a noisy hour, waking up 170 times a second to do nothing may take more than that."""
    assert scenes["cost"]["cores"] < max(0.01, 4 * scenes["cost"]["bare"]), scenes["cost"]
