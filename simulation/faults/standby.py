"""A desk whose engine has a standby: either dies, and when the engine has, the standby may be promoted in its place.

The two machines have a folder each. Who was the engine comes back as the standby of the other one.
"""

from functools import partial
from pathlib import Path
from typing import Final

from bus.standby_frames import TOPIC
from bus.topology import SNAPSHOTS
from desk.role_file import Role, RoleFile
from desk.settings import Settings, load_settings
from journal.format import JournalMode
from market.clock import NS_PER_MS
from nodes.engine.checkpoints import BesideThread, Work
from nodes.engine.core import EngineCore
from nodes.engine.follower import Follower
from simulation.faults.desk import VICTIMS, MortalDesk
from simulation.faults.disk import MortalJournal, lose_power
from simulation.faults.life import Killed, Life
from simulation.faults.network import Network
from simulation.faults.nodes import ENGINE, EngineProcess, mortal_core

STANDBY: Final = "standby"
_TICK_NS: Final = 50 * NS_PER_MS
PROMOTED: Final = 0.8  # of the times that the engine has died
_MACHINES: Final = "a", "b"


class MortalRole(RoleFile):
    """A role whose process may die before and after it keeps it."""

    life: Life

    def write(self, role: Role) -> None:
        """Keep the role for good."""
        self.life.point("keep its role")
        super().write(role)
        self.life.point("have kept its role")


class AtOnce(BesideThread):
    """Lets work be done at once."""

    def begin(self, work: Work) -> None:
        """Do it."""
        work()


class StandbyProcess:
    """The standby, with its journal and its role on a disk of its own."""

    def __init__(self, life: Life, network: Network, settings: Settings, run_dir: Path, mode: JournalMode) -> None:
        self.life = life
        self.run_dir = run_dir
        self._journals: list[MortalJournal] = []
        socket = network.connect(SNAPSHOTS, ENGINE, life, self._take)
        self._socket = socket
        role_file = MortalRole(run_dir, ENGINE)
        role_file.life = life

        def make(
            _: Settings, __: str, folder: Path, ___: JournalMode, epoch: int | None
        ) -> tuple[EngineCore, MortalJournal]:
            core, journal = mortal_core(settings, folder, mode, life, epoch)
            self._journals.append(journal)
            return core, journal

        here = load_settings({"run_dir": run_dir, "engine.journal": str(mode), "engine.checkpoint_s": 0}).settings
        ignore = lambda *_: None  # noqa: E731
        try:
            self.follower = Follower(
                here, ENGINE, role_file, lambda frames: socket.send([TOPIC, *frames]), ignore, ignore, make, AtOnce()
            )
        except Killed:
            self.leave()
            raise
        life.every(_TICK_NS, lambda: self.follower.tick(life.now_ns, life.time_ns()))

    def _take(self) -> None:
        while (frames := self._socket.receive()) is not None:
            self.follower.receive(frames[1:])

    def promote(self) -> tuple[EngineCore, MortalJournal]:
        """Be primary; return what it goes on with."""
        core, _ = self.follower.promote("a wish")
        return core, self._journals.pop()

    def leave(self) -> None:
        """Be dead: what was written stays."""
        for journal in self._journals:
            journal.leave()


class StandbyDesk(MortalDesk):
    """A desk as any, whose engine acknowledges nothing that its standby has not kept."""

    victims = (*VICTIMS, STANDBY)
    modes = (JournalMode.WRITE, JournalMode.GROUP, JournalMode.SYNC)

    def __init__(self, settings: Settings, seed: int, folder: Path, mode: JournalMode) -> None:
        self.standby: StandbyProcess | None = None
        self._promoted: tuple[EngineCore, MortalJournal] | None = None  # which the engine goes on with
        for name in _MACHINES:
            (folder / name).mkdir()
        super().__init__(settings, seed, folder, mode)

    @property
    def journal_folder(self) -> Path:
        """Where the journal of the engine is that rules."""
        return self._ruling / "journal"

    def check_more(self) -> None:
        """The standby has all, in the same state, and may take the place; its journal is the engine's."""
        assert self.engine is not None, "the engine is there"
        assert self.standby is not None, "the standby is there"
        follower = self.standby.follower
        assert follower.refusal() == "", "the standby has all"
        assert follower.core is not None, "it has an engine"
        ours, theirs = self.engine.core, follower.core
        assert theirs.engine.state_hash() == ours.engine.state_hash(), "the standby's engine is in the same state"
        links = [[peer._replace(unacknowledged=()) for peer in core.links.state()] for core in (ours, theirs)]
        assert links[0] == links[1], "and has told its sources the same"

    def close(self) -> None:
        """Let go of the files."""
        super().close()
        if self.standby is not None:
            self.standby.leave()

    @property
    def _ruling(self) -> Path:
        """The folder of the machine whose engine rules: that was promoted last, the first one before."""
        roles = {name: RoleFile(self.folder / name, ENGINE).read() for name in _MACHINES}
        return self.folder / max(
            _MACHINES, key=lambda name: (roles[name].role == "primary", roles[name].term, name == "a")
        )

    @property
    def _other(self) -> Path:
        return next(self.folder / name for name in _MACHINES if self.folder / name != self._ruling)

    def _build(self, life: Life) -> None:
        if life.name == STANDBY:
            self.standby = None
            file, theirs = RoleFile(self._other, ENGINE), RoleFile(self._ruling, ENGINE).read()
            if (role := file.read()).role == "primary":  # it has heard that it is none any more
                file.write(Role.new_standby().model_copy(update={"term": theirs.term, "records_term": role.term}))
            self.standby = StandbyProcess(life, self.network, self.settings, self._other, self.mode)
        elif life.name == ENGINE:
            promoted, term = self._promoted, RoleFile(self._ruling, ENGINE).read().term
            self.engine = EngineProcess(
                life, self.network, self.settings, self.journal_folder, self.mode, term=term, promoted=promoted
            )
            self._promoted = None
            self.be_still(self.is_still)
        else:
            super()._build(life)

    def _bury(self, life: Life) -> None:
        if life.name == STANDBY and self.standby is not None:
            self.standby.leave()
            if not self._has_power():
                lose_power(self.standby.run_dir / "journal", self.dice)
            self.standby = None
        if life.name == ENGINE:
            if self._promoted is not None:  # it has died as it began
                self._promoted[1].leave()
                self._promoted = None
            if self.dice.random() < PROMOTED and self.standby is not None:
                self.heap.after(self.dice.randint(0, NS_PER_MS), partial(self._promote, self.standby))
        super()._bury(life)

    def _promote(self, standby: StandbyProcess) -> None:
        """Let the standby take the engine's place, if it may; the other machine's is its standby from then on."""
        if standby is not self.standby or self.engine is not None or standby.follower.refusal():
            return
        standby.life.run(partial(self._take_place, standby))

    def _take_place(self, standby: StandbyProcess) -> None:
        former = self._ruling
        core, journal = standby.promote()
        self.promotions += 1
        term = RoleFile(self._ruling, ENGINE).read().term
        fallen = Role.new_standby().model_copy(
            update={"term": term, "records_term": RoleFile(former, ENGINE).read().term}
        )
        RoleFile(former, ENGINE).write(fallen)
        self._promoted = core, journal
        if self.dice.random() < 0.3:  # it dies at once, and comes back from its disk
            journal.leave()
            self._promoted = None
        self.standby = None
        self.network.forget(standby.life)
        standby.life.is_alive = False
        self.heap.after(self.dice.randint(1, 1_000) * NS_PER_MS, lambda: self._start(STANDBY))
