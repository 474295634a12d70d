"""Workers that live in virtual time: for tests of whatever conducts workers, here and in other projects.

A :class:`Scene` says how each case behaves and keeps a log of what was asked of whom, in order. No process is
started and no time passes; the scene's clock moves by what the scripted work takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from bench.errors import BenchError
from bench.records import Check, PhaseBlock, Proof
from bench.workers.crew import WorkerError, accept
from bench.workers.messages import (
    Block,
    Build,
    Built,
    Examine,
    Examined,
    Finish,
    Finished,
    Inspect,
    Inspected,
    Prepare,
    Prepared,
    Reply,
    Request,
    Sealed,
)

R = TypeVar("R", bound=msgspec.Struct)


@dataclass(frozen=True)
class Script:
    """How one case behaves. ``step_s`` may be a function of (wave, number of the block in it, 0 while warming up)."""

    step_s: float | Callable[[int, int], float] = 0.02
    build_s: float = 1.0
    items: int = 32
    proofs: tuple[Proof, ...] = ()
    checks: Callable[[bool], tuple[Check, ...]] = lambda thorough: ()  # noqa: ARG005
    check_s: float = 0.0  # of a thorough check
    peak_memory_bytes: int | None = 2**29
    fails: Mapping[str, BenchError | BaseException] = field(
        default_factory=dict
    )  # "build", "stretch", "block 3", "finish"


@dataclass
class Scene:
    """The scripts by case id, the virtual clock, and the log of (case id, event)."""

    scripts: Mapping[str, Script]
    now_s: float = 1000.0
    log: list[tuple[str, str]] = field(default_factory=list)
    waves: int = 0

    def clock(self) -> float:
        """Virtual seconds; moves only by scripted work."""
        return self.now_s

    def hire(self, count: int, start: str) -> ScriptedCrew:
        """A crew for one more wave; stands in for :func:`bench.workers.crew.hire`."""
        self.log.append(("crew", f"hire {count} by {start}"))
        self.waves += 1
        return ScriptedCrew(self, count, self.waves - 1)

    def events(self, case: str) -> list[str]:
        """What was asked of one case, in order."""
        return [event for name, event in self.log if name == case]


class ScriptedCrew:
    """As many scripted workers as were hired."""

    groups = ()

    def __init__(self, scene: Scene, count: int, wave: int) -> None:
        self._scene = scene
        self.workers = [ScriptedWorker(scene, wave) for _ in range(count)]

    def close(self) -> None:
        self._scene.log.append(("crew", "close"))


class ScriptedWorker:
    """Answers from its case's script; learns which case it is when it is told to build."""

    can_freeze = True
    pid = None

    def __init__(self, scene: Scene, wave: int) -> None:
        self._scene = scene
        self._wave = wave
        self._name = "?"
        self._script = Script()
        self._blocks = 0
        self._step_s = 0.0  # of the request being answered

    def ask(self, request: Request, answer: type[R], limit_s: float) -> R:
        if isinstance(request, Build):
            self._name = str(request.case)
            self._script = self._scene.scripts.get(self._name, Script())
        event = self._event(request)
        self._step_s = self._scripted_step_s()
        self._scene.log.append((self._name, event))
        trouble = self._script.fails.get(event)
        if trouble is not None:
            raise trouble
        if self._takes(request) > limit_s:
            self._scene.now_s += limit_s
            msg = f"no answer within the limit of {limit_s:.0f} s; it was killed"
            raise WorkerError(msg)
        return accept(self._reply(request), answer)

    def freeze(self) -> None:
        self._scene.log.append((self._name, "freeze"))

    def thaw(self) -> None:
        self._scene.log.append((self._name, "thaw"))

    def kill(self) -> None:
        self._scene.log.append((self._name, "kill"))

    def _event(self, request: Request) -> str:
        if isinstance(request, Block) and request.drop_steps == 0:
            return "stretch"  # of the warm-up: a block drops its first step
        if isinstance(request, Block):
            self._blocks += 1
            return f"block {self._blocks}"
        return {Build: "build", Inspect: "inspect", Examine: "check", Finish: "finish", Prepare: "prepare"}[
            type(request)
        ]

    def _scripted_step_s(self) -> float:
        step_s = self._script.step_s
        return step_s(self._wave, self._blocks) if callable(step_s) else step_s

    def _takes(self, request: Request) -> float:
        if isinstance(request, Block):
            return self._step_s * (request.drop_steps + request.steps * request.samples) + request.drop_s
        if isinstance(request, Build):
            return self._script.build_s
        if isinstance(request, Examine):
            return self._script.check_s * request.thorough
        return 0.0

    def _phases(self, request: Inspect) -> PhaseBlock | None:
        """Steps of which nine tenths are forward."""
        rows = tuple((self._step_s, 0.9 * self._step_s) for _ in range(request.phase_steps))
        return PhaseBlock(request.wave, "host", ("forward",), rows) if rows else None

    def _reply(self, request: Request) -> Reply:
        script, scene = self._script, self._scene
        start_s = scene.now_s
        scene.now_s += self._takes(request)
        match request:
            case Build():
                return Built(start_s, script.build_s, self._step_s, script.items, [], [], True)
            case Block():
                host_s = self._step_s * request.steps
                return Sealed([(start_s + n * host_s, host_s, None) for n in range(request.samples)])
            case Inspect():
                return Inspected(self._phases(request), None)
            case Examine():
                checks = list(script.checks(request.thorough))
                return Examined(list(script.proofs), checks, 0.0, self._takes(request))
            case Finish():
                return Finished(script.peak_memory_bytes)
            case Prepare():
                return Prepared()
