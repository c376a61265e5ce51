"""Do the books agree with the venue: opening balances plus what was traded are the balances now, to the last unit."""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final

from market.account import Balance, VenueTrade
from market.clock import NS_PER_DAY, NS_PER_MS, day_bounds_ns, iso_time
from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import Instrument
from reports import json_fields as fields
from reports.exact import EXACT, amount, figure
from reports.exact_sum import UNIT, units_of
from reports.lots import FillUnits, fill_units
from reports.trade_history import past_key

SETTLED_MS: Final = 60_000  # after which a venue surely tells a trade wherever it is asked

_NOTHING = Decimal(0)
_DAY_MS = NS_PER_DAY // NS_PER_MS
_Changes = tuple[tuple[str, int], ...]  # of what a trade moved: asset, and how much of it came in units of 10^-60


@dataclass(frozen=True, slots=True)
class Flow:
    """What came into the account, or left it, without a trade.

    Attributes:
        time_ms: when it was noticed.
        amount: less than nothing of what left.
        kind: deposit, withdrawal, wipe (the venue began the account anew), unexplained (while nobody watched).
        price: the mid of the asset in quote when it was noticed; None where it is not known, and for the quote itself.
    """

    time_ms: int
    asset: str
    amount: Decimal
    kind: str
    price: Decimal | None = None


def flow_to_json(flow: Flow) -> JsonObject:
    """Return a flow as the daily document tells it."""
    return {
        "time": iso_time(flow.time_ms),
        "time_ms": flow.time_ms,
        "asset": flow.asset,
        "amount": amount(flow.amount),
        "kind": flow.kind,
        "price": None if flow.price is None else amount(flow.price),
    }


def flow_from_json(entry: JsonObject) -> Flow:
    """Return the flow that an entry of `flows` holds.

    Raises:
        ValueError: naming the field that is wrong.
    """
    kind, moved = fields.text(entry, "kind"), fields.number(entry, "amount")
    price = fields.number_or_none(entry, "price")
    return Flow(fields.integer(entry, "time_ms"), fields.text(entry, "asset"), moved, kind, price)


def opening_of(
    time_ms: int,
    instruments: Iterable[Instrument],
    balances: Mapping[str, Balance],
    trades: Iterable[VenueTrade],
    marks: Mapping[str, Decimal],
) -> JsonObject:
    """Return the first sight of a day: balances, mids, and the last trade of each symbol that they already hold."""
    instruments = list(instruments)
    last_trade_ids = {instrument.symbol: 0 for instrument in instruments}
    for trade in trades:
        last_trade_ids[trade.symbol] = max(trade.trade_id, last_trade_ids.get(trade.symbol, 0))
    return {
        "time": iso_time(time_ms),
        "time_ms": time_ms,
        "last_trade_ids": last_trade_ids,
        "balances": balances_to_json(balances),
        "marks": {one.symbol: amount(marks[one.symbol]) for one in instruments if one.symbol in marks},
    }


def with_prices(opening: JsonObject, symbols: Iterable[str], prices: Mapping[str, Decimal]) -> JsonObject:
    """Return the first sight of a day with what pairs cost in its minute of which no mid was known; it may be the same.

    Args:
        symbols: those of the day now.
        prices: by `past_key`.
    """
    time_ms, marks = fields.integer(opening, "time_ms"), opening.get("marks", {})
    asked = ((symbol, prices.get(past_key(symbol, time_ms))) for symbol in symbols if symbol not in marks)
    found = {symbol: amount(price) for symbol, price in asked if price is not None}
    return opening | {"marks": marks | found} if found else opening


