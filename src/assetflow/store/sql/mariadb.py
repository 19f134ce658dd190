"""MariaDB and MySQL as this store uses them, through PyMySQL.

Writes run at READ COMMITTED: at the server's own default, the first plain read would fix what
every later one sees, also after a lock. Reads run at REPEATABLE READ with a snapshot. There is no
row-level security; districts are kept apart by their keys.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from assetflow.errors import ConfigError, MissingExtra, StoreLocked, StoreUnavailable
from assetflow.store.ports import Wiped
from assetflow.store.sql.mariadb_faults import is_lost, meaning, unreachable
from assetflow.store.sql.migrate import VERSION_TABLE
from assetflow.store.sql.row_security import NOWHERE, Reach
from assetflow.store.sql.servers import ServerEngine
from assetflow.store.sql.tables import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.pool import PoolProxiedConnection

    from assetflow.errors import AssetflowError
    from assetflow.store.ports import Durability

__all__ = ["MariadbEngine"]

_CONNECT_SECONDS = 10
_MODE = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO"
_ISOLATION = "READ-COMMITTED"
_OURS = (
    "SELECT table_name FROM information_schema.tables "  # noqa: S608  # constants
    f"WHERE table_schema = DATABASE() AND LEFT(table_name, {len(PREFIX)}) = '{PREFIX}'"
)


class MariadbEngine(ServerEngine):
    """A database of a MariaDB or MySQL server.

    Args:
        url: ``mariadb://user@host/database``, or ``mysql://...`` for MySQL; options are PyMySQL's,
            such as ``?ssl_ca=/etc/ssl/district.pem``.
        lock_timeout: Seconds that a writer waits for another; the server counts whole ones.

    Raises:
        ConfigError: an option that PyMySQL does not know.
        MissingExtra: PyMySQL is not installed.
    """

    def __init__(self, url: sa.URL, *, lock_timeout: float) -> None:
        driver = _driver()
        self._connect = driver.connect
        self.errors: tuple[type[BaseException], ...] = (
            driver.MySQLError,
            sa.exc.SQLAlchemyError,
            OverflowError,
            UnicodeError,
        )
        kind = url.get_backend_name()
        super().__init__(url, f"{kind}+pymysql", lock_timeout=lock_timeout)
        options = dict(self.dialect.create_connect_args(self._url)[1])
        options.setdefault("connect_timeout", _CONNECT_SECONDS)
        self._options = options | {"charset": "utf8mb4", "autocommit": True}

    def connect_driver(self) -> Any:
        """In autocommit, so that only this engine begins transactions."""
        try:
            connection = self._connect(**self._options)
        except TypeError:
            connection = None
        if connection is None:
            msg = "the store's URL has an option that PyMySQL does not know"
            raise ConfigError(msg, hint="mariadb://user@host/database?ssl_ca=/path/to/ca.pem")
        try:
            seconds = max(round(self.lock_timeout), 1)
            connection.query(
                f"SET SESSION sql_mode = '{_MODE}', innodb_lock_wait_timeout = {seconds}"
            )
            connection.query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        except BaseException:
            connection.close()
            raise
        return connection

    # --- transactions ---

    def begin_read(self, connection: PoolProxiedConnection, reach: Reach = NOWHERE) -> None:  # noqa: ARG002  # for row-level security
        """One snapshot, taken now."""
        driver: Any = connection.driver_connection
        driver.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        driver.query("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

    def begin_write(
        self,
        connection: PoolProxiedConnection,
        durability: Durability,  # noqa: ARG002  # a setting of the server
        wait: float,  # noqa: ARG002  # set for the session
        reach: Reach = NOWHERE,  # noqa: ARG002  # for row-level security
    ) -> None:
        """At the session's level. What a commit waits for is the server's own setting."""
        driver: Any = connection.driver_connection
        driver.query("START TRANSACTION READ WRITE")

    def defer_references(self, cursor: Any, *, deferred: bool) -> None:
        """The server looks at no reference meanwhile and not afterwards: the store does."""
        cursor.execute(f"SET SESSION foreign_key_checks = {0 if deferred else 1}")
        cursor.connection.assetflow_unchecked = deferred

    def give_up(self, connection: PoolProxiedConnection) -> None:
        """A connection that checks no references is not used again."""
        if getattr(connection.driver_connection, "assetflow_unchecked", False):
            connection.invalidate()
            connection.close()
        else:
            super().give_up(connection)

    checks_references_late = False

    # --- statements ---

    def member_of(
        self, column: sa.ColumnElement[Any], members: sa.BindParameter[Any]
    ) -> sa.ColumnElement[bool]:
        """The driver writes the list out: one bind, whatever its length."""
        return column.bool_op("IN")(members)

    def list_value(self, members: list[Any]) -> list[Any]:
        """As it is; the driver writes it in parentheses."""
        return members

    # --- what went wrong ---

    def meaning(self, problem: BaseException, kind: str | None) -> AssetflowError:
        """By the server's error number."""
        return meaning(problem, kind)

    def unreachable(self, problem: BaseException) -> AssetflowError:
        """By the number, which there is while connecting too."""
        return unreachable(problem)

    def lost(self, problem: BaseException) -> bool:
        """By the number."""
        return is_lost(problem)

    # --- the server ---

    migrates_whole = False

    def settle_in(self) -> None:
        """Refuse a session that is not as the store needs it.

        Raises:
            ConfigError: a MariaDB server that is called MySQL.
            StoreUnavailable: the server did not take the isolation level.
        """
        connection = self.connect()
        try:
            driver: Any = connection.driver_connection
            with driver.cursor() as cursor:
                maria = "mariadb" in driver.get_server_info().lower()
                variable = "tx_isolation" if maria else "transaction_isolation"
                cursor.execute(f"SELECT @@session.{variable}")
                ((level,),) = cursor.fetchall()
        finally:
            self.release(connection)
        if maria and self.dialect.name != "mariadb":
            msg = "the server is MariaDB, and the store's URL says MySQL"
            raise ConfigError(msg, hint="Begin the address with mariadb://")
        if level != _ISOLATION:
            raise StoreUnavailable("the server did not take the isolation level READ COMMITTED")

    def tables(self, connection: sa.Connection) -> set[str]:
        """Names of tables of ours in the database: others may live beside."""
        names = f"{_OURS} OR (table_schema = DATABASE() AND table_name = '{VERSION_TABLE}')"
        return {str(row[0]) for row in connection.exec_driver_sql(names)}

    def wipe_removed(self) -> Wiped:
        """Build each table anew, one after the other; the server keeps its logs.

        A table that somebody reads is waited for as long as for any lock.
        """
        driver = self.connect_driver()
        try:
            with driver.cursor() as cursor:
                seconds = max(round(self.lock_timeout), 1)
                cursor.execute(f"SET SESSION lock_wait_timeout = {seconds}")
                cursor.execute(f"{_OURS} AND table_type = 'BASE TABLE'")
                for (name,) in cursor.fetchall():
                    cursor.execute(f"ALTER TABLE `{name}` FORCE")
        finally:
            driver.close()
        kept = "the server's undo, redo and binary logs until they are recycled; replicas, backups"
        return Wiped(reached=("the server's tables and indexes",), not_reached=(kept,))

    @contextmanager
    def migration_lock(self, connection: sa.Connection) -> Iterator[None]:
        """A named lock of the session. The server commits each change of a table by itself.

        Raises:
            StoreLocked: not had in time.
        """
        wait = max(round(self.lock_timeout), 1)
        name = "CONCAT('assetflow ', LEFT(SHA1(DATABASE()), 40))"
        got = connection.exec_driver_sql(f"SELECT GET_LOCK({name}, {wait})").scalar()
        if got != 1:
            raise StoreLocked("another process is upgrading the database", waited_ms=wait * 1000)
        try:
            yield
            connection.connection.commit()
        finally:
            connection.exec_driver_sql(f"DO RELEASE_LOCK({name})")


def _driver() -> Any:
    try:
        import pymysql  # noqa: PLC0415  # an extra
    except ImportError:
        missing = MissingExtra("mariadb", needs="pymysql")
    else:
        return pymysql
    raise missing
