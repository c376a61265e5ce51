"""The order book on the terminal: a ladder, asks above bids, with a bar for the quantity of each level."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from rich.text import Text

BAR_WIDTH: Final = 24
_BAR_WIDTH_MIN: Final = 4
_GAP: Final = "  "
_MARK: Final = "●"  # of our own orders
_OTHER_LINES: Final = 3  # title, heading, mid


class _Level(NamedTuple):
    price: Decimal
    qty: Decimal
    order_count: int
    is_own: bool


def ladder(document: Mapping[str, Any], level_count: int, width: int, height: int) -> Text:
    """Return the ladder of an `/api/orderbook` document in at most `height` lines of at most `width` columns.

    Both sides are cut alike, to `level_count` levels or fewer. Our own orders that are farther away get a line each,
    as long as these leave half of the lines for the others.
    """
    room = max(1, (height - _OTHER_LINES) // 2)
    sides = {side: _shown([_level(each) for each in document[side]], level_count, room) for side in ("asks", "bids")}
    every = [*sides["asks"], *sides["bids"]]
    cells = [(f"{each.price:,}", f"{each.qty:f}", str(each.order_count)) for each in every]
    heads = ("price", "quantity", "orders")
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    is_marked = any(each.is_own for each in every)
    mark_width = len(_MARK) + 1 if is_marked else 0
    column_count = 3 if sum(widths) + 2 * len(_GAP) + mark_width <= width else 2
    used = mark_width + sum(widths[:column_count]) + len(_GAP) * column_count
    bar_width = min(BAR_WIDTH, width - used) if width - used >= _BAR_WIDTH_MIN else 0
    largest = max((each.qty for each in every), default=Decimal(1))

    def line(texts: Sequence[str], mark: str = "") -> str:
        return _GAP.join([text.rjust(size) for text, size in zip(texts, widths, strict=False)][:column_count]) + mark

    lines = [Text(f"{document['symbol']} · sequence {document['sequence']:,}", "bold"), Text(line(heads), "dim")]
    for side, style in (("asks", "red"), ("bids", "green")):
        drawn = []
        for each in sides[side]:
            mark = "" if not is_marked else f" {_MARK}" if each.is_own else " " * mark_width
            text = Text(line((f"{each.price:,}", f"{each.qty:f}", str(each.order_count)), mark))
            text.stylize(style, 0, widths[0])
            text.append(_GAP + "█" * max(1, round(bar_width * float(each.qty / largest))) if bar_width else "", style)
            drawn.append(text)
        lines += reversed(drawn) if side == "asks" else drawn
        if side == "asks":
            lines.append(Text(_middle(sides, widths[0])))
    for text in lines:
        text.truncate(width, overflow="ellipsis")
    return Text("\n").join(lines)


def _level(level: Mapping[str, Any]) -> _Level:
    orders = level["orders"]
    qty = sum((order["quantity"] for order in orders), Decimal(0))
    return _Level(level["price"], qty, len(orders), any(order.get("own") for order in orders))


def _shown(levels: Sequence[_Level], level_count: int, room: int) -> list[_Level]:
    """Return the best levels, and our own farther away, `room` of them at most."""
    far_count = sum(each.is_own for each in levels[min(level_count, room) :])
    best = list(levels[: min(level_count, max(room - far_count, (room + 1) // 2))])
    return best + [each for each in levels[len(best) :] if each.is_own][: room - len(best)]


def _middle(sides: Mapping[str, Sequence[_Level]], width: int) -> str:
    if not sides["asks"] or not sides["bids"]:
        is_empty = not sides["asks"] and not sides["bids"]
        return f"{'-'.rjust(width)}{_GAP}{'the book is empty' if is_empty else 'one side is empty'}"
    ask, bid = sides["asks"][0].price, sides["bids"][0].price
    return f"{f'{(ask + bid) / 2:,}'.rjust(width)}{_GAP}mid, spread {ask - bid:f}"
