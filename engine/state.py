"""An engine's state as rows of integers, the same for every engine: told by snapshots, digested by the state hash."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final, NamedTuple

import numpy as np

from market.kernels.rows import Int64Array
from market.limits import PRICE_TICKS_MAX


class OrderState(NamedTuple):
    """Everything an engine knows of an open order; `resting_lots` is 0 while it waits for its trigger.

    Of one that tracks the price `trigger_price_ticks` is the best price since, 0 before the first.
    """

    order_id: int
    side: int
    price_ticks: int
    resting_lots: int
    leaves_lots: int
    owner: int
    display_lots: int
    order_type: int
    time_in_force: int
    self_trade_prevention: int
    trigger: int
    trigger_price_ticks: int
    trailing_bps: int


class SymbolState(NamedTuple):
    """What an engine knows of a symbol besides its orders; `last_price_ticks` is 0 before the first trade."""

    is_halted: int
    last_price_ticks: int
    trade_id: int
    low_ticks: int = 0
    high_ticks: int = PRICE_TICKS_MAX


STATE_WIDTH: Final = len(OrderState._fields)
_HASHED_WIDTH: Final = OrderState._fields.index("trailing_bps")
_ANY_PRICE: Final = (0, PRICE_TICKS_MAX)
SNAPSHOT_WIDTH: Final = 1 + OrderState._fields.index("owner")  # the columns that an L3 snapshot tells


class EngineState(NamedTuple):
    """All that an engine is between two commands; one in this state goes on as that one did.

    Attributes:
        sequence: of the last event.
        symbols: of each symbol its state and its orders (`[orders, STATE_WIDTH]`): bids, asks, then those that wait for
            a rising and for a falling price, and those that trail it, each in the order in which they would act.
    """

    sequence: int
    symbols: tuple[tuple[SymbolState, Int64Array], ...]


class EngineStateError(ValueError):
    """A state is none that an engine of this capacity can be in."""


def hash_state(sequence: int, symbols: Iterable[tuple[SymbolState, Int64Array]]) -> int:
    """Return 64 bits that two engines in the same state agree on.

    Price ranges and trails count only where there are any, so that states without have the number that they always had.

    Args:
        sequence, symbols: as in an EngineState.
    """
    digest = blake2b(sequence.to_bytes(8, "little"), digest_size=8)
    for symbol, orders in symbols:
        *first, low_ticks, high_ticks = symbol
        digest.update(np.array((*first, len(orders)), np.int64).tobytes())
        digest.update(orders[:, :_HASHED_WIDTH].tobytes())
        if (low_ticks, high_ticks) != _ANY_PRICE:
            digest.update(np.array((low_ticks, high_ticks), np.int64).tobytes())
        if (trails := orders[:, _HASHED_WIDTH]).any():
            digest.update(trails.tobytes())
    return int.from_bytes(digest.digest(), "little")
