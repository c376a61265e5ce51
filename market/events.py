"""Events: facts told by the engine, each with its place in the engine's one sequence; fields in wire order."""

from typing import NamedTuple

from market import fields


class Accepted(NamedTuple):
    """An order was taken in.

    `resting_lots` is what the book shows of it if it went straight into the book, else 0: then Executed, Canceled and
    Rested follow as they happen, or the order waits for its trigger.
    """

    sequence: fields.Sequence
    time_ns: fields.TimeNs
    symbol_id: fields.SymbolId
    order_id: fields.OrderId
    owner: fields.Owner
    side: fields.SideCode
    price_ticks: fields.PriceTicks
    qty_lots: fields.QtyLots
    order_type: fields.Code
    time_in_force: fields.Code
    resting_lots: fields.QtyLots


class Rested(NamedTuple):
    """An order joined the back of its level's queue: the rest of a taker, a refilled iceberg, an amended order."""

    sequence: fields.Sequence
    time_ns: fields.TimeNs
    symbol_id: fields.SymbolId
    order_id: fields.OrderId
    owner: fields.Owner
    side: fields.SideCode
    price_ticks: fields.PriceTicks
    resting_lots: fields.QtyLots
    leaves_lots: fields.QtyLots


class Executed(NamedTuple):
    """Two orders traded, at the maker's price; `trade_id` counts the symbol's trades from 1.

    `maker_resting_lots` is what the book still shows of the maker; `..._leaves_lots` is all that is still open.
    A gateway tells its client of the client's own side alone: what belongs to the other side is 0.
    """

    sequence: fields.Sequence
    time_ns: fields.TimeNs
    symbol_id: fields.SymbolId
    trade_id: fields.TradeId
    price_ticks: fields.PriceTicks
    qty_lots: fields.QtyLots
    taker_side: fields.SideCode
    taker_order_id: fields.OrderIdOrNone
    taker_owner: fields.Owner
    taker_leaves_lots: fields.QtyLots
    maker_order_id: fields.OrderIdOrNone
    maker_owner: fields.Owner
    maker_leaves_lots: fields.QtyLots
    maker_resting_lots: fields.QtyLots


class Canceled(NamedTuple):
    """An open quantity left without trading; `leaves_lots` stays open (not 0 only after a decrement)."""

    sequence: fields.Sequence
    time_ns: fields.TimeNs
    symbol_id: fields.SymbolId
    order_id: fields.OrderId
    owner: fields.Owner
    side: fields.SideCode
    price_ticks: fields.PriceTicks
    qty_lots: fields.QtyLots
    leaves_lots: fields.QtyLots
    reason: fields.Code


class Amended(NamedTuple):
    """An open order has a new price or quantity.

    `resting_lots` is what the book shows of it if it kept its place. It is 0 if it left its place: then Executed,
    Canceled and Rested follow as they happen; and if it waits for its trigger.
    """

    sequence: fields.Sequence
    time_ns: fields.TimeNs
    symbol_id: fields.SymbolId
    order_id: fields.OrderId
    owner: fields.Owner
    side: fields.SideCode
    price_ticks: fields.PriceTicks
    leaves_lots: fields.QtyLots
    resting_lots: fields.QtyLots


class Triggered(NamedTuple):
    """A waiting stop or take-profit order was woken by the last trade price and now acts."""

    sequence: fields.Sequence
    time_ns: fields.TimeNs
    symbol_id: fields.SymbolId
    order_id: fields.OrderId
    owner: fields.Owner


class Trailed(NamedTuple):
    """A trailing order tracks the price: `price_ticks` is the best that traded since it does, and was not told before.

    The first one of an order says that it now tracks.
    """

    sequence: fields.Sequence
    time_ns: fields.TimeNs
    symbol_id: fields.SymbolId
    order_id: fields.OrderId
    owner: fields.Owner
    price_ticks: fields.PriceTicks


class Rejected(NamedTuple):
    """A command changed nothing; `command` is its tag, `order_id` 0 if it names no order."""

    sequence: fields.Sequence
    time_ns: fields.TimeNs
    symbol_id: fields.SymbolIdOrAll
    order_id: fields.OrderIdOrNone
    owner: fields.Owner
    command: fields.Code
    reason: fields.Code


class Halted(NamedTuple):
    """A symbol was halted (1) or resumed (0). It stands in the engine's own stream; no client and no source is told."""

    sequence: fields.Sequence
    time_ns: fields.TimeNs
    symbol_id: fields.SymbolId
    is_halted: fields.Flag


Event = Accepted | Rested | Executed | Canceled | Amended | Triggered | Trailed | Rejected | Halted
