"""The two steps that are timed, put together from a model, a placement and a backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import nn

from bench import Proof, Step, Variant, span
from suites.backends import OUTSIDE_TORCH, Brief, Captured, NewWork, Ready, Work, as_placed, find_backend
from suites.backends.runtimes import outside_proofs
from suites.checks import loss_checks, score_checks
from suites.data import DataSet, Split, rotation
from suites.evidence import cudnn_proofs, onednn_proofs, placement_proofs, scaling_proofs
from suites.loading import Feed
from suites.operations import Operation, record
from suites.placement import Placement
from suites.recipe import Recipe, new_loss, new_optimizer
from suites.reference import FindCurve, FindScores
from suites.turns import Turns


def training_step(
    variant: Variant,
    model: nn.Module,
    data: DataSet,
    find: FindCurve | None = None,
    backends: str = "",
    feed: Iterator[Split] | None = None,
) -> Step:
    """One optimizer step of the recipe; the model is moved, and trained as the step runs.

    ::

        zero gradients | forward | loss | backward | optimizer step         on one of several resident batches, in turn

    With amp_fp16 the loss is scaled before backward, and the optimizer step includes unscaling, the check for overflow
    and the next scale. ``find`` finds what its losses are checked against, see :mod:`suites.reference`; without it they
    are not. ``backends`` names backends from outside this package. ``feed`` gives the batches instead of those that lie
    ready; their order is its own, so that there is nothing to check the losses against.

    Raises:
        UsageError: an axis value that the classifier does not know.
        UnavailableError: this machine lacks the device or what the backend needs.
    """
    placement = Placement.of(as_placed(variant))
    scaler = placement.loss_scaler()
    batches = _resident(placement, data.train, _batch(variant))
    model = placement.place_model(model).train()
    ready = find_backend(str(variant["backend"]), backends)(model, Brief(variant, True, batches[0].images, data.train))
    optimizer, turns = new_optimizer(model, Recipe()), Turns(batches)
    captured = _captured(ready, batches[0], _descent(ready, placement, optimizer, scaler), feed or turns)
    proofs = _proofs(variant, placement, model, ready, batches[0], captured)
    checks = loss_checks(captured.run, turns, model, optimizer, _batch(variant), find if feed is None else None, scaler)
    return Step(captured.run, _batch(variant), proofs, checks)


def end_to_end_step(variant: Variant, model: nn.Module, data: DataSet, backends: str = "") -> Step:
    """The training step with the loading of its images before it and the reading of its loss after it.

    ::

        next batch, from loaders | copy to the device | the training step | loss.item(), which waits for all of it

    Raises:
        UsageError: an axis value that the classifier does not know.
        UnavailableError: this machine lacks the device or what the backend needs.
    """
    loaders = int(variant["loaders"])
    feed = Feed(Placement.of(variant), data.train, _batch(variant), loaders)
    step = training_step(variant, model, data, None, backends, feed)

    def run() -> float:
        loss = step.run()
        assert isinstance(loss, torch.Tensor)
        return loss.item()

    def proofs() -> Iterator[Proof]:
        yield from step.proofs()
        yield Proof("loaders", str(loaders), str(feed.loaders))

    return replace(step, run=run, proofs=proofs, close=feed.close)


def inference_step(
    variant: Variant, model: nn.Module, data: DataSet, find: FindScores | None = None, backends: str = ""
) -> Step:
    """One forward pass without gradients, in evaluation mode, on one of several resident batches, in turn.

    ``find`` finds what its scores are checked against, see :mod:`suites.reference`; without it they are not.
    ``backends`` names backends from outside this package.

    Raises:
        UsageError: an axis value that the classifier does not know.
        UnavailableError: this machine lacks the device or what the backend needs.
    """
    placement = Placement.of(as_placed(variant))
    batches = _resident(placement, data.held_out, _batch(variant))
    outside = variant["backend"] in OUTSIDE_TORCH  # it has its own copy of the weights: PyTorch's need no GPU's memory
    model = (model if outside else placement.place_model(model)).eval()
    ready = find_backend(str(variant["backend"]), backends)(model, Brief(variant, False, batches[0].images, data.train))
    forward, arithmetic = ready.forward, placement.arithmetic

    def new_work(turns: Iterator[Split]) -> Work:
        def run() -> torch.Tensor:
            with span("data"):
                images = next(turns).images
            with span("forward"), torch.inference_mode(), arithmetic():
                return forward(images)

        return Work(run)

    turns = Turns(batches)
    captured = _captured(ready, batches[0], new_work, turns)
    proofs = _proofs(variant, placement, model, ready, batches[0], captured)
    checks = score_checks(captured.run, turns, placement.place_images, data.held_out, _batch(variant), find)
    return Step(captured.run, _batch(variant), proofs, checks)


def _descent(
    ready: Ready, placement: Placement, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler | None
) -> NewWork:
    """Forward, loss, backward and optimizer on the next batch, with the loss scaled where there is a scaler."""
    forward, arithmetic, loss_of = ready.forward, placement.arithmetic, new_loss()

    def forwarded(turns: Iterator[Split]) -> torch.Tensor:
        with span("data"):
            batch = next(turns)
        optimizer.zero_grad(set_to_none=True)
        with arithmetic():
            with span("forward"):
                scores = forward(batch.images)
            with span("loss"):
                loss: torch.Tensor = loss_of(scores, batch.labels)
        return loss

    def new_work(turns: Iterator[Split]) -> Work:
        def run() -> torch.Tensor:
            loss = forwarded(turns)
            with span("backward"):
                loss.backward()  # type: ignore[no-untyped-call]
            with span("optimizer"):
                optimizer.step()
            return loss

        if scaler is None:
            return Work(run, optimizer=optimizer)

        def run_scaled() -> torch.Tensor:
            loss = forwarded(turns)
            with span("backward"):
                scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            return loss

        def settle() -> None:
            with span("optimizer"):
                scaler.step(optimizer)
                scaler.update()

        return Work(run_scaled, settle, optimizer)

    return new_work


def _captured(ready: Ready, example: Split, new_work: NewWork, turns: Iterator[Split]) -> Captured:
    """The work on the batches to come, as one callable: as it is, or taken over by the backend."""
    if ready.capture is not None:
        return ready.capture(new_work, example, turns)
    run = _whole(new_work(turns))
    return Captured(run, run)


def _whole(work: Work) -> Callable[[], torch.Tensor]:
    settle = work.settle
    if settle is None:
        return work.run  # itself, so that a step pays for nothing that it does not need

    def run() -> torch.Tensor:
        result = work.run()
        settle()
        return result

    return run


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
    captured: Captured,
) -> Callable[[], Iterator[Proof]]:
    """Evidence from one more step, recorded when it is asked for."""

    def proofs() -> Iterator[Proof]:
        operations = _recorded(captured, placement.device)
        if variant["backend"] in OUTSIDE_TORCH:
            yield from outside_proofs(variant, batch.images, operations)
        else:
            yield from placement_proofs(
                placement,
                model,
                batch.images,
                operations,
                own_layout=ready.own_layout,
                own_arithmetic=ready.own_arithmetic,
                hidden=ready.hidden,
            )
        yield from ready.proofs(operations)
        yield from scaling_proofs(placement, operations) if model.training else ()
        yield from onednn_proofs(variant, operations)
        yield from cudnn_proofs(variant, operations)

    return proofs


def _recorded(captured: Captured, device: str) -> tuple[Operation, ...]:
    """What a step did. A replayed one hides its operations, and shows its kernels: the former come from plain work."""
    replayed = record(captured.run, device)
    return replayed if captured.plain is captured.run else (*record(captured.plain), *replayed)
