"""What is known of one case while its group is measured: the sum of its entries, whoever reads them.

::

    conductor   does something -> entry -> the journal, and the dossier       measuring
    journal                       entry ->              the dossier           resuming, recovering

So a case that was broken off is known exactly as it was known then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bench.analysis.stopping import WANTED_ROUNDS
from bench.entries import (
    CaseEntry,
    Checked,
    Dismissed,
    Doubted,
    Enrolled,
    Failed,
    GroupEnded,
    GroupEntry,
    LookDone,
    Looked,
    Measured,
    RoundsSet,
    Skipped,
    WaveDone,
)
from bench.packing import Packed
from bench.records import (
    Case,
    Caveat,
    CaveatKind,
    Check,
    Failure,
    Life,
    PhaseBlock,
    Plan,
    Profile,
    Proof,
    Sample,
    SampleKind,
    Skip,
    Trial,
)
from bench.records.power import HostLoad, PowerLog, joined
from bench.workers.messages import Block


@dataclass
class Dossier:
    """One case of a group. Figures are those of its latest worker."""

    case: Case
    index: int  # in its group
    lives: list[Life] = field(default_factory=list)
    blocks: Packed[list[Sample]] = field(default_factory=lambda: Packed(list[Sample]))
    proofs: tuple[Proof, ...] = ()  # of the life that has more to hide
    own_proofs: tuple[Proof, ...] = ()  # of the present life
    examined: bool = False  # in any life
    checks: list[Check] = field(default_factory=list)
    check_s: float = 0.0  # the latest proofs and quick check
    caveats: dict[CaveatKind, Caveat] = field(default_factory=dict)
    items: int | None = None
    block: Block | None = None  # set in the first wave, the same in all
    step_s: float = 0.0  # as warm-up ended
    ran_s: float = 0.0  # in all blocks of rounds
    ran_steps: int = 0
    failure: Failure | None = None
    skip: Skip | None = None
    left: bool = False  # precise and clear at a look
    set_up_s: float = 0.0  # what enrolling took
    stride: int = 1  # it takes part in one round of so many
    phases: list[PhaseBlock] = field(default_factory=list)
    profile: Profile | None = None

    @property
    def active(self) -> bool:
        """Whether it has a worker in the next wave."""
        return self.failure is None and self.skip is None and not self.left

    @property
    def block_s(self) -> float:
        """What a block of it costs, with all that is dropped: by its blocks so far, and before them by its warm-up.

        Steps of a block may take longer than back to back, and a busy machine slows them all.
        """
        block = self.block
        if block is None:
            return 0.0
        step_s = self.ran_s / self.ran_steps if self.ran_steps else self.step_s
        return (block.drop_steps + block.steps * block.samples) * step_s + block.drop_s

    def note(self, entry: CaseEntry) -> None:
        """Take note of an entry of this case."""
        match entry:
            case Enrolled():
                self._enrol(entry)
            case Measured(samples=samples):
                self.blocks.append(samples)
                of_rounds = [sample for sample in samples if sample.kind is not SampleKind.ENERGY]
                self.ran_s += sum(sample.host_s for sample in of_rounds)
                self.ran_steps += sum(sample.steps for sample in of_rounds)
            case Looked(phases=phases, profile=profile):
                self.phases += [phases] if phases is not None else []
                self.profile = profile or self.profile
            case Checked():
                self._examine(entry)
            case Dismissed(peak_memory_bytes=peak):
                self.lives[-1] = replace(self.lives[-1], peak_memory_bytes=peak)
            case Doubted(caveat=caveat):
                self.caveats[caveat.kind] = caveat
            case Failed(failure=failure):
                self.failure = failure
            case Skipped(skip=skip):
                self.skip = skip

    def trial(self) -> Trial:
        """All that there is of it, frozen."""
        return Trial(
            self.case,
            self.items,
            tuple(self.lives),
            tuple(sample for samples in self.blocks for sample in samples),
            self.proofs,
            (*self.caveats.values(), *self._unproven()),
            self.failure,
            tuple(self.checks),
            tuple(self.phases),
            self.profile,
        )

    def _unproven(self) -> tuple[Caveat, ...]:
        """A doubt where no wave came to its end, at which labels are proven and results checked."""
        measured = self.ran_steps > 0 and self.failure is None
        return (Caveat.of(CaveatKind.UNPROVEN),) if measured and not self.examined else ()

    def _enrol(self, entry: Enrolled) -> None:
        life = entry.life
        if self.lives and self.lives[-1].settings == life.settings:
            life = replace(life, settings=self.lives[-1].settings)  # kept once, not in each wave
        self.lives.append(life)
        self.items = entry.items
        self.own_proofs = tuple(entry.proofs)
        if not self.proofs or not all(proof.honoured for proof in self.own_proofs):
            self.proofs = _worst(self.proofs, self.own_proofs)
        self.checks += entry.checks
        self.step_s = entry.step_s
        self.block = self.block or entry.block
        self.set_up_s = entry.set_up_s - entry.check_s

    def _examine(self, entry: Checked) -> None:
        own = (*self.own_proofs, *entry.proofs)
        self.proofs = own if self.proofs == self.own_proofs else _worst(self.proofs, own)
        self.own_proofs = own
        self.examined = True
        # The first check is at length, and is not repeated.
        self.check_s = entry.proof_s + (entry.check_s if self.checks else 0.0)
        self.checks += entry.checks


class GroupBook:
    """What is known of a whole group: a dossier of every case, and what concerns them all."""

    def __init__(self, cases: Sequence[Case], plan: Plan) -> None:
        self.plan = plan
        self.dossiers = [Dossier(case, index) for index, case in enumerate(cases)]
        self.rounds = plan.rounds or WANTED_ROUNDS
        self.waves = plan.waves  # that there will be: fewer where the budget has no room for more
        self.hire_s = 0.0  # what bringing up the workers of a wave took
        self.waves_done = 0
        self.looked = 0  # so many waves were done at the latest look
        self.loads: dict[int, HostLoad] = {}  # by wave
        self.latest: int | None = None  # the case that ran last
        self.done = False
        self._power: Packed[PowerLog] = Packed(PowerLog)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """A trial of every case that was not skipped, in the order given."""
        return tuple(dossier.trial() for dossier in self.dossiers if dossier.skip is None)

    @property
    def skips(self) -> tuple[Skip, ...]:
        """The cases that a worker found this machine unable to run."""
        return tuple(dossier.skip for dossier in self.dossiers if dossier.skip is not None)

    @property
    def power(self) -> PowerLog | None:
        """What the sensors said so far."""
        return joined(self._power)

    @property
    def staff(self) -> list[Dossier]:
        """The cases that have a worker in the next wave."""
        return [dossier for dossier in self.dossiers if dossier.active]

    @property
    def shaped(self) -> list[tuple[float, Block]]:
        """Seconds of a step and the block, of the cases that have one."""
        return [(dossier.step_s, dossier.block) for dossier in self.dossiers if dossier.block is not None]

    @property
    def is_open(self) -> bool:
        """Whether any question is left: a case to measure, and not the baseline alone when all others have left."""
        others = self.dossiers[1:]
        if any(dossier.left for dossier in others):
            return any(dossier.active for dossier in others)
        return bool(self.staff)

    def note(self, entry: GroupEntry) -> None:
        """Take note of an entry of this group."""
        match entry:
            case RoundsSet(rounds=rounds, strides=strides, waves=waves):
                self.rounds, self.waves = rounds, waves or self.waves
                for dossier, stride in zip(self.dossiers, strides, strict=True):
                    dossier.stride = stride
            case WaveDone():
                self.waves_done = entry.wave + 1
                self.hire_s = entry.hire_s
                self.loads |= {entry.wave: entry.load} if entry.load is not None else {}
                self._keep(entry.power)
            case LookDone(wave=wave, left=left):
                self.looked = wave + 1
                for index in left:
                    self.dossiers[index].left = True
            case GroupEnded(whole=whole, power=power):
                self.done = whole
                self._keep(power)
            case _:
                self.dossiers[entry.case].note(entry)
                self.latest = entry.case if isinstance(entry, Measured | Failed) else self.latest

    def _keep(self, power: PowerLog | None) -> None:
        if power is not None:
            self._power.append(power)


def _worst(known: tuple[Proof, ...], new: tuple[Proof, ...]) -> tuple[Proof, ...]:
    """The proofs of the life that has more to hide: one dishonoured label in any wave spoils the case."""
    return known if any(not proof.honoured for proof in known) else new
