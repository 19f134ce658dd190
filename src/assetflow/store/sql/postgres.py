"""PostgreSQL as this store uses it, through psycopg 3.

Writes run at READ COMMITTED and lock what they decide on before they read it; reads run at
REPEATABLE READ, so that all of them see one state. The driver begins no transaction of its own.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from assetflow.errors import ConfigError, MissingExtra, StoreUnavailable
from assetflow.store.ports import Durability, StoreFeature, Wiped
from assetflow.store.sql.postgres_faults import STALE_PLAN, is_lost, meaning, unreachable
from assetflow.store.sql.row_security import NOWHERE, ROLE_HINT
from assetflow.store.sql.servers import ServerEngine
from assetflow.store.sql.tables import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.pool import PoolProxiedConnection

    from assetflow.errors import AssetflowError
    from assetflow.store.sql.row_security import Reach

__all__ = ["PostgresEngine"]

_CONNECT_SECONDS = 10
_MIGRATION_KEY = 0x61737365  # "asse": the first half of the advisory lock, the schema is the second
_BEGIN_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_BEGIN_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE"
_BULK = "; SET LOCAL synchronous_commit = off"


class PostgresEngine(ServerEngine):
    """A database of a PostgreSQL server, or of one that speaks like it.

    Args:
        url: ``postgresql://user@host/database``; options are libpq's, such as
            ``?sslmode=verify-full``.
        lock_timeout: Seconds that a writer waits for another.

    Raises:
        ConfigError: an option that libpq does not know.
        MissingExtra: psycopg is not installed.
    """

    features: ClassVar[frozenset[StoreFeature]] = ServerEngine.features | {
        StoreFeature.ROW_SECURITY
    }

    def __init__(self, url: sa.URL, *, lock_timeout: float) -> None:
        driver = _driver()
        self._connect = driver.connect
        self._quoted: Callable[[str], str] = driver.sql.quote
        self.errors: tuple[type[BaseException], ...] = (
            driver.Error,
            sa.exc.SQLAlchemyError,
            OverflowError,
            UnicodeError,
        )
        super().__init__(url, "postgresql+psycopg", lock_timeout=lock_timeout)
        self._streams = 0
        plain = url.set(drivername="postgresql")
        self._conninfo = plain.render_as_string(hide_password=False)
        try:
            given = driver.conninfo.conninfo_to_dict(self._conninfo)
        except driver.ProgrammingError:
            given = None
        if given is None:
            msg = "the store's URL has an option that PostgreSQL does not know"
            raise ConfigError(msg, hint="postgresql://user@host/database?sslmode=verify-full")
        self._defaults: dict[str, Any] = {
            name: value
            for name, value in (
                ("connect_timeout", _CONNECT_SECONDS),
                ("application_name", "assetflow"),
                # A connection whose other end is gone is noticed within minutes.
                ("keepalives_idle", 60),
            )
            if name not in given
        }

    def dialect_options(self) -> dict[str, Any]:
        """No look at an extension that is not used."""
        return {"use_native_hstore": False}

    def connect_driver(self) -> Any:
        """In autocommit, so that only this engine begins transactions."""
        return self._connect(self._conninfo, autocommit=True, **self._defaults)

    # --- transactions ---

    def begin_read(self, connection: PoolProxiedConnection, reach: Reach = NOWHERE) -> None:
        """One snapshot, taken by the first read; whose rows it sees is said in the same message."""
        driver: Any = connection.driver_connection
        driver.execute(_BEGIN_READ + self._saying(reach), prepare=False)

    def begin_write(
        self,
        connection: PoolProxiedConnection,
        durability: Durability,
        wait: float,
        reach: Reach = NOWHERE,
    ) -> None:
        """With the wait for locks and the durability of this transaction alone."""
        driver: Any = connection.driver_connection
        bulk = _BULK if durability is Durability.BULK else ""
        statement = f"{_BEGIN_WRITE}; SET LOCAL lock_timeout = {_milliseconds(wait)}{bulk}"
        driver.execute(statement + self._saying(reach), prepare=False)

    def _saying(self, reach: Reach) -> str:
        """The settings that row-level security reads, until the transaction ends."""
        said = f"; SET LOCAL assetflow.district = {self._quoted(reach.district)}"
        if reach.districts:
            said += (
                f"; SET LOCAL assetflow.districts = {self._quoted(chr(10).join(reach.districts))}"
            )
        return f"{said}; SET LOCAL assetflow.heads = 'on'" if reach.heads else said

    def defer_references(self, cursor: Any, *, deferred: bool) -> None:
        """For this transaction; what is to be checked is checked when it is set back."""
        cursor.execute(f"SET CONSTRAINTS ALL {'DEFERRED' if deferred else 'IMMEDIATE'}")

    def stream_cursor(self, connection: PoolProxiedConnection) -> Any:
        """A cursor in the server, so that a long answer is never here as a whole."""
        self._streams += 1
        driver: Any = connection.driver_connection
        return driver.cursor(f"af_{self._streams}")

    # --- statements ---

    def member_of(
        self, column: sa.ColumnElement[Any], members: sa.BindParameter[Any]
    ) -> sa.ColumnElement[bool]:
        """The list is an array: one bind, whatever its length.

        Not a comparison with a function: its negation would be ``<> any``, which is another thing.
        """
        return column.bool_op("=")(sa.any_(members))

    def list_value(self, members: list[Any]) -> list[Any]:
        """The driver makes a list an array."""
        return members

    # --- what went wrong ---

    def meaning(self, problem: BaseException, kind: str | None) -> AssetflowError:
        """By SQLSTATE."""
        if getattr(problem, "sqlstate", None) == STALE_PLAN:
            self.retire_connections()
        return meaning(problem, kind)

    def unreachable(self, problem: BaseException) -> AssetflowError:
        """While connecting there is no SQLSTATE."""
        return unreachable(problem)

    def lost(self, problem: BaseException) -> bool:
        """By SQLSTATE, or that there is none."""
        return is_lost(problem)

    # --- the server ---

    def settle_in(self) -> None:
        """Refuse a database that cannot hold every text.

        Raises:
            StoreUnavailable: it was not made with UTF-8.
        """
        connection = self.connect()
        try:
            encoding = connection.driver_connection.info.parameter_status("server_encoding")  # type: ignore[union-attr]  # the driver's
        finally:
            self.release(connection)
        if encoding != "UTF8":
            msg = "the database does not keep text as UTF-8"
            raise StoreUnavailable(
                msg, hint="CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
            )

    def check_role(self) -> None:
        """Refuse a role that row-level security does not hold for.

        Raises:
            ConfigError: a superuser, or a role that bypasses it.
        """
        connection = self.connect()
        try:
            driver: Any = connection.driver_connection
            mighty = driver.execute(
                "SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles "
                "WHERE rolname = current_user"
            ).fetchone()[0]
        finally:
            self.release(connection)
        if mighty:
            msg = "the role in the store's URL sees every district, whatever a program asks for"
            raise ConfigError(msg, hint=ROLE_HINT)

    def tables(self, connection: sa.Connection) -> set[str]:
        """Names of tables of ours in the first schema of the search path: others may live beside."""
        names = (
            "SELECT relname FROM pg_catalog.pg_class "  # noqa: S608  # a constant
            "WHERE relnamespace = pg_catalog.to_regnamespace(current_schema()) "
            f"AND relkind IN ('r', 'p') AND (left(relname, {len(PREFIX)}) = '{PREFIX}' "
            "OR relname = 'assetflow_alembic_version')"
        )
        return {str(row[0]) for row in connection.exec_driver_sql(names)}

    def wipe_removed(self) -> Wiped:
        """Rewrite each table, one after the other; each is locked meanwhile.

        What a transaction that began before may still see is kept by the server, and so is its log.
        """
        driver = self.new_connection()
        try:
            driver.execute(f"SET lock_timeout = {_milliseconds(self.lock_timeout)}", prepare=False)
            foreign = [row[0] for row in driver.execute(_NOT_OURS, prepare=False)]
            names = [row[0] for row in driver.execute(_OURS, prepare=False)]
            for name in names:
                driver.execute(f'VACUUM (FULL) "{name}"', prepare=False)
            readers = driver.execute(_READERS, prepare=False).fetchone()[0]
        finally:
            driver.close()
        away = [
            f"the table {name}: it belongs to another role, who must rewrite it" for name in foreign
        ]
        away.append(
            "the server's write-ahead log until it is recycled; archives of it, replicas, backups"
        )
        if readers:
            why = "somebody is reading; end that and do it again"
            return Wiped(not_reached=(f"the server's tables: {why}", *away))
        return Wiped(reached=("the server's tables and indexes",), not_reached=tuple(away))

    @contextmanager
    def migration_lock(self, connection: sa.Connection) -> Iterator[None]:
        """An advisory lock of the transaction in which all of it happens."""
        wait = _milliseconds(self.lock_timeout)
        connection.exec_driver_sql(_BEGIN_WRITE)
        try:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {wait}")
            connection.exec_driver_sql(
                f"SELECT pg_advisory_xact_lock({_MIGRATION_KEY}, hashtext(current_schema()))"
            )
            yield
            connection.connection.commit()
        finally:
            connection.connection.rollback()


_TABLES = (
    "SELECT relname::text FROM pg_catalog.pg_class "  # noqa: S608  # constants
    "WHERE relnamespace = pg_catalog.to_regnamespace(current_schema()) "
    f"AND relkind = 'r' AND left(relname, {len(PREFIX)}) = '{PREFIX}' "
    "AND {}pg_has_role(relowner, 'USAGE') ORDER BY relname"
)
_OURS, _NOT_OURS = _TABLES.format(""), _TABLES.format("NOT ")
# Transactions that may still see removed rows, as far as this role is told of them.
_READERS = (
    "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL AND backend_type = 'client backend'"
)


def _milliseconds(seconds: float) -> int:
    """At least one, because none means to wait for ever."""
    return max(int(seconds * 1000), 1)


def _driver() -> Any:
    try:
        import psycopg  # noqa: PLC0415  # an extra
    except ImportError:
        missing = MissingExtra("postgres", needs="psycopg")
    else:
        return psycopg
    raise missing
