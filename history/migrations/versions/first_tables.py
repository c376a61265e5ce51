"""The tables as they were first."""

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("venue", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text()),
    )
    op.create_table(
        "trades",
        _account_key(),
        sa.Column("symbol", sa.String(32), primary_key=True),
        sa.Column("trade_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("order_id", sa.String(64), primary_key=True),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.String(4), nullable=False),
        *_amounts("price", "qty", "quote_qty", "fee"),
        sa.Column("fee_asset", sa.String(32), nullable=False),
        sa.Column("fee_in_quote", sa.String(64)),
        sa.Column("fee_price", sa.String(64)),
        sa.Column("is_maker", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_trades_account_time_ms", "trades", ["account", "time_ms"])
    op.create_table(
        "orders",
        _account_key(),
        sa.Column("symbol", sa.String(32), primary_key=True),
        sa.Column("order_id", sa.String(64), primary_key=True),
        sa.Column("client_order_id", sa.String(64), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.String(4), nullable=False),
        *_amounts("price", "qty", "filled_qty", "filled_quote"),
        sa.Column("status", sa.String(32), nullable=False),
    )
    op.create_index("ix_orders_account_time_ms", "orders", ["account", "time_ms"])
    op.create_index("ix_orders_client_order_id", "orders", ["client_order_id"])
    op.create_table(
        "balances",
        _number(),
        _account(),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("asset", sa.String(32), nullable=False),
        *_amounts("free", "locked"),
    )
    op.create_index("ix_balances_account_asset_time_ms", "balances", ["account", "asset", "time_ms"])
    op.create_table(
        "flows",
        _account_key(),
        sa.Column("time_ms", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("asset", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        *_amounts("amount"),
    )
    op.create_table(
        "mids",
        _account_key(),
        sa.Column("symbol", sa.String(32), primary_key=True),
        sa.Column("trade_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("order_id", sa.String(64), primary_key=True),
        sa.Column("horizon_s", sa.Integer(), primary_key=True, autoincrement=False),
        *_amounts("mid"),
    )
    op.create_table(
        "decisions",
        _number(),
        _account(),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("side", sa.String(4)),
        sa.Column("action", sa.String(32)),
        sa.Column("price", sa.String(64)),
        sa.Column("qty", sa.String(64)),
        sa.Column("client_order_id", sa.String(64)),
        sa.Column("rule", sa.String(64)),
        sa.Column("why", sa.Text()),
        sa.Column("numbers", sa.Text()),
    )
    op.create_index("ix_decisions_time_ms", "decisions", ["time_ms"])
    op.create_index("ix_decisions_client_order_id", "decisions", ["client_order_id"])
    op.create_table(
        "progress",
        sa.Column("source", sa.String(128), primary_key=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
    )


def _account() -> sa.Column[int]:
    return sa.Column("account", sa.Integer(), sa.ForeignKey("accounts.id"), nullable=False)


def _account_key() -> sa.Column[int]:
    return sa.Column("account", sa.Integer(), sa.ForeignKey("accounts.id"), primary_key=True, autoincrement=False)


def _number() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True)


def _amounts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(64), nullable=False) for name in names]
