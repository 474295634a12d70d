"""Which cases there are: curated, by a grid, all; and what is left out, with the reason."""

from __future__ import annotations

import itertools

import pytest
from torch import nn

from bench import Options, UnavailableError, UsageError, Variant
from suites import inference, latency, training, training_end_to_end
from suites.backends import BACKENDS, Brief, tensorrt
from suites.backends.providers import CPU, CUDA, TENSORRT, TRT_RTX
from suites.backends.runtimes import refuse_unfit
from suites.choice import known_values
from suites.feasible import RULES, Purpose, why_not
from suites.placement import LAYOUTS, PRECISIONS

ALL = pytest.mark.parametrize(
    "workload", [training, inference, latency, training_end_to_end], ids=lambda module: module.__name__
)
TRAIN, INFER = Purpose("training", "training", training=True), Purpose("inference", "inference")


def ids(workload, **options) -> list[str]:
    return [str(case) for case in workload.selection(Options(**options)).cases]


def reasons(workload, **options) -> set[str]:
    return {reason for _, reason in workload.selection(Options(**options)).left_out}


@ALL
def test_the_curated_cases_are_possible_and_begin_with_the_baseline_of_their_device(workload):
    selection = workload.selection(Options())
    assert (selection.left_out, selection.added) == ((), ())
    for device in dict.fromkeys(case.variant.device for case in selection.cases):
        first = next(case for case in selection.cases if case.variant.device == device)
        assert {axis for axis, _ in first.variant} <= {"device", "precision", "batch"}
    assert len(set(selection.cases)) == len(selection.cases)


def test_a_grid_has_all_combinations_over_each_devices_baseline():
    axes = (("precision", ("fp32", "amp_bf16")), ("batch", (1, 32, 256)))
    assert ids(inference, axes=axes) == [
        f"{device}{rest}"
        for device in ("cpu", "cuda0")
        for rest in ("-fp32", "-fp32-batch1", "-fp32-batch256", "-amp_bf16-batch1", "-amp_bf16", "-amp_bf16-batch256")
    ]


def test_the_device_is_an_axis_too():
    assert ids(training, axes=(("device", ("cuda:1",)), ("layout", ("channels_last", "contiguous")))) == [
        "cuda1-fp32",
        "cuda1-fp32-channels_last",
    ]


def test_a_baseline_that_nobody_asked_for_is_added_and_said():
    selection = inference.selection(Options(axes=(("device", ("cpu",)), ("batch", (8, 64)))))
    assert [str(case) for case in selection.cases] == ["cpu-fp32", "cpu-fp32-batch8", "cpu-fp32-batch64"]
    assert [str(case) for case in selection.added] == ["cpu-fp32"]


def test_a_device_on_which_nothing_is_possible_is_not_measured_for_its_baseline_alone():
    axes = (("cudnn_benchmark", (True,)),)
    assert ids(inference, axes=axes) == ["cuda0-fp32", "cuda0-fp32-cudnn_benchmark"]
    assert reasons(inference, axes=axes) == {"cuDNN convolves on CUDA devices only"}


def test_latency_is_of_one_image_whatever_the_grid():
    axes = (("device", ("cpu",)), ("batch", (8, 64)), ("threads", (0, 1)))
    assert ids(latency, axes=axes) == ["cpu-fp32-batch1", "cpu-fp32-batch1-threads1"]
    assert {case.workload.measures for case in latency.cases(Options())} == {"latency"}


def test_latency_by_default_is_of_backends_and_threads_and_compiles_nothing_on_a_cpu():
    chosen = [case.variant for case in latency.cases(Options())]
    assert Variant.of(batch=1, threads=1) in chosen
    assert not [each for each in chosen if each.device == "cpu" and "compile" in str(each["backend"])]
    assert all(each["precision"] == "fp32" and each["layout"] == "contiguous" for each in chosen)


def test_only_end_to_end_training_has_loaders():
    axes = (("device", ("cpu",)), ("loaders", (0, 1, 4)))
    assert ids(training_end_to_end, axes=axes) == ["cpu-fp32", "cpu-fp32-loaders1", "cpu-fp32-loaders4"]
    assert ids(training, axes=axes) == ["cpu-fp32"]
    assert reasons(training, axes=axes) == {"only training_end_to_end loads images"}


def test_the_full_set_combines_what_the_curated_one_has():
    full, curated = ids(inference, full=True), ids(inference)
    assert set(curated) <= set(full)
    assert "cpu-amp_bf16-channels_last-compile" in full
    assert len(full) > len(curated)
    assert full[0] == "cpu-fp32"


def test_the_full_set_takes_the_values_given_for_an_axis():
    full = ids(training, full=True, axes=(("device", ("cpu",)), ("layout", ("contiguous",)), ("batch", (32, 64))))
    assert not [case for case in full if "channels_last" in case]
    assert "cpu-amp_bf16-batch64-compile" in full


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ((("precision", ("fp99",)),), "knows no precision 'fp99'; choose one of amp_bf16"),
        ((("backend", ("eager", "eagle")),), "knows no backend 'eagle'; choose one of"),
        ((("batch", tuple(range(1, 100))), ("threads", tuple(range(100)))), "9,900 combinations on cpu alone"),
    ],
)
def test_a_slip_is_refused_before_anything_is_measured(axes, words):
    with pytest.raises(UsageError, match=words):
        inference.selection(Options(axes=axes))


