"""Records to rows of plain values and back, quickly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import msgspec

from assetflow.codec._written import Unusual, write_changed, write_plain, write_record
from assetflow.codec.columns import Column, ColumnType
from assetflow.codec.text import Tally, clean_text, encode_plain
from assetflow.codec.values import Wrong, from_plain, is_enum, to_plain, whole
from assetflow.errors import AssetflowError, InvalidValue, StoreDamaged
from assetflow.model.fields import Record
from assetflow.model.money import Money
from assetflow.model.query import instant_text

if TYPE_CHECKING:
    R = TypeVar("R", bound=Record)
else:
    R = TypeVar("R")

__all__ = ["RowCodec", "Stored"]

Row = tuple[Any, ...]

_UNREADABLE = (ValueError, TypeError, KeyError, AssetflowError, msgspec.MsgspecError)


class Stored(Protocol):
    """What a row codec is made from; [`Kind`][assetflow.store.schema.Kind] is one."""

    @property
    def name(self) -> str:
        """The kind's name."""
        ...

    @property
    def record(self) -> type[Record]:
        """The record class."""
        ...

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its columns, in order."""
        ...


class RowCodec(Generic[R]):
    """Records of one kind to rows of plain values and back. Made once, used from any thread.

    The quick way is a function written for the kind. It takes what is nearly always there, exact
    types and clean text of allowed length; whatever else it meets goes the careful way, column by
    column, which takes it, cleans it, or says what is wrong.

    Args:
        kind: The kind.
    """

    def __init__(self, kind: Stored) -> None:
        self.kind = kind
        name, columns = kind.name, kind.columns
        self._json_readers = {
            c.field: _json_reader(f"{name}.{c.field}", c.python)
            for c in columns
            if c.type is ColumnType.JSON
        }
        self._quick = write_plain(name, columns)
        self._read = write_record(name, kind.record, columns, self._json_readers)
        self._changed = write_changed(name, columns)

    def plain(self, record: R, tally: Tally | None = None) -> Row:
        """The record's plain values in column order.

        Args:
            record: A record of this kind.
            tally: Counts the texts in which characters were replaced.

        Raises:
            InvalidValue: a value of the wrong type, a text that is too long, a number beyond 64
                bits. Names kind and field, never the value.
        """
        if type(record) is self.kind.record:
            try:
                return self._quick(record)
            except (Unusual, InvalidValue, OverflowError):
                pass
        return self._careful(record, tally)

    def _careful(self, record: R, tally: Tally | None) -> Row:
        if type(record) is not self.kind.record:
            msg = f"a {type(record).__name__} is not a {self.kind.name}"
            raise InvalidValue(msg, kind=self.kind.name)
        return tuple(self.plain_at(record, i, tally) for i in range(len(self.kind.columns)))

    def plain_at(self, record: R, position: int, tally: Tally | None = None) -> Any:
        """One plain value of a record, by the column's position.

        Raises:
            InvalidValue: as [`plain`][assetflow.codec.RowCodec.plain].
        """
        column = self.kind.columns[position]
        value = getattr(record, column.field)
        if value is None and column.nullable:
            return None
        try:
            return _CAREFUL[column.type](column, value, tally)
        except (Wrong, InvalidValue) as problem:
            reason = str(problem)
        except (ValueError, TypeError, AttributeError, OverflowError):
            reason = "cannot be stored"
        msg = f"{self.kind.name}.{column.field} {reason}"
        raise InvalidValue(msg, kind=self.kind.name, field=column.field)

    def changed(self, before: R, after: R) -> list[int]:
        """Positions of the columns in which two records differ."""
        return self._changed(before, after)

    def record(self, row: Sequence[Any]) -> R:
        """The record that a row holds.

        Args:
            row: Plain values in column order, as a driver gives them.

        Raises:
            StoreDamaged: a value that no record has. Names kind and field, never the value.
        """
        try:
            made: R = self._read(row)
        except _UNREADABLE:
            pass
        else:
            return made
        raise self._damaged(row)

    def _damaged(self, row: Sequence[Any]) -> StoreDamaged:
        """Name the field at fault, found by reading each alone."""
        field = "its width"
        for i, column in enumerate(self.kind.columns[: len(row)]):
            if column.type is ColumnType.CURRENCY:
                continue
            width = 2 if column.type is ColumnType.MINOR else 1
            some = self.kind.columns[i : i + width]
            read = write_record(self.kind.name, self.kind.record, some, self._json_readers)
            try:
                read(row[i : i + width])
            except _UNREADABLE:
                field = column.field
                break
        msg = f"a row of {self.kind.name} holds what no record can hold, in {field}"
        return StoreDamaged(msg, kind=self.kind.name, field=field)


# --- the careful way: every column explains itself ---------------------------------------------


def _careful_text(column: Column, value: Any, tally: Tally | None) -> str:
    if is_enum(column.python):
        if not isinstance(value, column.python):
            msg = f"needs a {column.python.__name__}"
            raise Wrong(msg)
        return str(value.value)
    if not isinstance(value, str):
        msg = "needs text"
        raise Wrong(msg)
    if column.length is not None and len(value) > column.length:
        msg = f"is longer than {column.length} characters"
        raise Wrong(msg)
    return clean_text(str(value), tally)


def _careful_date(_: Column, value: Any, __: Tally | None) -> str:
    if not isinstance(value, date) or isinstance(value, datetime):
        msg = "needs a day, not an instant"
        raise Wrong(msg)
    return value.isoformat()


def _careful_instant(_: Column, value: Any, __: Tally | None) -> str:
    if not isinstance(value, datetime):
        msg = "needs an instant with a time zone"
        raise Wrong(msg)
    return instant_text(value)


def _careful_money(column: Column, value: Any, _: Tally | None) -> Any:
    if not isinstance(value, Money):
        msg = "needs money"
        raise Wrong(msg)
    return value.minor if column.type is ColumnType.MINOR else value.currency


def _careful_flag(_: Column, value: Any, __: Tally | None) -> int:
    if not isinstance(value, bool):
        msg = "needs true or false"
        raise Wrong(msg)
    return int(value)


def _careful_bytes(_: Column, value: Any, __: Tally | None) -> bytes:
    if not isinstance(value, bytes):
        msg = "needs bytes"
        raise Wrong(msg)
    return bytes(value)


def _careful_json(_: Column, value: Any, tally: Tally | None) -> str:
    if not isinstance(value, tuple):
        msg = "needs a tuple"
        raise Wrong(msg)
    return encode_plain(to_plain(value), tally).decode()


_CAREFUL: Mapping[ColumnType, Callable[[Column, Any, Tally | None], Any]] = {
    ColumnType.TEXT: _careful_text,
    ColumnType.INSTANT: _careful_instant,
    ColumnType.DATE: _careful_date,
    ColumnType.INTEGER: lambda _, value, __: whole(value),
    ColumnType.FLAG: _careful_flag,
    ColumnType.MINOR: _careful_money,
    ColumnType.CURRENCY: _careful_money,
    ColumnType.JSON: _careful_json,
    ColumnType.BYTES: _careful_bytes,
}


# --- reading JSON columns ------------------------------------------------------------------


def _json_reader(what: str, cls: Any) -> Callable[[str], Any]:
    # The values are frozen and few of them differ, so what was read once may be given again.
    # They are journalled fields, never personal, so nothing outlives an erasure here.
    return lru_cache(maxsize=1024)(partial(_read_json, what, cls))


def _read_json(what: str, cls: Any, text: str) -> Any:
    return from_plain(msgspec.json.decode(text), cls, what=what)
