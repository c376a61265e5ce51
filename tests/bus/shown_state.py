"""What the two reference subscribers print of a book."""

import zlib

import msgpack

from bus.feed import BookReplica
from market.codes import Side
from market.depth import Level
from market.feed_messages import BestPrices


def best_of(book: BookReplica) -> BestPrices:
    """Return the best bid and offer."""
    bid, ask = (levels[0] if levels else Level(0, 0) for levels in book.depth(1))
    return BestPrices(*bid, *ask)


def shown_line(epoch: int, sequence: int, book: BookReplica) -> str:
    """Return the line: epoch, sequence, best bid and ask, and the CRC-32 of all orders, queue by queue."""
    orders = sorted(book.state(), key=lambda order: (order.side, order.price_ticks))  # stable: queues stay as they are
    bids, asks = ([f"{level.price_ticks}:{level.qty_lots}" for level in levels] for levels in book.depth(1))
    state = msgpack.packb([(order_id, [int(side), price, lots]) for order_id, side, price, lots in orders])
    return " ".join([str(epoch), str(sequence), *bids, "/", *asks, str(zlib.crc32(state))])


assert (Side.BUY, Side.SELL) == (0, 1), "both subscribers take the bids first"
