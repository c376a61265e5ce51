"""Decisions know the level and the model of a quote that is placed."""

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Add both; of decisions that are kept already nobody knows them."""
    op.add_column("decisions", sa.Column("level", sa.Integer()))
    op.add_column("decisions", sa.Column("model", sa.String(64)))
