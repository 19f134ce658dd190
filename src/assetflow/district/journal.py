"""The proof of everything that happened: ``district.journal``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assetflow.errors import SealInvalid
from assetflow.store.journal import load_event
from assetflow.store.journal import verify as verify_chain
from assetflow.store.ports import Head
from assetflow.store.seals import Seal, seal
from assetflow.workflows.given import a, count
from assetflow.workflows.verify import Verification, verify

if TYPE_CHECKING:
    from assetflow.district.session import Session
    from assetflow.model import Event, Stamp
    from assetflow.store.ports import StoredEvent

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
        """Events in order, each as it is stored and as typed values.

        Raises:
            InvalidValue: *after* is no sequence number.
        """
        count(after, "a sequence number")
        with self._session.read() as tx:
            for stored in tx.journal(after=after, subject=subject, batch_id=batch_id):
                event, stamp = load_event(stored)
                yield stored, event, stamp

    def seal(self, *, key: bytes | None = None, since: Seal | Head | int = 0) -> Seal:
        """Verify the chain, and seal its end: a few lines to keep where nobody can rewrite them.

        Args:
            key: Signs the seal; at least 16 bytes, kept apart from the database.
            since: Verify only what came after an earlier seal, instead of everything.

        Raises:
            JournalBroken: the chain does not hold; there is no seal for it.
            SealInvalid: the earlier seal is not of this district, or not signed with the key.
            InvalidValue: the journal has no event yet, or the key is too short.
        """
        at = self._session.clock()
        with self._session.read() as tx:
            found = verify_chain(tx, since=self._checked(since, key))
        return seal(self._session.district, found.head, at=at, key=key)

    def verify(self, *, since: Seal | Head | int = 0, key: bytes | None = None) -> Verification:
        """Check the chain, and that the tables are what the journal says.

        Args:
            since: Check only what came after a seal, after a head that was kept outside the
                database, or after this sequence number. A seal and a head also say which hash the
                event must have, so that a history that was rewritten is found.
            key: Check the seal's signature with it.

        Raises:
            JournalBroken: the chain does not hold; the error names the first event at fault.
            SealInvalid: the seal is not of this district, or not signed with the key.
        """
        with self._session.read() as tx:
            return verify(tx, since=self._checked(since, key))

    def _checked(self, since: Seal | Head | int, key: bytes | None) -> Head | int:
        if key is not None:
            a(bytes, key, "the key of a seal")
        if isinstance(since, Head):
            return since
        if not isinstance(since, Seal):
            return count(since, "a sequence number")
        if since.district != self._session.district:
            msg = "the seal is of another district"
            raise SealInvalid(msg)
        if key is not None:
            since.check(key)
        return since.head
