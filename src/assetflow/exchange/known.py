"""What is known of a source, and which records of a page are new, changed or as they were.

The pages of the newest run say for each record what its tracked fields came to (its mark) and when
it made contact last. A page is compared with the same page of that run, value by value in order;
when the listing has moved on, each record is looked up by its id. Only what differs is asked of
the store: a night in which nothing changed reads a few hundred rows, whatever the fleet's size.
"""

from __future__ import annotations

from itertools import compress
from operator import ne
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field, frozen

from assetflow.exchange.checkpoints import Read, newest_ended
from assetflow.exchange.claims import Claim, compress_raw, sighting_of, too_long
from assetflow.model import F, Observation, Query, RunPage, Sighting
from assetflow.reconcile import (
    DIGEST_SIZE,
    digest_of_all,
    digests,
    is_of_this_scheme,
    told_the_same,
)
from assetflow.wire import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from assetflow.model import DeviceId, ObservedDevice, Run
    from assetflow.store.ports import ReadTransaction, Transaction
    from assetflow.wire import Call, Page

__all__ = ["Known", "Sorted"]

_UNSETTLED = bytes(DIGEST_SIZE)
"""Stands for the mark of a record that must be looked up: it was new, changed, or has no device."""
_PATIENCE = 8
"""After so many more pages with a change than without, no page is looked at as a whole."""
_ROW = ("source_id", "digest", "device_id", "absent_since")


@define
class Sorted:
    """A page's records by what has to be done about them.

    The first lists go together, a place for each record that the run had not met.
    """

    shard: str
    """The listing's key."""
    number: int
    """The page's number."""
    records: int
    """How many records it held that could be read."""
    following: Call | None
    """The call for the next page."""
    page: Page[Any] | None
    """The page; ``None`` when nothing more is wanted of it, so that it need not be kept."""
    places: Sequence[int]
    """Where they stand among the page's items."""
    ids: list[str]
    """Their ids."""
    marks: list[bytes]
    """Digests of their tracked fields; empty when the whole page is as it was."""
    contacts: list[str]
    """Their last contacts; empty for unknown."""
    suspects: list[int]
    """Which of them are not plainly as they were."""
    sightings: list[Sighting]
    """Contacts newer than the last known, of records that did not change."""
    whole: bytes
    """All digests and the one over all of them, when there is no suspect; else empty."""
    fresh: list[Claim] = field(factory=list)
    """Claims that are new or changed."""
    waiting: list[Claim] = field(factory=list)
    """Claims that are as they were and belong to no device."""
    returned: list[str] = field(factory=list)
    """Ids that were absent."""
    unread: list[str] = field(factory=list)
    """Ids of records that could not be read or kept, which the run had not met."""
    problems: list[Problem] = field(factory=list)
    """What was wrong with them."""
    nameless: int = 0
    """Records that could not be read and whose id is not known."""

    @property
    def unchanged(self) -> int:
        """How many of the ids are of records that are as they were, and have a device."""
        return len(self.ids) - len(self.fresh) - len(self.waiting)

    def item(self, i: int) -> ObservedDevice:
        """A record of a page that was kept, as one with suspects is."""
        item: ObservedDevice = self.page.items[self.places[i]]  # type: ignore[union-attr]  # kept
        return item

    def as_page(self, run_id: Any, settled: Mapping[str, object]) -> RunPage:
        """The row that remembers the page.

        Args:
            run_id: The run.
            settled: Source ids of fresh records that have a device by now.
        """
        marks = self.marks
        open_ids = {c.observed.source_id for c in (*self.fresh, *self.waiting)}
        if open_ids:
            open_ids.difference_update(settled)
            marks = [
                _UNSETTLED if i in open_ids else mark
                for i, mark in zip(self.ids, marks, strict=True)
            ]
        return RunPage(
            run_id=run_id,
            shard=self.shard,
            page=self.number,
            records=len(self.ids),
            ids="\n".join(self.ids).encode(),
            unchanged=self.unchanged,
            unread="\n".join(self.unread).encode(),
            nameless=self.nameless,
            marks=self.whole or b"".join(marks),
            contacts="\n".join(self.contacts).encode(),
        )


@frozen
class _Before:
    """A page as the newest run met it."""

    ids: bytes
    marks: bytes
    contacts: bytes
    over_all: bytes

    @property
    def last(self) -> list[str]:
        """The last contacts."""
        return self.contacts.decode().split("\n")

    @property
    def both(self) -> tuple[list[bytes], list[str]]:
        """Marks and last contacts."""
        marks = self.marks
        cut = [marks[i : i + DIGEST_SIZE] for i in range(0, len(marks), DIGEST_SIZE)]
        return cut, self.last


