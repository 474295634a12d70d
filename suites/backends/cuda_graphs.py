"""CUDA graphs captured by hand: a step is recorded once, and then launched as one.

::

    set-up    side stream: the step, three times | weights and statistics as they were | capture
    step      copy the next batch into the graph's own | replay | settle, if float16 gradients are scaled

A graph reads the same addresses each time, so each step copies its batch, device to device, into the graph's own; the
copy belongs to the step, since whoever uses a graph must do it. (A graph for each resident batch would need no copy,
and would measure what nobody can do with new images.) In training all of forward, loss, backward and optimizer is in
the graph, SGD's foreach kernels included; only torch.amp.GradScaler decides on the host whether to step, so with
amp_fp16 the graph ends before it.

Source: PyTorch, notes on CUDA semantics, "CUDA Graphs": warm-up on a side stream, whole-network capture, and its use
with torch.amp, where scaling stays outside. What a graph returns is overwritten by the next replay.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from bench import Proof, UsageError
from suites.backends.ready import Brief, Captured, NewWork, Ready, Work
from suites.data import Split
from suites.operations import Operation, graph_launches

_WARM_UP_STEPS = 3


def ready(model: nn.Module, brief: Brief) -> Ready:
    """The model itself, and a capture of whatever step it stands in.

    Raises:
        UsageError: the variant is not one for CUDA.
    """
    if not brief.variant.device.startswith("cuda"):
        msg = "cuda_graphs is a way to launch work on a GPU; choose device cuda:0, or on a CPU backend eager or compile"
        raise UsageError(msg)
    return Ready(model, replay_proofs, capture=partial(capture, model, training=brief.training))


def capture(
    model: nn.Module,
    new_work: NewWork,
    example: Split,
    turns: Iterator[Split],
    *,
    training: bool,
    cuda: Any = torch.cuda,
) -> Captured:
    """The work, captured; ``cuda`` stands for the module torch.cuda."""
    images, labels = example.images.clone(), example.labels.clone()
    work = new_work(itertools.repeat(Split(images, labels)))
    _warm_up(model, work, cuda)
    graph = cuda.CUDAGraph()
    # Threads of loaders may call CUDA meanwhile, and are none of the capture.
    with cuda.graph(graph, capture_error_mode="thread_local"):
        result = work.run().detach()  # a loss would keep the autograd graph, and its stream, alive
    return Captured(
        _replay(graph, turns, Split(images, labels), result, work.settle, training=training),
        partial(_plain, model, work),
    )


def replay_proofs(operations: Sequence[Operation]) -> Iterable[Proof]:
    """Whether a CUDA graph was launched in the step."""
    launches = graph_launches(operations)
    if launches is None:
        yield Proof.seen("CUDA graph", "no CUDA call seen, the driver may not let the profiler look")
    else:
        yield Proof("CUDA graph", "replayed", "replayed" if launches else "not replayed")


def _replay(
    graph: Any,
    turns: Iterator[Split],
    own: Split,
    result: torch.Tensor,
    settle: Callable[[], None] | None,
    *,
    training: bool,
) -> Callable[[], torch.Tensor]:
    def infer() -> torch.Tensor:
        own.images.copy_(next(turns).images)
        graph.replay()
        return result

    def train() -> torch.Tensor:
        batch = next(turns)
        own.images.copy_(batch.images)
        own.labels.copy_(batch.labels)
        graph.replay()
        if settle is not None:
            settle()
        return result

    return train if training else infer


def _warm_up(model: nn.Module, work: Work, cuda: Any) -> None:
    """Run the work on a side stream, so that libraries choose and allocate before the capture; then undo it."""
    before = {} if work.optimizer is None else {name: tensor.clone() for name, tensor in model.state_dict().items()}
    side = cuda.Stream()
    side.wait_stream(cuda.current_stream())
    with cuda.stream(side):
        for _ in range(_WARM_UP_STEPS):
            work.run()
    cuda.current_stream().wait_stream(side)
    if work.optimizer is not None:
        model.load_state_dict(before)
        _forget(work.optimizer)


def _forget(optimizer: torch.optim.Optimizer) -> None:
    """Momentum of zero is what a new optimizer has; in place, since the graph will know it by its address."""
    for state in optimizer.state.values():
        for value in state.values():
            if isinstance(value, torch.Tensor):
                value.zero_()


def _plain(model: nn.Module, work: Work) -> None:
    """The work without the graph, whose gradients are afterwards where the graph writes them."""
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    work.run()
    if work.settle is not None:
        work.settle()
    for parameter, gradient in gradients:
        parameter.grad = gradient
