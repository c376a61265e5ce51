"""Commands: orders given to the engine. Each is one row of the table of messages, its fields in wire order."""

from typing import NamedTuple

from market import fields


class NewOrder(NamedTuple):
    """Enter an order.

    A TCP client leaves `owner` and `time_ns` out and chooses `order_id` within its own session; the gateway fills them
    in and hands out the desk's id. `price_ticks` is 0 for a market order. `display_lots` 0 shows the whole quantity.

    With `trailing_bps` the order trails the price. With the trigger STOP or TAKE_PROFIT it tracks from the first trade
    on that meets `trigger_price_ticks`; with TRAIL at once, `trigger_price_ticks` being the best price so far, or 0.
    """

    order_id: fields.OrderId
    symbol_id: fields.SymbolId
    side: fields.SideCode
    price_ticks: fields.PriceTicks
    qty_lots: fields.QtyLots
    order_type: fields.Code = 0
    time_in_force: fields.Code = 0
    self_trade_prevention: fields.Code = 0
    display_lots: fields.QtyLots = 0
    trigger: fields.Code = 0
    trigger_price_ticks: fields.PriceTicks = 0
    owner: fields.Owner = 0
    time_ns: fields.TimeNs = 0
    trailing_bps: fields.BasisPoints = 0


class CancelOrder(NamedTuple):
    """Cancel what is open of an order."""

    order_id: fields.OrderId
    symbol_id: fields.SymbolId
    owner: fields.Owner = 0
    time_ns: fields.TimeNs = 0


class AmendOrder(NamedTuple):
    """Give an open order a new price and a new open quantity.

    A smaller quantity at the same price keeps its place in the queue; anything else is cancel and reinsert. With
    `expected_leaves_lots` it is refused unless exactly so much is open, so that a fill on the way cannot turn it into
    more than was meant; 0 expects nothing.
    """

    order_id: fields.OrderId
    symbol_id: fields.SymbolId
    price_ticks: fields.PriceTicks
    qty_lots: fields.QtyLots
    owner: fields.Owner = 0
    time_ns: fields.TimeNs = 0
    expected_leaves_lots: fields.QtyLots = 0


class MassCancel(NamedTuple):
    """Cancel all open orders of an owner (0: of everybody), of a symbol or all, of a side or both."""

    symbol_id: fields.SymbolIdOrAll = -1
    side: fields.SideOrBoth = -1
    owner: fields.Owner = 0
    time_ns: fields.TimeNs = 0


class HaltSymbol(NamedTuple):
    """Stop (1) or resume (0) the entry of new orders; cancels go through while a symbol is halted."""

    symbol_id: fields.SymbolIdOrAll
    is_halted: fields.Flag
    time_ns: fields.TimeNs = 0


class SetPriceRange(NamedTuple):
    """Let no taker trade below or above these prices from now on; 0 is no bound."""

    symbol_id: fields.SymbolId
    low_ticks: fields.PriceTicks
    high_ticks: fields.PriceTicks
    time_ns: fields.TimeNs = 0


Command = NewOrder | CancelOrder | AmendOrder | MassCancel | HaltSymbol | SetPriceRange
