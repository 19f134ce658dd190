"""The shape of what is stored, derived from the record classes: kinds, columns, keys.

There is one table for each kind. The district leads every key, every unique set, every index and
every reference; it is no field, so it stands in no list here and each store adds it. A field
states its role in its annotation; one without a role is refused when this module is loaded, so
that nothing personal can enter the journal by being forgotten.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from operator import attrgetter, itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn, Union, get_args, get_origin, get_type_hints

import attrs
from attrs import field, frozen

from assetflow.codec import Column, ColumnType, RowCodec
from assetflow.codec.values import is_enum
from assetflow.errors import InvalidValue
from assetflow.model import RECORDS, Money, Record, Role
from assetflow.model.fields import role_of

__all__ = ["JOURNAL", "KINDS", "Column", "ColumnType", "Kind", "Told", "check_district", "kind_of"]

Row = tuple[Any, ...]

_ID, _NAME, _VENDOR_ID, _CODE = 64, 200, 255, 64
_ENUM = 32
_UNLIMITED = 0
# Lengths that the rules of `_length` do not give. A field may also state its own: metadata
# {"length": 80}, where 0 is no limit.
_LENGTHS = {
    ("import_batch", "content_digest"): _CODE,
    ("note", "text"): 4000,
    ("observation", "facts"): _UNLIMITED,
    ("outbox", "body"): _UNLIMITED,
    ("policy", "text"): _UNLIMITED,
    ("idempotency", "result"): _UNLIMITED,
    ("run", "message"): 1000,
    ("run_item", "candidates"): 2000,
    ("run_item", "fields"): 2000,
    ("run_item", "reason"): 1000,
    ("run_shard", "following"): _UNLIMITED,
    ("run_shard", "label"): 1000,
    ("run_shard", "shard"): _VENDOR_ID,
    ("run_page", "shard"): _VENDOR_ID,
    ("staged_record", "observed"): _UNLIMITED,
}
_SURE = {ColumnType.INTEGER, ColumnType.DATE, ColumnType.FLAG}
_PLAIN_TYPES: Mapping[Any, ColumnType] = {
    str: ColumnType.TEXT,
    bool: ColumnType.FLAG,
    int: ColumnType.INTEGER,
    bytes: ColumnType.BYTES,
    date: ColumnType.DATE,
    datetime: ColumnType.INSTANT,
}


class Told(NamedTuple):
    """A column of which the journal speaks."""

    position: int
    """Its place in a row."""
    name: str
    """Its name."""
    personal: bool
    """Whether it is named without its value."""
    secret: bool
    """Whether it is the key of the marks, which has no mark itself."""
    sure: bool
    """Whether two values that differ are kept differently too; text may be cleaned into one."""


@frozen(kw_only=True, eq=False)
class Kind:
    """A kind of record and its table."""

    name: str
    """Its name in the store and in the journal."""
    record: type[Record]
    """The record class."""
    columns: tuple[Column, ...]
    """Its columns, in the order of the fields; money takes two."""
    key: tuple[str, ...]
    """Fields that identify a record within its district."""
    indexes: tuple[tuple[str, ...], ...]
    """Fields by which records are looked up."""
    unique: tuple[tuple[str, ...], ...]
    """Sets of fields that are unique within a district; an unknown value is equal to none."""
    refers: tuple[tuple[str, str], ...]
    """Pairs of a field and the kind whose ``id`` it holds."""
    by_name: Mapping[str, Column] = field(repr=False)
    """Columns by their name; a money field's own name leads to its minor units."""

    @property
    def doc(self) -> str:
        """The docstring of the record class."""
        return inspect.cleandoc(self.record.__doc__ or "")

    @cached_property
    def codec(self) -> RowCodec[Any]:
        """Turns records into rows and back."""
        return RowCodec(self)

    @cached_property
    def journalled(self) -> bool:
        """Whether any column is: then records change with an event or not at all."""
        return any(c.role is Role.JOURNALLED for c in self.columns)

    @cached_property
    def versioned(self) -> bool:
        """Whether its records count their changes."""
        return "version" in self.by_name

    @cached_property
    def guard(self) -> tuple[str, ...]:
        """Columns that must be as *before* says when a record is replaced or removed.

        The version, where there is one; else every journalled column, none of which may be
        unknown. Empty for a kind that is not journalled: there presence is enough.
        """
        if self.versioned:
            return ("version",)
        return tuple(c.name for c in self.columns if c.role is Role.JOURNALLED)

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """Column name to its position."""
        found = {c.name: i for i, c in enumerate(self.columns)}
        found.update({name: found[c.name] for name, c in self.by_name.items()})
        return MappingProxyType(found)

    def column(self, name: str) -> Column:
        """A column by its name or its field's name.

        Raises:
            InvalidValue: the kind has none of that name.
        """
        return self.by_name.get(name) or self._unknown(name)

    def field_column(self, name: str) -> Column:
        """A column by its field's name alone; money's is its minor units.

        Raises:
            InvalidValue: the kind has no such field.
        """
        found = self.by_name.get(name)
        return found if found is not None and found.field == name else self._unknown(name)

    def _unknown(self, name: str) -> NoReturn:
        fields = ", ".join(dict.fromkeys(c.field for c in self.columns))
        msg = f"{self.name} has no field {name!r}"
        raise InvalidValue(msg, hint=f"Fields: {fields}.", kind=self.name)

    @cached_property
    def pick_key(self) -> Callable[[Row], Row]:
        """Picks the key out of a row."""
        at = [self.positions[name] for name in self.key]
        if len(at) == 1:
            first = at[0]
            return lambda row: (row[first],)
        return itemgetter(*at)

    @cached_property
    def get_key(self) -> Callable[[Record], Row]:
        """Gets the key of a record, as the record holds it."""
        return _getter(self.key)

    @cached_property
    def told(self) -> Mapping[int, Told]:
        """What the journal says of a record beside its key, by position in a row."""
        return {
            i: Told(
                i,
                c.name,
                personal=c.role is Role.PERSONAL,
                secret=c.field == "mark_key",
                sure=c.type in _SURE or is_enum(c.python),
            )
            for i, c in enumerate(self.columns)
            if c.role in (Role.JOURNALLED, Role.PERSONAL) and c.field not in self.key
        }

    def key_of(self, record: Record) -> Row:
        """A record's key in plain form, its texts cleaned.

        Raises:
            InvalidValue: a key that cannot be stored.
        """
        return tuple(self.codec.plain_at(record, self.positions[name]) for name in self.key)

    @cached_property
    def guard_of(self) -> Callable[[Record], Row]:
        """Gets what the ``guard`` columns hold in a record that was read: text and numbers."""
        return _getter(self.guard)


