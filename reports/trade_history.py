"""The day's trades as the daily document keeps them: merged from poll to poll, never lost, never doubled."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from operator import itemgetter
from sys import intern
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from market.account import VenueTrade, trade_json
from market.clock import NS_PER_MS, iso_time, utc_date
from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import Instrument
from reports import json_fields as fields
from reports.exact import amount, figure
from reports.lots import fee_in_quote

_TIME_MS_MAX: Final = 253_402_300_799_999  # the last ms of the year 9999
_ID_MAX: Final = 2**63 - 1
# The keys of a trade that every entry has, and of what they are in one that we have written.
_KEYS: Final = {
    "id": int,
    "order_id": str,
    "symbol": str,
    "side": str,
    "price": Decimal,
    "qty": Decimal,
    "quote_qty": Decimal,
    "fee": Decimal,
    "fee_asset": str,
    "time_ms": int,
    "is_maker": bool,
    "time": str,
}
_VALUES: Final = itemgetter(*_KEYS)
_KINDS: Final = tuple(_KEYS.values())
_SIDES: Final = dict(Side.__members__)
_DETAILS: Final = ("mid", "quote_age_ms", "level", "model", "rule", "is_picked_off")


TradeKey = tuple[str, int, str]  # symbol, trade id, order id


class Placing(NamedTuple):
    """What an order was placed for; None is what a maker of a former version did not tell.

    Attributes:
        rule: its code.
        level: of its quote, 1 nearest to the mid.
        model: that wanted the quote.
    """

    rule: str
    level: int | None
    model: str | None


class FillDetail(NamedTuple):
    """What is known of a fill besides what the venue tells; None, or no entry, is not known.

    Attributes:
        mid: of the others, our own orders left out, just before the fill.
        mids: likewise, by how many seconds after it.
        quote_age_ms: how long its order had stood.
        level: of the ladder, 1 nearest to the mid.
        model, rule: which quoting model, and which rule of it, had placed the order.
        is_picked_off: whether the order's cancel had been sent before.
    """

    mid: Decimal | None = None
    mids: Mapping[int, Decimal | None] = MappingProxyType({})
    quote_age_ms: int | None = None
    level: int | None = None
    model: str | None = None
    rule: str | None = None
    is_picked_off: bool | None = None


class HistoryRow(NamedTuple):
    """A trade with what its fee cost in quote.

    Attributes:
        fee_in_quote: None for a fee in a third asset of unknown price.
        fee_price: the price of that third asset in quote when the trade was first seen; None for base and quote.
        detail: None where nothing is known.
    """

    trade: VenueTrade
    fee_in_quote: Decimal | None
    fee_price: Decimal | None = None
    detail: FillDetail | None = None

    @property
    def key(self) -> TradeKey:
        """What makes a trade the same trade."""
        return key_of(self.trade)

    @property
    def order(self) -> tuple[int, str, int, str]:
        """Oldest first; trades of one ms by symbol, by the venue's number, and by order."""
        trade = self.trade
        return trade.time_ms, trade.symbol, trade.trade_id, trade.order_id


def key_of(trade: VenueTrade) -> TradeKey:
    """Return what makes a trade the same trade: an account that trades with itself has two halves of one number."""
    return trade.symbol, trade.trade_id, trade.order_id


def reset_reason(known: Iterable[HistoryRow], trades: Iterable[VenueTrade]) -> str | None:
    """Return why `trades` cannot come from the account of the `known` ones, or None when they can.

    A venue that forgot its accounts (a fresh paper exchange, the testnet's monthly wipe) counts trades from 1 again, so
    that a known number returns with another content. One trade that is told as it was recorded proves that the account
    is the same. Times prove nothing: a venue's clock may be set back.
    """
    told = list(trades)
    numbers = {(trade.symbol, trade.trade_id) for trade in told}
    rows: dict[tuple[str, int], list[VenueTrade]] = {}
    for row in known:
        number = (row.trade.symbol, row.trade.trade_id)
        if number in numbers:
            rows.setdefault(number, []).append(row.trade)
    strangers = []
    for trade in told:
        recorded = rows.get((trade.symbol, trade.trade_id), [])
        if trade in recorded:
            return None
        if recorded and not any(_are_halves(trade, one) for one in recorded):
            strangers.append(trade)
    if not strangers:
        return None
    return f"trade {strangers[0].trade_id} of {strangers[0].symbol} is not the one that was recorded"


