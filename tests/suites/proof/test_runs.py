"""What a run is found to say, on runs made of literal numbers."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from bench.records import DeviceWork, Failure, Hotspot, Profile, Proof, SelfCheck, SpotKind
from bench.storage import save
from suites.proof import runs
from suites.proof.outcome import NotHereError
from suites.proof.steps import PACES, STEPS
from tests.factories import INFERENCE, TRAINING, make_run, make_trial, with_energy, with_scores

KERNELS = Proof.seen("kernel libraries", "cuDNN 20")


def cuda(step_s, *proofs, workload=INFERENCE, **axes):
    return make_trial(workload, step_s, device="cuda:0", proofs=(KERNELS, *proofs), **axes)


def held(outcome):
    return {claim.text: claim.holds for claim in outcome.claims}


def test_a_sound_run_on_a_gpu_bears_out_every_claim():
    run = with_energy(make_run(cuda(0.02), cuda(0.01, precision="amp_bf16")), [200.0, 300.0])
    outcome = runs.judge_run(run)
    assert held(outcome) == {
        "the run came to its end": True,
        "no case failed": True,
        "every label took effect and every result is right": True,
        "kernels were seen in each case on CUDA": True,
        "energy net of idle is positive": True,
        "the sampler takes less than 1 % of a core": None,
    }
    _, fast = outcome.facts["rows"]
    assert fast["verdict"] == "FASTER"
    assert fast["speedup"][0] == pytest.approx(2.0)
    assert fast["energy_net_j"] == pytest.approx(290 * 0.01, rel=0.02)


def test_what_is_wrong_with_a_run_is_named():
    failed = replace(cuda(0.02, precision="fp16"), failure=Failure("build", "OutOfMemoryError"), samples=())
    lying = cuda(0.01, Proof("products on the GPU", "tf32", "float32"), precision="tf32")
    wrong = with_scores(cuda(0.01, precision="amp_bf16"), rmse=0.5)
    blind = make_trial(INFERENCE, 0.02, device="cuda:0", layout="channels_last")
    run = replace(make_run(cuda(0.02), failed, lying, wrong, blind), duration_s=None)
    told = {claim.text: claim for claim in runs.judge_run(run).claims}
    assert [claim.holds for claim in told.values()] == [False, False, False, False, None, None]
    assert "OutOfMemoryError" in told["no case failed"].seen
    struck = told["every label took effect and every result is right"].seen
    assert "products on the GPU: tf32 expected, float32 seen" in struck
    assert "rmse" in struck.lower() or "scores: 0.5" in struck
    assert "channels_last" in told["kernels were seen in each case on CUDA"].seen


def test_a_runtime_outside_pytorch_shows_no_kernels_and_need_not():
    run = make_run(cuda(0.02), make_trial(INFERENCE, 0.01, device="cuda:0", backend="onnxruntime"))
    assert held(runs.judge_run(run))["kernels were seen in each case on CUDA"] is True


def test_copies_that_differ_contradict_the_claim():
    baseline = cuda(0.02)
    copies = [replace(cuda(step_s), case=replace(baseline.case, copy=n + 1)) for n, step_s in enumerate((0.02, 0.03))]
    run = replace(make_run(baseline, *copies), self_check=SelfCheck(2, 1e-7, 1e-9))
    outcome = runs.judge_run(run)
    assert held(outcome)["inference on cuda:0: no two independent copies were called different"] is False
    assert len(outcome.facts["copies"]["inference on cuda:0"]["pairs"]) == 1


def test_one_copy_makes_no_independent_pair():
    baseline = cuda(0.02)
    run = make_run(baseline, replace(cuda(0.02), case=replace(baseline.case, copy=1)))
    assert held(runs.judge_run(run))["inference on cuda:0: no two independent copies were called different"] is None


def test_the_winner_is_the_case_farthest_ahead_of_its_own_baseline_over_all_runs():
    one = make_run(cuda(0.02), cuda(0.01, precision="amp_bf16"), cuda(0.04, workload=TRAINING))
    other = make_run(cuda(0.03), cuda(0.01, backend="compile"))
    assert runs.winners([one, other], "cuda:0") == {
        "inference": ("inference[cuda0-fp32-compile]", "inference[cuda0-fp32]"),
        "training": ("training[cuda0-fp32]", "training[cuda0-fp32]"),
    }
    assert runs.winners([one], "cpu") == {}


def test_a_struck_row_does_not_win():
    lying = cuda(0.001, Proof("products on the GPU", "tf32", "float32"), precision="tf32")
    assert runs.winners([make_run(cuda(0.02), lying)], "cuda:0")["inference"][0] == "inference[cuda0-fp32]"


def profiled(trial, device):
    spots = (Hotspot(SpotKind.OPERATOR, "aten::conv2d", 5, 0.2), Hotspot(SpotKind.KERNEL, "sgemm", 20, 0.6))
    return replace(trial, profile=Profile("torch 2.11", 5, 1.0, spots, device=device))


def test_profiles_say_how_busy_the_gpu_was_and_with_what():
    names = ("inference[cuda0-amp_bf16]", "inference[cuda0-fp32]")
    device = DeviceWork(window_s=1.0, busy_s=0.7, gaps=3, gap_median_s=1e-5)
    run = make_run(profiled(cuda(0.02), device), profiled(cuda(0.01, precision="amp_bf16"), device))
    outcome = runs.judge_profiles(run, {"inference": names})
    assert [claim.holds for claim in outcome.claims] == [True, True]
    told = outcome.facts["profiles"][names[0]]
    assert told["busy_share"] == pytest.approx(0.7)
    assert ["kernel", "sgemm", 20, pytest.approx(0.6)] in told["hotspots"]


def test_a_profile_without_kernels_and_one_that_is_lacking_are_named():
    names = ("inference[cuda0-amp_bf16]", "inference[cuda0-fp32]")
    run = make_run(profiled(cuda(0.02), None), cuda(0.01, precision="amp_bf16"))
    lacking, blind = runs.judge_profiles(run, {"inference": names}).claims
    assert (lacking.holds, lacking.seen) == (False, names[0])
    assert (blind.holds, blind.seen) == (False, names[1])


def test_a_pace_bounds_waves_and_seconds():
    assert runs.plan_options(PACES["full"], 4, 240.0) == ("--bench-waves=4", "--bench-budget=240")
    assert runs.plan_options(PACES["brief"], 4, 240.0) == ("--bench-waves=3", "--bench-budget=72")
    assert runs.plan_options(PACES["rehearsal"], 4, 240.0) == ("--bench-waves=1", "--bench-budget=2.4")


def test_runs_that_earlier_steps_left_are_found_and_the_others_passed_over(tmp_path):
    save(make_run(cuda(0.02)), tmp_path / "first" / "out" / "20261125-120000-0000")
    assert len(runs.stored_runs(tmp_path, ("first", "second"))) == 1


def test_there_is_nothing_to_profile_before_anything_was_measured(task):
    with pytest.raises(NotHereError, match="do one of training-cuda first"):
        runs.profile(task(runs=("training-cuda",)))


def test_a_command_is_in_the_log_before_its_output(capfd):
    assert runs.call([sys.executable, "-S", "-c", "print('out'); raise SystemExit(4)"]) == 4
    told = capfd.readouterr().out.splitlines()
    assert told[0].startswith("$ ")
    assert told[1] == "out"


def test_the_tests_that_steps_select_are_there(pytestconfig):
    """Each selection must fit at least one case: a name that was changed would leave a step with nothing to do."""
    from _pytest.mark.expression import Expression

    from bench import Options
    from bench.axes import parse_axes
    from suites import inference, latency, training, training_end_to_end

    del pytestconfig
    for step in STEPS:
        settings = dict(step.settings)
        if step.work != "suites.proof.runs:measure":
            continue
        given = (option.partition("=")[2] for option in settings["options"] if option.startswith("--bench-axis"))
        options = Options(axes=parse_axes(("--bench-axis", text) for text in given))
        names = [
            f"test_{case.name}".lower()
            for suite in (inference, latency, training, training_end_to_end)
            for case in suite.cases(options)
        ]
        chosen = Expression.compile(settings["select"].lower())
        kept = [name for name in names if chosen.evaluate(lambda word, **_: word in name)]  # noqa: B023
        assert len(kept) > ("self-check" not in step.name), step.name
        assert all(step.device.replace(":", "") in name for name in kept), step.name
