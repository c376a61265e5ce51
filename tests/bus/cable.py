"""A client's socket that has the engine itself at its other end: link ends without ZeroMQ."""

from collections import deque

from bus.channel import ChannelSocket
from bus.engine_link import CommandBatch
from bus.order_link import Frames
from market.codec import decode_commands
from market.commands import Command, NewOrder
from market.events import Halted
from tests.bus.engine_end import PlainEngineEnd


class Cable(ChannelSocket):
    """A socket of a client with the engine itself at the other end, which handles what it is sent when it is told."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.is_closed = False
        self.refused_count = 0
        self._answers: deque[Frames] = deque()
        self._sent: deque[Frames] = deque()
        self.start(1)

    def start(self, epoch: int) -> None:
        """Let an engine start with an empty memory."""
        self._engine = PlainEngineEnd(epoch)
        self._sent.clear()

    def send(self, frames: Frames) -> bool:
        self._sent.append(frames)
        return True

    def receive(self, *, is_told: bool = False) -> Frames | None:
        return self._answers.popleft() if self._answers else None

    def check_refusals(self) -> int:
        return self.refused_count

    def close(self) -> None:
        self.is_closed = True

    def handle(self) -> None:
        """Handle what was sent; each command is answered with one event."""
        while self._sent:
            batch = self._engine.receive(b"client", self._sent.popleft())
            if batch is not None:
                self._take(batch)
        self._answers.extend(frames for _, frames in self._engine.outgoing())

    def _take(self, batch: CommandBatch) -> None:
        commands = decode_commands(batch.payload)[batch.skip :]
        self.commands += commands
        last_order_id = max((each.order_id for each in commands if isinstance(each, NewOrder)), default=0)
        answers = [Halted(1, 1, max(0, each.symbol_id), 1) for each in commands]
        self._engine.report(batch.source, answers, len(commands), last_order_id)
