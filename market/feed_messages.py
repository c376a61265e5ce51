"""What the book feed tells everybody: the book order by order, the trades, the best prices. Fields in wire order."""

from typing import NamedTuple

from market import fields


class BookOrder(NamedTuple):
    """The book now shows `resting_lots` of this order; 0 means that it is gone.

    An id that the book does not hold joins the back of its level's queue; a known one keeps its place.
    """

    order_id: fields.OrderId
    side: fields.SideCode
    price_ticks: fields.PriceTicks
    resting_lots: fields.QtyLots


class BookTrade(NamedTuple):
    """Two orders traded, at the maker's price; `time_ns` is the engine's, 0 from one that does not tell it."""

    trade_id: fields.TradeId
    price_ticks: fields.PriceTicks
    qty_lots: fields.QtyLots
    taker_side: fields.SideCode
    time_ns: fields.TimeNs = 0


class BestPrices(NamedTuple):
    """The best bid and offer with all that is shown there; a side without orders has price and quantity 0."""

    bid_price_ticks: fields.PriceTicks
    bid_qty_lots: fields.LevelLots
    ask_price_ticks: fields.PriceTicks
    ask_qty_lots: fields.LevelLots


class DepthLevel(NamedTuple):
    """All that is shown at a price is now `qty_lots`; 0 means that the level left the depth that the topic covers."""

    side: fields.SideCode
    price_ticks: fields.PriceTicks
    qty_lots: fields.LevelLots


class BookChecksum(NamedTuple):
    """The CRC-32 of the ten best levels a side, after the message before this one; see docs/protocol.md."""

    crc32: fields.Count


class EngineHealth(NamedTuple):
    """How the engine is: what it has taken and told, and what is open."""

    command_count: fields.Count
    event_sequence: fields.Sequence
    live_order_count: fields.Count


class ReferencePrice(NamedTuple):
    """What a price is compared with that may be a slip of the finger; 0: there is none. See docs/protocol.md."""

    price_ticks: fields.PriceTicks


class InstrumentDefinition(NamedTuple):
    """What a symbol id means: its names and the exact size of a tick and of a lot, as decimal text."""

    symbol_id: fields.SymbolId
    symbol: fields.Text
    base: fields.Text
    quote: fields.Text
    tick_size: fields.Text
    lot_size: fields.Text


FeedMessage = (
    BookOrder
    | BookTrade
    | BestPrices
    | DepthLevel
    | BookChecksum
    | EngineHealth
    | ReferencePrice
    | InstrumentDefinition
)
