"""The few sentences at the top of a report, for who reads no further: speed, money and energy, then the doubts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.analysis import Group
from bench.records import Run
from reports.money import Account
from reports.money_said import costs_in_one, costs_said, prices_asked
from reports.self_check import noise_said
from reports.summary import Named, energy_in_one, energy_said, fastest_in_one, fastest_said, others_said, summarised

#: More sentences than this are not read at the top.
MOST = 5


@dataclass(frozen=True)
class Words:
    """All that is said of a run: ``sentences`` begins with those of ``lead``."""

    lead: tuple[str, ...]
    sentences: tuple[str, ...]


def words_of(groups: tuple[Group, ...], named: Named, run: Run, accounts: tuple[Account, ...]) -> Words:
    """The sentences of a run.

    Where a sentence for each group would crowd out what they cost, one sentence tells of all groups at once, and those
    of each group follow beneath: first of money and energy, then of speed.
    """
    if not groups:
        sentences = summarised(groups, run)
        return Words(sentences[:MOST], sentences)
    kinds = (fastest_said(named), costs_said(accounts), energy_said(named))
    joined: list[Sequence[str]] = list(kinds)
    in_one = {1: costs_in_one(accounts), 2: energy_in_one(named), 0: fastest_in_one(named)}
    for place, one in in_one.items():
        if sum(map(len, joined)) > MOST and len(joined[place]) > 1:
            joined[place] = (one,)
    top = tuple(sentence for kind in joined for sentence in kind)
    told = tuple(sentence for kind in kinds for sentence in kind if sentence not in top)
    rest = (*prices_asked(accounts), *others_said(named, run, accounts), *noise_said(run))
    lead = (*top, *rest[: max(0, MOST - len(top))])
    return Words(lead, (*lead, *told, *rest[max(0, MOST - len(top)) :]))
