"""What goes to standard output: a table for a person, or one of four forms for a program.

Standard output holds data only; progress, notes and errors go to standard error. Machine forms
are bytes in UTF-8, whatever the terminal speaks, and JSON is pure ASCII, so that a shell that
guesses an encoding cannot guess wrong.
"""

from __future__ import annotations

import csv
import enum
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, Self

import attrs
import click

from assetflow.errors import FileError

__all__ = ["SCHEMA_VERSION", "Form", "Output", "cell", "note", "plain", "write_private"]

SCHEMA_VERSION = 1
"""Grows when a field of the JSON output goes away or changes its meaning."""


class Form(enum.Enum):
    """How output is written."""

    PEOPLE = "people"
    """A table, or lines of text."""
    JSON = "json"
    """One document."""
    NDJSON = "ndjson"
    """One object a line."""
    CSV = "csv"
    """Comma-separated, safe for spreadsheets."""
    TSV = "tsv"
    """Tab-separated, safe for spreadsheets."""


def plain(value: Any) -> Any:
    """A value as JSON has it: an enum's word, an ISO day, money as amount and currency."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | frozenset | set):
        return [plain(v) for v in value]
    if hasattr(value, "minor") and hasattr(value, "currency"):
        return {"amount": str(value.amount), "currency": value.currency}
    if attrs.has(type(value)):
        fields = attrs.fields(type(value))
        return {f.name: plain(getattr(value, f.name)) for f in fields}
    return value


def cell(value: Any) -> str:
    """A value as a cell for a person."""
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, enum.Enum):
        return str(value.value).replace("_", " ")
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, tuple):
        return ", ".join(cell(v) for v in value)
    if isinstance(value, Mapping):
        known = {k: v for k, v in value.items() if not k.endswith("_id") and v not in (None, ())}
        return "; ".join(f"{k.replace('_', ' ')} {cell(v)}" for k, v in known.items())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value))


class Output:
    """Where a command writes its data, in the form that was asked for.

    Args:
        form: How.
        raw: Whether CSV and TSV are left as they are: no byte order mark, no escaped formulas.
        file: The path of a file instead of standard output.
    """

    def __init__(self, form: Form, *, raw: bool = False, file: str | None = None) -> None:
        self.form = form
        self.raw = raw
        self.file = file

    @property
    def for_people(self) -> bool:
        """Whether a person reads it."""
        return self.form is Form.PEOPLE

    @property
    def rich(self) -> bool:
        """Whether it goes to a terminal, which may have colours."""
        return self.for_people and self.file is None and sys.stdout.isatty()

    def listing(
        self,
        kind: str,
        shape: type,
        rows: Iterable[Any],
        *,
        columns: Sequence[str] = (),
        empty: str = "Nothing.",
        **meta: Any,
    ) -> int:
        """Write many rows of one shape.

        Args:
            kind: The kind of the document, such as ``devices.list``.
            shape: The rows' class.
            rows: The rows.
            columns: Fields that a table shows; all when not given.
            empty: What a person reads when there are none.
            **meta: What else the JSON document says.

        Returns:
            How many there were.
        """
        names = [f.name for f in attrs.fields(shape)]
        if self.form is Form.NDJSON:
            return self._lines(rows)
        if self.form in {Form.CSV, Form.TSV}:
            return self._table(names, rows)
        found = list(rows)
        if self.form is Form.JSON:
            self._document(kind, [plain(r) for r in found], {"count": len(found)} | meta)
        elif not found:
            note(empty)
        else:
            self._people(list(columns) or names, found)
        return len(found)

    def single(self, kind: str, value: Any, *, lines: Sequence[str] = (), **meta: Any) -> None:
        """Write one value: fields one below the other, or *lines* for a person."""
        if self.form is Form.JSON:
            self._document(kind, plain(value), meta)
        elif self.form is Form.NDJSON:
            self._lines([value])
        elif self.form in {Form.CSV, Form.TSV}:
            self._table([f.name for f in attrs.fields(type(value))], [value])
        else:
            self.text(list(lines) or list(_pairs(value)))

    def text(self, lines: Sequence[str]) -> None:
        """Write lines for a person."""
        self._write("\n".join(lines) + "\n")

    # --- forms ------------------------------------------------------------------------------

    def _document(self, kind: str, data: Any, meta: Mapping[str, Any]) -> None:
        document = {"schema_version": SCHEMA_VERSION, "kind": kind, "data": data}
        if meta:
            document["meta"] = plain(meta)
        self._bytes(json.dumps(document, indent=2).encode() + b"\n")

    def _lines(self, rows: Iterable[Any]) -> int:
        count = 0
        with self._open() as stream:
            for row in rows:
                stream.write(json.dumps(plain(row)).encode() + b"\n")
                count += 1
        return count

    def _table(self, names: Sequence[str], rows: Iterable[Any]) -> int:
        # A spreadsheet knows UTF-8 by the mark; it would only be in the way of a program.
        mark = b"" if self.raw or (self.file is None and sys.stdout.isatty()) else b"\xef\xbb\xbf"
        delimiter = "," if self.form is Form.CSV else "\t"
        count = 0
        with self._open() as stream:
            stream.write(mark + _row(names, delimiter))
            for row in rows:
                cells = [self._cell(getattr(row, name)) for name in names]
                stream.write(_row(cells, delimiter))
                count += 1
        return count

    def _cell(self, value: Any) -> str:
        from assetflow.files.csv import escape_cell  # noqa: PLC0415  # only for tables

        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if hasattr(value, "minor"):
            return str(value.amount)
        if isinstance(value, int | float):
            return str(value)
        shown = plain(value)
        written = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
        return written if self.raw else escape_cell(written)

    def _people(self, columns: Sequence[str], rows: Sequence[Any]) -> None:
        heads = [c.replace("_", " ") for c in columns]
        cells = [[cell(getattr(row, c)) for c in columns] for row in rows]
        right = [all(_is_number(getattr(row, c)) for row in rows) for c in columns]
        if not self.rich:
            self.text(lined_up(heads, cells, right))
            return
        from assetflow.cli.paint import lines, width  # noqa: PLC0415  # rich is only for terminals

        # a column that does not fit is left out: a tag or an id that is cut is of no use
        kept = len(heads) if "command" in columns else _fitting(heads, cells, width())
        lines(lined_up(heads[:kept], [row[:kept] for row in cells], right))
        if kept < len(heads):
            note(f"No room for: {', '.join(heads[kept:])}.")

    # --- where ------------------------------------------------------------------------------

    def _write(self, written: str) -> None:
        if self.file is not None:
            self._bytes(written.encode())
        else:
            click.echo(written, nl=False)

    def _bytes(self, written: bytes) -> None:
        with self._open() as stream:
            stream.write(written)

    def _open(self) -> _Stream:
        return _Stream(self.file)


class _Stream:
    """Standard output, or a file that only its owner may read, complete or not there."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._buffer: BinaryIO = io.BytesIO() if path else sys.stdout.buffer

    def __enter__(self) -> Self:
        return self

    def write(self, written: bytes) -> None:
        self._buffer.write(written)

    def __exit__(self, kind: object, *_: object) -> None:
        if self._path is None:
            self._buffer.flush()
        elif kind is None and isinstance(self._buffer, io.BytesIO):
            write_private(self._path, self._buffer.getvalue())


