"""Trade over the TCP gateway of a running desk, with a socket and msgpack and nothing of tickbus.

Usage: python examples/order_client.py [HOST] [PORT]

It learns what a tick and a lot are, enters a bid far below the market, cancels it, and prints every report. What the
numbers mean is in docs/protocol.md.
"""

import socket
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgpack

NEW_ORDER, CANCEL_ORDER = 1, 2
ACCEPTED, CANCELED, REJECTED, INSTRUMENT_DEFINITION = 16, 19, 22, 35
BUY, POST_ONLY = 0, 2
ORDER_ID = 1  # ours to choose: any number from 1 on, once on this connection


def messages(connection: socket.socket) -> Iterator[list[Any]]:
    """Yield what the gateway sends, until it hangs up."""
    unpacker = msgpack.Unpacker(max_buffer_size=1 << 20)
    while piece := connection.recv(65_536):
        unpacker.feed(piece)
        yield from unpacker


def main(host: str = "127.0.0.1", port: str = "8083") -> int:
    """Enter a bid and cancel it; return 0 if both were done."""
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        for tag, *fields in messages(connection):
            print(tag, *fields, flush=True)
            if tag == INSTRUMENT_DEFINITION and fields[1] == "BTCUSDT":
                symbol_id, _, _, _, tick_size, lot_size = fields
                price_ticks, qty_lots = Decimal(50_000) / Decimal(tick_size), Decimal("0.01") / Decimal(lot_size)
                order = [NEW_ORDER, ORDER_ID, symbol_id, BUY, int(price_ticks), int(qty_lots), POST_ONLY]
                connection.sendall(msgpack.packb(order))
            elif tag == ACCEPTED:
                connection.sendall(msgpack.packb([CANCEL_ORDER, ORDER_ID, symbol_id]))
            elif tag in (CANCELED, REJECTED):
                return int(tag == REJECTED)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
