"""The last seven days, or any number, from their daily documents: what each brought, and all of them together.

A day without a file is missing and one with a broken file is damaged; neither counts as a day of zero. Days before the
first file of all are none of these. A document without symbols' parts (made by other hands) brings its trades and PnL,
and nothing to volume, fees or the two rates; it is named for that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from operator import add, attrgetter
from typing import Any, Final

from market.exact_json import JsonObject
from reports.exact import figure, rounded
from reports.performance import history_of, instruments_of, is_identical, symbol_pnl
from reports.returns import day_return, ratios
from reports.statistics import share_interval
from reports.totals import paid_fees

DAYS: Final = 7
_RATIO_PLACES: Final = 4
_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Activity:
    """What was traded and earned, of one day or several; amounts in quote.

    Attributes:
        fees: all that were charged and have a price, those on open lots too.
        round_trips: lots closed to the last unit, by FIFO; `wins` of them earned something after fees, and of
            `undecided` nobody knows, for they paid fees that have no price.
    """

    bought: Fraction = _ZERO
    sold: Fraction = _ZERO
    maker_volume: Fraction = _ZERO
    gross: Fraction = _ZERO
    fees: Fraction = _ZERO
    round_trips: int = 0
    wins: int = 0
    undecided: int = 0

    def __add__(self, other: "Activity") -> "Activity":
        """Return both together."""
        return Activity(*map(add, _AMOUNTS(self), _AMOUNTS(other)))

    @property
    def volume(self) -> Fraction:
        """Both sides."""
        return self.bought + self.sold

    @property
    def win_rate(self) -> Fraction | None:
        """Winning round trips / all of which that is known; a tie is no win. None without any."""
        decided = self.round_trips - self.undecided
        return Fraction(self.wins, decided) if decided else None

    @property
    def maker_ratio(self) -> Fraction | None:
        """Maker notional / all. None without trades."""
        return self.maker_volume / self.volume if self.volume else None


_AMOUNTS: Final = attrgetter(*(each.name for each in fields(Activity)))


@dataclass(frozen=True, slots=True)
class ReportedDay:
    """What a daily document says.

    Attributes:
        is_identical: whether its figures are what its trades moved, to the last unit.
        pnl, activity, max_drawdown, presence: None where it cannot say: several quote assets, no parts, no mids.
        quote_assets: of what was traded; `known_quote_assets` of the untraded pairs, too.
    """

    day: date
    buys: int
    sells: int
    pnl: Fraction | None
    activity: Activity | None
    quote_assets: frozenset[str]
    known_quote_assets: frozenset[str]
    is_reconciled: bool | None
    is_identical: bool
    unvalued_assets: frozenset[str]
    max_drawdown: Decimal | None = None
    presence: Decimal | None = None

    @property
    def trades(self) -> int:
        """Fills of both sides."""
        return self.buys + self.sells


@dataclass(frozen=True, slots=True)
class Week:
    """`count` days ending with `last`, of which some are reported, some damaged, and the others missing.

    Attributes:
        first: the first day of which there is any report, here or before; days before it are not missing.
        returns: what the equity of each day has earned, see `reports/returns.py`; none where that is not known.
    """

    last: date
    reported: tuple[ReportedDay, ...]
    damaged: Mapping[date, str]
    pnl_across_midnight: Fraction | None
    count: int = DAYS
    first: date | None = None
    returns: Mapping[date, Fraction] = field(default_factory=dict)

    @property
    def days(self) -> tuple[date, ...]:
        """All days, oldest first."""
        return tuple(self.last - timedelta(days=back) for back in reversed(range(self.count)))

    @property
    def missing(self) -> tuple[date, ...]:
        """The days without a file, from the first that has one on."""
        there = {one.day for one in self.reported} | self.damaged.keys()
        return tuple(day for day in self.days if day not in there and not self.is_before(day))

    def is_before(self, day: date) -> bool:
        """Say whether there was no report yet on `day`."""
        return self.first is not None and day < self.first

    @property
    def quote(self) -> str | None:
        """The quote asset of all amounts, None where there are several, or none is known."""
        quote_assets = self._quote_assets or frozenset[str]().union(*(one.known_quote_assets for one in self.reported))
        return min(quote_assets) if len(quote_assets) == 1 else None

    @property
    def without_activity(self) -> tuple[ReportedDay, ...]:
        """The days with trades that volume, fees and round trips leave out: their documents do not tell them."""
        return tuple(one for one in self.reported if one.trades and one.activity is None)

    @property
    def trades(self) -> int:
        """Fills of all reported days."""
        return sum(one.trades for one in self.reported)

    @property
    def pnl(self) -> Fraction | None:
        """The sum of the days' PnL; None without a reported day or where one cannot say."""
        known = [one.pnl for one in self.reported if one.pnl is not None]
        return (
            sum(known, _ZERO) if known and len(known) == len(self.reported) and len(self._quote_assets) <= 1 else None
        )

    @property
    def activity(self) -> Activity | None:
        """All days' activity together; None where no day can say, or in several quote assets."""
        known = [one.activity for one in self.reported if one.activity is not None]
        return sum(known, Activity()) if known and len(self._quote_assets) <= 1 else None

    @property
    def ratios(self) -> JsonObject:
        """Sharpe and Sortino from the first of these days to the last that has a report."""
        last = max((one.day for one in self.reported), default=self.last)
        return ratios([self.returns.get(day) for day in self.days if day <= last and not self.is_before(day)])

    @property
    def ranked(self) -> list[ReportedDay]:
        """The days with trades and a PnL, worst first; the earlier of two equal days first."""
        days = (one for one in self.reported if one.trades and one.pnl is not None)
        return sorted(days, key=lambda one: one.pnl or _ZERO)

    @property
    def _quote_assets(self) -> frozenset[str]:
        return frozenset[str]().union(*(one.quote_assets for one in self.reported))


