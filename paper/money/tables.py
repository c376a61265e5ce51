"""The tables of the ledger, and the way between their rows and the exchange's orders and trades."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from market.codes import SelfTradePrevention, Side, TimeInForce
from paper.money.commission import FeePlace, Terms
from paper.orders import AccountTrade, Order, OrderKind, OrderStatus
from paper.units import Symbol

SCHEMA_VERSION: Final = 6
ANY_ENGINE: Final = "*"  # in a ledger of version 4 or before: the one in front of which the exchange was
IS_OPEN: Final = "status IN ('PENDING_NEW', 'NEW', 'PARTIALLY_FILLED')"
_ACCOUNTS: Final = """CREATE TABLE accounts (
    account INTEGER PRIMARY KEY, reset_count INTEGER NOT NULL, reset_ms INTEGER NOT NULL, is_bnb_payer INTEGER,
    clearing TEXT NOT NULL
);"""
_ENGINES: Final = """CREATE TABLE engines (
    engine TEXT PRIMARY KEY, epoch INTEGER NOT NULL, report_sequence INTEGER NOT NULL
) WITHOUT ROWID;"""
SCHEMA: Final = f"""
{_ACCOUNTS}
{_ENGINES}
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE epochs (number INTEGER PRIMARY KEY, epoch INTEGER NOT NULL UNIQUE);
CREATE TABLE symbols (name TEXT PRIMARY KEY, tick_units INTEGER NOT NULL, lot_units INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE balances (
    account INTEGER NOT NULL, asset TEXT NOT NULL, free INTEGER NOT NULL, locked INTEGER NOT NULL,
    PRIMARY KEY (account, asset), CHECK (account = 0 OR (free >= 0 AND locked >= 0))
) WITHOUT ROWID;
CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY, account INTEGER NOT NULL, symbol TEXT NOT NULL, client_order_id TEXT NOT NULL,
    side INTEGER NOT NULL, kind TEXT NOT NULL, time_in_force INTEGER NOT NULL, self_trade_prevention INTEGER NOT NULL,
    price_ticks INTEGER NOT NULL, qty_lots INTEGER NOT NULL, quote_order_units INTEGER NOT NULL,
    time_ms INTEGER NOT NULL, update_ms INTEGER NOT NULL, status TEXT NOT NULL, filled_lots INTEGER NOT NULL,
    prevented_lots INTEGER NOT NULL, filled_units INTEGER NOT NULL, engine_epoch INTEGER NOT NULL,
    stop_ticks INTEGER NOT NULL DEFAULT 0, display_lots INTEGER NOT NULL DEFAULT 0,
    working_ms INTEGER NOT NULL DEFAULT 0, next_client_order_id TEXT NOT NULL DEFAULT '',
    maker_rate INTEGER NOT NULL DEFAULT 0, taker_rate INTEGER NOT NULL DEFAULT 0,
    fee_place TEXT NOT NULL DEFAULT 'received', queue_number INTEGER NOT NULL DEFAULT 0,
    expiry_reason TEXT NOT NULL DEFAULT ''
);
CREATE INDEX orders_by_symbol ON orders (account, symbol, order_id);
CREATE INDEX orders_by_time ON orders (account, symbol, time_ms);
CREATE INDEX orders_by_client_id ON orders (account, client_order_id);
CREATE INDEX open_orders ON orders (order_id) WHERE {IS_OPEN};
CREATE TABLE trades (
    trade_id INTEGER NOT NULL, account INTEGER NOT NULL, symbol TEXT NOT NULL, order_id INTEGER NOT NULL,
    side INTEGER NOT NULL, price_ticks INTEGER NOT NULL, qty_lots INTEGER NOT NULL, quote_units INTEGER NOT NULL,
    fee_units INTEGER NOT NULL, fee_asset TEXT NOT NULL, time_ms INTEGER NOT NULL, is_maker INTEGER NOT NULL,
    PRIMARY KEY (account, symbol, trade_id, order_id)
) WITHOUT ROWID;
CREATE INDEX trades_by_order ON trades (order_id, trade_id);
CREATE INDEX trades_by_time ON trades (account, symbol, time_ms);
"""
# What makes a ledger of a version one of the next.
UPGRADES: Final = {
    1: """
