"""Which cases a suite has, and which it leaves out and why. Loaded in workers: imports no pytest."""

from __future__ import annotations

from dataclasses import dataclass

from bench.records import Case


@dataclass(frozen=True)
class Selection:
    """The cases of one workload: to be measured (baselines first), impossible, and measured though nobody asked.

    ``left_out`` has a reason with each case. ``added`` are baselines that were not among what was asked for.
    """

    cases: tuple[Case, ...]
    left_out: tuple[tuple[Case, str], ...] = ()
    added: tuple[Case, ...] = ()
