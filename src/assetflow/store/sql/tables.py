"""The tables, derived from the kinds of record, and the column types that need no conversion.

The district leads every key, every unique set, every foreign key and every index, so that one
database can hold many districts, and a distributed one can place each on its own server. No
column has a default or an ``onupdate`` on the Python side: statements run on the driver's own
cursor, where such a default would silently become ``NULL``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from assetflow.codec import Column, ColumnType
from assetflow.store.schema import JOURNAL, KINDS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "DISTRICT",
    "EVENT",
    "EVENT_HEAD",
    "METADATA",
    "PREFIX",
    "TABLES",
    "text_type",
    "triggers",
]

PREFIX = "af_"
"""How the name of each table begins, because a district's database holds other tables too."""
DISTRICT = "district_id"
"""The column that leads every key."""
_DISTRICT_LENGTH = 64
_DATE_LENGTH, _INSTANT_LENGTH, _CURRENCY_LENGTH = 10, 27, 3


class _AsTheyAre:
    """Bytes as the three drivers take and give them, without SQLAlchemy's wrapping."""

    def bind_processor(self, dialect: sa.Dialect) -> None:
        """None: a driver takes ``bytes``."""

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> None:
        """None: a driver gives ``bytes``."""


class Bytes(_AsTheyAre, sa.LargeBinary):
    """Bytes of any length."""


class LongBytes(_AsTheyAre, mysql.LONGBLOB):
    """Bytes of any length on MariaDB, whose plain BLOB stops at 64 KB."""


_BYTE_ORDER = {"mariadb": "utf8mb4_nopad_bin", "mysql": "utf8mb4_0900_bin", "postgresql": "C"}


def text_type(length: int | None) -> sa.types.TypeEngine[Any]:
    """Text that compares byte by byte on every engine; MariaDB's default holds 'A' = 'a' = 'a '."""
    if length is None:
        long: sa.types.TypeEngine[Any] = sa.Text()
        for engine in ("mariadb", "mysql"):
            long = long.with_variant(mysql.LONGTEXT(collation=_BYTE_ORDER[engine]), engine)
        return long
    made: sa.types.TypeEngine[Any] = sa.String(length)
    for engine, collation in _BYTE_ORDER.items():
        made = made.with_variant(sa.String(length, collation=collation), engine)
    return made


def _bytes_type() -> sa.types.TypeEngine[Any]:
    return Bytes().with_variant(LongBytes(), "mysql", "mariadb")


def _type(column: Column) -> sa.types.TypeEngine[Any]:
    match column.type:
        case ColumnType.TEXT:
            return text_type(column.length)
        case ColumnType.JSON:
            return text_type(None)
        case ColumnType.INSTANT:
            return text_type(_INSTANT_LENGTH)
        case ColumnType.DATE:
            return text_type(_DATE_LENGTH)
        case ColumnType.CURRENCY:
            return text_type(_CURRENCY_LENGTH)
        case ColumnType.FLAG:
            return sa.SmallInteger()
        case ColumnType.INTEGER | ColumnType.MINOR:
            return sa.BigInteger()
        case ColumnType.BYTES:
            return _bytes_type()


METADATA = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_1_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)
"""All tables of a store."""


def _columns(columns: Iterable[Column]) -> list[sa.Column[Any]]:
    made = [sa.Column(DISTRICT, text_type(_DISTRICT_LENGTH), nullable=False)]
    made += [sa.Column(c.name, _type(c), nullable=c.nullable) for c in columns]
    return made


def _index(
    table: str, names: tuple[str, ...], key: Iterable[str] = (), *, unique: bool = False
) -> sa.Index:
    """An index; one that is not unique ends with the key, so that it also gives the key's order."""
    prefix = "uq" if unique else "ix"
    then = [name for name in key if name not in names]
    name = f"{prefix}_{table}_{'_'.join(names)}"
    return sa.Index(name, DISTRICT, *names, *then, unique=unique)


def _table(kind: Kind) -> sa.Table:
    name = PREFIX + kind.name
    parts: list[Any] = [*_columns(kind.columns), sa.PrimaryKeyConstraint(DISTRICT, *kind.key)]
    parts += [
        sa.CheckConstraint(f"{c.name} IN (0, 1)", name=c.name)
        for c in kind.columns
        if c.type is ColumnType.FLAG
    ]
    parts += [
        sa.ForeignKeyConstraint(
            [DISTRICT, kind.column(field).name],
            [f"{PREFIX}{target}.{DISTRICT}", f"{PREFIX}{target}.id"],
            name=f"fk_{name}_{field}",
        )
        for field, target in kind.refers
    ]
    parts += [
        _index(name, tuple(kind.column(n).name for n in names), kind.key) for names in kind.indexes
    ]
    parts += [
        _index(name, tuple(kind.column(n).name for n in names), unique=True)
        for names in kind.unique
    ]
    return sa.Table(name, METADATA, *parts)


TABLES: Mapping[str, sa.Table] = MappingProxyType({k.name: _table(k) for k in KINDS.values()})
"""The table of each kind, by the kind's name; a table after those that it refers to."""

EVENT = sa.Table(
    f"{PREFIX}event",
    METADATA,
    *_columns(JOURNAL),
    sa.PrimaryKeyConstraint(DISTRICT, "seq"),
    _index(f"{PREFIX}event", ("subject_kind", "subject_id", "seq")),
    _index(f"{PREFIX}event", ("batch_id", "seq")),
)
"""The journal. A trigger refuses to change or remove a row of it."""

EVENT_HEAD = sa.Table(
    f"{PREFIX}event_head",
    METADATA,
    *_columns(c for c in JOURNAL if c.name in ("seq", "hash")),
    sa.PrimaryKeyConstraint(DISTRICT),
)
"""The end of each district's journal: the row that writers lock, last of all."""


def triggers(dialect: str) -> tuple[str, ...]:
    """Statements that make the journal refuse changes, for one engine."""
    if dialect != "sqlite":
        return ()
    return tuple(
        f"CREATE TRIGGER {EVENT.name}_no_{act.lower()} BEFORE {act} ON {EVENT.name} "
        "BEGIN SELECT RAISE(ABORT, 'the journal is only ever appended to'); END"
        for act in ("UPDATE", "DELETE")
    )


for _statement in triggers("sqlite"):
    sa.event.listen(EVENT, "after_create", sa.DDL(_statement).execute_if(dialect="sqlite"))  # type: ignore[no-untyped-call]  # SQLAlchemy's
