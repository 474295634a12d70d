"""How many waves and rounds a group has: set by the budget and what set-up and blocks take, never by a ratio."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.stopping import LEAST_ROUNDS, Pace, affordable_rounds, affordable_waves, strides
from bench.dossier import Dossier, GroupBook
from bench.entries import RoundsSet
from bench.records import Plan
from bench.shaping import DROP_S


def pace(book: GroupBook, wave: int, hire_s: float, *, cold: bool, energy: bool) -> RoundsSet:
    """The number of waves, the rounds of the coming ones, and for each case in which of them it takes part.

    Asked in the first wave, in the second, which shows what later ones take and settles their number, and at the look.
    ``hire_s`` is what bringing up the workers took; ``cold`` whether they began with empty caches, which is not
    counted; ``energy`` whether a wave ends with blocks for energy.
    """
    staff = book.staff
    kept = [dossier.stride for dossier in book.dossiers]
    if not staff:
        return RoundsSet(wave, book.rounds, kept, book.waves)
    blocks_s = [dossier.block_s for dossier in staff]
    chosen = strides(blocks_s)
    round_s = sum(block_s / stride for block_s, stride in zip(blocks_s, chosen, strict=True))
    overhead_s = hire_s + sum(dossier.set_up_s + dossier.check_s for dossier in staff)
    overhead_s -= _cold_s(staff) if cold else 0.0
    overhead_s += _energy_round_s(book.plan, staff) if energy else 0.0
    costs = Pace(book.plan.group_budget_s(len(book.dossiers)), max(0.0, overhead_s), round_s)
    waves = affordable_waves(book.plan, costs) if wave <= 1 else book.waves
    rounds = affordable_rounds(book.plan, waves, costs)
    for dossier, stride in zip(staff, chosen, strict=True):
        kept[dossier.index] = min(stride, max(1, rounds // LEAST_ROUNDS))
    return RoundsSet(wave, rounds, kept, waves)


def _cold_s(staff: Sequence[Dossier]) -> float:
    """What only a first wave pays: filling the compilers' caches."""
    lives = [dossier.lives[-1] for dossier in staff if dossier.lives]
    return sum(life.build_s + life.first_step_s for life in lives)


def _energy_round_s(plan: Plan, staff: Sequence[Dossier]) -> float:
    return 2 * plan.idle_s + sum(DROP_S + max(plan.energy_block_s, dossier.step_s) for dossier in staff)