def week_of(
    last: date,
    documents: Mapping[date, JsonObject],
    damaged: Mapping[date, str],
    count: int = DAYS,
    first: date | None = None,
) -> Week:
    """Return the `count` days that end with `last`.

    Args:
        documents: the daily documents of these days.
        damaged: why the files that could not be read could not be, by day.
        first: the first day of which there is any report.
    """
    present = [documents[day] for day in sorted(documents)]
    returns = {day: found for day, document in documents.items() if (found := day_return(document)) is not None}
    return Week(last, tuple(map(_reported, present)), damaged, _pnl_across_midnight(present), count, first, returns)


def week_to_json(week: Week, recommendations: list[JsonObject]) -> JsonObject:
    """Return the weekly document; amounts in `quote`, null where there is nothing to say."""
    ranked = week.ranked
    by_day = {one.day: one for one in week.reported}
    return {
        "from": week.days[0].isoformat(),
        "to": week.last.isoformat(),
        "quote": week.quote,
        "days": [_day_to_json(week, day, by_day.get(day)) for day in week.days],
        "total": {
            "days_reported": len(week.reported),
            "days_missing": len(week.missing),
            "days_damaged": len(week.damaged),
            "days_without_volume": [one.day.isoformat() for one in week.without_activity],
            "buys": sum(one.buys for one in week.reported),
            "sells": sum(one.sells for one in week.reported),
            "trades": week.trades,
            "pnl": _figure(week.pnl),
            "pnl_across_midnight": _figure(week.pnl_across_midnight),
            **week.ratios,
            **_activity_to_json(week.activity),
        },
        "best_day": _ranked_to_json(ranked[-1]) if ranked else None,
        "worst_day": _ranked_to_json(ranked[0]) if ranked else None,
        "recommendations": recommendations,
    }


def _reported(document: JsonObject) -> ReportedDay:
    trades = document["trades"]
    symbols = document.get("symbols", {}).values()
    parts = [part for part in symbols if part["buys"] + part["sells"]]
    quote_assets = frozenset(part["quote"] for part in parts)
    has_activity = "symbols" in document and len(quote_assets) <= 1
    return ReportedDay(
        day=date.fromisoformat(document["date"]),
        buys=trades["total_buys"],
        sells=trades["total_sells"],
        pnl=None if trades.get("pnl") is None else Fraction(trades["pnl"]),
        activity=sum((_activity(part) for part in parts), Activity()) if has_activity else None,
        quote_assets=quote_assets,
        known_quote_assets=frozenset(part["quote"] for part in symbols),
        is_reconciled=document["reconciliation"]["is_exact"] if "reconciliation" in document else None,
        is_identical=is_identical(document),
        unvalued_assets=frozenset(asset for part in parts for asset in part["unvalued_fees"]),
        max_drawdown=document.get("metrics", {}).get("max_drawdown", {}).get("value"),
        presence=document.get("quoting", {}).get("presence"),
    )


