"""A desk at a moment of its past, as a person reads it."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from market.exact_json import JsonObject
from market.instrument import format_decimal


def at_text(document: JsonObject) -> str:
    """Return the book, our orders in it, the position, and what was decided last of each side."""
    book, orders = document["book"], document["orders"]
    lines = [f"🕰️ {document['symbol']} at {document['time']}, {_record_phrase(document)}", ""]
    lines += _table([_level_row("ask", level, orders) for level in reversed(book["asks"])])
    lines += ["---", *_table([_level_row("bid", level, orders) for level in book["bids"]])]
    lines += ["", f"Mid of the others: {_plain(document['others_mid'])}"]
    lines.append(f"Position: {_plain(document['position'])}")
    lines += [_order_line(order) for order in orders] or ["No order of ours was open."]
    lines += [_decision_line(side, decision) for side, decision in document["decisions"].items()]
    return "\n".join(lines)


def _record_phrase(document: JsonObject) -> str:
    if document["record_time"] is None:
        return "before anything happened"
    after = "; nothing has happened since" if document["is_last"] else ""
    return f"after record {document['record']:,} of {document['record_time']}{after}"


def _level_row(name: str, level: Sequence[Decimal], orders: Iterable[JsonObject]) -> list[str]:
    price, qty = level
    has_ours = any(order["price"] == price for order in orders)
    return [name, _plain(price), _plain(qty), "ours among them" if has_ours else ""]


def _order_line(order: JsonObject) -> str:
    ahead = (
        f"{_plain(order['ahead'])} in {order['orders_ahead']} ahead" if order["orders_ahead"] else "first in its queue"
    )
    return f"Our {order['side']} {order['id']}: {_plain(order['qty'])} at {_plain(order['price'])}, {ahead}"


def _decision_line(side: str, decision: JsonObject | None) -> str:
    if decision is None:
        return f"{side}: nothing was decided, as far as is kept"
    terms = "" if decision["price"] is None else f" {_plain(decision['qty'])} at {_plain(decision['price'])}"
    numbers = ", ".join(f"{name} {value}" for name, value in decision["numbers"].items())
    why = f"{decision['rule']}, {decision['why']}{f' ({numbers})' if numbers else ''}"
    return f"{side}: {decision['action']}{terms} at {decision['time']}: {why}"


def _plain(value: Decimal | int | str | None) -> str:
    return "not known" if value is None else format_decimal(Decimal(value))


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
