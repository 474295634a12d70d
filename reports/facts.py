"""Tables of plain facts: the machine a run took place on, and the plan it followed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bench.analysis import is_look
from bench.analysis.comparison import LOOK_SHARE
from bench.records import Environment, Plan, Run
from bench.units import quantity, scale
from reports.figures import DASH, percent
from reports.tables import Cell, Column, Line, Role, Table
from reports.text import counted, one_line


def environment_table(run: Run) -> Table:
    """The machine and its software, as far as they could be read."""
    e = run.environment
    facts: list[tuple[str, object]] = [
        ("processor", e.cpu),
        ("cores usable", _cores(e)),
        *([] if e.cpu_quota_cores is None else [("cores by CPU quota", f"{e.cpu_quota_cores:g}")]),
        ("memory", quantity(e.memory_bytes, "B")),
        ("frequency governor", e.cpu_governor),
        ("load at the start", None if e.load_average is None else f"{e.load_average:.2f} processes"),
        ("system", e.system),
        ("Python", e.python),
    ]
    facts += [(one_line(name), version) for name, version in e.packages]
    facts += [(one_line(name), value) for name, value in e.variables]
    facts += [("GPU driver", e.gpu_driver)] if e.gpu_driver or e.gpus else []
    for gpu in e.gpus:
        described = (gpu.name, quantity(gpu.memory_bytes, "B"), f"power limit {quantity(gpu.power_limit_w, 'W')}")
        facts.append((f"GPU {gpu.index}", ", ".join(described)))
    share = sampling_share(run)
    facts += [("cost of reading sensors", f"{percent(share)} of one core")] if share is not None else []
    return _facts("Environment", ((name, DASH if value is None else one_line(value), "") for name, value in facts))


def _cores(e: Environment) -> str | None:
    """How many logical CPUs, with how many cores those are of where some are second threads of one."""
    if e.cores_usable is None or e.cores_physical in (None, e.cores_usable):
        return None if e.cores_usable is None else str(e.cores_usable)
    return f"{e.cores_usable}, of {e.cores_physical} with two threads or more"


def sampling_share(run: Run) -> float | None:
    """The fraction of one core that following the sensors took, in the worst group; None where nothing was read."""
    shares = [log.cost.cores for log in run.power if log.traces and log.cost is not None and log.cost.cores is not None]
    return max(shares, default=None)


def method_table(plan: Plan, *, checked: bool = True) -> Table:
    """How the run was measured: the plan's figures and what each means; ``checked`` if any results were."""
    starts = {
        "fork_server": "forked from a server that is itself fresh in each wave",
        "spawn": "a new interpreter for each case and wave",
        "in_process": "all cases in the test process, one after the other",
    }
    return _facts(
        "How it was measured",
        (
            (
                "waves",
                str(plan.waves),
                "fresh processes for every case, the unit of evidence; rows with fewer say so",
            ),
            ("rounds per wave", str(plan.rounds or "as time allows"), "one block of every case, in random order"),
            (
                "block",
                f"≥ {quantity(plan.block_s, 's')}",
                f"of one case on a CPU; {quantity(plan.cuda_block_s, 's')} on CUDA",
            ),
            ("sample", f"≥ {quantity(plan.sample_s, 's')}", "steps back to back between two readings of the clock"),
            (
                "warm-up",
                f"≤ {quantity(plan.warm_up_s, 's')}",
                f"until the fastest stretches agree within {percent(plan.warm_up_tolerance)}",
            ),
            (
                "budget",
                "by its cases" if plan.budget_s is None else _length(plan.budget_s),
                "of measuring for each group",
            ),
            ("confidence", percent(plan.confidence), "of each interval; of all claims of a table together, by Holm"),
            *_look(plan),
            ("noise band", f"±{percent(plan.band)}", "differences below this do not count"),
            ("precision asked for", f"±{percent(plan.precision)}", "of each speed-up, else its row says imprecise"),
            *_tolerances(plan, checked=checked),
            ("order", f"seed {plan.seed}", "from which the order of every round is drawn"),
            (
                "energy block",
                f"≥ {quantity(plan.energy_block_s, 's')}",
                "of every case in each wave, where a sensor can be read",
            ),
            ("sensors", plan.power, "asked for; what could not be read is named in the notes"),
            ("processes", plan.start.replace("_", " "), starts.get(plan.start, "")),
        ),
    )


def _look(plan: Plan) -> Iterator[tuple[str, str, str]]:
    level = percent(1 - LOOK_SHARE * (1 - plan.confidence))
    for waves in range(1, plan.waves):
        if is_look(plan.waves, waves):
            meaning = f"a case whose {level} interval is precise and clear leaves, and keeps that interval"
            yield "look", f"after {counted(waves, 'wave')}", meaning


def _tolerances(plan: Plan, *, checked: bool) -> tuple[tuple[str, str, str], ...]:
    """What results may be off by; for a run without checks, that it has none."""
    if not checked:
        reason = "its workloads have none, or it was measured before there were any: no accuracy, no error, no loss"
        return (("checks of the results", "none", reason),)
    errors = f"FP32 {plan.rmse_fp32:g}, TF32 {plan.rmse_tf32:g}, half {plan.rmse_half:g}, INT8 {plan.rmse_int8:g}"
    losses = f"FP32 {percent(plan.loss_fp32)}, others {percent(plan.loss_half)}"
    return (
        ("error allowed", errors, "relative RMSE of the scores; beyond it a row is struck out"),
        ("agreement asked for", f"≥ {percent(plan.agreement)}", "of the classes named, with those of the reference"),
        ("accuracy may drop by", percent(plan.accuracy_drop), "of the held-out images, or one image"),
        ("loss may be off by", losses, "and by four times the reference's own spread"),
    )


def _facts(title: str, facts: Iterable[tuple[str, str, str]]) -> Table:
    facts = tuple(facts)
    meant = any(meaning for _, _, meaning in facts)
    columns = (Column("case", "what"), Column("value", "value"), *([Column("meaning", "meaning")] if meant else []))
    rows = ((Cell(a), Cell(b), *([Cell(c, role=Role.MUTED)] if meant else [])) for a, b, c in facts)
    return Table(title, columns, tuple(Line(cells) for cells in rows))


def _length(seconds: float) -> str:
    """A planned length of time as it was asked for: no digits that nobody wrote."""
    value, unit = scale(seconds, "s")
    return f"{value:g} {unit}"
