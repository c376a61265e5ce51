"""One step of the history: what the tracker has just read goes into the database, and what that lacks before it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Final

from desk.decisions_file import decision_days, decisions_from, decisions_path
from history import keeping
from history.database import Database
from history.decision_rows import decision_rows
from history.schema import ORDERS, TRADES
from market.account import OPEN_STATUSES, Balance, VenueTrade
from market.clock import NS_PER_MS
from market.exact_json import JsonObject
from market.instrument import Instrument
from reports.bookkeeping import Recorded
from reports.folder import DamagedReportError, ReportsFolder
from reports.performance import AccountSnapshot
from reports.trade_history import FillDetail, HistoryRow, TradeKey, key_of, past_key, valued
from venues.venue import HistoricalVenue, VenueKeysError, VenueRefusedError

PAGE: Final = 1_000
PAGES_MAX: Final = 20  # of one kind in one step; what is still lacking is read in the next
FLOW_DAYS_MAX: Final = 7  # whose files are looked at for flows that were missed
PRICE_OF_NOW_MS: Final = 120_000  # up to which age a fee is valued at the mid of now
_NOTHING: Final = Balance(Decimal(0), Decimal(0))


@dataclass(slots=True)
class KnownSymbol:
    """What is known to be kept of one symbol.

    Attributes:
        newest: the number up to which every trade is kept; None before the first was read.
        newest_order: likewise of orders.
        open_orders: the ids of those that are kept as open.
        told: the trades that were told last, all of them kept.
        unvalued: those of them, and of before, whose fee has no price yet.
    """

    newest: int | None
    newest_order: int | None
    open_orders: set[str]
    told: set[TradeKey] = field(default_factory=set)
    unvalued: dict[TradeKey, VenueTrade] = field(default_factory=dict)


@dataclass(slots=True)
class Kept:
    """What is known to be in the database of an account: all of it can be read there again."""

    account: int
    balances: dict[str, Balance]
    symbols: dict[str, KnownSymbol] = field(default_factory=dict)
    decisions: dict[date, int] = field(default_factory=dict)  # up to which byte of the day's file
    flows_day: date | None = None  # on which the flows of all days before it were kept
    orders_ns: int | None = None  # when they were read, on the monotonic clock
    others: list[Instrument] = field(default_factory=list)  # pairs besides the day's that are to be read yet
    others_day: date | None = None  # on which those were all
    forgotten: date | None = None  # the day on which all that was too old had gone


@dataclass(frozen=True, slots=True)
class HistoryStep:
    """What is done with one snapshot; every part is whole, or not done at all, and then done with the next one.

    All raise HistoryError if the database, VenueError if the venue, and OSError if the disk does not do its part.
    """

    venue: HistoricalVenue
    database: Database
    kept: Kept
    snapshot: AccountSnapshot
    recorded: Recorded
    tell: Callable[[str], object]

    def take_trades(self, instrument: Instrument) -> None:
        """Keep the trades that were told, and before them those that are lacking.

        Raises:
            AnotherAccountError: if they cannot come from the account whose trades are kept.
        """
        known = self._known(instrument.symbol)
        told = [trade for trade in self.snapshot.trades if trade.symbol == instrument.symbol]
        lowest = min((trade.trade_id for trade in told), default=0)
        if known.newest is None or known.newest < lowest:
            if not self._fill_trades(instrument, known, lowest):
                return
            known.told = set()
        self._keep_trades(instrument, known, [trade for trade in told if key_of(trade) not in known.told])
        known.told = {key_of(trade) for trade in told}

    def take_mids(self, details: Mapping[TradeKey, tuple[int, FillDetail]]) -> None:
        """Keep what has become known of the mids around fills, of each with the time of its trade, ms."""
        if details:
            with self.database.transaction() as connection:
                keeping.keep_mids(connection, self.kept.account, details)

    def take_orders(self, instrument: Instrument) -> bool:
        """Keep the orders from the newest that is kept on, and those that were open then and are no more.

        Returns:
            whether that was all of them.
        """
        known = self._known(instrument.symbol)
        open_now = {order.order_id for order in self.snapshot.open_orders if order.symbol == instrument.symbol}
        newest, has_more = known.newest_order or 0, True
        ended = sorted(number for order_id in known.open_orders - open_now if (number := int(order_id)) < newest)
        read_to = -1
        for start in islice(ended, PAGES_MAX):
            known.open_orders.discard(str(start))  # of one that the venue does not know, nothing more is heard
            if start > read_to:
                read_to, _ = self._keep_orders(instrument, known, start)
        for _ in range(PAGES_MAX):
            if has_more:
                newest, has_more = self._keep_orders(instrument, known, newest)
        return not has_more and len(ended) <= PAGES_MAX

    def take_other_pairs(self, pairs: Sequence[Instrument]) -> None:
        """Read on with the pairs that are none of the day's: one in a step, each once a day and after a failure.

        Nobody hands over what became of their last trades and orders: those of the day before were read while it was
        the day, if all went well then.

        Raises:
            AnotherAccountError: as `take_trades`.
        """
        kept, read = self.kept, {one.symbol for one in self.snapshot.instruments}
        if kept.others_day != self.snapshot.day:
            kept.others, kept.others_day = list(pairs), self.snapshot.day
        while kept.others and kept.others[-1].symbol in read:
            kept.others.pop()
        if kept.others and self._catch_up(kept.others[-1]):
            kept.others.pop()

    def _catch_up(self, instrument: Instrument) -> bool:
        """Read a pair from what is kept on; say whether that was all. One that the venue refuses has nothing."""
        known = self._known(instrument.symbol)
        try:
            return self._fill_trades(instrument, known, None) and self.take_orders(instrument)
        except VenueKeysError:
            raise
        except VenueRefusedError:
            return True

    def take_balances(self) -> None:
        """Keep what has changed of the balances, and what came in or left but by trades."""
        before, now = self.kept.balances, self.snapshot.balances  # a venue may leave out what is nothing
        changed = {
            asset: balance
            for asset in dict.fromkeys((*now, *before))
            if (balance := now.get(asset, _NOTHING)) != before.get(asset, _NOTHING)
        }
        ms = self.snapshot.now_ns // NS_PER_MS
        with self.database.transaction() as connection:
            keeping.keep_balances(connection, self.kept.account, ms, changed)
            keeping.keep_flows(connection, self.kept.account, self.recorded.head.get("flows", []))
        before.update(changed)

    def take_flows_of_before(self, folder: ReportsFolder, venue_name: str) -> None:
        """Keep the flows of the days before this one that the history may have missed: a day's file a step.

        Nobody tells them but the daily files. Of a day on which the history was filled to its end none are missing.
        """
        today = self.snapshot.day.toordinal()
        if self.kept.flows_day is not None:
            self._keep_flows(venue_name, [], today)  # it has been filled since, over midnight, too
            return
        with self.database.transaction() as connection:
            position = keeping.position_of(connection, f"flows {venue_name}", self.tell) or 0
        first = max(position, today - FLOW_DAYS_MAX)
        day = next((one for one in folder.days() if first <= one.toordinal() < today), None)
        flows: list[JsonObject] = []
        if day is not None:
            try:
                flows = (folder.read(day) or {}).get("flows", [])
            except (DamagedReportError, OSError) as error:
                self.tell(f"the flows of {day} are not in the history: {error}")
        self._keep_flows(venue_name, flows, today if day is None else day.toordinal() + 1)

    def _keep_flows(self, venue_name: str, flows: Sequence[JsonObject], position: int) -> None:
        if self.kept.flows_day == self.snapshot.day:
            return
        with self.database.transaction() as connection:
            for flow in flows:
                account = keeping.account_at(connection, venue_name, flow["time_ms"])
                keeping.keep_flows(connection, account, [flow])
            keeping.keep_position(connection, f"flows {venue_name}", position)
        if position == self.snapshot.day.toordinal():
            self.kept.flows_day = self.snapshot.day

    def take_decisions(self, run_dir: Path) -> None:
        """Keep what the maker has written of its decisions since.

        A file that cannot be read, another user's, is told, and stands in the way of no other.
        """
        for day in decision_days(run_dir):
            source = f"decisions {day:%Y%m%d}"
            start = self.kept.decisions.get(day)
            if start is None:
                with self.database.transaction() as connection:
                    start = keeping.position_of(connection, source, self.tell) or 0
            name = decisions_path(run_dir, day).name
            try:
                decisions, end = decisions_from(run_dir, day, start)
            except OSError as error:
                self.tell(f"{name} cannot be read, its decisions are not in the history: {error.strerror or error}")
                continue
            if end != start:
                rows, note = decision_rows(decisions, name)
                if note:
                    self.tell(note)
                with self.database.transaction() as connection:
                    keeping.keep_decisions(connection, self.kept.account, rows)
                    keeping.keep_position(connection, source, end)
            self.kept.decisions[day] = end

    def _known(self, symbol: str) -> KnownSymbol:
        known = self.kept.symbols.get(symbol)
        if known is None:
            with self.database.transaction() as connection:
                known = self.kept.symbols[symbol] = KnownSymbol(
                    keeping.sane_position(
                        connection, self._source("trades", symbol), self.kept.account, TRADES, symbol, self.tell
                    ),
                    keeping.sane_position(
                        connection, self._source("orders", symbol), self.kept.account, ORDERS, symbol, self.tell
                    ),
                    keeping.orders_with(connection, self.kept.account, symbol, OPEN_STATUSES, self.tell),
                )
        return known

    def _source(self, kind: str, symbol: str) -> str:
        return f"{kind} {self.kept.account} {symbol}"

    def _fill_trades(self, instrument: Instrument, known: KnownSymbol, lowest: int | None) -> bool:
        """Read at the venue from the newest trade that is kept on; say whether `lowest`, or the last, was reached.

        Asked for is the known number itself, not the next one: it may have another half that is not known.
        """
        for _ in range(PAGES_MAX):
            page = self.venue.trades(instrument, PAGE, from_id=known.newest or 0)
            self._keep_trades(instrument, known, page)
            if len(page) < PAGE or (lowest is not None and page[-1].trade_id >= lowest):
                return True
        return False

    def _keep_trades(self, instrument: Instrument, known: KnownSymbol, trades: Sequence[VenueTrade]) -> None:
        """Keep trades of which the lowest is next to those that are kept, and prices of fees that had none."""
        rows = {row.key: row for row in self.recorded.book.numbered([*trades, *known.unvalued.values()])}
        new = {key_of(trade): rows.get(key_of(trade)) or self._valued(trade, instrument) for trade in trades}
        before = {key: rows[key] for key in known.unvalued.keys() & rows.keys()}
        changed = {key: row for key, row in before.items() if row.fee_in_quote is not None} | new
        newest = max([known.newest or 0, *(trade.trade_id for trade in trades)])
        if changed or known.newest is None:
            with self.database.transaction() as connection:
                keeping.keep_trades(connection, self.kept.account, list(changed.values()), self.tell)
                keeping.keep_position(connection, self._source("trades", instrument.symbol), newest)
        known.newest = newest
        known.unvalued = {key: row.trade for key, row in (before | new).items() if row.fee_in_quote is None}

    def _valued(self, trade: VenueTrade, instrument: Instrument) -> HistoryRow:
        """Return a trade of another day with what its fee cost: at the price of its minute, or at that of now."""
        prices = self.snapshot.mark_prices
        if trade.time_ms < self.snapshot.now_ns // NS_PER_MS - PRICE_OF_NOW_MS:
            prices = {name: price for name, price in prices.items() if name == past_key(name[:-17], trade.time_ms)}
        return valued(trade, instrument, prices)

    def _keep_orders(self, instrument: Instrument, known: KnownSymbol, start: int) -> tuple[int, bool]:
        """Keep a page of orders, from one that is kept on; return the last one's number, and whether there are more."""
        page = self.venue.orders(instrument, PAGE, from_id=start)
        last = int(page[-1].order_id) if page else start
        newest = max(known.newest_order or 0, last)
        with self.database.transaction() as connection:
            keeping.keep_orders(connection, self.kept.account, instrument.symbol, page, self.tell)
            keeping.keep_position(connection, self._source("orders", instrument.symbol), newest)
        known.newest_order = newest
        for order in page:
            (known.open_orders.add if order.is_open else known.open_orders.discard)(order.order_id)
        return last, len(page) == PAGE
