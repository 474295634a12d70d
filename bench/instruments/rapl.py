"""Energy of CPU packages, DRAM and the platform (psys) from Linux's powercap tree.

::

    /sys/class/powercap/intel-rapl:0        name: package-0     energy_uj, max_energy_range_uj
                        intel-rapl:0:0      name: core          part of the package: not read
                        intel-rapl:0:1      name: dram
                        intel-rapl:1        name: psys          all of the platform: never added to the rest

AMD's counters appear under the same names. AMD has one energy counter for each socket; kernels that see several dies in
a socket show it once for each (``package-0-die-0``, ``package-0-die-1``), so that of AMD's dies one is read. Dies of
Intel's have counters of their own. ``intel-rapl-mmio:*`` shows the same packages a second time and is used only where
nothing else is there.

Source: Linux, Documentation/power/powercap/powercap.rst; the counters count modulo ``max_energy_range_uj``. Of AMD's
dies: "powercap: intel_rapl: Fix the energy-pkg event for AMD CPUs" in Linux; mlco2/codecarbon, issue 1274.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.instruments.power import SensorError, SensorFacts
from bench.records.power import Component, Part, SourceKind, Unread

ROOT = Path("/sys/class/powercap")

_ZONE = re.compile(r"(intel-rapl(?:-mmio)?):(\d+)(?::\d+)?")
_PACKAGE = re.compile(r"package-(\d+)(?:-die-(\d+))?")
#: The registers behind the files are brought up to date about every millisecond.
_LATE_S = 0.002

ReadText = Callable[[Path], str]


class RaplSensor:
    """The counter of one zone, carried on over its wrap-arounds.

    A wrap is noticed when a reading is lower than the one before, so there must be a reading in every turn of
    the counter; at 200 W the usual range of 262 kJ lasts 22 minutes, the least one 65 kJ, five minutes.
    """

    def __init__(self, zone: Path, component: Component, read_text: ReadText = Path.read_text) -> None:
        self.facts = SensorFacts(component, "rapl", SourceKind.COUNTER, "J", 1e-6, None, _LATE_S, _LATE_S)
        self._energy = zone / "energy_uj"
        self._read_text = read_text
        self._range_uj = self._integer(zone / "max_energy_range_uj")
        self._last_uj = self._integer(self._energy)
        self._sum_uj = 0

    def read(self) -> float:
        """Joules since this sensor was made."""
        now_uj = self._integer(self._energy)
        step_uj = now_uj - self._last_uj
        if step_uj < 0:
            step_uj += self._range_uj
        if step_uj < 0:  # lower by more than a whole range: not a wrap, the tree was made anew
            msg = f"{self._energy} fell by more than its range; measure again"
            raise SensorError(msg, lost=True)
        self._last_uj = now_uj
        self._sum_uj += step_uj
        return self._sum_uj / 1e6

    def _integer(self, path: Path) -> int:
        try:
            return int(self._read_text(path))
        except FileNotFoundError as error:
            msg = f"{path} is gone"
            raise SensorError(msg, lost=True) from error
        except (OSError, ValueError) as error:
            msg = f"{path} cannot be read ({getattr(error, 'strerror', None) or error})"
            raise SensorError(msg) from error


def find(
    root: Path = ROOT, read_text: ReadText = Path.read_text, *, cpuinfo: Path = Path("/proc/cpuinfo")
) -> tuple[tuple[RaplSensor, ...], tuple[Unread, ...]]:
    """The sensors that can be read, packages first, and what could not be, with the reason and the fix."""
    sensors: list[RaplSensor] = []
    unread: list[Unread] = []
    for zone, component in _components(root, read_text, one_die=_is_amd(cpuinfo)):
        try:
            sensors.append(RaplSensor(zone, component, read_text))
        except SensorError as error:
            unread.append(Unread(component.part, component.name, "rapl", str(error), _fix(error)))
    known = {sensor.facts.component.part for sensor in sensors} | {lack.part for lack in unread}
    if Part.CPU not in known:
        reason = f"the kernel shows no RAPL counters under {root}"
        fix = "measure on the machine itself, not in a virtual one, or give the CPU's TDP for an estimate (tdp:WATTS)"
        unread.append(Unread(Part.CPU, "cpu package", "rapl", reason, fix))
    if Part.DRAM not in known:
        reason = "there is no RAPL counter for memory"
        unread.append(Unread(Part.DRAM, "dram", "rapl", reason, "nothing to do, this machine does not count it"))
    sensors.sort(key=lambda sensor: _ORDER[sensor.facts.component.part])
    return tuple(sensors), tuple(unread)


_ORDER = {Part.CPU: 0, Part.DRAM: 1, Part.PSYS: 2, Part.GPU: 3}


def _is_amd(cpuinfo: Path) -> bool:
    """Whether the processor is AMD's, or Hygon's of the same making."""
    try:
        text = cpuinfo.read_text()
    except OSError:
        return False
    return re.search(r"^vendor_id\s*:\s*(AuthenticAMD|HygonGenuine)\s*$", text, re.MULTILINE) is not None


def _components(root: Path, read_text: ReadText, *, one_die: bool) -> Iterator[tuple[Path, Component]]:
    """Each zone that is read, and what it is; with ``one_die``, of the dies of a package only the first."""
    told: set[Component] = set()
    zones = _zones(root)
    names = {key: _name(zone, read_text) for key, zone in zones.items()}
    controllers = {_parts(key)[0] for key in zones}
    for key in sorted(zones):
        controller, number = _parts(key)
        if controller == "intel-rapl-mmio" and "intel-rapl" in controllers:
            continue
        component = _component(names[key], names.get(f"{controller}:{number}", ""), one_die=one_die)
        if component is not None and not (one_die and component in told):
            told.add(component)
            yield zones[key], component


def _component(name: str, package: str, *, one_die: bool) -> Component | None:
    """What a zone of this name is; ``package`` is the name of the zone it lies in, or its own."""
    if name == "psys":
        return Component(Part.PSYS, "psys")
    match = _PACKAGE.fullmatch(package)
    if match is None:
        return None
    place = match[1] if match[2] is None or one_die else f"{match[1]} die {match[2]}"
    if name == package:
        return Component(Part.CPU, f"cpu package {place}")
    return Component(Part.DRAM, f"dram {place}") if name == "dram" else None


def _zones(root: Path) -> dict[str, Path]:
    """Folder name -> folder; the kernel shows subzones both beside their zone and inside it."""
    found: dict[str, Path] = {}
    try:
        outer = [folder for folder in sorted(root.iterdir()) if _ZONE.fullmatch(folder.name)]
        for folder in outer:
            found[folder.name] = folder
            for inner in sorted(folder.iterdir()):
                if _ZONE.fullmatch(inner.name):
                    found.setdefault(inner.name, inner)
    except OSError:  # no such tree, or one that may not be listed: then nothing more is found
        return found
    return found


def _parts(key: str) -> tuple[str, str]:
    """Controller and number of the outer zone: "intel-rapl:0:1" -> ("intel-rapl", "0")."""
    controller, number, *_ = key.split(":")
    return controller, number


def _name(zone: Path, read_text: ReadText) -> str:
    try:
        return read_text(zone / "name").strip()
    except OSError:
        return ""


def _fix(error: SensorError) -> str:
    if isinstance(error.__cause__, PermissionError):
        return (
            "let it be read until the next start of the machine: "
            "sudo chmod -R a+r /sys/class/powercap/intel-rapl:*/ (any user can then watch the CPU's power)"
        )
    return "look at the file, and at the kernel's messages about intel_rapl"
