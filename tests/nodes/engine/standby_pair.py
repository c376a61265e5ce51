"""A primary and its standby with their journals, and sources that give orders; frames between them may be lost."""

from collections import deque
from pathlib import Path
from typing import Any

from bus.order_link import Connected, Reports, SourceEnd
from desk.role_file import RoleFile
from desk.settings import Settings
from journal.format import JournalMode
from journal.journal import Journal
from market.clock import Now
from market.codec import decode_events
from market.events import Event
from nodes.engine.command_record import CommandRecord
from nodes.engine.core import EngineCore
from nodes.engine.followed import Followed
from nodes.engine.follower import Follower
from nodes.engine.making import make_core
from nodes.engine.turns import EngineTurns
from tests.nodes.engine.linked_core import SOURCES, Dice

STEP_NS = 50_000_000


class Wire:
    """A socket whose other end is the test."""

    def __init__(self) -> None:
        self.inbox: deque[list[bytes]] = deque()
        self.sent: list[list[bytes]] = []

    def receive(self, *, is_told: bool = False) -> list[bytes] | None:
        return self.inbox.popleft() if self.inbox else None

    def send(self, frames: list[bytes]) -> bool:
        self.sent.append(frames)
        return True

    def take(self) -> list[list[bytes]]:
        sent, self.sent = self.sent, []
        return sent


class Primary:
    """One life of a primary, as its node has it; what it has promoted goes on as one."""

    def __init__(
        self, core: EngineCore, journal: Journal[CommandRecord], now: Any, term: int = 0, *, is_awaited: bool = True
    ) -> None:
        self.core, self.journal = core, journal
        self.orders, self.feed, self.snapshots = Wire(), Wire(), Wire()
        orders: Any = self.orders
        feed: Any = self.feed
        snapshots: Any = self.snapshots
        core.links.term = term
        self.bad: list[str] = []
        self.followed = Followed(core, journal, snapshots, term, self.bad.append, is_awaited=is_awaited)
        self.turns = EngineTurns(core, journal, orders, feed, snapshots, now, self.bad.append, self.followed)

    def kill(self) -> None:
        self.journal.close()
        self.followed.close()


