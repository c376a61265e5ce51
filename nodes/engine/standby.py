"""The engine's node while it is a standby: it follows its primary over the bus until a person makes it primary."""

from bus.channel import ChannelSocket
from bus.order_link import LinkError
from bus.poll_loop import PollLoop
from bus.standby_frames import TOPIC
from bus.topology import SNAPSHOTS
from desk.role_file import Role, RoleFile
from desk.run_dir import NodeError, StayDownError
from desk.wiring import wiring_elsewhere
from journal.journal import Journal
from journal.replay import Replay
from market.clock import monotonic_ns, time_ns
from nodes.engine.command_record import CommandRecord
from nodes.engine.core import EngineCore
from nodes.engine.follower import Follower
from nodes.node import Node

TICK_MS = 50
FRAMES_MAX = 64  # taken in a row; then timers get their turn
FRAME_COUNT = 3  # topic, header, payload


def kept_role(node: Node) -> Role:
    """Return what the engine of a node is: primary, or standby if its settings say whom it follows.

    Raises:
        NodeError: if it can be neither.
    """
    settings = node.plan.engines[node.name].settings
    role = RoleFile(node.settings.run_dir, node.name).read()
    if settings.standby != "none" and settings.journal == "none":
        raise NodeError("expected another engine.journal than none: a standby is told what the journal holds")
    if not settings.follows:
        if role.role == "standby":
            raise StayDownError(
                f"another engine has this one's place, of term {role.term}: set engine.follows to where it is; to have "
                "the place back, `promote` this one then"
            )
        return role
    if settings.journal == "none":
        raise NodeError("expected another engine.journal than none: a standby keeps what it is told")
    return role if role.role == "primary" else role.model_copy(update={"role": "standby"})


def socket_to(node: Node) -> ChannelSocket:
    """Return a socket to the engine that this one follows, or followed before it was primary."""
    follows = node.plan.engines[node.name].settings.follows
    return ChannelSocket(SNAPSHOTS, wiring_elsewhere(node.settings, node.name, follows), node.name)


class StandbyNode:
    """The socket and the clock around a follower."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._role_file = RoleFile(node.settings.run_dir, node.name)
        self._socket = socket_to(node)
        node.watch(self._socket)
        self._loop: PollLoop = node.poll_loop(is_awake=True)
        self._promoted: tuple[EngineCore, Journal[CommandRecord]] | None = None
        self._bad_frame_count = 0
        self._is_ready = False
        self.follower = Follower(
            node.settings,
            node.name,
            self._role_file,
            lambda frames: self._socket.send([TOPIC, *frames]),
            self._tell_replay,
            lambda what, why: node.log.warning(what, why=why),
        )

    def run(self) -> tuple[EngineCore, Journal[CommandRecord]] | None:
        """Follow until stopped, or until a person makes this primary; return what to go on with then."""
        self._loop.on_readable(self._socket, self._on_primary)
        self._loop.every(TICK_MS, self._on_tick)
        self._node.ready(follows=self._socket.endpoint)
        self._is_ready = True
        self._loop.run()
        if self._promoted is None:
            self.follower.stop(time_ns())
        return self._promoted

    def close(self) -> None:
        """Close the socket, and what was not given away."""
        self._node.watch()
        self._socket.close()
        if self._promoted is None:
            self.follower.close()

    def _tell_replay(self, replay: Replay) -> None:
        what = f"replays its journal: {replay} so far"
        if self._is_ready:
            self._node.log.info(what)  # it began anew, and is a standby all the while
        else:
            self._node.warming(what)

    def _on_primary(self) -> None:
        for _ in range(FRAMES_MAX):
            frames = self._socket.receive()
            if frames is None:
                return
            try:
                self.follower.receive(_of_standby(frames))
            except LinkError as error:
                self._bad_frame_count += 1
                self._node.log.warning("bad frame of the primary", why=str(error))

    def _on_tick(self) -> None:
        now_ns = monotonic_ns()
        self.follower.tick(now_ns, time_ns())
        self._node.show(**self.follower.figures(now_ns), bad_frames=self._bad_frame_count)
        if asked := self._role_file.take_wish():
            self._on_wish(asked)

    def _on_wish(self, asked: str) -> None:
        if why := self.follower.refusal():
            self._node.log.warning("is not made primary", why=why)
            self.follower.refuse(asked, why)
            return
        self._promoted = self.follower.promote(asked)
        self._node.log.info("is primary from now on", term=self.follower.role.term)
        self._loop.stop()


def _of_standby(frames: list[bytes]) -> list[bytes]:
    if len(frames) != FRAME_COUNT or frames[0] != TOPIC:
        raise LinkError(f"expected {FRAME_COUNT} frames that begin with {TOPIC!r}, were {len(frames)}")
    return frames[1:]


def stand_by(node: Node) -> tuple[EngineCore, Journal[CommandRecord]] | None:
    """Follow until stopped (None), or until this is primary; return what it then goes on with."""
    standby = StandbyNode(node)
    try:
        return standby.run()
    finally:
        standby.close()
