"""The proof of everything that happened: ``district.journal``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assetflow.store.journal import load_event
from assetflow.workflows.verify import Verification, verify

if TYPE_CHECKING:
    from assetflow.district.session import Session
    from assetflow.model import Event, Stamp
    from assetflow.store.ports import Head, StoredEvent

__all__ = ["Journal"]


class Journal:
    """Hash-chained events, in order."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def head(self) -> Head:
        """The end of the journal."""
        with self._session.read() as tx:
            return tx.head()

    def events(
        self,
        *,
        after: int = 0,
        subject: tuple[str, str] | None = None,
        batch_id: str | None = None,
    ) -> Iterator[tuple[StoredEvent, Event, Stamp]]:
        """Events in order, each as it is stored and as typed values."""
        with self._session.read() as tx:
            for stored in tx.journal(after=after, subject=subject, batch_id=batch_id):
                event, stamp = load_event(stored)
                yield stored, event, stamp

    def verify(self, *, since: Head | int = 0) -> Verification:
        """Check the chain, and that the tables are what the journal says.

        Args:
            since: Check only what came after this sequence number, or after a head that was
                kept outside the database.

        Raises:
            JournalBroken: the chain does not hold; the error names the first event at fault.
        """
        with self._session.read() as tx:
            return verify(tx, since=since)
