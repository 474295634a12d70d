from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import UsageError
from suites.shapes import format_shape, parse_shape

numbers = st.integers(1, 99999)


@given(st.tuples(numbers, numbers, numbers))
def test_a_shape_survives_being_written_and_read(shape):
    assert parse_shape(format_shape(shape)) == shape


@pytest.mark.parametrize("text", ["", "3x32", "3x32x0", "3x32x32x1", "3 x 32 x 32", "-3x32x32", "3X32X32", "03x32x32"])
def test_what_is_not_three_positive_numbers_is_refused(text):
    with pytest.raises(UsageError, match="write channels, height and width as in 3x32x32"):
        parse_shape(text)
