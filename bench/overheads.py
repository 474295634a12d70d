"""What the instruments themselves cost here: the clock, a worker's waking and freezing, a stopwatch without work.

::

    clock          read | read | read ...                           a call, the least step between two values
    round trip     ask ---> answer                                  a worker that is awake
    switch         thaw | ask ---> answer | freeze                  less a round trip
    empty step     start | nothing | stop                           with events and synchronise on CUDA

The worker is one like any other, with a workload of nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import pairwise
from statistics import median

from bench.errors import BenchError
from bench.records import Case, EmptyStep, Plan, SelfCheck, Variant, Workload
from bench.workers.crew import Crew, Worker, hire
from bench.workers.messages import Block, Build, Built, Finish, Finished, Prepare, Prepared, Sealed

_IDLE = Workload("idle", "bench.workers.idle:build")
_NOTHING = "bench.workers.idle:nothing"
_CALLS = 10_000
_SWITCHES = 30
_ASK_LIMIT_S = 30.0

Clock = Callable[[], float]


def measure_overheads(
    copies: int,
    devices: Iterable[str],
    plan: Plan,
    *,
    hire: Callable[[int, str], Crew] = hire,
    clock: Clock = time.perf_counter,
) -> SelfCheck:
    """The costs of measuring on these devices; what cannot be measured is left out.

    ``copies`` is only noted: how many of each baseline the run will measure.
    """
    call_s, tick_s = clock_costs(clock)
    empty: list[EmptyStep] = []
    round_trip_s = switch_s = None
    for device in dict.fromkeys(devices):
        try:
            with closing(hire(1, plan.start)) as crew:
                (worker,) = crew.workers
                empty.append(_empty_step(worker, device, plan))
                if worker.can_freeze and switch_s is None:
                    round_trip_s, switch_s = _switch_costs(worker, clock)
                worker.ask(Finish(), Finished, _ASK_LIMIT_S)
        except (BenchError, OSError):
            continue  # the cases of this device will say so themselves, with the reason
    return SelfCheck(copies, call_s, tick_s, round_trip_s, switch_s, tuple(empty))


def clock_costs(clock: Clock, calls: int = _CALLS) -> tuple[float, float | None]:
    """Seconds that one reading of the clock takes, and the least difference between two that differ."""
    readings = [clock() for _ in range(calls)]
    steps = [later - earlier for earlier, later in pairwise(readings)]
    return (readings[-1] - readings[0]) / (calls - 1), min((step for step in steps if step > 0), default=None)


def _empty_step(worker: Worker, device: str, plan: Plan) -> EmptyStep:
    case = Case(_IDLE, Variant.of(device=device))
    worker.ask(Build(case, None, None, None, plan.seed), Built, plan.build_limit_s)
    # Two steps a sample: single ones are timed without events.
    block = Block(steps=2, samples=200, drop_steps=20, drop_s=0.0)
    sealed = worker.ask(block, Sealed, plan.block_limit_s)
    device_s = [seconds / block.steps for _, _, seconds in sealed.samples if seconds is not None]
    host_s = [seconds / block.steps for _, seconds, _ in sealed.samples]
    return EmptyStep(device, median(host_s), median(device_s) if device_s else None)


def _switch_costs(worker: Worker, clock: Clock) -> tuple[float, float]:
    """Seconds for a round trip to a worker that is awake, and what waking and freezing add to it."""
    ask = Prepare(_NOTHING, None, {})
    awake, frozen = [], []
    for _ in range(_SWITCHES):
        begin_s = clock()
        worker.ask(ask, Prepared, _ASK_LIMIT_S)
        awake.append(clock() - begin_s)
    worker.freeze()
    for _ in range(_SWITCHES):
        begin_s = clock()
        worker.thaw()
        worker.ask(ask, Prepared, _ASK_LIMIT_S)
        worker.freeze()
        frozen.append(clock() - begin_s)
    worker.thaw()
    return median(awake), max(0.0, median(frozen) - median(awake))
