"""Caveats that follow from what a group was measured under, noted while it is: the platform, others, and the budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bench.analysis.quality import is_cut_short, is_disturbed
from bench.analysis.stopping import WANTED_ROUNDS
from bench.records import Caveat, CaveatKind, Plan
from bench.records.power import HostLoad

_MOST_NAMED = 6


def of_worker(plan: Plan, *, can_freeze: bool, pinned: bool, profiler: str | None) -> Iterator[Caveat]:
    """What this platform denied to a worker, or what watched it; ``profiler`` is the name of one that did."""
    if plan.start == "in_process":
        yield Caveat.of(CaveatKind.IN_PROCESS)
    elif not can_freeze:
        yield Caveat.of(CaveatKind.UNFROZEN)
    if not pinned:
        yield Caveat.of(CaveatKind.UNPINNED)
    if profiler is not None:
        yield Caveat.of(CaveatKind.PROFILED, profiler=profiler)


def of_host(loads: Mapping[int, HostLoad], rivals: int) -> Iterator[Caveat]:
    """In which waves others worked on our cores or a quota stopped us, and how many other runs there were.

    ``loads`` are by wave, from 0.
    """
    busy = {wave: load for wave, load in loads.items() if is_disturbed(load)}
    if busy:
        yield Caveat.of(
            CaveatKind.BUSY_HOST,
            waves=len(busy),
            named=_named(sorted(busy)),
            others=round(max(load.others_cores for load in busy.values()), 2),
            stolen=round(max(load.stolen_cores for load in busy.values()), 2),
            cores=max(load.cores for load in busy.values()),
        )
    stopped = {wave: load for wave, load in loads.items() if is_cut_short(load)}
    if stopped:
        yield Caveat.of(
            CaveatKind.CPU_QUOTA,
            waves=len(stopped),
            named=_named(sorted(stopped)),
            cut_short=max(load.cut_short for load in stopped.values()),
            quota=max(load.quota_cores or 0.0 for load in stopped.values()),
            cores=max(load.cores for load in stopped.values()),
        )
    if rivals:
        yield Caveat.of(CaveatKind.ANOTHER_RUN, runs=rivals)


def of_budget(plan: Plan, waves: int | None, rounds: int) -> Iterator[Caveat]:
    """Where the budget has room for fewer waves than planned, or for fewer rounds in each than are wanted.

    ``waves`` is None while their number is not settled.
    """
    if waves is not None and waves < plan.waves:
        yield Caveat.of(CaveatKind.FEWER_WAVES, waves=waves, planned=plan.waves)
    wanted = plan.rounds or WANTED_ROUNDS
    if rounds < wanted:
        yield Caveat.of(CaveatKind.CUT_TO_BUDGET, rounds=rounds, planned=wanted)


def _named(waves: Sequence[int]) -> str:
    """The first few, as people count: a run of a day has thousands."""
    more = f" and {len(waves) - _MOST_NAMED} more" if len(waves) > _MOST_NAMED else ""
    return ", ".join(str(wave + 1) for wave in waves[:_MOST_NAMED]) + more
