"""What is too old can be found: mids know when their trade was, and decisions are found by account and time."""

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Make the table of mids anew, of which nobody has kept one before, and the index of decisions."""
    op.drop_table("mids")
    op.create_table(
        "mids",
        sa.Column("account", sa.Integer(), sa.ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
        sa.Column("symbol", sa.String(32), primary_key=True),
        sa.Column("trade_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("order_id", sa.String(64), primary_key=True),
        sa.Column("horizon_s", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("mid", sa.String(64), nullable=False),
    )
    op.create_index("ix_mids_account_time_ms", "mids", ["account", "time_ms"])
    op.drop_index("ix_decisions_time_ms", "decisions")
    op.create_index("ix_decisions_account_time_ms", "decisions", ["account", "time_ms"])
