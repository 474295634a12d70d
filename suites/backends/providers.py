"""ONNX Runtime's execution providers: under which options one runs, and what is missing where it does not.

Asked for a provider that cannot load, ONNX Runtime logs a line and runs on the CPU. Here that is an error.

Source: option names as in the libraries of onnxruntime-gpu 1.31.1 and onnxruntime-ep-nv-tensorrt-rtx-cu13 0.5.0
(``tensorrt_rtx_provider_options.h``); onnxruntime.ai/docs/execution-providers.
"""

from __future__ import annotations

import ctypes
import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import UnavailableError, UsageError, Variant
from suites.backends.runtimes import find_runtime, install

#: All of NVIDIA's libraries read it, TensorRT when it builds an engine: 0 forbids TF32, whatever else was asked for.
_TF32_SWITCH = "NVIDIA_TF32_OVERRIDE"
_NOT_ALL_TAKEN = "fallback to CPU EP has been explicitly disabled"


@dataclass(frozen=True)
class Setting:
    """How a session is opened: for which variant, with how many threads, on which CUDA stream (its address, or 0)."""

    variant: Variant
    threads: int
    stream: int = 0

    @property
    def device_index(self) -> int:
        return int(self.variant.device.partition(":")[2] or 0)


@dataclass(frozen=True)
class Provider:
    """One way of ONNX Runtime to compute.

    ``kind`` is that of the devices it runs on, ``honours`` are axes that it obeys and others do not. ``extra`` has
    what it needs; ``library`` is the file of ONNX Runtime's package that is loaded for it, ``plugin`` a module that
    has it in the package's place. ``compiles`` where whole graphs become one node that does not show its types.
    """

    name: str
    kind: str
    precisions: tuple[str, ...]
    extra: str
    options: Callable[[Setting], Mapping[str, str]]
    library: str | None = None
    plugin: str | None = None
    needs: str | None = None  # a module whose import loads libraries that the provider links to
    fix: str = ""  # beyond the extra
    honours: tuple[str, ...] = ()
    compiles: bool = False


def cuda_options(setting: Setting) -> Mapping[str, str]:
    """TF32 is on in ONNX Runtime, and its search for convolution algorithms exhaustive, unless told otherwise."""
    return {
        "use_tf32": "1" if setting.variant["precision"] == "tf32" else "0",
        "cudnn_conv_algo_search": "EXHAUSTIVE" if setting.variant["cudnn_benchmark"] else "HEURISTIC",
        **tensorrt_options(setting),
    }


def tensorrt_options(setting: Setting) -> Mapping[str, str]:
    return {"device_id": str(setting.device_index), **trt_rtx_options(setting)}


def trt_rtx_options(setting: Setting) -> Mapping[str, str]:
    """The device is not among the plug-in's options: a session is opened for a device."""
    return {"has_user_compute_stream": "1", "user_compute_stream": str(setting.stream)}


def _no_options(setting: Setting) -> Mapping[str, str]:
    del setting
    return {}


CPU = Provider("CPUExecutionProvider", "cpu", ("fp32", "int8"), "onnx", _no_options)
CUDA = Provider(
    "CUDAExecutionProvider",
    "cuda",
    ("fp32", "tf32"),
    "onnx-gpu",
    cuda_options,
    library="libonnxruntime_providers_cuda.so",
    honours=("cudnn_benchmark",),
)
TENSORRT = Provider(
    "TensorrtExecutionProvider",
    "cuda",
    ("fp32", "tf32"),
    "onnx-gpu",
    tensorrt_options,
    library="libonnxruntime_providers_tensorrt.so",
    needs="tensorrt",
    fix="and NVIDIA's TensorRT 10: pip install 'tensorrt-cu13<11'",
    compiles=True,
)
TRT_RTX = Provider(
    "NvTensorRTRTXExecutionProvider",
    "cuda",
    ("fp32", "tf32"),
    "onnx-trt-rtx",
    trt_rtx_options,
    plugin="onnxruntime_ep_nv_tensorrt_rtx",
    compiles=True,
)


