"""Which events a webhook is told of: by name, by field, by place.

A place counts as it was at the event, not as it is when the event is sent: what moved from one
school to another is told to those who listen to either.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from assetflow.exchange.cloudevents import Change, fields_of, is_named, subject_of
from assetflow.model import Place, PlaceTree, Query

if TYPE_CHECKING:
    from assetflow.model import Webhook
    from assetflow.store.ports import ReadTransaction, StoredEvent

__all__ = ["Wanted"]


class Wanted:
    """A webhook's filter, with what it has to look up.

    Args:
        tx: Consistent reads.
        webhook: The webhook.
    """

    def __init__(self, tx: ReadTransaction, webhook: Webhook) -> None:
        self._tx = tx
        self._webhook = webhook
        self._where: dict[str, list[tuple[int, str | None]]] = {}

    def __call__(self, stored: StoredEvent) -> bool:
        """Whether the webhook is told of an event."""
        if not is_named(stored.type, self._webhook.types):
            return False
        if self._webhook.fields and self._fields(stored).isdisjoint(self._webhook.fields):
            return False
        return not self._webhook.sites or not self._sites.isdisjoint(self._places(stored))

    @cached_property
    def _sites(self) -> frozenset[str]:
        tree = PlaceTree(self._tx.find(Query(kind=Place)))
        return frozenset(p for site in self._webhook.sites for p in tree.within(site))

    def _fields(self, stored: StoredEvent) -> set[str]:
        change = Change.of(stored, self._tx.district)
        return {name for c in change.changes for name in fields_of(c)}

    def _places(self, stored: StoredEvent) -> set[str]:
        """Where the event's subject was before it and after it, as the journal tells."""
        if stored.subject_kind == Place.KIND:
            return {stored.subject_id}
        key = subject_of(stored)
        if key not in self._where:
            self._where[key] = list(self._history(stored.subject_kind, stored.subject_id))
        found: set[str] = set()
        last: str | None = None
        for seq, site in self._where[key]:
            if seq > stored.seq:
                break
            if seq == stored.seq:
                found.update(s for s in (last, site) if s is not None)
            last = site
        if last is not None:
            found.add(last)
        return found

    def _history(self, kind: str, subject_id: str) -> Iterator[tuple[int, str | None]]:
        """Each event that said at which site the subject is."""
        for stored in self._tx.journal(subject=(kind, subject_id)):
            if '"site_id"' not in stored.body:
                continue
            for change in Change.of(stored, self._tx.district).changes:
                if change.record == kind and "site_id" in change.set:
                    yield stored.seq, change.set["site_id"]
