"""Fills, accounts and snapshots to test with, in few words."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import strategies as st

from market.account import Balance, VenueOrder, VenueTrade
from market.codes import Side
from market.instrument import Instrument
from reports.performance import AccountSnapshot

BTC = Instrument(0, "BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"))
ETH = Instrument(1, "ETHUSDT", "ETH", "USDT", Decimal("0.01"), Decimal("0.0001"))
ETH_IN_BTC = Instrument(2, "ETHBTC", "ETH", "BTC", Decimal("0.00001"), Decimal("0.0001"))
DAY = date(2025, 11, 30)
NOON_MS = int(datetime(2025, 11, 30, 12, tzinfo=UTC).timestamp() * 1_000)
DAY_MS = 86_400_000


def fill(
    trade_id: int,
    side: Side,
    qty: str,
    price: str,
    fee: str = "0",
    fee_asset: str = "USDT",
    *,
    symbol: str = "BTCUSDT",
    time_ms: int | None = None,
    is_maker: bool = True,
    order_id: str | None = None,
) -> VenueTrade:
    """Return a fill, `trade_id` seconds after noon unless said otherwise."""
    at = NOON_MS + 1_000 * trade_id if time_ms is None else time_ms
    quote_qty = Decimal(price) * Decimal(qty)
    numbers = (Decimal(price), Decimal(qty), quote_qty, Decimal(fee))
    return VenueTrade(trade_id, order_id or f"o{trade_id}", symbol, side, *numbers, fee_asset, at, is_maker)


def buy(trade_id: int, qty: str, price: str, fee: str = "0", fee_asset: str = "USDT") -> VenueTrade:
    """Return a purchase of BTCUSDT."""
    return fill(trade_id, Side.BUY, qty, price, fee, fee_asset)


def sell(trade_id: int, qty: str, price: str, fee: str = "0", fee_asset: str = "USDT") -> VenueTrade:
    """Return a sale of BTCUSDT."""
    return fill(trade_id, Side.SELL, qty, price, fee, fee_asset)


def account(**totals: str) -> dict[str, Balance]:
    """Return balances without anything locked: `account(BTC="1", USDT="10000")`."""
    return {asset: Balance(Decimal(total), Decimal(0)) for asset, total in totals.items()}


def after(balances: Mapping[str, Balance], trades: Sequence[VenueTrade]) -> dict[str, Balance]:
    """Return what the account holds after `trades` of BTCUSDT, by the plainest arithmetic."""
    totals = {asset: balance.total for asset, balance in balances.items()}
    for trade in trades:
        sign = 1 if trade.side is Side.BUY else -1
        totals["BTC"] += sign * trade.qty
        totals["USDT"] -= sign * trade.quote_qty
        totals[trade.fee_asset] -= trade.fee
    return {asset: Balance(total, Decimal(0)) for asset, total in totals.items()}


def snapshot(
    balances: Mapping[str, Balance],
    trades: Sequence[VenueTrade] = (),
    *,
    instruments: Sequence[Instrument] = (BTC,),
    open_orders: Sequence[VenueOrder] = (),
    marks: Mapping[str, str] | None = None,
    time_ms: int = NOON_MS,
    account_id: str = "",
    has_all_trades: bool = False,
) -> AccountSnapshot:
    """Return what the venue says at `time_ms`."""
    mark_prices = {symbol: Decimal(mark) for symbol, mark in (marks or {}).items()}
    now_ns = time_ms * 1_000_000
    return AccountSnapshot(now_ns, instruments, balances, trades, open_orders, mark_prices, account_id, has_all_trades)


def _random_fill(numbers: tuple[int, int, int, bool, str, bool], trade_id: int) -> VenueTrade:
    price_ticks, qty_lots, fee_units, is_buy, fee_asset, is_maker = numbers
    return fill(
        trade_id,
        Side.BUY if is_buy else Side.SELL,
        str(Decimal(qty_lots) / 100_000),
        str(Decimal(price_ticks) / 100),
        str(Decimal(fee_units) / 100_000_000),
        fee_asset,
        is_maker=is_maker,
    )


FILLS = st.lists(
    st.tuples(
        st.integers(1, 20_000_000),
        st.integers(1, 50_000),
        st.integers(-1_000, 60_000_000),  # a rebate; a fee of the whole quantity and more
        st.booleans(),
        st.sampled_from(["BTC", "USDT", "BNB", "XYZ"]),
        st.booleans(),
    ),
    max_size=30,
).map(lambda rows: [_random_fill(row, index + 1) for index, row in enumerate(rows)])
