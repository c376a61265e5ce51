"""A strategy of one's own: a ladder of bids and asks around the mid that leans against its position.

Usage: python cli.py up --strategy examples/strategy.py
"""

from decimal import Decimal
from math import ceil, floor

from market.codes import Side
from trading.quoting import Quote
from trading.strategy import Inbox, Wanted


def step(
    _now_ns: int, inbox: Inbox, *, half_spread: float = 0.001, lean: float = 0.0005, steps: int = 2, qty: float = 0.005
) -> Wanted:
    """Want `steps` quotes a side, each `half_spread` further out, all of them `lean` lower per unit of the position."""
    if inbox.depth.mid_ticks_x2 is None:
        return Wanted((), idle=dict.fromkeys(Side, "there is no mid"))
    centre_ticks = inbox.depth.mid_ticks_x2 / 2 * (1 - lean * float(inbox.position or 0))
    lots = inbox.instrument.qty_to_lots(Decimal(str(qty)))
    bids = (Quote(Side.BUY, floor(centre_ticks * (1 - half_spread * n)), lots) for n in range(1, steps + 1))
    asks = (Quote(Side.SELL, ceil(centre_ticks * (1 + half_spread * n)), lots) for n in range(1, steps + 1))
    return Wanted([*bids, *asks])
