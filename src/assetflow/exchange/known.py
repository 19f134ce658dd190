"""What is known of a source, and which records of a page are new, changed or as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field, frozen

from assetflow.exchange.checkpoints import Read
from assetflow.exchange.claims import Claim, compress_raw, sighting_of, too_long
from assetflow.model import F, Observation, Order, Query, Sighting
from assetflow.reconcile import digest
from assetflow.wire import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from assetflow.model import DeviceId, ObservedDevice, Run
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
    unread: list[str]
    """Ids of records that could not be read or kept, which the run had not met."""
    problems: list[Problem]
    """What was wrong with them."""
    nameless: int = 0
    """Records that could not be read and whose id is not known."""

    @property
    def unchanged(self) -> int:
        """How many of the ids are of records that are as they were."""
        return len(self.ids) - len(self.fresh)


@define
class Known:
    """Digests, devices and last contacts of a source's records, and what the run has seen.

    A few hundred bytes a record, so that a page is compared without asking the store.
    """

    source: str
    """The source's name."""
    raw_dictionaries: Mapping[int, bytes]
    """The connector's dictionaries for raw records."""
    digests: dict[str, bytes] = field(factory=dict)
    """Source id to digest."""
    unmatched: set[str] = field(factory=set)
    """Source ids of records that belong to no device yet."""
    absent: set[str] = field(factory=set)
    """Source ids of records that are absent."""
    last_seen: dict[str, Any] = field(factory=dict)
    """Source id to the last known contact."""
    read: Read = field(factory=Read)
    """What this run has read."""

    def load(self, tx: ReadTransaction, run: Run) -> None:
        """Read it from the store."""
        mine = F.source == self.source
        pairs: Any = tx.values(Query(kind=Observation, where=mine), ("source_id", "digest"))
        self.digests = dict(pairs)
        lone = Query(kind=Observation, where=mine & F.device_id.is_unknown())
        self.unmatched = {i for (i,) in tx.values(lone, ("source_id",))}
        # In this order, because then the few are found by their index.
        gone = Query(
            kind=Observation,
            where=mine & F.absent_since.is_known(),
            order=(Order("absent_since"),),
        )
        self.absent = {i for (i,) in tx.values(gone, ("source_id",))}
        pairs = tx.values(Query(kind=Sighting, where=mine), ("source_id", "last_seen_at"))
        self.last_seen = dict(pairs)
        if run.resumed:
            self.read = Read.of(tx, run.id)

    def sort(self, page: Page[Any]) -> Sorted:
        """Sort a page's records. One that the run has seen already is left out: it moved while it was read."""
        digests, last_seen, seen = self.digests, self.last_seen, self.read.seen
        unmatched, absent = self.unmatched, self.absent
        found = Sorted([], [], [], [], [], list(page.problems))
        ids, sightings = found.ids, found.sightings
        changed: list[tuple[int, bytes]] = []
        observed: ObservedDevice
        for position, observed in enumerate(page.items):
            source_id = observed.source_id
            if source_id in seen:
                continue
            seen.add(source_id)
            ids.append(source_id)
            mark = digest(observed)
            if source_id in absent:
                found.returned.append(source_id)
            if digests.get(source_id) != mark or source_id in unmatched:
                changed.append((position, mark))
            elif last_seen.get(source_id) != observed.last_seen_at:
                sightings.append(sighting_of(self.source, observed))
        if changed:
            found.fresh.extend(self._claims(page, self._fitting(page, changed, found)))
        return self._with_problems(found)

    def _fitting(
        self, page: Page[Any], changed: list[tuple[int, bytes]], found: Sorted
    ) -> list[tuple[int, bytes]]:
        """Those that can be kept. One with a value that is too long is a problem of its own."""
        fitting = []
        for position, mark in changed:
            observed = page.items[position]
            name = too_long(observed)
            if name is None:
                fitting.append((position, mark))
                continue
            source_id = observed.source_id
            self.read.seen.discard(source_id)
            found.ids.remove(source_id)
            if source_id in found.returned:
                found.returned.remove(source_id)
            found.problems.append(Problem(path=name, message="is too long", record=source_id))
        return fitting

    def _with_problems(self, found: Sorted) -> Sorted:
        """Count each record that cannot be read once, however often its page comes."""
        nameless = 0
        for problem in found.problems:
            if problem.record is None:
                nameless += 1
            elif problem.record not in self.read.unread and problem.record not in self.read.seen:
                self.read.unread.add(problem.record)
                found.unread.append(problem.record)
        self.read.nameless += nameless
        self.read.unchanged += found.unchanged
        return evolve(found, nameless=nameless)

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
        before = self.digests.get(claim.observed.source_id)
        if before is None:
            return "new"
        return "changed" if before != claim.digest else "unmatched"

    def settled(self, claim: Claim, device_id: DeviceId | None) -> None:
        """Note what became of a claim."""
        source_id = claim.observed.source_id
        self.digests[source_id] = claim.digest
        self.absent.discard(source_id)
        if device_id is None:
            self.unmatched.add(source_id)
        else:
            self.unmatched.discard(source_id)

    def missing(self) -> list[str]:
        """Records that are known, not yet absent, and were not met by the run."""
        seen, unread, absent = self.read.seen, self.read.unread, self.absent
        return [i for i in self.digests if i not in seen and i not in unread and i not in absent]
