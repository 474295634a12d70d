"""The two steps that are timed, put together from a model, a placement and a backend."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import torch
from torch import nn

from bench import Proof, Step, Variant, span
from suites.backends import Brief, Ready, find_backend
from suites.data import DataSet, Split, rotation
from suites.evidence import onednn_proofs, placement_proofs
from suites.operations import record
from suites.placement import Placement
from suites.recipe import Recipe, new_loss, new_optimizer


def training_step(variant: Variant, model: nn.Module, data: DataSet) -> Step:
    """One optimizer step of the recipe; the model is moved, and trained as the step runs.

    ::

        zero gradients | forward | loss | backward | optimizer step         on one of several resident batches, in turn

    Raises:
        UsageError: an axis value that the classifier does not know.
        UnavailableError: this machine lacks the device or what the backend needs.
    """
    placement = Placement.of(variant)
    batches = _resident(placement, data.train, _batch(variant))
    model = placement.place_model(model).train()
    ready = find_backend(str(variant["backend"]))(model, Brief(variant, True, batches[0].images, data.train))
    optimizer, loss_of = new_optimizer(model, Recipe()), new_loss()
    forward, arithmetic, turns = ready.forward, placement.arithmetic, itertools.cycle(batches)

    def run() -> torch.Tensor:
        with span("data"):
            batch = next(turns)
        optimizer.zero_grad(set_to_none=True)
        with arithmetic():
            with span("forward"):
                scores = forward(batch.images)
            with span("loss"):
                loss: torch.Tensor = loss_of(scores, batch.labels)
        with span("backward"):
            loss.backward()  # type: ignore[no-untyped-call]
        with span("optimizer"):
            optimizer.step()
        return loss

    return Step(run, _batch(variant), _proofs(variant, placement, model, ready, batches[0], run))


def inference_step(variant: Variant, model: nn.Module, data: DataSet) -> Step:
    """One forward pass without gradients, in evaluation mode, on one of several resident batches, in turn.

    Raises:
        UsageError: an axis value that the classifier does not know.
        UnavailableError: this machine lacks the device or what the backend needs.
    """
    placement = Placement.of(variant)
    batches = _resident(placement, data.held_out, _batch(variant))
    model = placement.place_model(model).eval()
    ready = find_backend(str(variant["backend"]))(model, Brief(variant, False, batches[0].images, data.train))
    forward, arithmetic = ready.forward, placement.arithmetic
    turns = itertools.cycle([batch.images for batch in batches])

    def run() -> torch.Tensor:
        with span("data"):
            images = next(turns)
        with span("forward"), torch.inference_mode(), arithmetic():
            return forward(images)

    return Step(run, _batch(variant), _proofs(variant, placement, model, ready, batches[0], run))


def _batch(variant: Variant) -> int:
    return int(variant["batch"])


def _resident(placement: Placement, split: Split, batch: int) -> list[Split]:
    """Different batches on the device, so that no step finds its images in a cache because it has just read them."""
    return [
        Split(placement.place_images(each.images), each.labels.to(placement.device)) for each in rotation(split, batch)
    ]


def _proofs(
    variant: Variant,
    placement: Placement,
    model: nn.Module,
    ready: Ready,
    batch: Split,
    run: Callable[[], object],
) -> Callable[[], Iterator[Proof]]:
    """Evidence from one more step, recorded when it is asked for."""

    def proofs() -> Iterator[Proof]:
        operations = record(run)
        yield from placement_proofs(placement, model, batch.images, operations, own_layout=ready.own_layout)
        yield from ready.proofs(operations)
        yield from onednn_proofs(variant, operations)

    return proofs