def vanished(
    known: Iterable[HistoryRow], trades: Sequence[VenueTrade], symbols: Collection[str], *, is_all: bool
) -> bool:
    """Say whether the venue tells none of the `known` trades where it would have to tell them.

    Args:
        trades: what it tells: of each symbol all from its lowest number on.
        symbols: what it was asked for; trades in others prove nothing.
        is_all: whether there are no trades before `trades`.
    """
    told = {key_of(trade) for trade in trades}
    lowest: dict[str, int] = {}
    for trade in trades:
        lowest[trade.symbol] = min(trade.trade_id, lowest.get(trade.symbol, trade.trade_id))
    is_any = False
    for row in known:
        symbol = row.trade.symbol
        if symbol in symbols and (is_all or row.trade.trade_id >= lowest.get(symbol, row.trade.trade_id + 1)):
            if row.key in told:
                return False
            is_any = True
    return is_any


def utc_day(time_ms: int) -> date:
    """Return the UTC day of `time_ms`."""
    return utc_date(time_ms * NS_PER_MS)


def row_to_json(row: HistoryRow, realized: Decimal | None = None) -> JsonObject:
    """Return the row as it stands in `trade_history`, with what the fill realized after fees, by FIFO."""
    fee = {"fee_in_quote": None if row.fee_in_quote is None else amount(row.fee_in_quote)}
    if row.fee_price is not None:
        fee["fee_price"] = amount(row.fee_price)
    entry = trade_json(row.trade, amount, fee)
    if realized is not None:
        entry["realized"] = realized
    return entry if row.detail is None else entry | _detail_to_json(row.detail)


def row_from_json(entry: Any) -> HistoryRow:
    """Return the row that an entry of `trade_history` holds.

    Raises:
        ValueError: naming the field that is missing or not what it should be.
    """
    trade = _usual_trade(entry) or _trade_from_json(entry)
    if not trade.qty > 0:
        raise ValueError(f"qty must be positive, was {trade.qty}")
    fee_in_quote, fee_price = entry.get("fee_in_quote"), entry.get("fee_price")
    if type(fee_in_quote) is not Decimal:
        fee_in_quote = fields.number_or_none(entry, "fee_in_quote")
    if fee_price is not None:
        fee_price = fields.number(entry, "fee_price")
    return HistoryRow(trade, fee_in_quote, fee_price, _detail_from_json(entry))


def _usual_trade(entry: Any) -> VenueTrade | None:
    """Return the trade of an entry of which all is as we write it, in a third of the time; None of others."""
    try:
        values = _VALUES(entry)
    except (KeyError, TypeError):
        return None
    if tuple(map(type, values)) != _KINDS:
        return None
    trade_id, order_id, symbol, side, price, qty, quote_qty, fee, fee_asset, time_ms, is_maker, time = values
    if not (0 <= trade_id <= _ID_MAX and 0 <= time_ms <= _TIME_MS_MAX) or side not in _SIDES:
        return None
    if time != iso_time(time_ms):
        return None
    asset, pair = intern(fee_asset), intern(symbol)
    return VenueTrade(trade_id, order_id, pair, _SIDES[side], price, qty, quote_qty, fee, asset, time_ms, is_maker)


