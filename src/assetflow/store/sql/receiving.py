"""Taking in a district as it stands in another store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assetflow.errors import InvalidValue, PlaceTaken
from assetflow.store.journal import BEGINNING, follow
from assetflow.store.ports import Head
from assetflow.store.schema import JOURNAL, kind_of
from assetflow.store.sql.writing import SqlWrite, ending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assetflow.model import Record
    from assetflow.store.ports import StoredEvent

__all__ = ["SqlReceive"]

_COLUMNS = tuple(column.name for column in JOURNAL)


class SqlReceive(SqlWrite):
    """Takes in a part of a district; reads see what has arrived.

    The row of the head, by which a district is known, is written when the district is accepted.
    Until then what has arrived says itself how far it is: the last event, the highest keys.
    """

    _arrived: Head | None = None

    def refuse_when_in_use(self) -> None:
        """Refuse a district that has a head.

        Raises:
            PlaceTaken: it has one.
        """
        if self._rows(self._library.journal.head, (self._district,)):
            msg = "the district is in use here"
            raise PlaceTaken(msg)

    def head(self) -> Head:
        """The last event that has arrived."""
        self.check()
        if self._arrived is None:
            rows = self._rows(self._library.journal.last, (self._district,))
            self._arrived = Head(*rows[0]) if rows else BEGINNING
        return self._arrived

    def last_key(self, kind: type[Record]) -> tuple[Any, ...] | None:
        """The highest key of a kind that has arrived."""
        self.check()
        rows = self._rows(self._library.over(kind).last_key, (self._district,))
        return tuple(rows[0]) if rows else None

    @ending
    def take_events(self, events: Sequence[StoredEvent]) -> Head:
        """Append events as they are, byte for byte. Returns the new end."""
        self._arrived = follow(self._district, self.head(), events)
        append = self._library.journal.append
        rows = ((self._district, *[getattr(e, name) for name in _COLUMNS]) for e in events)
        self.doing: str | None = "journal"
        self._cursor.executemany(append.sql, [append.bind(row) for row in rows])
        self.counts["events"] += len(events)
        return self._arrived

    @ending
    def take_rows(self, kind: type[Record], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows of any kind, with no event."""
        found = kind_of(kind)
        self._many(found, self._library.of(found).insert, [(self._district, *r) for r in rows])
        self.counts["rows"] += len(rows)

    @ending
    def drop_rows(self, kind: type[Record]) -> int:
        """Remove all rows of a kind that have arrived; how many there were."""
        found = kind_of(kind)
        dropped = self._many(found, self._library.of(found).drop, [(self._district,)])
        self.counts["rows"] += dropped
        return dropped

    @ending
    def accept(self) -> Head:
        """Put the district into use, with the commit. Returns its journal's end."""
        head = self.head()
        if not head.seq:
            msg = "a district without an event has not arrived"
            raise InvalidValue(msg)
        self._stored, self._head = BEGINNING, head
        return head
