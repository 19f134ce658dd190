"""What an edit changes: which fields of a record may be set, and which of them differ afterwards."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from attrs import evolve, fields

from assetflow.errors import InvalidValue, NotFound
from assetflow.model import Role
from assetflow.model.fields import role_of
from assetflow.workflows.given import word

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
        changes: Field to new value; one of a closed set of words may be given as its text.
        allowed: Fields that may be set this way.

    Raises:
        InvalidValue: a field that may not be set, or a word that is none of the set.
    """
    unknown = sorted(set(changes) - set(allowed))
    if unknown:
        raise InvalidValue(
            f"a {record.KIND} has no field {', '.join(unknown)} that can be set here",
            hint=f"Fields: {', '.join(sorted(allowed))}.",
        )
    words = _words(type(record))
    typed = {
        name: word(words[name], value, f"a {record.KIND}'s {name}") if name in words else value
        for name, value in changes.items()
    }
    return evolve(record, **typed)  # type: ignore[misc]  # every record is an attrs class


def _word_fields(kind: Any) -> dict[str, type[enum.Enum]]:
    """Fields that hold one of a closed set of words, which may be given as its text."""
    kinds = {a.name: get_args(get_args(a.type)[0]) or get_args(a.type) for a in fields(kind)}
    return {
        name: found
        for name, options in kinds.items()
        for found in options
        if isinstance(found, type) and issubclass(found, enum.Enum)
    }


_words: Callable[[Any], dict[str, type[enum.Enum]]] = cache(_word_fields)


def found(tx: ReadTransaction, kind: type[R], record_id: str) -> R:
    """The record with that id.

    Raises:
        NotFound: there is none. What was given does not stand in the error: it may be a name.
    """
    record = tx.get(kind, record_id)
    if record is None:
        raise NotFound(f"there is no {kind.KIND.replace('_', ' ')} with that id")
    return record
