"""What PostgreSQL's errors mean, by SQLSTATE.

The server's words are never shown: its DETAIL prints the values of a key. Where there is no code,
while connecting, the words are looked into for what to hint at.
"""

from __future__ import annotations

from assetflow.errors import (
    AssetflowError,
    DuplicateKey,
    InvalidValue,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreReadOnly,
    StoreUnavailable,
    TransactionLost,
)

__all__ = ["STALE_PLAN", "is_lost", "meaning", "unreachable"]

# Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
STALE_PLAN = "0A000"
"""Of what this store sends, only a statement prepared before a migration is "not supported"."""
_CONNECTION, _SHUTDOWN = "08", ("57P01", "57P02", "57P03", "57P05")
_SERIALIZATION, _DEADLOCK = "40001", "40P01"
_NO_LOCK, _CANCELLED = "55P03", "57014"
_UNIQUE, _FOREIGN_KEY = "23505", "23503"
_READ_ONLY, _NO_RIGHT = "25006", "42501"
_NO_SPACE, _NO_MEMORY, _NO_SLOT = "53100", "53200", "53300"
_NO_TABLE, _NO_COLUMN, _NO_SCHEMA = "42P01", "42703", "3F000"

_WORDS = (
    ("password", "the server did not accept the user or the password", "Check both."),
    ("authentication", "the server did not accept the user", "Check the user, and pg_hba.conf."),
    ("pg_hba.conf", "the server lets no such connection in", "Add it to pg_hba.conf."),
    ("certificate", "the server's certificate was not accepted", "See sslrootcert and sslmode."),
    ("SSL", "server and client do not agree on TLS", "See sslmode."),
    ("does not exist", "there is no such database or user", "CREATE ROLE, CREATE DATABASE."),
    ("permission denied", "the user may not connect to the database", "GRANT CONNECT."),
    ("too many", "the server has no connection left", "Raise max_connections, or use fewer."),
    ("starting up", "the server is starting up", "Try again in a moment."),
)


def is_lost(problem: BaseException) -> bool:
    """Whether an error says that the connection is gone."""
    import psycopg  # noqa: PLC0415  # an extra

    if not isinstance(problem, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    state = problem.sqlstate
    return state is None or state.startswith(_CONNECTION) or state in _SHUTDOWN


def unreachable(problem: BaseException) -> AssetflowError:
    """What an error while connecting means."""
    words = str(problem)
    for part, message, hint in _WORDS:
        if part in words:
            return StoreUnavailable(message, hint=hint)
    return StoreUnavailable(
        "the database server cannot be reached",
        hint="Check host and port, and that the server runs and listens there.",
    )


def meaning(problem: BaseException, kind: str | None) -> AssetflowError:
    """The typed error for one of the driver's.

    Args:
        problem: What the driver raised.
        kind: The kind of record that was being written, where one was.
    """
    import psycopg  # noqa: PLC0415  # an extra

    if isinstance(problem, OverflowError | UnicodeError | psycopg.DataError):
        return InvalidValue("a value that the database cannot hold", kind=kind)
    if is_lost(problem):
        return TransactionLost("the connection to the database broke")
    state = getattr(problem, "sqlstate", None)
    if state is None:
        return StoreError(f"the database driver raised {type(problem).__name__}")
    if state.startswith("23"):
        return _constraint(state, kind)
    return _state(state) or StoreError("the database refused a statement", sqlstate=state)


def _constraint(state: str, kind: str | None) -> AssetflowError:
    if state == _UNIQUE:
        what = f"a {kind} with that key or unique field" if kind else "a record with that key"
        return DuplicateKey(f"{what} exists already", kind=kind)
    if state == _FOREIGN_KEY:
        return InvalidValue(
            f"a {kind or 'record'} refers to what is not there, or something still refers to it",
            hint="Write what is referred to first, or in the same call.",
            kind=kind,
        )
    return InvalidValue("a value that the table does not allow", kind=kind, sqlstate=state)


def _state(state: str) -> AssetflowError | None:
    if state in (_SERIALIZATION, _DEADLOCK):
        return TransactionLost("another transaction stood in the way", sqlstate=state)
    if state == STALE_PLAN:
        return TransactionLost("the tables were changed meanwhile", sqlstate=state)
    if state == _NO_LOCK:
        return StoreLocked(
            "another transaction holds a lock",
            hint="Try again when the other is done; pg_stat_activity shows it.",
            sqlstate=state,
        )
    if state == _CANCELLED:
        return StoreUnavailable(
            "the server ended a statement that took too long",
            hint="See statement_timeout of the role and the database.",
            sqlstate=state,
        )
    if state in (_READ_ONLY, _NO_RIGHT):
        return StoreReadOnly(
            "the database role may not do that",
            hint="Connect to the primary, and grant the role its rights on the tables.",
            sqlstate=state,
        )
    if state == _NO_SPACE:
        return StoreFull("there is no space left for the database", sqlstate=state)
    if state in (_NO_MEMORY, _NO_SLOT):
        return StoreUnavailable("the server has no memory or no slot left", sqlstate=state)
    if state in (_NO_TABLE, _NO_COLUMN, _NO_SCHEMA):
        return StoreDamaged("a table of the store is not there as it was made", sqlstate=state)
    if state.startswith("XX"):
        return StoreDamaged("the server finds the database damaged", sqlstate=state)
    return None
