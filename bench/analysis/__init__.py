"""Pure functions of records: no clock, no hardware, no words."""

from bench.analysis.between_runs import Change, Metric, RunComparison, compare_runs
from bench.analysis.break_even import BreakEven
from bench.analysis.comparison import Comparison, Verdict, compare, judge
from bench.analysis.correctness import Judgement, judge_checks
from bench.analysis.energy import EnergyEstimate, TrialEnergy
from bench.analysis.estimates import Estimate, peak_memory, set_up, throughput, time_per_step
from bench.analysis.gates import Gate, GateResult, judge_gates, parse_gate, passed
from bench.analysis.independence import Independence
from bench.analysis.phases import Difference, Spot, StepTimes, differences, host_bound, spots, step_times
from bench.analysis.pipeline import InputShare, input_shares
from bench.analysis.quality import caveats
from bench.analysis.self_check import Noise, false_alarm_rate, noises
from bench.analysis.stopping import is_look, may_leave
from bench.analysis.summary import Group, Row, summarise
from bench.analysis.tails import Tail

__all__ = [
    "BreakEven",
    "Change",
    "Comparison",
    "Difference",
    "EnergyEstimate",
    "Estimate",
    "Gate",
    "GateResult",
    "Group",
    "Independence",
    "InputShare",
    "Judgement",
    "Metric",
    "Noise",
    "Row",
    "RunComparison",
    "Spot",
    "StepTimes",
    "Tail",
    "TrialEnergy",
    "Verdict",
    "caveats",
    "compare",
    "compare_runs",
    "differences",
    "false_alarm_rate",
    "host_bound",
    "input_shares",
    "is_look",
    "judge",
    "judge_checks",
    "judge_gates",
    "may_leave",
    "noises",
    "parse_gate",
    "passed",
    "peak_memory",
    "set_up",
    "spots",
    "step_times",
    "summarise",
    "throughput",
    "time_per_step",
]
