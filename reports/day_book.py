"""One day's trades and all that follows from them, kept up trade by trade: the last costs what the first did."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from types import MappingProxyType

from market.account import Balance, VenueTrade
from market.clock import iso_time
from market.exact_json import JsonObject, dumps
from market.instrument import Instrument
from reports import json_fields as fields
from reports.carried import Carried, carried_to_json
from reports.curve import Curve
from reports.daily_file import HistoryLines
from reports.exact import figure
from reports.exact_sum import units_of
from reports.maker_fills import MakerFills
from reports.pnl import TRIPS_KEPT
from reports.realized import Realized
from reports.reconciliation import Books, Flow, difference_of, is_flow
from reports.symbol_book import SymbolBook
from reports.totals import Charges, totals
from reports.trade_history import (
    FillDetail,
    HistoryRow,
    TradeKey,
    fee_value,
    key_of,
    row_to_json,
    utc_day,
    valued,
)

_ZERO = Fraction(0)


class DayBook:
    """The trades of one UTC day.

    Args:
        day: trades of other days are no part of it; the books look at them if they moved what the account holds.
        instruments: by symbol, in the order of the report.
        trips_kept: how many of the last round trips of each symbol are kept, None: all.

    Attributes:
        rows: the day's trades, oldest first, and what each has `realized`.
        newest: by symbol, by the venue's number.
        opening: the first sight of the day, see `reports/reconciliation.py`.
        carried: the lots that the day begins with.
        flows: what came into the account and left it without a trade.
        last_sight: the last reconciliation.
        symbols: the figures of each symbol; `curve` is that of all of them together.
        strays: what it was told of other days.
        unvalued_fees: the third assets of which a fee has no price yet, each with the quote asset that it would be in.
    """

    def __init__(self, day: date, instruments: Mapping[str, Instrument], trips_kept: int | None = TRIPS_KEPT) -> None:
        self.day = day
        self._trips_kept = trips_kept
        self.instruments: Mapping[str, Instrument] = dict(instruments)
        self.opening: JsonObject | None = None
        self.carried = Carried()
        self.flows: list[Flow] = []
        self.last_sight: JsonObject | None = None
        self.strays: dict[TradeKey, VenueTrade] = {}
        self._by_number: dict[tuple[str, int], list[HistoryRow]] | None = None  # made when it is asked for
        self._rebuild([])

    @property
    def lines(self) -> HistoryLines:
        """The day's trades as they stand in the file; made when they are asked for."""
        for index in range(len(self._lines.texts), len(self.rows)):
            self._lines.append(dumps(self.entry(index)))
        return self._lines

    def entry(self, index: int) -> JsonObject:
        """Return a row as it stands in `trade_history`."""
        return row_to_json(self.rows[index], self.realized.figure(index))

    def entries(self) -> list[JsonObject]:
        """Return `trade_history`."""
        return [self.entry(index) for index in range(len(self.rows))]

    def knows(self, trade: VenueTrade) -> bool:
        """Say whether just this trade is in the book, of whatever day."""
        row = self._by_key.get(key_of(trade))
        return row.trade == trade if row is not None else self.strays.get(key_of(trade)) == trade

    def detail_of(self, trade: VenueTrade) -> FillDetail | None:
        """Return what is known of a fill; None of one that is not in the book, too."""
        row = self._by_key.get(key_of(trade))
        return None if row is None else row.detail

    def numbered(self, trades: Iterable[VenueTrade]) -> list[HistoryRow]:
        """Return the day's trades that have a number of one of `trades`."""
        if self._by_number is None:
            self._by_number = {}
            for row in self.rows:
                self._by_number.setdefault((row.trade.symbol, row.trade.trade_id), []).append(row)
        numbers = dict.fromkeys((trade.symbol, trade.trade_id) for trade in trades)
        return [row for number in numbers for row in self._by_number.get(number, [])]

    def open(self, opening: JsonObject) -> None:
        """Take the first sight of the day."""
        self.opening = opening
        self._rebuild(self.rows)

    def carry(self, carried: Carried) -> None:
        """Begin with the lots of the day before."""
        missing = {symbol: carried.instruments[symbol] for symbol, lots in carried.lots.items() if lots}
        self.instruments = dict(self.instruments) | {
            symbol: one for symbol, one in missing.items() if symbol not in self.instruments
        }
        self.carried = carried
        self._rebuild(self.rows)

    @property
    def ends(self) -> Mapping[str, Fraction] | None:
        """What the account held at the last sight, by asset; before the first one, at the end of the day before."""
        if self._books is None or self.last_sight is None:
            return self.carried.ends
        return self._books.ends(self.last_sight["differences"])

    def explain_the_night(self) -> None:
        """Book as flows what the opening holds beyond what the day before had at its end; before the first look.

        They are of before the opening, and change no figure of the day: its equity starts after them. Of several signs
        they may be trades that nobody knows of.
        """
        ends, opening = self.carried.ends, self.opening
        assert opening is not None
        if ends is None:
            return
        start, time_ms = self.books.start, fields.integer(opening, "time_ms")
        gaps = {asset: start.get(asset, _ZERO) - ends.get(asset, _ZERO) for asset in sorted(start.keys() | ends.keys())}
        moved = {asset: figure(gap) for asset, gap in gaps.items() if gap}
        is_mixed = len({one > 0 for one in moved.values()}) > 1
        kind = "wipe" if self.carried.is_wiped else "unexplained" if is_mixed else ""
        for asset, amount in moved.items():
            flow = self._flow(time_ms, asset, amount, self.opening_marks)
            self.take_flows([replace(flow, kind=kind or flow.kind)])

    def take_flows(self, flows: Iterable[Flow]) -> None:
        """Take what came into the account, or left it, without a trade."""
        for flow in flows:
            self.flows.append(flow)
            if self._books is not None:
                self._books.add_flow(flow)

    def describe(self, details: Mapping[TradeKey, FillDetail]) -> None:
        """Take what has become known of fills; a mid that had not been known costs what was taken since that fill."""
        first, late, is_marked_anew = len(self.rows), dict[int, Decimal](), False
        pending = details.keys() & self._by_key.keys()
        for index in range(len(self.rows) - 1, -1, -1):  # they are among the last
            if not pending:
                break
            row = self.rows[index]
            if row.key not in pending:
                continue
            pending.remove(row.key)
            if (detail := details[row.key]) != row.detail:
                before = row.detail.mid if row.detail else None
                if before is None and detail.mid is not None:
                    late[index] = detail.mid
                is_marked_anew |= before is not None and detail.mid != before
                self.maker_fills.take(row, -1)
                self.rows[index] = self._by_key[row.key] = row._replace(detail=detail)
                self.maker_fills.take(self.rows[index])
                if row.key in self._unvalued:
                    self._unvalued[row.key] = self.rows[index]
                first = index
        if is_marked_anew or (late and not self.curve.mark_late(late)):
            self._rebuild(self.rows)
            return
        for index in late:
            self.symbols[self.rows[index].trade.symbol].mark_late(self.rows[index])
        self._lines.cut(first)

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
        told = list(rows)
        keys = [key_of(row.trade) for row in told]
        if len(set(keys)) != len(keys):
            twice = next(
                row.trade for row, count in zip(told, map(Counter(keys).__getitem__, keys), strict=True) if count > 1
            )
            raise ValueError(f"trade {twice.trade_id} of order {twice.order_id} stands twice")
        known = self._by_key
        self._take([row for row, key in zip(told, keys, strict=True) if key not in known] if known else told)

    def add(
        self,
        trades: Iterable[VenueTrade],
        mark_prices: Mapping[str, Decimal],
        details: Mapping[TradeKey, FillDetail] = MappingProxyType({}),
    ) -> list[HistoryRow]:
        """Take those `trades` that the book lacks; return those that are of the day, oldest first.

        A known one stays as it is, but for a fee that had no price and now has one; `mark_prices` as in `valued`.
        `details` are what is known of those that are new.

        Raises:
            ValueError: for a trade in a symbol that is not among the instruments; nothing is taken then.
        """
        told = {key_of(trade): trade for trade in trades}
        new = [
            valued(trade, self._instrument_of(trade), mark_prices)._replace(detail=details.get(key))
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
                    self._books.add(trade, self.instruments[trade.symbol])
        return new

    def figures(self, mark_prices: Mapping[str, Decimal]) -> JsonObject:
        """Return all that follows from the day's trades."""
        charges = reduce(Charges.taken_with, (book.charges for book in self.symbols.values()), Charges())
        symbols = {
            symbol: book.to_json(mark_prices.get(symbol), carried_to_json(self.carried, symbol, book.instrument))
            for symbol, book in self.symbols.items()
        }
        return {
            "trades": totals(symbols) | charges.signed(),
            "total_trades": len(self.rows),
            "symbols": symbols,
            "fees": charges.together(),
        }

    def reconciliation(self, balances: Mapping[str, Balance], unsure: Iterable[VenueTrade] = ()) -> JsonObject:
        """Return whether the opening and the trades since then make `balances`; the last of `unsure` may be later."""
        last_first = sorted(unsure, key=lambda trade: (trade.time_ms, trade.trade_id), reverse=True)
        return self.books.compare(balances, [(trade, self.instruments[trade.symbol]) for trade in last_first])

    def look(
        self,
        now_ms: int,
        balances: Mapping[str, Balance],
        mark_prices: Mapping[str, Decimal],
        new: Sequence[HistoryRow],
        unsure: Iterable[VenueTrade],
    ) -> None:
        """Compare the books with the balances of now, and book as a flow what no trade can have moved.

        That is what is the same at two sights in a row, trades between them or none, as far as `is_flow` says so. All
        else stays a difference, from the first trade on that was new then.

        Args:
            new: what has come into the book since the last sight.
            unsure: what may have been traded after the balances: such a sight books nothing.
        """
        unsure = list(unsure)
        found, before = self.reconciliation(balances, unsure), self.last_sight
        if not found["is_exact"]:
            moved = difference_of(found)
            is_known = before is not None and "since_ms" in before and difference_of(before) == moved
            first = None if before is None else before.get("first_trade")
            if is_known and before is not None:
                found["since_ms"] = before["since_ms"]
            else:
                found["since_ms"] = now_ms
                first = first or (_name_of(new[0]) if new else None)
            found["first_trade"] = first
            stood_ms, pairs = now_ms - found["since_ms"], self.instruments.values()
            has_trades, is_over = first is not None, bool(new)
            is_sure = is_known and not unsure
            if is_sure and is_flow(moved, pairs, stood_ms, has_trades=has_trades, is_over_trades=is_over):
                self.take_flows([self._flow_since(found["since_ms"], *one, mark_prices) for one in moved.items()])
                found = self.reconciliation(balances, unsure)
        self.last_sight = found

    def _flow_since(self, time_ms: int, asset: str, amount: Decimal, mark_prices: Mapping[str, Decimal]) -> Flow:
        """Return a flow of after the opening with a time that says so, and that no other one of its kind has.

        A clock that was set back tells an earlier one: the books would not count the flow, and book it again.
        """
        assert self.opening is not None
        flow = self._flow(max(time_ms, fields.integer(self.opening, "time_ms") + 1), asset, amount, mark_prices)
        taken = {one.time_ms for one in self.flows if (one.asset, one.kind) == (asset, flow.kind)}
        while flow.time_ms in taken:
            flow = replace(flow, time_ms=flow.time_ms + 1)
        return flow

    def _flow(self, time_ms: int, asset: str, amount: Decimal, mark_prices: Mapping[str, Decimal]) -> Flow:
        prices = [mark_prices.get(symbol) for symbol, one in self.instruments.items() if one.base == asset]
        return Flow(time_ms, asset, amount, "deposit" if amount > 0 else "withdrawal", next(iter(prices), None))

    @property
    def books(self) -> Books:
        """What the account should hold."""
        assert self._books is not None, "a day has an opening before its books are compared"
        return self._books

    @property
    def opening_marks(self) -> dict[str, Decimal]:
        """The mids at the first sight of the day, by symbol; of before they were kept, none."""
        if self.opening is None or "marks" not in self.opening:
            return {}
        marks = fields.child(self.opening, "marks")
        return {symbol: fields.number(marks, symbol) for symbol in marks}

    @property
    def watched_at_opening(self) -> frozenset[str]:
        """The symbols of the first sight of the day; others have come to it since."""
        return frozenset() if self.opening is None else frozenset(fields.child(self.opening, "last_trade_ids"))

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
        found = {key: row for key, old in self._unvalued.items() if (row := self._priced(old, mark_prices)) != old}
        if found:
            self._rebuild([found.get(row.key, row) for row in self.rows])

    def _priced(self, row: HistoryRow, mark_prices: Mapping[str, Decimal]) -> HistoryRow:
        return valued(row.trade, self.instruments[row.trade.symbol], mark_prices)._replace(detail=row.detail)

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
        self._by_number = None
        self.newest: dict[str, HistoryRow] = {}
        marks = self.opening_marks
        self.symbols = {
            symbol: SymbolBook(one, self.carried.of(symbol), marks.get(symbol), self._trips_kept)
            for symbol, one in self.instruments.items()
        }
        self.curve = Curve({symbol: one.worth_line for symbol, one in self.symbols.items()})
        self.realized = Realized()
        self.maker_fills = MakerFills()
        self._books = None if self.opening is None else Books(self.opening, self.day)
        for row in rows:
            self._append(row)
        if self._books is not None:
            for trade in self.strays.values():
                self._books.add(trade, self.instruments[trade.symbol])
            for flow in self.flows:
                self._books.add_flow(flow)

    def _append(self, row: HistoryRow) -> None:
        trade = row.trade
        symbol, instrument = trade.symbol, self._instrument_of(trade)
        book = self.symbols[symbol]
        self.rows.append(row)
        self._by_key[symbol, trade.trade_id, trade.order_id] = row
        self.maker_fills.take(row)
        if self._by_number is not None:
            self._by_number.setdefault((symbol, trade.trade_id), []).append(row)
        newest = self.newest.get(symbol)
        if newest is None or trade.trade_id > newest.trade.trade_id:
            self.newest[symbol] = row
        mid = row.detail.mid if row.detail else None
        mid_units = None if mid is None else units_of(mid)
        units = book.units_of_fill(row)
        self.realized.take(book.add(row, units, mid_units))
        self.curve.take(symbol, book.worth_line, mid_units)
        if row.fee_in_quote is None and fee_value(row, instrument) is None:
            self._unvalued[row.key] = row
            self.unvalued_fees.add((trade.fee_asset, instrument.quote))
        if self._books is not None:
            self._books.add(trade, instrument, units)


def _name_of(row: HistoryRow) -> JsonObject:
    trade = row.trade
    return {"symbol": trade.symbol, "id": trade.trade_id, "order_id": trade.order_id, "time": iso_time(trade.time_ms)}
