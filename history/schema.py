"""The tables of the history database. A change of them is a revision in `migrations/versions`.

Amounts are exact decimals, kept as plain text; times are ms since 1970 UTC. Nothing here is SQLite's alone.
"""

from decimal import Decimal
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator

from market.instrument import format_decimal

REVISION: Final = "3"  # the newest of `migrations/versions`, known without loading alembic


class Exact(TypeDecorator[Decimal]):
    """A decimal as text, without an exponent: `0.00001`. No database that keeps it as a number is as exact everywhere.

    To calculate in SQL, cast it: `CAST(price AS DECIMAL(38, 12))`.
    """

    impl = String(64)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Any) -> str | None:  # noqa: ARG002 - as it is called
        """Return what is kept."""
        return None if value is None else format_decimal(value)

    def process_result_value(self, value: Any, dialect: Any) -> Decimal | None:  # noqa: ARG002
        """Return what was kept."""
        return None if value is None else Decimal(value)


METADATA: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)


def _account() -> Column[int]:
    return Column("account", Integer, ForeignKey("accounts.id"), primary_key=True, autoincrement=False)


# An account in one of its lives: a venue that begins it anew (a reset, the testnet's wipe) makes another one of it.
ACCOUNTS: Final = Table(
    "accounts",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("venue", String(64), nullable=False),
    Column("account_id", String(64), nullable=False),  # the venue's own; empty if it tells none
    Column("first_ms", BigInteger, nullable=False),  # when it was first seen
    Column("reason", Text),  # why it is not the one before; null of a venue's first
)
TRADES: Final = Table(
    "trades",
    METADATA,
    _account(),
    Column("symbol", String(32), primary_key=True),
    Column("trade_id", BigInteger, primary_key=True, autoincrement=False),
    Column("order_id", String(64), primary_key=True),  # an account that trades with itself has two halves of a number
    Column("time_ms", BigInteger, nullable=False),
    Column("side", String(4), nullable=False),
    Column("price", Exact, nullable=False),
    Column("qty", Exact, nullable=False),
    Column("quote_qty", Exact, nullable=False),
    Column("fee", Exact, nullable=False),  # negative: a rebate
    Column("fee_asset", String(32), nullable=False),
    Column("fee_in_quote", Exact),  # null while a fee in a third asset has no price
    Column("fee_price", Exact),  # of that third asset in the quote, when the trade was first seen
    Column("is_maker", Boolean, nullable=False),
    Index(None, "account", "time_ms"),
)
ORDERS: Final = Table(
    "orders",
    METADATA,
    _account(),
    Column("symbol", String(32), primary_key=True),
    Column("order_id", String(64), primary_key=True),
    Column("client_order_id", String(64), nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("side", String(4), nullable=False),
    Column("price", Exact, nullable=False),
    Column("qty", Exact, nullable=False),
    Column("filled_qty", Exact, nullable=False),
    Column("filled_quote", Exact, nullable=False),
    Column("status", String(32), nullable=False),  # the venue's word
    Index(None, "account", "time_ms"),
    Index(None, "client_order_id"),
)
# What an asset's balance became; one that did not change has no row.
BALANCES: Final = Table(
    "balances",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),  # a clock may be set back
    Column("account", Integer, ForeignKey("accounts.id"), nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("asset", String(32), nullable=False),
    Column("free", Exact, nullable=False),
    Column("locked", Exact, nullable=False),
    Index(None, "account", "asset", "time_ms"),
)
FLOWS: Final = Table(
    "flows",
    METADATA,
    _account(),
    Column("time_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("asset", String(32), primary_key=True),
    Column("kind", String(16), primary_key=True),  # deposit, withdrawal, wipe, unexplained
    Column("amount", Exact, nullable=False),
)
# The middle of the others' best prices, `horizon_s` after a trade; 0 is at the trade. What is not known has no row.
MIDS: Final = Table(
    "mids",
    METADATA,
    _account(),
    Column("symbol", String(32), primary_key=True),
    Column("trade_id", BigInteger, primary_key=True, autoincrement=False),
    Column("order_id", String(64), primary_key=True),
    Column("horizon_s", Integer, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, nullable=False),  # the trade's
    Column("mid", Exact, nullable=False),
    Index(None, "account", "time_ms"),
)
DECISIONS: Final = Table(
    "decisions",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("account", Integer, ForeignKey("accounts.id"), nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("symbol", String(32), nullable=False),
    Column("side", String(4)),
    Column("action", String(32)),
    Column("price", Exact),
    Column("qty", Exact),
    Column("client_order_id", String(64)),
    Column("rule", String(64)),
    Column("why", Text),
    Column("numbers", Text),  # JSON
    Column("level", Integer),  # of a quote that is placed, 1 nearest to the mid
    Column("model", String(64)),  # that wanted it
    Index(None, "account", "time_ms"),
    Index(None, "client_order_id"),
)
# Up to where a source was read, kept in one transaction with what was read: `trades ACCOUNT SYMBOL` up to a trade's
# number, `orders ACCOUNT SYMBOL` up to an order's, `decisions YYYYMMDD` up to a byte of the file.
PROGRESS: Final = Table(
    "progress",
    METADATA,
    Column("source", String(128), primary_key=True),
    Column("position", BigInteger, nullable=False),
)
