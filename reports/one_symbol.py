"""A daily document as if one symbol were all that was traded: what `--symbol` asks for.

All that follows from trades is made anew of those of the symbol, by the functions that made it. What is the account's
and no symbol's is left out (equity, and the metric that needs it) or stays what it is: whether the books agree, and
whether the identity of the account holds.
"""

from typing import Any, Final

from market.exact_json import JsonObject
from reports.performance import book_of, day_of, figures_of, with_markouts

_OF_ACCOUNT: Final = "it is the account's, and one symbol of it was asked for"
_EQUITY: Final = ("start", "end", "change", "flows", "fees_elsewhere", "change_less_flows")


def of_symbol(document: JsonObject, symbol: str) -> JsonObject:
    """Return `document` with nothing but what is of `symbol`; one that has no other symbol comes back as it is.

    A key `symbol` comes to it. A symbol that the day does not know has no trades in it.

    Raises:
        ValueError: if the document does not tell its trades, or its symbols.
    """
    if "trade_history" not in document or "symbols" not in document:
        raise ValueError("the file does not tell its trades by symbol")
    if document["symbols"].keys() == {symbol}:
        return document | {"symbol": symbol}
    head: JsonObject = {name: value for name, value in document.items() if name != "checksum"}
    head["symbols"] = {name: part for name, part in document["symbols"].items() if name == symbol}
    head["trade_history"] = [row for row in document["trade_history"] if row["symbol"] == symbol]
    if (document.get("quoting") or {}).get("symbol", symbol) != symbol:
        del head["quoting"]
    own = _assets(head["symbols"])
    head["balances"] = {asset: one for asset, one in document["balances"].items() if asset in own}
    if "flows" in document:
        head["flows"] = [flow for flow in document["flows"] if flow["asset"] in own]
    if "open_orders" in document:
        head["open_orders"] = [order for order in document["open_orders"] if order["symbol"] == symbol]
    return _made_anew(head) | {"symbol": symbol}


def _made_anew(head: JsonObject) -> JsonObject:
    """Return a document with those figures made of its trades that it had."""
    book = book_of(day_of(head), head)
    marks = {name: part["mark_price"] for name, part in head["symbols"].items() if part["mark_price"]}
    figures: JsonObject = figures_of(book, marks, None, head.get("quoting"))
    figures |= {name: head[name] for name in ("schema", "flows") if name in head}
    if "equity" in head:
        figures["equity"] = dict.fromkeys(("asset", *_EQUITY)) | {"balances": {}, "why": _OF_ACCOUNT}
        figures["equity"]["asset"] = head["equity"]["asset"]
        figures["identity"] |= {"all": head["identity"]["all"]}
        figures["metrics"]["hold_benchmark"] |= {"why": _OF_ACCOUNT}
    if "markouts" in head:
        figures["markouts"] = with_markouts({}, book)["markouts"]
    return {name: figures.get(name, value) for name, value in head.items()}


def _assets(parts: JsonObject) -> set[Any]:
    return {part[end] for part in parts.values() for end in ("base", "quote")}
