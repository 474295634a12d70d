"""The axis on which all times of a run lie, also when it was broken off and gone on with.

::

    one sitting      time.perf_counter, the same for all processes of a machine
    the next         time.perf_counter + shift, so that it begins where the one before was left

Within a sitting the axis is the clock itself. Between two sittings, which a restart of the machine may part, it only
keeps the order: nothing is computed across the gap.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class RunClock:
    """Seconds on the axis of a run, in this process; ``shift_s`` is what it adds to the machine's clock."""

    def __init__(
        self,
        shift_s: float = 0.0,
        *,
        clock: Callable[[], float] = time.perf_counter,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.shift_s = shift_s
        self._clock = clock
        self._wall = wall

    @classmethod
    def following(
        cls,
        clock_s: float,
        wall_s: float,
        *,
        clock: Callable[[], float] = time.perf_counter,
        wall: Callable[[], float] = time.time,
    ) -> RunClock:
        """The clock of a further sitting, after one that was last heard of at these two times.

        A system time that was set back in between makes the gap short, never negative.
        """
        return cls(clock_s + max(1.0, wall() - wall_s) - clock(), clock=clock, wall=wall)

    def now(self) -> float:
        """This moment on the axis of the run."""
        return self._clock() + self.shift_s

    def wall(self) -> float:
        """Seconds since 1970, as the system believes."""
        return self._wall()
