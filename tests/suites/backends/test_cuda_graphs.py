"""What a captured step does, in which order, without a GPU: CUDA is a recorder, whose graph runs the work again."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from bench import UsageError, Variant
from suites.backends import Brief, Work
from suites.backends.cuda_graphs import capture, ready, replay_proofs
from suites.data import Split
from suites.operations import Operation
from tests.suites.models import Tiny


class RecordedCuda:
    """Stands in for torch.cuda. What would be captured runs, and runs again at each replay, into the same memory."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.at_capture = lambda: None
        self.work = None
        self.result = None

    def Stream(self):  # noqa: N802 - the name is torch's
        return SimpleNamespace(wait_stream=lambda stream: self.calls.append("side waits"))

    def current_stream(self):
        return SimpleNamespace(wait_stream=lambda stream: self.calls.append("main waits"))

    @contextmanager
    def stream(self, stream):
        self.calls.append("side begins")
        yield
        self.calls.append("side ends")

    def CUDAGraph(self):  # noqa: N802 - the name is torch's
        return SimpleNamespace(replay=self._replay)

    @contextmanager
    def graph(self, graph, capture_error_mode):
        assert capture_error_mode == "thread_local"  # loaders may call CUDA meanwhile
        self.calls.append("capture begins")
        self.at_capture()
        yield
        self.calls.append("capture ends")

    def _replay(self) -> None:
        self.calls.append("replay")
        with torch.inference_mode(self.result.is_inference()):
            self.result.copy_(self.work())

    def wrap(self, new_work):
        """The same work, that notes when it runs and is known to the graph."""

        def wrapped(turns) -> Work:
            work = new_work(turns)

            def run():
                self.calls.append("work")
                return work.run()

            def first_run():
                self.result = run()
                return self.result

            self.work = work.run
            return Work(first_run, work.settle, work.optimizer)

        return wrapped


def batches(count: int = 3) -> list[Split]:
    return [Split(torch.randn(2, 3, 8, 8), torch.randint(10, (2,))) for _ in range(count)]


def inference(model, calls=None):
    def new_work(turns):
        def run():
            with torch.inference_mode():
                return model(next(turns).images)

        return Work(run)

    return new_work


def descent(model, *, settled=None):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def new_work(turns):
        def run():
            batch = next(turns)
            optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.cross_entropy(model(batch.images), batch.labels)
            loss.backward()
            if settled is None:
                optimizer.step()
            return loss.detach()

        return Work(run, settled, optimizer)

    return new_work, optimizer


def test_a_step_is_warmed_up_on_a_side_stream_then_captured_then_replayed():
    cuda, model, resident = RecordedCuda(), Tiny(), batches()
    step = capture(
        model, cuda.wrap(inference(model)), resident[0], itertools.cycle(resident), training=False, cuda=cuda
    )
    assert cuda.calls == [
        "side waits",
        "side begins",
        *["work"] * 3,
        "side ends",
        "main waits",
        "capture begins",
        "work",
        "capture ends",
    ]
    cuda.calls.clear()
    step.run()
    assert cuda.calls == ["replay"]


def test_each_replay_reads_the_next_batch_from_the_same_memory():
    cuda, model, resident = RecordedCuda(), Tiny(), batches()
    step = capture(
        model, cuda.wrap(inference(model)), resident[0], itertools.cycle(resident), training=False, cuda=cuda
    )
    for batch in (*resident, resident[0]):
        result = step.run()
        assert torch.equal(result, model(batch.images))
        assert result.data_ptr() == cuda.result.data_ptr()


def test_training_starts_from_the_weights_and_momentum_it_was_given():
    cuda, model = RecordedCuda(), Tiny()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    new_work, optimizer = descent(model)
    found = []

    def look():
        found.append(all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items()))
        found.append(all(not state["momentum_buffer"].any() for state in optimizer.state.values()))

    cuda.at_capture = look
    capture(model, cuda.wrap(new_work), batches()[0], itertools.cycle(batches()), training=True, cuda=cuda)
    assert found == [True, True]
    assert optimizer.state


def test_images_and_labels_are_in_the_graphs_memory_before_it_is_replayed():
    cuda, model, resident = RecordedCuda(), Tiny(), batches(2)
    new_work, _ = descent(model)
    step = capture(model, cuda.wrap(new_work), resident[0], itertools.cycle(resident), training=True, cuda=cuda)
    with torch.no_grad():
        expected = nn.functional.cross_entropy(model(resident[0].images), resident[0].labels)
    assert torch.equal(step.run(), expected)


def test_what_asks_the_host_comes_after_the_replay_and_is_not_captured():
    cuda, model = RecordedCuda(), Tiny()
    new_work, _ = descent(model, settled=lambda: cuda.calls.append("settle"))
    step = capture(model, cuda.wrap(new_work), batches()[0], itertools.cycle(batches()), training=True, cuda=cuda)
    assert "settle" not in cuda.calls
    cuda.calls.clear()
    step.run()
    assert cuda.calls == ["replay", "settle"]


def test_plain_work_leaves_the_gradients_where_the_graph_writes_them():
    cuda, model = RecordedCuda(), Tiny()
    new_work, _ = descent(model)
    step = capture(model, cuda.wrap(new_work), batches()[0], itertools.cycle(batches()), training=True, cuda=cuda)
    addresses = [parameter.grad.data_ptr() for parameter in model.parameters()]
    step.plain()
    assert [parameter.grad.data_ptr() for parameter in model.parameters()] == addresses


def test_a_graph_on_a_cpu_is_refused_with_what_to_choose():
    brief = Brief(Variant.of(backend="cuda_graphs"), False, torch.zeros(1, 3, 8, 8), batches()[0])
    with pytest.raises(UsageError, match="choose device cuda:0"):
        ready(Tiny(), brief)


@pytest.mark.parametrize(
    ("names", "judged", "honoured"),
    [(["cudaGraphLaunch"], True, True), (["cudaLaunchKernel"], True, False), ([], False, True)],
)
def test_a_graph_must_be_seen_to_be_launched_where_cuda_calls_are_seen(names, judged, honoured):
    (proof,) = replay_proofs([Operation(name, kind="cuda_runtime") for name in names])
    assert (proof.judged, proof.honoured) == (judged, honoured)
