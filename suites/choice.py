"""Which cases a workload has: the curated ones, or a grid that the user asked for. Imports no torch.

::

    nothing said         the curated tuples of suites.variants, and each backend of the user's own
    --bench-axis A=x,y   all combinations of the values given, over each device's baseline
    --bench-full         all combinations of the values that the curated tuples have

What cannot be is left out with a reason (:mod:`suites.feasible`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench import AXES, Case, Options, Selection, UsageError, Variant, Workload, expand
from suites import variants
from suites.feasible import Purpose, why_not
from suites.outside import format_backends
from suites.shapes import format_shape

AxisValue = str | int | bool


@dataclass(frozen=True)
class _Curated:
    """The curated variants of one device, its baseline first."""

    both: tuple[Variant, ...]
    inference: tuple[Variant, ...]  # beside those of both
    end_to_end: tuple[Variant, ...]


#: Where nobody names a device, these are meant.
_CURATED: Mapping[str, _Curated] = {
    "cpu": _Curated(variants.CPU, (*variants.CPU_INFERENCE, *variants.CPU_RUNTIMES), variants.CPU_END_TO_END),
    "cuda:0": _Curated(variants.CUDA, variants.CUDA_INFERENCE, variants.CUDA_END_TO_END),
}
#: Axes whose values are combined with each other by --bench-full. Of the others each value stands alone, as in the
#: curated tuples: they show what a default is worth.
_COMBINED = ("precision", "layout", "backend", "cudnn_benchmark")
#: Backends that are measured when somebody asks for them: on a CPU, to make weights constants or tune products takes
#: half a minute or more each time, and what runs on CUDA through ONNX Runtime has to be installed first.
_BEYOND = ("compile_frozen", "compile_max_autotune", "onnxruntime_tensorrt", "onnxruntime_trt_rtx")
#: More than this is a slip of the keyboard.
_MOST = 5000


def classifier_selection(purpose: Purpose, options: Options) -> Selection:
    """The cases of a workload of the classifier, baselines first within each device, and what was left out.

    Raises:
        UsageError: an axis value that is not known, or more combinations than anybody can measure.
    """
    _check_values(options)
    workload = _workload(purpose, options)
    cases: list[Case] = []
    left_out: list[tuple[Case, str]] = []
    added: list[Case] = []
    asked = bool(options.axes) or options.full
    for device in _devices(options):
        wanted = _asked_for(device, purpose, options) if asked else _curated(device, purpose, options)
        judged = [(variant, why_not(variant, purpose)) for variant in dict.fromkeys(wanted)]
        possible = [variant for variant, reason in judged if reason is None]
        left_out += [(Case(workload, variant), reason) for variant, reason in judged if asked and reason is not None]
        baseline = _baseline(device, purpose)
        if possible and baseline not in possible:
            added.append(Case(workload, baseline))
        if possible:
            ordered = dict.fromkeys((baseline, *possible))
            cases += [Case(workload, variant) for variant in ordered]
    return Selection(tuple(cases), tuple(left_out), tuple(added))


def known_values() -> dict[str, frozenset[AxisValue]]:
    """The values of each axis of words that the classifier understands, devices apart."""
    return {
        "precision": frozenset({"fp32", "amp_bf16", *_used("precision")}),
        "layout": frozenset({"contiguous", "channels_last", *_used("layout")}),
        "backend": frozenset({*_BEYOND, *_used("backend")}),
    }


def _workload(purpose: Purpose, options: Options) -> Workload:
    outside = (("backends", format_backends(options.backends)),) if options.backends else ()
    return Workload(
        purpose.name,
        build=f"suites.{purpose.module}:build",
        prepare=f"suites.{purpose.module}:prepare",
        parameters=(
            ("data", options.data),
            ("model", options.model),
            ("shape", format_shape(options.input_shape)),
            ("classes", options.classes),
            *outside,
        ),
        items="images",
        measures="latency" if purpose.latency else "throughput",
    )


def _devices(options: Options) -> tuple[str, ...]:
    chosen = dict(options.axes).get("device", tuple(_CURATED))
    return tuple(str(device) for device in chosen)


def _baseline(device: str, purpose: Purpose) -> Variant:
    return Variant.of(device=device, **_fixed(purpose))


def _fixed(purpose: Purpose) -> dict[str, AxisValue]:
    """What a purpose leaves no choice in: a single stream asks for one image at a time."""
    return {"batch": 1} if purpose.latency else {}


def _curated(device: str, purpose: Purpose, options: Options) -> Iterable[Variant]:
    """The default set; of it for latency what a single call may feel."""
    pool = _pool(device, purpose, options)
    chosen = [variant for variant in pool if not purpose.latency or _suits_latency(variant)]
    return [Variant.of(**{**dict(variant), **_fixed(purpose)}) for variant in chosen]


def _suits_latency(variant: Variant) -> bool:
    """Other backends and numbers of threads, one at a time.

    On a CPU, where a call costs little beside its work, compiling for one image is not worth its half a minute.
    """
    if variant.device == "cpu" and str(dict(variant).get("backend", "")).startswith("compile"):
        return False
    return len(_differs_in(variant)) <= 1 and _differs_in(variant) <= {"backend", "threads"}


def _pool(device: str, purpose: Purpose, options: Options) -> tuple[Variant, ...]:
    """What the curated tuples hold for a purpose, and each backend from outside over the baseline."""
    curated = _CURATED[device]
    if purpose.loads:
        return curated.end_to_end
    own = (Variant.of(device=device, backend=name) for name, _ in options.backends)
    return (*curated.both, *(() if purpose.training else curated.inference), *own)


def _asked_for(device: str, purpose: Purpose, options: Options) -> Iterable[Variant]:
    """The grid over the axes given, over those of the full set too where that was asked for."""
    axes: dict[str, Sequence[AxisValue]] = {}
    curated: tuple[Variant, ...] = ()
    if options.full:
        curated = _pool(_kin(device), purpose, options)
        axes = {name: _values(name, curated) for name in _COMBINED}
    axes |= {name: values for name, values in options.axes if name != "device"}
    axes |= {name: (value,) for name, value in _fixed(purpose).items()}
    count = math.prod(map(len, axes.values()))
    if count > _MOST:
        msg = f"these axes make {count:,} combinations on {device} alone; give fewer values, at most {_MOST:,} together"
        raise UsageError(msg)
    given = {name for name, _ in options.axes} - {"device"}
    alone = [variant for variant in curated if not _differs_in(variant) & given]
    moved = [Variant.of(**{**dict(variant), **_fixed(purpose), "device": device}) for variant in alone]
    return itertools.chain(expand(device=[device], **axes), moved)


def _kin(device: str) -> str:
    """The device whose curated set fits: every GPU has that of the first."""
    return device if device in _CURATED else "cuda:0"


def _values(axis: str, chosen: Iterable[Variant]) -> tuple[AxisValue, ...]:
    return tuple(dict.fromkeys((AXES[axis], *(dict(variant).get(axis, AXES[axis]) for variant in chosen))))


def _differs_in(variant: Variant) -> set[str]:
    """The axes in which a variant is not its device's baseline."""
    return {axis for axis, value in variant if axis != "device" and value != AXES.get(axis)}


def _used(axis: str) -> set[AxisValue]:
    everything = itertools.chain.from_iterable(
        (*curated.both, *curated.inference, *curated.end_to_end) for curated in _CURATED.values()
    )
    return {dict(variant).get(axis, AXES[axis]) for variant in everything}


def _check_values(options: Options) -> None:
    known = known_values()
    known["backend"] |= {name for name, _ in options.backends}
    for axis, values in options.axes:
        for value in values:
            if axis in known and value not in known[axis]:
                choices = ", ".join(sorted(map(str, known[axis])))
                msg = f"the classifier knows no {axis} {value!r}; choose one of {choices}"
                raise UsageError(msg)
