"""Commands: orders given to the engine. Each is one row of the table of messages, its fields in wire order."""

from typing import NamedTuple

from market.fields import (
    Code,
    Flag,
    OrderId,
    Owner,
    PriceTicks,
    QtyLots,
    SideCode,
    SideOrBoth,
    SymbolId,
    SymbolIdOrAll,
    TimeNs,
)


class NewOrder(NamedTuple):
    """Enter an order.

    A TCP client leaves `owner` and `time_ns` out and chooses `order_id` within its own session; the gateway fills them
    in and hands out the desk's id. `price_ticks` is 0 for a market order. `display_lots` 0 shows the whole quantity.
    """

    order_id: OrderId
    symbol_id: SymbolId
    side: SideCode
    price_ticks: PriceTicks
    qty_lots: QtyLots
    order_type: Code = 0
    time_in_force: Code = 0
    self_trade_prevention: Code = 0
    display_lots: QtyLots = 0
    trigger: Code = 0
    trigger_price_ticks: PriceTicks = 0
    owner: Owner = 0
    time_ns: TimeNs = 0


class CancelOrder(NamedTuple):
    """Cancel what is open of an order."""

    order_id: OrderId
    symbol_id: SymbolId
    owner: Owner = 0
    time_ns: TimeNs = 0


class AmendOrder(NamedTuple):
    """Give an open order a new price and a new open quantity.

    A smaller quantity at the same price keeps its place in the queue; anything else is cancel and reinsert. With
    `expected_leaves_lots` it is refused unless exactly so much is open, so that a fill on the way cannot turn it into
    more than was meant; 0 expects nothing.
    """

    order_id: OrderId
    symbol_id: SymbolId
    price_ticks: PriceTicks
    qty_lots: QtyLots
    owner: Owner = 0
    time_ns: TimeNs = 0
    expected_leaves_lots: QtyLots = 0


class MassCancel(NamedTuple):
    """Cancel all open orders of an owner (0: of everybody), of a symbol or all, of a side or both."""

    symbol_id: SymbolIdOrAll = -1
    side: SideOrBoth = -1
    owner: Owner = 0
    time_ns: TimeNs = 0


class HaltSymbol(NamedTuple):
    """Stop (1) or resume (0) the entry of new orders; cancels go through while a symbol is halted."""

    symbol_id: SymbolIdOrAll
    is_halted: Flag
    time_ns: TimeNs = 0


Command = NewOrder | CancelOrder | AmendOrder | MassCancel | HaltSymbol
