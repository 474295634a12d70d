"""How many rounds the waves of a group have: set by the budget and what set-up and blocks take, never by a ratio."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.stopping import LEAST_ROUNDS, affordable_rounds, strides
from bench.dossier import Dossier, GroupBook
from bench.entries import RoundsSet
from bench.records import Plan
from bench.shaping import DROP_S


def pace(book: GroupBook, wave: int, hire_s: float, *, cold: bool, energy: bool) -> RoundsSet:
    """The rounds of the coming waves, and for each case in which of them it takes part.

    Asked in the first wave, in the second, which shows what later ones take, and at the look. ``hire_s`` is what
    bringing up the workers took; ``cold`` whether they began with empty caches, which is not counted, and neither are
    long checks; ``energy`` whether a wave ends with blocks for energy.
    """
    staff = book.staff
    kept = [dossier.stride for dossier in book.dossiers]
    if not staff:
        return RoundsSet(wave, book.rounds, kept)
    blocks_s = [dossier.block_s for dossier in staff]
    chosen = strides(blocks_s)
    round_s = sum(block_s / stride for block_s, stride in zip(blocks_s, chosen, strict=True))
    overhead_s = hire_s + sum(dossier.set_up_s for dossier in staff)
    overhead_s -= _cold_s(staff) if cold else 0.0
    overhead_s += _energy_round_s(book.plan, staff) if energy else 0.0
    rounds = affordable_rounds(book.plan, len(book.dossiers), max(0.0, overhead_s), round_s)
    for dossier, stride in zip(staff, chosen, strict=True):
        kept[dossier.index] = min(stride, max(1, rounds // LEAST_ROUNDS))
    return RoundsSet(wave, rounds, kept)


def _cold_s(staff: Sequence[Dossier]) -> float:
    """What only a first wave pays: filling the compilers' caches, and checking at length."""
    lives = [dossier.lives[-1] for dossier in staff if dossier.lives]
    return sum(life.build_s + life.first_step_s for life in lives) + sum(dossier.check_s for dossier in staff)


def _energy_round_s(plan: Plan, staff: Sequence[Dossier]) -> float:
    return 2 * plan.idle_s + sum(DROP_S + max(plan.energy_block_s, dossier.step_s) for dossier in staff)
