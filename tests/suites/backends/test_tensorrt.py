from __future__ import annotations

import importlib.util
import inspect
import operator
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import fx, nn

from bench import UnavailableError, UsageError, Variant
from suites.backends import Brief
from suites.backends.tensorrt import load_compiler, options, partition, ready
from suites.data import Split
from tests.suites.models import Tiny

#: Parameters of torch_tensorrt.dynamo.compile that are in both wheels, 2.11.0 and 2.14.0.
NAMES = """
exported_program inputs arg_inputs kwarg_inputs device disable_tf32 assume_dynamic_shape_support sparse_weights
engine_capability num_avg_timing_iters workspace_size dla_sram_size dla_local_dram_size dla_global_dram_size
truncate_double require_full_compilation min_block_size torch_executed_ops torch_executed_modules
pass_through_build_failures max_aux_streams version_compatible optimization_level use_python_runtime
use_fast_partitioner enable_experimental_decompositions dryrun hardware_compatible timing_cache_path lazy_engine_init
cache_built_engines reuse_cached_engines engine_cache_dir engine_cache_size custom_engine_cache use_fp32_acc
refit_identical_engine_weights strip_engine_weights immutable_weights enable_weight_streaming tiling_optimization_level
l2_limit_for_tiling offload_module_to_cpu use_distributed_mode_trace enable_autocast autocast_low_precision_type
autocast_excluded_nodes autocast_excluded_ops autocast_max_output_threshold autocast_max_depth_of_reduction
autocast_calibration_dataloader cpu_memory_budget enable_resource_partitioning dynamically_allocate_resources
decompose_attention attn_bias_is_causal
"""
EVERYTHING = {"TORCHINDUCTOR_CACHE_DIR": "/caches"}


def brief(*, training=False, **axes) -> Brief:
    images = torch.randn(2, 3, 8, 8)
    variant = Variant.of(**{"device": "cuda:0", "backend": "tensorrt", **axes})
    return Brief(variant, training, images, Split(images, torch.zeros(2, dtype=torch.int64)))


def test_the_options_are_names_that_the_compiler_has():
    assert {"arg_inputs", *options("fp32", EVERYTHING)} <= set(NAMES.split())


@pytest.mark.skipif(importlib.util.find_spec("torch_tensorrt") is None, reason="Torch-TensorRT is not installed")
def test_the_options_are_names_of_the_installed_compiler():
    parameters = inspect.signature(inspect.unwrap(load_compiler())).parameters
    assert {"arg_inputs", *options("fp32", EVERYTHING)} <= set(parameters)


@pytest.mark.parametrize(("precision", "off"), [("fp32", True), ("tf32", False), ("fp16", True)])
def test_tf32_is_off_unless_it_is_asked_for(precision, off):
    assert options(precision, {})["disable_tf32"] is off


def test_engines_are_built_anew_and_timed_in_the_waves_own_cache():
    chosen = options("fp32", EVERYTHING)
    assert not chosen["cache_built_engines"]
    assert not chosen["reuse_cached_engines"]
    assert chosen["timing_cache_path"] == "/caches/tensorrt_timing.bin"
    assert "timing_cache_path" not in options("fp32", {})


class Compiled(nn.Module):
    """What the compiler makes: parts by name, and a graph."""

    def __init__(self, parts: str, targets=()) -> None:
        super().__init__()
        for name in parts.split():
            self.add_module(name, nn.Identity())
        self.graph = fx.Graph()
        for target in targets:
            self.graph.call_function(target, ())

    def forward(self, images):
        return images


@pytest.mark.parametrize(
    ("compiled", "observed"),
    [
        (Compiled("_run_on_acc_0"), "TensorRT alone"),
        (Compiled("_run_on_acc_0", [operator.getitem]), "TensorRT alone"),
        (Compiled("_run_on_acc_0 _run_on_gpu_1 _run_on_acc_2"), "1 part in PyTorch beside 2 engines"),
        (Compiled("_run_on_acc_0", [torch.relu]), "1 part in PyTorch beside 1 engine"),
        (Compiled("convolution head", [torch.relu]), "no engine of TensorRT"),
    ],
)
def test_what_fell_back_to_pytorch_is_seen(compiled, observed):
    assert partition(compiled) == observed


def test_the_model_is_exported_and_built_with_the_images_it_will_see():
    calls = []

    def compile_(exported, **arguments):
        calls.append(SimpleNamespace(exported=exported, **arguments))
        return Compiled("_run_on_acc_0 _run_on_gpu_1")

    order = brief(precision="tf32")
    made = ready(Tiny().eval(), order, lambda: compile_)
    (call,) = calls
    assert isinstance(call.exported, torch.export.ExportedProgram)
    assert call.arg_inputs[0] is order.images
    assert call.disable_tf32 is False
    assert made.hidden
    assert made.own_layout
    assert made.own_arithmetic  # PyTorch's settings do not reach an engine


@pytest.mark.parametrize(("precision", "probed"), [("fp32", True), ("tf32", True), ("fp16", False)])
def test_the_arithmetic_is_that_of_an_engine_built_alike(precision, probed, monkeypatch):
    built = []

    def compile_(exported, **arguments):
        built.append(arguments)
        whole, engine = exported.module(), Compiled("_run_on_acc_0")
        engine.forward = partial(whole)  # a plain function: a module would become a part of the engine
        return engine

    monkeypatch.setattr(Variant, "device", "cpu")  # what is built here computes there
    monkeypatch.setattr("suites.backends.tensorrt._check", lambda _: None)
    made = ready(Tiny().eval(), brief(precision=precision), lambda: compile_)
    proofs = {proof.fact: proof for proof in made.proofs([])}
    assert ("float32 arithmetic" in proofs) is probed
    if probed:
        first, second = ({**each, "arg_inputs": None} for each in built)
        assert first == second
        assert proofs["float32 arithmetic"].observed == "full"
        assert proofs["float32 arithmetic"].judged is (precision == "fp32")


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"training": True}, "train with backend eager"),
        ({"device": "cpu"}, "choose device cuda:0"),
        ({"precision": "amp_fp16"}, "choose fp32, tf32, fp16"),
        ({"layout": "channels_last"}, "leave layout at contiguous"),
        ({"cudnn_benchmark": True}, "cudnn_benchmark=True would change nothing"),
        ({"deterministic": True}, "deterministic=True would change nothing"),
    ],
)
def test_what_engines_cannot_do_is_refused_before_anything_is_built(axes, words):
    def never():
        raise AssertionError

    with pytest.raises(UsageError, match=words):
        ready(Tiny(), brief(**axes), never)


@pytest.mark.skipif(importlib.util.find_spec("torch_tensorrt") is not None, reason="Torch-TensorRT is installed")
def test_a_missing_package_is_unavailable_and_the_fix_is_named():
    with pytest.raises(UnavailableError, match="not installed") as caught:
        load_compiler()
    assert "joulemark[tensorrt]" in caught.value.fix
