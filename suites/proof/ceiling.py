"""The measured ceiling of a device, and the share of it that the best settings of earlier steps reach.

The ceiling is what this device does at best of the one thing that it is built for: matrix products, large and square,
and a large convolution, by precision (on some CPUs another library multiplies than convolves, and slower); and copies
from its memory to its memory. A setting's share is the arithmetic that the model must do,
counted by PyTorch's own counter, for the images that it did in a second, over the ceiling of its precision.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

import bench
from suites.kernels import classify
from suites.proof.outcome import Claim, Outcome, Task, largest
from suites.proof.runs import stored_runs

#: The ceiling that each precision is held against: the type that its products are computed in.
COMPUTED_IN = {
    "fp32": "fp32",
    "tf32": "tf32",
    "amp_bf16": "bf16",
    "bf16": "bf16",
    "amp_fp16": "fp16",
    "fp16": "fp16",
}
_SIZES = {"cuda": (2048, 4096, 8192, 16384), "cpu": (1024, 2048)}
#: Images, channels in and out, height and width of a convolution by 3x3.
_CONVOLVED = {"cuda": (64, 256, 56), "cpu": (8, 128, 32)}
_COPIED_BYTES = {"cuda": 2**30, "cpu": 2**28}
_LOOP_S, _LOOPS = 0.1, 25
#: But no more of them after so long: without arithmetic of its own for bf16, a CPU takes seconds for one product.
_LONGEST_S = 5.0
#: Batch normalisation cannot train on a single value.
_COUNTED_IMAGES = 2


def check(task: Task) -> Outcome:
    """Measure the ceiling, then hold the best settings against it."""
    products = measure_products(task)
    copied = measure_copy(task)
    runs = stored_runs(task.home, task.settings["runs"])
    rows = [row for run in runs for row in best_rows(run, task.device)]
    flops = {key: count_flops(*key) for key in dict.fromkeys(row["counted"] for row in rows)}
    shares = [share_of(row, flops[row["counted"]], products) for row in rows]
    profile = Outcome.load(task.home / f"profile-{'cpu' if task.device == 'cpu' else 'cuda'}")
    spent = {} if profile is None else {name: where_spent(one) for name, one in profile.facts["profiles"].items()}
    facts = {
        "products": products,
        "ceiling_flops": {name: _value(largest(each)) for name, each in products.items()},
        "copy_bytes_per_s": copied,
        "best": shares,
        "spent": spent,
    }
    return Outcome(facts, (*_ceiling_claims(products, copied), *_share_claims(shares)))


def _value(found: tuple[str, float] | None) -> float | None:
    return None if found is None else found[1]


def product_flops(size: int) -> float:
    """The operations of a product of two square matrices: a multiplication and an addition for each of n³ terms."""
    return 2.0 * size**3


def convolution_flops(images: int, channels: int, height: int) -> float:
    """The operations of a convolution by 3x3 that keeps the size: 9 terms for each channel of each value."""
    return 2.0 * images * channels * height**2 * 9 * channels


def copy_bytes(elements: int, element_bytes: int) -> int:
    """What a copy moves: each element is read once and written once."""
    return 2 * elements * element_bytes


def share_of(
    row: Mapping[str, Any], flops_per_image: float, products: Mapping[str, Mapping[str, float | None]]
) -> dict[str, Any]:
    """The row with the operations it did in a second, and their share of the ceiling; None without a ceiling."""
    kind = COMPUTED_IN.get(row["precision"])
    ceiling = None if kind is None else _value(largest(products.get(kind, {})))
    done = row["images_per_s"] * flops_per_image
    told = {name: value for name, value in row.items() if name != "counted"}
    return {
        **told,
        "flops_per_image": flops_per_image,
        "flops": done,
        "share": None if ceiling is None else done / ceiling,
    }


def best_rows(run: bench.Run, device: str) -> list[dict[str, Any]]:
    """Of each workload on a device the baseline and the row with the most images a second that is sound."""
    rows = []
    for group in bench.summarise(run):
        if group.device != device or group.workload.measures == "latency":
            continue
        sound = [row for row in group.rows if _is_sound(row)]
        fastest = max(sound, key=_images_per_s, default=None)
        chosen = {row.trial.case.name: row for row in (*sound[:1], *([fastest] if fastest else []))}
        rows += [_told(run, row) for row in chosen.values()]
    return rows


def _is_sound(row: Any) -> bool:
    return bool(row.trial.failure is None and row.trial.honoured and row.right and row.throughput is not None)


def _images_per_s(row: Any) -> float:
    return float(row.throughput.value)


def _told(run: bench.Run, row: Any) -> dict[str, Any]:
    case = row.trial.case
    asked = dict(case.workload.parameters)
    return {
        "run": run.id,
        "case": case.name,
        "model": asked.get("model") or "ResNet-18",
        "precision": str(case.variant["precision"]),
        "images_per_s": _images_per_s(row),
        "counted": (asked.get("model"), str(asked["shape"]), int(asked["classes"]), case.workload.name != "inference"),
    }


def where_spent(profile: Mapping[str, Any] | None) -> dict[str, float | None]:
    """What of the profiled time was products, other kernels and copies, and what was idle; shares of the whole.

    Kernels that run beside each other count both.
    """
    if profile is None or profile["busy_share"] is None:
        return {"idle": None, "products": None, "others": None}
    kernels = [(name, share) for kind, name, _, share in profile["hotspots"] if kind != "operator"]
    products = sum(share for name, share in kernels if classify(name).product)
    return {
        "idle": 1 - profile["busy_share"],
        "products": products,
        "others": sum(share for _, share in kernels) - products,
    }


def _ceiling_claims(products: Mapping[str, Mapping[str, float | None]], copied: float) -> Iterable[Claim]:
    for name, speeds in products.items():
        best = largest(speeds)
        told = "not possible" if best is None else f"{best[1] / 1e12:.2f} TFLOP/s at {best[0]}"
        yield Claim(f"products in {name} were measured", None if best is None else best[1] > 0, told)
    yield Claim("copies were measured", copied > 0, f"{copied / 1e9:.1f} GB/s read and written")


def _share_claims(shares: Sequence[Mapping[str, Any]]) -> Iterable[Claim]:
    """More than the ceiling cannot be: then the count, the clock or the label is wrong."""
    if not shares:
        yield Claim("the best settings stay below the ceiling", None, "no earlier step left a run")
    for row in shares:
        share = row["share"]
        told = "no ceiling of this precision" if share is None else f"{share:.2%}, {row['images_per_s']:,.0f} images/s"
        text = f"{row['model']}, {row['case']} stays below the ceiling"
        yield Claim(text, None if share is None else 0 < share < 1, told)


def measure_products(task: Task) -> dict[str, dict[str, float | None]]:
    """Precision -> size -> operations a second; None where the device cannot."""
    import torch

    kinds = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    on_cpu = task.device == "cpu"
    sizes, convolved = (_SIZES["cpu"], _CONVOLVED["cpu"]) if on_cpu else (_SIZES["cuda"], _CONVOLVED["cuda"])
    places = ("mkldnn.matmul", "mkldnn.conv") if on_cpu else ("cuda.matmul", "cudnn.conv")
    found: dict[str, dict[str, float | None]] = {}
    for name, kind in kinds.items():
        if on_cpu and name in {"tf32", "fp16"}:
            continue
        for place in places:
            attrgetter(place)(torch.backends).fp32_precision = "tf32" if name == "tf32" else "ieee"
        found[name] = {
            **_square_speeds(sizes, kind, task),
            "a convolution": _speed(convolution_flops(*convolved), _convolution, (*convolved, kind), task),
        }
        print(name, found[name], flush=True)
    return found


def _square_speeds(sizes: Sequence[int], kind: Any, task: Task) -> dict[str, float | None]:
    """Size -> operations a second, ascending; None for a size whose single product would take too long."""
    found: dict[str, float | None] = {}
    for size in sizes:
        best = _value(largest(found))
        too_long = best is not None and product_flops(size) / best > _LONGEST_S
        found[str(size)] = None if too_long else _speed(product_flops(size), _product, (size, kind), task)
    return found


def _speed(flops: float, make: Callable[..., Callable[[], object]], what: tuple[Any, ...], task: Task) -> float | None:
    """Operations a second of the step that is made of this; None where the device cannot."""
    try:
        return flops / _seconds_of(make(*what, task.device), task)
    except RuntimeError as error:  # too little memory, or no arithmetic of this kind
        print(f"{what}: {error}", flush=True)
        return None


def _product(size: int, kind: Any, device: str) -> Callable[[], object]:
    import torch

    left, right = (torch.randn(size, size, device=device).to(kind) for _ in range(2))
    return partial(torch.mm, left, right, out=torch.empty_like(left))


def _convolution(images: int, channels: int, height: int, kind: Any, device: str) -> Callable[[], object]:
    import torch

    last = torch.channels_last
    given = torch.randn(images, channels, height, height, device=device).to(kind).contiguous(memory_format=last)
    weights = torch.randn(channels, channels, 3, 3, device=device).to(kind).contiguous(memory_format=last)
    return partial(torch.nn.functional.conv2d, given, weights, padding=1)


def measure_copy(task: Task) -> float:
    """Bytes read and written in a second, by a copy within the device's memory."""
    import torch

    elements = _COPIED_BYTES["cpu" if task.device == "cpu" else "cuda"] // 4
    source = torch.randn(elements, device=task.device)
    target = torch.empty_like(source)
    return copy_bytes(elements, 4) / _seconds_of(lambda: target.copy_(source), task)


def _seconds_of(step: Callable[[], object], task: Task) -> float:
    """Seconds of a step at the best of a few loops: a ceiling is what is possible."""
    import torch

    def loop(steps: int) -> float:
        begin = time.perf_counter()
        for _ in range(steps):
            step()
        if task.device != "cpu":
            torch.cuda.synchronize(task.device)
        return (time.perf_counter() - begin) / steps

    loop(1)
    begin, best = time.perf_counter(), loop(1)
    steps = max(1, round(task.seconds(_LOOP_S) / best))
    for _ in range(_LOOPS):
        if time.perf_counter() - begin >= task.seconds(_LONGEST_S):
            break
        best = min(best, loop(steps))
    return best


def count_flops(model: str | None, shape: str, classes: int, training: bool) -> float:
    """The operations that one image takes: forward, and in training backward too; a multiplication counts as one."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from suites.classifier import new_classifier
    from suites.shapes import parse_shape

    network = new_classifier(model, classes).train(training)
    images = torch.randn(_COUNTED_IMAGES, *parse_shape(shape))
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(training):
        scores = network(images)
        if training:
            scores.sum().backward()
    return float(counter.get_total_flops()) / _COUNTED_IMAGES
