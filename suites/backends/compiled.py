"""torch.compile with its default backend, inductor: the model becomes generated C++ or Triton code."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import nn

from bench import Proof, UnavailableError
from suites.backends.ready import Brief, Ready
from suites.operations import Operation, generated_graphs

_FIX = "install a C++ compiler and Python's headers, on Debian or Ubuntu: sudo apt install g++ python3-dev"
_PROBE = "#include <Python.h>\n#include <vector>\nstd::vector<PyObject*> probe;\n"
_PROBE_LIMIT_S = 60


def ready(model: nn.Module, brief: Brief) -> Ready:
    """The model wrapped by torch.compile; the code is generated at the first call, not here.

    When that call fails, the compiler is looked at, and only then: what it costs would stand in the set-up time.
    Then ``forward`` raises UnavailableError if there is no working C++ compiler, or there are no Python headers.
    """
    del brief
    before = _graph_breaks()
    compiled: Callable[[torch.Tensor], torch.Tensor] = torch.compile(model)

    def forward(images: torch.Tensor) -> torch.Tensor:
        try:
            return compiled(images)
        except Exception:
            if images.device.type == "cpu":
                check_compiler()
            raise

    def proofs(operations: Sequence[Operation]) -> Iterable[Proof]:
        breaks = _graph_breaks() - before
        yield Proof("backend", _observed(graphs=1, breaks=0), _observed(generated_graphs(operations), breaks))

    return Ready(forward, proofs, own_layout=True)


def check_compiler(compilers: Sequence[str] | None = None) -> None:
    """Compile a few lines as inductor will: a compiler's mere presence says nothing about headers and libraries.

    ``compilers`` are tried in order; by default those that inductor would try, $CXX or g++.

    Raises:
        UnavailableError: none of them makes an extension module.
    """
    reasons = []
    for compiler in inductor_compilers() if compilers is None else compilers:
        trouble = _probe(compiler)
        if trouble is None:
            return
        reasons.append(trouble)
    reason = f"torch.compile cannot make code here ({'; '.join(reasons)})"
    raise UnavailableError(reason, _FIX)


def inductor_compilers() -> tuple[str, ...]:
    """The C++ compilers that inductor tries, in order.

    Source: torch._inductor.config.cpp.cxx, one name or several, None standing for an optional download.
    """
    import torch._inductor.config as inductor

    chosen = inductor.cpp.cxx
    names = chosen if isinstance(chosen, (list, tuple)) else (chosen,)
    return tuple(str(name) for name in names if name)


def _probe(compiler: str) -> str | None:
    """None when the compiler works, else what is wrong."""
    headers = sysconfig.get_path("include")
    if not (Path(headers) / "Python.h").is_file():
        return f"there is no Python.h in {headers}"
    openmp = ["-fopenmp"] if sys.platform.startswith("linux") else []
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "probe.cpp", Path(folder) / "probe.so"
        source.write_text(_PROBE)
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


def _observed(graphs: int, breaks: int) -> str:
    if not graphs:
        return "no compiled code ran"
    return f"compiled in pieces, graph breaks: {breaks}" if breaks else "compiled as a whole"
