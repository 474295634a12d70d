"""Pure functions of records: no clock, no hardware, no words."""

from bench.analysis.comparison import Comparison, Verdict, compare, judge
from bench.analysis.correctness import Judgement, judge_checks
from bench.analysis.energy import EnergyEstimate, TrialEnergy
from bench.analysis.estimates import Estimate, peak_memory, set_up, throughput, time_per_step
from bench.analysis.quality import caveats
from bench.analysis.summary import Group, Row, summarise

__all__ = [
    "Comparison",
    "EnergyEstimate",
    "Estimate",
    "Group",
    "Judgement",
    "Row",
    "TrialEnergy",
    "Verdict",
    "caveats",
    "compare",
    "judge",
    "judge_checks",
    "peak_memory",
    "set_up",
    "summarise",
    "throughput",
    "time_per_step",
]
