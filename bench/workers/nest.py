"""Where worker processes are born. Runs as a process of its own, one for each wave (or for each worker).

::

    conductor --Popen--> nest: import torch; fork once for each worker; report who ended and how
                           |-- worker 0   own process group, own output file, one socket to the conductor
                           `-- worker 1   ...

A nest with a single worker does not fork: it becomes the worker, which is then a spawned process. A nest that
forks imports libraries and nothing of the user's, runs no tensor operation and asks nothing of CUDA: a child
forked after that would hang or be without CUDA. When the conductor is gone the nest ends, and its workers with it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

import msgspec

from bench.instruments.nvtx import profiler
from bench.workers import limits
from bench.workers.case_runner import CaseRunner
from bench.workers.channel import Channel, ChannelClosedError
from bench.workers.messages import Finish, Request


class Orders(msgspec.Struct, frozen=True):
    """What a nest is told at its start, as JSON on its command line; numbers are inherited file descriptors."""

    sys_path: list[str]
    preload: list[str]
    control: int
    sockets: list[int]
    outputs: list[int]


class Born(msgspec.Struct, tag=True, frozen=True):
    pids: list[int]


class Ended(msgspec.Struct, tag=True, frozen=True):
    pid: int
    exit_code: int  # negative: the number of the signal, as in subprocess


def main(text: str) -> NoReturn:
    """Bring the workers up, then watch them until the last has ended."""
    orders = msgspec.json.decode(text, type=Orders)
    control = Channel(socket.socket(fileno=orders.control))
    _preload(orders.preload)
    if len(orders.sockets) == 1:
        limits.die_with_parent()
        control.send(Born([os.getpid()]))
        _become_worker(orders, 0)
    pids = [_fork_worker(orders, index) for index in range(len(orders.sockets))]
    for handle in (*orders.sockets, *orders.outputs):
        os.close(handle)
    control.send(Born(pids))
    threading.Thread(target=_end_with_conductor, args=(control, pids), daemon=True).start()
    for _ in pids:
        pid, status = os.wait()
        with contextlib.suppress(ChannelClosedError):
            control.send(Ended(pid, os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _preload(modules: Sequence[str]) -> None:
    """Import libraries; what they made is no garbage, so that no collection of a child needs to look at it.

    Source: gc.freeze in the documentation of Python, which recommends it before a fork.
    """
    gc.disable()
    for module in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    gc.freeze()
    gc.enable()


def _fork_worker(orders: Orders, index: int) -> int:
    pid = os.fork()
    if pid:
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # on both sides: neither may be late
        return pid
    try:
        limits.die_with_parent()
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        os.close(orders.control)
        for other in range(len(orders.sockets)):
            if other != index:
                os.close(orders.sockets[other])
                os.close(orders.outputs[other])
        _become_worker(orders, index)
    finally:
        os._exit(70)  # a forked child must never run the nest's code


def _become_worker(orders: Orders, index: int) -> NoReturn:
    """Serve the conductor until it says Finish or is gone; output goes to the worker's own file."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the conductor's business
    limits.be_first_victim()
    os.dup2(orders.outputs[index], 1)
    os.dup2(orders.outputs[index], 2)
    channel = Channel(socket.socket(fileno=orders.sockets[index]))
    runner = CaseRunner()
    with contextlib.suppress(ChannelClosedError):
        while True:
            request: Request = channel.receive(Request)  # type: ignore[arg-type]
            channel.send(runner.answer(request))
            if isinstance(request, Finish):
                break
    if profiler() is not None:
        sys.exit(0)  # only in the usual end of a process does a profiler write the last that it has
    os._exit(0)  # interpreters of CUDA and OpenMP threads do not always end by themselves


def _end_with_conductor(control: Channel, pids: list[int]) -> None:
    """The conductor never writes on the control socket: when something is to be read, it has closed it."""
    with contextlib.suppress(ChannelClosedError):
        control.receive(Born)
    for pid in pids:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
    os._exit(1)
