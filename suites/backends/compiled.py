"""torch.compile with its backend inductor: the model becomes generated C++ or Triton code.

=======================  ==================================  ===================================================
backend                  on a CPU                            on CUDA
=======================  ==================================  ===================================================
compile                  default mode                        default mode
compile_frozen           weights made constants: folded,     -
                         packed; inference only
compile_reduce_overhead  -                                   CUDA graphs
compile_max_autotune     as frozen, and products tuned by    products tuned by trial, and CUDA graphs
                         trial; inference only
=======================  ==================================  ===================================================

On a CPU max-autotune alone generates the very code of the default mode, since inductor tries its own matrix products
only for constant weights; that is why freezing belongs to it, and why freezing without it is there to compare with.
Shapes are static: a batch never changes its size.

Source: torch._inductor.list_mode_options; torch._inductor.config.freezing; use_cpp_gemm_template.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import nn

from bench import Proof, UnavailableError, UsageError
from suites.backends.cuda_graphs import replay_proofs
from suites.backends.ready import Brief, Ready
from suites.operations import Operation, generated_graphs
from suites.placement import Placement

_FIX = "install a C++ compiler and Python's headers, on Debian or Ubuntu: sudo apt install g++ python3-dev"
_PROBE = "#include <Python.h>\n#include <vector>\nstd::vector<PyObject*> probe;\n"
_PROBE_IN_C = "#include <Python.h>\nPyObject *probe;\n"
_PROBE_LIMIT_S = 60
#: Multiprocessors from which on inductor tries several codes for a product.
_BIG_GPU = 68


def ready(model: nn.Module, brief: Brief) -> Ready:
    """The model wrapped by torch.compile; the code is generated at the first call, not here.

    When that call fails, the compiler is looked at, and only then: what it costs would stand in the set-up time.
    Then ``forward`` raises UnavailableError if there is no working C++ compiler (on CUDA, C), or no Python headers.
    """
    return _compiled(model, brief)


def frozen(model: nn.Module, brief: Brief) -> Ready:
    """The model compiled with its weights as constants; the code is generated here.

    Raises:
        UsageError: the variant trains, or is one for CUDA.
        UnavailableError: there is no working C++ compiler.
    """
    _check_frozen("compile_frozen", brief)
    return _frozen(model, brief)


def reduce_overhead(model: nn.Module, brief: Brief) -> Ready:
    """The model compiled, and launched by CUDA graphs that inductor captures at the first calls.

    Raises:
        UsageError: the variant is not one for CUDA.
    """
    if not brief.variant.device.startswith("cuda"):
        msg = "compile_reduce_overhead means CUDA graphs, and changes nothing on a CPU; choose backend compile there"
        raise UsageError(msg)
    return _compiled(model, brief, "reduce-overhead", _whole_replay())


def max_autotune(model: nn.Module, brief: Brief) -> Ready:
    """The model compiled, with the fastest of several codes for each product, found by trial.

    Raises:
        UsageError: the variant trains on a CPU, where there is nothing to try.
        UnavailableError: there is no working C++ compiler.
    """
    tuned = watch_tuning()
    if brief.variant.device.startswith("cuda"):
        replayed = _whole_replay()
        size = torch.cuda.get_device_properties(brief.variant.device).multi_processor_count
        return _compiled(model, brief, "max-autotune", lambda seen: (*replayed(seen), tuning_proof(size, tuned())))
    _check_frozen("compile_max_autotune", brief)
    return _frozen(model, brief, "max-autotune", lambda _: [Proof("products tuned", "yes", tuned())])


def watch_tuning() -> Callable[[], str]:
    """A function that says whether, since now, inductor has chosen the code of a product by trial.

    ``"yes"`` also when whole code, made under the same settings, came from its cache.
    """
    from torch._dynamo.utils import counters
    from torch._inductor.select_algorithm import add_feedback_saver

    choices: list[object] = []
    add_feedback_saver(lambda *choice: choices.append(choice))
    caches = (("inductor", "fxgraph_cache_hit"), ("aot_autograd", "autograd_cache_hit"))
    before = sum(counters[group][name] for group, name in caches)

    def tuned() -> str:
        reused = sum(counters[group][name] for group, name in caches) > before
        return "yes" if choices or reused else "no"

    return tuned


_MoreProofs = Callable[[Sequence[Operation]], Iterable[Proof]]


def _whole_replay() -> _MoreProofs:
    """Proofs that a CUDA graph was launched, and that inductor, since now, gave up on none, as of two in training."""
    from torch._dynamo.utils import counters

    before = counters["inductor"]["cudagraph_skips"]

    def proofs(operations: Sequence[Operation]) -> Iterable[Proof]:
        yield from replay_proofs(operations)
        yield Proof("CUDA graphs given up", "0", str(counters["inductor"]["cudagraph_skips"] - before))

    return proofs


def _compiled(
    model: nn.Module, brief: Brief, mode: str | None = None, more_proofs: _MoreProofs = lambda _: ()
) -> Ready:
    on_cuda = brief.variant.device.startswith("cuda")
    breaks_before, graphs_before = _graph_breaks(), _graphs_made()
    compiled: Callable[[torch.Tensor], torch.Tensor] = torch.compile(model, mode=mode, dynamic=False)

    def forward(images: torch.Tensor) -> torch.Tensor:
        try:
            return compiled(images)
        except Exception:
            # Triton makes a small extension module in C for its launches, inductor C++ for a CPU.
            check_compiler(in_c=images.device.type != "cpu")
            raise

    def proofs(operations: Sequence[Operation]) -> Iterable[Proof]:
        breaks, made = _graph_breaks() - breaks_before, _graphs_made() - graphs_before
        yield Proof("backend", _observed(1, 0, 1), _observed(generated_graphs(operations), breaks, made))
        yield from more_proofs(operations)

    return Ready(forward, proofs, own_layout=True, hidden=on_cuda and mode is not None)


def _frozen(model: nn.Module, brief: Brief, mode: str | None = None, more_proofs: _MoreProofs = lambda _: ()) -> Ready:
    """Compiled at once, because freezing is a setting of the process that must hold while code is generated."""
    import torch._inductor.config as inductor

    arithmetic = Placement.of(brief.variant).arithmetic

    def run() -> torch.Tensor:
        with torch.inference_mode(), arithmetic():
            return compiled.forward(brief.images)

    def proofs(operations: Sequence[Operation]) -> Iterable[Proof]:
        yield from more_proofs(operations)
        yield Proof("compiled weights", "constants", "read at each step" if reads_weights(model, run) else "constants")

    compiled = _compiled(model, brief, mode, proofs)
    with inductor.patch(freezing=True):
        run()
    return compiled


def reads_weights(model: nn.Module, run: Callable[[], torch.Tensor]) -> bool:
    """Whether a result follows the model's weights: each is doubled for one run, and then what it was.

    Weights of products only: those are copied when they are packed, while a constant bias stays where it was.
    """
    before = run().clone()
    weights = [weight for weight in model.parameters() if weight.dim() > 1]
    kept = [weight.detach().clone() for weight in weights]
    try:
        with torch.no_grad():
            for weight in weights:
                weight.mul_(2)
        return not torch.equal(run(), before)
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, kept, strict=True):
                weight.copy_(value)


def _check_frozen(name: str, brief: Brief) -> None:
    if brief.training:
        msg = f"{name} makes weights constants on a CPU, and trains none; choose backend compile for training there"
        raise UsageError(msg)
    if brief.variant.device.startswith("cuda"):
        msg = f"{name} is for CPUs, where weights are packed for oneDNN; on CUDA choose compile or compile_max_autotune"
        raise UsageError(msg)


def check_compiler(compilers: Sequence[str] | None = None, *, in_c: bool = False) -> None:
    """Compile a few lines as inductor will: a compiler's mere presence says nothing about headers and libraries.

    ``compilers`` are tried in order; by default those that inductor would try, $CXX or g++. ``in_c`` as Triton will.

    Raises:
        UnavailableError: none of them makes an extension module.
    """
    reasons = []
    for compiler in (triton_compilers() if in_c else inductor_compilers()) if compilers is None else compilers:
        trouble = _probe(compiler, in_c=in_c)
        if trouble is None:
            return
        reasons.append(trouble)
    reason = f"torch.compile cannot make code here ({'; '.join(reasons)})"
    raise UnavailableError(reason, _FIX)


def triton_compilers() -> tuple[str, ...]:
    """The C compilers that Triton tries, in order. Source: triton.runtime.build."""
    return (os.environ["CC"],) if os.environ.get("CC") else ("gcc", "clang")


def tuning_proof(multiprocessors: int, tuned: str) -> Proof:
    """Whether codes for products were tried on a GPU of so many multiprocessors; inductor tries none on a small one.

    Source: torch._inductor.utils.is_big_gpu. What else the mode does, it does there too.
    """
    fact = "products tuned"
    return Proof(fact, "yes", tuned) if multiprocessors >= _BIG_GPU else Proof.seen(fact, f"{tuned}: the GPU is small")


def inductor_compilers() -> tuple[str, ...]:
    """The C++ compilers that inductor tries, in order.

    Source: torch._inductor.config.cpp.cxx, one name or several, None standing for an optional download.
    """
    import torch._inductor.config as inductor

    chosen = inductor.cpp.cxx
    names = chosen if isinstance(chosen, (list, tuple)) else (chosen,)
    return tuple(str(name) for name in names if name)


def _probe(compiler: str, *, in_c: bool) -> str | None:
    """None when the compiler works, else what is wrong."""
    headers = sysconfig.get_path("include")
    if not (Path(headers) / "Python.h").is_file():
        return f"there is no Python.h in {headers}"
    openmp = ["-fopenmp"] if sys.platform.startswith("linux") and not in_c else []
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / ("probe.c" if in_c else "probe.cpp"), Path(folder) / "probe.so"
        source.write_text(_PROBE_IN_C if in_c else _PROBE)
        command = [*compiler.split(), "-shared", "-fPIC", *openmp, f"-I{headers}", str(source), "-o", str(library)]
        if sys.platform == "darwin":
            command += ["-undefined", "dynamic_lookup"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_LIMIT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{compiler} does not run: {error}"
    return None if done.returncode == 0 else f"{compiler} fails: {_first_line(done.stderr)}"


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if "error" in line), "no message")[:200]


def _graph_breaks() -> int:
    """How often, in this process so far, dynamo left a function in pieces."""
    from torch._dynamo.utils import counters

    return sum(counters["graph_break"].values())


def _graphs_made() -> int:
    """How many graphs, in this process so far, dynamo has handed to inductor."""
    from torch._dynamo.utils import counters

    return counters["stats"]["unique_graphs"]


def _observed(graphs: int, breaks: int, made: int) -> str:
    if not graphs:
        return "no compiled code ran"
    if breaks:
        return f"compiled in pieces, graph breaks: {breaks}"
    return f"compiled {made} times" if made > 1 else "compiled as a whole"
