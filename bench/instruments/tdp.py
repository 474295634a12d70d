"""A model where no sensor is: the CPU's rated power times the share of its cores that were busy.

It knows nothing of clocks, vector units, memory or idle power, and can be wrong by half; whatever is made of it is
labelled ESTIMATED. The busy time is a sum that only grows, so the model is one as well, and a window of it needs
no guess about what happened between two readings.

Source: Linux, Documentation/filesystems/proc.rst, section 1.7 (/proc/stat).
"""

from __future__ import annotations

import os
from pathlib import Path

from bench.instruments.power import SensorError, SensorFacts
from bench.records.power import Component, HostState, Part, SourceKind

STAT = Path("/proc/stat")

#: Which columns of a cpu line are work done on this machine: user, nice, system, irq, softirq. Guests are counted
#: in user already; what another virtual machine took (steal) was not work here.
_BUSY_COLUMNS = (0, 1, 2, 5, 6)


class TdpModel:
    """Joules: rated watts times busy seconds of all cores, divided by the number of cores."""

    def __init__(self, tdp_w: float, stat: Path = STAT) -> None:
        component = Component(Part.CPU, "cpu package")
        self._busy = BusyTime(stat)
        self._tdp_w = tdp_w
        tick_s = 1 / self._busy.ticks_per_s
        step_j = tdp_w * tick_s / self._busy.cores
        self.facts = SensorFacts(component, "tdp model", SourceKind.MODEL, "J", step_j, None, tick_s, tick_s)

    def read(self) -> float:
        """Joules since the machine started, as the model has it."""
        return self._tdp_w * self._busy.read() / self._busy.cores


class HostWatch:
    """How many cores of the machine were busy since the look before."""

    def __init__(self, stat: Path = STAT) -> None:
        self._busy = BusyTime(stat)
        self._last: tuple[float, float] | None = None

    def look(self, at_s: float) -> HostState | None:
        """The mean number of busy cores since the last look; None at the first one."""
        busy_s = self._busy.read()
        last, self._last = self._last, (at_s, busy_s)
        if last is None or at_s <= last[0]:
            return None
        return HostState(at_s, max(0.0, busy_s - last[1]) / (at_s - last[0]))


class BusyTime:
    """Seconds of work of all cores since the machine started."""

    def __init__(self, stat: Path = STAT) -> None:
        self._stat = stat
        self.ticks_per_s = os.sysconf("SC_CLK_TCK")
        self.cores = max(1, sum(line.startswith("cpu") for line in self._lines()) - 1)

    def read(self) -> float:
        """Busy seconds.

        Raises:
            SensorError: the file cannot be read, or is not what Linux writes.
        """
        try:
            columns = [int(text) for text in self._lines()[0].split()[1:]]
            return sum(columns[column] for column in _BUSY_COLUMNS) / self.ticks_per_s
        except (IndexError, ValueError) as error:
            msg = f"{self._stat} does not begin with the processors' times"
            raise SensorError(msg, lost=True) from error

    def _lines(self) -> list[str]:
        try:
            return self._stat.read_text().splitlines()
        except OSError as error:
            msg = f"{self._stat} cannot be read ({error.strerror or error})"
            raise SensorError(msg, lost=True) from error
