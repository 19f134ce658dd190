"""What each pull did, and what it did to each record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetflow.district.pager import Pager
from assetflow.errors import NotFound
from assetflow.model import F, ItemOutcome, Order, Query, Run, RunItem
from assetflow.workflows.given import said_word

if TYPE_CHECKING:
    from assetflow.district.session import Session

__all__ = ["Runs"]


class Runs:
    """The district's pulls: ``district.runs``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(self, *, source: str | None = None) -> Pager[Run]:
        """All runs, the newest first; of one source when named."""
        where = F.source == source if source is not None else None
        newest = (Order("started_at", descending=True),)
        return Pager(self._session, Query(kind=Run, where=where, order=newest))

    def get(self, run_id: str) -> Run:
        """One run.

        Raises:
            NotFound: there is no run with that id.
        """
        with self._session.read() as tx:
            run = tx.get(Run, run_id)
        if run is None:
            msg = "there is no run with that id"
            raise NotFound(msg, hint="`assetflow runs list` shows them.")
        return run

    def items(self, run_id: str, *, outcome: ItemOutcome | str | None = None) -> Pager[RunItem]:
        """What a run did with each record that it did anything with, or refused to.

        A record that it saw and found unchanged has no item.

        Raises:
            InvalidValue: no such outcome.
        """
        where = F.run_id == run_id
        if outcome is not None:
            where = where & (F.outcome == said_word(ItemOutcome, outcome, "an outcome"))
        return Pager(self._session, Query(kind=RunItem, where=where))

    def of_device(self, device_id: str) -> Pager[RunItem]:
        """What all runs did with one device."""
        return Pager(self._session, Query(kind=RunItem, where=F.device_id == device_id))