ALTER TABLE orders ADD COLUMN stop_ticks INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN display_lots INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN working_ms INTEGER NOT NULL DEFAULT 0;
UPDATE orders SET working_ms = time_ms;
""",
    2: """
ALTER TABLE orders ADD COLUMN next_client_order_id TEXT NOT NULL DEFAULT '';
""",
    # Orders of that time pay nothing: a rate that they did not know could need more than was set aside for them.
    3: """
CREATE TABLE accounts (
    account INTEGER PRIMARY KEY, reset_count INTEGER NOT NULL, reset_ms INTEGER NOT NULL, is_bnb_payer INTEGER,
    is_clearing INTEGER NOT NULL
);
ALTER TABLE orders ADD COLUMN maker_rate INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN taker_rate INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN fee_place TEXT NOT NULL DEFAULT 'received';
ALTER TABLE orders ADD COLUMN queue_number INTEGER NOT NULL DEFAULT 0;
""",
    4: f"""
ALTER TABLE accounts ADD COLUMN clearing TEXT NOT NULL DEFAULT '';
UPDATE accounts SET clearing = '{ANY_ENGINE}' WHERE is_clearing;
ALTER TABLE accounts DROP COLUMN is_clearing;
{_ENGINES}
INSERT INTO engines
    SELECT '{ANY_ENGINE}', value, coalesce((SELECT value FROM counters WHERE name = 'report_sequence'), 0)
    FROM counters WHERE name = 'epoch';
DELETE FROM counters WHERE name IN ('epoch', 'report_sequence');
""",  # noqa: S608 - built from constants
    # Why an order of that time expired is told by its kind alone, but for what the exchange itself has ended.
    5: """
ALTER TABLE orders ADD COLUMN expiry_reason TEXT NOT NULL DEFAULT '';
UPDATE orders SET expiry_reason = CASE
    WHEN kind IN ('MARKET', 'STOP_LOSS', 'TAKE_PROFIT') THEN 'INSUFFICIENT_LIQUIDITY'
    WHEN time_in_force = 1 THEN 'UNFILLED_IOC_QUANTITY_EXPIRED'
    WHEN time_in_force = 2 THEN 'UNFILLED_FOK_ORDER_EXPIRED'
    ELSE 'EXCHANGE_CANCELED' END
    WHERE status = 'EXPIRED';
