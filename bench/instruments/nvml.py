"""NVIDIA's management library through the package nvidia-ml-py: the one file that knows ``pynvml``.

Every field is optional: what a GPU or a user may not have is ``None`` (NOT_SUPPORTED, NO_PERMISSION, a function
that the driver is too old for). A GPU that has fallen off the bus is a :class:`SensorError` that says lost.

Source: NVIDIA, NVML API Reference Guide. ``nvmlDeviceGetTotalEnergyConsumption`` counts millijoules since the
driver was loaded, Volta and newer. ``nvmlDeviceGetPowerUsage`` is a mean over one second from Ampere on, GA100
excepted; the field POWER_INSTANT is not.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from bench.errors import UnavailableError
from bench.instruments.power import Sensor, SensorError, SensorFacts
from bench.instruments.visible import visible_gpus
from bench.records import Gpu
from bench.records.power import Board, Component, GpuState, Part, SourceKind, Unread

T = TypeVar("T")

#: Allowed for: readings are published up to so long after what they say.
_LATE_S = 0.05
#: Asking for the processes on a GPU takes milliseconds of the driver's own lock, so it is not done at every look.
_LIST_S = 0.9
_POWER_INSTANT = 186  # NVML_FI_DEV_POWER_INSTANT
_SCOPE_GPU = 0
_TYPES = MappingProxyType({0: "dVal", 1: "uiVal", 2: "ulVal", 3: "ullVal", 4: "sllVal", 5: "siVal"})

#: nvmlClocksEventReasons, bit by bit. Those in SLOWING hold the clocks below what was asked for.
_REASONS = MappingProxyType(
    {
        0x001: "gpu_idle",
        0x002: "applications_clocks_setting",
        0x004: "sw_power_cap",
        0x008: "hw_slowdown",
        0x010: "sync_boost",
        0x020: "sw_thermal_slowdown",
        0x040: "hw_thermal_slowdown",
        0x080: "hw_power_brake_slowdown",
        0x100: "display_clock_setting",
    }
)
_INSTALL = "install the driver (nvidia-smi must list the GPU), or measure without it"
_FIXES = MappingProxyType(
    {
        "NVML_ERROR_LIBRARY_NOT_FOUND": _INSTALL,
        "NVML_ERROR_DRIVER_NOT_LOADED": "load it (modprobe nvidia) or start the container with access to the GPU",
        "NVML_ERROR_NO_PERMISSION": "ask for read access to /dev/nvidiactl and /dev/nvidia*",
        "NVML_ERROR_NOT_SUPPORTED": "this GPU has no such sensor; choose another source or read it as not measured",
    }
)
_LOST = ("NVML_ERROR_GPU_IS_LOST", "NVML_ERROR_GPU_NOT_FOUND", "NVML_ERROR_RESET_REQUIRED", "NVML_ERROR_UNINITIALIZED")


#: nvmlComputeMode_t: exclusive thread (of old drivers), exclusive process. Source: NVML API Reference.
EXCLUSIVE_MODES = frozenset({1, 3})


class Listing(NamedTuple):
    """Driver version and GPUs in nvidia-smi's order; ``trouble`` says why NVML could not be asked."""

    driver: str | None
    gpus: tuple[Gpu, ...]
    trouble: str | None


def listing() -> Listing:
    """The GPUs of this machine; nothing and the trouble where there is no driver to ask."""
    try:
        nvml = Nvml()
    except UnavailableError as error:
        return Listing(None, (), error.reason)
    try:
        return Listing(nvml.driver(), nvml.gpus(), None)
    except SensorError as error:
        return Listing(None, (), f"the NVIDIA driver does not list its GPUs ({error})")
    finally:
        nvml.close()


def process_memory_bytes(device: str, pid: int, environ: Mapping[str, str] = os.environ) -> int | None:
    """Memory that a process holds on the GPU that it knows as "cuda:N", whoever allocated it.

    Read at the end it is the most it held, since allocators keep what they were given. None where the driver does not
    say, or knows the process by another number, as for one in a container.
    """
    return _asked(device, environ, lambda nvml, handle: nvml.memory_bytes(handle, pid))


