"""Moving house: a whole district from one store to another, its journal byte for byte.

The copy is its own checkpoint. First the journal is taken over, in order; then the records, kind
by kind, in the order of their keys, each batch in a transaction of its own. Whoever kills it at
any point starts it again: the last event and the highest keys that have arrived say where to go
on. If the source has moved on meanwhile, the rest of its journal is taken over, and the records,
which may be of an older state, once more.

The district is put into use by the last transaction, which first proves it: the chain of the copy
verifies and ends as the source's, the records of each kind have one digest on both sides, and a
replay of the journal gives the tables. All of that is read from one state of the source, which
may be in use.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec
from attrs import frozen

from assetflow.errors import CopyDiffers, DuplicateKey, FeatureMissing, PlaceTaken, UnknownDistrict
from assetflow.model import Query
from assetflow.store.journal import BEGINNING, verify
from assetflow.store.ports import Durability, Head, StoreFeature
from assetflow.store.replay import compare
from assetflow.store.schema import KINDS, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from assetflow.model import DistrictId
    from assetflow.store.ports import ReadTransaction, Receiving, ReceivingStore, Store

__all__ = ["CopiedKind", "CopyProgress", "CopyReport", "copy_district", "digest"]

T = TypeVar("T")

_BATCH = 2000
_encode = msgspec.msgpack.Encoder().encode


@frozen(kw_only=True)
class CopyProgress:
    """Where a copy stands."""

    doing: str
    """``check``, ``journal``, the name of a kind, or ``verify``."""
    done: int = 0
    """Events or records of that kind that have arrived."""
    of: int | None = None
    """How many there are; ``None`` where that is not counted."""


@frozen(kw_only=True)
class CopiedKind:
    """The records of one kind, equal on both sides."""

    kind: str
    """The kind."""
    records: int
    """How many there are."""
    digest: str
    """SHA-256 over all of them in the order of their keys, hexadecimal."""


@frozen(kw_only=True)
class CopyReport:
    """A district that was copied and proved."""

    district: DistrictId
    """The district."""
    head: Head
    """The end of the journal, the same on both sides."""
    kinds: tuple[CopiedKind, ...]
    """Every kind of record."""
    events_before: int = 0
    """Events that had arrived before this call."""
    found: bool = False
    """Whether the whole copy was there already, and was only proved again."""

    @property
    def records(self) -> int:
        """Records of all kinds."""
        return sum(k.records for k in self.kinds)


def copy_district(
    source: Store,
    destination: Store,
    district: DistrictId,
    *,
    on_progress: Callable[[CopyProgress], None] | None = None,
    batch: int = _BATCH,
) -> CopyReport:
    """Copy a district with its journal, prove the copy, and put it into use. Safe to kill and repeat.

    Nothing is written to the source. A copy that is whole already is proved again, and left.

    Args:
        source: Where the district is.
        destination: Where it is to be.
        district: Which.
        on_progress: Told after each batch.
        batch: Events or records in one transaction.

    Raises:
        UnknownDistrict: the source does not hold it.
        FeatureMissing: the destination takes no districts in.
        PlaceTaken: the destination holds it and it is in use there, or another copy is on its way.
        JournalBroken: the source's journal does not verify.
        CopyDiffers: the source's tables do not follow from its journal, or what arrived is not
            what was sent. The copy is not put into use.
    """
    if StoreFeature.RECEIVES not in destination.features:
        msg = "the destination takes no districts in"
        raise FeatureMissing(msg, hint="Copy to a database: sqlite:///new.db")
    with source.read(district) as tx:
        if not tx.head().seq:
            msg = "the source does not hold that district"
            raise UnknownDistrict(msg, hint="Check the district's id.")
        copier = _Copier(tx, cast("ReceivingStore", destination), on_progress, batch)
        copier.check_source()
        if district in destination.districts():
            return copier.prove_what_is_there()
        try:
            return copier.copy()
        except DuplicateKey:
            pass
    msg = "another copy of the district is on its way to this destination"
    raise PlaceTaken(msg, hint="Let one of the two end, and start it again.")


def digest(tx: ReadTransaction, kind: Kind) -> CopiedKind:
    """One digest over all records of a kind, the same in every store that holds the same records.

    Args:
        tx: Consistent reads of the district.
        kind: The kind.
    """
    hashed, count = sha256(), 0
    for row in _rows(tx, kind):
        hashed.update(_encode(row))
        count += 1
    return CopiedKind(kind=kind.name, records=count, digest=hashed.hexdigest())


def _rows(
    tx: ReadTransaction, kind: Kind, after: tuple[Any, ...] | None = None
) -> Iterator[tuple[Any, ...]]:
    """All columns of the records behind a key, in the order of the keys."""
    return tx.values(Query(kind=kind.record, after=after), [c.name for c in kind.columns])


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


class _Copier:
    """One call: what it reads from, where it writes, whom it tells."""

    def __init__(
        self,
        tx: ReadTransaction,
        destination: ReceivingStore,
        on_progress: Callable[[CopyProgress], None] | None,
        batch: int,
    ) -> None:
        self._tx = tx
        self._head = tx.head()
        self._destination = destination
        self._on_progress = on_progress
        self._batch = batch

    def _tell(self, doing: str, done: int = 0, of: int | None = None) -> None:
        if self._on_progress is not None:
            self._on_progress(CopyProgress(doing=doing, done=done, of=of))

    def check_source(self) -> None:
        """A district that does not prove itself is not moved."""
        self._tell("check")
        verify(self._tx)
        if compare(self._tx, limit=1):
            msg = "the source's tables do not follow from its journal"
            raise CopyDiffers(msg, hint="Look at it before it is moved: assetflow journal verify")

    def prove_what_is_there(self) -> CopyReport:
        """A destination in use is left alone; one that still is what the source holds is fine."""
        self._tell("verify")
        with self._destination.read(self._tx.district) as there:
            kinds = [digest(there, kind) for kind in KINDS.values()]
            if there.head() == self._head and kinds == [
                digest(self._tx, kind) for kind in KINDS.values()
            ]:
                verify(there)
                return self._report(kinds, events_before=self._head.seq, found=True)
        msg = "the destination holds the district already, and it is in use there"
        raise PlaceTaken(msg, seq=self._head.seq)

    def copy(self) -> CopyReport:
        """Take over what has not arrived yet, prove it, put it into use."""
        before = self._take_journal()
        for kind in KINDS.values():
            self._take_records(kind)
        kinds, stale = self._settle()
        for kind in stale:
            # Kinds without an event may change while the journal stands still.
            with self._receive() as here:
                here.drop_rows(kind.record)
            self._take_records(kind)
        if stale:
            kinds, stale = self._settle()
        if stale:
            msg = "records that arrived are not those of the source"
            raise CopyDiffers(msg, kinds=tuple(kind.name for kind in stale))
        return self._report(kinds, events_before=before)

    def _report(self, kinds: Iterable[CopiedKind], **more: Any) -> CopyReport:
        return CopyReport(district=self._tx.district, head=self._head, kinds=tuple(kinds), **more)

    def _receive(
        self, durability: Durability = Durability.BULK
    ) -> AbstractContextManager[Receiving]:
        return self._destination.receive(self._tx.district, durability=durability)

    def _take_journal(self) -> int:
        """Take over the events that have not arrived. Returns how many were there before."""
        with self._receive() as here:
            at = before = here.head()
            self._check_beginning(at)
            if at != self._head:
                # Records that arrived earlier may be of an older state than the source is in now.
                for kind in reversed(list(KINDS.values())):
                    here.drop_rows(kind.record)
        for events in _batches(self._tx.journal(after=at.seq), self._batch):
            with self._receive() as here:
                at = here.take_events(events)
            self._tell("journal", at.seq, self._head.seq)
        return before.seq

    def _check_beginning(self, at: Head) -> None:
        """Refuse what arrived from another journal than this one."""
        known = next(iter(self._tx.journal(after=at.seq - 1)), None) if at.seq else None
        if at != BEGINNING and (known is None or (known.seq, known.hash) != (at.seq, at.hash)):
            msg = "the destination holds a part of another journal of this district"
            raise PlaceTaken(msg, seq=at.seq)

    def _take_records(self, kind: Kind) -> None:
        of = self._tx.count(Query(kind=kind.record))
        if not of:
            return
        with self._receive() as here:
            after, done = here.last_key(kind.record), here.count(Query(kind=kind.record))
        for rows in _batches(_rows(self._tx, kind, after), self._batch):
            with self._receive() as here:
                here.take_rows(kind.record, rows)
            done += len(rows)
            self._tell(kind.name, done, of)

    def _settle(self) -> tuple[list[CopiedKind], list[Kind]]:
        """Prove the copy and put it into use; or the kinds that are to be taken over again."""
        self._tell("verify")
        with self._receive(Durability.FULL) as here:
            if verify(here).head != self._head:
                msg = "the journal that arrived does not end as the source's"
                raise CopyDiffers(msg, seq=self._head.seq)
            kinds = [digest(here, kind) for kind in KINDS.values()]
            stale = [KINDS[k.kind] for k in kinds if k != digest(self._tx, KINDS[k.kind])]
            self._refuse_journalled(stale)
            if not stale:
                self._accept(here)
        return kinds, stale

    def _refuse_journalled(self, stale: list[Kind]) -> None:
        """With one journal on both sides, journalled kinds are alike, or something went wrong."""
        wrong = tuple(kind.name for kind in stale if kind.journalled)
        if wrong:
            msg = "records that arrived are not those of the source"
            raise CopyDiffers(msg, kinds=wrong)

    def _accept(self, here: Receiving) -> None:
        if compare(here, limit=1):
            msg = "the tables that arrived do not follow from the journal"
            raise CopyDiffers(msg)
        here.accept()
