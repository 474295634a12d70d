from __future__ import annotations

import pytest

from reports.figures import DASH, Bounds, column_scale, duration, percent, ratio_scale


def test_a_column_takes_its_unit_from_its_first_known_value() -> None:
    scale = column_scale([None, Bounds(0.0184, 0.0180, 0.0188), Bounds(1.2, None, None)], "s")
    assert (scale.unit, scale.number(0.0184), scale.number(1.2)) == ("ms", "18.4", "1200.0")


def test_an_interval_that_would_be_rounded_away_gets_one_digit_more() -> None:
    coarse = column_scale([Bounds(0.0184, 0.0180, 0.0188)], "s")
    fine = column_scale([Bounds(0.0184, 0.01837, 0.01843)], "s")
    assert (coarse.number(0.0184), fine.number(0.0184)) == ("18.4", "18.40")
    assert fine.interval(0.01837, 0.01843) == "18.37–18.43"


def test_a_rate_is_never_given_a_prefix() -> None:
    assert column_scale([Bounds(123456.0, None, None)], "tokens/s").unit == "tokens/s"


def test_a_ratio_is_written_in_thousandths_only_where_its_interval_deserves_it() -> None:
    assert ratio_scale([Bounds(1.0834, 1.0, 1.2)]).number(1.0834) == "1.08"
    assert ratio_scale([Bounds(1.0834, 1.080, 1.086)]).number(1.0834) == "1.083"


def test_the_unknown_is_a_dash_and_an_unknown_interval_is_nothing() -> None:
    scale = column_scale([None, None], "s")
    assert (scale.number(None), scale.interval(None, 1.0)) == (DASH, "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, DASH), (0.5, "0.5 s"), (59.94, "59.9 s"), (60, "1 min"), (312.5, "5 min 12 s"), (7325, "2 h 2 min")],
)
def test_a_length_of_time_reads_as_people_say_it(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("fraction", "text"), [(0.01, "1 %"), (0.0123, "1.2 %"), (0.95, "95 %"), (0.05, "5 %")])
def test_a_percentage_is_not_torn_from_its_sign(fraction: float, text: str) -> None:
    assert percent(fraction) == text.replace(" ", "\u00a0")
