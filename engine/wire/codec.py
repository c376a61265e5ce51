"""The compiled codec: msgpack bytes to rows and back, for the hot path, where no object is made per message.

It agrees byte for byte with the plain codec. Each class here holds its memory from the start, and each of its methods
makes one kernel call for all that it is given:

- `CommandDecoder`: whole frames of a source's commands into a ring, all of a frame or nothing of it.
- `PieceDecoder`: pieces of TCP streams, cut anywhere, into rows.
- `RowEncoder`: rows into bytes, all of them or those with a key.
- `EventRouter`: the engine's events into the reports of each source.
- `BookFeed`: the engine's events into the rows of the public feed, each with its symbol as key.
"""

from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from engine.capacity import ORDERS_MAX
from engine.rows.ring import Ring
from engine.wire.decoding import decode_rows
from engine.wire.encoding import KEYS_PER_ROW, NO_KEY, encode_rows, encode_selected
from engine.wire.feed import COUNTS_SIZE, SHOWN_SIZE, tell_feed
from engine.wire.refusals import MalformedBytesError, refusal_text
from engine.wire.routing import SOURCES_MAX, admit_frame, route_rows
from engine.wire.table import ROW_BYTES_MAX, ROW_MESSAGES, wire_table
from market.codec import MalformedMessageError, decode_first
from market.kernels.integers import Ending
from market.kernels.rows import ROW_WIDTH, Int64Array
from market.limits import BATCH_MESSAGES_MAX, FRAME_BYTES_MAX, SYMBOLS_MAX
from market.messages import COMMAND_BY_TAG

COMMANDS: Final = tuple(COMMAND_BY_TAG.values())
PIECE_BYTES_MAX: Final = 65_536

Encoded = tuple[bytes, int]  # messages one after the other, and how many they are

_STREAM_ENDINGS: Final = frozenset(map(int, (Ending.ALL_READ, Ending.CUT_SHORT)))
_FRAME_ENDINGS: Final = {
    Ending.CUT_SHORT: "expected whole messages, the last one is cut short",
    Ending.NO_ROOM: "expected no more messages than there is room for",
}


def _take_rows(slot_count: int) -> Int64Array:
    return np.zeros((slot_count, ROW_WIDTH), np.int64)


class Admission(NamedTuple):
    """What became of a frame of commands.

    Attributes:
        kept_count: how many are now in the ring.
        refused_count: how many named somebody else's order, owner or symbol; see `CommandDecoder.refusals`.
        last_order_id: the highest order id of the new orders among them, 0 without any.
    """

    kept_count: int
    refused_count: int
    last_order_id: int


class CommandDecoder:
    """Reads whole frames of a source's commands into the engine's ring.

    Args:
        ring: of commands.
        own_symbols: whose books the engine has, if it refuses orders of the others; None leaves that to the engine.

    Attributes:
        refusals: `[slots, ROW_WIDTH]`: the Rejected rows of the last frame, with sequence 0.
    """

    def __init__(self, ring: Ring, own_symbols: Collection[int] | None = None) -> None:
        self._positions = ring.positions
        self._table = wire_table(COMMANDS)
        self._rows = ring.rows.reshape(-1)
        self._buffer = np.zeros(FRAME_BYTES_MAX, np.uint8)
        self._memory = self._buffer.data
        self._has_symbol: Int64Array = np.ones(SYMBOLS_MAX, np.int64)
        if own_symbols is not None:
            self._has_symbol[:] = 0
            self._has_symbol[list(own_symbols)] = 1
        self.refusals = _take_rows(ring.slot_count)
        self._refusals = self.refusals.reshape(-1)

    @property
    def arrays(self) -> tuple[Int64Array, Int64Array, Int64Array]:
        """What `admit_frame` needs beside a frame and the ring: the table, which symbols it has, the flat refusals."""
        return self._table, self._has_symbol, self._refusals

    def admit(self, frame: bytes, source: int, time_ns: int, skip: int = 0) -> Admission:
        """Publish the commands of a frame, but not the first `skip` nor those that the source may not send.

        Raises:
            MalformedBytesError: if anything in the frame is not a command, the last one is cut short, or there are more
                than the ring has room for. Then nothing was published.
        """
        size = len(frame)
        if size > FRAME_BYTES_MAX:
            raise MalformedBytesError(f"expected at most {FRAME_BYTES_MAX} bytes, was {size}", 0, 0)
        self._memory[:size] = frame
        number, count, message_at, at, item, kept, last_order_id = admit_frame(
            self._table,
            self._buffer,
            0,
            size,
            self._rows,
            self._positions,
            skip,
            source,
            time_ns,
            self._refusals,
            self._has_symbol,
        )
        if number:
            ending = Ending(number)
            why = _FRAME_ENDINGS.get(ending) or refusal_text(ending, self._memory, message_at, at, item)
            raise MalformedBytesError(why, count, at)
        return Admission(kept, max(0, count - skip) - kept, last_order_id)