def _trade_from_json(entry: Any) -> VenueTrade:
    if not isinstance(entry, dict):
        raise ValueError(f"expected a trade as an object, was {type(entry).__name__}")  # noqa: TRY004
    side = fields.text(entry, "side")
    if side not in Side.__members__:
        raise ValueError(f"side must be BUY or SELL, was {side[:40]!r}")
    trade = VenueTrade(
        trade_id=fields.integer(entry, "id"),
        order_id=fields.text(entry, "order_id"),
        symbol=fields.text(entry, "symbol"),
        side=Side[side],
        price=fields.number(entry, "price"),
        qty=fields.number(entry, "qty"),
        quote_qty=fields.number(entry, "quote_qty"),
        fee=fields.number(entry, "fee"),
        fee_asset=fields.text(entry, "fee_asset"),
        time_ms=fields.integer(entry, "time_ms", _TIME_MS_MAX),
        is_maker=fields.flag(entry, "is_maker"),
    )
    if entry.get("time") != iso_time(trade.time_ms):
        raise ValueError(f"time must be {iso_time(trade.time_ms)} as time_ms says, was {entry.get('time')!r}")
    return trade


def _detail_to_json(detail: FillDetail) -> JsonObject:
    return {
        "mid": None if detail.mid is None else amount(detail.mid),
        "mids": {str(after_s): None if mid is None else amount(mid) for after_s, mid in sorted(detail.mids.items())},
        "quote_age_ms": detail.quote_age_ms,
        "level": detail.level,
        "model": detail.model,
        "rule": detail.rule,
        "is_picked_off": detail.is_picked_off,
    }


def _detail_from_json(entry: JsonObject) -> FillDetail | None:
    if "mids" not in entry:
        return None
    told = fields.child(entry, "mids")
    mids: dict[int, Decimal | None] = {}
    for name, mid in told.items():
        if not name.isdecimal():
            raise ValueError(f"mids must be by seconds, was {name[:40]!r}")
        mids[int(name)] = mid if type(mid) is Decimal else fields.number_or_none(told, name)  # as nearly all are
    mid, age_ms, level, model, rule, is_picked_off = map(entry.get, _DETAILS)
    return FillDetail(
        mid if type(mid) is Decimal else fields.number_or_none(entry, "mid"),
        mids,
        None if age_ms is None else fields.integer(entry, "quote_age_ms"),
        None if level is None else fields.integer(entry, "level"),
        None if model is None else intern(fields.text(entry, "model")),
        None if rule is None else intern(fields.text(entry, "rule")),
        None if is_picked_off is None else fields.flag(entry, "is_picked_off"),
    )


def fee_value(row: HistoryRow, instrument: Instrument) -> Fraction | None:
    """Return what the fee of `row` cost in quote: exactly for base and quote, as recorded for a third asset."""
    if row.trade.fee_asset in (instrument.base, instrument.quote) or not row.trade.fee:
        return fee_in_quote(row.trade, instrument.base, instrument.quote, {})
    return None if row.fee_in_quote is None else Fraction(row.fee_in_quote)


def valued(trade: VenueTrade, instrument: Instrument, mark_prices: Mapping[str, Decimal]) -> HistoryRow:
    """Return `trade` with what its fee cost, as far as it is known.

    Args:
        mark_prices: mids by symbol, where BNBUSDT prices a BNB fee of a pair quoted in USDT; those of a minute gone by
            under `past_key`, which go before.
    """
    own = fee_in_quote(trade, instrument.base, instrument.quote, {})
    if own is not None:
        return HistoryRow(trade, figure(own))
    symbol = trade.fee_asset + instrument.quote
    mid = mark_prices.get(past_key(symbol, trade.time_ms), mark_prices.get(symbol))
    if mid is None:
        return HistoryRow(trade, None)
    value = fee_in_quote(trade, instrument.base, instrument.quote, {trade.fee_asset: mid})
    assert value is not None, trade
    return HistoryRow(trade, figure(value), mid)


def past_key(symbol: str, time_ms: int) -> str:
    """Return under which name `mark_prices` hold the price of `symbol` in the minute of `time_ms`."""
    return f"{symbol}@{iso_time(time_ms)[:16]}"


def _are_halves(one: VenueTrade, other: VenueTrade) -> bool:
    """Say whether these are the two sides of one trade of the account with itself."""
    same = (one.price, one.qty, one.time_ms) == (other.price, other.qty, other.time_ms)
    return same and one.side is not other.side and one.order_id != other.order_id
