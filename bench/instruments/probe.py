"""What this machine is and has, without importing torch: every fact may be missing, none is guessed."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

from bench.instruments import nvml
from bench.records import Environment

#: Packages whose version can change a figure.
_PACKAGES = (
    "joulemark",
    "torch",
    "torchvision",
    "numpy",
    "triton",
    "scikit-learn",
    "pytest",
    "pytest-benchmark",
    "nvtx",
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-ep-nv-tensorrt-rtx-cu13",
    "openvino",
)


def environment() -> Environment:
    """The machine and its software, now."""
    driver, gpus, _ = nvml.listing()
    return Environment(
        cpu=_cpu_name(),
        cores_usable=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        memory_bytes=_memory_bytes(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        packages=tuple((name, version) for name in _PACKAGES if (version := _version(name)) is not None),
        cpu_governor=_text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        gpu_driver=driver,
        gpus=gpus,
    )


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
