"""A stream of orders that can be sent again and again, as bytes and as rows: what the load generators here send.

The shape is that of a mixed stream (see matching_streams.py): a book of 10,000 resting orders, then one half new orders
that rest, two fifths cancels of random open ones, one tenth orders that cross one to three levels. A pass begins with a
MassCancel, so every pass does the same to an empty book, under order ids above those of the pass before.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.matching_streams import MIXED_SEED_ROWS, load_stream
from engine.matching_engine import MatchingEngine
from engine.rows.ring import Ring
from engine.wire.codec import RowEncoder
from market.codes import Tag
from market.kernels.compiling import kernel
from market.kernels.integers import ByteArray
from market.kernels.row_codes import CANCEL, MASS_CANCEL, NEW
from market.kernels.rows import ROW_WIDTH, TAG, Int64Array
from market.limits import BATCH_MESSAGES_MAX

BoolArray = npt.NDArray[np.bool_]
FIRST_ID: Final = 70_000  # the ids of all passes have five bytes each, so that the bytes need no shifting
_ID_AT: Final = 2  # where a message's order id begins: after the array's header and the tag
_MIDDLE: Final = 32_764
_LEVELS: Final = 64  # a side


@dataclass(frozen=True)
class OrderStream:
    """One pass of commands, of symbol 0.

    Attributes:
        rows: `[commands, ROW_WIDTH]`; the first is the MassCancel.
        data: the same as bytes.
        ends: where each message ends in `data`.
        new_count: how many are new orders; their ids are `FIRST_ID + 1` and so on without a gap.
        cancel_ids: of the cancels, in order.
    """

    name: str
    rows: Int64Array
    data: ByteArray
    ends: Int64Array
    new_count: int
    cancel_ids: Int64Array

    def __len__(self) -> int:
        return len(self.rows)

    def desk_rows(self, first_id: int, owner: int) -> Int64Array:
        """Return the rows as a gateway would send them on: its own ids, those of one owner."""
        rows = self.rows.copy()
        is_new, is_cancel = rows[:, TAG] == int(Tag.NEW_ORDER), rows[:, TAG] == int(Tag.CANCEL_ORDER)
        rows[1:, NEW.order_id] += first_id
        rows[is_new, NEW.owner] = rows[is_cancel, CANCEL.owner] = rows[0, MASS_CANCEL.owner] = owner
        return rows

    def raise_ids(self) -> None:
        """Turn the bytes into those of the next pass."""
        add_to_ids(self.data, self.ends, self.new_count)


def load_orders(path: Path | None) -> OrderStream:
    """Return a mixed stream from a file, or one of the same shape.

    Raises:
        ValueError: if the file is something else.
    """
    if path is None:
        return _stream_of("generated", generated_rows(500_000, seed=23))
    stream = load_stream(path)
    if stream.is_consensus:
        raise ValueError(f"{path} must be a mixed stream")
    return _stream_of(stream.name, stream.rows)


def generated_rows(count: int, seed: int) -> Int64Array:
    """Return the rows of a book and `count` operations on it, ids from 1 on."""
    dice = np.random.default_rng(seed)
    total = MIXED_SEED_ROWS + count
    kinds = dice.random(total)
    is_cancel = (kinds < 0.45) & (np.arange(total) >= MIXED_SEED_ROWS)
    is_taker = (kinds > 0.93) & (np.arange(total) >= MIXED_SEED_ROWS)
    sides = dice.integers(0, 2, total)
    away = 1 + np.minimum(dice.geometric(0.06, total), _LEVELS)
    away[is_taker] = -dice.integers(2, 5, total)[is_taker]
    rows: Int64Array = np.zeros((total, ROW_WIDTH), np.int64)
    rows[:, TAG] = int(Tag.NEW_ORDER)
    rows[:, NEW.side] = sides
    rows[:, NEW.price_ticks] = _MIDDLE + np.where(sides == 0, -away, away)
    rows[:, NEW.qty_lots] = dice.integers(1, 75, total)
    rows[is_taker, NEW.qty_lots] *= 2
    rows[~is_cancel, NEW.order_id] = np.arange(1, total - np.count_nonzero(is_cancel) + 1)
    _fill_cancels(rows, is_cancel, is_taker, dice)
    return rows


def _fill_cancels(rows: Int64Array, is_cancel: BoolArray, is_taker: BoolArray, dice: np.random.Generator) -> None:
    """Let each cancel name a random order that was entered before and not canceled; it may have traded since."""
    chances = dice.random(len(rows)).tolist()
    open_ids: list[int] = []
    ids = rows[:, NEW.order_id].tolist()
    for index, (cancels, takes) in enumerate(zip(is_cancel.tolist(), is_taker.tolist(), strict=True)):
        if not cancels:
            if not takes:
                open_ids.append(ids[index])
            continue
        place = int(chances[index] * len(open_ids))
        open_ids[place], open_ids[-1] = open_ids[-1], open_ids[place]
        rows[index] = 0
        rows[index, TAG] = int(Tag.CANCEL_ORDER)
        rows[index, CANCEL.order_id] = open_ids.pop()


def _stream_of(name: str, found: Int64Array) -> OrderStream:
    rows = np.concatenate((np.zeros((1, ROW_WIDTH), np.int64), found))
    rows[0, [TAG, MASS_CANCEL.symbol_id, MASS_CANCEL.side]] = int(Tag.MASS_CANCEL), -1, -1
    is_new, is_cancel = rows[:, TAG] == int(Tag.NEW_ORDER), rows[:, TAG] == int(Tag.CANCEL_ORDER)
    assert (rows[is_new, NEW.order_id] == np.arange(1, is_new.sum() + 1)).all(), "expected ids 1, 2, 3 of the orders"
    rows[1:, NEW.order_id] += FIRST_ID
    rows[is_new, NEW.time_ns] = 0
    rows[is_cancel, CANCEL.owner + 1] = 0
    encoder = RowEncoder(padded(rows))
    pieces = [
        encoder.encode(start, min(BATCH_MESSAGES_MAX, len(rows) - start))
        for start in range(0, len(rows), BATCH_MESSAGES_MAX)
    ]
    data = np.frombuffer(b"".join(pieces), np.uint8).copy()
    ends: Int64Array = np.zeros(len(rows), np.int64)
    assert find_ends(data, ends) == len(rows), "expected each message to be found again"
    return OrderStream(name, rows, data, ends, int(is_new.sum()), rows[is_cancel, CANCEL.order_id].copy())


def padded(rows: Int64Array) -> Int64Array:
    """Return the rows with as many more as make a power of two."""
    padded: Int64Array = np.zeros((1 << (len(rows) - 1).bit_length(), ROW_WIDTH), np.int64)
    padded[: len(rows)] = rows
    return padded


def put_rows(ring: Ring, rows: Int64Array) -> Int64Array:
    """Publish as many rows as the ring has room for side by side; return those that are left."""
    slot = ring.claim()
    count = min(len(rows), ring.free_count, ring.slot_count - slot)
    ring.rows[slot : slot + count] = rows[:count]
    ring.publish(count)
    return rows[count:]


def direct_hash(engine: MatchingEngine, stream: OrderStream, count: int, first_id: int, owner: int) -> int:
    """Give the first `count` commands, of as many passes as it takes, to an engine; return the hash of its state.

    Args:
        first_id: of the desk's ids, the one before the first.
        owner: of all commands.
    """
    rows = stream.desk_rows(first_id, owner)
    while count:
        _match_all(engine, rows[:count])
        count -= min(count, len(rows))
        rows[1:, NEW.order_id] += stream.new_count
    return engine.state_hash()


def _match_all(engine: MatchingEngine, waiting: Int64Array) -> None:
    ring = engine.commands
    while len(waiting):
        waiting = put_rows(ring, waiting)
        while len(ring):
            engine.match()
            engine.events.consume(len(engine.events))


@kernel
def find_ends(data: ByteArray, ends: Int64Array) -> int:
    """Write where each message ends; every item of it is an integer of ours. Return how many messages there are."""
    at = count = 0
    while at < len(data):
        item_count = data[at] & 0x0F
        at += 1
        for _ in range(item_count):
            first = data[at]
            at += 1
            if 0xCC <= first <= 0xD3:
                at += 1 << (first & 3)
        ends[count] = at
        count += 1
    return count


@kernel
def add_to_ids(data: ByteArray, ends: Int64Array, step: int) -> None:
    """Add to the order id of each message but the first; the ids have a marker and four bytes each."""
    for index in range(1, len(ends)):
        at = ends[index - 1] + _ID_AT
        order_id = np.int64(step)
        for place in range(1, 5):
            order_id += np.int64(data[at + place]) << (8 * (4 - place))
        for place in range(1, 5):
            data[at + place] = (order_id >> (8 * (4 - place))) & 0xFF
