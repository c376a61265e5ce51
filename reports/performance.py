"""The daily document: what the account holds, what it traded on one UTC day, and what that earned.

The first five keys (date, time, balances, trades, total_trades) are the document's fixed shape; the others stand beside
them. Every figure can be derived again from `trade_history`, by hand or by `reports/pnl.py`:

- `pnl` is realized net by FIFO over the day's trades in their order, after the lots that were carried over midnight
  (`carried`). What the account held before the desk is no lot: a sale of it opens a short one. The open lots are valued
  apart: `marked_pnl` = pnl + unrealized - open_fees.
- an average price is quote paid / base traded, rounded half to even to the tick's decimals; null without such trades.
- other amounts are exact to 12 decimals; a share of a fee that needs more is rounded there, once, after all sums.
- with several symbols the counts and `pnl` are sums and `symbols` holds each one's part. An average over different
  assets means nothing, nor does a sum over different quote assets: null.
- a fee in a third asset counts as `fee_in_quote` says, made with its mid at that time, `fee_price`. What has no price
  is in `unvalued_fees` and in no other figure; `undecided` counts the round trips that it may have turned from won to
  lost.
- `identity_gap` is pnl + unrealized - open_fees less what the trades moved in the account, valued at the mark: 0, or
  the figures are wrong.
- `market` says where this was traded: venue, and of the paper exchange the flow and the fees.
- `quoting` is what the desk's maker has kept of itself: the part of the time with quotes on both sides `within` so much
  of the mid, how many `minutes` had the part `target`, and its fills, with those that were `picked_off` apart. Nothing
  else in the document comes from it, and it is not there where no maker has kept anything.
- `account_id` is the venue's. `resets` tells of each time that the venue began the account anew: when it was noticed,
  why, and under which name the document of the account before is kept. All other figures are of the account since.
- `opening` is the first sight of the day, or of the account since its last reset. `reconciliation` says whether its
  balances plus what the trades since then moved are the balances now, for every asset, to the last unit; a deposit or a
  missed trade stands in `differences`. `trades_of_other_days` counts those since then that are in another day's file.
- a day that nobody saw, made of its trades when they were told later, has `"is_seen": false`, no balances, no opening
  and no reconciliation.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from sys import intern
from types import MappingProxyType
from typing import Any, Final

from market.account import Balance, VenueOrder, VenueTrade, order_json
from market.clock import NS_PER_MS, utc_date, utc_datetime
from market.exact_json import JsonObject
from market.instrument import Instrument
from reports import json_fields as fields
from reports.carried import Carried, carried_from_json
from reports.daily_file import SCHEMA, SealedHistory, entries_of
from reports.day_book import DayBook
from reports.exact import amount
from reports.identity import identity_and_equity
from reports.marked_fills import MarkedFill
from reports.metrics import metrics
from reports.pnl import TRIPS_KEPT, FifoBook
from reports.reconciliation import balances_to_json, flow_from_json, flow_to_json, opening_of, with_prices
from reports.trade_history import FillDetail, HistoryRow, TradeKey, fee_value, row_from_json
from reports.trips import last_trips
from reports.usual_entries import usual_rows

_REPEATED: Final = ("symbol", "side", "fee_asset", "model", "rule")


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """What the venue says of the account at one moment.

    Attributes:
        now_ns: when; its UTC day is the document's.
        instruments: the traded pairs, in the order of the report.
        balances: every asset of the account.
        trades: the last trades of every instrument; they and `balances` belong together (read the trades before and
            after the balances until both readings agree).
        mark_prices: mids by symbol: of the instruments, and of pairs that price a fee (BNBUSDT), where known; and what
            was paid in a minute that is gone by, by `past_key`.
        account_id: the venue's id of the account, another one after a reset; empty where the venue tells none.
        has_all_trades: whether the account has no other trades today than `trades`.
        is_gapless: whether there are no trades between those on file and `trades`.
        market: where the account trades, see `market` above.
        quoting: how well the maker has quoted, see `quoting` above; None where nobody knows.
        details: what is known of fills besides.
        followed: fills, some of them told before, of which `details` may tell.
        unsure: those of `trades` that were told after the balances, which may hold the first of them, or none.
    """

    now_ns: int
    instruments: Sequence[Instrument]
    balances: Mapping[str, Balance]
    trades: Sequence[VenueTrade]
    open_orders: Sequence[VenueOrder]
    mark_prices: Mapping[str, Decimal]
    account_id: str = ""
    has_all_trades: bool = False
    is_gapless: bool = False
    market: JsonObject = field(default_factory=dict)
    unsure: Sequence[VenueTrade] = ()
    quoting: JsonObject | None = None
    details: Mapping[TradeKey, FillDetail] = field(default_factory=dict)
    followed: Sequence[VenueTrade] = ()

    @property
    def day(self) -> date:
        """The UTC day of the snapshot."""
        return utc_date(self.now_ns)


def book_of(
    day: date,
    document: JsonObject | None,
    instruments: Iterable[Instrument] = (),
    rows: Iterable[HistoryRow] | None = None,
    trips_kept: int | None = TRIPS_KEPT,
) -> DayBook:
    """Return the book of `day` as its document holds it, empty without one.

    Args:
        instruments: those of the desk, before others that the document tells of.
        rows: the trades of the document, from whom has read them.
        trips_kept: as `DayBook` has it.

    Raises:
        ValueError: naming what is wrong in the document.
    """
    book = DayBook(day, instruments_of(document, instruments), trips_kept)
    if document is not None and "opening" in document:
        book.open(fields.child(document, "opening"))
    if document is not None and "symbols" in document:
        book.carry(carried_from_json(document["symbols"], book.instruments))
    if document is not None and "flows" in document:
        book.take_flows(map(flow_from_json, fields.array(document, "flows")))
    if document is not None and "reconciliation" in document:
        book.last_sight = fields.child(document, "reconciliation")
    book.load(history_of(document) if rows is None else rows)
    return book


def day_of(document: JsonObject) -> date:
    """Return the day of a document."""
    return date.fromisoformat(document["date"])


def take(book: DayBook, snapshot: AccountSnapshot) -> None:
    """Bring the snapshot's trades into the book of its day, which it opens if it is the first.

    Raises:
        ValueError: for a trade in an unknown symbol.
    """
    book.watch(snapshot.instruments)
    new = book.add(snapshot.trades, snapshot.mark_prices, snapshot.details)
    book.describe(snapshot.details)
    now_ms = snapshot.now_ns // NS_PER_MS
    if book.opening is None:
        book.open(opening_of(now_ms, snapshot.instruments, snapshot.balances, snapshot.trades, snapshot.mark_prices))
        book.explain_the_night()
    elif (opening := with_prices(book.opening, book.instruments, snapshot.mark_prices)) is not book.opening:
        book.open(opening)
    book.look(now_ms, snapshot.balances, snapshot.mark_prices, new, snapshot.unsure)


def document_head(
    book: DayBook, snapshot: AccountSnapshot, resets: Sequence[JsonObject], market: JsonObject
) -> JsonObject:
    """Return the daily document without its trades."""
    now = utc_datetime(snapshot.now_ns)
    assert book.last_sight is not None, "the snapshot is to be taken before"
    quoting = book.maker_fills.told_with(snapshot.quoting)
    return {
        "date": now.date().isoformat(),
        "time": now.strftime("%H:%M:%S"),
        "balances": balances_to_json(snapshot.balances),
        **figures_of(book, snapshot.mark_prices, book.last_sight, quoting),
        "market": market,
        **({} if quoting is None else {"quoting": quoting}),
        "open_orders": [order_json(order, amount) for order in snapshot.open_orders],
        "account_id": snapshot.account_id,
        "resets": list(resets),
        "opening": book.opening,
        "reconciliation": book.last_sight,
    }


def with_markouts(head: JsonObject, book: DayBook) -> JsonObject:
    """Return `head` with its markouts, which cost as much as the day is long: only what is read has them."""
    from reports.markouts import markouts  # numpy, which who reads files does not need, is a fifth of its start

    details = ((row.trade, row.detail or FillDetail()) for row in book.rows)
    fills = (
        MarkedFill(trade.time_ms, trade.side, trade.price, trade.qty, detail.mid, detail.mids)
        for trade, detail in details
    )
    return head | {"markouts": markouts(fills)}


def with_history(head: JsonObject, book: DayBook) -> JsonObject:
    """Return the daily document of `head` and the book's trades."""
    return with_markouts(head, book) | {"trade_history": book.entries()}


