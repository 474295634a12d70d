"""A report before it has a look: what stands in it, and in which order."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bench.analysis import Group, Verdict, summarise
from bench.analysis.settings import environment_differences
from bench.records import Run
from bench.records.power import PowerLog
from bench.records.prices import PriceBook
from bench.units import quantity
from reports.facts import environment_table, method_table
from reports.figures import DASH, duration
from reports.independence import independence_table
from reports.lead import words_of
from reports.money import Money, accounts_of, money_of
from reports.places import place_tables
from reports.prices_used import price_table
from reports.profile import capture_tables, time_tables
from reports.self_check import self_check_table
from reports.settings import change_said
from reports.summary import Headline, headline, titles
from reports.tables import Table, failure_table, group_table, skip_table
from reports.text import listed, one_line
from reports.wording import absolutes_said, comparisons_said, of_verdict


@dataclass(frozen=True)
class Section:
    """One group: its figures, for charts, and its table."""

    group: Group
    headline: Headline
    table: Table
    aside: Table | None = None  # the price of independence, where there is one
    time: tuple[Table, ...] = ()  # where it goes, where that was recorded
    confidence: float = 0.95
    money: Money | None = None  # None where nothing about it has a price
    log: PowerLog | None = None  # what sensors said while it was measured


@dataclass(frozen=True)
class Document:
    """Everything a report says of one run; the renderers choose how it looks, and nothing else."""

    title: str
    facts: tuple[tuple[str, str], ...]  # run, date, machine, length
    lead: tuple[str, ...]  # three to five sentences for who reads no further
    summary: tuple[str, ...]  # those, and all others
    sections: tuple[Section, ...]
    failures: Table
    skips: Table
    self_check: Table  # without lines where there was none
    captures: tuple[Table, ...]
    environment: Table
    method: Table
    cautions: tuple[str, ...]  # what must be known before a figure is quoted
    verdicts: tuple[tuple[str, str], ...]  # each verdict with its meaning and the next step
    band: float
    places: tuple[Table, ...] = ()  # for each workload, what its best cases cost on each device and in each way
    prices: Table | None = None  # what the figures of money rest on

    @property
    def money(self) -> tuple[Table, ...]:
        """All tables of money, in the order of the sections."""
        kept = [section.money for section in self.sections if section.money is not None]
        tables = [table for one in kept for table in (one.costs, one.training) if table is not None]
        return (*tables, *self.places, *([self.prices] if self.prices is not None and (tables or self.places) else []))


def compose(run: Run, prices: PriceBook | None = None, between: tuple[str, str] | None = None) -> Document:
    """The document of a run; the same run and prices give the same document. Without prices it has no money.

    ``between`` names two cases whose times are set side by side; by default the first two of each group.
    """
    groups = summarise(run)
    named = tuple(zip(titles(groups), groups, strict=True))
    accounts = () if prices is None else accounts_of(run, groups, [title for title, _ in named], prices)
    sections = tuple(
        Section(
            group,
            headline(title, group),
            group_table(group, title, run.plan),
            time=time_tables(group, title, run, between),
            confidence=run.plan.confidence,
            log=run.log_of(row.trial for row in group.rows),
        )
        for title, group in named
    )
    if accounts:
        sections = tuple(
            replace(section, money=money_of(account, section.table))
            for section, account in zip(sections, accounts, strict=True)
        )
    sections = tuple(
        replace(section, aside=independence_table(section.group, section.table, section.money)) for section in sections
    )
    words = words_of(groups, named, run, accounts)
    return Document(
        title=_title(tuple(title for title, _ in named)),
        facts=_facts(run),
        lead=words.lead,
        summary=(*words.sentences, *_resumed_said(run)),
        sections=sections,
        failures=failure_table(run),
        skips=skip_table(run.skips),
        self_check=self_check_table(run),
        captures=capture_tables(run),
        environment=environment_table(run),
        method=method_table(run.plan, checked=any(trial.checks for trial in run.trials)),
        cautions=(comparisons_said(run.plan), absolutes_said()),
        verdicts=tuple(_verdict(verdict, run) for verdict in Verdict),
        band=run.plan.band,
        places=place_tables(accounts),
        prices=price_table(accounts) if accounts else None,
    )


def _title(names: tuple[str, ...]) -> str:
    text = ", ".join(names)
    return text[:1].upper() + text[1:] if text else "No cases measured"


def _facts(run: Run) -> tuple[tuple[str, str], ...]:
    machine = [one_line(run.environment.cpu or DASH)]
    if run.environment.cores_usable is not None:
        machine.append(f"{run.environment.cores_usable} cores usable")
    if run.environment.cpu_quota_cores is not None:
        machine.append(f"a CPU quota of {run.environment.cpu_quota_cores:g}")
    machine += [one_line(gpu.name) for gpu in run.environment.gpus]
    return (
        ("run", one_line(run.id)),
        ("started", _date(run.started)),
        ("took", duration(run.duration_s) if run.duration_s is not None else "not finished"),
        ("machine", ", ".join(machine)),
        ("memory", quantity(run.environment.memory_bytes, "B")),
    )


def _resumed_said(run: Run) -> Iterator[str]:
    """A sentence for each time it was gone on with: where in the run, and whether the machine was another by then."""
    before = run.environment
    for sitting in run.sittings:
        changes = tuple(change_said(change) for change in environment_differences(before, sitting.environment))
        before = sitting.environment
        where = (
            "" if sitting.group is None else f" in wave {sitting.wave + 1} of the group of {one_line(sitting.group)}"
        )
        machine = f"what had changed by then: {listed(changes)}" if changes else "on the same machine"
        yield f"The run was broken off{where} and resumed on {_date(sitting.started)}, {machine}."


def _date(started: str) -> str:
    """``"22 November 2026, 17:30 UTC"``; what is no date is shown as it stands."""
    try:
        moment = datetime.datetime.fromisoformat(started).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return one_line(started)
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}, {moment:%H:%M} UTC"


def _verdict(verdict: Verdict, run: Run) -> tuple[str, str]:
    wording = of_verdict(verdict, run.plan)
    return wording.label, f"{wording.sentence}. {wording.advice}"


#: Not ``strftime``: its names follow the locale, and a report must not.
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
