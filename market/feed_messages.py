"""What the book feed tells everybody: the book order by order, the trades, the best prices. Fields in wire order."""

from typing import NamedTuple

from market.fields import (
    Count,
    LevelLots,
    OrderId,
    PriceTicks,
    QtyLots,
    Sequence,
    SideCode,
    SymbolId,
    Text,
    TimeNs,
    TradeId,
)


class BookOrder(NamedTuple):
    """The book now shows `resting_lots` of this order; 0 means that it is gone.

    An id that the book does not hold joins the back of its level's queue; a known one keeps its place.
    """

    order_id: OrderId
    side: SideCode
    price_ticks: PriceTicks
    resting_lots: QtyLots


class BookTrade(NamedTuple):
    """Two orders traded, at the maker's price; `time_ns` is the engine's, 0 from one that does not tell it."""

    trade_id: TradeId
    price_ticks: PriceTicks
    qty_lots: QtyLots
    taker_side: SideCode
    time_ns: TimeNs = 0


class BestPrices(NamedTuple):
    """The best bid and offer with all that is shown there; a side without orders has price and quantity 0."""

    bid_price_ticks: PriceTicks
    bid_qty_lots: LevelLots
    ask_price_ticks: PriceTicks
    ask_qty_lots: LevelLots


class DepthLevel(NamedTuple):
    """All that is shown at a price is now `qty_lots`; 0 means that the level left the depth that the topic covers."""

    side: SideCode
    price_ticks: PriceTicks
    qty_lots: LevelLots


class BookChecksum(NamedTuple):
    """The CRC-32 of the ten best levels a side, after the message before this one; see docs/protocol.md."""

    crc32: Count


class EngineHealth(NamedTuple):
    """How the engine is: what it has taken and told, and what is open."""

    command_count: Count
    event_sequence: Sequence
    live_order_count: Count


class ReferencePrice(NamedTuple):
    """What a price is compared with that may be a slip of the finger; 0: there is none. See docs/protocol.md."""

    price_ticks: PriceTicks


class InstrumentDefinition(NamedTuple):
    """What a symbol id means: its names and the exact size of a tick and of a lot, as decimal text."""

    symbol_id: SymbolId
    symbol: Text
    base: Text
    quote: Text
    tick_size: Text
    lot_size: Text


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
