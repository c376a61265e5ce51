"""The tables of the ledger, and the way between their rows and the exchange's orders and trades."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import Enum
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

from market.codes import SelfTradePrevention, Side, TimeInForce
from market.limits import OWNERS_PER_SOURCE
from paper.money.account_records import account_of
from paper.money.commission import FeePlace, Terms
from paper.money.orders import CHANGING, AccountTrade, Order, OrderKind, OrderStatus, Reserve
from paper.units import Symbol

SCHEMA_VERSION: Final = 12
ANY_ENGINE: Final = "*"  # in a ledger of version 4 or before: the one in front of which the exchange was
IS_OPEN: Final = "status IN ('PENDING_NEW', 'NEW', 'PARTIALLY_FILLED')"
_ACCOUNTS: Final = """CREATE TABLE accounts (
    account INTEGER PRIMARY KEY, reset_count INTEGER NOT NULL, reset_ms INTEGER NOT NULL, is_bnb_payer INTEGER,
    clearing TEXT NOT NULL, swept_count INTEGER NOT NULL DEFAULT 0
);"""
_ENGINES: Final = """CREATE TABLE engines (
    engine TEXT PRIMARY KEY, epoch INTEGER NOT NULL, report_sequence INTEGER NOT NULL
) WITHOUT ROWID;"""
# A leg that its list has ended, while the engine may still have it in its book, is a remnant there.
_LISTS: Final = """CREATE TABLE order_lists (
    list_id INTEGER PRIMARY KEY, account INTEGER NOT NULL, symbol TEXT NOT NULL, client_list_id TEXT NOT NULL,
    contingency TEXT NOT NULL, status TEXT NOT NULL, time_ms INTEGER NOT NULL
);
CREATE INDEX order_lists_by_account ON order_lists (account, list_id);
CREATE INDEX order_lists_by_time ON order_lists (account, time_ms);
CREATE INDEX order_lists_by_client_id ON order_lists (account, client_list_id);
CREATE INDEX orders_by_list ON orders (list_id, order_id) WHERE list_id >= 0;
CREATE TABLE remnants (order_id INTEGER PRIMARY KEY, account INTEGER NOT NULL, symbol TEXT NOT NULL);"""
# In orders, trades and order lists the account is its id in one of its lives (`AccountRecord.uid`): with a reset all
# that it did before is nobody's at once, and can be deleted in peace.
_BARS: Final = """CREATE TABLE bars (
    symbol TEXT NOT NULL, piece_ms INTEGER NOT NULL, open_ms INTEGER NOT NULL, figures TEXT NOT NULL,
    PRIMARY KEY (symbol, piece_ms, open_ms)
) WITHOUT ROWID;"""
_AMENDMENTS: Final = """CREATE TABLE amendments (
    execution_id INTEGER PRIMARY KEY, account INTEGER NOT NULL, order_id INTEGER NOT NULL,
    earlier_client_id TEXT NOT NULL, client_order_id TEXT NOT NULL, earlier_lots INTEGER NOT NULL,
    qty_lots INTEGER NOT NULL, time_ms INTEGER NOT NULL
);
CREATE INDEX amendments_by_order ON amendments (order_id, execution_id);
CREATE INDEX amendments_by_account ON amendments (account);"""
_PREVENTED: Final = """CREATE TABLE prevented_matches (
    match_id INTEGER PRIMARY KEY, account INTEGER NOT NULL, symbol TEXT NOT NULL, taker_id INTEGER NOT NULL,
    maker_id INTEGER NOT NULL, mode INTEGER NOT NULL, price_ticks INTEGER NOT NULL, lots INTEGER NOT NULL,
    taker_lots INTEGER NOT NULL, maker_lots INTEGER NOT NULL, time_ms INTEGER NOT NULL
);
CREATE INDEX prevented_by_taker ON prevented_matches (taker_id, match_id);
CREATE INDEX prevented_by_maker ON prevented_matches (maker_id, match_id);
CREATE INDEX prevented_by_account ON prevented_matches (account);"""
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
    expiry_reason TEXT NOT NULL DEFAULT '', list_id INTEGER NOT NULL DEFAULT -1, reserve TEXT NOT NULL DEFAULT 'OWN',
    trailing_bps INTEGER NOT NULL DEFAULT 0, trail_ticks INTEGER NOT NULL DEFAULT 0,
    trailing_ms INTEGER NOT NULL DEFAULT 0, prevented_match_id INTEGER NOT NULL DEFAULT -1
);
CREATE INDEX orders_by_symbol ON orders (account, symbol, order_id);
CREATE INDEX orders_by_time ON orders (account, symbol, time_ms);
CREATE INDEX orders_by_client_id ON orders (account, client_order_id);
CREATE INDEX open_orders ON orders (order_id) WHERE {IS_OPEN};
CREATE TABLE trades (
    trade_id INTEGER NOT NULL, account INTEGER NOT NULL, symbol TEXT NOT NULL, order_id INTEGER NOT NULL,
    side INTEGER NOT NULL, price_ticks INTEGER NOT NULL, qty_lots INTEGER NOT NULL, quote_units INTEGER NOT NULL,
    fee_units INTEGER NOT NULL, fee_asset TEXT NOT NULL, time_ms INTEGER NOT NULL, is_maker INTEGER NOT NULL,
    list_id INTEGER NOT NULL DEFAULT -1, PRIMARY KEY (account, symbol, trade_id, order_id)
) WITHOUT ROWID;
CREATE INDEX trades_by_order ON trades (order_id, trade_id);
CREATE INDEX trades_by_time ON trades (account, symbol, time_ms);
{_LISTS}
{_BARS}
{_AMENDMENTS}
{_PREVENTED}
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
    6: f"""
