"""The book feed in words: a line for each message, with prices and quantities as people write them."""

from market import feed_messages as feed
from market.clock import NS_PER_MS, iso_time
from market.codes import Side
from market.instrument import Instrument
from market.words import counted


def feed_line(topic: str, sequence: int, time_ns: int, message: feed.FeedMessage, instrument: Instrument | None) -> str:
    """Return time of day (UTC), topic, sequence and what the message says; `health` is of no instrument."""
    return f"{iso_time(time_ns // NS_PER_MS)[11:23]} {topic} {sequence} {_words(message, instrument)}"


def _words(message: feed.FeedMessage, instrument: Instrument | None) -> str:
    if isinstance(message, feed.EngineHealth):
        count = f"{counted(message.command_count, 'command')}, {counted(message.event_sequence, 'event')}"
        return f"{count}, {counted(message.live_order_count, 'open order')}"
    if isinstance(message, feed.BookChecksum):
        return f"checksum {message.crc32:08x}"
    if instrument is None or isinstance(message, feed.InstrumentDefinition):
        return str(message)
    if isinstance(message, feed.BookOrder):
        order = f"{Side(message.side).name} order {message.order_id}"
        price = _price(message.price_ticks, instrument)
        if not message.resting_lots:
            return f"{order} at {price} is gone"
        return f"{order}: {_qty(message.resting_lots, instrument)} at {price}"
    if isinstance(message, feed.BookTrade):
        price, qty = _price(message.price_ticks, instrument), _qty(message.qty_lots, instrument)
        return f"trade {message.trade_id}: {Side(message.taker_side).name} {qty} at {price}"
    if isinstance(message, feed.BestPrices):
        return f"{_best('bid', *message[:2], instrument)}, {_best('ask', *message[2:], instrument)}"
    if isinstance(message, feed.DepthLevel):
        level = f"{Side(message.side).name} level {_price(message.price_ticks, instrument)}"
        return f"{level}: {_qty(message.qty_lots, instrument)}" if message.qty_lots else f"{level} is gone"
    assert isinstance(message, feed.ReferencePrice), message
    return f"reference price {_price(message.price_ticks, instrument)}" if message.price_ticks else "no reference price"


def _best(name: str, price_ticks: int, qty_lots: int, instrument: Instrument) -> str:
    if not price_ticks:
        return f"no {name}"
    return f"{name} {_qty(qty_lots, instrument)} at {_price(price_ticks, instrument)}"


def _price(ticks: int, instrument: Instrument) -> str:
    return f"{instrument.ticks_to_price(ticks):,}"


def _qty(lots: int, instrument: Instrument) -> str:
    return f"{instrument.lots_to_qty(lots):,}"
