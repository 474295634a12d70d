"""What happens while a run is measured, entry by entry. The run follows from its entries, and from nothing else.

::

    Opened                                          the run begins
      GroupOpened                                   its cases, and the plan for them
        Enrolled | Failed | Skipped | Doubted ...   wave 1: set up, case by case
        RoundsSet
        Measured  Measured  Measured ...                  its blocks
        Looked  Dismissed ...
        WaveDone                                    finished: no resuming takes it away
        LookDone                                    the cases that were clear have left
        ...                                         wave 2
      GroupDone
    Resumed                                         broken off, and gone on with: what is of an unfinished wave is void
    Closed                                          the end that was meant

Conducting reads the same entries as resuming does (:mod:`bench.dossier`), so that neither can know what the other
does not. Cases are named by their index in the group.
"""

from __future__ import annotations

import msgspec

from bench.records import (
    Case,
    Caveat,
    Check,
    Environment,
    Failure,
    Life,
    PhaseBlock,
    Plan,
    Profile,
    Proof,
    Sample,
    SelfCheck,
    Skip,
)
from bench.records.power import HostLoad, PowerLog
from bench.workers.messages import Block


class Anchor(msgspec.Struct, frozen=True):
    """One moment on two clocks: by it a later sitting puts its times behind those of the one before."""

    clock_s: float  # on the axis of the run's samples
    wall_s: float  # seconds since 1970, as the system believes


class Opened(msgspec.Struct, tag=True, frozen=True):
    schema: int
    id: str
    started: str
    environment: Environment
    plan: Plan
    anchor: Anchor
    self_check: SelfCheck | None = None
    cases: list[str] = []  # the names of all that are to be measured
    command: list[str] = []  # the arguments of pytest, for the user to see
    skips: list[Skip] = []  # known before anything was measured


class GroupOpened(msgspec.Struct, tag=True, frozen=True):
    cases: list[Case]  # the baseline first
    plan: Plan


class Enrolled(msgspec.Struct, tag=True, frozen=True):
    wave: int
    case: int
    life: Life
    items: int
    block: Block
    step_s: float
    set_up_s: float  # all that enrolling took, warm-up too
    check_s: float = 0.0  # a part of it in journals of earlier versions, which checked before they timed
    proofs: list[Proof] = []  # of the settings; in journals of earlier versions, of the step as well
    checks: list[Check] = []  # likewise


class RoundsSet(msgspec.Struct, tag=True, frozen=True):
    wave: int
    rounds: int
    strides: list[int]  # of each case of the group: it takes part in one round of so many
    waves: int | None = None  # that the group will have; None: those of the plan, in journals that name none


class Measured(msgspec.Struct, tag=True, frozen=True):
    case: int
    samples: list[Sample]

    @property
    def wave(self) -> int:
        return self.samples[0].wave if self.samples else 0


class Checked(msgspec.Struct, tag=True, frozen=True):
    wave: int
    case: int
    checks: list[Check]
    check_s: float
    proofs: list[Proof] = []  # of the step
    proof_s: float = 0.0


class Looked(msgspec.Struct, tag=True, frozen=True):
    wave: int
    case: int
    phases: PhaseBlock | None = None
    profile: Profile | None = None


class Dismissed(msgspec.Struct, tag=True, frozen=True):
    wave: int
    case: int
    peak_memory_bytes: int | None


class Doubted(msgspec.Struct, tag=True, frozen=True):
    wave: int
    case: int
    caveat: Caveat


class Failed(msgspec.Struct, tag=True, frozen=True):
    case: int
    failure: Failure

    @property
    def wave(self) -> int:
        return self.failure.wave


class Skipped(msgspec.Struct, tag=True, frozen=True):
    wave: int
    case: int
    skip: Skip


class WaveDone(msgspec.Struct, tag=True, frozen=True):
    wave: int
    hire_s: float
    anchor: Anchor
    power: PowerLog | None = None  # what the sensors said since the wave before; None where there is no sensor
    load: HostLoad | None = None  # what others did on our cores during its rounds


class LookDone(msgspec.Struct, tag=True, frozen=True):
    wave: int  # the one after which cases left
    left: list[int]


class GroupEnded(msgspec.Struct, tag=True, frozen=True):
    whole: bool  # all was measured that was to be; else it was interrupted, and can be gone on with
    power: PowerLog | None = None  # since the last wave


class Resumed(msgspec.Struct, tag=True, frozen=True):
    started: str
    environment: Environment
    anchor: Anchor
    skips: list[Skip] = []


class Closed(msgspec.Struct, tag=True, frozen=True):
    duration_s: float
    skips: list[Skip] = []


#: What is of one case, and so of one wave of its group.
CaseEntry = Enrolled | Measured | Looked | Checked | Dismissed | Doubted | Failed | Skipped
#: What is of one wave of a group.
WaveEntry = CaseEntry | RoundsSet | WaveDone | LookDone
GroupEntry = WaveEntry | GroupEnded
Entry = Opened | GroupOpened | GroupEntry | Resumed | Closed
