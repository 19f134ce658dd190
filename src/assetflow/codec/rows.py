"""Records to rows of plain values and back, quickly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar

import msgspec

from assetflow.codec.columns import Column, ColumnType
from assetflow.codec.text import Tally, clean_text, encodable, encode_plain
from assetflow.codec.values import (
    INT64,
    Wrong,
    from_plain,
    is_enum,
    read_date,
    read_instant,
    to_plain,
    whole,
)
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
Convert = Callable[[Any], Any]


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


class _Unusual(Exception):  # a signal between the two ways, never seen outside
    """The quick way met something that the careful way must look at."""


class RowCodec(Generic[R]):
    """Records of one kind to rows of plain values and back. Made once, used from any thread.

    The quick way takes what is nearly always there: exact types, clean text of ordinary length.
    Whatever else it meets goes the careful way, column by column, which takes it, cleans it, or
    says what is wrong.

    Args:
        kind: The kind.
    """

    def __init__(self, kind: Stored) -> None:
        self.kind = kind
        columns = kind.columns
        words = [c for c in columns if is_enum(c.python) and not c.nullable]
        texts = [(i, c) for i, c in enumerate(columns) if c.python is str]
        self._get = _getter([f"{c.field}._value_" if c in words else c.field for c in columns])
        self._fields = _getter([c.field for c in columns])
        self._needed = _picker([i for i, c in texts if not c.nullable])
        self._optional = _picker([i for i, c in texts if c.nullable])
        self._limits = [(i, c.length) for i, c in texts if c.length is not None]
        self._shortest = min((n for _, n in self._limits), default=INT64)
        self._words = _getter([c.field for c in words])
        self._word_types = tuple(c.python for c in words)
        quick = [(i, c.nullable, _QUICK[c.type]) for i, c in enumerate(columns) if c.type in _QUICK]
        self._always = [(i, convert) for i, nullable, convert in quick if not nullable]
        self._known = [(i, convert) for i, nullable, convert in quick if nullable]
        self._known += [
            (i, _word) for i, c in enumerate(columns) if is_enum(c.python) and c.nullable
        ]
        self._prepare_reading(columns)

    def _prepare_reading(self, columns: tuple[Column, ...]) -> None:
        record = self.kind.record
        self._new: Callable[[type], Any] = object.__new__
        readers = [(i, _reader(self.kind.name, c)) for i, c in enumerate(columns)]
        self._reads = [(i, convert) for i, convert in readers if convert is not None]
        self._monies = [i for i, c in enumerate(columns) if c.type is ColumnType.MINOR]
        # A row was a record once, so its validators have run: the slots are set directly, which
        # costs half of calling the class.
        self._slots: list[tuple[int, Callable[[Any, Any], None]]] = [
            (i, getattr(record, c.field).__set__)
            for i, c in enumerate(columns)
            if c.type is not ColumnType.CURRENCY
        ]

    # --- to rows ---

    def plain(self, record: R, tally: Tally | None = None) -> Row:
        """The record's plain values in column order.

        Args:
            record: A record of this kind.
            tally: Counts the texts in which characters were replaced.

        Raises:
            InvalidValue: a value of the wrong type, a text that is too long, a number beyond 64
                bits. Names kind and field, never the value.
        """
        try:
            return self._quick(record)
        except (_Unusual, AttributeError, TypeError, ValueError, OverflowError):
            return self._careful(record, tally)

    def _quick(self, record: R) -> Row:
        row = list(self._get(record))
        texts = [*self._needed(row), *[t for t in self._optional(row) if t is not None]]
        joined = "".join(texts)
        if "\0" in joined or not (joined.isascii() or encodable(joined)):
            raise _Unusual
        if texts and max(map(len, texts)) > self._shortest:
            self._measure(row)
        if tuple(map(type, self._words(record))) != self._word_types:
            raise _Unusual
        for i, convert in self._always:
            row[i] = convert(row[i])
        for i, convert in self._known:
            value = row[i]
            if value is not None:
                row[i] = convert(value)
        return tuple(row)

    def _measure(self, row: list[Any]) -> None:
        for i, most in self._limits:
            text = row[i]
            if text is not None and len(text) > most:
                raise _Unusual

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
        pairs = zip(self._fields(before), self._fields(after), strict=True)
        return [i for i, (old, new) in enumerate(pairs) if old is not new and old != new]

    # --- from rows ---

    def record(self, row: Sequence[Any]) -> R:
        """The record that a row holds.

        Args:
            row: Plain values in column order, as a driver gives them.

        Raises:
            StoreDamaged: a value that no record has. Names kind and field, never the value.
        """
        values = list(row)
        try:
            for i, convert in self._reads:
                value = values[i]
                if value is not None:
                    values[i] = convert(value)
            for i in self._monies:
                if values[i] is not None:
                    values[i] = Money(values[i], values[i + 1])
        except (ValueError, TypeError, KeyError, AssetflowError):
            self._damaged(row)
        made = self._new(self.kind.record)
        for i, put in self._slots:
            put(made, values[i])
        return made  # type: ignore[no-any-return]  # of the kind's own class

    def _damaged(self, row: Sequence[Any]) -> NoReturn:
        field = "an amount"
        for i, convert in self._reads:
            try:
                if row[i] is not None:
                    convert(row[i])
            except (ValueError, TypeError, KeyError, AssetflowError):
                field = self.kind.columns[i].field
                break
        msg = f"a row of {self.kind.name} holds what no record can hold, in {field}"
        raise StoreDamaged(msg, kind=self.kind.name, field=field) from None


def _getter(paths: Sequence[str]) -> Callable[[Any], Row]:
    """Several attributes as a tuple, also when they are none or one."""
    if not paths:
        return lambda _: ()
    get = attrgetter(*paths)
    return get if len(paths) > 1 else lambda value: (get(value),)


def _picker(positions: Sequence[int]) -> Callable[[Sequence[Any]], Row]:
    """Several items as a tuple, also when they are none or one."""
    if not positions:
        return lambda _: ()
    pick = itemgetter(*positions)
    return pick if len(positions) > 1 else lambda row: (pick(row),)


# --- the quick way: exact types only ---------------------------------------------------------


def _quick_date(value: Any) -> str:
    if type(value) is not date:
        raise _Unusual
    return value.isoformat()


def _quick_instant(value: Any) -> str:
    if type(value) is not datetime:
        raise _Unusual
    if value.tzinfo is UTC:
        return f"{value.isoformat(timespec='microseconds')[:26]}Z"
    return instant_text(value)


def _quick_flag(value: Any) -> int:
    if type(value) is not bool:
        raise _Unusual
    return int(value)


def _quick_bytes(value: Any) -> bytes:
    if type(value) is not bytes:
        raise _Unusual
    return value


def _quick_json(value: Any) -> str:
    if type(value) is not tuple:
        raise _Unusual
    if not value:
        return "[]"
    tally = Tally()
    text = encode_plain(to_plain(value), tally).decode()
    if tally.count:
        raise _Unusual
    return text


def _word(member: Any) -> Any:
    return member._value_  # the plain attribute behind the slow `value`


_QUICK: Mapping[ColumnType, Convert] = {
    ColumnType.INSTANT: _quick_instant,
    ColumnType.DATE: _quick_date,
    ColumnType.INTEGER: whole,
    ColumnType.FLAG: _quick_flag,
    ColumnType.MINOR: attrgetter("minor"),
    ColumnType.CURRENCY: attrgetter("currency"),
    ColumnType.JSON: _quick_json,
    ColumnType.BYTES: _quick_bytes,
}


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


# --- reading ---------------------------------------------------------------------------------


def _reader(kind: str, column: Column) -> Convert | None:
    """What turns a column's plain value into the field's; ``None`` where they are the same."""
    if is_enum(column.python):
        members = {m.value: m for m in column.python}
        return members.__getitem__
    match column.type:
        case ColumnType.INSTANT:
            return read_instant
        case ColumnType.DATE:
            return read_date
        case ColumnType.FLAG:
            return {0: False, 1: True}.__getitem__
        case ColumnType.JSON:
            return _json_reader(f"{kind}.{column.field}", column.python)
        case _:
            return None


def _json_reader(what: str, cls: Any) -> Convert:
    # The values are frozen and few of them differ, so what was read once may be given again.
    # They are journalled fields, never personal, so nothing outlives an erasure here.
    read = lru_cache(maxsize=1024)(partial(_read_json, what, cls))
    return lambda text: () if text == "[]" else read(text)


def _read_json(what: str, cls: Any, text: str) -> Any:
    return from_plain(msgspec.json.decode(text), cls, what=what)
