"""Column types and names as revision 0001 needs them. Never changed after its release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["blob", "flag", "index", "number", "refer", "table", "text", "zero_or_one"]

_BYTE_ORDER = {"mariadb": "utf8mb4_nopad_bin", "mysql": "utf8mb4_0900_bin", "postgresql": "C"}


def text(name: str, length: int | None = None, *, null: bool = False) -> sa.Column[Any]:
    """Text that compares byte by byte."""
    kind: sa.types.TypeEngine[str] = sa.Text() if length is None else sa.String(length)
    for engine, collation in _BYTE_ORDER.items():
        if length is not None:
            kind = kind.with_variant(sa.String(length, collation=collation), engine)
        elif engine != "postgresql":
            kind = kind.with_variant(mysql.LONGTEXT(collation=collation), engine)
    return sa.Column(name, kind, nullable=null)


def number(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.SmallInteger(), nullable=False)


def blob(name: str, *, null: bool = False) -> sa.Column[Any]:
    kind = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
    return sa.Column(name, kind, nullable=null)


def table(name: str, key: Sequence[str], *parts: sa.schema.SchemaItem) -> None:
    """A table whose key the district leads."""
    key_constraint = sa.PrimaryKeyConstraint("district_id", *key, name=f"pk_{name}")
    op.create_table(name, text("district_id", 64), *parts, key_constraint)


def refer(table: str, field: str, target: str) -> sa.ForeignKeyConstraint:
    there = [f"{target}.district_id", f"{target}.id"]
    return sa.ForeignKeyConstraint(["district_id", field], there, name=f"fk_{table}_{field}")


def zero_or_one(table: str, name: str) -> sa.CheckConstraint:
    """What a flag may hold."""
    return sa.CheckConstraint(f"{name} IN (0, 1)", name=op.f(f"ck_{table}_{name}"))


def index(table: str, *names: str, then: Sequence[str] = (), unique: bool = False) -> None:
    """An index, named by its first fields; it ends with the rest of the key, for the order."""
    name = f"{'uq' if unique else 'ix'}_{table}_{'_'.join(names)}"
    op.create_index(name, table, ["district_id", *names, *then], unique=unique)