def _getter(names: Sequence[str]) -> Callable[[Any], Row]:
    """Several attributes as a tuple, also when they are none or one."""
    if len(names) > 1:
        return attrgetter(*names)
    return (lambda r: (getattr(r, names[0]),)) if names else lambda _: ()


# --- deriving ------------------------------------------------------------------------------


def _unwrap(annotation: Any) -> tuple[Any, bool]:
    """The type without role, new type and ``None``; and whether ``None`` was there."""
    while role_of(annotation) is not None:
        annotation = get_args(annotation)[0]
    nullable = False
    if get_origin(annotation) in (Union, types.UnionType):
        members = [a for a in get_args(annotation) if a is not type(None)]
        nullable = len(members) < len(get_args(annotation))
        if len(members) != 1:
            msg = f"{annotation} is not one type"
            raise TypeError(msg)
        annotation = members[0]
    while hasattr(annotation, "__supertype__"):
        annotation = annotation.__supertype__
    return annotation, nullable


def _type_of(python: Any) -> ColumnType | None:
    if get_origin(python) is tuple:
        return ColumnType.JSON
    if is_enum(python):
        return ColumnType.TEXT
    return _PLAIN_TYPES.get(python)


def _length(kind: str, attribute: attrs.Attribute[Any], python: Any) -> int | None:
    """Most characters of a text field; ``None`` for no limit."""
    name = attribute.name
    if python is not str:
        return _ENUM
    if "length" in attribute.metadata or (kind, name) in _LENGTHS:
        given = attribute.metadata.get("length", _LENGTHS.get((kind, name)))
        return given or None
    if name == "source_id":
        return _VENDOR_ID
    if name == "subject_id":  # the key of any kind, such as a custom field's name
        return _NAME
    if name == "id" or name.endswith("_id"):
        return _ID
    return _CODE if name in ("digest", "fingerprint") else _NAME


def _columns(record: type[Record]) -> tuple[Column, ...]:
    hints = get_type_hints(record, include_extras=True)
    columns: list[Column] = []
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(record)  # type: ignore[arg-type]
    for attribute in fields:
        where = f"{record.__name__}.{attribute.name}"
        role = role_of(hints[attribute.name])
        if role is None:
            msg = f"{where} states no role: Journalled, Personal, Volatile or Derived"
            raise TypeError(msg)
        columns += _field_columns(record, attribute, role, hints[attribute.name])
    return tuple(columns)


