"""One pass over a file before it is read: its digest, its encoding, and whether it is text at all."""

from __future__ import annotations

import codecs
import hashlib
import io
from contextlib import closing
from typing import TYPE_CHECKING

from attrs import frozen

from assetflow.errors import FileRefused, FileUnreadable, InvalidValue
from assetflow.files.guards import too_large
from assetflow.files.notices import Notice

if TYPE_CHECKING:
    from assetflow.files.guards import FileLimits, Source

__all__ = ["Sniffed", "sniff"]

_CHUNK = 1 << 18
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_TEXT = (
    (
        b"PK\x03\x04",
        "an Excel workbook or a zip archive",
        "Open it in the spreadsheet and save it as CSV UTF-8.",
    ),
    (
        b"\xd0\xcf\x11\xe0",
        "an old Excel workbook",
        "Open it in the spreadsheet and save it as CSV UTF-8.",
    ),
    (b"%PDF", "a PDF", "Export the table itself as CSV."),
    (b"\x1f\x8b", "a gzip archive", "Unpack it first."),
    (b"SQLite format 3", "a database", "Export the table as CSV."),
)
_NOT_1252 = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D))


@frozen(kw_only=True)
class Sniffed:
    """What the first pass found."""

    digest: str
    """SHA-256 of the bytes, hexadecimal."""
    encoding: str
    """The encoding to read with."""
    notices: tuple[Notice, ...] = ()
    """What was guessed."""


def sniff(source: Source, *, encoding: str | None, limits: FileLimits) -> Sniffed:
    """Find the encoding and the digest of a text file.

    A byte order mark decides; else UTF-8 when every byte of the file fits it; else
    Windows-1252, with a notice. Nothing is guessed from letter frequencies.

    Args:
        source: The file.
        encoding: What the caller says that it is; decides alone.
        limits: How large the file and its lines may be.

    Raises:
        FileRefused: too large, or a line without end.
        FileUnreadable: not text, or in no encoding that could be told.
        InvalidValue: no such encoding.
    """
    if encoding is not None:
        _text_encoding(encoding)
    with closing(source.open()) as stream:
        seen = _Pass(source.name, limits)
        while chunk := stream.read(_CHUNK):
            seen.take(chunk)
        return seen.result(encoding)


def _text_encoding(name: str) -> None:
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=name).close()
    except LookupError:
        raise InvalidValue(
            "there is no such text encoding", hint='Common ones: "utf-8", "cp1252", "utf-16".'
        ) from None


class _Pass:
    """The state of the pass."""

    def __init__(self, name: str, limits: FileLimits) -> None:
        self.name, self.limits = name, limits
        self.hash = hashlib.sha256()
        self.total = self.line = self.nul = 0
        self.head = b""
        self.utf8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
        self.cp1252 = True

    def take(self, chunk: bytes) -> None:
        if not self.total:
            self.head = chunk[:64]
            self._refuse_what_is_not_text()
        self.total += len(chunk)
        if self.total > self.limits.max_bytes:
            raise too_large(self.name, self.limits.max_bytes)
        self.hash.update(chunk)
        self._measure(chunk)
        self.nul += chunk.count(0)
        if self.utf8:
            try:
                self.utf8.decode(chunk)
            except UnicodeDecodeError:
                self.utf8 = None
        self.cp1252 = self.cp1252 and not any(byte in chunk for byte in _NOT_1252)

    def _refuse_what_is_not_text(self) -> None:
        for magic, what, hint in _NOT_TEXT:
            if self.head.startswith(magic):
                raise FileUnreadable(f"{self.name} is {what}, not a CSV file", hint=hint)

    def _measure(self, chunk: bytes) -> None:
        """A line's bytes so far; four for a character is the most that any encoding here needs."""
        most = self.limits.max_record * 4
        first = min((i for i in (chunk.find(b"\n"), chunk.find(b"\r")) if i >= 0), default=-1)
        if self.line + (len(chunk) if first < 0 else first) > most:
            raise FileRefused(
                f"{self.name} has a line of more than {self.limits.max_record:,} characters",
                limit=self.limits.max_record,
            )
        last = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        self.line = self.line + len(chunk) if last < 0 else len(chunk) - last - 1

    def result(self, asked: str | None) -> Sniffed:
        digest = self.hash.hexdigest()
        marked = next((name for mark, name in _MARKS if self.head.startswith(mark)), None)
        if asked is not None:
            known = codecs.lookup(asked).name
            return Sniffed(digest=digest, encoding="utf-8-sig" if known == "utf-8" else asked)
        if marked is not None:
            return Sniffed(digest=digest, encoding=marked)
        if self.nul * 4 > self.total:
            raise FileUnreadable(
                f"{self.name} looks like UTF-16 without its mark",
                hint='Name it: encoding="utf-16-le".',
            )
        if self._is_utf8():
            return Sniffed(digest=digest, encoding="utf-8")
        if not self.cp1252:
            raise FileUnreadable(
                f"{self.name} is neither UTF-8 nor Windows-1252", hint='Name it: encoding="...".'
            )
        guess = Notice(
            code="encoding-guessed",
            message='not UTF-8, read as Windows-1252; check accented letters, or name it: encoding="cp1252"',
        )
        return Sniffed(digest=digest, encoding="cp1252", notices=(guess,))

    def _is_utf8(self) -> bool:
        if self.utf8 is None:
            return False
        try:
            self.utf8.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
        return True
