"""Tables as comma-separated text: read row by row as text, and written so that a spreadsheet is safe.

Every cell stays text: no number, date or flag is inferred here. A row knows the line of the
file at which it begins, also when cells before it hold line breaks.
"""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import islice
from typing import TYPE_CHECKING

from attrs import field, frozen

from assetflow.errors import FileError, FileRefused, FileUnreadable, InvalidValue, UnknownColumns
from assetflow.files.guards import DEFAULT_LIMITS, as_source
from assetflow.files.sniff import sniff

if TYPE_CHECKING:
    from assetflow.files.guards import FileLimits, Readable, Source
    from assetflow.files.notices import Notice

__all__ = [
    "DELIMITERS",
    "Row",
    "Table",
    "escape_cell",
    "header_key",
    "read_table",
    "unescape_cell",
    "write_table",
]

DELIMITERS = (",", ";", "\t", "|")
"""What may stand between cells, the likeliest first."""

_SEARCHED = 15  # records at the top of a file in which the headings are looked for


def header_key(text: str) -> str:
    """A heading folded for look-up: lower-case letters and digits; ``#`` reads as *number*."""
    return "".join(c for c in text.casefold().replace("#", "number") if c.isalnum())


@frozen
class Row:
    """One data row."""

    line: int
    """The line of the file at which it begins, from 1."""
    cells: tuple[str, ...] = field(repr=False)
    """One text for each heading. With a problem: whatever could be read."""
    problem: str | None = None
    """Why it cannot be used: ``quote``, ``too-many-cells``, ``cut-off``, ``cell-too-long``."""


@frozen(kw_only=True)
class Table:
    """A table in a file, whose rows can be read any number of times."""

    source: Source
    """The file."""
    headers: tuple[str, ...]
    """The headings as written, spaces around them removed."""
    header_line: int
    """The line at which they stand."""
    delimiter: str
    """What stands between cells."""
    encoding: str
    """How its characters are encoded."""
    digest: str
    """SHA-256 of the file's bytes, hexadecimal."""
    limits: FileLimits = field(repr=False)
    """How large its parts may be."""
    notices: tuple[Notice, ...] = ()
    """What was guessed."""

    def rows(self, *, keep: Collection[int] | None = None) -> Iterator[Row]:
        """The data rows; those without any text are left out.

        Args:
            keep: Numbers of the columns to keep; the cells of others are dropped as they are
                split and come out empty. ``None`` keeps all.

        Raises:
            FileRefused: more rows than the limit, or a line that is too long.
            FileUnreadable: bytes that are not in the encoding.
        """
        count = 0
        for row in _records(self.source, self.encoding, self.delimiter, self.limits):
            if row.line <= self.header_line:
                continue
            if row.problem is None and not any(cell and not cell.isspace() for cell in row.cells):
                continue
            count += 1
            if count > self.limits.max_rows:
                raise FileRefused(
                    f"{self.source.name} has more than {self.limits.max_rows:,} rows",
                    limit=self.limits.max_rows,
                )
            yield self._fit(row, keep)

    def _fit(self, row: Row, keep: Collection[int] | None) -> Row:
        width, cells = len(self.headers), row.cells
        if row.problem == "cut-off":
            row = Row(row.line, cells, None if len(cells) >= width else "cut-off")
        if row.problem is None:
            if len(cells) > width and any(cell.strip() for cell in cells[width:]):
                return Row(row.line, cells if keep is None else (), "too-many-cells")
            cells = (*cells[:width], *("",) * (width - len(cells)))
        if keep is not None:
            cells = (
                tuple(c if i in keep else "" for i, c in enumerate(cells))
                if row.problem is None
                else ()
            )
        if any(len(c) > self.limits.max_cell for c in cells):
            return Row(row.line, cells, row.problem or "cell-too-long")
        return Row(row.line, cells, row.problem)


def read_table(
    file: Readable | Source,
    *,
    known: Callable[[str], bool],
    encoding: str | None = None,
    delimiter: str | None = None,
    limits: FileLimits = DEFAULT_LIMITS,
) -> Table:
    """Find a table's headings, and by them its delimiter.

    The headings are the row, among the first few, in which the most are known: two, or every
    third one, so that a row of data is not taken for them. The delimiter is the one that gives
    the most known headings.

    Args:
        file: The file.
        known: Whether a heading, as written, is one that the caller knows.
        encoding: The encoding, when the caller knows it better than the file says.
        delimiter: The character between cells, likewise.
        limits: How large the file and its parts may be.

    Raises:
        FileUnreadable: there is no such file, or its encoding cannot be told.
        FileRefused: it, or a part of it, is too large.
        UnknownColumns: no heading is known.
        InvalidValue: an encoding or delimiter that does not exist.
    """
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '\r\n"'):
        raise InvalidValue("a delimiter is one character, no quote and no line break")
    source = as_source(file, limits=limits)
    found = sniff(source, encoding=encoding, limits=limits)
    best: tuple[int, int, tuple[str, ...], str] | None = None
    empty = True
    for candidate in (delimiter,) if delimiter else DELIMITERS:
        with closing(_records(source, found.encoding, candidate, limits)) as records:
            for row in islice(records, _SEARCHED):
                empty = False
                headers = tuple(cell.strip(" \t\r\n\ufeff\xa0") for cell in row.cells)
                score = 0 if row.problem == "quote" else _score(headers, known)
                if score and (best is None or score > best[0]):
                    best = (score, row.line, headers, candidate)
    if best is None:
        raise UnknownColumns(
            f"{source.name} is empty" if empty else f"no heading in {source.name} is known"
        )
    _, line, headers, chosen = best
    while headers and not headers[-1]:
        headers = headers[:-1]
    if len(headers) > limits.max_columns:
        raise FileRefused(
            f"{source.name} has more than {limits.max_columns:,} columns", limit=limits.max_columns
        )
    return Table(
        source=source,
        headers=headers,
        header_line=line,
        delimiter=chosen,
        encoding=found.encoding,
        digest=found.digest,
        limits=limits,
        notices=found.notices,
    )