class PieceDecoder:
    """Reads pieces of streams, cut anywhere, into rows. One serves many streams: the caller keeps what each left over.

    For each piece: `load` it (or receive into `space` and say how much with `received`), take `next_rows` until there
    are none, and keep `rest`, the beginning of one message, for the stream's next piece. Where messages with texts may
    come this way too take all `messages` instead.
    """

    def __init__(
        self,
        messages: Collection[type[Any]] = COMMANDS,
        slot_count: int = BATCH_MESSAGES_MAX,
        piece_bytes_max: int = PIECE_BYTES_MAX,
    ) -> None:
        assert slot_count & (slot_count - 1) == 0, f"expected a power of two, was {slot_count}"
        self.rows = _take_rows(slot_count)
        self._rows = self.rows.reshape(-1)
        self._slot_count = slot_count
        self._table = wire_table(message for message in messages if message in ROW_MESSAGES)
        self._texts = tuple(message for message in messages if message not in ROW_MESSAGES)
        self._buffer = np.zeros(2 * ROW_BYTES_MAX + piece_bytes_max, np.uint8)
        self._memory = self._buffer.data
        self._at = self._end = 0
        self._good_count = 0
        self._is_done = True

    @property
    def table(self) -> Int64Array:
        """What `decode_rows` needs to read the same messages, but for those with a text."""
        return self._table

    def space(self, rest: bytes) -> memoryview:
        """Begin a stream's next piece with what is left of the one before; return the memory to receive it into."""
        self._end = len(rest)
        self._memory[: self._end] = rest
        self._at = self._good_count = 0
        return self._memory[self._end :]

    def received(self, size: int) -> None:
        """Say how many bytes were received into `space`."""
        assert 0 <= size <= len(self._buffer) - self._end, f"expected to be within the space, was {size}"
        self._end += size
        self._is_done = False

    def load(self, rest: bytes, piece: bytes) -> None:
        """Take what is left of a stream and its next piece, of at most `piece_bytes_max`."""
        self.space(rest)[: len(piece)] = piece
        self.received(len(piece))

    def next_rows(self) -> Int64Array:
        """Return the rows of the next messages: a view, valid until the next call; empty when none is whole.

        Raises:
            MalformedBytesError: after the rows that were good; the stream is then of no use.
        """
        return next(self.messages(), self.rows[:0])

    def messages(self) -> Iterator[Int64Array | Any]:
        """Yield all of the piece in its order: rows as `next_rows` returns them, and each message with a text.

        Raises:
            MalformedBytesError: after all that was good; the stream is then of no use.
        """
        while not self._is_done:
            ending, count, at, item = self._decode()
            if count:
                yield self.rows[:count]
            elif ending == Ending.UNKNOWN_TAG and self._texts:
                if (message := self._next_text(at, item)) is not None:
                    yield message
            elif ending.is_malformed:
                raise self._refusal(ending, at, item)

    def _decode(self) -> tuple[Ending, int, int, int]:
        """Read the next rows; return why it ended, how many there are, and where and in which item it stopped."""
        number, count, consumed, at, item = decode_rows(
            self._table, self._buffer, self._at, self._end, self._rows, 0, self._slot_count, 0
        )
        self._at += consumed
        self._good_count += count
        self._is_done = number in _STREAM_ENDINGS
        return Ending(number), count, at, item

    def _next_text(self, at: int, item: int) -> Any:
        """Return the message with a text that comes next, None while it is not whole."""
        try:
            first = decode_first(self.rest)
        except MalformedMessageError as error:
            raise MalformedBytesError(str(error), self._good_count, at) from None
        if first is None:
            self._is_done = True
            return None
        message, size = first
        if not isinstance(message, self._texts):
            raise self._refusal(Ending.UNKNOWN_TAG, at, item)
        self._at += size
        self._good_count += 1
        return message

    def _refusal(self, ending: Ending, at: int, item: int) -> MalformedBytesError:
        why = refusal_text(ending, self._memory, self._at, at, item)
        return MalformedBytesError(why, self._good_count, at)

    @property
    def rest(self) -> bytes:
        """The bytes that are not a whole message yet."""
        return bytes(self._memory[self._at : self._end])


