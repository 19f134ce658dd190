"""Pulls: what each page came to, and how many records belong to no device."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from assetflow.store.sql.migrations.first import blob, number

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add three columns. Pages that are there say nothing of marks, so their records are looked up."""
    nothing = "''" if op.get_context().dialect.name == "postgresql" else "X''"  # bytes, not text
    _add("af_run", number("unmatched"), sa.text("0"))
    _add("af_run_page", blob("marks"), sa.text(nothing))
    _add("af_run_page", blob("contacts"), sa.text(nothing))


def _add(table: str, column: sa.Column[object], value: sa.TextClause) -> None:
    """Add a column that every row must fill, with a value for the rows that are there."""
    column.server_default = sa.DefaultClause(value)
    op.add_column(table, column)
    # SQLite would build the table anew to be rid of the default, which nothing else minds.
    if op.get_context().dialect.name != "sqlite":
        op.alter_column(
            table,
            column.name,
            existing_type=column.type,
            existing_nullable=False,
            server_default=None,
        )
