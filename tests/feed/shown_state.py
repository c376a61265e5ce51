"""What the two reference subscribers print of a book."""

import zlib

from bus.feed import BookReplica
from market.codes import Side


def shown_line(epoch: int, sequence: int, book: BookReplica) -> str:
    """Return the line: epoch, sequence, best bid and ask, how many orders, and the CRC-32 of all of them."""
    orders = sorted(book.state(), key=lambda order: (order.side, order.price_ticks))  # stable: queues stay as they are
    depth = book.depth(1)
    bid, ask = (
        f"{levels[0].price_ticks}:{levels[0].qty_lots}" if levels else "-" for levels in (depth.bids, depth.asks)
    )
    state = ",".join(":".join(str(int(value)) for value in order) for order in orders)
    return f"{epoch} {sequence} {bid} {ask} {len(orders)} {zlib.crc32(state.encode())}"


assert (Side.BUY, Side.SELL) == (0, 1), "both subscribers take the bids first"