def is_exclusive(device: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether only one process at a time may use "cuda:N", as clusters like to set it; not so where nobody says."""
    mode = _asked(device, environ, lambda nvml, handle: nvml.ask("nvmlDeviceGetComputeMode", handle))
    return mode in EXCLUSIVE_MODES


def _asked(device: str, environ: Mapping[str, str], question: Callable[[Nvml, Any], T | None]) -> T | None:
    """The driver's answer about the GPU that a process knows as "cuda:N"; None where it gives none."""
    try:
        nvml = Nvml()
    except UnavailableError:
        return None
    try:
        uuid = visible_gpus(nvml.gpus(), environ, nvml.parent).uuid_of(device)
        return None if uuid is None else question(nvml, nvml.handle(uuid))
    except SensorError:
        return None
    finally:
        nvml.close()


class NoDriverError(UnavailableError):
    """There is no NVIDIA driver on this machine at all, as opposed to one that refuses."""


class Nvml:
    """The library, initialised; close it when done. Openings are counted, so that two do not disturb each other.

    Raises:
        UnavailableError: the package, the library, the driver or the right to use it is missing.
    """

    def __init__(self) -> None:
        try:
            import pynvml
        except ImportError as error:
            reason = "the package nvidia-ml-py is not installed"
            raise UnavailableError(reason, "install it: pip install nvidia-ml-py") from error
        self._pynvml: Any = pynvml
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            reason = f"no NVIDIA driver answers (NVML: {error})"
            absent = error.value == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
            raise (NoDriverError if absent else UnavailableError)(reason, self._fix(error)) from error

    def close(self) -> None:
        """Let the library go; never fails."""
        self.ask("nvmlShutdown")

    def driver(self) -> str | None:
        """The driver's version."""
        return _text(self.ask("nvmlSystemGetDriverVersion"))

    def gpus(self) -> tuple[Gpu, ...]:
        """All GPUs, in nvidia-smi's order.

        Raises:
            SensorError: they cannot be listed.
        """
        return tuple(self._gpu(index) for index in range(int(self.demand("nvmlDeviceGetCount"))))

    def handle(self, uuid: str) -> Any:
        """What the library calls a GPU or a MIG instance.

        Raises:
            SensorError: there is none of this name.
        """
        return self.demand("nvmlDeviceGetHandleByUUID", uuid.encode())

    def parent(self, mig: str) -> str | None:
        """The UUID of the GPU that a MIG instance is a part of."""
        try:
            whole = self.demand("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", self.handle(mig))
            return _text(self.ask("nvmlDeviceGetUUID", whole))
        except SensorError:
            return None

    def board(self, gpu: Gpu, slices: Iterable[str] = ()) -> Board:
        """How a GPU is set at this moment."""
        handle = self.handle(gpu.uuid)
        mode = self.ask("nvmlDeviceGetMigMode", handle)
        return Board(
            gpu.uuid,
            gpu.name,
            gpu.index,
            gpu.power_limit_w,
            _scaled(self.ask("nvmlDeviceGetPowerManagementDefaultLimit", handle), 1e-3),
            _known(self.ask("nvmlDeviceGetPersistenceMode", handle), bool),
            None if mode is None else bool(mode[0]),
            tuple(slices),
        )

    def processes(self, handle: Any) -> tuple[int, ...] | None:
        """Ids of the processes with a compute context, as the driver sees them: in a container, other than ours."""
        found = self.ask("nvmlDeviceGetComputeRunningProcesses", handle)
        return None if found is None else tuple(sorted(int(process.pid) for process in found))

    def memory_bytes(self, handle: Any, pid: int) -> int | None:
        """What one of these processes holds of the GPU's memory; None where that is not told."""
        found = self.ask("nvmlDeviceGetComputeRunningProcesses", handle) or ()
        return next((_known(one.usedGpuMemory, int) for one in found if one.pid == pid), None)

    def ask(self, function: str, *arguments: Any) -> Any:
        """What a function of the library returns, or None where it returns an error of any kind."""
        try:
            return getattr(self._pynvml, function)(*arguments)
        except (self._pynvml.NVMLError, AttributeError):
            return None

    def demand(self, function: str, *arguments: Any) -> Any:
        """What a function of the library returns.

        Raises:
            SensorError: it returned an error; lost, if the GPU or the driver is gone.
        """
        try:
            return getattr(self._pynvml, function)(*arguments)
        except self._pynvml.NVMLError as error:
            msg = f"NVML: {error}"
            raise SensorError(msg, lost=self._is(error, _LOST)) from error

    def fix_of(self, error: SensorError) -> str:
        """What would help against an error of the library."""
        return self._fix(error.__cause__)

    def _gpu(self, index: int) -> Gpu:
        handle = self.demand("nvmlDeviceGetHandleByIndex", index)
        memory = self.ask("nvmlDeviceGetMemoryInfo", handle)
        return Gpu(
            index=index,
            name=_text(self.ask("nvmlDeviceGetName", handle)) or "GPU",
            uuid=_text(self.demand("nvmlDeviceGetUUID", handle)) or f"GPU {index}",
            memory_bytes=None if memory is None else int(memory.total),
            power_limit_w=_scaled(self.ask("nvmlDeviceGetEnforcedPowerLimit", handle), 1e-3),
        )

    def _fix(self, error: BaseException | None) -> str:
        return next((fix for name, fix in _FIXES.items() if self._is(error, (name,))), _INSTALL)

    def _is(self, error: BaseException | None, names: Iterable[str]) -> bool:
        code = getattr(error, "value", None)
        return code is not None and any(code == getattr(self._pynvml, name, None) for name in names)


class NvmlSensor:
    """One of a GPU's sensors: ``ask`` returns thousandths of the unit."""

    def __init__(self, facts: SensorFacts, ask: Callable[[], float]) -> None:
        self.facts = facts
        self._ask = ask

    def read(self) -> float:
        """Joules since the driver was loaded, or watts."""
        return self._ask() / 1e3


class NvmlWatch:
    """Clocks, heat, limits and processes of a GPU."""

    def __init__(self, nvml: Nvml, uuid: str) -> None:
        self._nvml = nvml
        self._uuid = uuid
        self._handle = nvml.handle(uuid)
        self._listed_s = -math.inf

    def look(self, at_s: float) -> GpuState:
        """The state now.

        Raises:
            SensorError: the GPU is lost.
        """
        nvml, handle = self._nvml, self._handle
        processes = None
        if at_s - self._listed_s >= _LIST_S:
            self._listed_s, processes = at_s, nvml.processes(handle)
        use = self._unless_lost("nvmlDeviceGetUtilizationRates")
        memory = nvml.ask("nvmlDeviceGetMemoryInfo", handle)
        return GpuState(
            at_s,
            self._uuid,
            sm_clock_hz=_scaled(nvml.ask("nvmlDeviceGetClockInfo", handle, 1), 1e6),
            memory_clock_hz=_scaled(nvml.ask("nvmlDeviceGetClockInfo", handle, 2), 1e6),
            temperature_c=self._temperature_c(),
            reasons=self._reasons(),
            power_limit_w=_scaled(nvml.ask("nvmlDeviceGetEnforcedPowerLimit", handle), 1e-3),
            utilisation=None if use is None else use.gpu / 100,
            memory_used_bytes=None if memory is None else int(memory.used),
            processes=processes,
        )

    def _unless_lost(self, function: str) -> Any:
        try:
            return self._nvml.demand(function, self._handle)
        except SensorError as error:
            if error.lost:
                raise
            return None

    def _temperature_c(self) -> float | None:
        for function in ("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature"):  # the second for older drivers
            value = self._nvml.ask(function, self._handle, 0)
            if value is not None:
                return float(value)
        return None

    def _reasons(self) -> tuple[str, ...] | None:
        for word in ("Event", "Throttle"):  # the second is the older name of the same
            bits = self._nvml.ask(f"nvmlDeviceGetCurrentClocks{word}Reasons", self._handle)
            if bits is not None:
                return tuple(name for bit, name in _REASONS.items() if bits & bit)
        return None


def sensors_of(nvml: Nvml, gpu: Gpu) -> tuple[tuple[Sensor, ...], tuple[Unread, ...]]:
    """What a GPU can be read by, best first: its counter, and one kind of power. Each was read once to make sure."""
    handle = nvml.handle(gpu.uuid)
    component = Component(Part.GPU, gpu.uuid)
    counter = SensorFacts(component, "nvml counter", SourceKind.COUNTER, "J", 1e-3, None, _LATE_S)
    instant = SensorFacts(component, "nvml instant power", SourceKind.POWER, "W", 1e-3, None, _LATE_S)
    averaged_s = 1.0 if _averages(nvml, handle) else None
    average = SensorFacts(component, "nvml average power", SourceKind.POWER, "W", 1e-3, averaged_s, _LATE_S)

    sources: tuple[tuple[SensorFacts, Callable[[], float]], ...] = (
        (counter, lambda: float(nvml.demand("nvmlDeviceGetTotalEnergyConsumption", handle))),
        (instant, lambda: _instant_mw(nvml, handle)),
        (average, lambda: float(nvml.demand("nvmlDeviceGetPowerUsage", handle))),
    )
    found: list[Sensor] = []
    lacks: list[SensorError] = []
    for facts, ask in sources:
        if facts is average and any(sensor.facts is instant for sensor in found):
            break
        try:
            ask()
        except SensorError as error:
            lacks.append(error)
        else:
            found.append(NvmlSensor(facts, ask))
    if found:
        return tuple(found), ()
    worst = lacks[0]
    return (), (
        Unread(Part.GPU, gpu.uuid, "nvml", f"neither energy nor power can be read ({worst})", nvml.fix_of(worst)),
    )


def _instant_mw(nvml: Nvml, handle: Any) -> float:
    (field,) = nvml.demand("nvmlDeviceGetFieldValues", handle, [(_POWER_INSTANT, _SCOPE_GPU)])
    if field.nvmlReturn != 0:
        nvml.demand("_nvmlCheckReturn", field.nvmlReturn)
    return float(getattr(field.value, _TYPES.get(field.valueType, "uiVal")))


def _averages(nvml: Nvml, handle: Any) -> bool:
    """Whether the plain power reading is a mean over a second: from Ampere on, except on GA100 (8.0)."""
    capability = nvml.ask("nvmlDeviceGetCudaComputeCapability", handle)
    return capability is None or tuple(capability) > (8, 0)


def _known(value: Any, convert: Callable[[Any], T]) -> T | None:
    return None if value is None else convert(value)


def _scaled(value: Any, factor: float) -> float | None:
    return None if value is None else float(value) * factor


def _text(value: str | bytes | None) -> str | None:
    return value.decode() if isinstance(value, bytes) else value
