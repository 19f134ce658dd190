"""What the errors of MariaDB and MySQL mean, by their numbers.

The server's words are never shown: "Duplicate entry" prints the value.
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

__all__ = ["is_lost", "meaning", "unreachable"]

# Numbers: https://mariadb.com/kb/en/mariadb-error-code-reference/; 2000 and above are the client's.
_LOST = {2006, 2013, 2014, 2055, 1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1927}
_DUPLICATE = {1062, 1169, 1586, 1022}
_FOREIGN_KEY = {1216, 1217, 1451, 1452}
_CANNOT_HOLD = {1048, 1153, 1264, 1265, 1292, 1364, 1366, 1406, 3819, 3988, 4025, 1690, 1301}
_OVERTAKEN = {1213, 1020, 1614}
_NO_RIGHT = {1044, 1142, 1143, 1227, 1290, 1370, 1792, 1836}
_FULL = {1021, 1114, 1534}
_NO_SERVER, _NO_HOST = 2003, 2005

_CONNECTING = {
    1044: ("the user may not use the database", "GRANT ... ON the database TO the user."),
    1045: ("the server did not accept the user or the password", "Check both."),
    1698: ("the server did not accept the user", "Give the user a password."),
    1049: ("the server has no such database", "CREATE DATABASE lincoln;"),
    1040: ("the server has no connection left", "Raise max_connections, or use fewer."),
    1130: ("the server does not let this machine in", "CREATE USER ... @'this host'."),
}


def _number(problem: BaseException) -> int | None:
    first = problem.args[0] if problem.args else None
    return first if type(first) is int else None


def is_lost(problem: BaseException) -> bool:
    """Whether an error says that the connection is gone."""
    import pymysql  # noqa: PLC0415  # an extra

    # The driver's own word for a connection that it has closed is the number 0.
    gone = isinstance(problem, pymysql.err.InterfaceError) and _number(problem) in (0, None)
    return gone or _number(problem) in _LOST


def unreachable(problem: BaseException) -> AssetflowError:
    """What an error while connecting means."""
    number = _number(problem)
    message, hint = _CONNECTING.get(
        number or 0,
        (
            "the database server cannot be reached",
            "Check host and port, and that the server runs and listens there.",
        ),
    )
    return StoreUnavailable(message, hint=hint, errno=number)


def meaning(problem: BaseException, kind: str | None) -> AssetflowError:
    """The typed error for one of the driver's.

    Args:
        problem: What the driver raised.
        kind: The kind of record that was being written, where one was.
    """
    if isinstance(problem, OverflowError | UnicodeError):
        return InvalidValue("a value that the database cannot hold", kind=kind)
    if is_lost(problem):
        return TransactionLost("the connection to the database broke")
    number = _number(problem)
    if number is None:
        return StoreError(f"the database driver raised {type(problem).__name__}")
    if number in _DUPLICATE:
        what = f"a {kind} with that key or unique field" if kind else "a record with that key"
        return DuplicateKey(f"{what} exists already", kind=kind)
    if number in _FOREIGN_KEY:
        return InvalidValue(
            f"a {kind or 'record'} refers to what is not there, or something still refers to it",
            hint="Write what is referred to first, or in the same call.",
            kind=kind,
        )
    if number in _CANNOT_HOLD:
        return InvalidValue("a value that the table does not allow", kind=kind, errno=number)
    return _state(number) or StoreError("the database refused a statement", errno=number)


def _state(number: int) -> AssetflowError | None:
    if number in _OVERTAKEN:
        return TransactionLost("another transaction stood in the way", errno=number)
    if number == 1205:
        return StoreLocked(
            "another transaction holds a lock",
            hint="Try again when the other is done; SHOW ENGINE INNODB STATUS names it.",
            errno=number,
        )
    if number in _NO_RIGHT:
        return StoreReadOnly(
            "the database user may not do that",
            hint="Connect to the primary, and grant the user its rights on the tables.",
            errno=number,
        )
    if number in _FULL:
        return StoreFull("there is no space left for the database", errno=number)
    if number in (1146, 1054, 1932):
        return StoreDamaged("a table of the store is not there as it was made", errno=number)
    if number in (1034, 1194, 1195, 1712):
        return StoreDamaged("the server finds the database damaged", errno=number)
    if number in (1040, 1041, 1037):
        return StoreUnavailable("the server has no memory or no slot left", errno=number)
    if number in (1317, 1969, 3024):
        return StoreUnavailable(
            "the server ended a statement that took too long",
            hint="See max_statement_time of the user and the server.",
            errno=number,
        )
    if number == 1665:
        return StoreUnavailable(
            "the server logs statements instead of rows, which READ COMMITTED does not allow",
            hint="Set binlog_format to ROW or MIXED.",
            errno=number,
        )
    return None
