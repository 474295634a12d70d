"""Scaling is for reading only, and loses nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.units import quantity, scale, significant, unscale


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123, "s", "12.3 ms"),
        (4.2e-7, "s", "420 ns"),
        (95.0, "s", "95.0 s"),
        (0.0, "s", "0 s"),
        (3 * 2**30, "B", "3.00 GiB"),
        (1234.5, "images/s", "1234 images/s"),
        (None, "s", "–"),
        (1.25, "1", "1.25"),
    ],
)
def test_a_quantity_reads_as_a_person_would_write_it(value: float | None, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


@given(st.floats(min_value=1e-12, max_value=1e15), st.sampled_from(["s", "B", "J", "W"]))
def test_unscaling_gives_the_value_back(value: float, unit: str) -> None:
    assert unscale(*scale(value, unit), unit) == pytest.approx(value, rel=1e-12)


def test_a_foreign_unit_cannot_be_unscaled() -> None:
    with pytest.raises(ValueError, match="not a scaled form"):
        unscale(1.0, "ms", "J")


def test_significant_digits_are_counted_from_the_first_that_is_not_zero() -> None:
    assert [significant(value) for value in (1234.5, 12.345, 0.012345, 0.0)] == ["1234", "12.3", "0.0123", "0"]
