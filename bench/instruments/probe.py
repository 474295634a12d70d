"""What this machine is and has, without importing torch: every fact may be missing, none is guessed."""

from __future__ import annotations

import hashlib
import os
import platform
from importlib import metadata
from pathlib import Path

from bench.instruments import cores, nvml, quota
from bench.records import Environment

#: Packages whose version can change a figure.
_PACKAGES = (
    "joulemark",
    "torch",
    "torchvision",
    "nvidia-cudnn-cu13",
    "nvidia-cudnn-cu12",
    "nvidia-cublas",
    "nvidia-cublas-cu12",
    "numpy",
    "triton",
    "scikit-learn",
    "pytest",
    "pytest-benchmark",
    "nvtx",
    "torch-tensorrt",
    "tensorrt",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-ep-nv-tensorrt-rtx-cu13",
    "openvino",
)


#: Variables that PyTorch, its compilers, OpenMP, MKL, oneDNN, CUDA and its libraries, glibc and the linker look at ...
_PREFIXES = (
    *("TORCH", "PYTORCH_", "AOT", "TRITON_", "OMP_", "KMP_", "GOMP_", "MKL_", "ONEDNN_", "DNNL_", "CUDA_", "CUDNN_"),
    *("CUBLAS", "NVIDIA_", "NCCL_", "ORT_", "OV_", "MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "LD_BIND_NOW"),
)
#: ... but not where something is.
_SECRETS = ("KEY", "TOKEN", "SECRET", "PASS", "AUTH", "CRED")
_PLACES = ("_HOME", "_DIR", "_PATH", "_ROOT", "_CACHE", "_LOCATION")


def environment() -> Environment:
    """The machine and its software, now."""
    driver, gpus, _ = nvml.listing()
    allowed, cpus = quota.find(), cores.usable_cpus()
    return Environment(
        cpu=_cpu_name(),
        cores_usable=len(cpus),
        cores_physical=cores.cores_of(cpus),
        cores_online=os.sysconf("SC_NPROCESSORS_ONLN") if hasattr(os, "sysconf") else os.cpu_count(),
        cpu_quota_cores=None if allowed is None else allowed.cores,
        memory_bytes=_memory_bytes(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        packages=tuple((name, version) for name in _PACKAGES if (version := _version(name)) is not None),
        variables=tuple(sorted((name, _readable(value)) for name, value in os.environ.items() if _decides(name))),
        cpu_governor=_text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        gpu_driver=driver,
        gpus=gpus,
        machine=_machine(),
    )


def _readable(value: str) -> str:
    """Without what is no text: the environment is bytes, and any may stand in it."""
    return value.encode(errors="surrogateescape").decode(errors="replace")


def _decides(name: str) -> bool:
    """Whether an environment variable can change a figure, by what libraries of this field look at."""
    secret = any(word in name for word in _SECRETS)  # of these libraries' makers, for their services
    return name.startswith(_PREFIXES) and not name.endswith(_PLACES) and not secret


def why_unavailable(device: str) -> tuple[str, str] | None:
    """Reason and fix if a device plainly is not there; None when a worker may try it."""
    if not device.startswith("cuda"):
        return None
    _, gpus, trouble = nvml.listing()
    if gpus:
        return None
    return (
        trouble or "NVML lists no GPU",
        "run on a machine with an NVIDIA GPU and a driver that nvidia-smi can talk to",
    )


def why_not_together(device: str) -> tuple[str, str] | None:
    """Reason and fix if a device does not take several processes at once, as the cases of a group need it."""
    if not device.startswith("cuda") or not nvml.is_exclusive(device):
        return None
    return (
        f"{device} takes one process at a time (exclusive compute mode), and the cases of a group are alive together",
        "sudo nvidia-smi -c 0, or measure one case alone (--bench-case)",
    )


def _machine(place: Path = Path("/etc/machine-id")) -> str | None:
    """What tells this machine from others; a digest, since the number itself is to be kept secret (machine-id(5))."""
    number = _text(place)
    return None if number is None else hashlib.sha256(f"joulemark {number}".encode()).hexdigest()[:12]


def _cpu_name() -> str | None:
    text = _text(Path("/proc/cpuinfo")) or ""
    for line in text.splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or None


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