""",
}
ORDER_COLUMNS: Final = (
    "order_id, account, symbol, client_order_id, side, kind, time_in_force, self_trade_prevention, price_ticks, "
    "qty_lots, quote_order_units, time_ms, update_ms, status, filled_lots, prevented_lots, filled_units, engine_epoch, "
    "stop_ticks, display_lots, working_ms, next_client_order_id, maker_rate, taker_rate, fee_place, queue_number, "
    "expiry_reason"
)
TRADE_COLUMNS: Final = (
    "trade_id, account, symbol, order_id, side, price_ticks, qty_lots, quote_units, fee_units, fee_asset, time_ms, "
    "is_maker"
)
SAVE_ORDER: Final = f"""INSERT INTO orders ({ORDER_COLUMNS}) VALUES ({",".join("?" * len(ORDER_COLUMNS.split(",")))})
    ON CONFLICT (order_id) DO UPDATE SET update_ms=excluded.update_ms, status=excluded.status,
    filled_lots=excluded.filled_lots, prevented_lots=excluded.prevented_lots, filled_units=excluded.filled_units,
    engine_epoch=excluded.engine_epoch, working_ms=excluded.working_ms, qty_lots=excluded.qty_lots,
    client_order_id=excluded.client_order_id, next_client_order_id=excluded.next_client_order_id,
    queue_number=excluded.queue_number, expiry_reason=excluded.expiry_reason"""  # noqa: S608 - built from constants
SAVE_TRADE: Final = f"INSERT INTO trades ({TRADE_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"  # noqa: S608 - constants
SAVE_BALANCE: Final = """INSERT INTO balances (account, asset, free, locked) VALUES (?,?,?,?)
    ON CONFLICT (account, asset) DO UPDATE SET free=excluded.free, locked=excluded.locked"""
SAVE_ENGINE: Final = "INSERT OR REPLACE INTO engines VALUES (?,?,?)"
SAVE_ACCOUNT: Final = "INSERT OR REPLACE INTO accounts VALUES (?,?,?,?,?)"
SAVE_COUNTER: Final = "INSERT INTO counters VALUES (?,?) ON CONFLICT (name) DO UPDATE SET value=excluded.value"

Row = tuple[Any, ...]


def order_row(order: Order) -> Row:
    """Return the row of an order, in the order of ORDER_COLUMNS."""
    return (
        order.order_id,
        order.account,
        order.symbol.name,
        order.client_order_id,
        int(order.side),
        str(order.kind),
        int(order.time_in_force),
        int(order.self_trade_prevention),
        order.price_ticks,
        order.qty_lots,
        order.quote_order_units,
        order.time_ms,
        order.update_ms,
        str(order.status),
        order.filled_lots,
        order.prevented_lots,
        order.filled_units,
        order.engine_epoch,
        order.stop_ticks,
        order.display_lots,
        order.working_ms,
        order.next_client_order_id,
        order.terms.maker_rate,
        order.terms.taker_rate,
        str(order.terms.place),
        order.queue_number,
        order.expiry_reason,
    )


@lru_cache(maxsize=256)
def _terms(maker_rate: int, taker_rate: int, place: str) -> Terms:
    return Terms(maker_rate, taker_rate, FeePlace(place))


def order_of_row(row: Row, symbols: Mapping[str, Symbol]) -> Order:
    """Return the order that a row of ORDER_COLUMNS holds."""
    order_id, account, symbol, client_order_id, side, kind, time_in_force, prevention, price, qty, quote, *rest = row
    time_ms, update_ms, status, filled, prevented, filled_units, epoch, stop, display, working_ms, *last = rest
    next_client_order_id, maker_rate, taker_rate, place, queue_number, expiry_reason = last
    return Order(
        order_id=order_id,
        account=account,
        symbol=symbols[symbol],
        client_order_id=client_order_id,
        side=Side(side),
        kind=OrderKind(kind),
        time_in_force=TimeInForce(time_in_force),
        self_trade_prevention=SelfTradePrevention(prevention),
        price_ticks=price,
        qty_lots=qty,
        quote_order_units=quote,
        time_ms=time_ms,
        update_ms=update_ms,
        status=OrderStatus(status),
        filled_lots=filled,
        prevented_lots=prevented,
        filled_units=filled_units,
        engine_epoch=epoch,
        stop_ticks=stop,
        display_lots=display,
        working_ms=working_ms,
        next_client_order_id=next_client_order_id,
        terms=_terms(maker_rate, taker_rate, place),
        queue_number=queue_number,
        expiry_reason=expiry_reason,
    )


def trade_row(trade: AccountTrade) -> Row:
    """Return the row of a trade, in the order of TRADE_COLUMNS."""
    return (
        trade.trade_id,
        trade.account,
        trade.symbol.name,
        trade.order_id,
        int(trade.side),
        trade.price_ticks,
        trade.qty_lots,
        trade.quote_units,
        trade.fee_units,
        trade.fee_asset,
        trade.time_ms,
        int(trade.is_maker),
    )


def trade_of_row(row: Row, symbols: Mapping[str, Symbol]) -> AccountTrade:
    """Return the trade that a row of TRADE_COLUMNS holds."""
    trade_id, account, symbol, order_id, side, price, qty, quote_units, fee_units, fee_asset, time_ms, is_maker = row
    return AccountTrade(
        trade_id=trade_id,
        account=account,
        symbol=symbols[symbol],
        order_id=order_id,
        side=Side(side),
        price_ticks=price,
        qty_lots=qty,
        quote_units=quote_units,
        fee_units=fee_units,
        fee_asset=fee_asset,
        time_ms=time_ms,
        is_maker=bool(is_maker),
    )
