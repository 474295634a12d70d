"""Are the results right? A step is held against its reference, through the very function that is timed.

::

    inference   its own batches, from the first, in turn      does each answer belong to its question?
                every image of the reference, in batches of the variant's size
    training    back to the start | the reference's steps, each with its loss | how far the weights have moved

A quick look takes the first two batches only; of training there is none, since it would begin again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn

from bench import Check, CheckKind
from suites.data import Split, rotation_indices
from suites.reference import Curve, FindCurve, FindScores, Scores, distance
from suites.turns import Turns

_TURNS, _FEWEST_TURNS = 3, 2
_LAST_STEPS = 2
#: From the scale of a new scaler, 2^16, to 1.
_MOST_HALVINGS = 17


def score_checks(
    run: Callable[[], torch.Tensor],
    turns: Turns[Split],
    place: Callable[[torch.Tensor], torch.Tensor],
    held_out: Split,
    batch: int,
    find: FindScores | None,
) -> Callable[[bool], Iterator[Check]]:
    """The checks of an inference step, for :class:`bench.Step`.

    ``run`` is the step itself, ``turns`` where it takes its batches of ``batch`` images from, ``place`` puts other
    images in the form that it expects.
    """

    def checks(thorough: bool) -> Iterator[Check]:
        if find is None:
            return
        reference = find()
        if reference is None:
            yield Check.absent(CheckKind.SCORES)
            return
        count = _TURNS if thorough else _FEWEST_TURNS
        turns.restart()
        answers = [_plain(run()) for _ in range(count)]
        turns.restart()
        yield from compare_turns(answers, rotation_indices(len(held_out), batch)[:count], reference)
        if thorough:
            parts = []
            for indices in full_batches(reference.indices, batch):
                with turns.lent(Split(place(held_out.images[indices]), held_out.labels[indices])):
                    parts.append(_plain(run()))
            scores = torch.cat(parts)[: len(reference.indices)]
            yield from compare_scores(scores, reference, held_out.labels[reference.indices])

    return checks


def loss_checks(
    run: Callable[[], torch.Tensor],
    turns: Turns[Split],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: int,
    find: FindCurve | None,
    scaler: torch.amp.GradScaler | None = None,
) -> Callable[[bool], Iterator[Check]]:
    """The checks of a training step, for :class:`bench.Step`: ``run`` is the step and returns its loss.

    The weights are put back to the reference's start, in place, so that what was compiled or captured stays valid;
    after the checks the step goes on from where they ended. A ``scaler`` is put back to at most what a new one has: in
    thousands of timed steps its scale may have grown beyond what the gradients of the start can be multiplied by. Where
    a step is skipped all the same, as the first of a new scaler may be, the steps are taken again: the reference has
    skipped none.
    """
    first_scale = math.inf if scaler is None else scaler.get_scale()

    def checks(thorough: bool) -> Iterator[Check]:
        if find is None or not thorough:
            return
        curve = find(batch)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            if scaler is not None and scaler.get_scale() > first_scale:
                scaler.update(first_scale)  # in place, as all here
            for _ in range(_MOST_HALVINGS):
                scale = 0.0 if scaler is None else scaler.get_scale()
                begin_again(model, optimizer, curve)
                turns.restart()
                losses = [float(run().detach()) for _ in range(curve.losses.shape[1])]
                if scaler is None or scaler.get_scale() >= scale:
                    break
        yield from compare_losses(losses, distance(model, curve.start), curve)

    return checks


def begin_again(model: nn.Module, optimizer: torch.optim.Optimizer, curve: Curve) -> None:
    """Put the weights where the reference started and the optimizer where it has seen nothing, all in place."""
    model.load_state_dict(dict(curve.start), strict=False)  # it may keep more than tensors
    with torch.no_grad():
        for state in optimizer.state.values():
            for value in state.values():
                if isinstance(value, torch.Tensor):
                    value.zero_()


def compare_losses(losses: Sequence[float], moved: float, curve: Curve) -> Iterator[Check]:
    """The loss of the last steps, and how far all steps have moved the weights, beside the reference's."""
    steps = len(losses)
    last = slice(steps - max(_LAST_STEPS, steps // 4), steps)
    finite = all(map(math.isfinite, losses))
    loss = math.fsum(losses[last]) / len(losses[last]) if finite else math.nan
    for kind, value, runs in (
        (CheckKind.LOSS, loss, curve.losses[:, last].mean(dim=1)),
        (CheckKind.UPDATE, moved, curve.moved[:, steps - 1]),
    ):
        spread = float(runs.std()) if len(runs) > 1 else 0.0
        yield Check.of(kind, steps, value, reference=float(runs.mean()), spread=spread, against=curve.against)


def compare_scores(scores: torch.Tensor, reference: Scores, labels: torch.Tensor) -> Iterator[Check]:
    """How far scores [n, classes] are from the reference's, and what becomes of the classes they stand for.

    Of a model that is right no more often than a guess, which classes it names says nothing of a variant: its scores
    are compared, and no more.
    """
    n, against = len(scores), reference.against
    yield Check.of(CheckKind.SCORES, n, relative_rmse(scores, reference.scores), against=against)
    named, expected = scores.argmax(dim=1), reference.scores.argmax(dim=1)
    right = int((expected == labels).sum())
    if not beats_guessing(right, labels):
        return
    yield Check.of(CheckKind.AGREEMENT, n, int((named == expected).sum()), against=against)
    yield Check.of(CheckKind.ACCURACY, n, int((named == labels).sum()), reference=right, against=against)


def relative_rmse(values: torch.Tensor, exact: torch.Tensor) -> float:
    """The root mean square of the difference over that of the exact values; not finite where a value is not."""
    size = float(exact.double().norm())
    error = float((values.double() - exact.double()).norm())
    return error / size if size else (0.0 if error == 0 else math.inf)


def beats_guessing(right: int, labels: torch.Tensor) -> bool:
    """Whether so many right answers are more than always naming the commonest label would give by luck."""
    n = len(labels)
    share = int(labels.bincount().max()) / n
    return right > n * share + 3 * math.sqrt(n * share * (1 - share))


def full_batches(indices: torch.Tensor, batch: int) -> list[torch.Tensor]:
    """The indices in batches of exactly this size; the last is filled up from the beginning."""
    count = -(-len(indices) // batch)
    repeats = -(-batch * count // len(indices))
    return list(indices.repeat(repeats)[: batch * count].reshape(count, batch))


def compare_turns(answers: Sequence[torch.Tensor], indices: torch.Tensor, reference: Scores) -> Iterator[Check]:
    """How far the answers to successive batches [turns, batch] are off, and whether each answers its own batch.

    It does when it lies nearer to the reference of its own batch than to that of the batch before.
    """
    pairs = [_known(answer, batch, reference) for answer, batch in zip(answers, indices, strict=True)]
    pairs = [(answer, exact) for answer, exact in pairs if len(answer)]
    if not pairs:
        return
    error = relative_rmse(torch.cat([answer for answer, _ in pairs]), torch.cat([exact for _, exact in pairs]))
    yield Check.of(CheckKind.SCORES, sum(len(answer) for answer, _ in pairs), error, against=reference.against)
    nearness = [_nearness(*own, other) for own, (_, other) in itertools.pairwise(reversed(pairs))]
    if nearness:
        yield Check.of(CheckKind.TURNS, len(pairs), max(nearness), against=reference.against)


def _known(answer: torch.Tensor, batch: torch.Tensor, reference: Scores) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows of an answer whose images the reference has, and what it has for them."""
    matches = batch.unsqueeze(1) == reference.indices
    rows = matches.any(dim=1)
    return answer[rows], reference.scores[matches.int().argmax(dim=1)[rows]]


def _nearness(answer: torch.Tensor, own: torch.Tensor, other: torch.Tensor) -> float:
    """The distance to the own reference over that to another; infinite for what is the other's, or no number."""
    n = min(len(own), len(other))
    near, far = (float((answer[:n].double() - exact[:n].double()).norm()) for exact in (own, other))
    return near / far if far > 0 and math.isfinite(near) else math.inf


def _plain(scores: torch.Tensor) -> torch.Tensor:
    """A copy in FP64 on the CPU: a backend may write its next scores where these stand."""
    return scores.detach().to("cpu", torch.float64, copy=True)
