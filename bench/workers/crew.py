"""The conductor's side: the workers of one wave, their freezing and thawing, and the news of their deaths."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import IO, Protocol, TypeVar

import msgspec

from bench.errors import MeasurementError, UnavailableError, UsageError
from bench.instruments.nvtx import profiler
from bench.workers.ballast import Ballast, shared
from bench.workers.case_runner import CACHE_VARIABLES, CaseRunner
from bench.workers.channel import Channel, ChannelClosedError
from bench.workers.messages import Build, Finish, Reply, Request, Trouble
from bench.workers.nest import Born, Ended, Orders

R = TypeVar("R", bound=msgspec.Struct)

#: Imported by a nest before it forks. A module that is not installed is passed over.
PRELOAD = ("torch", "torchvision")
_BIRTH_LIMIT_S = 180.0
_DEATH_LIMIT_S = 5.0
_DETAIL_BYTES = 2000
#: The nest sees the import path of this process, so that it finds the user's modules; nothing else is on its command.
_BOOT = """import json, sys
sys.path[:] = json.loads(sys.argv[1])["sys_path"]
from bench.workers import nest
nest.main(sys.argv[1])"""


class WorkerError(MeasurementError):
    """A worker failed or died; ``detail`` has its last lines."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail


class Worker(Protocol):
    """One case's process, as the conductor sees it. ``pid`` is None for one that has no process of its own."""

    @property
    def can_freeze(self) -> bool: ...

    @property
    def pid(self) -> int | None: ...

    def ask(self, request: Request, answer: type[R], limit_s: float) -> R:
        """The worker's answer.

        Raises:
            WorkerError: it failed, died, or did not answer within the limit (it is then killed).
            UnavailableError, UsageError: the worker says that the machine lacks something, or the caller erred.
        """

    def freeze(self) -> None: ...

    def thaw(self) -> None: ...

    def kill(self) -> None: ...


class Crew(Protocol):
    """The workers of one wave."""

    @property
    def workers(self) -> Sequence[Worker]:
        """One for each case, in the order of the cases they were hired for."""

    @property
    def groups(self) -> Sequence[int]:
        """The process groups that are this crew's: of each worker, and of whoever reaps it and so has its time."""

    def close(self) -> None:
        """End all workers; safe to call twice."""


def hire(count: int, start: str) -> Crew:
    """A crew of so many workers, started as the plan says: "fork_server", "spawn" or "in_process".

    Raises:
        MeasurementError: the processes could not be started.
    """
    if start == "in_process":
        return LocalCrew(count)
    return ProcessCrew(count, start)


class ProcessCrew:
    """Workers in processes of their own: forked from one fresh nest, or each from a nest to itself.

    While they live, the machine's memory that lies about in pieces is ``held``, so that none of them gets it.
    """

    def __init__(self, count: int, start: str, *, held: bool = True) -> None:
        self.workers: list[ProcessWorker] = []
        self._nests: list[_Nest] = []
        self._ballast = shared() if held else None
        batches = [count] if start == "fork_server" and hasattr(os, "fork") else [1] * count
        try:
            for size in batches:
                self._nests.append(_Nest(size))
            for nest in self._nests:
                self.workers += nest.hatch(self._ballast)
        except OSError as error:
            self.close()
            msg = f"worker processes cannot be started ({error}); check the limits on processes, open files and memory"
            raise MeasurementError(msg) from error
        except BaseException:
            self.close()
            raise

    @property
    def groups(self) -> list[int]:
        return [*(worker.pid for worker in self.workers), *(nest.pid for nest in self._nests)]

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
        for nest in self._nests:
            nest.close()


def _start_nest(
    control: socket.socket, sockets: Sequence[socket.socket], outputs: Sequence[IO[bytes]]
) -> subprocess.Popen[bytes]:
    """A nest for as many workers as there are sockets."""
    handles = [file.fileno() for file in outputs]
    orders = Orders(
        [path or os.getcwd() for path in sys.path],
        list(PRELOAD) if len(sockets) > 1 else [],
        control.fileno(),
        [end.fileno() for end in sockets],
        handles,
    )
    return subprocess.Popen(
        [sys.executable, "-c", _BOOT, msgspec.json.encode(orders).decode()],
        stdin=subprocess.DEVNULL,
        stdout=handles[0],
        stderr=handles[0],
        pass_fds=[orders.control, *orders.sockets, *orders.outputs],
        process_group=0,
    )


