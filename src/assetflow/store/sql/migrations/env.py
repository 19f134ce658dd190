"""Where Alembic begins. The connection comes from the store, which holds the lock.

Without a connection it prints what it would do, for the engine that is named instead.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from assetflow.store.sql.citus import distribution
from assetflow.store.sql.migrate import VERSION_TABLE
from assetflow.store.sql.migrations.finish import finishing
from assetflow.store.sql.tables import METADATA
from assetflow.store.sql.views import create_views, drop_views, is_personal_view

__all__: list[str] = []


def _run() -> None:
    given = context.config.attributes
    where = {name: given[name] for name in ("connection", "dialect_name") if name in given}
    context.configure(
        **where,
        target_metadata=METADATA,
        version_table=VERSION_TABLE,
        render_as_batch=True,  # SQLite changes a table by building it anew
    )
    with context.begin_transaction():
        dialect = context.get_context().dialect.name
        personal = _has_personal_views()
        for statement in drop_views():
            context.execute(statement)
        context.run_migrations()
        for statement in finishing(dialect):
            context.execute(statement)
        for statement in create_views(dialect, personal=personal):
            context.execute(statement)
        if dialect == "postgresql":
            context.execute(distribution())


def _has_personal_views() -> bool:
    """Whether somebody asked for the views of personal columns; they are made anew then."""
    if context.is_offline_mode():
        return False
    names = sa.inspect(context.get_bind()).get_view_names()
    return any(is_personal_view(name) for name in names)


_run()
