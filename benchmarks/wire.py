"""The compiled codec beside msgpack's own, message by message: `python -m benchmarks.wire [--json]`.

Each way goes all the way: from a frame's bytes to rows in a ring, and from rows in a ring to a frame's bytes. The rival
is msgpack.Unpacker with one struct.pack_into for a row, and one msgpack.packb for a message. Frames of 1, 64 and 4,096
messages show what a call costs and what it is spread over. `publish` is what an engine makes of its events: reports for
each source and the feed of each symbol; its rival does the same with an object for each event. Before anything is
timed, both must give the same answers.
"""

import argparse
import json
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, Final

import msgpack

from engine.rows.ring import Ring
from engine.wire.codec import BookFeed, Encoded, EventRouter, PieceDecoder, RowEncoder, warm
from engine.wire.table import ROW_MESSAGES
from market.clock import monotonic_ns
from market.codec import encode_all
from market.commands import NewOrder
from market.events import Accepted, Executed
from market.feed_messages import BookOrder, BookTrade
from market.kernels.rows import ROW_SIZE, ROW_WIDTH, read_event, write_event
from market.limits import FRAME_BYTES_MAX, ORDER_IDS_PER_SOURCE, OWNERS_PER_SOURCE
from market.messages import Message

FRAME_COUNTS: Final = (1, 64, 4_096)
ROUND_MESSAGES: Final = 20_000  # timed together, so that the clock does not show
ROUNDS: Final = 15
TIME_NS: Final = 1_764_506_729_123_456_789
_ROW: Final = struct.Struct(f"={ROW_WIDTH}q")
_PADDING: Final = tuple((0,) * (ROW_WIDTH - count) for count in range(ROW_WIDTH))

Figures = dict[str, Any]
Rows = list[list[int]]


def sample_messages(kind: type[Any], count: int) -> list[Message]:
    """Return messages as a desk sends them: prices near one another, quantities of one to three bytes."""
    random = Random(count)
    makers = {NewOrder: _six_field_order, Accepted: _accepted, Executed: _executed}
    return [makers[kind](random, number) for number in range(count)]


def _six_field_order(random: Random, number: int) -> Message:
    return NewOrder(70_001 + number, 0, random.randrange(2), 9_120_000 + random.randrange(500), _qty(random), 2)


def _accepted(random: Random, number: int) -> Message:
    order_id, qty = ORDER_IDS_PER_SOURCE + number + 1, _qty(random)
    price = 9_120_000 + random.randrange(500)
    return Accepted(1_000_000 + number, TIME_NS, 0, order_id, OWNERS_PER_SOURCE, number & 1, price, qty, 0, 0, qty)


def _executed(random: Random, number: int) -> Message:
    ids = (source * ORDER_IDS_PER_SOURCE + number + 1 for source in (1, 3))
    taker, maker = ((order_id, OWNERS_PER_SOURCE, _qty(random)) for order_id in ids)
    price, side, resting = 9_120_000 + random.randrange(500), number & 1, _qty(random)
    return Executed(1_000_000 + number, TIME_NS, 0, number + 1, price, _qty(random), side, *taker, *maker, resting)


def _qty(random: Random) -> int:
    return random.randrange(1, 2_000)


class Compiled:
    """The compiled codec, as a node uses it."""

    def __init__(self, slot_count: int) -> None:
        self._decoder = PieceDecoder(ROW_MESSAGES, slot_count, FRAME_BYTES_MAX)
        self._encoder = RowEncoder(self._decoder.rows)

    def decode(self, frame: bytes) -> None:
        """Write the frame's messages into the decoder's rows, from their beginning."""
        self._decoder.load(b"", frame)
        self._decoder.next_rows()

    def encode(self, count: int) -> bytes:
        """Return the bytes of the first rows."""
        return self._encoder.encode(0, count)

    def rows(self, count: int) -> Rows:
        """Return the first rows."""
        rows: Rows = self._decoder.rows[:count].tolist()
        return rows


