"""What every backend is: a function from a placed model to a forward pass and the evidence that goes with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from bench import Proof, Variant
from suites.data import Split
from suites.operations import Operation


@dataclass(frozen=True)
class Brief:
    """What a backend may need to know, apart from the model.

    ``images`` is one batch [n, channels, height, width] as the step will see it: on the device, in the layout.
    ``calibration`` are real images and labels that are not measured, for backends that choose scales by looking.
    """

    variant: Variant
    training: bool
    images: torch.Tensor
    calibration: Split


@dataclass(frozen=True)
class Work:
    """One step on the next batch of an iterator, parted where the host must look at a result of the device.

    ``run`` looks at none and returns the scores or the loss; ``settle``, if there is one, comes after it and may look.
    ``optimizer`` is what ``run`` or ``settle`` moves the weights with.
    """

    run: Callable[[], torch.Tensor]
    settle: Callable[[], None] | None = None
    optimizer: torch.optim.Optimizer | None = None


@dataclass(frozen=True)
class Captured:
    """A step that a backend has taken over: ``run`` replays what ``plain``, not captured, does once more."""

    run: Callable[[], torch.Tensor]
    plain: Callable[[], object]


#: Work on the batches of an iterator; and the taking over of such work: one batch as an example, and those to come.
NewWork = Callable[[Iterator[Split]], Work]
Capture = Callable[[NewWork, Split, Iterator[Split]], Captured]


@dataclass(frozen=True)
class Ready:
    """A model made ready.

    ``forward`` turns images [n, channels, height, width] into scores [n, classes]. ``proofs`` is given the operations
    of one step and says whether the backend took effect in it. ``own_layout`` is true where the backend is free to
    lay out tensors inside the model as it likes, ``own_arithmetic`` where PyTorch's settings do not reach its products
    and its own proofs say how they are computed, ``hidden`` where PyTorch's profiler may see kernels but no operations.
    ``capture`` is there where the backend takes over the whole step and not the forward pass alone.
    """

    forward: Callable[[torch.Tensor], torch.Tensor]
    proofs: Callable[[Sequence[Operation]], Iterable[Proof]]
    own_layout: bool = False
    own_arithmetic: bool = False
    hidden: bool = False
    capture: Capture | None = None


class Backend(Protocol):
    """Makes a placed model ready.

    Raises:
        UsageError: the backend cannot do what the variant asks for, with what it can.
        UnavailableError: this machine lacks what the backend needs, with the fix.
    """

    def __call__(self, model: nn.Module, brief: Brief) -> Ready: ...