class RowEncoder:
    """Writes rows as bytes.

    Args:
        rows: `[slots, ROW_WIDTH]`, as many slots as a power of two; a sequence's slot is the sequence under a mask.
        frame_messages_max: how many messages one call returns at most.
    """

    def __init__(self, rows: Int64Array, frame_messages_max: int = BATCH_MESSAGES_MAX) -> None:
        assert len(rows) & (len(rows) - 1) == 0, f"expected a power of two, was {len(rows)}"
        self._rows = rows.reshape(-1)
        self._table = wire_table()
        self._frame_messages_max = frame_messages_max
        self._buffer = np.zeros(frame_messages_max * ROW_BYTES_MAX, np.uint8)
        self._memory = self._buffer.data

    def encode(self, first: int, count: int) -> bytes:
        """Return the messages of `count` rows (at most `frame_messages_max`) from sequence `first` on."""
        assert 0 <= count <= self._frame_messages_max, f"expected at most {self._frame_messages_max}, was {count}"
        done, size = encode_rows(self._table, self._rows, first, count, self._buffer, 0)
        assert done == count, f"row {first + done} holds no message of the table"
        return bytes(self._memory[:size])

    def frames_of(self, keys: Int64Array, key: int, first: int, count: int) -> list[Encoded]:
        """Return those of `count` rows from sequence `first` on of which one of the keys is `key`, in as few frames.

        Args:
            keys: flat, `KEYS_PER_ROW` for each slot; fill up with `NO_KEY`.
        """
        assert len(keys) * ROW_WIDTH >= len(self._rows) * KEYS_PER_ROW, f"{len(keys)} keys for {len(self._rows)} items"
        frames = []
        frame_max = self._frame_messages_max
        while count:
            seen, done, size = encode_selected(
                self._table, self._rows, keys, key, first, count, frame_max, self._buffer, 0
            )
            assert seen == count or done == frame_max, f"row {first + seen} holds no message of the table"
            if done:
                frames.append((bytes(self._memory[:size]), done))
            first, count = first + seen, count - seen
        return frames


class EventRouter:
    """Splits the engine's events into what each source must hear."""

    def __init__(self, events: Ring) -> None:
        self._rows = events.rows.reshape(-1)
        self._slot_count = events.slot_count
        self._table = wire_table()
        self._encoder = RowEncoder(events.rows)
        self._keys: Int64Array = np.zeros(events.slot_count * KEYS_PER_ROW, np.int64)
        self._sources: Int64Array = np.zeros(SOURCES_MAX, np.int64)

    def route(self, first: int, count: int) -> list[int]:
        """Look at `count` events from ring sequence `first` on; return the numbers of the sources they concern."""
        assert 0 <= count <= self._slot_count, f"expected at most {self._slot_count} events, was {count}"
        found = route_rows(self._table, self._rows, first, count, self._keys, self._sources)
        assert found >= 0, f"expected at most {SOURCES_MAX} sources, one batch concerns more"
        sources: list[int] = self._sources[:found].tolist()
        return sources

    def reports(self, source: int, first: int, count: int) -> list[Encoded]:
        """Return a source's events among those that were routed, as frames of at most `BATCH_MESSAGES_MAX`."""
        return self._encoder.frames_of(self._keys, source, first, count)


