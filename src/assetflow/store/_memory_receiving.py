"""How a district arrives in the store in memory: the specification of a receiving store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assetflow.errors import InvalidValue
from assetflow.store.journal import follow
from assetflow.store.memory import _Writing
from assetflow.store.schema import kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assetflow.model import Record
    from assetflow.store.ports import Head, StoredEvent

__all__ = ["MemoryReceiving"]


class MemoryReceiving(_Writing):
    """Takes in a part of a district; reads see what has arrived."""

    accepted: bool = False
    """Whether the district is to be put into use."""

    def last_key(self, kind: type[Record]) -> tuple[Any, ...] | None:
        """The highest key of a kind that has arrived."""
        self._check()
        return max(self._table(kind_of(kind)).rows, default=None)

    def take_events(self, events: Sequence[StoredEvent]) -> Head:
        """Append events as they are, byte for byte. Returns the new end."""
        with self._writing():
            self._head = follow(self._district, self._head, events)
            self._new.extend(events)
            return self._head

    def take_rows(self, kind: type[Record], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows of any kind, with no event."""
        with self._writing() as touched:
            found = kind_of(kind)
            for row in rows:
                self._insert(found, found.pick_key(row), tuple(row), touched)

    def drop_rows(self, kind: type[Record]) -> int:
        """Remove all rows of a kind that have arrived; how many there were."""
        with self._writing() as touched:
            found = kind_of(kind)
            keys = list(self._table(found).rows)
            for key in keys:
                self._remove(found, key, touched)
            return len(keys)

    def accept(self) -> Head:
        """Put the district into use, with the commit. Returns its journal's end."""
        with self._writing():
            if not self._head.seq:
                msg = "a district without an event has not arrived"
                raise InvalidValue(msg)
            self.accepted = True
            return self._head
