"""What the engine's node is between two turns: the state of its engine, its links and its feed, and that as bytes.

The bytes are msgpack: a map, whose keys are only added to, then the reports that sources have not acknowledged, in
parts of at most `_FRAMES_PER_PART`, so that whoever packs them beside the matching never keeps it waiting for long.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgpack
import numpy as np

from bus.engine_link import PeerState
from bus.order_link import SentFrame
from engine.state import STATE_WIDTH, EngineState, SymbolState, hash_state
from market.feed_messages import BookTrade
from market.kernels.rows import Int64Array

_FRAMES_PER_PART: Final = 1_024
_TRADE_WIDTH: Final = len(BookTrade._fields)


class CoreState(NamedTuple):
    """All that an engine's node must not forget.

    Attributes:
        trades: the last trades of each symbol that it tells of, as rows of BookTrade.
        handled_ns: the time of the last commands.
        own_count: of commands that the desk itself has given.
    """

    engine: EngineState
    links: tuple[PeerState, ...]
    trades: tuple[Int64Array, ...]
    halted_symbols: tuple[int, ...]
    command_count: int
    malformed_count: int
    handled_ns: int
    own_count: int


class StateBytesError(ValueError):
    """Bytes are no state that `encode_state` has made."""


def encode_state(state: CoreState) -> bytes:
    """Return a state as bytes, its engine's state hash among it."""
    engine = state.engine
    document = {
        "sequence": engine.sequence,
        "state_hash": hash_state(*engine),
        "symbols": [(list(symbol), orders.astype("<i8").tobytes()) for symbol, orders in engine.symbols],
        "links": [list(peer)[:-1] for peer in state.links],
        "trades": [trades.astype("<i8").tobytes() for trades in state.trades],
        "halted_symbols": state.halted_symbols,
        "command_count": state.command_count,
        "malformed_count": state.malformed_count,
        "handled_ns": state.handled_ns,
        "own_count": state.own_count,
    }
    return b"".join(map(msgpack.packb, (document, *_parts(state.links))))


def decode_state(data: bytes) -> CoreState:
    """Return the state that `encode_state` has made bytes of.

    Raises:
        StateBytesError: if it has not.
    """
    unpacker = msgpack.Unpacker(max_buffer_size=len(data) or 1, use_list=False)
    unpacker.feed(data)
    try:
        document, *parts = unpacker
        engine = EngineState(
            document["sequence"],
            tuple((SymbolState(*symbol), _rows(orders, STATE_WIDTH)) for symbol, orders in document["symbols"]),
        )
        kept: dict[int, list[SentFrame]] = {source: [] for source, *_ in document["links"]}
        for source, frames in parts:
            kept[source] += [SentFrame(*frame) for frame in frames]
        state = CoreState(
            engine,
            tuple(PeerState._make((*link, tuple(kept[link[0]]))) for link in document["links"]),
            tuple(_rows(trades, _TRADE_WIDTH) for trades in document["trades"]),
            document["halted_symbols"],
            document["command_count"],
            document["malformed_count"],
            document["handled_ns"],
            document["own_count"],
        )
    except (ValueError, KeyError, TypeError, msgpack.UnpackException) as error:
        raise StateBytesError(f"expected the state of an engine's node, was none: {error!r}") from error
    if hash_state(*engine) != document["state_hash"]:
        raise StateBytesError(f"expected the state {document['state_hash']:016x}, was {hash_state(*engine):016x}")
    return state


def _parts(links: Sequence[PeerState]) -> Iterator[tuple[int, tuple[SentFrame, ...]]]:
    for peer in links:
        for start in range(0, len(peer.unacknowledged), _FRAMES_PER_PART):
            yield peer.source, peer.unacknowledged[start : start + _FRAMES_PER_PART]


def _rows(data: bytes, width: int) -> Int64Array:
    rows: Int64Array = np.frombuffer(data, "<i8").reshape(-1, width).astype(np.int64)
    return rows
