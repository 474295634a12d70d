"""What right results are: computed from the same model, plainly and on the CPU, before anything is measured.

Inference is held against the scores of the model in FP64 on held-out images. Training is held against strict FP32,
several times over: rounding sends each run of the same steps another way, and how far it does so is part of the
reference::

    scores      one forward pass in FP64 of every held-out image (a part, where there are many)
    curve       K times: the same start, each weight moved by its last bit; the same batches; the loss of each step,
                and how far the weights have moved by then

Both are cached under a digest of the weights. The code of a user's own model decides them too and has no digest, so for
such a model they are made anew in each session.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path

import torch
from torch import nn

from suites import cache
from suites.data import DataSet, Split, data_key, rotation, rotation_indices
from suites.recipe import Recipe, new_loss, new_optimizer
from suites.subject import Subject, inference_model, load_images, new_model

#: Raise it when the same model and images give other figures than before.
_RECIPE = 1
_MOST_IMAGES = 1024
_CHUNK = 32
#: One round of the rotation: later, chance has grown so large that it hides more than the loss still says.
_STEPS, _LEAST_STEPS = 8, 2
_CURVES = 6
#: A reference is cut to what can be had in so much time of all cores together, because everybody waits for it. Not
#: time on the wall: a busy machine must not leave a weak reference behind.
_LIMIT_CPU_S = 120.0
_SCORES, _CURVE = "reference-scores", "reference-curve"
_DEFAULT_BATCH = 32
_START = "start."


@dataclass(frozen=True)
class Scores:
    """Held-out images by their place in the split, int64 [n], and the scores they should get, [n, classes]."""

    indices: torch.Tensor
    scores: torch.Tensor

    @property
    def against(self) -> str:
        """The arithmetic it was made in: FP64, or FP32 for a model that works in nothing else."""
        return "FP64" if self.scores.dtype is torch.float64 else "FP32"


@dataclass(frozen=True)
class Curve:
    """Training from ``start``: the loss of each step, and how far the weights are from the start after it.

    Both are float64, [runs, steps]; the distance is Euclidean, over all weights together.
    """

    start: Mapping[str, torch.Tensor]
    losses: torch.Tensor
    moved: torch.Tensor

    against = "FP32"


def prepare_scores(subject: Subject) -> None:
    """Make what inference is held against, where it is not there yet.

    Raises:
        UsageError: the cache cannot be written.
    """
    model, data = inference_model(subject), load_images(subject)
    key = _key(subject, model)
    if subject.model is None and cache.find(_SCORES, key) is not None:
        return
    made = make_scores(model, data.held_out)
    if made is not None:
        cache.store(_SCORES, key, {"indices": made.indices, "scores": made.scores})


def find_scores(subject: Subject) -> Scores | None:
    """What was made for these weights; None where there is nothing, as for a factory that draws new ones each time."""
    tensors = cache.find(_SCORES, _key(subject, inference_model(subject)))
    return None if tensors is None else Scores(tensors["indices"], tensors["scores"])


def prepare_curve(subject: Subject) -> None:
    """Make what training is held against at the usual batch, where it is not there yet.

    Raises:
        UsageError: the cache cannot be written.
    """
    model = new_model(subject)
    key = _key(subject, model, _DEFAULT_BATCH)
    if subject.model is not None or cache.find(_CURVE, key) is None:
        cache.store(_CURVE, key, _as_tensors(make_curve(model, load_images(subject), _DEFAULT_BATCH)))


def find_curve(subject: Subject, batch: int) -> Curve:
    """What was made for this model; made now where there is nothing for this batch.

    A curve brings the weights it starts from, so it fits whatever the model's factory returns next time.
    """
    model = new_model(subject)
    key = _key(subject, model, batch)
    tensors = cache.find(_CURVE, key)
    if tensors is None:
        tensors = _as_tensors(make_curve(model, load_images(subject), batch))
        if subject.model is None:
            cache.store(_CURVE, key, tensors)
    return _as_curve(tensors)


def make_scores(model: nn.Module, held_out: Split, limit_cpu_s: float = _LIMIT_CPU_S) -> Scores | None:
    """The scores in FP64, or in FP32 of a model that cannot do FP64; None for a model that contradicts itself.

    The images stand in the order in which inference uses them, so that a part holds what is used first.
    """
    order = rotation_indices(len(held_out), min(len(held_out), _MOST_IMAGES), 1)[0]
    for precision in (torch.float64, torch.float32):
        exact = copy.deepcopy(model).to("cpu", precision).eval()
        images = held_out.images[order[:_CHUNK]].to(precision)
        try:
            with torch.inference_mode(), _strict_float32():
                first, again = exact(images), exact(images)
        except Exception:  # a user's model may raise anything; FP32 it can do, that was looked at before
            if precision is torch.float32:
                raise
            continue
        if not torch.allclose(first, again, rtol=1e-5, atol=1e-8):
            return None
        scores = _scores_in_time(exact, held_out, order, precision, limit_cpu_s)
        return Scores(order[: len(scores)].clone(), scores)
    return None


def make_curve(model: nn.Module, data: DataSet, batch: int, limit_cpu_s: float = _LIMIT_CPU_S) -> Curve:
    """Several runs of the same few steps in strict FP32; fewer steps of a model that is slow."""
    batches = rotation(data.train, batch)
    start = {name: tensor.clone() for name, tensor in _state(model)}
    with _strict_float32(), torch.random.fork_rng(devices=[]):
        pilot = _steps(copy.deepcopy(model), batches, 0)
        next(pilot)  # which allocates and plans
        begin = time.process_time()
        next(pilot)
        step_cpu_s = time.process_time() - begin
        steps = int(min(_STEPS, max(_LEAST_STEPS, limit_cpu_s / (_CURVES * step_cpu_s))))
        runs = [list(itertools.islice(_steps(copy.deepcopy(model), batches, run), steps)) for run in range(_CURVES)]
    losses, moved = torch.tensor(runs, dtype=torch.float64).unbind(2)
    return Curve(start, losses.contiguous(), moved.contiguous())


def distance(model: nn.Module, start: Mapping[str, torch.Tensor]) -> float:
    """How far the model's weights are from those at the start: the Euclidean norm over all that are trained."""
    squares = [
        (parameter.detach().double().cpu() - start[name].double()).square().sum()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    ]
    return float(torch.stack(squares).sum().sqrt())


