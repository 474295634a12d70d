"""Where images come from, as they come: unresized, with values from 0 to 1.

A source takes what stands behind the colon of a data name. One line in :data:`SOURCES` adds another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from bench import UnavailableError, UsageError
from suites import own_data
from suites.shapes import parse_shape
from suites.splits import DataSet, Split

HELD_OUT_DIGITS = 360
SYNTHETIC_TRAIN, SYNTHETIC_HELD_OUT = 512, 256
_SEED = 20261122


@dataclass(frozen=True)
class Source:
    """One kind of data: ``load(argument, classes, downloads)`` reads it, ``check(argument)`` needs no data yet."""

    load: Callable[[str, int, Path], DataSet]
    check: Callable[[str], None]
    package: str  # whose version decides the images
    usage: str


def _digits(_argument: str, _classes: int, _downloads: Path) -> DataSet:
    """Handwritten digits, [n, 1, 8, 8]: 1,437 to train on and 360 held out, each digit in proportion.

    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (its test part, as
    bundled with scikit-learn).
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bundle = load_digits()
    images = torch.from_numpy(bundle.images).to(torch.float32).div(16).unsqueeze(1)
    labels = torch.from_numpy(bundle.target).to(torch.int64)
    chosen, held_out = train_test_split(
        range(len(labels)), test_size=HELD_OUT_DIGITS, random_state=_SEED, stratify=bundle.target
    )
    return DataSet(Split(images[chosen], labels[chosen]), Split(images[held_out], labels[held_out]))


def _mnist(_argument: str, _classes: int, downloads: Path) -> DataSet:
    """Handwritten digits, [n, 1, 28, 28]: 60,000 to train on and 10,000 held out, downloaded once by torchvision.

    Source: Y. LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE 86, 1998.
    """
    from torchvision.datasets import MNIST

    def split(train: bool) -> Split:
        with _downloading("mnist", downloads):
            images = MNIST(str(downloads), train=train, download=True)
        return Split(images.data.unsqueeze(1).to(torch.float32).div(255), images.targets.to(torch.int64))

    return DataSet(split(train=True), split(train=False))


def _medmnist(name: str, _classes: int, downloads: Path) -> DataSet:
    """Medical images, [n, 1 or 3, 28, 28]: the data set's training part, and its test part as held out.

    Source: J. Yang et al., "MedMNIST v2", Scientific Data 10, 2023.
    """
    import medmnist

    kind = getattr(medmnist, medmnist.INFO[name]["python_class"])

    def split(part: str) -> Split:
        with _downloading(f"medmnist:{name}", downloads):
            downloads.mkdir(parents=True, exist_ok=True)  # which this package expects
            images = kind(split=part, root=str(downloads), download=True)
        pixels = torch.from_numpy(images.imgs).to(torch.float32).div(255)
        pixels = pixels.unsqueeze(1) if pixels.dim() == 3 else pixels.permute(0, 3, 1, 2)
        return Split(pixels.contiguous(), torch.from_numpy(images.labels).flatten().to(torch.int64))

    return DataSet(split("train"), split("test"))


def _check_medmnist(name: str) -> None:
    try:
        import medmnist
    except ImportError as error:
        reason = f"medical images need the package medmnist ({error})"
        raise UnavailableError(reason, "pip install 'joulemark[medmnist]'") from error
    flat: dict[str, Any] = {
        key: about
        for key, about in medmnist.INFO.items()
        if not key.endswith("3d") and "multi-label" not in about["task"]
    }
    if name not in flat:
        msg = f"medmnist has no flat, single-label data set {name!r}; choose one of {', '.join(sorted(flat))}"
        raise UsageError(msg)


def _synthetic(shape: str, classes: int, _downloads: Path) -> DataSet:
    """Uniform noise with random labels: real enough to time, nothing to learn from."""
    random = torch.Generator().manual_seed(_SEED)

    def split(count: int) -> Split:
        images = torch.rand((count, *parse_shape(shape)), generator=random)
        return Split(images, torch.randint(classes, (count,), generator=random))

    return DataSet(split(SYNTHETIC_TRAIN), split(SYNTHETIC_HELD_OUT))


def _check_synthetic(shape: str) -> None:
    parse_shape(shape)


def _check_bare(argument: str) -> None:
    if argument:
        msg = f"nothing can stand behind the colon, yet {argument!r} does; leave it out"
        raise UsageError(msg)


SOURCES: Mapping[str, Source] = {
    "digits": Source(_digits, _check_bare, "scikit-learn", "digits"),
    "mnist": Source(_mnist, _check_bare, "torchvision", "mnist"),
    "medmnist": Source(_medmnist, _check_medmnist, "medmnist", "medmnist:NAME"),
    "synthetic": Source(_synthetic, _check_synthetic, "torch", "synthetic:CxHxW"),
}
#: Of a name that ends as such files do.
_OWN = Source(own_data.load, own_data.check, "numpy", f"FILE{own_data.ENDING}")


def find_source(name: str) -> tuple[Source, str]:
    """The source behind a data name, and the argument for it.

    Raises:
        UsageError: there is no such source, or what stands behind its colon is wrong.
        UnavailableError: the source needs a package that is missing.
    """
    kind, _, argument = name.partition(":")
    source = SOURCES.get(kind)
    if is_own(name):
        source, argument = _OWN, name
    if source is None:
        usages = ", ".join(each.usage for each in (*SOURCES.values(), _OWN))
        msg = f"there is no data set {name!r}; choose one of {usages}"
        raise UsageError(msg)
    try:
        source.check(argument)
    except UsageError as error:
        msg = f"data {name!r}: {error}"
        raise UsageError(msg) from error
    return source, argument


def is_own(name: str) -> bool:
    """Whether it is a file of the user's."""
    return name.endswith(own_data.ENDING)


def source_version(source: Source) -> str:
    """The package and the version that decide the images."""
    return f"{source.package} {version(source.package)}"


@contextmanager
def _downloading(name: str, downloads: Path) -> Iterator[None]:
    """Turn a failed download into one sentence; what the library says in its place takes a page."""
    try:
        yield
    except (RuntimeError, OSError) as error:
        msg = (
            f"data {name!r} is not in {downloads} and its download failed; connect to the network once to fetch it, "
            "or use digits, which needs no download"
        )
        raise UsageError(msg) from error