def _field_columns(
    record: type[Record], attribute: attrs.Attribute[Any], role: Role, hint: Any
) -> list[Column]:
    python, nullable = _unwrap(hint)
    name = attribute.name

    def column(suffix: str, kind: ColumnType, length: int | None = None) -> Column:
        return Column(
            name=name + suffix,
            field=name,
            role=role,
            type=kind,
            length=length,
            nullable=nullable,
            python=python,
            record=record,
        )

    if python is Money:
        return [column("_minor", ColumnType.MINOR), column("_currency", ColumnType.CURRENCY)]
    found = _type_of(python)
    if found is None or (found is ColumnType.JSON and nullable):
        msg = f"{record.__name__}.{name} has a type that no column keeps"
        raise TypeError(msg)
    text = found is ColumnType.TEXT
    return [column("", found, _length(record.KIND, attribute, python) if text else None)]


def _make(record: type[Record]) -> Kind:
    columns = _columns(record)
    by_name = {c.name: c for c in columns}
    by_name.update({c.field: c for c in columns if c.type is ColumnType.MINOR})
    kind = Kind(
        name=record.KIND,
        record=record,
        columns=columns,
        key=record.KEY,
        indexes=record.INDEXES,
        unique=record.UNIQUE,
        refers=record.REFERS,
        by_name=MappingProxyType(by_name),
    )
    _check(kind)
    return kind


def _check(kind: Kind) -> None:
    for name in {*kind.key, *(n for names in kind.unique for n in names)}:
        if kind.column(name).role is Role.PERSONAL:
            msg = f"{kind.name}.{name} is personal and may not be a key: errors and logs show keys"
            raise TypeError(msg)
    for name in kind.key:
        if kind.column(name).nullable:
            msg = f"{kind.name}.{name} is part of the key and may not be unknown"
            raise TypeError(msg)
    for names in kind.indexes:
        for name in names:
            kind.column(name)
    journalled = [c for c in kind.columns if c.role is Role.JOURNALLED]
    if journalled and any(kind.column(n).role is not Role.JOURNALLED for n in kind.key):
        msg = f"{kind.name} is journalled, so its whole key must be"
        raise TypeError(msg)
    if any(c.type is ColumnType.BYTES for c in journalled):
        msg = f"{kind.name} journals bytes, which JSON cannot hold"
        raise TypeError(msg)
    if not kind.versioned and any(c.nullable or c.python is not str for c in journalled):
        msg = f"{kind.name} needs a version: not every journalled column is text that is known"
        raise TypeError(msg)


KINDS: Mapping[str, Kind] = MappingProxyType({r.KIND: _make(r) for r in RECORDS})
"""Every kind by its name, each after the kinds that it refers to."""
_BY_RECORD: Mapping[type[Record], Kind] = {k.record: k for k in KINDS.values()}


def kind_of(record: Record | type[Record]) -> Kind:
    """The kind of a record or of a record class.

    Raises:
        InvalidValue: not a class that a store keeps.
    """
    cls = record if isinstance(record, type) else type(record)
    try:
        return _BY_RECORD[cls]
    except KeyError:
        pass
    msg = f"{cls.__name__} is not a kind of record that a store keeps"
    raise InvalidValue(msg, hint="See assetflow.model.RECORDS.")


def check_district(district: str) -> None:
    """Refuse what cannot be a district's id.

    Raises:
        InvalidValue: empty, longer than 64 characters, or not plain ASCII that can be printed.
    """
    plain = str(district).isascii() and str(district).isprintable()
    if not plain or not 0 < len(district) <= _ID:
        msg = "a district's id is 1 to 64 printable ASCII characters"
        raise InvalidValue(msg, hint="Lower-case letters, digits and hyphens, such as lincoln.")


def _journal_column(
    name: str, kind: ColumnType, length: int | None = None, *, nullable: bool = False
) -> Column:
    return Column(
        name=name, field=name, role=Role.JOURNALLED, type=kind, length=length, nullable=nullable
    )


JOURNAL: tuple[Column, ...] = (
    _journal_column("seq", ColumnType.INTEGER),
    _journal_column("type", ColumnType.TEXT, _CODE),
    _journal_column("subject_kind", ColumnType.TEXT, _CODE),
    _journal_column("subject_id", ColumnType.TEXT, _NAME),
    _journal_column("batch_id", ColumnType.TEXT, _ID, nullable=True),
    _journal_column("recorded_at", ColumnType.INSTANT),
    _journal_column("body", ColumnType.TEXT),
    _journal_column("prev", ColumnType.TEXT, _CODE),
    _journal_column("hash", ColumnType.TEXT, _CODE),
)
"""The columns of the journal: the fields of
[`StoredEvent`][assetflow.store.ports.StoredEvent], in their order. ``seq`` is the key."""