def open_session(runtime: Any, model: bytes, provider: Provider, setting: Setting, trace: Path | None = None) -> Any:
    """A session that runs all of an ONNX model by one provider; ``runtime`` is the module onnxruntime.

    With ``trace``, the start of a file's path, it keeps a profile until ``end_profiling()``.

    Raises:
        UnavailableError: the provider is not installed or cannot be loaded.
        UsageError: the provider does not take the whole model.
    """
    options = runtime.SessionOptions()
    options.intra_op_num_threads = setting.threads
    options.log_severity_level = 3  # errors; a fallback, which is a warning there, is looked for below
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if provider.kind != "cpu":
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    if trace is not None:
        options.enable_profiling, options.profile_file_prefix = True, str(trace)
    given = dict(provider.options(setting))
    if provider.plugin is None:
        _check_offered(runtime, provider)
        chosen = {"providers": [(provider.name, given)]}
    else:
        options.add_provider_for_devices([_plugin_device(runtime, provider, setting)], given)
        chosen = {}
    with _tf32_as_asked(provider, setting.variant):
        session = _opened(
            runtime, provider, lambda: runtime.InferenceSession(model, options, **chosen, enable_fallback=0)
        )
    session.disable_fallback()  # of single runs
    if provider.name not in providers_used(session):
        raise _unavailable(runtime, provider, "it was passed over")
    return session


def providers_used(session: Any) -> tuple[str, ...]:
    """The providers that the nodes of a session's graph were given to, sorted, each once."""
    return tuple(sorted({str(part.ep_name) for part in session.get_provider_graph_assignment_info()}))


@contextmanager
def _tf32_as_asked(provider: Provider, variant: Variant) -> Iterator[None]:
    """Allow TF32 to an engine that is built in this context, or forbid it: such providers have no option for it.

    Afterwards the environment is as it was. What PyTorch and its libraries do must not hang on it.
    """
    if not provider.compiles:
        yield
        return
    before = os.environ.pop(_TF32_SWITCH, None)
    if variant["precision"] != "tf32":
        os.environ[_TF32_SWITCH] = "0"
    try:
        yield
    finally:
        os.environ.pop(_TF32_SWITCH, None)
        if before is not None:
            os.environ[_TF32_SWITCH] = before


def _check_offered(runtime: Any, provider: Provider) -> None:
    offered = runtime.get_available_providers()
    if provider.name not in offered:
        reason = f"this build of ONNX Runtime has no {provider.name}, only {', '.join(offered)}"
        first = "pip uninstall onnxruntime, whose files the other package shares, then "
        raise UnavailableError(reason, first + _fix(provider))
    if provider.needs is not None:
        with suppress(ImportError):  # where its libraries are on the loader's path, the module is not needed
            importlib.import_module(provider.needs)


def _opened(runtime: Any, provider: Provider, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except Exception as error:  # ONNX Runtime has a class for each of its status codes, and RuntimeError besides
        reason = " ".join(str(error).split())
        if _NOT_ALL_TAKEN in reason and _missing_library(runtime, provider) is None:
            msg = f"{provider.name} does not take every node of the model; use another backend, eager or compile"
            raise UsageError(msg) from error
        raise _unavailable(runtime, provider, reason[:300]) from error


def _unavailable(runtime: Any, provider: Provider, reason: str) -> UnavailableError:
    trouble = _missing_library(runtime, provider) or reason
    return UnavailableError(f"ONNX Runtime cannot use its {provider.name} ({trouble})", _fix(provider))


def _fix(provider: Provider) -> str:
    return f"{install(provider.extra)} {provider.fix}".rstrip()


def _missing_library(runtime: Any, provider: Provider) -> str | None:
    """What the loader misses for a provider's library; None where it misses nothing."""
    if provider.library is None:
        return None
    try:
        ctypes.CDLL(str(Path(runtime.__file__).parent / "capi" / provider.library))
    except OSError as error:
        # Symbols that ONNX Runtime itself defines may be unknown here; that is not what kept it from loading.
        return str(error) if "cannot open shared object" in str(error) else None
    return None


def _plugin_device(runtime: Any, provider: Provider, setting: Setting) -> Any:
    """The device of the plug-in that a session is to be opened for; registers the plug-in where it is not yet."""
    plugin = find_runtime(str(provider.plugin), provider.extra)
    if not _devices(runtime, provider):
        try:
            runtime.register_execution_provider_library(provider.name, plugin.get_library_path())
        except Exception as error:  # as in _opened
            raise _unavailable(runtime, provider, " ".join(str(error).split())[:300]) from error
    devices = _devices(runtime, provider)
    if setting.device_index >= len(devices):
        reason = f"{provider.name} supports {len(devices)} of this machine's devices, not {setting.variant.device}"
        fix = "see NVIDIA's support matrix of TensorRT for RTX, or use backend onnxruntime_tensorrt"
        raise UnavailableError(reason, fix)
    return devices[setting.device_index]


def _devices(runtime: Any, provider: Provider) -> list[Any]:
    return [device for device in runtime.get_ep_devices() if device.ep_name == provider.name]