class StandbyPair:
    """Both, each with a run directory of its own; `is_alone`: a primary without a standby's say."""

    def __init__(self, folder: Path, *, is_awaited: bool = True, mode: JournalMode = JournalMode.WRITE) -> None:
        self.mode = mode
        self.is_awaited = is_awaited
        self.folders = {name: folder / name for name in ("primary", "standby")}
        self.settings = {}
        for name, path in self.folders.items():
            path.mkdir()
            engine: Any = {"book": "reference", "journal": str(mode)}
            self.settings[name] = Settings(run_dir=path, engine=engine)
        self.now_ns = 1_000_000_000
        self.ends = {source: SourceEnd(source, incarnation=1) for source in SOURCES}
        self.heard: dict[int, list[Event]] = {source: [] for source in SOURCES}
        self.connection = 0
        self.warned: list[tuple[str, str]] = []  # what the standby has let a person know, and why
        self.to_standby: deque[list[bytes]] = deque()
        self.to_primary: list[list[bytes]] = []
        self.primary = self.started_primary()
        self.follower: Follower | None = self.started_standby()

    def now(self) -> Now:
        self.now_ns += 1
        return Now(self.now_ns, self.now_ns)

    def started_primary(self, name: str = "primary") -> Primary:
        core, journal = make_core(self.settings[name], "engine", self.folders[name] / "journal", self.mode, 7)
        core.recover(lambda _: None)
        term = RoleFile(self.folders[name], "engine").read().term
        return Primary(core, journal, self.now, term, is_awaited=self.is_awaited)

    def started_standby(self, name: str = "standby") -> Follower:
        file = RoleFile(self.folders[name], "engine")
        return Follower(
            self.settings[name],
            "engine",
            file,
            self.to_primary.append,
            lambda _: None,
            lambda *news: self.warned.append(news),
        )

    @property
    def standby(self) -> Follower:
        assert self.follower is not None
        return self.follower

    def cut(self) -> None:
        """Lose what is on its way between the two; the next connection is another one."""
        self.connection += 1
        self.to_standby.clear()
        self.to_primary.clear()
        self.primary.snapshots.inbox.clear()
        self.primary.snapshots.take()

    def kill_primary(self) -> None:
        """End its life as kill -9 does; it comes back from its disk."""
        self.primary.kill()
        self.cut()
        self._lose_orders()
        self.primary = self.started_primary()

    def kill_standby(self) -> None:
        self.standby.close()
        self.cut()
        self.follower = self.started_standby()

    def promote(self) -> None:
        """Kill the primary for good, and make the standby the one."""
        self.primary.kill()
        self.cut()
        assert self.standby.refusal() == ""
        core, journal = self.standby.promote("a wish")
        term = self.standby.role.term
        self.follower = None
        self._lose_orders()
        self.primary = Primary(core, journal, self.now, term, is_awaited=False)

    def _lose_orders(self) -> None:
        for end in self.ends.values():
            end.outgoing()
            end.turn_to_another()

    def give(self, dice: Dice, source: int) -> None:
        """Let a source send a command, if it may."""
        command = dice.command(source)
        if self.ends[source].is_connected and not self.ends[source].is_full:
            self.ends[source].send([command])

    def step(self, loss: Any = lambda: False) -> None:
        """Let some time pass, and what is said arrive, but for what is lost."""
        self.now_ns += STEP_NS
        primary = self.primary
        for source, end in self.ends.items():
            end.tick(self.now_ns)
            primary.orders.inbox.extend([b"%d" % source, *frames] for frames in end.outgoing())
        primary.turns.take_orders()
        primary.followed.tick(self.now_ns)
        primary.turns.sync()
        self.pass_on(loss)
        for identity, *frames in primary.orders.take():
            for news in self.ends[int(identity)].receive(frames):
                if isinstance(news, Reports):
                    self.heard[int(identity)].extend(news.events)
                else:
                    assert isinstance(news, Connected)
                    assert not news.is_new_epoch or not self.heard[int(identity)]

    def pass_on(self, loss: Any = lambda: False) -> None:
        """Let what primary and standby say to each other arrive."""
        name = b"standby %d" % self.connection
        self.to_standby.extend(frames[2:] for frames in self.primary.snapshots.take() if frames[0] == name)
        while self.follower is not None and self.to_standby:
            frames = self.to_standby.popleft()
            if not loss():
                self.follower.receive(frames)
        if self.follower is not None:
            self.follower.tick(self.now_ns, self.now_ns)
        said, self.to_primary[:] = self.to_primary[:], []
        self.primary.snapshots.inbox.extend([name, b"standby", *frames] for frames in said if not loss())
        self.primary.turns.take_questions()
        self.primary.feed.take()

    def pass_on_some(self) -> None:
        """Let one frame arrive each way, of little each."""
        name = b"standby %d" % self.connection
        self.now_ns += STEP_NS
        self.primary.followed.tick(self.now_ns)
        self.to_standby.extend(frames[2:] for frames in self.primary.snapshots.take() if frames[0] == name)
        if self.to_standby:
            self.standby.receive(self.to_standby.popleft())
        self.standby.tick(self.now_ns, self.now_ns)
        if self.to_primary:
            self.primary.snapshots.inbox.append([name, b"standby", *self.to_primary.pop(0)])
        self.primary.turns.take_questions()

    def pass_on_for(self, steps: int) -> None:
        for _ in range(steps):
            self.now_ns += STEP_NS
            self.pass_on()

    def settle(self, steps: int = 120) -> None:
        for _ in range(steps):
            self.step()

    def told(self, name: str) -> dict[int, list[Event]]:
        """Return what the journal of one of the two says that each source is told, from the first record on."""
        for path in (self.folders[name] / "journal").glob("checkpoint-*"):
            path.unlink()
        core, journal = make_core(self.settings[name], "engine", self.folders[name] / "journal", self.mode)
        core.recover(lambda _: None)
        journal.close()
        return {
            peer.source: [event for frame in peer.unacknowledged for event in decode_events(frame.payload)]
            for peer in core.links.state()
        }
