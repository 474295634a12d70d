"""Pure functions of records: no clock, no hardware, no words."""

from bench.analysis.break_even import BreakEven
from bench.analysis.comparison import Comparison, Verdict, compare, judge
from bench.analysis.energy import EnergyEstimate, TrialEnergy
from bench.analysis.estimates import Estimate, peak_memory, set_up, throughput, time_per_step
from bench.analysis.independence import Independence
from bench.analysis.pipeline import InputShare, input_shares
from bench.analysis.quality import caveats
from bench.analysis.summary import Group, Row, summarise
from bench.analysis.tails import Tail

__all__ = [
    "BreakEven",
    "Comparison",
    "EnergyEstimate",
    "Estimate",
    "Group",
    "Independence",
    "InputShare",
    "Row",
    "Tail",
    "TrialEnergy",
    "Verdict",
    "caveats",
    "compare",
    "input_shares",
    "judge",
    "peak_memory",
    "set_up",
    "summarise",
    "throughput",
    "time_per_step",
]
