"""How long measuring will take, guessed before anything is known of the steps: from the plan and usual set-up times.

::

    first wave    cold set-up of every case
    each wave     start | warm set-up and warm-up of every case | rounds | energy blocks, with sensors
                          |<------------- the budget bounds this ------------>|
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bench.analysis.stopping import LEAST_ROUNDS, MOST_ROUNDS, fewest_waves
from bench.records import Case, Plan
from bench.records.workload import LATENCY

#: Seconds from nothing to the end of the first step with empty caches, of a model like ResNet-18. Orders of
#: magnitude: compiling takes several times as long on two cores as on thirty.
_COLD_SET_UP_S: Mapping[str, float] = {
    "eager": 1.0,
    "compile": 25.0,
    "compile_frozen": 30.0,
    "compile_reduce_overhead": 40.0,
    "compile_max_autotune": 120.0,
    "cuda_graphs": 3.0,
    "onnxruntime": 4.0,
    "onnxruntime_tensorrt": 60.0,
    "onnxruntime_trt_rtx": 30.0,
    "openvino": 6.0,
    "tensorrt": 60.0,
}
_UNKNOWN_SET_UP_S = 5.0
_WARM_SHARE = 0.125  # of the cold set-up, with the caches of an earlier wave
_LEAST_WARM_S = 0.5
_WAVE_START_S = 3.0
_WARM_UP_S = 0.5
_STEP_S = 0.05  # a block ends with the step that fills it, and drops one before


def forecast_s(groups: Iterable[tuple[Sequence[Case], Plan]]) -> float:
    """Seconds that these groups may take, each with its plan; sensors apart."""
    return sum(_group_s(group, plan) for group, plan in groups)


def _group_s(group: Sequence[Case], plan: Plan) -> float:
    cold_s = [_COLD_SET_UP_S.get(str(case.variant["backend"]), _UNKNOWN_SET_UP_S) for case in group]
    warm_s = sum(max(_LEAST_WARM_S, _WARM_SHARE * each) for each in cold_s)
    most = plan.rounds or MOST_ROUNDS
    round_s = sum(_block_s(case, plan) for case in group)
    up_s = _WAVE_START_S + _WARM_UP_S * len(group)

    def waves_s(waves: int, rounds: int) -> float:
        return (waves - 1) * warm_s + waves * (up_s + rounds * round_s)

    least_s = waves_s(fewest_waves(plan), min(LEAST_ROUNDS, most))  # beyond the budget, if need be
    return sum(cold_s) + max(least_s, min(plan.group_budget_s(len(group)), waves_s(plan.waves, most)))


def _block_s(case: Case, plan: Plan) -> float:
    """Of single steps there are many, but small ones."""
    length_s = plan.block_length_s(case.variant.device)
    if case.workload.measures == LATENCY:
        return max(length_s, plan.latency_steps * _STEP_S / 5)
    return length_s + 2 * _STEP_S
