"""Events: facts told by the engine, each with its place in the engine's one sequence; fields in wire order."""

from typing import NamedTuple

from market.fields import (
    Code,
    Flag,
    OrderId,
    OrderIdOrNone,
    Owner,
    PriceTicks,
    QtyLots,
    Sequence,
    SideCode,
    SymbolId,
    SymbolIdOrAll,
    TimeNs,
    TradeId,
)


class Accepted(NamedTuple):
    """An order was taken in.

    `resting_lots` is what the book shows of it if it went straight into the book, else 0: then Executed, Canceled and
    Rested follow as they happen, or the order waits for its trigger.
    """

    sequence: Sequence
    time_ns: TimeNs
    symbol_id: SymbolId
    order_id: OrderId
    owner: Owner
    side: SideCode
    price_ticks: PriceTicks
    qty_lots: QtyLots
    order_type: Code
    time_in_force: Code
    resting_lots: QtyLots


class Rested(NamedTuple):
    """An order joined the back of its level's queue: the rest of a taker, a refilled iceberg, an amended order."""

    sequence: Sequence
    time_ns: TimeNs
    symbol_id: SymbolId
    order_id: OrderId
    owner: Owner
    side: SideCode
    price_ticks: PriceTicks
    resting_lots: QtyLots
    leaves_lots: QtyLots


class Executed(NamedTuple):
    """Two orders traded, at the maker's price; `trade_id` counts the symbol's trades from 1.

    `maker_resting_lots` is what the book still shows of the maker; `..._leaves_lots` is all that is still open.
    A gateway tells its client of the client's own side alone: what belongs to the other side is 0.
    """

    sequence: Sequence
    time_ns: TimeNs
    symbol_id: SymbolId
    trade_id: TradeId
    price_ticks: PriceTicks
    qty_lots: QtyLots
    taker_side: SideCode
    taker_order_id: OrderIdOrNone
    taker_owner: Owner
    taker_leaves_lots: QtyLots
    maker_order_id: OrderIdOrNone
    maker_owner: Owner
    maker_leaves_lots: QtyLots
    maker_resting_lots: QtyLots


class Canceled(NamedTuple):
    """An open quantity left without trading; `leaves_lots` stays open (not 0 only after a decrement)."""

    sequence: Sequence
    time_ns: TimeNs
    symbol_id: SymbolId
    order_id: OrderId
    owner: Owner
    side: SideCode
    price_ticks: PriceTicks
    qty_lots: QtyLots
    leaves_lots: QtyLots
    reason: Code


class Amended(NamedTuple):
    """An open order has a new price or quantity.

    `resting_lots` is what the book shows of it if it kept its place. It is 0 if it left its place: then Executed,
    Canceled and Rested follow as they happen; and if it waits for its trigger.
    """

    sequence: Sequence
    time_ns: TimeNs
    symbol_id: SymbolId
    order_id: OrderId
    owner: Owner
    side: SideCode
    price_ticks: PriceTicks
    leaves_lots: QtyLots
    resting_lots: QtyLots


class Triggered(NamedTuple):
    """A waiting stop or take-profit order was woken by the last trade price and now acts."""

    sequence: Sequence
    time_ns: TimeNs
    symbol_id: SymbolId
    order_id: OrderId
    owner: Owner


class Rejected(NamedTuple):
    """A command changed nothing; `command` is its tag, `order_id` 0 if it names no order."""

    sequence: Sequence
    time_ns: TimeNs
    symbol_id: SymbolIdOrAll
    order_id: OrderIdOrNone
    owner: Owner
    command: Code
    reason: Code


class Halted(NamedTuple):
    """A symbol was halted (1) or resumed (0). It stands in the engine's own stream; no client and no source is told."""

    sequence: Sequence
    time_ns: TimeNs
    symbol_id: SymbolId
    is_halted: Flag


Event = Accepted | Rested | Executed | Canceled | Amended | Triggered | Rejected | Halted