def _score(headers: Sequence[str], known: Callable[[str], bool]) -> int:
    """How many headings of a row are known; 0 when so few are that it may be a row of data."""
    written = [h for h in headers if h]
    score = sum(map(known, written))
    return score if score > 1 or score * 3 >= len(written) else 0


class _TooLong(Exception):
    """A quoted row goes on and on: its quote was never closed."""


class _Lines:
    """The lines of a file, counted, with those of the present row kept so that it can be given up."""

    def __init__(self, stream: io.TextIOWrapper, name: str, most: int) -> None:
        self.stream, self.name, self.most = stream, name, most
        self.number = 0
        self.taken: list[str] = []
        self._size = 0
        self._again: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else self.stream.readline(self.most + 1)
        if not line:
            raise StopIteration
        if len(line) > self.most:
            raise FileRefused(
                f"{self.name} has a line of more than {self.most:,} characters",
                limit=self.most,
                line=self.number + 1,
            )
        self.number += 1
        self._size += len(line)
        self.taken.append(line)
        if self._size > self.most:
            raise _TooLong
        return line

    def begin(self) -> None:
        """A new row begins."""
        self.taken, self._size = [], 0

    def give_up(self) -> str:
        """The row is no row: its first line alone is lost, the others are read again."""
        first, *rest = self.taken
        self._again.extend(reversed(rest))
        self.number -= len(rest)
        return first

    @property
    def unfinished(self) -> bool:
        """Whether the last line has no end, as when a file was cut off."""
        return bool(self.taken) and not self.taken[-1].endswith(("\n", "\r"))


def _records(
    source: Source, encoding: str, delimiter: str, limits: FileLimits
) -> Generator[Row, None, None]:
    """All rows of a file, the headings too, without regard to how many cells they should have."""
    with io.TextIOWrapper(source.open(), encoding=encoding, errors="strict", newline="") as stream:
        lines = _Lines(stream, source.name, limits.max_record)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            lines.begin()
            start = lines.number + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except UnicodeError:
                raise FileUnreadable(
                    f"{source.name} is not {encoding} from about line {start} on", line=start
                ) from None
            except (csv.Error, _TooLong):
                yield Row(start, (lines.give_up().rstrip("\r\n"),), "quote")
            else:
                yield Row(start, tuple(cells), "cut-off" if lines.unfinished else None)


# --- writing -------------------------------------------------------------------------------

_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


def _is_risky(text: str) -> bool:
    return text.startswith(_RISKY) or text.lstrip().startswith(_RISKY)


def escape_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: a ``'`` is put before one that it might."""
    return "'" + text if _is_risky(text) else text


def unescape_cell(text: str) -> str:
    """What [`escape_cell`][assetflow.files.escape_cell] was given."""
    return text[1:] if text.startswith("'") and _is_risky(text[1:]) else text


def write_table(
    path: str | os.PathLike[str],
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    bom: bool = True,
    safe: bool = True,
) -> int:
    """Write a table that only its owner may read; all of it, or nothing.

    Args:
        path: Where; a file that is there is replaced.
        headers: The headings.
        rows: The rows, as text.
        bom: Begin with a byte order mark, by which Excel knows UTF-8.
        safe: Escape what a spreadsheet would take for a formula.

    Returns:
        How many rows were written.

    Raises:
        FileError: it cannot be written there.
    """
    target = os.fspath(path)
    folder, name = os.path.split(target)
    written = 0
    try:
        # Made with mode 0600, and renamed when complete.
        number, scratch = tempfile.mkstemp(prefix=f".{name}.", dir=folder or ".")
        try:
            with os.fdopen(
                number, "w", encoding="utf-8-sig" if bom else "utf-8", newline=""
            ) as stream:
                writer = csv.writer(stream)
                writer.writerow([escape_cell(c) for c in headers] if safe else headers)
                for row in rows:
                    writer.writerow([escape_cell(c) for c in row] if safe else row)
                    written += 1
            os.replace(scratch, target)  # noqa: PTH105  # pathlib costs import time
        except BaseException:
            with suppress(OSError):
                os.unlink(scratch)  # noqa: PTH108  # as above
            raise
    except OSError as error:
        raise FileError(
            f"{name} cannot be written: {error.strerror}",
            hint="Name a folder that you may write to.",
        ) from None
    return written