def _scores_in_time(
    model: nn.Module, held_out: Split, order: torch.Tensor, precision: torch.dtype, limit_cpu_s: float
) -> torch.Tensor:
    """Scores of the images in this order, [n, classes], for as many as the limit allows; always some."""
    begin, parts = time.process_time(), []
    with torch.inference_mode(), _strict_float32():
        for indices in torch.split(order, _CHUNK):
            parts.append(model(held_out.images[indices].to(precision)).to(precision).clone())
            if time.process_time() - begin > limit_cpu_s:
                break
    return torch.cat(parts).clone()


def _steps(model: nn.Module, batches: list[Split], run: int) -> Iterator[tuple[float, float]]:
    """Train in place, for ever: the loss of each step, and how far the weights have moved after it."""
    torch.manual_seed(run)
    start = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    if run:
        _shake(model)
    model.train()
    optimizer, loss_of = new_optimizer(model, Recipe()), new_loss()
    for batch in itertools.cycle(batches):
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(batch.images), batch.labels)
        loss.backward()
        optimizer.step()
        yield loss.item(), distance(model, start)


def _shake(model: nn.Module) -> None:
    """Move each weight up, down or not at all by its last bit."""
    with torch.no_grad():
        for parameter in model.parameters():
            up_down = torch.randint_like(parameter, -1, 2) * torch.finfo(parameter.dtype).eps
            parameter.mul_(1 + up_down)


@contextmanager
def _strict_float32() -> Iterator[None]:
    """Nothing but FP32 in FP32 products on the CPU, whatever the environment says."""
    places = [attrgetter(f"mkldnn.{name}")(torch.backends) for name in ("matmul", "conv", "rnn")]
    before = [place.fp32_precision for place in places]
    try:
        for place in places:
            place.fp32_precision = "ieee"
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.fp32_precision = value


def _key(subject: Subject, model: nn.Module, batch: int | None = None) -> dict[str, object]:
    """All that decides a reference, the code of a user's own model apart.

    Of that there is the file, since each checkout has its own: two that are measured at the same time must not be held
    against each other's.
    """
    return {
        "model": subject.model or "resnet18",
        **({} if subject.model is None else {"model_file": _source_file(subject.model)}),
        "weights": _digest(model),
        "classes": subject.classes,
        **data_key(subject.data, subject.shape),
        "batch": batch,
        "steps": None if batch is None else _STEPS,
        "reference_recipe": _RECIPE,
        "torch": version("torch"),
        "torchvision": version("torchvision"),
    }


def _source_file(factory: str) -> str:
    """Of the module that a factory was imported from."""
    module = sys.modules.get(factory.partition(":")[0])
    return str(Path(getattr(module, "__file__", None) or "").resolve())


def _digest(model: nn.Module) -> str:
    """A name for these weights: other weights have another."""
    digest = hashlib.sha256()
    for name, tensor in _state(model):
        plain = tensor.cpu().contiguous()
        digest.update(f"{name} {plain.dtype} {list(plain.shape)}".encode())
        digest.update(plain.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:32]


def _state(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors of a model's state by name; what else a module may keep there is left out."""
    for name, value in model.state_dict().items():
        if isinstance(value, torch.Tensor):
            yield name, value.detach()


def _as_tensors(curve: Curve) -> dict[str, torch.Tensor]:
    start = {f"{_START}{name}": tensor for name, tensor in curve.start.items()}
    return {"losses": curve.losses, "moved": curve.moved, **start}


def _as_curve(tensors: Mapping[str, torch.Tensor]) -> Curve:
    start = {name.removeprefix(_START): each for name, each in tensors.items() if name.startswith(_START)}
    return Curve(start, tensors["losses"], tensors["moved"])


#: What finds the reference when a step is checked: at that moment, not before, since it costs time and memory.
FindScores = Callable[[], Scores | None]
FindCurve = Callable[[int], Curve]
