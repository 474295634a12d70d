"""A run with one of everything a report must tell: winner, loser, same, unsure, failed, struck, skipped, caveats."""

from __future__ import annotations

from dataclasses import replace

from bench.records import (
    Case,
    Caveat,
    CaveatKind,
    Environment,
    Failure,
    Proof,
    Run,
    Sample,
    Skip,
    Trial,
    Variant,
    Workload,
)
from bench.records.environment import Gpu
from tests.factories import INFERENCE, TRAINING, make_run, make_trial, with_losses, with_scores

#: What each wave of a case is off by, as a multiple of its spread; a different start for each case.
_OFFSETS = (-1.0, 0.4, 1.1, -0.3, 0.8, -1.0, 0.2)

#: Text that would act, and not show, where it is not taken as text.
HOSTILE = (
    '<script>alert("x")</script>',
    "\"quoted\" & 'quoted'",
    "right \u202eot left",
    "two\nlines\r\nand a tab\t.",
    "a | b || `c` **d** [e](http://f) ~~g~~ $h$ # i",
    "\x1b[31mred\x1b[0m \x07",
    "🚀 ロケット 👩‍🚀",
    "=1+1",
    "{{ 7 * 7 }} {% raw %} [bold]rich[/bold] :smile:",
    "long " + "x" * 300,
    "</td></table>-->]]>",
    "",
)

#: The most hostile of what a variant may be called: letters, digits and a few signs, of any length.
HOSTILE_VARIANT = f"+1.:_{'x' * 300}"


def example_run() -> Run:
    """Six cases of training and seven of inference, and two skips; literal numbers throughout."""
    training = [
        with_losses(spread(make_trial(TRAINING, 0.0621), 0.002, 0), 2.004),
        with_losses(spread(make_trial(TRAINING, 0.0573, layout="channels_last"), 0.004, 1), 1.982),
        with_losses(spread(make_trial(TRAINING, 0.1081, precision="amp_bf16"), 0.006, 2), 2.061),
        failed(make_trial(TRAINING, 0.0440, backend="compile")),
        with_losses(spread(make_trial(TRAINING, 0.0700, onednn=False), 0.15, 4), 2.011),
        with_losses(
            spread(
                make_trial(TRAINING, 0.1006, threads=1, proofs=[Proof("torch.get_num_threads()", "1", "2")]), 0.003, 5
            ),
            2.004,
        ),
    ]
    inference = [
        with_scores(spread(make_trial(INFERENCE, 0.0184), 0.002, 0), 6.1e-7),
        with_scores(spread(make_trial(INFERENCE, 0.01837, layout="channels_last"), 0.002, 3), 1.0e-6),
        with_scores(not_warm(spread(make_trial(INFERENCE, 0.0320, precision="amp_bf16"), 0.006, 2)), 0.01, 354),
        with_scores(spread(make_trial(INFERENCE, 0.0130, backend="compile", build_s=14.2), 0.005, 3), 9.9e-7),
        with_scores(spread(make_trial(INFERENCE, 0.0207, onednn=False), 0.12, 4), 6.1e-6),
        with_scores(spread(make_trial(INFERENCE, 0.0298, threads=1), 0.003, 5), 6.1e-7),
        with_scores(spread(make_trial(INFERENCE, 0.0061, precision="int8"), 0.003, 1), 0.41, 322),
    ]
    inference[5] = replace(inference[5], caveats=(Caveat.of(CaveatKind.UNPINNED),))
    skips = [
        Skip(
            Case(workload, Variant.of(device="cuda:0")),
            "no CUDA device is visible to this process",
            "run on a machine with an NVIDIA GPU and its driver",
        )
        for workload in (TRAINING, INFERENCE)
    ]
    return make_run(*training, *inference, skips=skips)


def spread(trial: Trial, size: float, start: int) -> Trial:
    """The trial with every wave off by a known fraction: about what one process differs from the next."""

    def moved(sample: Sample) -> Sample:
        return sample._replace(host_s=sample.host_s * (1 + size * _OFFSETS[(sample.wave + start) % len(_OFFSETS)]))

    return replace(trial, samples=tuple(map(moved, trial.samples)))


def failed(trial: Trial) -> Trial:
    """The trial as it stands when its worker could not build the case."""
    failure = Failure(
        "build",
        "CppCompileError: no C++ compiler was found.",
        "torch._inductor.exc.InductorError: InvalidCxxCompiler\n  no working compiler in config.cpp.cxx: (None, 'g++')",
    )
    return replace(trial, samples=(), lives=(), failure=failure)


def not_warm(trial: Trial) -> Trial:
    """The trial with one life whose warm-up ended by its limit."""
    return replace(trial, lives=tuple(replace(life, warmed=life.wave != 3) for life in trial.lives))


def run_saying(text: str) -> Run:
    """A run with the same text wherever text comes from outside."""
    workload = Workload(text, "suites.own:build", None, (("data", text),), text)
    trials = (
        make_trial(workload, 0.02),
        make_trial(workload, 0.01, layout="channels_last"),
        make_trial(workload, 0.03, threads=1, proofs=[Proof(text, "1", f"{text}2")]),
        replace(failed(make_trial(workload, 0.03, onednn=False)), failure=Failure(text, text, f"{text}\n{text}")),
        make_trial(workload, 0.02, device="cuda:0"),
        make_trial(workload, 0.015, device="cuda:0", own=HOSTILE_VARIANT),
    )
    run = make_run(*trials, skips=[Skip(Case(workload, Variant.of(device="cuda:0")), text, text)])
    gpus = (Gpu(0, text, text),)
    environment = Environment(
        cpu=text, system=text, python=text, packages=((text, text),), cpu_governor=text, gpus=gpus
    )
    return replace(run, id=text, started=text, environment=environment)