def test_every_value_that_the_classifier_understands_may_be_asked_for():
    known = known_values()
    assert set(PRECISIONS) <= known["precision"]
    assert set(LAYOUTS) <= known["layout"]
    assert set(BACKENDS) <= known["backend"]


def test_backends_from_outside_join_the_curated_set_and_the_parameters():
    options = {"backends": (("mine", "own.module:ready"), ("other", "/somewhere/own.py:ready"))}
    assert [case for case in ids(inference, **options) if "mine" in case or "other" in case] == [
        "cpu-fp32-mine",
        "cpu-fp32-other",
        "cuda0-fp32-mine",
        "cuda0-fp32-other",
    ]
    (workload,) = {case.workload for case in inference.cases(Options(**options))}
    assert dict(workload.parameters)["backends"] == "mine=own.module:ready;other=/somewhere/own.py:ready"
    assert "backends" not in dict(inference.cases(Options())[0].workload.parameters)
    assert "cpu-fp32-mine" in ids(training, axes=(("backend", ("mine",)),), **options)


@pytest.mark.parametrize(
    ("axes", "purpose", "words"),
    [
        ({"precision": "tf32"}, INFER, "TF32 is a format of CUDA devices"),
        ({"cudnn_benchmark": True}, INFER, "cuDNN convolves on CUDA"),
        ({"device": "cuda:0", "cudnn_benchmark": True, "cudnn": False}, INFER, "nothing for it to try out"),
        ({"device": "cuda:0", "onednn": False}, TRAIN, "oneDNN computes on CPUs"),
        ({"backend": "compile_reduce_overhead"}, TRAIN, "need a CUDA device"),
        ({"device": "cuda:0", "backend": "openvino"}, INFER, "on CPUs only"),
        ({"device": "cuda:0", "backend": "tensorrt"}, TRAIN, "they do not train"),
        ({"backend": "onnxruntime"}, TRAIN, "they do not train"),
        ({"precision": "int8"}, INFER, "a matter of ONNX Runtime"),
        ({"backend": "onnxruntime", "precision": "amp_bf16"}, INFER, "mixed precision is PyTorch's"),
        ({"backend": "openvino", "layout": "channels_last"}, INFER, "lays out its tensors itself"),
        ({"backend": "openvino", "onednn": False}, INFER, "do not reach it"),
        ({"device": "cuda:0", "backend": "tensorrt", "cudnn_benchmark": True}, INFER, "do not reach it"),
        ({"device": "cuda:0", "backend": "tensorrt", "precision": "amp_fp16"}, INFER, "precisions of its own"),
        ({"backend": "onnxruntime", "precision": "bf16"}, INFER, "precisions of its own"),
        ({"loaders": 2}, TRAIN, "loads images"),
    ],
)
def test_what_cannot_be_has_a_reason(axes, purpose, words):
    assert words in (why_not(Variant.of(**axes), purpose) or "")


@pytest.mark.parametrize(
    ("axes", "purpose"),
    [
        ({"device": "cuda:0", "precision": "tf32"}, TRAIN),
        ({"device": "cuda:0", "backend": "tensorrt"}, INFER),
        ({"backend": "openvino", "precision": "int8"}, INFER),
        ({"onednn": False, "backend": "compile"}, TRAIN),
        ({"device": "cuda:0", "backend": "cuda_graphs", "cudnn_benchmark": True}, TRAIN),
        ({"device": "cuda:0", "backend": "onnxruntime", "cudnn_benchmark": True}, INFER),
    ],
)
def test_what_can_be_has_none(axes, purpose):
    assert why_not(Variant.of(**axes), purpose) is None


def refused(variant: Variant, digits) -> bool:
    """Whether the backend itself says that no machine can do this, before it looks for what it needs."""
    brief = Brief(variant, False, digits.held_out.images[:2], digits.train)
    try:
        if variant["backend"] == "tensorrt":
            tensorrt.ready(nn.Identity(), brief, _not_installed)
        elif variant["backend"] == "openvino":
            refuse_unfit(brief, precisions=("fp32", "bf16", "int8"), kind="cpu")
        else:
            ours = CPU if variant.device == "cpu" else CUDA
            one = {"onnxruntime_tensorrt": TENSORRT, "onnxruntime_trt_rtx": TRT_RTX}.get(str(variant["backend"]), ours)
            refuse_unfit(brief, precisions=one.precisions, kind=one.kind, honours=one.honours)
    except UsageError:
        return True
    except UnavailableError:
        pass
    return False


def _not_installed() -> None:
    raise UnavailableError("not installed", "install it")


@pytest.mark.parametrize(
    "backend", ["onnxruntime", "onnxruntime_tensorrt", "onnxruntime_trt_rtx", "openvino", "tensorrt"]
)
def test_the_rules_allow_exactly_what_the_backends_do_not_refuse(backend, digits):
    """A case that can never be is left out with its reason, instead of failing in its worker."""
    for device, precision, layout in itertools.product(("cpu", "cuda:0"), (*PRECISIONS, "int8"), LAYOUTS):
        for axes in ({}, {"onednn": False}, {"cudnn": False}, {"cudnn_benchmark": True}, {"deterministic": True}):
            variant = Variant.of(device=device, backend=backend, precision=precision, layout=layout, **axes)
            assert (why_not(variant, INFER) is not None) == refused(variant, digits), variant


def test_reasons_are_told_apart():
    assert len({rule.reason for rule in RULES}) == len(RULES)
