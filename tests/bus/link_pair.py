"""One source and one engine of an order link, without sockets, that move when a test says so."""

from typing import cast

import msgpack

from bus.engine_link import CommandBatch
from bus.order_link import Connected, Frames, Reports, SourceEnd
from market.codec import decode_commands
from market.commands import Command, NewOrder
from tests.bus.engine_end import PlainEngineEnd
from tests.bus.messages import accepted, order

RETRY_NS = 100
EPOCH = 77
SOURCE = 2


class Link:
    """One source and one engine; nothing moves until it is asked for."""

    def __init__(
        self, resume: tuple[int, int] = (0, 0), incarnation: int = 1, engine: PlainEngineEnd | None = None
    ) -> None:
        self.source = SourceEnd(SOURCE, incarnation, resume, RETRY_NS)
        self.engine = engine or PlainEngineEnd(EPOCH)
        self.identity = f"connection {incarnation}".encode()
        self.now_ns = 1_000
        self.news: list[Connected | Reports] = []
        self.sent_count = 0

    def take(self, frames_up: list[Frames]) -> list[CommandBatch]:
        """Give the engine these frames; return what it has to handle."""
        batches = [self.engine.receive(self.identity, frames) for frames in frames_up]
        return [batch for batch in batches if batch is not None]

    def up(self) -> list[CommandBatch]:
        """Carry all from the source to the engine."""
        frames = self.source.outgoing()
        self.sent_count += len(frames)
        return self.take(frames)

    def down(self) -> list[Connected | Reports]:
        """Carry all from the engine to the source; return the news in it."""
        news: list[Connected | Reports] = []
        for identity, frames in self.engine.outgoing():
            self.sent_count += 1
            if identity == self.identity:
                news.extend(self.source.receive(frames))
        self.news += news
        return news

    def handle(self, batches: list[CommandBatch]) -> list[int]:
        """Handle commands as an engine does that accepts every order; return their ids."""
        ids = []
        for batch in batches:
            new = [cast("NewOrder", command).order_id for command in decode_commands(batch.payload)[batch.skip :]]
            self.engine.report(SOURCE, [accepted(order_id) for order_id in new], len(new), max(new))
            ids += new
        return ids

    def settle(self, turns: int = 8) -> list[int]:
        """Tick and carry until all has drained; return the ids of the orders that were handled."""
        ids: list[int] = []
        for _ in range(turns):
            self.now_ns += RETRY_NS // 2 + 1
            self.source.tick(self.now_ns)
            ids += self.handle(self.up())
            self.down()
        return ids

    def connected(self) -> "Link":
        """Say hello and be welcomed."""
        self.up()
        self.down()
        assert self.source.is_connected
        return self


def orders(first: int, last: int) -> list[Command]:
    """Return orders with these ids, both included."""
    return [order(order_id) for order_id in range(first, last + 1)]


def header(frames: Frames) -> list[int]:
    """Return the header's integers."""
    return list(msgpack.unpackb(frames[0]))


def packed(*numbers: object, payload: bytes = b"") -> Frames:
    """Return a frame with this header."""
    return [msgpack.packb(numbers), payload]


def kinds(frames: list[Frames]) -> list[int]:
    """Return the kind of each frame."""
    return [header(each)[0] for each in frames]
