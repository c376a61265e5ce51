"""Equity and the identity: what the lots say must be what the account says, to the last unit.

    realized net + change of unrealized - change of the fees on open lots            what the trades brought
    + held change + fees elsewhere                                                  and what is no trade's
    = change of equity - flows

Equity is what the account holds of the base and quote assets of the day's symbols, at their mids. `held_change` is what
their mids did to what was held besides the lots; `fees_elsewhere` is what fees in other assets cost, which no equity
paid. The left side comes from lots and fees, the right one from balances that the venue tells: a lost, a doubled or a
changed trade, and a wrong figure of ours, make a `gap`. The parts of a symbol leave the account aside: their change of
equity is what the trades themselves moved.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from market.exact_json import JsonObject
from reports.day_book import DayBook
from reports.exact import figure
from reports.reconciliation import Flow
from reports.symbol_book import SymbolBook

_ZERO = Fraction(0)
_PARTS = ("realized_net", "unrealized_change", "open_fees_change", "equity_change")


@dataclass(frozen=True, slots=True)
class _Prices:
    """What one unit of each asset is worth in `quote`, at the start and at the end."""

    quote: str
    start: Mapping[str, Fraction]
    end: Mapping[str, Fraction]

    def worth(self, totals: Mapping[str, Fraction], prices: Mapping[str, Fraction]) -> Fraction:
        return sum((totals.get(asset, _ZERO) * price for asset, price in prices.items()), _ZERO)


def identity_and_equity(book: DayBook, marks: Mapping[str, Decimal], reconciliation: JsonObject | None) -> JsonObject:
    """Return `equity`, `flows` and `identity` of the daily document; what cannot be told is null, with `why`.

    Args:
        marks: the mids at the last sight.
        reconciliation: of the document; None of a day that nobody saw.
    """
    symbols = {symbol: _of_symbol(one, marks.get(symbol)) for symbol, one in book.symbols.items()}
    prices = _prices(book, marks) if reconciliation is not None else "nobody saw the account on that day"
    if isinstance(prices, str) or reconciliation is None:
        equity: JsonObject = dict.fromkeys(("asset", "start", "end", "change", "flows", "fees_elsewhere"))
        equity |= {"change_less_flows": None, "balances": {}, "why": prices}
        whole: JsonObject = dict.fromkeys((*_PARTS[:3], "held_change", "fees_elsewhere", "equity_change", "flows"))
        whole |= {"gap": None, "first_trade": None, "why": prices}
    else:
        equity, whole = _of_account(book, prices, marks, reconciliation)
    return {"equity": equity, "identity": {"symbols": symbols, "all": whole}}


def _of_account(
    book: DayBook, prices: _Prices, marks: Mapping[str, Decimal], reconciliation: JsonObject
) -> tuple[JsonObject, JsonObject]:
    books = book.books
    start, end = books.start, books.ends(reconciliation["differences"])
    began, ended = prices.worth(start, prices.start), prices.worth(end, prices.end)
    flows = [flow for flow in book.flows if books.counts(flow) and flow.asset in prices.end]
    flowed = sum((Fraction(flow.amount) * _price_of(flow, prices) for flow in flows), _ZERO)
    elsewhere = _fees_elsewhere(book.symbols.values(), prices)
    parts = [one.changes(marks[symbol]) for symbol, one in book.symbols.items() if _matters(one)]
    sums = {name: sum((part[name] for part in parts), _ZERO) for name in _PARTS[:3]}
    held = _held_change(book, prices, flows)
    traded = sums["realized_net"] + sums["unrealized_change"] - sums["open_fees_change"]
    gap = traded + held + elsewhere - (ended - began - flowed)
    equity = {
        "asset": prices.quote,
        "start": figure(began),
        "end": figure(ended),
        "change": figure(ended - began),
        "flows": figure(flowed),
        "fees_elsewhere": figure(elsewhere),
        "change_less_flows": figure(ended - began - flowed - elsewhere),
        "balances": {
            asset: {
                "start": figure(start.get(asset, _ZERO)),
                "end": figure(end.get(asset, _ZERO)),
                "start_price": figure(prices.start[asset]),
                "end_price": figure(prices.end[asset]),
            }
            for asset in prices.end
        },
    }
    whole = {name: figure(value) for name, value in sums.items()} | {
        "held_change": figure(held),
        "fees_elsewhere": figure(elsewhere),
        "equity_change": figure(ended - began),
        "flows": figure(flowed),
        "gap": figure(gap),
        "first_trade": reconciliation.get("first_trade") if gap else None,
    }
    return equity, whole


def _of_symbol(one: SymbolBook, mark: Decimal | None) -> JsonObject:
    if not _matters(one):
        mark = Decimal(0)
    if mark is None or not one.has_opening:
        missing = "the mid at the opening" if mark is not None else "the mid at the last sight"
        return dict.fromkeys((*_PARTS, "gap")) | {"why": f"{missing} is not known"}
    parts = one.changes(mark)
    gap = parts["realized_net"] + parts["unrealized_change"] - parts["open_fees_change"] - parts["equity_change"]
    return {name: figure(parts[name]) for name in _PARTS} | {"gap": figure(gap)}


def _matters(one: SymbolBook) -> bool:
    """Say whether anything was traded or carried: the marks of other symbols say nothing of the trades."""
    return bool(one.carried_qty or one.count)


def _prices(book: DayBook, marks: Mapping[str, Decimal]) -> _Prices | str:
    """Return what the assets are worth, or why nobody knows.

    A pair that came to the day after its opening, and of which nothing was traded or carried, has nothing to value.
    """
    watched = book.watched_at_opening
    counted = {symbol: one for symbol, one in book.symbols.items() if symbol in watched or _matters(one)}
    quotes = {one.instrument.quote for one in counted.values()}
    if len(quotes) != 1:
        return "there are several quote assets"
    quote = min(quotes)
    opening = book.opening_marks
    start, end = {quote: Fraction(1)}, {quote: Fraction(1)}
    for symbol, one in counted.items():
        base = one.instrument.base
        if not _matters(one) and not book.books.start.get(base) and not book.books.moved.get(base):
            continue
        for known, moment in ((opening, "opening"), (marks, "last sight")):
            if symbol not in known:
                return f"the mid of {symbol} at the {moment} is not known"
        start[base], end[base] = Fraction(opening[symbol]), Fraction(marks[symbol])
    return _Prices(quote, start, end)


def _price_of(flow: Flow, prices: _Prices) -> Fraction:
    return prices.end[flow.asset] if flow.price is None else Fraction(flow.price)


def _fees_elsewhere(symbols: Iterable[SymbolBook], prices: _Prices) -> Fraction:
    """Return what fees in assets without equity have cost, in quote."""
    foreign = (found for one in symbols for found in one.foreign_fees.items())
    return sum((worth for asset, (_, worth) in foreign if asset not in prices.end), _ZERO)


def _held_change(book: DayBook, prices: _Prices, flows: Sequence[Flow]) -> Fraction:
    """Return what the mids did to all that is held besides the lots.

    That is what was held at the start, what flowed in from then on, and what fees in the base asset of another symbol
    took: these cost what the asset was worth then, and are no longer there at the end.
    """
    change = _ZERO
    for one in book.symbols.values():
        base = one.instrument.base
        if base in prices.end:
            held = book.books.start.get(base, _ZERO) - one.carried_qty
            change += held * (prices.end[base] - prices.start[base])
    for flow in flows:
        change += Fraction(flow.amount) * (prices.end[flow.asset] - _price_of(flow, prices))
    for one in book.symbols.values():
        for asset, (fee, worth) in one.foreign_fees.items():
            if asset in prices.end:
                change += worth - fee * prices.end[asset]
    return change
