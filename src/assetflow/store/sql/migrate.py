"""Bringing a database to the schema of this version, or refusing it.

Alembic is imported only when there is something to do: a script that opens a file of the right
revision does not wait for it.
"""

from __future__ import annotations

import enum
import threading
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING, Any, TextIO

from assetflow.errors import FeatureMissing, SchemaOutdated, SchemaTooNew, StoreUnavailable

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config

    from assetflow.store.sql.dialects import Engine

__all__ = [
    "HEAD",
    "REVISIONS",
    "VERSION_TABLE",
    "Found",
    "make_views",
    "prepare_schema",
    "revision",
    "sql_since",
    "upgrade",
]

VERSION_TABLE = "assetflow_alembic_version"
"""Where Alembic notes the revision; a name of its own, since a database may be shared."""
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
"""Every revision that this version knows, oldest first."""
HEAD = REVISIONS[-1]
"""The revision that this version works with."""

SCRIPTS = "assetflow.store.sql:migrations"
"""Where Alembic finds the revisions."""

# Alembic keeps the migration that runs in a module of its own: one at a time in a process.
_ONE_AT_A_TIME = threading.Lock()


class Found(enum.Enum):
    """What a database holds, as far as its schema goes."""

    NOTHING = "nothing"
    """No table at all."""
    CURRENT = "current"
    """The schema of this version."""
    OLDER = "older"
    """The schema of an earlier version."""
    NEWER = "newer"
    """A revision that this version does not know."""
    FOREIGN = "foreign"
    """Tables, but none of a store."""


def prepare_schema(engine: Engine, *, migrate: bool = True) -> None:
    """Bring a database to the schema of this version where that is allowed, or refuse it.

    Args:
        engine: The database.
        migrate: Whether an older schema may be brought up to date. An empty file gets one anyway.

    Raises:
        SchemaTooNew: a newer version of assetflow wrote it.
        SchemaOutdated: it is older, and may not or cannot be brought up to date here.
        StoreUnavailable: it holds another program's tables, or nothing and may not be written.
        ConfigError: a role for which a server does not keep districts apart.
    """
    at_open = engine.migrates_at_open
    allowed = {Found.NOTHING, Found.OLDER} if migrate else {Found.NOTHING}
    _bring(engine, allowed if at_open else set())
    engine.guarded(engine.check_role)


def upgrade(engine: Engine) -> str | None:
    """Bring a database to the schema of this version, under a lock; others wait or find it done.

    Returns:
        The path of the copy that was made before, if one was.

    Raises:
        SchemaTooNew: a newer version of assetflow wrote it.
        SchemaOutdated: it was opened for reading only.
        StoreUnavailable: it holds another program's tables.
    """
    return _bring(engine, {Found.NOTHING, Found.OLDER})


def make_views(engine: Engine, *, personal: bool = False) -> None:
    """Make the reporting views anew; nothing else changes.

    Args:
        engine: The database, at the schema of this version.
        personal: Those of personal columns too; without it they are dropped.

    Raises:
        SchemaOutdated: it is of an older version, or may not be written.
    """
    from assetflow.store.sql.views import create_views, drop_views  # noqa: PLC0415  # only here

    _bring(engine, set())

    def make() -> None:
        with engine.sa_engine.connect() as connection, engine.migration_lock(connection):
            for statement in (*drop_views(), *create_views(engine.dialect.name, personal=personal)):
                connection.exec_driver_sql(statement)

    engine.guarded(make)


def revision(engine: Engine) -> tuple[Found, str | None]:
    """What a database holds, and its revision. Changes nothing."""

    def look() -> tuple[Found, str | None]:
        with engine.sa_engine.connect() as connection:
            return _look(engine, connection)

    return engine.guarded(look)


