"""Archives from outside: looked at before they are trusted, read by expected name, never unpacked to a disk."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, BinaryIO, Self, cast

from attrs import field, frozen

from assetflow.errors import FileRefused
from assetflow.files.guards import DEFAULT_LIMITS, as_source

if TYPE_CHECKING:
    from types import TracebackType

    from assetflow.files.guards import FileLimits, Readable, Source

__all__ = ["Archive", "open_archive"]

_END = struct.Struct("<4s4H2LH")  # end of central directory, APPNOTE.TXT 4.3.16
_END_SIGNATURE = b"PK\x05\x06"
_ZIP64_LOCATOR = b"PK\x06\x07"
_COMMENT = 1 << 16
_NAME = 1 << 10  # generous for one name with its extra fields
_LOCAL_HEADER = 30
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_IFMT, _IFLNK, _IFREG, _IFDIR = 0o170000, 0o120000, 0o100000, 0o040000


class Archive:
    """An archive that passed the guards. Use it in a ``with`` block."""

    def __init__(self, source: Source, limits: FileLimits) -> None:
        self.source = source
        self._limits = limits
        self._stack = ExitStack()
        with ExitStack() as undo:
            stream = undo.enter_context(source.open())
            _check_directory(stream, source.name, limits)
            try:
                self._zip = undo.enter_context(zipfile.ZipFile(stream))
            except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error):
                raise FileRefused(f"{source.name} is not a sound zip archive") from None
            self._entries = _check_entries(self._zip.infolist(), source.name, limits)
            _check_overlap(self._zip, source.name)
            self._stack = undo.pop_all()

    @property
    def names(self) -> tuple[str, ...]:
        """The files in it, as they are named there."""
        return tuple(info.filename for info in self._entries)

    def find(self, name: str) -> Source | None:
        """The file with that name, in whatever folder and letter case; ``None`` when there is none.

        Raises:
            FileRefused: there are several.
        """
        found = [i for i in self._entries if i.filename.rpartition("/")[2].lower() == name.lower()]
        if len(found) > 1:
            raise FileRefused(f"{self.source.name} holds {name} more than once", count=len(found))
        return _Entry(name, self._zip, found[0]) if found else None

    def close(self) -> None:
        """Let go of the file."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_archive(file: Readable | Source, *, limits: FileLimits = DEFAULT_LIMITS) -> Archive:
    """Open a zip archive after looking at its directory.

    Args:
        file: The archive.
        limits: How large it and its parts may be.

    Raises:
        FileUnreadable: there is no such file.
        FileRefused: it is no sound zip, is encrypted, names a path that climbs out, holds a link,
            or unpacks to more than the limits.
    """
    return Archive(as_source(file, limits=limits), limits)


@frozen
class _Entry:
    name: str
    archive: zipfile.ZipFile = field(repr=False)
    info: zipfile.ZipInfo = field(repr=False)

    def open(self) -> BinaryIO:
        try:
            raw = _EntryReader(self.archive.open(self.info), self.name)
        except (zipfile.BadZipFile, RuntimeError, ValueError, struct.error, EOFError, OSError):
            raise FileRefused(f"{self.name} in the archive is damaged") from None
        return cast("BinaryIO", io.BufferedReader(raw))


class _EntryReader(io.RawIOBase):
    """A file of an archive, whose damage is told as a refusal."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        super().__init__()
        self._stream, self._name = stream, name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed says Buffer
        try:
            # Gives at most the size that the directory declares, and then compares the checksum.
            chunk = self._stream.read(len(buffer))
        except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError):
            raise FileRefused(f"{self._name} in the archive is damaged") from None
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


def _check_directory(stream: BinaryIO, name: str, limits: FileLimits) -> None:
    """Look at the archive's end before the directory, whatever its size, is taken into memory."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - _END.size - _COMMENT))
    tail = stream.read(_END.size + _COMMENT)
    stream.seek(0)
    at = len(tail) - _END.size
    if at < 0 or tail[at : at + 4] != _END_SIGNATURE or tail[-2:] != b"\0\0":
        at = tail.rfind(_END_SIGNATURE)
    if at < 0 or len(tail) - at < _END.size:
        raise FileRefused(
            f"{name} is not a zip archive", hint="Give the zip as the other system exported it."
        )
    if _ZIP64_LOCATOR in tail[max(0, at - 20) : at]:
        raise FileRefused(f"{name} is a zip of the large format, which a roster never needs")
    _, disk, first_disk, here, entries, directory, _, _ = _END.unpack_from(tail, at)
    if disk or first_disk or here != entries:
        raise FileRefused(f"{name} is one part of a zip archive in several parts")
    if entries > limits.max_entries or directory > limits.max_entries * _NAME:
        raise _too_many(name, limits)


def _check_entries(
    found: list[zipfile.ZipInfo], name: str, limits: FileLimits
) -> list[zipfile.ZipInfo]:
    if len(found) > limits.max_entries:
        raise _too_many(name, limits)
    total = 0
    for info in found:
        _check_name(info, name)
        _check_kind(info, name)
        most = max(limits.ratio_floor, info.compress_size * limits.max_ratio)
        if info.file_size > most:
            raise FileRefused(
                f"{name} holds a file that unpacks to more than {limits.max_ratio} times its size",
                limit=limits.max_ratio,
            )
        total += info.file_size
    if total > limits.max_inflated:
        raise FileRefused(
            f"{name} unpacks to more than {limits.max_inflated:,} bytes", limit=limits.max_inflated
        )
    return [info for info in found if not info.is_dir()]


def _check_name(info: zipfile.ZipInfo, name: str) -> None:
    # The name as it lies in the archive, before zipfile tidied it.
    for path in (info.orig_filename, info.filename):
        parts = path.replace("\\", "/").split("/")
        if not path or "\0" in path or path[0] in "/\\" or path[1:2] == ":" or ".." in parts:
            raise FileRefused(f"{name} holds a file whose path climbs out of the archive")


def _check_kind(info: zipfile.ZipInfo, name: str) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise FileRefused(
            f"{name} is encrypted",
            hint="Export it without a password; send it over an encrypted connection.",
        )
    kind = (info.external_attr >> 16) & _IFMT
    if kind == _IFLNK:
        raise FileRefused(f"{name} holds a link instead of a file")
    if kind not in (0, _IFREG, _IFDIR):
        raise FileRefused(f"{name} holds something that is not a file")
    if info.compress_type not in _METHODS:
        raise FileRefused(
            f"{name} is packed in an unusual way", hint="Use the common method, deflate."
        )


def _check_overlap(archive: zipfile.ZipFile, name: str) -> None:
    """Refuse files that share packed bytes: how a small archive holds the same bomb many times."""
    end = 0
    for info in sorted(archive.infolist(), key=lambda i: i.header_offset):
        if info.header_offset < end:
            raise FileRefused(f"{name} holds files that overlap")
        end = info.header_offset + _LOCAL_HEADER + info.compress_size
    if end > archive.start_dir:
        raise FileRefused(f"{name} holds files that overlap")


def _too_many(name: str, limits: FileLimits) -> FileRefused:
    return FileRefused(
        f"{name} holds more than {limits.max_entries:,} files", limit=limits.max_entries
    )