class Books:
    """What the account should hold: the opening, and what every trade since has moved.

    A trade since then counts whichever day it bears: at midnight, and while the clocks of venue and desk differ, a
    trade of another day's file moves the balances of this one.
    """

    def __init__(self, opening: JsonObject, day: date) -> None:
        """Begin the books of `day` with `opening`.

        Raises:
            ValueError: if it is not what `opening_of` made.
        """
        self._opening = opening
        self._opened_ms = fields.integer(opening, "time_ms")
        self._last_ids = _last_ids(opening)
        self._day = day
        self._first_ms = day_bounds_ns(day)[0] // NS_PER_MS
        balances = fields.child(opening, "balances")
        self._expected = _Totals()
        for asset in balances:
            for name in ("free", "locked"):
                self._expected.take(asset, units_of(fields.number(fields.child(balances, asset), name)))
        self._start = _Totals(self._expected)
        self._moved = _Totals()
        self._traded = _Totals()  # by the trades of the day after the opening: they are in both of those, too
        self._since = self._since_of_other_days = 0

    def add(self, trade: VenueTrade, instrument: Instrument, units: FillUnits | None = None) -> None:
        """Take a trade, in integers where they are known; one that the opening holds does not change what is expected.

        Raises:
            ValueError: if it has no quantity.
        """
        is_of_day, moved = self._is_of_day(trade), changes(trade, instrument, units or fill_units(trade, None))
        is_after_opening = _is_after(trade, self._last_ids, self._opened_ms)
        if is_of_day and is_after_opening:  # as nearly all are
            self._since += 1
            traded = self._traded
            for asset, change in moved:
                traded[asset] = traded.get(asset, 0) + change
            return
        if is_after_opening:
            self._count(moved, 1, is_of_day=False)
        for asset, change in moved:
            if is_of_day:
                self._moved.take(asset, change)
            if trade.time_ms < self._first_ms if is_after_opening else is_of_day:
                self._start.take(asset, change if is_after_opening else -change)

    def add_flow(self, flow: Flow) -> None:
        """Take what came or left without a trade; what did so before the opening is in its balances."""
        if self.counts(flow):
            self._expected.take(flow.asset, units_of(flow.amount))
            self._moved.take(flow.asset, units_of(flow.amount))

    def counts(self, flow: Flow) -> bool:
        """Say whether a flow came after the opening."""
        return flow.time_ms > self._opened_ms

    @property
    def start(self) -> Mapping[str, Fraction]:
        """What the account held when the day's first trade was still to come, by asset.

        The opening without those trades of the day that it holds already, and with those of the day before that it
        does not hold yet.
        """
        return self._start.fractions

    @property
    def moved(self) -> Mapping[str, Fraction]:
        """What the day's trades, and the flows since the opening, have moved, by asset."""
        return self._moved.taken_with(self._traded).fractions

    def ends(self, differences: Mapping[str, Mapping[str, Decimal]]) -> dict[str, Fraction]:
        """Return what the account holds at the end, by asset: of the start, what was moved, and what nobody explains.

        That is what the venue tells, without those trades that are in the file of another day.
        """
        found = self._start.taken_with(self._moved).taken_with(self._traded)
        for asset, row in differences.items():
            found.take(asset, units_of(row["difference"]))
        return found.fractions

    def compare(
        self, balances: Mapping[str, Balance], later: Sequence[tuple[VenueTrade, Instrument]] = ()
    ) -> JsonObject:
        """Return whether the account holds what it should, with the assets where it does not.

        A difference is what it holds beyond what is expected: a deposit, a withdrawal, a missed trade.

        Args:
            later: trades that may have happened after `balances`, last first: the books agree if they do without some
                of them.
        """
        found = self._compared(balances)
        books = copy(self)
        books._expected = _Totals(self._expected)
        for trade, instrument in later:
            if found["is_exact"]:
                return found
            if _is_after(trade, self._last_ids, self._opened_ms):
                moved = changes(trade, instrument, fill_units(trade, None))
                books._count(moved, -1, is_of_day=self._is_of_day(trade))
            without = books._compared(balances) | self._strays()
            found = without if without["is_exact"] else found
        return found

    def _is_of_day(self, trade: VenueTrade) -> bool:
        return 0 <= trade.time_ms - self._first_ms < _DAY_MS

    def _count(self, moved: _Changes, times: int, *, is_of_day: bool) -> None:
        """Count a trade that came after the opening."""
        self._since += times * is_of_day
        self._since_of_other_days += times * (not is_of_day)
        for asset, change in moved:
            self._expected.take(asset, times * change)

    def _compared(self, balances: Mapping[str, Balance]) -> JsonObject:
        expected = self._expected.taken_with(self._traded)
        now = {asset: units_of(held(balances, asset)) for asset in balances}
        differences = {}
        for asset in sorted(expected.keys() | now.keys()):
            due, actual = expected.get(asset, 0), now.get(asset, 0)
            if due != actual:
                amounts = ("expected", due), ("actual", actual), ("difference", actual - due)
                differences[asset] = {name: figure(Fraction(each, UNIT)) for name, each in amounts}
        found: JsonObject = {"is_exact": not differences, "trades_since_opening": self._since}
        return found | self._strays() | {"differences": differences}

    def _strays(self) -> JsonObject:
        return {"trades_of_other_days": self._since_of_other_days} if self._since_of_other_days else {}


