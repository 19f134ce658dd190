"""Where Alembic begins. The connection comes from the store, which holds the lock."""

from __future__ import annotations

from alembic import context

from assetflow.store.sql.citus import distribution
from assetflow.store.sql.migrate import VERSION_TABLE
from assetflow.store.sql.migrations.finish import finishing
from assetflow.store.sql.tables import METADATA

__all__: list[str] = []


def _run() -> None:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=METADATA,
        version_table=VERSION_TABLE,
        render_as_batch=True,  # SQLite changes a table by building it anew
    )
    with context.begin_transaction():
        context.run_migrations()
        for statement in finishing(context.get_context().dialect.name):
            context.execute(statement)
        if context.get_context().dialect.name == "postgresql":
            context.execute(distribution())


_run()
