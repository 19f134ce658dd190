"""What an edit changes: which fields of a record may be set, and which of them differ afterwards."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve, fields

from assetflow.codec import ColumnType
from assetflow.codec.values import is_enum
from assetflow.errors import InvalidValue, NotFound
from assetflow.model import Money, Role
from assetflow.model.fields import role_of
from assetflow.store.schema import kind_of
from assetflow.workflows.given import a, day, line, word

if TYPE_CHECKING:
    from assetflow.model import Record
    from assetflow.store.ports import ReadTransaction

    R = TypeVar("R", bound=Record)
else:
    R = TypeVar("R")

__all__ = ["changed_fields", "found", "next_version", "with_changes"]

_SILENT = frozenset({"version", "email_key", "mark_key"})
"""Fields that follow others, so that an event need not name them."""


def _names(kind: Any) -> tuple[str, ...]:
    told = (Role.JOURNALLED, Role.PERSONAL)
    return tuple(a.name for a in fields(kind) if role_of(a.type) in told and a.name not in _SILENT)


_told: Callable[[Any], tuple[str, ...]] = cache(_names)


def changed_fields(before: Record, after: Record) -> tuple[str, ...]:
    """Names of the fields that an event about this change has to name, in the record's order."""
    return tuple(n for n in _told(type(after)) if getattr(before, n) != getattr(after, n))


def next_version(before: R, after: R) -> R:
    """*after* as the version that follows *before*."""
    return evolve(after, version=before.version + 1)  # type: ignore[attr-defined,misc]  # records with a version


def with_changes(record: R, changes: Mapping[str, Any], allowed: Collection[str]) -> R:
    """The record with some fields set: ``None`` empties one, a field that is not named stays.

    Args:
        record: The record.
        changes: Field to new value; one of a closed set of words, or a day, may be given as its
            text.
        allowed: Fields that may be set this way.

    Raises:
        InvalidValue: a field that may not be set, a value of another type than the field's, or
            a word that is none of the set.
    """
    unknown = sorted(set(changes) - set(allowed))
    if unknown:
        raise InvalidValue(
            f"a {record.KIND} has no field {', '.join(unknown)} that can be set here",
            hint=f"Fields: {', '.join(sorted(allowed))}.",
        )
    typed = {name: _typed(type(record), name, value) for name, value in changes.items()}
    return evolve(record, **typed)  # type: ignore[misc]  # every record is an attrs class


def _typed(record: type[Record], name: str, value: Any) -> Any:
    """A value as its field holds it."""
    column = kind_of(record).field_column(name)
    what = f"a {record.KIND}'s {name}"
    if value is None:
        if not column.nullable:
            raise InvalidValue(f"{what} cannot be empty")
        return None
    if is_enum(column.python):
        return word(column.python, value, what)
    if column.type is ColumnType.DATE:
        return day(value, what)
    wanted = _HELD.get(column.type, str)
    if wanted is not str:
        return a(wanted, value, what)
    line(value, what, longest=column.length or 4_000)  # as it was written, blanks and all
    return value


_HELD: Mapping[ColumnType, type] = {
    ColumnType.INTEGER: int,
    ColumnType.FLAG: bool,
    ColumnType.MINOR: Money,
    ColumnType.INSTANT: datetime,
    ColumnType.JSON: tuple,
}


def found(tx: ReadTransaction, kind: type[R], record_id: str) -> R:
    """The record with that id.

    Raises:
        NotFound: there is none. What was given does not stand in the error: it may be a name.
    """
    record = tx.get(kind, record_id)
    if record is None:
        raise NotFound(f"there is no {kind.KIND.replace('_', ' ')} with that id")
    return record
