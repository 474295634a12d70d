"""The whole recipe as a program: ``python -m suites.train`` prepares, builds, trains, evaluates, predicts, saves.

::

    images | model | epoch 1 .. epoch n | accuracy on held-out images | a few predictions | weights
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from bench import BenchError, UsageError
from suites import cache, weights
from suites.data import DataSet, is_synthetic
from suites.recipe import Recipe, epoch_batches, evaluate, predict, train_classifier
from suites.subject import Subject, check, load_images, new_model

_SHOWN_PREDICTIONS = 8


class _Parser(argparse.ArgumentParser):
    """Errors in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the recipe; returns the exit status: 2 for what the user can mend, after one line that says how."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False)
    try:
        _run(options, console)
    except BenchError as error:
        print(f"suites.train: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("suites.train: interrupted; no weights were saved", file=sys.stderr)
        return 130
    return 0


def _run(options: argparse.Namespace, console: Console) -> None:
    subject = Subject.of(data=options.data, model=options.model, shape=options.input, classes=options.classes)
    recipe = Recipe(options.epochs, options.batch, options.learning_rate, options.momentum, options.seed)
    _check_destination(subject, options.out)
    check(subject, training=True)
    data = load_images(subject)
    model = new_model(subject, recipe.seed)
    console.print(_describe(subject, data, model))
    _train(model, data, recipe, console)
    accuracy = evaluate(model, data.held_out)
    console.print(f"accuracy on {len(data.held_out)} held-out images: {100 * accuracy:.1f} %")
    _show_predictions(model, data, console)
    for path in _save(model, subject, recipe, options.out):
        console.print(f"weights saved to {path}", soft_wrap=True)


def _parser() -> argparse.ArgumentParser:
    recipe = Recipe()
    parser = _Parser(prog="suites.train", description="Train the classifier, judge it on held-out images, save it.")
    add = parser.add_argument
    add(
        "--data",
        default="digits",
        help="digits, mnist, medmnist:NAME, synthetic:CxHxW or FILE.npz (default %(default)s)",
    )
    add("--model", metavar="MODULE:FACTORY", help="a model of your own (default: ResNet-18)")
    add("--input", metavar="CxHxW", default="3x32x32", help="input shape of the model (default %(default)s)")
    add("--classes", type=int, default=10, help="number of classes of the model (default %(default)s)")
    add("--epochs", type=int, default=recipe.epochs, help="passes over the training images (default %(default)s)")
    add("--batch", type=int, default=recipe.batch, help="images per step (default %(default)s)")
    add("--learning-rate", type=float, default=recipe.learning_rate, help="(default %(default)s)")
    add("--momentum", type=float, default=recipe.momentum, help="(default %(default)s)")
    add("--seed", type=int, default=recipe.seed, help="of weights and order of images (default %(default)s)")
    add("--out", type=Path, metavar="FILE", help="where to save the state dict, beside the cache")
    return parser


def _check_destination(subject: Subject, out: Path | None) -> None:
    """Refuse, before any training, what could not be saved after it."""
    if out is None and not _is_cached(subject):
        msg = "only ResNet-18 trained on real images is kept in the cache; say with --out FILE where to save this one"
        raise UsageError(msg)
    if out is not None and out.is_dir():
        msg = f"--out {out} is a folder; give a file"
        raise UsageError(msg)
    if out is not None:
        cache.check_writable(out)


def _is_cached(subject: Subject) -> bool:
    return subject.model is None and not is_synthetic(subject.data)


def _describe(subject: Subject, data: DataSet, model: nn.Module) -> str:
    parameters = sum(parameter.numel() for parameter in model.parameters())
    name = subject.model or "ResNet-18"
    return (
        f"{name}, {parameters:,} parameters; {subject.data}: {len(data.train):,} images to train on, "
        f"{len(data.held_out):,} held out"
    )


def _train(model: nn.Module, data: DataSet, recipe: Recipe, console: Console) -> None:
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("batches"), TimeRemainingColumn())
    start = time.perf_counter()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        total = recipe.epochs * epoch_batches(len(data.train), recipe.batch)
        task = progress.add_task("training", total=total)
        losses = train_classifier(model, data.train, recipe, on_batch=lambda: progress.advance(task))
        for epoch, loss in enumerate(losses, start=1):
            console.print(f"epoch {epoch:>{len(str(recipe.epochs))}} of {recipe.epochs}   loss {loss:.4f}")
    console.print(f"trained in {time.perf_counter() - start:.1f} s")


def _show_predictions(model: nn.Module, data: DataSet, console: Console) -> None:
    images = data.held_out.images[:_SHOWN_PREDICTIONS]
    labels = data.held_out.labels[:_SHOWN_PREDICTIONS].tolist()
    predicted = predict(model, images).tolist()
    console.print("predicted " + " ".join(map(str, predicted)))
    console.print("labels    " + " ".join(map(str, labels)))


def _save(model: nn.Module, subject: Subject, recipe: Recipe, out: Path | None) -> list[Path]:
    saved = []
    state = model.state_dict()
    if _is_cached(subject):
        saved.append(weights.store(state, subject.data, subject.shape, subject.classes, recipe))
    if out is not None:
        cache.save(state, out)
        saved.append(out)
    return saved


if __name__ == "__main__":
    sys.exit(main())