class FeedRows:
    """The rows of one kind that the last batch made for the feed.

    Attributes:
        rows: `[slots, ROW_WIDTH]`, those of the last batch from row 0 on; `flat` is the same.
        keys: flat, `KEYS_PER_ROW` for each row, the first of them its symbol.
        count: how many there are.
        symbols: which symbols they are of.
    """

    def __init__(self, slot_count: int) -> None:
        self.rows = _take_rows(slot_count)
        self.flat = self.rows.reshape(-1)
        self.keys: Int64Array = np.zeros(slot_count * KEYS_PER_ROW, np.int64)
        self.count = 0
        self.symbols: tuple[int, ...] = ()
        self._encoder = RowEncoder(self.rows)

    def of(self, symbol_id: int) -> Int64Array:
        """Return a symbol's rows, oldest first."""
        rows: Int64Array = self.rows[: self.count][self.keys[: self.count * KEYS_PER_ROW : KEYS_PER_ROW] == symbol_id]
        return rows

    def frames(self, symbol_id: int) -> list[Encoded]:
        """Return a symbol's messages, as frames of at most `BATCH_MESSAGES_MAX`."""
        return self._encoder.frames_of(self.keys, symbol_id, 0, self.count)


class BookFeed:
    """Turns the engine's events into BookOrder and BookTrade rows; remembers what is shown of every order.

    Attributes:
        book, trades: what the last batch changed for everybody.
        counts: of all events that were taken in, as `tell_feed` has them.
    """

    def __init__(self, events: Ring, orders_max: int = ORDERS_MAX) -> None:
        self._events = events.rows.reshape(-1)
        self._slot_count = events.slot_count
        place_count = 1 << (2 * orders_max + events.slot_count - 1).bit_length()
        self._shown: Int64Array = np.zeros(place_count * SHOWN_SIZE, np.int64)
        self.shown_count = 0
        self.book, self.trades = FeedRows(events.slot_count), FeedRows(events.slot_count)
        self.counts: Int64Array = np.zeros(COUNTS_SIZE, np.int64)

    def take(self, first: int, count: int) -> None:
        """Take in `count` events from ring sequence `first` on; each event exactly once, in order."""
        assert 0 <= count <= self._slot_count, f"expected at most {self._slot_count} events, was {count}"
        assert (self.shown_count + count) * SHOWN_SIZE < len(self._shown), f"{self.shown_count} orders are shown"
        book, trades, shown = self.book, self.trades, self._shown
        self.shown_count, book.count, trades.count, book_symbols, trade_symbols = tell_feed(
            self._events,
            first,
            count,
            shown,
            self.shown_count,
            book.flat,
            book.keys,
            trades.flat,
            trades.keys,
            self.counts,
        )
        book.symbols, trades.symbols = _bits(book_symbols), _bits(trade_symbols)


def _bits(word: int) -> tuple[int, ...]:
    """Return the numbers of the set bits, lowest first."""
    word &= 2**64 - 1
    numbers = []
    while word:
        numbers.append((word & -word).bit_length() - 1)
        word &= word - 1
    return tuple(numbers)


def warm() -> None:
    """Compile every kernel of the codec into the cache that the next start uses, or load it from there."""
    ring = Ring(1)
    CommandDecoder(ring).admit(b"", 0, 0)
    pieces = PieceDecoder(slot_count=1)
    pieces.load(b"", b"")
    pieces.next_rows()
    encoder = RowEncoder(ring.rows, 1)
    encoder.encode(0, 0)
    encoder.frames_of(np.zeros(KEYS_PER_ROW, np.int64), NO_KEY, 0, 1)
    EventRouter(ring).route(0, 0)
    BookFeed(ring, 1).take(0, 0)