class _Totals(dict[str, int]):
    """How much of each asset, in units of 10^-60."""

    def take(self, asset: str, change: int) -> None:
        """Add a change."""
        self[asset] = self.get(asset, 0) + change

    def taken_with(self, others: Mapping[str, int]) -> "_Totals":
        """Return these and others together."""
        found = _Totals(self)
        for asset, change in others.items():
            found.take(asset, change)
        return found

    @property
    def fractions(self) -> dict[str, Fraction]:
        """The same, for arithmetic with prices."""
        return {asset: Fraction(total, UNIT) for asset, total in self.items()}


def difference_of(reconciliation: JsonObject) -> dict[str, Decimal]:
    """Return what the account holds beyond what is expected, by asset; trades change both, and leave this."""
    return {asset: row["difference"] for asset, row in reconciliation["differences"].items()}


def is_flow(
    moved: Mapping[str, Decimal], pairs: Iterable[Instrument], stood_ms: int, *, has_trades: bool, is_over_trades: bool
) -> bool:
    """Say whether a difference that stood at two sights in a row came or left without a trade.

    A trade moves two assets, one up and one down: what has several signs may be one that the venue has not told. What
    came together with trades may be one that it told wrong, until others have come and left the difference as it was:
    each explains itself, the rest is none of theirs. What moved both assets of a pair one way may be a flow and a trade
    that is not told yet. After `SETTLED_MS` neither is so.

    Args:
        moved: the difference, by asset.
        pairs: those of the day.
        stood_ms: for how long it has been the same.
        has_trades: whether there were new trades when it began.
        is_over_trades: whether there are new ones now, and it is the same all the same.
    """
    if len({amount > 0 for amount in moved.values()}) != 1:
        return False
    is_of_a_pair = any(one.base in moved and one.quote in moved for one in pairs)
    is_bound = is_of_a_pair or (has_trades and not is_over_trades)
    return stood_ms >= SETTLED_MS or not is_bound


def changes(trade: VenueTrade, instrument: Instrument, units: FillUnits) -> _Changes:
    """Return what `trade` moved in the account, by asset."""
    base, quote = (units.qty, -units.money) if trade.side is Side.BUY else (-units.qty, units.money)
    return (instrument.base, base), (instrument.quote, quote), (trade.fee_asset, -units.fee)


def balances_to_json(balances: Mapping[str, Balance]) -> dict[str, dict[str, Decimal]]:
    """Return every asset as `{"free": 1.0, "locked": 0.00011}`."""
    return {
        asset: {"free": amount(balance.free), "locked": amount(balance.locked)} for asset, balance in balances.items()
    }


def held(balances: Mapping[str, Balance], asset: str) -> Decimal:
    """Return what the account holds of an asset, free and locked together."""
    return EXACT.add(balances[asset].free, balances[asset].locked) if asset in balances else _NOTHING


def opening_total(opening: JsonObject, asset: str) -> Decimal:
    """Return what the account held of an asset at the opening of a day, free and locked together."""
    balances = fields.child(opening, "balances")
    if asset not in balances:
        return _NOTHING
    balance = fields.child(balances, asset)
    return EXACT.add(fields.number(balance, "free"), fields.number(balance, "locked"))


def is_after(trade: VenueTrade, opening: JsonObject) -> bool:
    """Say whether the opening balances do not hold `trade` yet; by time in a symbol that was not watched then."""
    return _is_after(trade, _last_ids(opening), fields.integer(opening, "time_ms"))


def _last_ids(opening: JsonObject) -> dict[str, int]:
    told = fields.child(opening, "last_trade_ids")
    return {symbol: fields.integer(told, symbol) for symbol in told}


def _is_after(trade: VenueTrade, last_ids: Mapping[str, int], opened_ms: int) -> bool:
    last_id = last_ids.get(trade.symbol)
    return trade.time_ms > opened_ms if last_id is None else trade.trade_id > last_id