ALTER TABLE orders ADD COLUMN list_id INTEGER NOT NULL DEFAULT -1;
ALTER TABLE orders ADD COLUMN reserve TEXT NOT NULL DEFAULT 'OWN';
ALTER TABLE trades ADD COLUMN list_id INTEGER NOT NULL DEFAULT -1;
{_LISTS}
""",
    # At that time a reset deleted at once: what there is, is of the present life.
    7: f"""
ALTER TABLE accounts ADD COLUMN swept_count INTEGER NOT NULL DEFAULT 0;
UPDATE accounts SET swept_count = reset_count;
CREATE TEMP VIEW lives AS SELECT account AS number, reset_count * {OWNERS_PER_SOURCE} AS before FROM accounts;
UPDATE orders SET account = account + before FROM lives WHERE account = number AND before > 0;
UPDATE trades SET account = account + before FROM lives WHERE account = number AND before > 0;
UPDATE order_lists SET account = account + before FROM lives WHERE account = number AND before > 0;
DROP VIEW lives;
""",  # noqa: S608 - built from constants
    8: """
ALTER TABLE orders ADD COLUMN trailing_bps INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN trail_ticks INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN trailing_ms INTEGER NOT NULL DEFAULT 0;
""",
    9: _BARS,
    10: _AMENDMENTS,
    11: f"ALTER TABLE orders ADD COLUMN prevented_match_id INTEGER NOT NULL DEFAULT -1; {_PREVENTED}",
}
_ENUMS: Final[Mapping[str, type[Enum]]] = {
    "side": Side,
    "kind": OrderKind,
    "time_in_force": TimeInForce,
    "self_trade_prevention": SelfTradePrevention,
    "status": OrderStatus,
    "reserve": Reserve,
}
# Of fields that are no column as they are: the columns, and where their values stand.
_PARTS: Final[Mapping[str, Mapping[str, str]]] = {
    **{name: {name: f"{name}._value_"} for name in _ENUMS},  # `value` is a property, and slow
    "symbol": {"symbol": "symbol.name"},
    "terms": {"maker_rate": "terms.maker_rate", "taker_rate": "terms.taker_rate", "fee_place": "terms.place._value_"},
    "reject_reason": {},
}


def _paths(kind: type[Order] | type[AccountTrade]) -> dict[str, str]:
    """Return the columns of orders or trades in the order of their fields, and where each one's value stands."""
    parts = (_PARTS.get(each.name, {each.name: each.name}) for each in fields(kind))
    return {column: path for part in parts for column, path in part.items()}


_ORDER_PATHS, _TRADE_PATHS = _paths(Order), _paths(AccountTrade)
ORDER_COLUMNS: Final = ", ".join(_ORDER_PATHS)
TRADE_COLUMNS: Final = ", ".join(_TRADE_PATHS)
SAVE_ORDER: Final = f"""INSERT INTO orders ({ORDER_COLUMNS}) VALUES ({",".join("?" * len(_ORDER_PATHS))})
    ON CONFLICT (order_id) DO UPDATE SET
    {", ".join(f"{name}=excluded.{name}" for name in CHANGING if name != "client_order_id")}"""  # noqa: S608
# An amend alone renames an order: where each save wrote its name anew, each wrote a page of the index of names, too.
SAVE_NAME: Final = "UPDATE orders SET client_order_id = ? WHERE order_id = ?"
SAVE_TRADE: Final = f"INSERT INTO trades ({TRADE_COLUMNS}) VALUES ({','.join('?' * len(_TRADE_PATHS))})"  # noqa: S608
SAVE_BALANCE: Final = """INSERT INTO balances (account, asset, free, locked) VALUES (?,?,?,?)
    ON CONFLICT (account, asset) DO UPDATE SET free=excluded.free, locked=excluded.locked"""
