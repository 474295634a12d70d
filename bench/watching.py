"""Who else uses the machine while a group is measured: other processes, the hypervisor, other runs of ours."""

from __future__ import annotations

from collections.abc import Collection

from bench.instruments.host import HostMeter, Used
from bench.instruments.presence import Presence
from bench.records.power import HostLoad


class HostWatchman:
    """A :class:`bench.surroundings.Watchman` with eyes."""

    def __init__(self, presence: Presence, meter: HostMeter | None = None) -> None:
        self._presence = presence
        self._meter = meter or HostMeter()
        self._begun: Used | None = None

    def begin(self, groups: Collection[int]) -> None:
        """The rounds of a wave begin."""
        self._begun = self._meter.read(groups)

    def end(self, groups: Collection[int]) -> HostLoad | None:
        """What others did since; None where the system does not tell."""
        return self._meter.load(self._begun, groups)

    def rivals(self) -> int:
        """How many other runs are measuring on this machine now."""
        return self._presence.others()
