"""A PostgreSQL server of the benchmarks' own, with as many databases as the rows need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assetflow.store.sql.addresses import engine_for
from assetflow.store.sql.migrate import upgrade
from benchmarks.measure import Missing

if TYPE_CHECKING:
    from contextlib import ExitStack

__all__ = ["Postgres"]


class Postgres:
    """A server that waits for the disk, as one that a district uses does.

    Args:
        stack: Stops it in the end.

    Raises:
        Missing: this machine has none, or no driver for it.
    """

    def __init__(self, stack: ExitStack) -> None:
        try:
            import psycopg

            from assetflow.testing.servers import ServerMissing, postgres_server
        except ModuleNotFoundError:
            raise Missing("psycopg is not installed") from None
        self._connect = psycopg.connect
        try:
            self.server = stack.enter_context(postgres_server(durable=True))
        except ServerMissing as missing:
            raise Missing(str(missing)) from None

    def fresh(self, name: str) -> str:
        """A new database with the tables of a store; its address."""
        self._create(f"CREATE DATABASE {name} TEMPLATE template0")
        engine = engine_for(self.server.url + name, lock_timeout=30.0)
        try:
            upgrade(engine)
        finally:
            engine.close()
        return self.server.url + name

    def copy(self, of: str, name: str) -> str:
        """A copy of a database that nobody uses; its address."""
        self._create(f"CREATE DATABASE {name} TEMPLATE {of.rpartition('/')[2]}")
        return self.server.url + name

    def connect(self, url: str) -> Any:
        """The bare driver."""
        return self._connect(url, autocommit=True)

    def _create(self, sql: str) -> None:
        with self._connect(f"{self.server.url}postgres", autocommit=True) as connection:
            connection.execute(sql)
