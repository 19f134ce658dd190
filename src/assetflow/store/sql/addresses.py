"""Which engine an address names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from assetflow.errors import ConfigError
from assetflow.store.sql.mariadb import MariadbEngine
from assetflow.store.sql.postgres import PostgresEngine
from assetflow.store.sql.sqlite import SqliteEngine

if TYPE_CHECKING:
    from assetflow.store.sql.dialects import Engine

__all__ = ["engine_for"]

_SQLITE = ("sqlite", "sqlite+pysqlite")
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")
_MARIADB = ("mariadb", "mariadb+pymysql", "mysql", "mysql+pymysql")
_EXAMPLES = "sqlite:///lincoln.db or postgresql://assetflow@db.example.org/lincoln"


def engine_for(url: str, *, lock_timeout: float) -> Engine:
    """The engine that an address names.

    Args:
        url: The address. It may hold a password, which no error and no repr shows.
        lock_timeout: Seconds that a writer waits for another.

    Raises:
        ConfigError: none is known for it.
        MissingExtra: the engine's driver is not installed.
    """
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):  # a port that is no number is a ValueError
        parsed = None
    if parsed is None:
        raise ConfigError("the store's URL is not an address of a store", hint=_EXAMPLES)
    if parsed.drivername in _SQLITE:
        return SqliteEngine(parsed, lock_timeout=lock_timeout)
    if parsed.drivername in _POSTGRES:
        return PostgresEngine(parsed, lock_timeout=lock_timeout)
    if parsed.drivername in _MARIADB:
        return MariadbEngine(parsed, lock_timeout=lock_timeout)
    raise ConfigError("the store's URL names a database not known here", hint=_EXAMPLES)