SAVE_ENGINE: Final = "INSERT OR REPLACE INTO engines VALUES (?,?,?)"
SAVE_ACCOUNT: Final = "INSERT OR REPLACE INTO accounts VALUES (?,?,?,?,?,?)"
SAVE_LIST: Final = """INSERT INTO order_lists VALUES (?,?,?,?,?,?,?)
    ON CONFLICT (list_id) DO UPDATE SET status=excluded.status"""
SAVE_AMENDMENT: Final = "INSERT INTO amendments VALUES (?,?,?,?,?,?,?,?)"
SAVE_PREVENTED: Final = "INSERT INTO prevented_matches VALUES (?,?,?,?,?,?,?,?,?,?,?)"
SAVE_COUNTER: Final = "INSERT INTO counters VALUES (?,?) ON CONFLICT (name) DO UPDATE SET value=excluded.value"
# By an account's id and a count: what is deleted of an earlier life at once.
SWEEPS: Final = (
    "DELETE FROM orders WHERE order_id IN (SELECT order_id FROM orders WHERE account = ? LIMIT ?)",
    "DELETE FROM amendments WHERE execution_id IN (SELECT execution_id FROM amendments WHERE account = ? LIMIT ?)",
    """DELETE FROM prevented_matches WHERE match_id IN
    (SELECT match_id FROM prevented_matches WHERE account = ? LIMIT ?)""",
    "DELETE FROM order_lists WHERE list_id IN (SELECT list_id FROM order_lists WHERE account = ? LIMIT ?)",
    """DELETE FROM trades WHERE (account, symbol, trade_id, order_id) IN
    (SELECT account, symbol, trade_id, order_id FROM trades WHERE account = ? LIMIT ?)""",
)

Row = tuple[Any, ...]

_order_values: Final[Callable[[Order], Row]] = attrgetter(*_ORDER_PATHS.values())
_trade_values: Final[Callable[[AccountTrade], Row]] = attrgetter(*_TRADE_PATHS.values())

# An enum's call takes ten times as long as a map.
_ORDER_ENUMS: Final = [
    (place, {each.value: each for each in _ENUMS[name]}) for place, name in enumerate(_ORDER_PATHS) if name in _ENUMS
]
_ORDER_ACCOUNT, _TRADE_ACCOUNT = (list(paths).index("account") for paths in (_ORDER_PATHS, _TRADE_PATHS))
_TRADE_SIDE, _IS_MAKER = (list(_TRADE_PATHS).index(name) for name in ("side", "is_maker"))
_ORDER_SYMBOL, _TRADE_SYMBOL = (list(paths).index("symbol") for paths in (_ORDER_PATHS, _TRADE_PATHS))
_TERMS: Final = slice(list(_ORDER_PATHS).index("maker_rate"), list(_ORDER_PATHS).index("fee_place") + 1)


@lru_cache(maxsize=256)
def _terms(maker_rate: int, taker_rate: int, place: str) -> Terms:
    return Terms(maker_rate, taker_rate, FeePlace(place))


def order_row(order: Order, uid: int) -> Row:
    """Return the row of an order of an account that has the id `uid`."""
    values = _order_values(order)
    return (*values[:_ORDER_ACCOUNT], uid, *values[_ORDER_ACCOUNT + 1 :])


def trade_row(trade: AccountTrade, uid: int) -> Row:
    """Return the row of a share of an account that has the id `uid`."""
    values = _trade_values(trade)
    return (*values[:_TRADE_ACCOUNT], uid, *values[_TRADE_ACCOUNT + 1 :])


def order_of_row(row: Row, symbols: Mapping[str, Symbol]) -> Order:
    """Return the order that a row of ORDER_COLUMNS holds."""
    values = list(row)
    values[_ORDER_SYMBOL] = symbols[row[_ORDER_SYMBOL]]
    values[_ORDER_ACCOUNT] = account_of(row[_ORDER_ACCOUNT])
    for place, members in _ORDER_ENUMS:
        values[place] = members[row[place]]
    values[_TERMS] = [_terms(*values[_TERMS])]
    return Order(*values)


def trade_of_row(row: Row, symbols: Mapping[str, Symbol]) -> AccountTrade:
    """Return the trade that a row of TRADE_COLUMNS holds."""
    values = list(row)
    values[_TRADE_SYMBOL] = symbols[row[_TRADE_SYMBOL]]
    values[_TRADE_ACCOUNT] = account_of(row[_TRADE_ACCOUNT])
    values[_TRADE_SIDE], values[_IS_MAKER] = Side(row[_TRADE_SIDE]), bool(row[_IS_MAKER])
    return AccountTrade(*values)