class _Nest:
    """One nest process, its control socket, and the ends of its workers that stay with the conductor."""

    def __init__(self, size: int) -> None:
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:  # closed, unless all of it comes about

            def pair() -> tuple[socket.socket, socket.socket]:
                one, other = socket.socketpair()
                return ours.enter_context(one), theirs.enter_context(other)

            self._control, control = pair()
            pairs = [pair() for _ in range(size)]
            self._ends = [one for one, _ in pairs]
            self._outputs: list[IO[bytes]] = [ours.enter_context(tempfile.TemporaryFile()) for _ in range(size)]
            self._process = _start_nest(control, [other for _, other in pairs], self._outputs)
            self._open = ours.pop_all()
        self.channel = Channel(self._control)
        self._endings: dict[int, int] = {}

    @property
    def pid(self) -> int:
        return self._process.pid

    def hatch(self, ballast: Ballast | None) -> list[ProcessWorker]:
        """The workers, once the nest has brought them up."""
        try:
            pids = self.channel.receive(Born, _BIRTH_LIMIT_S).pids
        except (TimeoutError, ChannelClosedError) as error:
            detail = last_lines(self._outputs[0])
            msg = f"worker processes did not come up; their last words: {detail or 'none'}"
            raise MeasurementError(msg) from error
        return [
            ProcessWorker(pid, Channel(end), output, self, ballast)
            for pid, end, output in zip(pids, self._ends, self._outputs, strict=True)
        ]

    def ending(self, pid: int) -> int | None:
        """How a worker ended: exit code, negative for a signal; None when that is not known in time."""
        if pid == self._process.pid:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self._process.wait(_DEATH_LIMIT_S)
            return None
        deadline = time.monotonic() + _DEATH_LIMIT_S
        with contextlib.suppress(TimeoutError, ChannelClosedError):
            while pid not in self._endings:
                ended = self.channel.receive(Ended, max(0.0, deadline - time.monotonic()))
                self._endings[ended.pid] = ended.exit_code
        return self._endings.get(pid)

    def close(self) -> None:
        self.channel.close()
        if profiler() is not None:  # what is killed has not written its last ranges
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_DEATH_LIMIT_S)
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_DEATH_LIMIT_S)
        self._open.close()


class ProcessWorker:
    """A worker process in a process group of its own, so that what it starts is stopped and killed with it."""

    can_freeze = hasattr(signal, "SIGSTOP")

    def __init__(self, pid: int, channel: Channel, output: IO[bytes], nest: _Nest, ballast: Ballast | None) -> None:
        self.pid = pid
        self._channel = channel
        self._output = output
        self._nest = nest
        self._ballast = ballast
        self._alive = True

    def ask(self, request: Request, answer: type[R], limit_s: float) -> R:
        if isinstance(request, Build) and self._ballast is not None:
            self._ballast.settle()  # those before have left new pieces
        try:
            self._channel.send(request)
            reply: Reply = self._channel.receive(Reply, limit_s)  # type: ignore[arg-type]
        except TimeoutError:
            self.kill()
            reason = f"no answer within the limit of {limit_s:.0f} s; it was killed"
            raise WorkerError(reason, last_lines(self._output)) from None
        except ChannelClosedError:
            reason = describe_ending(self._nest.ending(self.pid))
            self.kill()
            raise WorkerError(reason, last_lines(self._output)) from None
        if isinstance(request, Finish):
            self._alive = False  # it ends by itself; its process id may soon be another's
        return accept(reply, answer)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._alive:
            self._signal(signal.SIGKILL)
            self._alive = False

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


class LocalCrew:
    """Workers in the conductor's own process: for debugging and profiling. Figures so made are marked.

    What they are told of caches is taken back when they are closed: it would give the next one the files of this one.
    """

    groups = ()

    def __init__(self, count: int) -> None:
        self.workers = [LocalWorker() for _ in range(count)]
        self._found = {name: os.environ.get(name) for name in CACHE_VARIABLES}

    def close(self) -> None:
        self.workers.clear()
        for name, value in self._found.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class LocalWorker:
    """Answers in this process; it can neither be frozen nor killed."""

    can_freeze = False
    pid = None

    def __init__(self) -> None:
        self._runner = CaseRunner(own_process=False)

    def ask(self, request: Request, answer: type[R], limit_s: float) -> R:
        del limit_s  # a call in our own process cannot be ended
        return accept(self._runner.answer(request), answer)

    def freeze(self) -> None: ...

    def thaw(self) -> None: ...

    def kill(self) -> None: ...


def accept(reply: Reply, answer: type[R]) -> R:
    """The reply if it is the answer expected, else the exception that it stands for."""
    if isinstance(reply, answer):
        return reply
    if not isinstance(reply, Trouble):
        msg = f"the worker answered {type(reply).__name__} where {answer.__name__} was expected"
        raise WorkerError(msg)
    if reply.blame == "unavailable":
        raise UnavailableError(reply.reason, reply.fix)
    if reply.blame == "usage":
        raise UsageError(reply.reason)
    raise WorkerError(reply.reason, reply.detail)


def describe_ending(exit_code: int | None) -> str:
    """How a process ended, in words."""
    if exit_code is None:
        return "the worker is gone, nobody knows how"
    if exit_code >= 0:
        return f"the worker ended with exit code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    hint = "; the machine may have run out of memory" if name == "SIGKILL" else ""
    return f"the worker was killed by {name}{hint}"


def last_lines(output: IO[bytes]) -> str:
    """The end of what a process has written."""
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _DETAIL_BYTES))
    return output.read().decode(errors="replace").strip()
