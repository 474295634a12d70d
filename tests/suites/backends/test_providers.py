"""What ONNX Runtime is asked for, and what becomes of a provider that it passes over."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import UnavailableError, UsageError, Variant
from suites.backends.providers import CPU, CUDA, TENSORRT, TRT_RTX, Setting, open_session
from suites.backends.runtimes import find_runtime

PLUGIN = replace(TRT_RTX, plugin="tests.suites.backends.plugin_stand_in")
NOT_ALL = "This session contains graph nodes that are assigned to the default CPU EP, but fallback to CPU EP has been explicitly disabled by the user."  # fmt: skip  # noqa: E501


@dataclass
class Options:
    intra_op_num_threads: int = 0
    log_severity_level: int = 2
    entries: dict[str, str] = field(default_factory=dict)
    devices: list[Any] = field(default_factory=list)
    device_options: dict[str, str] = field(default_factory=dict)

    def add_session_config_entry(self, key: str, value: str) -> None:
        self.entries[key] = value

    def add_provider_for_devices(self, devices: list[Any], options: dict[str, str]) -> None:
        self.devices, self.device_options = devices, options


@dataclass
class Part:
    ep_name: str


@dataclass
class Session:
    """Of a graph of one node, which went to the first provider."""

    providers: list[str]

    def get_provider_graph_assignment_info(self) -> list[Part]:
        return [Part(self.providers[0])]

    def disable_fallback(self) -> None: ...


@dataclass
class Device:
    ep_name: str
    number: int = 0


@dataclass
class Runtime:
    """ONNX Runtime as it is seen from here; ``works`` are providers that load, ``trouble`` is what a session raises."""

    offers: tuple[str, ...]
    works: tuple[str, ...] = ()
    trouble: str = ""
    plugin_devices: int = 1
    refuses_plugin: bool = False
    __file__: str = "/nowhere/onnxruntime/__init__.py"
    asked: dict[str, Any] = field(default_factory=dict)
    registered: list[tuple[str, str]] = field(default_factory=list)

    def SessionOptions(self) -> Options:  # noqa: N802 - ONNX Runtime's name
        return Options()

    def InferenceSession(self, model, options, providers=(), enable_fallback=1) -> Session:  # noqa: N802 - as above
        if self.trouble:
            raise RuntimeError(self.trouble)
        wanted = [*(name for name, _ in providers), *(device.ep_name for device in options.devices)]
        names = [name for name in wanted if name in self.works]
        self.asked = {
            "options": options,
            "providers": dict(providers),
            "enable_fallback": enable_fallback,
            "tf32": os.environ.get("NVIDIA_TF32_OVERRIDE"),
        }
        return Session([*names, "CPUExecutionProvider"])

    def get_available_providers(self) -> list[str]:
        return list(self.offers)

    def register_execution_provider_library(self, name: str, path: str) -> None:
        if self.refuses_plugin:
            raise RuntimeError("libcuda.so.1: cannot open shared object file")
        self.registered.append((name, path))

    def get_ep_devices(self) -> list[Device]:
        if not self.registered:
            return [Device("CPUExecutionProvider")]
        return [Device("CPUExecutionProvider"), *(Device(PLUGIN.name, n) for n in range(self.plugin_devices))]


def on_gpu(**axes: Any) -> Setting:
    return Setting(Variant.of(**{"device": "cuda:1", **axes}), threads=3, stream=4711)


def opened(provider, setting=None, **traits) -> Runtime:
    runtime = Runtime(offers=(provider.name, "CPUExecutionProvider"), works=(provider.name,), **traits)
    open_session(runtime, b"", provider, setting or on_gpu())
    return runtime


@pytest.fixture(autouse=True)
def _tf32_switch(monkeypatch) -> None:
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "2")  # restored after each test


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        ({}, {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}),
        ({"precision": "tf32"}, {"use_tf32": "1", "cudnn_conv_algo_search": "HEURISTIC"}),
        ({"cudnn_benchmark": True}, {"use_tf32": "0", "cudnn_conv_algo_search": "EXHAUSTIVE"}),
    ],
)
def test_cuda_is_told_what_the_variant_says_and_no_node_may_go_to_the_cpu(axes, expected):
    asked = opened(CUDA, on_gpu(**axes)).asked
    stream = {"device_id": "1", "has_user_compute_stream": "1", "user_compute_stream": "4711"}
    assert asked["providers"] == {"CUDAExecutionProvider": {**expected, **stream}}
    assert asked["options"].entries["session.disable_cpu_ep_fallback"] == "1"
    assert asked["enable_fallback"] == 0


def test_threads_are_those_of_the_setting_and_the_cpu_may_take_every_node():
    options = opened(CPU, Setting(Variant.of(), threads=3)).asked["options"]
    assert options.intra_op_num_threads == 3
    assert "session.disable_cpu_ep_fallback" not in options.entries


@pytest.mark.parametrize("provider", [TENSORRT, PLUGIN], ids=lambda provider: provider.name)
def test_tf32_is_forbidden_to_engines_of_strict_float32_and_allowed_to_others(provider):
    assert opened(provider, plugin_devices=2).asked["tf32"] == "0"
    assert os.environ["NVIDIA_TF32_OVERRIDE"] == "2"
    assert opened(provider, on_gpu(precision="tf32"), plugin_devices=2).asked["tf32"] is None
    assert os.environ["NVIDIA_TF32_OVERRIDE"] == "2"
    assert opened(CUDA).asked["tf32"] == "2"


def test_the_environment_is_as_it_was_when_a_session_fails(installed, monkeypatch):
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE")
    runtime = Runtime(offers=(TENSORRT.name,), trouble="no engine", __file__=installed)
    with pytest.raises(UnavailableError):
        open_session(runtime, b"", TENSORRT, on_gpu())
    assert "NVIDIA_TF32_OVERRIDE" not in os.environ


@pytest.mark.parametrize("provider", [CUDA, TENSORRT, PLUGIN], ids=lambda provider: provider.name)
def test_a_provider_that_was_passed_over_is_unavailable_and_never_a_run_on_the_cpu(provider):
    runtime = Runtime(offers=(provider.name, "CPUExecutionProvider"), works=(), plugin_devices=2)
    with pytest.raises(UnavailableError, match=f"cannot use its {provider.name}") as caught:
        open_session(runtime, b"", provider, on_gpu())
    assert f"pip install 'joulemark[{provider.extra}]'" in caught.value.fix


def test_a_build_without_the_provider_is_named_with_the_package_that_has_it():
    with pytest.raises(UnavailableError, match="has no CUDAExecutionProvider, only CPUExecutionProvider") as caught:
        open_session(Runtime(offers=("CPUExecutionProvider",)), b"", CUDA, on_gpu())
    assert caught.value.fix.startswith("pip uninstall onnxruntime")
    assert "joulemark[onnx-gpu]" in caught.value.fix


@pytest.fixture
def installed(tmp_path) -> str:
    """The __file__ of a package whose libraries are there; as they are empty, the loader misses none that they need."""
    (tmp_path / "capi").mkdir()
    for provider in (CUDA, TENSORRT):
        (tmp_path / "capi" / str(provider.library)).touch()
    return str(tmp_path / "__init__.py")


def test_a_driver_that_refuses_is_unavailable_with_its_words(installed):
    trouble = "CUDA failure 35:\n driver version is insufficient"
    runtime = Runtime(offers=(TENSORRT.name,), trouble=trouble, __file__=installed)
    with pytest.raises(UnavailableError, match=r"\(CUDA failure 35: driver version is insufficient\)") as caught:
        open_session(runtime, b"", TENSORRT, on_gpu())
    assert "tensorrt-cu13" in caught.value.fix


def test_a_model_of_which_a_node_would_go_to_the_cpu_is_refused(installed):
    runtime = Runtime(offers=(CUDA.name,), trouble=NOT_ALL, __file__=installed)
    with pytest.raises(UsageError, match="does not take every node of the model"):
        open_session(runtime, b"", CUDA, on_gpu())


def test_nodes_that_went_to_the_cpu_because_a_library_is_missing_are_no_fault_of_the_model():
    runtime = Runtime(offers=(CUDA.name,), trouble=NOT_ALL)
    with pytest.raises(UnavailableError, match=r"providers_cuda.so: cannot open shared object file"):
        open_session(runtime, b"", CUDA, on_gpu())


def test_a_plugin_is_registered_once_and_opened_for_the_device():
    runtime = opened(PLUGIN, plugin_devices=2)
    open_session(runtime, b"", PLUGIN, on_gpu())
    assert runtime.registered == [(PLUGIN.name, "/plugin/libprovider.so")]
    options = runtime.asked["options"]
    assert options.devices == [Device(PLUGIN.name, 1)]
    assert options.device_options == {"has_user_compute_stream": "1", "user_compute_stream": "4711"}
    assert runtime.asked["providers"] == {}
    assert runtime.asked["enable_fallback"] == 0


def test_a_plugin_that_does_not_load_is_unavailable():
    with pytest.raises(UnavailableError, match=r"NvTensorRTRTXExecutionProvider \(libcuda.so.1: cannot open") as caught:
        opened(PLUGIN, refuses_plugin=True)
    assert "joulemark[onnx-trt-rtx]" in caught.value.fix


def test_a_gpu_that_a_plugin_does_not_support_is_unavailable():
    with pytest.raises(UnavailableError, match="supports 1 of this machine's devices, not cuda:1"):
        opened(PLUGIN, plugin_devices=1)


def test_a_missing_plugin_is_named_with_the_extra_that_has_it():
    with pytest.raises(UnavailableError, match="the package no_such_plugin is not installed") as caught:
        opened(replace(TRT_RTX, plugin="no_such_plugin"))
    assert caught.value.fix == "install it: pip install 'joulemark[onnx-trt-rtx]'"


def test_a_package_that_is_there_and_does_not_load_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "half_a_runtime.py").write_text("import no_such_dependency\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnavailableError, match=r"half_a_runtime cannot be imported .*no_such_dependency"):
        find_runtime("half_a_runtime", "onnx")


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"{package} is not installed")
    return Path(spec.origin).parent


@pytest.mark.parametrize("provider", [CUDA, TENSORRT], ids=lambda provider: provider.name)
def test_the_installed_library_knows_every_option(provider):
    library = _folder("onnxruntime") / "capi" / str(provider.library)
    if not library.is_file():
        pytest.skip("the installed onnxruntime is not onnxruntime-gpu")
    binary = library.read_bytes()
    # The linker may keep one string as the end of another, so a name need not begin where a string begins.
    assert [name for name in provider.options(on_gpu()) if f"{name}\0".encode() not in binary] == []


def test_the_installed_plugin_knows_every_option_and_answers_to_its_name():
    folder = _folder(str(TRT_RTX.plugin))
    header = (folder / "tensorrt_rtx_provider_options.h").read_text(encoding="utf-8")
    assert [name for name in TRT_RTX.options(on_gpu()) if f'"{name}"' not in header] == []
    assert f'"{TRT_RTX.name}"' in (folder / "__init__.py").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore:CUDA initialization")
@pytest.mark.parametrize("provider", [CUDA, TENSORRT], ids=lambda provider: provider.name)
def test_the_real_onnx_runtime_without_a_gpu_is_unavailable(provider):
    runtime = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    if provider.name not in runtime.get_available_providers() or torch.cuda.is_available():
        pytest.skip("the installed onnxruntime is not onnxruntime-gpu, or there is a GPU")
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("given", "made")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["given"], ["made"])], "g", ends[:1], ends[1:])
    imports = [onnx.helper.make_opsetid("", 18)]
    model = onnx.helper.make_model(graph, ir_version=8, opset_imports=imports).SerializeToString()
    with pytest.raises(UnavailableError, match=f"cannot use its {provider.name}"):
        open_session(runtime, model, provider, on_gpu())