def unseen_document(
    day: date,
    trades: Iterable[VenueTrade],
    instruments: Iterable[Instrument],
    mark_prices: Mapping[str, Decimal],
    carried: Carried | None = None,
    details: Mapping[TradeKey, FillDetail] = MappingProxyType({}),
) -> JsonObject:
    """Return the document of a day that nobody saw, from its trades, and the lots that it began with.

    `details` are what is known of the trades besides.

    Raises:
        ValueError: for a trade in a symbol that is not among `instruments`.
    """
    book = DayBook(day, {one.symbol: one for one in instruments})
    book.carry(carried or Carried())
    book.add(trades, mark_prices, details)
    last_ms = book.rows[-1].trade.time_ms
    return {
        "date": day.isoformat(),
        "time": utc_datetime(last_ms * NS_PER_MS).strftime("%H:%M:%S"),
        "balances": {},
        **figures_of(book, {}, None, None),
        "is_seen": False,
        "trade_history": book.entries(),
    }


def with_late_trades(
    document: JsonObject,
    trades: Iterable[VenueTrade],
    instruments: Sequence[Instrument],
    mark_prices: Mapping[str, Decimal],
    details: Mapping[TradeKey, FillDetail] = MappingProxyType({}),
) -> JsonObject:
    """Return `document`, of a day gone by, with those `trades` of its day that it lacks, and what is known of them.

    A document that lacks none, or that has no `trade_history` to add to, comes back as it is. Balances, open orders,
    marks and reconciliation stay those of its last sight of the account.
    """
    if "trade_history" not in document:
        return document
    book = book_of(day_of(document), document, instruments)
    known = list(book.rows)
    book.add(trades, mark_prices, details)
    if book.rows == known:
        return document
    if "quoting" in document:
        document = document | {"quoting": book.maker_fills.told_with(document["quoting"])}
    return with_history(refigured(document, book), book)


