"""From what the user asked for to the instruments that are there.

::

    auto                      every GPU that CUDA shows, and the CPU by RAPL
    off                       nothing
    nvml                      every GPU that CUDA shows
    nvml:1  nvml:0,GPU-5c0d   these, by nvidia-smi's number or by UUID
    rapl                      CPU packages, DRAM and psys
    tdp:65                    an estimate for the CPU, from its rated 65 W, where RAPL does not answer
    nvml+tdp:65               several of them
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import UnavailableError, UsageError
from bench.instruments import rapl, tdp
from bench.instruments.nvml import NoDriverError, Nvml, NvmlWatch, sensors_of
from bench.instruments.power import Panel, Sensor, SensorError, Watch
from bench.instruments.visible import VisibleGpu, visible_gpus
from bench.records import Gpu
from bench.records.power import Part, Unread

_HOW = "give auto, off, nvml[:INDEX,...], rapl or tdp:WATTS, or several joined by +"


@dataclass(frozen=True)
class PowerSpec:
    """What is to be read. ``gpus`` is None for none, () for those that CUDA shows, else numbers and UUIDs.

    ``auto`` takes what there is: a machine without an NVIDIA driver then lacks nothing.
    """

    gpus: tuple[str, ...] | None = None
    rapl: bool = False
    tdp_w: float | None = None
    auto: bool = False

    @property
    def off(self) -> bool:
        return self == PowerSpec()


def parse_power(text: str) -> PowerSpec:
    """The meaning of a power option.

    Raises:
        UsageError: it has none.
    """
    words = [word.strip() for word in text.split("+")]
    names = [word.partition(":")[0] for word in words]
    if len(set(names)) < len(names) or ("off" in names and len(names) > 1):
        msg = f"power {text!r} says the same thing twice, or its contrary; {_HOW}"
        raise UsageError(msg)
    spec = PowerSpec()
    for word in words:
        spec = _with(spec, word, text)
    return spec


def _with(spec: PowerSpec, word: str, text: str) -> PowerSpec:
    name, colon, argument = word.partition(":")
    match name, bool(colon):
        case "off", False:
            return spec
        case "auto", False:
            return replace(spec, gpus=spec.gpus or (), rapl=True, auto=True)
        case "rapl", False:
            return replace(spec, rapl=True)
        case "nvml", False:
            return replace(spec, gpus=())
        case "nvml", True:
            return replace(spec, gpus=_gpu_names(argument, text))
        case "tdp", True:
            return replace(spec, tdp_w=_watts(argument, text))
    msg = f"power {text!r}: {word!r} is not known; {_HOW}"
    raise UsageError(msg)


def _gpu_names(argument: str, text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in argument.split(","))
    if not all(name.isdigit() or name.startswith("GPU-") for name in names) or len(set(names)) < len(names):
        msg = f"power {text!r}: {argument!r} names no GPUs; give nvidia-smi's numbers or UUIDs, like nvml:0,1"
        raise UsageError(msg)
    return names


def _watts(argument: str, text: str) -> float:
    try:
        watts = float(argument)
    except ValueError:
        watts = math.nan
    if not (math.isfinite(watts) and 0 < watts < 1e5):
        msg = f"power {text!r}: {argument!r} is no rated power; give the CPU's TDP in watts, like tdp:65"
        raise UsageError(msg)
    return watts


def open_panel(
    spec: PowerSpec,
    *,
    environ: Mapping[str, str] = os.environ,
    rapl_root: Path = rapl.ROOT,
    stat: Path = tdp.STAT,
    nvml: Callable[[], Nvml] = Nvml,
) -> Panel:
    """The instruments of this machine that the spec asks for; what cannot be read is named in ``unread``.

    Open it before any worker is started: whoever is on a GPU at this moment is somebody else. Close it when done.

    Raises:
        UsageError: a GPU that was asked for by number or UUID is not there.
    """
    if spec.off:
        return Panel()
    panels = [_host(spec, rapl_root, stat)]
    if spec.gpus is not None:
        panels.insert(0, _gpus(spec, spec.gpus, environ, nvml))
    return Panel(
        tuple(sensor for panel in panels for sensor in panel.sensors),
        tuple(watch for panel in panels for watch in panel.watches),
        tuple(lack for panel in panels for lack in panel.unread),
        panels[0].boards,
        panels[0].devices,
        panels[0].before,
        panels[0].close,
    )


def _gpus(spec: PowerSpec, names: Sequence[str], environ: Mapping[str, str], open_nvml: Callable[[], Nvml]) -> Panel:
    try:
        nvml = open_nvml()
    except UnavailableError as error:
        if isinstance(error, NoDriverError) and spec.auto and not names:
            return Panel()
        return Panel(unread=(Unread(Part.GPU, "GPU", "nvml", error.reason, error.fix),))
    try:
        gpus = nvml.gpus()
        visible = visible_gpus(gpus, environ, nvml.parent)
        chosen = tuple(VisibleGpu(_named(name, gpus)) for name in names) if names else visible.gpus
        devices = tuple((f"cuda:{n}", entry.gpu.uuid) for n, entry in enumerate(visible.gpus) if visible.ordered)
        return replace(_gpu_panel(nvml, chosen), devices=devices)
    except SensorError as error:
        nvml.close()
        return Panel(unread=(Unread(Part.GPU, "GPU", "nvml", str(error), nvml.fix_of(error)),))
    except UsageError:
        nvml.close()
        raise


def _named(name: str, gpus: Sequence[Gpu]) -> Gpu:
    matches = [gpu for gpu in gpus if name == str(gpu.index) or (not name.isdigit() and gpu.uuid.startswith(name))]
    if len(matches) != 1:
        there = ", ".join(f"{gpu.index} ({gpu.uuid})" for gpu in gpus) or "none"
        msg = f"there is no single GPU {name!r}; nvidia-smi lists {there}"
        raise UsageError(msg)
    return matches[0]


def _gpu_panel(nvml: Nvml, chosen: Sequence[VisibleGpu]) -> Panel:
    sensors: list[Sensor] = []
    watches: list[Watch] = []
    unread: list[Unread] = []
    for gpu in dict.fromkeys(entry.gpu for entry in chosen):  # several MIG instances may lie on one GPU
        found, lacking = sensors_of(nvml, gpu)
        sensors += found
        unread += lacking
        watches.append(NvmlWatch(nvml, gpu.uuid))
    if not chosen:
        reason = "CUDA_VISIBLE_DEVICES shows no GPU"
        unread.append(Unread(Part.GPU, "GPU", "nvml", reason, "name it (nvml:0), or make it visible"))
    slices: dict[Gpu, list[str]] = {}
    for entry in chosen:
        slices.setdefault(entry.gpu, []).extend([entry.mig] if entry.mig else [])
    return Panel(
        tuple(sensors),
        tuple(watches),
        tuple(unread),
        tuple(nvml.board(gpu, migs) for gpu, migs in slices.items()),
        before=tuple((gpu.uuid, pid) for gpu in slices for pid in nvml.processes(nvml.handle(gpu.uuid)) or ()),
        close=nvml.close,
    )


def _host(spec: PowerSpec, rapl_root: Path, stat: Path) -> Panel:
    """CPU and memory: by RAPL; where that gives no package, by the model, if it was asked for."""
    sensors: list[Sensor] = []
    unread: list[Unread] = []
    if spec.rapl:
        found, lacking = rapl.find(rapl_root)
        sensors += found
        unread += lacking
    measured = any(sensor.facts.component.part is Part.CPU for sensor in sensors)
    try:
        if spec.tdp_w is not None and not measured:
            sensors.insert(0, tdp.TdpModel(spec.tdp_w, stat))
            unread = [lack for lack in unread if lack.part is not Part.CPU]
        watches: tuple[Watch, ...] = (tdp.HostWatch(stat),)
    except SensorError as error:
        fix = "the model and the host's load need Linux's /proc/stat"
        return Panel(tuple(sensors), unread=(*unread, Unread(Part.CPU, "cpu package", "tdp model", str(error), fix)))
    return Panel(tuple(sensors), watches, tuple(unread))
