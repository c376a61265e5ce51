"""The day's trades as the daily document keeps them: merged from poll to poll, never lost, never doubled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from market.account import VenueTrade
from market.clock import NS_PER_MS, iso_time, utc_date
from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import Instrument
from reports import json_fields as fields
from reports.exact import amount, figure
from reports.pnl import fee_in_quote

_TIME_MS_MAX = 253_402_300_799_999  # the last ms of the year 9999


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A trade with what its fee cost in quote when the trade was first seen (None: a third asset of unknown price)."""

    trade: VenueTrade
    fee_in_quote: Decimal | None

    @property
    def key(self) -> tuple[str, int]:
        """What makes a trade the same trade."""
        return self.trade.symbol, self.trade.trade_id

    @property
    def order(self) -> tuple[int, str, int]:
        """Oldest first; trades of one ms by symbol and by the venue's number."""
        return self.trade.time_ms, self.trade.symbol, self.trade.trade_id


def merged(
    known: Iterable[HistoryRow],
    trades: Iterable[VenueTrade],
    day: date,
    instruments: Mapping[str, Instrument],
    mark_prices: Mapping[str, Decimal],
) -> list[HistoryRow]:
    """Return `known` with those `trades` of the UTC `day` that it lacks, oldest first.

    A known row stays as it is, but for a fee that had no price and now has one: `mark_prices` by symbol, where BNBUSDT
    prices a BNB fee of a pair quoted in USDT.

    Raises:
        ValueError: for a trade in a symbol that is not among `instruments`.
    """
    rows = {row.key: _revalued(row, instruments, mark_prices) for row in known}
    for trade in trades:
        if utc_day(trade.time_ms) == day and (trade.symbol, trade.trade_id) not in rows:
            row = _revalued(HistoryRow(trade, None), instruments, mark_prices)
            rows[row.key] = row
    return sorted(rows.values(), key=lambda row: row.order)


def reset_reason(known: Iterable[HistoryRow], trades: Iterable[VenueTrade]) -> str | None:
    """Return why `trades` cannot come from the account of the `known` ones, or None when they can.

    A venue that forgot its accounts (a fresh paper exchange, the testnet's monthly wipe) counts trades from 1 again: a
    known number returns with another content, or a smaller number comes later in time than a larger one.
    """
    by_key: dict[tuple[str, int], VenueTrade] = {}
    latest: dict[str, VenueTrade] = {}
    for row in known:
        by_key[row.key] = row.trade
        if row.trade.symbol not in latest or row.trade.trade_id > latest[row.trade.symbol].trade_id:
            latest[row.trade.symbol] = row.trade
    for trade in trades:
        same = by_key.get((trade.symbol, trade.trade_id))
        if same is not None and same != trade:
            return f"trade {trade.trade_id} of {trade.symbol} is not the one that was recorded"
        last = latest.get(trade.symbol)
        if last is not None and trade.trade_id < last.trade_id and trade.time_ms > last.time_ms:
            return f"trade {trade.trade_id} of {trade.symbol} is later than trade {last.trade_id}"
    return None


def may_lack_trades(known: Iterable[HistoryRow], trades: Sequence[VenueTrade], window: int, since_ms: int) -> bool:
    """Say whether there may be trades between the `known` ones and `trades`: then ask the venue for older ones.

    Args:
        trades: of one symbol, as the venue gave them when asked for its last `window`.
        since_ms: the start of the day; what lies before is not asked for.
    """
    if len(trades) < window or min(trade.time_ms for trade in trades) < since_ms:
        return False
    seen = {row.key for row in known}
    return all((trade.symbol, trade.trade_id) not in seen for trade in trades)


def utc_day(time_ms: int) -> date:
    """Return the UTC day of `time_ms`."""
    return utc_date(time_ms * NS_PER_MS)


def row_to_json(row: HistoryRow) -> JsonObject:
    """Return the row as it stands in `trade_history`."""
    trade = row.trade
    return {
        "id": trade.trade_id,
        "order_id": trade.order_id,
        "time": iso_time(trade.time_ms),
        "time_ms": trade.time_ms,
        "symbol": trade.symbol,
        "side": trade.side.name,
        "price": amount(trade.price),
        "qty": amount(trade.qty),
        "quote_qty": amount(trade.quote_qty),
        "fee": amount(trade.fee),
        "fee_asset": trade.fee_asset,
        "fee_in_quote": None if row.fee_in_quote is None else amount(row.fee_in_quote),
        "is_maker": trade.is_maker,
    }


def row_from_json(entry: Any) -> HistoryRow:
    """Return the row that an entry of `trade_history` holds.

    Raises:
        ValueError: naming the field that is missing or not what it should be.
    """
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
    if not trade.qty > 0:
        raise ValueError(f"qty must be positive, was {trade.qty}")
    return HistoryRow(trade, fields.number_or_none(entry, "fee_in_quote"))


def fee_value(row: HistoryRow, instrument: Instrument) -> Fraction | None:
    """Return what the fee of `row` cost in quote: exactly for base and quote, as recorded for a third asset."""
    if row.trade.fee_asset in (instrument.base, instrument.quote) or not row.trade.fee:
        return fee_in_quote(row.trade, instrument.base, instrument.quote, {})
    return None if row.fee_in_quote is None else Fraction(row.fee_in_quote)


def _revalued(row: HistoryRow, instruments: Mapping[str, Instrument], mark_prices: Mapping[str, Decimal]) -> HistoryRow:
    if row.fee_in_quote is not None:
        return row
    trade = row.trade
    instrument = instruments.get(trade.symbol)
    if instrument is None:
        raise ValueError(f"trade {trade.trade_id} is in {trade.symbol!r}, expected one of {', '.join(instruments)}")
    mid = mark_prices.get(trade.fee_asset + instrument.quote)
    mids = {} if mid is None else {trade.fee_asset: mid}
    value = fee_in_quote(trade, instrument.base, instrument.quote, mids)
    return row if value is None else HistoryRow(trade, figure(value))