def with_carried(document: JsonObject, carried: Carried) -> JsonObject:
    """Return `document`, of a day gone by, as it is with these lots at its beginning; it may be the same."""
    if "schema" not in document or "trade_history" not in document:
        return document
    book = book_of(day_of(document), document)
    book.carry(carried)
    return with_history(refigured(document, book), book)


def refigured(document: JsonObject, book: DayBook) -> JsonObject:
    """Return `document` with the figures of its book as it is now, at the marks of its last sight."""
    marks = {symbol: part["mark_price"] for symbol, part in document["symbols"].items() if part["mark_price"]}
    figures = figures_of(book, marks, document.get("reconciliation"), document.get("quoting"))
    return {name: value for name, value in document.items() if name != "version"} | figures


def is_sound(document: JsonObject) -> bool:
    """Say whether the books of a document agree and the identity holds; true if it does not say."""
    return document.get("reconciliation", {}).get("is_exact", True) is True and is_identical(document)


def is_identical(document: JsonObject) -> bool:
    """Say whether lots and fees come to what moved, of each symbol and of the account."""
    gaps = [part.get("identity_gap") for part in document.get("symbols", {}).values()]
    identity = document.get("identity", {})
    gaps += [part["gap"] for part in (*identity.get("symbols", {}).values(), *filter(None, [identity.get("all")]))]
    return not any(gaps)


def history_of(document: JsonObject | None) -> list[HistoryRow]:
    """Return the trades that a daily document holds, oldest first; none for one without `trade_history`.

    Raises:
        ValueError: naming the entry and field that is wrong.
    """
    return [row for row, _ in told_history(document)]


def told_history(document: JsonObject | None) -> Iterator[tuple[HistoryRow, Any]]:
    """Yield what `history_of` returns, and of each trade what it is told to have realized, whatever stands there.

    Raises:
        ValueError: as `history_of`.
    """
    if document is None or "trade_history" not in document:
        return
    told = document["trade_history"]
    if isinstance(told, SealedHistory):
        count = 0
        for piece in told.pieces():
            rows = usual_rows(piece)
            for row in _told_rows(entries_of(piece), count) if rows is None else rows:
                count += 1
                yield row
        return
    entries = fields.array(document, "trade_history")
    yield from _told_rows(map(with_shared_texts, entries), 0)


def _told_rows(entries: Iterable[Any], first: int) -> Iterator[tuple[HistoryRow, Any]]:
    """Yield the trades of entries, of which the first is the one of this number."""
    for index, entry in enumerate(entries, first):
        try:
            row = row_from_json(entry)
        except ValueError as error:
            raise ValueError(f"trade_history[{index}]: {error}") from error
        yield row, entry.get("realized")


def with_shared_texts(entry: Any) -> Any:
    """Return an entry of a long day that has one text with the others where they say the same: each reads its own."""
    if isinstance(entry, dict):
        for name in _REPEATED:
            if isinstance(value := entry.get(name), str):
                entry[name] = intern(value)
    return entry


def instruments_of(document: JsonObject | None, instruments: Iterable[Instrument] = ()) -> dict[str, Instrument]:
    """Return `instruments` by symbol, then those that the `document` tells of besides: the desk traded others then.

    Raises:
        ValueError: naming what is wrong in the document.
    """
    by_symbol = {instrument.symbol: instrument for instrument in instruments}
    parts = fields.child(document, "symbols") if document is not None and "symbols" in document else {}
    for symbol in parts:
        if symbol not in by_symbol:
            part = fields.child(parts, symbol)
            tick_size, lot_size = fields.number(part, "tick_size"), fields.number(part, "lot_size")
            base, quote = fields.text(part, "base"), fields.text(part, "quote")
            by_symbol[symbol] = Instrument(len(by_symbol), symbol, base, quote, tick_size, lot_size)
    return by_symbol


def symbol_pnl(rows: Iterable[HistoryRow], instrument: Instrument) -> FifoBook:
    """Return the FIFO result of those `rows` that are in `instrument`, in their order, starting flat."""
    book = FifoBook(instrument.base)
    for row in rows:
        if row.trade.symbol == instrument.symbol:
            book.apply(row.trade, fee_value(row, instrument))
    return book


def figures_of(
    book: DayBook, marks: Mapping[str, Decimal], reconciliation: JsonObject | None, quoting: JsonObject | None
) -> JsonObject:
    """Return all that follows from the book, with the schema where the document has always said its version."""
    figures = book.figures(marks)
    fixed = {name: figures[name] for name in ("trades", "total_trades")}
    found = identity_and_equity(book, marks, reconciliation)
    return {
        **fixed,
        "schema": SCHEMA,
        **figures,
        **found,
        "flows": [flow_to_json(flow) for flow in book.flows],
        "metrics": metrics(book, marks, found["equity"], quoting),
        "markouts": [],
        "round_trips": last_trips(one.fifo for one in book.symbols.values()),
    }