def _bring(engine: Engine, allowed: set[Found]) -> str | None:
    found, here = revision(engine)
    if allowed and not engine.migrates_whole and found in (Found.FOREIGN, Found.NEWER):
        # Perhaps another process has made some tables, and has not noted the revision yet.
        found, here = engine.guarded(lambda: _look_alone(engine))
    refuse(found, here, engine)
    if found is not Found.CURRENT and (engine.read_only or found not in allowed):
        nothing = found is Found.NOTHING
        msg = "the database has no tables yet" if nothing else "the store is of an older version"
        raise SchemaOutdated(msg, hint=_upgrade_hint(engine), revision=here, needed=HEAD)
    engine.guarded(engine.settle_in)
    return None if found is Found.CURRENT else engine.guarded(lambda: _migrate(engine))


def _look_alone(engine: Engine) -> tuple[Found, str | None]:
    with engine.sa_engine.connect() as connection, engine.migration_lock(connection):
        return _look(engine, connection)


def _upgrade_hint(engine: Engine) -> str | None:
    if engine.migrates_at_open:
        return None
    return "Run `assetflow db upgrade`, with a role that may make tables, after a backup."


def _look(engine: Engine, connection: sa.Connection) -> tuple[Found, str | None]:
    tables = engine.tables(connection)
    if VERSION_TABLE not in tables:
        return (Found.FOREIGN if tables else Found.NOTHING), None
    row = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").first()  # noqa: S608
    here = None if row is None else str(row[0])
    if here == HEAD:
        return Found.CURRENT, here
    return (Found.OLDER if here in REVISIONS else Found.NEWER), here


def refuse(found: Found, here: str | None, engine: Engine) -> None:
    if found is Found.NEWER:
        msg = "the store was written by a newer version of assetflow"
        raise SchemaTooNew(msg, revision=here, known=HEAD)
    if found is Found.FOREIGN:
        msg = "the database holds another program's tables and none of a store"
        raise StoreUnavailable(msg, hint="Name another; this one is left as it is.")
    if engine.read_only and found is Found.NOTHING:
        msg = "the database is empty and was opened for reading only"
        raise StoreUnavailable(msg, hint="Open it once without mode=ro.")


def _migrate(engine: Engine) -> str | None:
    copy = None
    with (
        _ONE_AT_A_TIME,
        engine.sa_engine.connect() as connection,
        engine.migration_lock(connection),
    ):
        # Another process may have done it while this one waited for the lock.
        found, here = _look(engine, connection)
        if found is Found.OLDER and here is not None:
            copy = engine.backup(here, datetime.now(UTC))
        if found in (Found.OLDER, Found.NOTHING):
            _run(connection)
    return copy


def _run(connection: sa.Connection) -> None:
    # Alembic takes a fifth of a second to import.
    from alembic import command  # noqa: PLC0415

    command.upgrade(_config(connection=connection), "head")


def _config(output: TextIO | None = None, **given: Any) -> Config:
    from alembic.config import Config  # noqa: PLC0415  # as above

    config = Config(output_buffer=output) if output is not None else Config()
    config.set_main_option("script_location", SCRIPTS)
    config.attributes.update(given)
    return config


def sql_since(dialect: str, since: str | None) -> str:
    """The SQL that brings a schema up to date, for people who run it themselves.

    Args:
        dialect: SQLAlchemy's name of the engine, such as ``postgresql``.
        since: The revision that is there; ``None`` for an empty database.

    Raises:
        FeatureMissing: a step that SQLite can only take with the database at hand.
    """
    from alembic import command, util  # noqa: PLC0415  # as above

    output = StringIO()
    try:
        with _ONE_AT_A_TIME:
            config = _config(output, dialect_name=dialect)
            command.upgrade(config, f"{since or 'base'}:head", sql=True)
    except util.CommandError:
        pass
    else:
        return output.getvalue()
    msg = "SQLite builds a table anew here, which cannot be written down beforehand"
    raise FeatureMissing(msg, hint="Run the upgrade itself; it makes a copy first.")
