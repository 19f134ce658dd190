"""Takes in a body within its limits: counted as it arrives and again as it is inflated.

A gzip of 48 KB can hold 50 MB, and one packed twice of 1 KB can hold 500 MB. So the driver asks
for gzip only, reads the bytes as they came, and inflates them in steps of 64 KB.
"""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, Protocol

from assetflow.errors import BodyTooLarge, PayloadError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from assetflow.wire.policy import Limits

__all__ = ["Intake"]

_STEP = 65_536
_EITHER_HEADER = 47  # zlib: 32 (gzip or zlib, as the header says) + 15 (the widest window)
_BOM = b"\xef\xbb\xbf"


class _Inflater(Protocol):
    """What `zlib.decompressobj` returns; its class has no public name."""

    @property
    def eof(self) -> bool: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Intake:
    """The body of one answer, piece by piece.

    Args:
        encodings: The values of ``Content-Encoding``, one an item.
        limits: The byte caps.
        announced: What ``Content-Length`` says, if it is there.

    Raises:
        PayloadError: An encoding that was not asked for, or more than one.
        BodyTooLarge: The answer announces more than the cap.
    """

    def __init__(
        self, encodings: Iterable[str], limits: Limits, announced: int | None = None
    ) -> None:
        named = [name for e in encodings if (name := e.strip().lower()) not in {"", "identity"}]
        if len(named) > 1 or (named and named[0] not in {"gzip", "x-gzip"}):
            raise PayloadError("the answer is packed in a way that was not asked for")
        if announced is not None and announced > limits.max_wire_bytes:
            raise _too_large("announces", limits.max_wire_bytes)
        self._limits = limits
        self._inflater: _Inflater | None = zlib.decompressobj(_EITHER_HEADER) if named else None
        # Hands its buffer out without a copy, so a large body is in memory once.
        self._body = io.BytesIO()
        self.wire_bytes: int = 0
        """Bytes taken so far, as they arrived."""
        self.body_bytes: int = 0
        """Bytes of the body so far, inflated."""

    def take(self, chunk: bytes) -> None:
        """Take the next piece.

        Raises:
            BodyTooLarge: One of the caps is passed.
            PayloadError: The bytes are not gzip.
        """
        self.wire_bytes += len(chunk)
        if self.wire_bytes > self._limits.max_wire_bytes:
            raise _too_large("has", self._limits.max_wire_bytes)
        if self._inflater is None:
            self._keep(chunk)
            return
        try:
            sound = self._inflate(self._inflater, chunk)
        except zlib.error:
            sound = False
        if not sound:
            raise PayloadError("the answer's compression is damaged")

    def finish(self) -> bytes:
        """The whole body, a leading byte order mark removed.

        Raises:
            Unreachable: The compressed data has no end: the answer broke off.
        """
        if self._inflater is not None and self.wire_bytes and not self._inflater.eof:
            raise Unreachable("the answer broke off before its end")
        return self._body.getvalue().removeprefix(_BOM)

    def _keep(self, piece: bytes) -> None:
        self.body_bytes += len(piece)
        if self.body_bytes > self._limits.max_body_bytes:
            raise _too_large("inflates to", self._limits.max_body_bytes)
        self._body.write(piece)

    def _inflate(self, inflater: _Inflater, chunk: bytes) -> bool:
        """Inflate a piece; false when something else follows the end of the gzip data."""
        while chunk:
            if inflater.eof:
                # A gzip file may be several, end to end; anything else behind it is not ours.
                if not chunk.startswith(b"\x1f"):
                    return False
                inflater = self._inflater = zlib.decompressobj(_EITHER_HEADER)
            self._keep(inflater.decompress(chunk, _STEP))
            chunk = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        return True


def _too_large(verb: str, cap: int) -> BodyTooLarge:
    return BodyTooLarge(f"the answer {verb} more than {cap} bytes", limit=cap)
