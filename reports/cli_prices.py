"""The verbs about money, ``joulemark recommend`` and ``joulemark prices``, and the options that prices come by."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.analysis import summarise
from bench.analysis.choice import Goal
from bench.errors import UsageError
from bench.pricebook import SHIPPED, read_prices
from bench.records.prices import PriceBook
from bench.storage import load
from reports.cli import RUN_HELP, answered, printed
from reports.money import accounts_of
from reports.recommend import Limits, advise
from reports.summary import titles

_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "": 1.0}


#: What :func:`add_price_options` declares.
PRICE_OPTIONS = ("prices", "region", "site", "provider", "utilisation", "images", "epochs")


def add_price_options(parser: argparse.ArgumentParser) -> None:
    """Declare where prices come from and what is assumed of their use."""
    group = parser.add_argument_group("prices (joulemark prices prints the shipped book)")
    group.add_argument("--prices", metavar="FILE", type=Path, help="a price book of your own")
    group.add_argument("--region", metavar="NAME", help="whose electricity: a region of the price book")
    group.add_argument("--site", metavar="NAME", help="whose overhead (PUE): a site of the price book")
    group.add_argument("--provider", metavar="NAME", help="whose rent: a provider of the price book")
    group.add_argument("--utilisation", metavar="F", type=_share, help="share of paid time at work: 0.4 or 40%%")
    group.add_argument("--images", metavar="N", type=_count, help="images of an epoch")
    group.add_argument("--epochs", metavar="N", type=_count, help="epochs of a training run")


def book_of(chosen: argparse.Namespace) -> PriceBook:
    """The price book that was asked for, with its assumptions as they were asked for.

    Raises:
        UsageError: it cannot be read, or knows no such region, site or provider.
    """
    book = read_prices(chosen.prices)
    asked = {name: getattr(chosen, name) for name in PRICE_OPTIONS if name != "prices"}
    book = replace(book, assume=replace(book.assume, **{name: value for name, value in asked.items() if value}))
    places = {
        "region": {one.region for one in book.electricity} | {one.region for one in book.carbon},
        "site": {one.site for one in book.overhead},
        "provider": {one.provider for one in book.rent},
    }
    for name, known in places.items():
        wanted = asked[name]
        if wanted and wanted.casefold() not in {each.casefold() for each in known}:
            msg = f"the price book knows no {name} {wanted!r}; it has {', '.join(sorted(known)) or 'none'}"
            raise UsageError(msg)
    return book


def prices(argv: Sequence[str]) -> int:
    """Print the shipped price book, to be edited; 0."""
    parser = argparse.ArgumentParser(
        "joulemark prices", description="Print the shipped price book: joulemark prices > prices.toml, then edit it."
    )
    parser.parse_args(argv)
    printed(SHIPPED.read_text(encoding="utf-8"))
    return 0


def recommend(argv: Sequence[str]) -> int:
    """Print which case to take; 0, 1 where no case meets the limits, or 2 where the question cannot be answered."""
    parser = argparse.ArgumentParser(
        "joulemark recommend",
        description="Say which setting to take, with the runner-up and the reason.",
        epilog="Exit status: 0 for an answer, 1 where no case meets the limits, 2 for a question that cannot be meant.",
    )
    parser.add_argument("run", metavar="RUN", type=Path, help=RUN_HELP)
    parser.add_argument("--workload", default="inference", help="which workload of the run (default inference)")
    parser.add_argument("--max-latency", metavar="TIME", type=_time, help="of one step, like 5ms")
    parser.add_argument("--min-accuracy", metavar="F", type=_share, help="on held-out images, like 0.97 or 97%%")
    goals = [goal.value for goal in Goal]
    parser.add_argument("--minimise", choices=goals, default="cost", help="what is to be least (default cost)")
    add_price_options(parser)
    chosen = parser.parse_args(argv)
    found: list[bool] = []

    def verb() -> None:
        run = load(chosen.run)
        groups = summarise(run)
        accounts = accounts_of(run, groups, titles(groups), book_of(chosen))
        limits = Limits(chosen.max_latency, chosen.min_accuracy)
        advice = advise(accounts, chosen.workload, Goal(chosen.minimise), limits)
        printed("".join(f"{line}\n" for line in advice.lines))
        found.append(advice.found)

    status = answered(verb)
    return status if status or all(found) else 1


def _time(text: str) -> float:
    match = re.fullmatch(r"\s*([0-9.]+(?:e-?\d+)?)\s*(s|ms|us|µs|)\s*", text)
    if match is None or not 0 < (seconds := float(match[1]) * _UNITS[match[2]]) < math.inf:
        msg = f"{text!r} is no length of time; write it like 5ms"
        raise argparse.ArgumentTypeError(msg)
    return seconds


def _share(text: str) -> float:
    try:
        share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        msg = f"{text!r} is no share; write it like 0.4 or 40%"
        raise argparse.ArgumentTypeError(msg)
    return share


def _count(text: str) -> int:
    try:
        number = int(text.replace("_", "").replace(",", ""))
    except ValueError:
        number = 0
    if number < 1:
        msg = f"{text!r} is no number of things; write a whole number from 1"
        raise argparse.ArgumentTypeError(msg)
    return number