def _activity(part: Mapping[str, Any]) -> Activity:
    """Return what one symbol's part of a daily document says."""
    return Activity(
        bought=Fraction(part["bought_quote"]),
        sold=Fraction(part["sold_quote"]),
        maker_volume=Fraction(part["maker_volume"]),
        gross=Fraction(part["gross"]),
        fees=paid_fees(part),
        round_trips=part["round_trips"],
        wins=part["wins"],
        undecided=part.get("undecided", 0),
    )


def _pnl_across_midnight(documents: list[JsonObject]) -> Fraction | None:
    """Return realized net with lots carried from day to day, which days of before schema 2 did not do themselves.

    None where that cannot be said: a day within is missing or has no history, there are several quote assets, or the
    venue began the account anew: what the one before had open is nothing that this one can close.
    """
    days = [date.fromisoformat(document["date"]) for document in documents]
    accounts = {document["account_id"] for document in documents if document.get("account_id")}
    is_one_account = len(accounts) <= 1 and not any(document.get("resets") for document in documents[1:])
    is_unbroken = days and (days[-1] - days[0]).days == len(days) - 1 and is_one_account
    if not is_unbroken or any("trade_history" not in document for document in documents):
        return None
    if all(_carries(document) for document in documents[1:]):
        known = [document["trades"]["pnl"] for document in documents]
        return None if None in known else sum(map(Fraction, known), _ZERO)
    rows = [row for document in documents for row in history_of(document)]
    instruments = {symbol: one for document in documents for symbol, one in instruments_of(document).items()}
    traded = [instruments[symbol] for symbol in sorted({row.trade.symbol for row in rows})]
    if len({instrument.quote for instrument in traded}) > 1:
        return None
    return sum((symbol_pnl(rows, instrument).realized_net for instrument in traded), _ZERO)


def _carries(document: JsonObject) -> bool:
    """Say whether a day began with the lots of the day before."""
    before = (date.fromisoformat(document["date"]) - timedelta(days=1)).isoformat()
    parts = document.get("symbols", {}).values()
    return bool(parts) and all(part.get("carried", {}).get("from") == before for part in parts)


def _day_to_json(week: Week, day: date, reported: ReportedDay | None) -> JsonObject:
    if day in week.damaged:
        return {"date": day.isoformat(), "state": "damaged", "reason": week.damaged[day]}
    if reported is None:
        return {"date": day.isoformat(), "state": "before" if week.is_before(day) else "missing"}
    return {
        "date": day.isoformat(),
        "state": "reported",
        "buys": reported.buys,
        "sells": reported.sells,
        "trades": reported.trades,
        "pnl": _figure(reported.pnl),
        **_activity_to_json(reported.activity),
        "max_drawdown": reported.max_drawdown,
        "presence": reported.presence,
        "is_reconciled": reported.is_reconciled,
        "is_identical": reported.is_identical,
    }


def _activity_to_json(activity: Activity | None) -> JsonObject:
    told = activity or Activity()
    decided = told.round_trips - told.undecided
    low, high = map(_share, share_interval(told.wins, decided)) if decided else (None, None)
    figures = {
        "volume": figure(told.volume),
        "gross": figure(told.gross),
        "fees": figure(told.fees),
        "round_trips": told.round_trips,
        "wins": told.wins,
        "undecided": told.undecided,
        "win_rate": _ratio(told.win_rate),
        "win_rate_low": low,
        "win_rate_high": high,
        "maker_ratio": _ratio(told.maker_ratio),
    }
    return dict.fromkeys(figures) if activity is None else figures


def _ranked_to_json(reported: ReportedDay) -> JsonObject:
    return {"date": reported.day.isoformat(), "pnl": _figure(reported.pnl)}


def _figure(value: Fraction | None) -> Decimal | None:
    return None if value is None else figure(value)


def _share(value: float) -> Decimal:
    return rounded(Fraction(value), _RATIO_PLACES)


def _ratio(value: Fraction | None) -> Decimal | None:
    return None if value is None else rounded(value, _RATIO_PLACES)
