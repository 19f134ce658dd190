"""Functions written for one kind of record, as attrs writes ``__init__``.

A loop over columns costs five times what the same steps cost when they stand in a row. The text
of a function is made of field names and positions that a class states, never of data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from assetflow.codec.columns import Column, ColumnType
from assetflow.codec.text import Tally, encodable, encode_plain
from assetflow.codec.values import INT64, is_enum, read_date, read_instant, to_plain
from assetflow.model.money import Money
from assetflow.model.query import instant_text

if TYPE_CHECKING:
    from assetflow.model import Record

__all__ = ["Unusual", "write_changed", "write_instant", "write_plain", "write_record"]

Names = dict[str, Any]

_encode = msgspec.json.Encoder().encode


class Unusual(Exception):
    """The quick way met something that the careful way must look at."""


def _compile(lines: Sequence[str], names: Names) -> Callable[..., Any]:
    code = compile("\n".join(lines), f"<assetflow codec {names['KIND']}>", "exec")
    exec(code, names)  # noqa: S102  # the text is made here, of names that a class states
    made: Callable[..., Any] = names["written"]
    return made


# --- to a row --------------------------------------------------------------------------------


def write_instant(value: datetime) -> str:
    """An instant in the one form that is stored: `2026-08-17T13:05:00.000000Z`.

    Raises:
        InvalidValue: without a time zone.
    """
    if value.tzinfo is not UTC:
        return instant_text(value)
    text = _encode(value).decode()  # six times quicker than `isoformat`
    return text[1:28] if len(text) == 29 else f"{text[1:20]}.000000Z"


def _json(value: Any) -> str:
    tally = Tally()
    text = encode_plain(to_plain(value), tally).decode()
    if tally.count:
        raise Unusual
    return text


def _types(column: Column, v: str) -> str:
    """When a value is not of the exact type that the quick way takes."""
    if is_enum(column.python):
        return f"type({v}) is not E_{column.field}"
    match column.type:
        case ColumnType.TEXT:
            longer = "" if column.length is None else f" or len({v}) > {column.length}"
            return f"type({v}) is not str{longer}"
        case ColumnType.INTEGER:
            return f"type({v}) is not int or not {-INT64 - 1} <= {v} <= {INT64}"
        case ColumnType.MINOR | ColumnType.CURRENCY:
            return f"type({v}) is not Money"
        case ColumnType.INSTANT:
            return f"type({v}) is not datetime"
        case _:
            return f"type({v}) is not {_PYTHON[column.type]}"


_PYTHON = {
    ColumnType.DATE: "date",
    ColumnType.FLAG: "bool",
    ColumnType.BYTES: "bytes",
    ColumnType.JSON: "tuple",
}


def _value(column: Column, v: str) -> str:
    """The plain value, given that the type is right."""
    if is_enum(column.python):
        made = f"{v}._value_"  # the plain attribute behind `value`, which is slow
    elif column.type is ColumnType.JSON:
        made = f"json({v}) if {v} else '[]'"
    else:
        made = _PLAIN.get(column.type, "{v}").format(v=v)
    return f"None if {v} is None else {made}" if column.nullable and made != v else made


_PLAIN = {
    ColumnType.DATE: "{v}.isoformat()",
    ColumnType.INSTANT: "instant({v})",
    ColumnType.FLAG: "1 if {v} else 0",
    ColumnType.MINOR: "{v}.minor",
    ColumnType.CURRENCY: "{v}.currency",
}


def write_plain(kind: str, columns: Sequence[Column]) -> Callable[[Any], tuple[Any, ...]]:
    """A function from a record to its row; raises `Unusual` for what it does not take."""
    lines, odd, texts, values = ["def written(r):"], [], [], []
    for i, column in enumerate(columns):
        v = f"v{i}"
        lines.append(f" {v} = r.{column.field}")
        wrong = _types(column, v)
        odd.append(f"{v} is not None and ({wrong})" if column.nullable else wrong)
        if column.python is str:
            texts.append(f"{v} or ''" if column.nullable else v)
        values.append(_value(column, v))
    lines += [f" if {wrong}: raise Unusual" for wrong in odd]
    if texts:
        lines.append(f" t = ''.join(({', '.join(texts)},))")
        lines.append(" if '\\0' in t or not (t.isascii() or encodable(t)): raise Unusual")
    lines.append(f" return ({', '.join(values)},)")
    enums = {f"E_{c.field}": c.python for c in columns if is_enum(c.python)}
    known: Names = {
        "KIND": kind,
        "Money": Money,
        "Unusual": Unusual,
        "date": date,
        "datetime": datetime,
        "encodable": encodable,
        "instant": write_instant,
        "json": _json,
    }
    return _compile(lines, known | enums)


# --- from a row ------------------------------------------------------------------------------


def _read(column: Column, v: str) -> str:
    if is_enum(column.python):
        made = f"E_{column.field}[{v}]"
    elif column.type is ColumnType.JSON:
        made = f"() if {v} == '[]' else J_{column.field}({v})"
    else:
        made = _READ.get(column.type, "{v}").format(v=v)
    return f"None if {v} is None else {made}" if column.nullable and made != v else made


_READ = {
    ColumnType.DATE: "day({v})",
    ColumnType.INSTANT: "instant({v})",
    ColumnType.FLAG: "FLAG[{v}]",
}


def write_record(
    kind: str,
    record: type[Record],
    columns: Sequence[Column],
    json_readers: dict[str, Callable[[str], Any]],
) -> Callable[[Sequence[Any]], Any]:
    """A function from a row to its record.

    A row was a record once, so its validators have run: slots are set directly, which costs half
    of calling the class.
    """
    lines = ["def written(row):", f" {', '.join(f'v{i}' for i in range(len(columns)))}, = row"]
    lines.append(" o = new(cls)")
    names: Names = {
        "FLAG": {0: False, 1: True},
        "KIND": kind,
        "Money": Money,
        "cls": record,
        "day": read_date,
        "instant": read_instant,
        "new": object.__new__,
    }
    for i, column in enumerate(columns):
        if column.type is ColumnType.CURRENCY:
            continue
        names[f"S_{column.field}"] = getattr(record, column.field).__set__
        if column.type is ColumnType.MINOR:
            made = f"None if v{i} is None else Money(v{i}, v{i + 1})"
        else:
            made = _read(column, f"v{i}")
        lines.append(f" S_{column.field}(o, {made})")
    lines.append(" return o")
    enums = {f"E_{c.field}": {m.value: m for m in c.python} for c in columns if is_enum(c.python)}
    readers = {f"J_{field}": read for field, read in json_readers.items()}
    return _compile(lines, names | enums | readers)


# --- two records -----------------------------------------------------------------------------


def write_changed(kind: str, columns: Sequence[Column]) -> Callable[[Any, Any], list[int]]:
    """A function from two records to the positions of the columns in which they differ."""
    lines = ["def written(a, b):", " found = []"]
    for i, column in enumerate(columns):
        lines.append(f" x = a.{column.field}; y = b.{column.field}")
        lines.append(f" if x is not y and x != y: found.append({i})")
    return _compile([*lines, " return found"], {"KIND": kind})
