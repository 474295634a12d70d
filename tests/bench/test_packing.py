"""What is kept as bytes is what was put in, and is small."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from bench.packing import Packed
from bench.records import Sample, SampleKind

_TIMES = st.floats(0, 1e9)
_SAMPLES = st.builds(
    Sample,
    wave=st.integers(0, 10_000),
    round=st.integers(0, 40),
    position=st.integers(0, 50),
    predecessor=st.none() | st.integers(0, 50),
    start_s=_TIMES,
    steps=st.integers(1, 10_000),
    host_s=_TIMES,
    device_s=st.none() | _TIMES,
    kind=st.sampled_from(SampleKind),
)


@given(st.lists(st.lists(_SAMPLES, max_size=5), max_size=5))
def test_what_is_read_is_what_was_put_in(blocks: list[list[Sample]]) -> None:
    kept = Packed(list[Sample])
    for block in blocks:
        kept.append(block)
    assert len(kept) == len(blocks)
    assert [list(block) for block in kept] == blocks
    assert list(kept) == list(kept)  # as often as one likes


def test_a_hundred_thousand_samples_take_less_than_ten_megabytes() -> None:
    kept = Packed(list[Sample])
    tracemalloc.start()
    try:
        for number in range(50_000):
            start_s = number / 7
            kept.append([Sample(number, 1, 2, 3, start_s + n, 2, start_s / 3, None, SampleKind.TIMING) for n in (0, 1)])
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 10 * 2**20  # as objects they would take more than thirty
