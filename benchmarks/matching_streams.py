"""Recorded streams of orders with a known answer, as commands of ours, and our events as that answer.

Two formats of .npz files. A consensus stream (arXiv 2606.01183; arrays kind, side, ioc, quantity, order_id,
price_ticks) is answered by a canonical text whose SHA-256 many engines agree on. A mixed stream (op, side, order_id,
price_ticks, quantity; the first rows build a book) is answered by sums and a hash over its trades.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from market.codes import Tag, TimeInForce
from market.events import Accepted, Amended, Canceled, Executed, Rejected
from market.kernels.row_codes import AMEND, CANCEL, NEW
from market.kernels.rows import ROW_WIDTH, TAG, Int64Array, column
from market.messages import TAG_BY_MESSAGE

MIXED_SEED_ROWS: Final = 10_000  # of a mixed stream: they build the book before the clock starts

# The lines of the canonical text by kind: the event behind it, and the fields that follow kind and index.
_REPORTS: Final[tuple[tuple[type[Any], tuple[str, ...]], ...]] = (
    (Accepted, ("side", "order_id", "price_ticks", "qty_lots")),
    (Executed, ("price_ticks", "qty_lots", "maker_order_id", "taker_order_id")),
    (Canceled, ("side", "order_id", "price_ticks")),
    (Amended, ("side", "order_id", "price_ticks", "leaves_lots")),
    (Rejected, ("order_id",)),
    (Rejected, ("order_id",)),
)
_CANCEL_REJECT: Final = 4  # the other kind of Rejected is that of a modify
_HASH_START: Final = 0xCBF2_9CE4_8422_2325
_HASH_PRIME: Final = 0x100_0000_01B3


@dataclass(frozen=True)
class Stream:
    """Commands as ring rows; `time_ns` of each is its index, which its events carry on.

    Attributes:
        name: of the file.
        is_consensus: which of the two formats it has.
        rows: `[commands, ROW_WIDTH]`.
        seed_count: how many of the rows come before the part that is measured.
        orders_max: capacity of an engine that takes the stream; about twice the orders that are open at once.
    """

    name: str
    is_consensus: bool
    rows: Int64Array
    seed_count: int
    orders_max: int


def load_stream(path: Path) -> Stream:
    """Read a stream.

    Raises:
        ValueError: if the file is in neither format.
    """
    with np.load(path) as arrays:
        columns = {name: arrays[name].astype(np.int64) for name in arrays.files}
    if "kind" in columns:
        return Stream(path.stem, True, _consensus_rows(columns), 0, 65_536)
    if "op" in columns:
        return Stream(path.stem, False, _mixed_rows(columns), MIXED_SEED_ROWS, 32_768)
    raise ValueError(f"{path} must have an array kind or op, has {', '.join(columns)}")


def _consensus_rows(columns: dict[str, Int64Array]) -> Int64Array:
    kind = columns["kind"]
    rows = _empty_rows(len(kind))
    _put_new(rows, kind == 0, columns)
    rows[kind == 0, NEW.time_in_force] = columns["ioc"][kind == 0] * int(TimeInForce.IOC)
    _put_cancels(rows, kind == 1, columns)
    is_modify = kind == 2
    rows[is_modify, TAG] = int(Tag.AMEND_ORDER)
    rows[is_modify, AMEND.order_id] = columns["order_id"][is_modify]
    rows[is_modify, AMEND.price_ticks] = columns["price_ticks"][is_modify]
    rows[is_modify, AMEND.qty_lots] = columns["quantity"][is_modify]
    rows[is_modify, AMEND.time_ns] = np.flatnonzero(is_modify)
    return rows


def _mixed_rows(columns: dict[str, Int64Array]) -> Int64Array:
    rows = _empty_rows(len(columns["op"]))
    _put_new(rows, columns["op"] == 0, columns)
    _put_cancels(rows, columns["op"] == 1, columns)
    return rows


def _empty_rows(count: int) -> Int64Array:
    return np.zeros((count, ROW_WIDTH), np.int64)


def _put_new(rows: Int64Array, chosen: npt.NDArray[np.bool_], columns: dict[str, Int64Array]) -> None:
    rows[chosen, TAG] = int(Tag.NEW_ORDER)
    rows[chosen, NEW.order_id] = columns["order_id"][chosen]
    rows[chosen, NEW.side] = columns["side"][chosen]
    rows[chosen, NEW.price_ticks] = columns["price_ticks"][chosen]
    rows[chosen, NEW.qty_lots] = columns["quantity"][chosen]
    rows[chosen, NEW.time_ns] = np.flatnonzero(chosen)


def _put_cancels(rows: Int64Array, chosen: npt.NDArray[np.bool_], columns: dict[str, Int64Array]) -> None:
    rows[chosen, TAG] = int(Tag.CANCEL_ORDER)
    rows[chosen, CANCEL.order_id] = columns["order_id"][chosen]
    rows[chosen, CANCEL.time_ns] = np.flatnonzero(chosen)


def canonical_sha256(events: Int64Array) -> str:
    """Return the SHA-256 of the canonical text of a consensus stream's events (`[events, ROW_WIDTH]`)."""
    refusals = events[events[:, TAG] == TAG_BY_MESSAGE[Rejected], column(Rejected, "command")]
    assert int(Tag.NEW_ORDER) not in refusals, "a new order was refused: the engine is too small for the stream"
    lines: list[str] = []
    keys = []
    for kind, (message, fields) in enumerate(_REPORTS):
        rows = _reported(events, kind, message)
        indices = rows[:, column(message, "time_ns")]
        columns = [rows[:, column(message, field)].tolist() for field in fields]
        shape = ",".join(["%d"] * (2 + len(fields)))
        lines += [shape % values for values in zip([kind] * len(rows), indices.tolist(), *columns, strict=True)]
        keys.append(indices * len(_REPORTS) + kind)
    order = np.argsort(np.concatenate(keys), kind="stable")
    return sha256("\n".join([lines[place] for place in order.tolist()]).encode()).hexdigest()


def _reported(events: Int64Array, kind: int, message: type[Any]) -> Int64Array:
    """Return the events that make the reports of a kind."""
    is_reported = events[:, TAG] == TAG_BY_MESSAGE[message]
    if message is Rejected:
        refused = int(Tag.CANCEL_ORDER if kind == _CANCEL_REJECT else Tag.AMEND_ORDER)
        is_reported &= events[:, column(Rejected, "command")] == refused
    rows: Int64Array = events[is_reported]
    return rows


def mixed_answer(events: Int64Array) -> dict[str, Any]:
    """Return count, volume, notional and hash of the trades among a mixed stream's events."""
    trades = events[events[:, TAG] == int(Tag.EXECUTED)]
    fields = ("maker_order_id", "taker_order_id", "price_ticks", "qty_lots")
    values = trades[:, [column(Executed, field) for field in fields]]
    trade_hash = _HASH_START
    for value in values.reshape(-1).tolist():
        trade_hash = (trade_hash ^ value) * _HASH_PRIME & 0xFFFF_FFFF_FFFF_FFFF
    return {
        "trades": len(trades),
        "volume": int(values[:, 3].sum()),
        "notional": int((values[:, 2] * values[:, 3]).sum()),
        "trade_hash": f"{trade_hash:016x}",
    }
