"""The daily document: what the account holds, what it traded on one UTC day, and what that earned.

The first five keys (date, time, balances, trades, total_trades) are the document's fixed shape; the others stand beside
them. Every figure can be derived again from `trade_history`, by hand or by `reports/pnl.py`:

- `pnl` is realized net by FIFO over the day's trades in their order, and each day starts flat: inventory from the day
  before is no lot of today, so that a sale of it opens a short lot that a later purchase closes. The open lots are
  valued apart: `marked_pnl` = pnl + unrealized - open_fees, by how much the day's trades changed the account's worth.
- an average price is quote paid / base traded, rounded half to even to the tick's decimals; null without such trades.
- other amounts are exact to 12 decimals; a share of a fee that needs more is rounded there, once, after all sums.
- with several symbols the counts and `pnl` are sums and `symbols` holds each one's part. An average over different
  assets means nothing, nor does a sum over different quote assets: null.
- `account_id` is the venue's. `resets` tells of each time that the venue began the account anew: when it was noticed,
  why, and under which name the document of the account before is kept. All other figures are of the account since.
- `opening` is the first sight of the day, or of the account since its last reset. `reconciliation` says whether its
  balances plus what the trades since then moved are the balances now, for every asset, to the last unit; a deposit or a
  missed trade stands in `differences`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final

from market.account import Balance, VenueOrder, VenueTrade
from market.clock import NS_PER_MS, iso_time, utc_date, utc_datetime
from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import Instrument
from reports import json_fields as fields
from reports.exact import amount, decimals_of, figure, rounded
from reports.pnl import FifoBook, Pnl
from reports.reconciliation import balances_to_json, opening_of, reconciliation
from reports.trade_history import HistoryRow, fee_value, merged, row_from_json, row_to_json

DOCUMENT_VERSION: Final = 1
_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """What the venue says of the account at one moment.

    Attributes:
        now_ns: when; its UTC day is the document's.
        instruments: the traded pairs, in the order of the report.
        balances: every asset of the account.
        trades: the last trades of every instrument; they and `balances` belong together (read the trades before and
            after the balances until both readings agree).
        mark_prices: mids by symbol: of the instruments, and of pairs that price a fee (BNBUSDT), where known.
        account_id: the venue's id of the account, another one after a reset; empty where the venue tells none.
        has_all_trades: whether the account has no other trades today than `trades`.
    """

    now_ns: int
    instruments: Sequence[Instrument]
    balances: Mapping[str, Balance]
    trades: Sequence[VenueTrade]
    open_orders: Sequence[VenueOrder]
    mark_prices: Mapping[str, Decimal]
    account_id: str = ""
    has_all_trades: bool = False

    @property
    def day(self) -> date:
        """The UTC day of the snapshot."""
        return utc_date(self.now_ns)


def performance_document(
    snapshot: AccountSnapshot, previous: JsonObject | None, resets: Sequence[JsonObject] = ()
) -> JsonObject:
    """Return the daily document of the snapshot's day, its trades merged with those of `previous`.

    Args:
        previous: the document of the same day as it was last written, None for the first of the day, and of the first
            sight after a reset: what went before is of another account.
        resets: the day's resets, as `reports/bookkeeping.py` has noticed them.

    Raises:
        ValueError: for a trade in an unknown symbol, or a `previous` that is not a daily document.
    """
    now = utc_datetime(snapshot.now_ns)
    assert previous is None or previous["date"] == now.date().isoformat(), (previous["date"], now)
    instruments = instruments_of(previous, snapshot.instruments)
    rows = merged(history_of(previous), snapshot.trades, now.date(), instruments, snapshot.mark_prices)
    opening = (previous or {}).get("opening") or opening_of(
        snapshot.now_ns // NS_PER_MS, snapshot.instruments, snapshot.balances, snapshot.trades
    )
    return {
        "date": now.date().isoformat(),
        "time": now.strftime("%H:%M:%S"),
        "balances": balances_to_json(snapshot.balances),
        **_figures(rows, instruments, snapshot.mark_prices),
        "open_orders": [_order(order) for order in snapshot.open_orders],
        "account_id": snapshot.account_id,
        "resets": list(resets),
        "opening": opening,
        "reconciliation": reconciliation(opening, (row.trade for row in rows), instruments, snapshot.balances),
        "trade_history": [row_to_json(row) for row in rows],
    }


def with_late_trades(
    document: JsonObject,
    trades: Iterable[VenueTrade],
    instruments: Sequence[Instrument],
    mark_prices: Mapping[str, Decimal],
) -> JsonObject:
    """Return `document`, of a day gone by, with those `trades` of its day that it lacks.

    A document that lacks none, or that has no `trade_history` to add to, comes back as it is. Balances, open orders,
    marks and reconciliation stay those of its last sight of the account.
    """
    if "trade_history" not in document:
        return document
    known = history_of(document)
    day, by_symbol = date.fromisoformat(document["date"]), instruments_of(document, instruments)
    rows = merged(known, trades, day, by_symbol, mark_prices)
    if rows == known:
        return document
    marks = {symbol: part["mark_price"] for symbol, part in document["symbols"].items() if part["mark_price"]}
    return document | _figures(rows, by_symbol, marks) | {"trade_history": [row_to_json(row) for row in rows]}


def history_of(document: JsonObject | None) -> list[HistoryRow]:
    """Return the trades that a daily document holds, oldest first; none for one without `trade_history`.

    Raises:
        ValueError: naming the entry and field that is wrong.
    """
    if document is None or "trade_history" not in document:
        return []
    rows = []
    for index, entry in enumerate(fields.array(document, "trade_history")):
        try:
            rows.append(row_from_json(entry))
        except ValueError as error:
            raise ValueError(f"trade_history[{index}]: {error}") from error
    return rows


def instruments_of(document: JsonObject | None, instruments: Iterable[Instrument] = ()) -> dict[str, Instrument]:
    """Return `instruments` by symbol, then those that the `document` tells of besides: the desk traded others then."""
    by_symbol = {instrument.symbol: instrument for instrument in instruments}
    for symbol, part in (document or {}).get("symbols", {}).items():
        if symbol not in by_symbol:
            tick_size, lot_size = fields.number(part, "tick_size"), fields.number(part, "lot_size")
            base, quote = fields.text(part, "base"), fields.text(part, "quote")
            by_symbol[symbol] = Instrument(len(by_symbol), symbol, base, quote, tick_size, lot_size)
    return by_symbol


def symbol_pnl(rows: Iterable[HistoryRow], instrument: Instrument) -> Pnl:
    """Return the FIFO result of those `rows` that are in `instrument`, in their order, starting flat."""
    book = FifoBook(instrument.base, instrument.quote)
    for row in rows:
        if row.trade.symbol == instrument.symbol:
            book.apply(row.trade, fee_value(row, instrument))
    return book.pnl()


def _figures(
    rows: Sequence[HistoryRow], instruments: Mapping[str, Instrument], mark_prices: Mapping[str, Decimal]
) -> JsonObject:
    """Return all that follows from the day's trades."""
    symbols = {
        symbol: _symbol([row for row in rows if row.trade.symbol == symbol], instrument, mark_prices.get(symbol))
        for symbol, instrument in instruments.items()
    }
    return {
        "trades": _totals(symbols),
        "total_trades": len(rows),
        "version": DOCUMENT_VERSION,
        "symbols": symbols,
        "fees": _fees(rows),
    }