def write_private(path: str, content: bytes) -> None:
    """Write a file that only its owner may read; all of it, or nothing.

    Raises:
        FileError: it cannot be written there.
    """
    scratch = f"{path}.part"
    try:
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(scratch).replace(path)
    except OSError as error:
        told = f"{Path(path).name} cannot be written: {error.strerror}"
        raise FileError(told, hint="Name a folder that you may write to.") from None


def note(told: str) -> None:
    """Tell a person something that is not data."""
    click.echo(told, err=True)


def _row(cells: Sequence[str], delimiter: str) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter).writerow(cells)
    return buffer.getvalue().encode()


def _pairs(value: Any) -> Iterator[str]:
    """The fields of a value, one below the other, those without a value left out."""
    names = [f.name for f in attrs.fields(type(value))]
    shown = [(n.replace("_", " "), cell(getattr(value, n))) for n in names]
    width = max((len(n) for n, t in shown if t), default=0)
    return (f"{n:<{width}}  {t}" for n, t in shown if t)


def lined_up(
    heads: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool]
) -> list[str]:
    """A table as plain text, as wide as it needs to be; the first line has the headings."""
    widths = _widths(heads, cells)
    return [
        "  ".join(
            c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=False)
        ).rstrip()
        for row in (heads, *cells)
    ]


def _widths(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(h), *(len(row[i]) for row in cells)) for i, h in enumerate(heads)]


def _fitting(heads: Sequence[str], cells: Sequence[Sequence[str]], room: int) -> int:
    """How many columns fit, at least one."""
    ends = accumulate(w + 2 for w in _widths(heads, cells))
    return max(1, sum(end - 2 <= room for end in ends))


def _is_number(value: Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or hasattr(value, "minor")
