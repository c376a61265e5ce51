"""An engine's state as rows of integers, the same for every engine: told by snapshots, digested by the state hash."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final, NamedTuple

import numpy as np

from market.kernels.rows import Int64Array


class OrderState(NamedTuple):
    """Everything an engine knows of an open order; `resting_lots` is 0 while it waits for its trigger."""

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


class SymbolState(NamedTuple):
    """What an engine knows of a symbol besides its orders; `last_price_ticks` is 0 before the first trade."""

    is_halted: int
    last_price_ticks: int
    trade_id: int


STATE_WIDTH: Final = len(OrderState._fields)
SNAPSHOT_WIDTH: Final = 1 + OrderState._fields.index("owner")  # the columns that an L3 snapshot tells


def hash_state(sequence: int, symbols: Iterable[tuple[SymbolState, Int64Array]]) -> int:
    """Return 64 bits that two engines in the same state agree on.

    Args:
        sequence: of the last event.
        symbols: of each symbol its state and its orders (`[orders, STATE_WIDTH]`): bids, asks, then those that wait for
            a rising and for a falling price, each in the order in which they would act.
    """
    digest = blake2b(sequence.to_bytes(8, "little"), digest_size=8)
    for symbol, orders in symbols:
        digest.update(np.array((*symbol, len(orders)), np.int64).tobytes())
        digest.update(orders.tobytes())
    return int.from_bytes(digest.digest(), "little")
