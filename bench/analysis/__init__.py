"""Pure functions of records: no clock, no hardware, no words."""

from bench.analysis.comparison import Comparison, Verdict, compare, judge
from bench.analysis.energy import EnergyEstimate, TrialEnergy
from bench.analysis.estimates import Estimate, peak_memory, set_up, throughput, time_per_step
from bench.analysis.phases import Difference, Spot, StepTimes, differences, host_bound, spots, step_times
from bench.analysis.quality import caveats
from bench.analysis.stopping import is_look, may_leave
from bench.analysis.summary import Group, Row, summarise

__all__ = [
    "Comparison",
    "Difference",
    "EnergyEstimate",
    "Estimate",
    "Group",
    "Row",
    "Spot",
    "StepTimes",
    "TrialEnergy",
    "Verdict",
    "caveats",
    "compare",
    "differences",
    "host_bound",
    "is_look",
    "judge",
    "may_leave",
    "peak_memory",
    "set_up",
    "spots",
    "step_times",
    "summarise",
    "throughput",
    "time_per_step",
]
