"""What is known of a source, and which records of a page are new, changed or as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from assetflow.exchange.checkpoints import seen_ids
from assetflow.exchange.claims import Claim, compress_raw, sighting_of
from assetflow.model import F, Observation, Query, Sighting
from assetflow.reconcile import digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from assetflow.model import ObservedDevice, Run
    from assetflow.store.ports import ReadTransaction
    from assetflow.wire import Page

__all__ = ["Known", "Sorted"]


@frozen
class Sorted:
    """A page's records by what has to be done about them."""

    ids: list[str]
    """Ids that this run had not seen."""
    fresh: list[Claim]
    """New, changed, or still without a device."""
    sightings: list[Sighting]
    """Contacts newer than the last known, of records that did not change."""
    returned: list[str]
    """Ids that were absent."""


@define
class Known:
    """Digests, devices and last contacts of a source's records, and what the run has seen.

    A few hundred bytes a record, so that a page is compared without asking the store.
    """

    source: str
    """The source's name."""
    raw_dictionaries: Mapping[int, bytes]
    """The connector's dictionaries for raw records."""
    records: dict[str, tuple[bytes, Any, Any]] = field(factory=dict)
    """Source id to digest, device id, and since when it is absent."""
    last_seen: dict[str, Any] = field(factory=dict)
    """Source id to the last known contact."""
    seen: set[str] = field(factory=set)
    """Source ids that this run has seen."""

    def load(self, tx: ReadTransaction, run: Run) -> None:
        """Read it from the store."""
        mine = F.source == self.source
        columns = ("source_id", "digest", "device_id", "absent_since")
        rows = tx.values(Query(kind=Observation, where=mine), columns)
        self.records = {i: (mark, device, absent) for i, mark, device, absent in rows}
        contacts = tx.values(Query(kind=Sighting, where=mine), ("source_id", "last_seen_at"))
        self.last_seen = {i: at for i, at in contacts}  # noqa: C416  # dict() wants pairs of known length
        if run.resumed:
            self.seen = seen_ids(tx, run.id)

    def sort(self, page: Page[Any]) -> Sorted:
        """Sort a page's records. One that the run has seen already is left out: it moved while it was read."""
        records, last_seen, seen = self.records, self.last_seen, self.seen
        found = Sorted([], [], [], [])
        changed: list[tuple[int, bytes]] = []
        observed: ObservedDevice
        for position, observed in enumerate(page.items):
            source_id = observed.source_id
            if source_id in seen:
                continue
            seen.add(source_id)
            found.ids.append(source_id)
            mark = digest(observed)
            before = records.get(source_id)
            if before is None:
                changed.append((position, mark))
                continue
            if before[2] is not None:
                found.returned.append(source_id)
            if before[0] != mark or before[1] is None:
                changed.append((position, mark))
            elif last_seen.get(source_id) != observed.last_seen_at:
                found.sightings.append(sighting_of(self.source, observed))
        if changed:
            found.fresh.extend(self._claims(page, changed))
        return found

    def _claims(self, page: Page[Any], changed: list[tuple[int, bytes]]) -> Iterator[Claim]:
        """Claims with their raw records: the page is split, and each record compressed, only here."""
        if not self.raw_dictionaries or not (raws := page.raws()):
            yield from (Claim(page.items[position], mark) for position, mark in changed)
            return
        version = max(self.raw_dictionaries)
        dictionary = self.raw_dictionaries[version]
        for position, mark in changed:
            raw = compress_raw(raws[position], dictionary)
            yield Claim(page.items[position], mark, raw, version)

    def standing(self, claim: Claim) -> str:
        """``new``, ``changed``, or ``unmatched`` for one that is as it was but belongs to no device."""
        before = self.records.get(claim.observed.source_id)
        if before is None:
            return "new"
        return "changed" if before[0] != claim.digest else "unmatched"

    def missing(self) -> list[str]:
        """Records that are known, not yet absent, and were not seen by the run."""
        seen = self.seen
        return [i for i, (_, _, absent) in self.records.items() if absent is None and i not in seen]