def _symbol(rows: Sequence[HistoryRow], instrument: Instrument, mark: Decimal | None) -> JsonObject:
    """Return one symbol's part of the document; all amounts in its quote asset but quantities and `unvalued_fees`."""
    buys, sells = _Volume(rows, Side.BUY), _Volume(rows, Side.SELL)
    pnl = symbol_pnl(rows, instrument)
    places = decimals_of(instrument.tick_size)
    return {
        "base": instrument.base,
        "quote": instrument.quote,
        "tick_size": instrument.tick_size,
        "lot_size": instrument.lot_size,
        "buys": buys.count,
        "sells": sells.count,
        "bought_qty": figure(buys.base),
        "sold_qty": figure(sells.base),
        "bought_quote": figure(buys.quote),
        "sold_quote": figure(sells.quote),
        "avg_buy_price": buys.average_price(places),
        "avg_sell_price": sells.average_price(places),
        "volume": figure(buys.quote + sells.quote),
        "maker_volume": figure(buys.maker_quote + sells.maker_quote),
        "gross": figure(pnl.realized_gross),
        "realized_fees": figure(pnl.realized_fees),
        "pnl": figure(pnl.realized_net),
        "round_trips": len(pnl.round_trips),
        "wins": pnl.wins,
        "position": figure(pnl.position),
        "open_fees": figure(pnl.open_fees),
        "mark_price": None if mark is None else amount(mark),
        "unrealized": None if mark is None else figure(pnl.unrealized(mark)),
        "marked_pnl": None if mark is None else figure(pnl.marked(mark)),
        "unvalued_fees": {asset: figure(fee) for asset, fee in pnl.unvalued_fees.items()},
    }


class _Volume:
    """What was traded on one side of a symbol."""

    def __init__(self, rows: Sequence[HistoryRow], side: Side) -> None:
        trades = [row.trade for row in rows if row.trade.side is side]
        self.count = len(trades)
        self.base = sum((Fraction(trade.qty) for trade in trades), _ZERO)
        self.quote = sum((Fraction(trade.quote_qty) for trade in trades), _ZERO)
        self.maker_quote = sum((Fraction(trade.quote_qty) for trade in trades if trade.is_maker), _ZERO)

    def average_price(self, places: int) -> Decimal | None:
        return rounded(self.quote / self.base, places) if self.base else None


def _totals(symbols: JsonObject) -> JsonObject:
    """Return `trades` of the document: sums over the symbols, null where a sum or an average would mean nothing."""
    traded = [part for part in symbols.values() if part["buys"] + part["sells"]]
    only = traded[0] if len(traded) == 1 else {}
    quotes = {part["quote"] for part in traded}
    pnl = sum((Fraction(part["pnl"]) for part in traded), _ZERO)
    return {
        "total_buys": sum(part["buys"] for part in traded),
        "total_sells": sum(part["sells"] for part in traded),
        "pnl": figure(pnl) if len(quotes) <= 1 else None,
        "avg_buy_price": only.get("avg_buy_price"),
        "avg_sell_price": only.get("avg_sell_price"),
    }


def _fees(rows: Iterable[HistoryRow]) -> JsonObject:
    """Return the fees as they were charged, by asset."""
    fees: dict[str, Fraction] = {}
    for row in rows:
        if row.trade.fee:
            fees[row.trade.fee_asset] = fees.get(row.trade.fee_asset, _ZERO) + Fraction(row.trade.fee)
    return {asset: figure(fee) for asset, fee in fees.items()}


def _order(order: VenueOrder) -> JsonObject:
    return {
        "id": order.order_id,
        "client_order_id": order.client_order_id,
        "time": iso_time(order.time_ms),
        "symbol": order.symbol,
        "side": order.side.name,
        "price": amount(order.price),
        "qty": amount(order.qty),
        "filled_qty": amount(order.filled_qty),
        "status": order.status,
    }
