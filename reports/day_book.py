"""One day's trades and all that follows from them, kept up trade by trade: the last costs what the first did."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction

from market.account import Balance, VenueTrade
from market.codes import Side
from market.exact_json import JsonObject, dumps
from market.instrument import Instrument
from reports.daily_file import HistoryLines
from reports.exact import amount, decimals_of, figure, rounded
from reports.pnl import FifoBook
from reports.reconciliation import Books
from reports.trade_history import HistoryRow, TradeKey, fee_value, key_of, row_to_json, utc_day, valued

_ZERO = Fraction(0)


class DayBook:
    """The trades of one UTC day.

    Args:
        day: trades of other days are no part of it; the books look at them if they moved what the account holds.
        instruments: by symbol, in the order of the report.

    Attributes:
        rows: the day's trades, oldest first.
        newest: by symbol, by the venue's number.
        opening: the first sight of the day, see `reports/reconciliation.py`.
        strays: what it was told of other days.
        unvalued_fees: the third assets of which a fee has no price yet, each with the quote asset that it would be in.
    """

    def __init__(self, day: date, instruments: Mapping[str, Instrument]) -> None:
        self.day = day
        self.instruments: Mapping[str, Instrument] = dict(instruments)
        self.opening: JsonObject | None = None
        self.strays: dict[TradeKey, VenueTrade] = {}
        self._rebuild([])

    @property
    def lines(self) -> HistoryLines:
        """The day's trades as they stand in the file; made when they are asked for."""
        for row in self.rows[len(self._lines.texts) :]:
            self._lines.append(dumps(row_to_json(row)))
        return self._lines

    def knows(self, trade: VenueTrade) -> bool:
        """Say whether just this trade is in the book, of whatever day."""
        row = self._by_key.get(key_of(trade))
        return row.trade == trade if row is not None else self.strays.get(key_of(trade)) == trade

    def numbered(self, trades: Iterable[VenueTrade]) -> list[HistoryRow]:
        """Return the day's trades that have a number of one of `trades`."""
        numbers = dict.fromkeys((trade.symbol, trade.trade_id) for trade in trades)
        return [row for number in numbers for row in self._by_number.get(number, [])]

    def open(self, opening: JsonObject) -> None:
        """Take the first sight of the day."""
        self.opening = opening
        self._rebuild(self.rows)

    def watch(self, instruments: Iterable[Instrument]) -> None:
        """Add `instruments` to those of the day, before those that it has; the rules of known ones are taken anew."""
        given = {one.symbol: one for one in instruments}
        if all(self.instruments.get(symbol) == one for symbol, one in given.items()):
            return
        self.instruments = given | {symbol: one for symbol, one in self.instruments.items() if symbol not in given}
        self._rebuild(self.rows)

    def load(self, rows: Iterable[HistoryRow]) -> None:
        """Take rows that are on file as they are; those that the book has already count once.

        Raises:
            ValueError: if one of them stands there twice.
        """
        seen: set[TradeKey] = set()
        new: list[HistoryRow] = []
        for row in rows:
            if row.key in seen:
                raise ValueError(f"trade {row.trade.trade_id} of order {row.trade.order_id} stands twice")
            seen.add(row.key)
            if row.key not in self._by_key:
                new.append(row)
        self._take(new)

    def add(self, trades: Iterable[VenueTrade], mark_prices: Mapping[str, Decimal]) -> None:
        """Take those `trades` that the book lacks.

        A known one stays as it is, but for a fee that had no price and now has one; `mark_prices` as in `valued`.

        Raises:
            ValueError: for a trade in a symbol that is not among the instruments; nothing is taken then.
        """
        told = {key_of(trade): trade for trade in trades}
        new = [
            valued(trade, self._instrument_of(trade), mark_prices)
            for key, trade in told.items()
            if key not in self._by_key and utc_day(trade.time_ms) == self.day
        ]
        strays = [trade for key, trade in told.items() if utc_day(trade.time_ms) != self.day]
        for trade in strays:
            self._instrument_of(trade)
        self._revalue(mark_prices)
        self._take(new)
        for trade in strays:
            if key_of(trade) not in self.strays:
                self.strays[key_of(trade)] = trade
                if self._books is not None:
                    self._books.add(trade, self.instruments[trade.symbol], is_of_day=False)

    def figures(self, mark_prices: Mapping[str, Decimal]) -> JsonObject:
        """Return all that follows from the day's trades."""
        symbols = {symbol: book.to_json(mark_prices.get(symbol)) for symbol, book in self._symbols.items()}
        return {
            "trades": totals(symbols),
            "total_trades": len(self.rows),
            "symbols": symbols,
            "fees": {asset: figure(fee) for asset, fee in self._fees.items()},
        }

    def reconciliation(self, balances: Mapping[str, Balance], unsure: Iterable[VenueTrade] = ()) -> JsonObject:
        """Return whether the opening and the trades since then make `balances`; the last of `unsure` may be later."""
        assert self._books is not None, "a day has an opening before its books are compared"
        last_first = sorted(unsure, key=lambda trade: (trade.time_ms, trade.trade_id), reverse=True)
        later = [(trade, self.instruments[trade.symbol], utc_day(trade.time_ms) == self.day) for trade in last_first]
        return self._books.compare(balances, later)

    def _instrument_of(self, trade: VenueTrade) -> Instrument:
        instrument = self.instruments.get(trade.symbol)
        if instrument is None:
            known = ", ".join(self.instruments)
            raise ValueError(f"trade {trade.trade_id} is in {trade.symbol!r}, expected one of {known}")
        return instrument

    def _revalue(self, mark_prices: Mapping[str, Decimal]) -> None:
        """Give a price to the fees that had none, where there is one now."""
        if not self.unvalued_fees or not any(asset + quote in mark_prices for asset, quote in self.unvalued_fees):
            return
        found = {
            key: row
            for key, old in self._unvalued.items()
            if (row := valued(old.trade, self.instruments[old.trade.symbol], mark_prices)) != old
        }
        if found:
            self._rebuild([found.get(row.key, row) for row in self.rows])

    def _take(self, rows: list[HistoryRow]) -> None:
        """Add rows that the book lacks; all is done anew when one of them is no newer than the newest there is."""
        rows.sort(key=lambda row: row.order)
        if rows and self.rows and rows[0].order < self.rows[-1].order:
            self._rebuild(sorted([*self.rows, *rows], key=lambda row: row.order))
            return
        for row in rows:
            self._append(row)

    def _rebuild(self, rows: list[HistoryRow]) -> None:
        self._lines = HistoryLines()
        self.rows: list[HistoryRow] = []
        self._by_key: dict[TradeKey, HistoryRow] = {}
        self._unvalued: dict[TradeKey, HistoryRow] = {}
        self.unvalued_fees: set[tuple[str, str]] = set()
        self._by_number: dict[tuple[str, int], list[HistoryRow]] = {}
        self.newest: dict[str, HistoryRow] = {}
        self._fees: dict[str, Fraction] = {}
        self._symbols = {symbol: _SymbolBook(one) for symbol, one in self.instruments.items()}
        self._books = None if self.opening is None else Books(self.opening)
        for row in rows:
            self._append(row)
        if self._books is not None:
            for trade in self.strays.values():
                self._books.add(trade, self.instruments[trade.symbol], is_of_day=False)

    def _append(self, row: HistoryRow) -> None:
        trade, instrument = row.trade, self._instrument_of(row.trade)
        self.rows.append(row)
        self._by_key[row.key] = row
        self._by_number.setdefault((trade.symbol, trade.trade_id), []).append(row)
        newest = self.newest.get(trade.symbol)
        if newest is None or trade.trade_id > newest.trade.trade_id:
            self.newest[trade.symbol] = row
        self._symbols[trade.symbol].add(row)
        if trade.fee:
            self._fees[trade.fee_asset] = self._fees.get(trade.fee_asset, _ZERO) + Fraction(trade.fee)
        if fee_value(row, instrument) is None:
            self._unvalued[row.key] = row
            self.unvalued_fees.add((trade.fee_asset, instrument.quote))
        if self._books is not None:
            self._books.add(trade, instrument, is_of_day=True)


