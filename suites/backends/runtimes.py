"""What the runtimes outside PyTorch have in common: what they refuse, how they are found, what all of them must prove.

They do inference only, on images [n, channels, height, width] that are float32 and dense, and compute in a precision
of their own: the model that they are made from stays in float32.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch

from bench import MeasurementError, Proof, UnavailableError, UsageError, Variant
from suites.backends.ready import Brief
from suites.operations import Operation, layout_of, products

#: Axes that change nothing outside PyTorch: a label that names one of them would not tell the truth.
_IDLE = ("layout", "onednn", "cudnn", "cudnn_benchmark", "deterministic")


def refuse_unfit(brief: Brief, *, precisions: Sequence[str], kind: str, honours: Sequence[str] = ()) -> None:
    """Refuse what a runtime cannot do on devices of this kind ("cpu" or "cuda").

    ``honours`` names those axes that mean nothing to most runtimes, but are obeyed by this one.

    Raises:
        UsageError: with what can be asked for instead.
    """
    variant = brief.variant
    name = variant["backend"]
    if brief.training:
        msg = f"backend {name} does inference only; measure training with backend eager or compile"
        raise UsageError(msg)
    if variant.device.partition(":")[0] != kind:
        msg = f"backend {name} does not run on device {variant.device}; give it a device of the kind {kind}"
        raise UsageError(msg)
    if variant["precision"] not in precisions:
        msg = f"backend {name} has no precision {variant['precision']} on {kind}; choose one of {', '.join(precisions)}"
        raise UsageError(msg)
    for axis in idle_axes(variant, honours):
        msg = f"{axis} would change nothing in backend {name}; leave it at its default"
        raise UsageError(msg)


def idle_axes(variant: Variant, honours: Sequence[str] = ()) -> list[str]:
    """The axes of a variant, each as ``"cudnn=False"``, that mean nothing outside PyTorch."""
    named = ((axis, value) for axis, value in variant)  # those that are not at their defaults
    return [f"{axis}={value}" for axis, value in named if axis in _IDLE and axis not in honours]


def find_runtime(module: str, extra: str) -> Any:
    """The imported module of a runtime that Joulemark does not depend on.

    Raises:
        UnavailableError: it is not installed, or does not load; the fix names Joulemark's ``extra`` that has it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        absent = isinstance(error, ModuleNotFoundError) and error.name == module.partition(".")[0]
        reason = f"the package {module} is not installed" if absent else f"{module} cannot be imported ({error})"
        raise UnavailableError(reason, install(extra)) from error


def install(extra: str) -> str:
    """The fix that installs one of Joulemark's extras, as a command."""
    return f"install it: pip install 'joulemark[{extra}]'"


def dense(images: torch.Tensor) -> torch.Tensor:
    """The images, fit to be handed over by their address: what a runtime reads there it takes for float32 in rows.

    Raises:
        MeasurementError: they are not float32.
    """
    if images.dtype != torch.float32:
        msg = f"a runtime outside PyTorch was given {images.dtype} images; give it float32"
        raise MeasurementError(msg)
    return images.contiguous()


def outside_proofs(variant: Variant, images: torch.Tensor, operations: Iterable[Operation]) -> Iterator[Proof]:
    """Evidence of where images lay, and that PyTorch computed nothing of the network in the recorded step."""
    yield Proof("device", variant.device, str(images.device))
    yield Proof("layout given", "contiguous", layout_of(images.shape, images.stride()) or "contiguous")
    left = sorted({each.name for each in products(operations)})
    yield Proof("left to PyTorch", "nothing", " and ".join(left) or "nothing")


def joined(words: Iterable[str]) -> str:
    """Each word once, sorted, for the observed side of a proof."""
    return " and ".join(sorted(set(words))) or "nothing seen"