class Rival:
    """msgpack's own codec, and one struct call for a row."""

    def __init__(self, slot_count: int) -> None:
        self._ring = Ring(slot_count)
        self._packed = self._ring.rows.data
        self._unpacker = msgpack.Unpacker(use_list=False)
        self._messages: list[tuple[int, ...]] = []

    def decode(self, frame: bytes) -> None:
        """Write the frame's messages into the ring, from its beginning; checks nothing and fills in no default."""
        self._unpacker.feed(frame)
        at = 0
        for values in self._unpacker:
            _ROW.pack_into(self._packed, at, *values, *_PADDING[len(values)])
            at += ROW_SIZE
        self._ring.publish(at // ROW_SIZE)
        self._ring.consume(at // ROW_SIZE)

    def hold(self, frame: bytes) -> None:
        """Take the frame's messages for `encode`, which need not read them from rows first."""
        self._unpacker.feed(frame)
        self._messages = list(self._unpacker)

    def encode(self, count: int) -> bytes:
        """Return the bytes of the first messages held; defaults were left out of them before."""
        packb = msgpack.packb
        return b"".join([packb(values) for values in self._messages[:count]])

    def rows(self, count: int) -> Rows:
        """Return the ring's first rows."""
        rows: Rows = self._ring.rows[:count].tolist()
        return rows


def check_answers(frame: bytes, count: int, compiled: Compiled, rival: Rival) -> None:
    """Let both codecs read the frame and write it again."""
    compiled.decode(frame)
    rival.decode(frame)
    rival.hold(frame)
    assert compiled.rows(count) == rival.rows(count), "the codecs read different rows"
    assert compiled.encode(count) == frame, "the compiled codec wrote other bytes than the plain one"
    assert rival.encode(count) == frame, "msgpack wrote other bytes than the plain codec"


def measure_kind(kind: type[Any], count: int) -> list[Figures]:
    """Return the cost of reading and of writing frames of so many messages, both codecs turn by turn."""
    compiled, rival = Compiled(max(FRAME_COUNTS)), Rival(max(FRAME_COUNTS))
    frame = encode_all(sample_messages(kind, count))
    check_answers(frame, count, compiled, rival)
    ways: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "decode": (lambda: compiled.decode(frame), lambda: rival.decode(frame)),
        "encode": (lambda: compiled.encode(count), lambda: rival.encode(count)),
    }
    return [
        _measured(kind.__name__, len(frame) / count, way, count, ours, theirs) for way, (ours, theirs) in ways.items()
    ]


def _measured(
    message: str, size: float, way: str, count: int, ours: Callable[[], object], theirs: Callable[[], object]
) -> Figures:
    times = [(_timed(ours, count), _timed(theirs, count)) for _ in range(ROUNDS)]
    compiled_ns, rival_ns = (min(column) for column in zip(*times, strict=True))  # other processes only add
    return {
        "message": message,
        "message_bytes": size,
        "way": way,
        "frame_messages": count,
        "compiled_ns": compiled_ns,
        "msgpack_ns": rival_ns,
        "ratio": rival_ns / compiled_ns,
    }


class CompiledPublishing:
    """What an engine makes of its events: the reports of each source, and the feed of each symbol."""

    def __init__(self, events: list[Any]) -> None:
        ring = Ring(max(FRAME_COUNTS))
        for slot, event in enumerate(events):
            write_event(ring.rows, slot, event)
        self._count = len(events)
        self._router = EventRouter(ring)
        self._feed = BookFeed(ring)

    def publish(self) -> dict[object, bytes]:
        """Return all payloads, by source and by topic; the events come again and again and close what they open."""
        payloads: dict[object, bytes] = {}
        for source in self._router.route(0, self._count):
            payloads[source] = _joined(self._router.reports(source, 0, self._count))
        self._feed.take(0, self._count)
        for kind, told in (("book", self._feed.book), ("trades", self._feed.trades)):
            for symbol_id in told.symbols:
                payloads[kind, symbol_id] = _joined(told.frames(symbol_id))
        return payloads


class PlainPublishing:
    """The same message by message: one object for each event, read from its row, and one msgpack.packb for each."""

    def __init__(self, events: list[Any]) -> None:
        self._ring = Ring(max(FRAME_COUNTS))
        for slot, event in enumerate(events):
            write_event(self._ring.rows, slot, event)
        self._count = len(events)

    def publish(self) -> dict[object, bytes]:
        """Return all payloads, by source and by topic."""
        messages: dict[object, list[Message]] = defaultdict(list)
        for event in map(read_event, self._ring.rows[: self._count]):
            self._tell(event, messages)
        return {key: encode_all(told) for key, told in messages.items()}

    def _tell(self, event: Any, messages: dict[object, list[Message]]) -> None:
        symbol_id = event.symbol_id
        if isinstance(event, Executed):
            for source in {event.taker_order_id // ORDER_IDS_PER_SOURCE, event.maker_order_id // ORDER_IDS_PER_SOURCE}:
                messages[source].append(event)
            trade = BookTrade(event.trade_id, event.price_ticks, event.qty_lots, event.taker_side, event.time_ns)
            messages["trades", symbol_id].append(trade)
            order_id, lots, side = event.maker_order_id, event.maker_resting_lots, 1 - event.taker_side
        else:
            messages[event.order_id // ORDER_IDS_PER_SOURCE].append(event)
            order_id, lots, side = event.order_id, event.resting_lots, event.side
        messages["book", symbol_id].append(BookOrder(order_id, side, event.price_ticks, lots))


def sample_events(count: int) -> list[Any]:
    """Return events of two symbols: every other order rests, and the next one trades with all of it."""
    random = Random(count)
    events: list[Any] = []
    for number in range(0, count, 2):
        source, symbol_id, qty = random.choice((1, 2, 3)), random.randrange(2), _qty(random)
        maker, price = source * ORDER_IDS_PER_SOURCE + number + 1, 9_120_000 + random.randrange(500)
        side, owner, taker_id = number >> 1 & 1, source * OWNERS_PER_SOURCE, 3 * ORDER_IDS_PER_SOURCE + number + 2
        events.append(Accepted(number, TIME_NS, symbol_id, maker, owner, side, price, qty, 0, 0, qty))
        taker = (taker_id, 3 * OWNERS_PER_SOURCE, 0)
        trade = (symbol_id, number + 1, price, qty, 1 - side)
        events.append(Executed(number + 1, TIME_NS, *trade, *taker, maker, owner, 0, 0))
    return events[:count]


def measure_publishing(count: int) -> Figures:
    """Return the cost of an event that goes to its sources and into the feed."""
    events = sample_events(count)
    compiled, plain = CompiledPublishing(events), PlainPublishing(events)
    payloads = plain.publish()
    assert compiled.publish() == payloads, "the two ways told different things"
    size = sum(map(len, payloads.values()))
    return _measured("events", size / count, "publish", count, compiled.publish, plain.publish)


def _joined(frames: Iterable[Encoded]) -> bytes:
    return b"".join([payload for payload, _ in frames])


def _timed(way: Callable[[], object], count: int) -> float:
    """Return the ns that one message takes, from calls for ROUND_MESSAGES of them (of 1: a tenth as many)."""
    calls = max(ROUND_MESSAGES // 10 if count == 1 else ROUND_MESSAGES // count, 1)
    start_ns = monotonic_ns()
    for _ in range(calls):
        way()
    return (monotonic_ns() - start_ns) / (calls * count)


def show(figures: list[Figures]) -> None:
    """Print the figures as a table."""
    print("answers checked; ns per message, fastest of", ROUNDS, "rounds, both codecs turn by turn\n")
    print(f"{'message':>9} {'bytes':>6} {'way':>7} {'a frame':>8} {'compiled':>9} {'msgpack':>8}  msgpack to compiled")
    for row in figures:
        print(
            f"{row['message']:>9} {row['message_bytes']:>6.1f} {row['way']:>7} {row['frame_messages']:>8,}"
            f" {row['compiled_ns']:>9.1f} {row['msgpack_ns']:>8.0f}  {row['ratio']:>6.1f} x"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="cost of reading and writing messages, compiled and with msgpack")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    warm()
    figures = [
        row for kind in (NewOrder, Accepted, Executed) for count in FRAME_COUNTS for row in measure_kind(kind, count)
    ]
    figures += [measure_publishing(count) for count in (2, 64, 4_096)]
    print(json.dumps(figures, indent=2)) if options.json else show(figures)


if __name__ == "__main__":
    main()
