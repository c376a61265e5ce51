"""The order book on the terminal: a ladder, asks above bids, with a bar for the quantity of each level."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

BAR_WIDTH = 24


def ladder(document: Mapping[str, Any], level_count: int) -> Table:
    """Return the ladder of an `/api/orderbook` document, `level_count` levels a side."""
    sides = {
        side: [
            (level["price"], sum(order["quantity"] for order in level["orders"]), len(level["orders"]))
            for level in document[side][:level_count]
        ]
        for side in ("asks", "bids")
    }
    largest = max((quantity for levels in sides.values() for _, quantity, _ in levels), default=1)
    table = Table(title=f"{document['symbol']} · sequence {document['sequence']:,}", title_justify="left", box=None)
    for name in ("price", "quantity", "orders"):
        table.add_column(name, justify="right")
    table.add_column("", min_width=BAR_WIDTH)
    for side, style in (("asks", "red"), ("bids", "green")):
        levels = reversed(sides[side]) if side == "asks" else sides[side]
        for price, quantity, count in levels:
            bar = "█" * max(1, round(BAR_WIDTH * float(quantity / largest)))
            table.add_row(Text(f"{price:,}", style), f"{quantity:f}", str(count), Text(bar, style))
        if side == "asks":
            table.add_row(*_spread(sides))
    return table


def _spread(sides: Mapping[str, list[tuple[Any, Any, int]]]) -> tuple[str, str, str, str]:
    if not sides["asks"] or not sides["bids"]:
        return ("-", "", "", "one side is empty")
    ask, bid = sides["asks"][0][0], sides["bids"][0][0]
    return (f"{(ask + bid) / 2:,}", "", "", f"mid, spread {ask - bid:f}")
