"""What a file may weigh, and where its bytes come from.

Every reader of this package takes its limits from one value and reads in small pieces, so that
a hostile file costs a refusal and not the machine's memory.
"""

from __future__ import annotations

import io
import os
import stat
from typing import IO, TYPE_CHECKING, BinaryIO, Protocol

from attrs import field, frozen
from attrs.validators import ge, instance_of

from assetflow.errors import FileRefused, FileUnreadable, InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DEFAULT_LIMITS", "FileLimits", "Readable", "Source", "as_source"]

Readable = str | os.PathLike[str] | bytes | IO[bytes]
"""What a reader accepts: a path, the bytes themselves, or an open binary file."""

_CHUNK = 1 << 16


def _count(default: int) -> int:
    return field(default=default, validator=[instance_of(int), ge(1)])


@frozen(kw_only=True)
class FileLimits:
    """How large a file and its parts may be. All are counts of at least one."""

    max_bytes: int = _count(256 << 20)
    """Bytes of the file as it lies on the disk."""
    max_rows: int = _count(1_000_000)
    """Data rows of a table."""
    max_columns: int = _count(500)
    """Columns of a table."""
    max_cell: int = _count(32_767)
    """Characters of a cell; the default is what a spreadsheet can hold."""
    max_record: int = _count(1 << 20)
    """Characters of a whole row, line breaks inside quotes included."""
    max_entries: int = _count(100)
    """Files in an archive."""
    max_inflated: int = _count(1 << 30)
    """Bytes of all files of an archive, unpacked."""
    max_ratio: int = _count(200)
    """How many times its packed size a file of an archive may unpack to. Rosters stay below 50."""
    ratio_floor: int = _count(1 << 20)
    """Up to so many bytes a file of an archive may unpack to whatever the ratio."""


DEFAULT_LIMITS = FileLimits()
"""Room for a roster of half a million people."""


class Source(Protocol):
    """Bytes that can be read from the start, more than once."""

    @property
    def name(self) -> str:
        """The file's own name, without its folder."""
        ...

    def open(self) -> BinaryIO:
        """Begin reading at the first byte. The caller closes it."""
        ...


@frozen
class _PathSource:
    name: str
    path: str = field(repr=False)
    limits: FileLimits = field(repr=False)

    def open(self) -> BinaryIO:
        try:
            # Not blocking: the name of a pipe must not make the reader wait for a writer.
            number = os.open(
                self.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            )
        except FileNotFoundError:
            raise FileUnreadable(f"there is no file {self.name}") from None
        except OSError as error:
            raise FileUnreadable(f"{self.name} cannot be opened: {error.strerror}") from None
        except ValueError:
            raise FileUnreadable("no file has such a name") from None
        try:
            self._check(os.fstat(number))
            return os.fdopen(number, "rb")
        except BaseException:
            os.close(number)
            raise

    def _check(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise FileRefused(
                f"{self.name} is not an ordinary file",
                hint="Name a file, not a folder, pipe or device.",
            )
        if found.st_size > self.limits.max_bytes:
            raise too_large(self.name, self.limits.max_bytes)


@frozen
class _BytesSource:
    name: str
    data: bytes = field(repr=False)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)


def as_source(file: Readable | Source, *, limits: FileLimits = DEFAULT_LIMITS) -> Source:
    """Where a file's bytes come from.

    Args:
        file: A path, the bytes themselves, an open binary file (read to its end here), or a
            source already.
        limits: How large it may be.

    Raises:
        FileUnreadable: there is no such file, or it may not be read.
        FileRefused: it is too large, or not an ordinary file.
        InvalidValue: a text file, whose encoding was decided elsewhere.
    """
    if isinstance(file, bytes):
        if len(file) > limits.max_bytes:
            raise too_large("the file", limits.max_bytes)
        return _BytesSource("bytes", file)
    if isinstance(file, str | os.PathLike):
        path = os.fspath(file)
        source = _PathSource(os.path.basename(path), path, limits)  # noqa: PTH119  # pathlib costs import time
        source.open().close()
        return source
    if isinstance(file, io.TextIOBase):
        raise InvalidValue(
            "the file is open as text", hint='Open it with mode "rb", or give its path.'
        )
    if hasattr(file, "read"):
        return _BytesSource("open file", read_capped(file.read, limits.max_bytes, name="the file"))
    if not hasattr(file, "open"):
        raise InvalidValue(
            f"a {type(file).__name__} is no file", hint="Give a path, the bytes, or an open file."
        )
    return file


def too_large(name: str, most: int) -> FileRefused:
    """The refusal of a file above the limit."""
    return FileRefused(
        f"{name} is larger than {most:,} bytes",
        hint="Raise FileLimits.max_bytes only if you know why.",
        limit=most,
    )


def read_capped(read: Callable[[int], bytes], most: int, *, name: str) -> bytes:
    """Read to the end, at most so many bytes.

    Raises:
        FileRefused: there are more.
        InvalidValue: the reader gives text.
    """
    parts, total = [], 0
    while chunk := read(_CHUNK):
        if not isinstance(chunk, bytes):
            raise InvalidValue(
                "the file is open as text", hint='Open it with mode "rb", or give its path.'
            )
        total += len(chunk)
        if total > most:
            raise too_large(name, most)
        parts.append(chunk)
    return b"".join(parts)
