"""A desk at a moment of its past, as a person reads it."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from market.clock import iso_time
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
    if "window" in document:
        lines += ["", *_window_lines(document["window"])]
    return "\n".join(lines)


def _window_lines(window: JsonObject) -> list[str]:
    """Return what came before: what was traded, how the mid went, our fills, and what of that is not known."""
    bars, fills = window["bars"], window["fills"]
    traded = [bar for bar in bars if bar[1] is not None]
    mids = [bar[8] for bar in bars if bar[8] is not None]
    lines = [f"Since {window['since'][11:19]}:"]
    if traded:
        low, high, qty = min(bar[3] for bar in traded), max(bar[2] for bar in traded), sum(bar[5] for bar in traded)
        lines.append(f"   traded: {_plain(qty)} from {_plain(low)} to {_plain(high)}")
    elif bars:
        lines.append("   traded: nothing")
    if mids:
        first, last, low, high = map(_plain, (mids[0], mids[-1], min(mids), max(mids)))
        lines.append(f"   mid: from {first} to {last}, low {low}, high {high}")
    lines += [
        f"   {iso_time(fill['time_ms'])[11:23]}  {fill['side']} {_plain(fill['qty'])} at {_plain(fill['price'])}, "
        f"position {_plain(fill['position'])}"
        for fill in fills
    ]
    if not fills and "fills" not in window["not_kept"]:
        lines.append("   no fill of ours")
    return lines + [f"   note: {why}" for why in window["not_kept"].values()]


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
    numbers = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in decision["numbers"].items())
    why = f"{decision['rule']}, {decision['why']}{f' ({numbers})' if numbers else ''}"
    return f"{side}: {decision['action']}{terms} at {decision['time']}: {why}"


def _plain(value: Decimal | int | str | None) -> str:
    return "not known" if value is None else format_decimal(Decimal(value))


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