class _SymbolBook:
    """One symbol's figures; all amounts in its quote asset but quantities and unvalued fees."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._fifo = FifoBook(instrument.base)
        self._volumes = {side: _Volume() for side in Side}

    def add(self, row: HistoryRow) -> None:
        self._fifo.apply(row.trade, fee_value(row, self._instrument))
        self._volumes[row.trade.side].add(row.trade)

    def to_json(self, mark: Decimal | None) -> JsonObject:
        instrument, fifo, buys, sells = self._instrument, self._fifo, self._volumes[Side.BUY], self._volumes[Side.SELL]
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
            "gross": figure(fifo.realized_gross),
            "realized_fees": figure(fifo.realized_fees),
            "pnl": figure(fifo.realized_net),
            "round_trips": fifo.round_trips,
            "wins": fifo.wins,
            "undecided": fifo.undecided,
            "position": figure(fifo.position),
            "open_fees": figure(fifo.open_fees),
            "mark_price": None if mark is None else amount(mark),
            "unrealized": None if mark is None else figure(fifo.unrealized(mark)),
            "marked_pnl": None if mark is None else figure(fifo.marked(mark)),
            "identity_gap": figure(fifo.identity_gap(Decimal(0) if mark is None else mark)),
            "unvalued_fees": {asset: figure(fee) for asset, fee in fifo.unvalued_fees.items()},
        }


class _Volume:
    """What was traded on one side of a symbol."""

    def __init__(self) -> None:
        self.count = 0
        self.base = self.quote = self.maker_quote = _ZERO

    def add(self, trade: VenueTrade) -> None:
        self.count += 1
        self.base += Fraction(trade.qty)
        self.quote += Fraction(trade.quote_qty)
        if trade.is_maker:
            self.maker_quote += Fraction(trade.quote_qty)

    def average_price(self, places: int) -> Decimal | None:
        return rounded(self.quote / self.base, places) if self.base else None


def totals(symbols: JsonObject) -> JsonObject:
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
