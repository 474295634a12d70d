"""How often does a sensor of power or energy change? ``python -m suites.experiments.rhythm``.

The sampler of a measurement waits for as many changes as it needs and sleeps over the others. Here each sensor is read
again and again without a pause, so that no change is missed; that keeps a core busy.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Protocol

from bench import BenchError
from bench.instruments.panel import open_panel, parse_power


class Reads(Protocol):
    """A sensor."""

    def read(self) -> float: ...


def changes(sensor: Reads, seconds: float, clock: Callable[[], float]) -> list[float]:
    """When a value of the sensor was first seen that differs from the one before."""
    end_s, seen, found = clock() + seconds, sensor.read(), list[float]()
    while (now_s := clock()) < end_s:
        value = sensor.read()
        if value != seen:
            found.append(now_s)
            seen = value
    return found


def rhythms(power: str, seconds: float) -> dict[str, dict[str, float] | None]:
    """Source -> what is known of the time between two changes; ``power`` names the sensors as --bench-power does."""
    panel = open_panel(parse_power(power))
    try:
        return {
            f"{sensor.facts.source} of {sensor.facts.component.name}": spacing(
                changes(sensor, seconds, time.perf_counter)
            )
            for sensor in panel.sensors
        }
    finally:
        panel.close()


def spacing(times: Sequence[float]) -> dict[str, float] | None:
    """Seconds between changes; None with fewer than three of them."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    if len(gaps) < 2:
        return None
    return {"median_s": statistics.median(gaps), "least_s": min(gaps), "most_s": max(gaps), "changes": len(times)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the rhythm of each sensor; returns the exit status."""
    parser = argparse.ArgumentParser(prog="suites.experiments.rhythm", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--power", default="auto", help="the sensors, as in --bench-power (auto)")
    parser.add_argument("--seconds", type=float, default=5.0, help="time for each sensor (5)")
    options = parser.parse_args(arguments)
    try:
        found = rhythms(options.power, options.seconds)
    except BenchError as error:
        print(f"suites.experiments.rhythm: {error}", file=sys.stderr)
        return 2
    print("\n".join(map(sentence, found.items())) or "nothing to read here")
    return 0


def sentence(rhythm: tuple[str, Mapping[str, float] | None]) -> str:
    """One sensor's rhythm as a line."""
    name, found = rhythm
    if found is None:
        return f"{name}: it hardly changed"
    middle, least, most = (1e3 * found[key] for key in ("median_s", "least_s", "most_s"))
    return f"{name}: every {middle:.1f} ms ({least:.1f} to {most:.1f}), {found['changes']:.0f} changes"


if __name__ == "__main__":
    sys.exit(main())
