"""Raw records read again: inflated with the dictionary of their connector."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from assetflow.connectors import raw_dictionaries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["RawRecords"]

_MOST = 8 * 1024 * 1024


class RawRecords:
    """Reads what [`compress_raw`][assetflow.exchange.claims.compress_raw] kept.

    Args:
        dictionaries: Gives the dictionaries of a source by version.
    """

    def __init__(
        self, dictionaries: Callable[[str], Mapping[int, bytes]] = raw_dictionaries
    ) -> None:
        self._dictionaries = dictionaries
        self._known: dict[str, Mapping[int, bytes]] = {}

    def __call__(self, source: str, version: int | None, packed: bytes) -> str | None:
        """The record as text; ``None`` when it cannot be read here.

        Args:
            source: The source's name.
            version: Version of the dictionary that it was compressed with.
            packed: The compressed record.
        """
        if source not in self._known:
            self._known[source] = self._dictionaries(source)
        words = self._known[source].get(version) if version is not None else None
        if words is None:
            return None
        opener = zlib.decompressobj(-zlib.MAX_WBITS, zdict=words)
        try:
            record = opener.decompress(packed, _MOST)
        except zlib.error:
            return None
        return record.decode("utf-8", "replace") if opener.eof else None
