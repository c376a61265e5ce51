"""A bot of ten lines: bid far below the market, and when it rests, take it away again.

Usage: python -m examples.bot [HOST] [PORT]
"""

import signal
import sys

from market.events import Accepted, Canceled
from venues.gateway import GatewaySession

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C just ends it; the gateway cancels what is open
host, port = (*sys.argv[1:], *("127.0.0.1", "8083")[len(sys.argv) - 1 :])
with GatewaySession("example-bot", host, int(port), is_cancel_on_disconnect=True) as session:
    order_id = session.buy("BTCUSDT", price="50000", qty="0.01")
    for event in session.events():
        print(event, flush=True)
        if isinstance(event, Accepted) and event.order_id == order_id:
            session.cancel(order_id)
        elif isinstance(event, Canceled) and event.order_id == order_id:
            break