@define
class Known:
    """What the newest run of a source says of its records, and what this run has met."""

    source: str
    """The source's name."""
    raw_dictionaries: Mapping[int, bytes]
    """The connector's dictionaries for raw records."""
    read: Read = field(factory=Read)
    """What this run has read."""
    unmatched: set[str] = field(factory=set)
    """Source ids of records that belong to no device."""
    _anything: bool = False
    _pages: dict[tuple[str, int], _Before] = field(factory=dict)
    _hopes: int = _PATIENCE
    _by_id: dict[str, tuple[bytes, str]] | None = None
    _present: int | None = None
    _met: int = 0

    def load(self, tx: ReadTransaction, run: Run) -> None:
        """Read it from the store."""
        mine = F.source == self.source
        self._anything = bool(run.known_before or run.resumed)
        if not self._anything:
            self._present = 0
            return
        lone = Query(kind=Observation, where=mine & F.device_id.is_unknown())
        self.unmatched = {i for (i,) in tx.values(lone, ("source_id",))}
        newest = newest_ended(tx, self.source, run.what)
        if newest is not None:
            pages = Query(kind=RunPage, where=F.run_id == newest)
            for shard, page, *rest in tx.values(pages, ("shard", "page", *_REMEMBERED)):
                ids, marks, contacts = map(bytes, rest)
                size = DIGEST_SIZE * (ids.count(b"\n") + 1)
                if ids and len(marks) in (size, size + DIGEST_SIZE):
                    self._pages[shard, page] = _Before(ids, marks[:size], contacts, marks[size:])
        present = mine & F.absent_since.is_unknown()
        if run.resumed:
            self.read = Read.of(tx, run.id)
        else:
            self._present = tx.count(Query(kind=Observation, where=present))
        if sum(len(before.marks) for before in self._pages.values()) < _FEW * run.known_before:
            # asking for so many one by one would take longer than reading all
            placed = Query(kind=Observation, where=present & F.device_id.is_known())
            self._pages.clear()
            self._by_id = {
                i: (bytes(mark), "") for i, mark in tx.values(placed, ("source_id", "digest"))
            }

    def begin_again(self, tx: ReadTransaction, run: Run) -> None:
        """Take as read what the pages say that are left, after a listing began again."""
        self.read = Read.of(tx, run.id)
        self._anything = True
        self._present = None

    # --- sorting ----------------------------------------------------------------------------

    def scan(self, shard: str, number: int, page: Page[Any]) -> Sorted:
        """Compare a page with what is known, without asking the store.

        A record that the run has met already is left out: it moved while it was read.
        """
        items: Sequence[ObservedDevice] = page.items
        places: Sequence[int] = range(len(items))
        ids = [d.source_id for d in items]
        seen = self.read.seen
        if len(set(ids)) < len(ids) or not seen.isdisjoint(ids):
            first = {i: place for place, i in reversed(list(enumerate(ids)))}
            places = sorted(place for i, place in first.items() if i not in seen)
            items = [items[place] for place in places]
            ids = [d.source_id for d in items]
        seen.update(ids)
        contacts = [d.last_seen_at or "" for d in items]
        before = self._pages.get((shard, number))
        if before is not None and before.ids != "\n".join(ids).encode():
            before = None
        marks: list[bytes] = []
        suspects: list[int] = []
        if before is not None and self._is_as_it_was(before, items):
            whole, last = before.marks + before.over_all, before.last
        else:
            marks = digests(items)
            known, last = before.both if before is not None else self._one_by_one(ids)
            suspects = _unequal(marks, known)
            whole = b"" if suspects else b"".join(marks) + digest_of_all(items)
        moved = _unequal(contacts, last)
        if suspects:
            apart = set(suspects)
            moved = [i for i in moved if i not in apart]
        self._met += len(ids) - len(suspects)
        sightings = [sighting_of(self.source, items[i]) for i in moved]
        return Sorted(
            shard,
            number,
            len(page.items),
            page.following,
            page if suspects else None,
            places,
            ids,
            marks,
            contacts,
            suspects,
            sightings,
            whole,
            problems=[*page.problems],
        )

    def _is_as_it_was(self, before: _Before, items: Sequence[ObservedDevice]) -> bool:
        """Whether no record of a page changed, by one digest over all of them.

        Not tried any more once most pages had a change: then it only costs.
        """
        if not before.over_all or self._hopes <= 0:
            return False
        same = before.over_all == digest_of_all(items)
        self._hopes += 1 if same else -1
        return same

    def _one_by_one(self, ids: list[str]) -> tuple[list[bytes], list[str]]:
        """Marks and last contacts of some records, wherever the newest run met them."""
        if self._by_id is None:
            self._by_id = {}
            for before in self._pages.values():
                pairs = zip(*before.both, strict=True)
                self._by_id.update(zip(before.ids.decode().split("\n"), pairs, strict=True))
        nothing = (_UNSETTLED, "")
        found = [self._by_id.get(i, nothing) for i in ids]
        return [mark for mark, _ in found], [contact for _, contact in found]

    def judge(self, tx: Transaction, pages: Sequence[Sorted]) -> None:
        """Say of each suspect whether it is new, changed, or only not known from the newest run."""
        rows: dict[str, tuple[Any, ...]] = {}
        wanted = [page.ids[i] for page in pages for i in page.suspects]
        if wanted and self._anything:
            mine = (F.source == self.source) & F.source_id.one_of(*wanted)
            rows = {r[0]: r for r in tx.values(Query(kind=Observation, where=mine), _ROW)}
        older = self._told_under_an_older_scheme(tx, pages, rows)
        for page in pages:
            self._judge(page, rows, older)
        if older:
            tx.upsert(list(older.values()))

    def _judge(
        self,
        page: Sorted,
        rows: dict[str, tuple[Any, ...]],
        older: dict[str, Observation],
    ) -> None:
        fresh: list[tuple[int, str]] = []
        waiting: list[tuple[int, str]] = []
        for i in page.suspects:
            source_id, mark = page.ids[i], page.marks[i]
            row = rows.get(source_id)
            if row is None:
                fresh.append((i, "new"))
                continue
            _, before, device_id, absent_since = row
            if absent_since is not None:
                page.returned.append(source_id)
            else:
                self._met += 1
            if bytes(before) != mark and source_id not in older:
                fresh.append((i, "changed"))
            elif device_id is None:
                waiting.append((i, "unmatched"))
            else:
                page.sightings.append(sighting_of(self.source, page.item(i)))
        if fresh or waiting:
            fresh = self._fitting(page, fresh)
            page.fresh.extend(self._claims(page, fresh))
            page.waiting.extend(self._claims(page, waiting))
            self._leave_out(page)
        self._with_problems(page)

    def _told_under_an_older_scheme(
        self, tx: Transaction, pages: Sequence[Sorted], rows: dict[str, tuple[Any, ...]]
    ) -> dict[str, Observation]:
        """Observations whose digest is of an older scheme and which say the same, with today's digest."""
        wanted = {
            page.ids[i]: (page.item(i), page.marks[i])
            for page in pages
            for i in page.suspects
            if page.ids[i] in rows and not is_of_this_scheme(bytes(rows[page.ids[i]][1]))
        }
        if not wanted:
            return {}
        told = tx.get_many(Observation, [(self.source, i) for i in wanted])
        return {
            o.source_id: evolve(o, digest=wanted[o.source_id][1])
            for o in told.values()
            if told_the_same(o.digest, o.facts, wanted[o.source_id][0])
        }

    def _fitting(self, page: Sorted, fresh: list[tuple[int, str]]) -> list[tuple[int, str]]:
        """Those that can be kept. One with a value that is too long is a problem of its own."""
        fitting = []
        for i, standing in fresh:
            name = too_long(page.item(i))
            if name is None:
                fitting.append((i, standing))
                continue
            self.read.seen.discard(page.ids[i])
            page.problems.append(Problem(path=name, message="is too long", record=page.ids[i]))
        return fitting

    def _leave_out(self, page: Sorted) -> None:
        """Take out of the lists what cannot be kept."""
        gone = {i for i, source_id in enumerate(page.ids) if source_id not in self.read.seen}
        if gone:
            kept = [i not in gone for i in range(len(page.ids))]
            page.returned = [i for i in page.returned if i in self.read.seen]
            page.places = list(compress(page.places, kept))
            page.ids = list(compress(page.ids, kept))
            page.marks = list(compress(page.marks, kept))
            page.contacts = list(compress(page.contacts, kept))

    def _with_problems(self, found: Sorted) -> None:
        """Count each record that cannot be read once, however often its page comes."""
        for problem in found.problems:
            if problem.record is None:
                found.nameless += 1
            elif problem.record not in self.read.unread and problem.record not in self.read.seen:
                self.read.unread.add(problem.record)
                found.unread.append(problem.record)
        self.read.nameless += found.nameless
        self.read.unchanged += found.unchanged

    def _claims(self, page: Sorted, chosen: list[tuple[int, str]]) -> Iterator[Claim]:
        """Claims with their raw records: the page is split, and each record compressed, only here."""
        raws = page.page.raws() if chosen and page.page and self.raw_dictionaries else ()
        version = max(self.raw_dictionaries) if raws else None
        for i, standing in chosen:
            raw = (
                None
                if version is None
                else compress_raw(raws[page.places[i]], self.raw_dictionaries[version])
            )
            yield Claim(page.item(i), page.marks[i], raw, version, standing)

    # --- the end ----------------------------------------------------------------------------

    def settled(self, claims: Iterable[Claim], links: Mapping[str, DeviceId]) -> None:
        """Note which claims belong to a device now."""
        for claim in claims:
            source_id = claim.observed.source_id
            if source_id in links:
                self.unmatched.discard(source_id)
            else:
                self.unmatched.add(source_id)

    def missing(self, tx: ReadTransaction) -> list[str]:
        """Records that are known, not yet absent, and were not met by the run."""
        if self._present == self._met:
            return []
        present = (F.source == self.source) & F.absent_since.is_unknown()
        seen, unread = self.read.seen, self.read.unread
        ids = tx.values(Query(kind=Observation, where=present), ("source_id",))
        return [i for (i,) in ids if i not in seen and i not in unread]


_REMEMBERED = ("ids", "marks", "contacts")
_FEW = DIGEST_SIZE // 2
"""Bytes of marks for each known record below which the newest run says too little."""


def _unequal(now: list[Any], before: list[Any]) -> list[int]:
    """Where two lists differ."""
    return [] if now == before else list(compress(range(len(now)), map(ne, now, before)))
