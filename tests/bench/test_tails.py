"""Bounds of quantiles: printed sample sizes, closed forms, and how often they hold in simulation."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.tails import bound_rank, design_effect, least_samples, tail, tails
from tests.factories import INFERENCE, LATENCY, make_latencies, make_trial


@pytest.mark.parametrize(
    ("quantile", "confidence", "samples"), [(0.99, 0.95, 299), (0.9, 0.95, 29), (0.99, 0.99, 459), (0.5, 0.95, 5)]
)
def test_the_sample_sizes_are_those_of_the_printed_table(quantile: float, confidence: float, samples: int) -> None:
    assert least_samples(quantile, confidence) == samples
    assert bound_rank(samples, quantile, confidence) == samples
    assert bound_rank(samples - 1, quantile, confidence) is None


@given(st.integers(1, 3000), st.sampled_from([0.5, 0.9, 0.99]), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_rank_is_the_least_that_holds(n: int, quantile: float, confidence: float) -> None:
    rank = bound_rank(n, quantile, confidence)
    below = [math.comb(n, k) * quantile**k * (1 - quantile) ** (n - k) for k in range(n)] if n < 400 else None
    if below is not None and rank is not None:
        assert sum(below[:rank]) >= confidence - 1e-9
        assert sum(below[: rank - 1]) < confidence + 1e-9
    assert rank is None or quantile * n <= rank <= n


def test_a_tail_of_known_numbers() -> None:
    steps_s = [0.001 * (n * 7919 % 3000 + 1) for n in range(3000)]  # 1 ms to 3 s, each once, well mixed
    p90, p99 = tails(make_latencies(LATENCY, steps_s), 0.95)
    assert (p90.name, p99.name) == ("p90", "p99")
    assert p90.value_s == pytest.approx(2.7)
    assert p99.value_s == pytest.approx(2.97)
    assert p99.bound_s is not None
    assert 2.97 < p99.bound_s < 2.99
    assert (p99.n, p99.needed) == (3000, 299)


def test_too_few_samples_have_no_tail_but_say_what_it_takes() -> None:
    p90, p99 = tails(make_latencies(LATENCY, [0.001 + 1e-6 * (n * 37 % 100) for n in range(200)], waves=2), 0.95)
    assert p90.bound_s is not None
    assert (p99.value_s, p99.bound_s, p99.n, p99.needed) == (None, None, 200, 299)


def test_steps_made_back_to_back_have_no_tails() -> None:
    assert tails(make_trial(INFERENCE), 0.95) == ()


def test_slow_steps_in_one_block_count_as_few_as_they_are() -> None:
    spread = [0.02 if n % 100 == 0 else 0.01 for n in range(3000)]
    burst = [0.02 if 1000 <= n < 1030 else 0.01 for n in range(3000)]
    assert design_effect(make_latencies(LATENCY, spread).samples, 0.01) == 1
    assert design_effect(make_latencies(LATENCY, burst).samples, 0.01) > 20
    assert tails(make_latencies(LATENCY, burst), 0.95)[1].value_s is None


def test_a_slow_process_is_seen_although_its_blocks_are_alike() -> None:
    waves = [(0.011 if wave == 3 else 0.010) * (1 + 1e-4 * (n * 31 % 50)) for wave in range(6) for n in range(500)]
    assert design_effect(make_latencies(LATENCY, waves).samples, 0.0105) > 100


def _independent(chance: random.Random) -> list[float]:
    return [math.exp(chance.gauss(0, 0.02)) for _ in range(3000)]


def _bursty(chance: random.Random) -> list[float]:
    """Bursts of ten steps on average, on 2 % of the time, up to twice as slow."""
    steps, bursting = [], False
    for step in _independent(chance):
        bursting = chance.random() >= 0.1 if bursting else chance.random() < 0.002
        steps.append(step * (1 + chance.random()) if bursting else step)
    return steps


def _bursty_processes(chance: random.Random) -> list[float]:
    offsets = [math.exp(chance.gauss(0, 0.005)) for _ in range(6)]
    return [step * offsets[n // 500] for n, step in enumerate(_bursty(chance))]


@pytest.mark.parametrize(
    ("simulate", "least"), [(_independent, 0.93), (_bursty, 0.86), (_bursty_processes, 0.86)], ids=str
)
@pytest.mark.parametrize("quantile", [0.9, 0.99])
def test_the_bound_holds_as_often_as_the_documentation_says(simulate, least: float, quantile: float) -> None:
    chance = random.Random(20261122)
    population = sorted(step for _ in range(60) for step in simulate(chance))
    truth = population[math.ceil(quantile * len(population)) - 1]
    found = [tail(make_latencies(LATENCY, simulate(chance)).samples, quantile, 0.95) for _ in range(120)]
    bounds = [each.bound_s for each in found if each.bound_s is not None]
    assert len(bounds) > 60
    assert sum(bound >= truth for bound in bounds) / len(bounds) >= least


def test_a_bound_is_not_so_wide_that_it_says_nothing() -> None:
    chance = random.Random(1)
    found = [tail(make_latencies(LATENCY, _independent(chance)).samples, 0.99, 0.95) for _ in range(20)]
    assert all(each.value_s is not None and each.bound_s is not None for each in found)
    assert max((each.bound_s or 9) / (each.value_s or 1) for each in found) < 1.02
