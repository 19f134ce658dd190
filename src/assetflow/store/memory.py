"""A store in memory: what a store must do, as plainly as it can be said.

It keeps nothing beyond the process. It is the specification that the conformance suite compares
other stores with, and good for tests and rehearsals.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from assetflow.codec import Tally
from assetflow.errors import (
    DuplicateKey,
    InvalidValue,
    PlaceTaken,
    StaleVersion,
    StoreLocked,
    StoreUnavailable,
    TransactionClosed,
    WriteWithoutEvent,
)
from assetflow.model.query import plain
from assetflow.store._memory_state import State, Table
from assetflow.store.checks import checked_aggregate, checked_columns, checked_key, checked_query
from assetflow.store.hooks import tell
from assetflow.store.journal import prepare
from assetflow.store.ports import Durability, Head, StoredEvent, StoreFeature, Wiped
from assetflow.store.schema import JOURNAL, KINDS, Kind, check_district, kind_of

if TYPE_CHECKING:
    from assetflow.model import Aggregate, DistrictId, Order, Query, Record
    from assetflow.store._memory_receiving import MemoryReceiving
    from assetflow.store.ports import CommitHook, Entry

    R = TypeVar("R", bound=Record)
else:
    R = TypeVar("R")

__all__ = ["MemoryStore"]

Key = tuple[Any, ...]
Row = tuple[Any, ...]

_JOURNAL_NAMES = tuple(c.name for c in JOURNAL)
_OUTBOX = KINDS["outbox"]
# Which kinds refer to a kind, and by which field.
_REFERRED: dict[str, list[tuple[Kind, str]]] = {
    name: [(k, f) for k in KINDS.values() for f, target in k.refers if target == name]
    for name in KINDS
}


class MemoryStore:
    """Keeps districts in memory. Safe to use from several threads.

    Writers of one district come one after another; readers see the last commit before they began.

    Args:
        on_commit: Told after each commit that wrote something.
        lock_timeout: Seconds that a writer waits for another.
    """

    def __init__(self, *, on_commit: CommitHook | None = None, lock_timeout: float = 30.0) -> None:
        self._on_commit = on_commit
        self._lock_timeout = lock_timeout
        self._states: dict[str, State] = {}
        self._arriving: dict[str, State] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._writers: dict[str, int] = {}
        self._guard = threading.Lock()
        self._closed = False

    @property
    def features(self) -> frozenset[StoreFeature]:
        """That it takes districts in; beyond the process nothing lasts."""
        return frozenset({StoreFeature.RECEIVES})

    @property
    def address(self) -> str:
        """Always ``memory:``."""
        return "memory:"

    def districts(self) -> list[DistrictId]:
        """The districts that have a journal here, sorted."""
        self._open()
        found: list[Any] = [name for name, state in self._states.items() if state.head.seq]
        return sorted(found)

    @contextmanager
    def read(self, district: DistrictId) -> Iterator[_Reading]:
        """Begin reads of the last commit."""
        self._open()
        check_district(district)
        tx = _Reading(district, self._states.get(district) or State())
        try:
            yield tx
        finally:
            tx.end()

    @contextmanager
    def write(
        self,
        district: DistrictId,
        *,
        durability: Durability = Durability.FULL,  # noqa: ARG002  # memory has one durability: none
    ) -> Iterator[_Writing]:
        """Begin a transaction that commits when the block ends and rolls back when it raises."""
        self._open()
        check_district(district)
        with self._locked(district):
            tx = _Writing(district, self._states.get(district) or State())
            try:
                yield tx
                self._states[district] = tx.committed()
            finally:
                tx.end()
        if self._on_commit is not None and any(tx.counts.values()):
            tell(self._on_commit, district, tx.head_at_end, tx.counts)

    def wipe_removed(self) -> Wiped:
        """Nothing is kept of what was removed."""
        return Wiped(reached=("memory",))

    @contextmanager
    def receive(
        self,
        district: DistrictId,
        *,
        durability: Durability = Durability.BULK,  # noqa: ARG002  # as for `write`
    ) -> Iterator[MemoryReceiving]:
        """Begin to take in a part of a district; commits and rolls back as `write` does."""
        from assetflow.store._memory_receiving import MemoryReceiving  # noqa: PLC0415  # it builds on this module

        self._open()
        check_district(district)
        with self._locked(district):
            here = self._states.get(district)
            if here is not None and here.head.seq:
                msg = "the district is in use here"
                raise PlaceTaken(msg)
            tx = MemoryReceiving(district, self._arriving.get(district) or State())
            try:
                yield tx
                arrived = tx.committed()
            finally:
                tx.end()
            if tx.accepted:
                self._states[district] = arrived
                self._arriving.pop(district, None)
            else:
                self._arriving[district] = arrived
        if self._on_commit is not None and any(tx.counts.values()):
            tell(self._on_commit, district, tx.head_at_end, tx.counts)

    def close(self) -> None:
        """Refuse further use. A second call does nothing."""
        self._closed = True

    def _open(self) -> None:
        if self._closed:
            msg = "the store is closed"
            raise StoreUnavailable(msg, hint="Open it again.")

    @contextmanager
    def _locked(self, district: str) -> Iterator[None]:
        with self._guard:
            lock = self._locks.setdefault(district, threading.Lock())
        me = threading.get_ident()
        # A thread that waits for itself would wait in vain.
        mine = self._writers.get(district) == me
        if mine or not lock.acquire(timeout=self._lock_timeout):
            msg = "another transaction writes to this district"
            raise StoreLocked(msg)
        self._writers[district] = me
        try:
            yield
        finally:
            del self._writers[district]
            lock.release()


class _Reading:
    """Reads of one district as of one commit."""

    def __init__(self, district: DistrictId, state: State) -> None:
        self._district = district
        self._state = state
        self._ended = False

    @property
    def district(self) -> DistrictId:
        """The district that it belongs to."""
        return self._district

    def get(self, kind: type[R], *key: Any) -> R | None:
        """The record with that key, or ``None``."""
        self._check()
        found = kind_of(kind)
        record: R | None = self._table(found).rows.get(checked_key(found, key))
        return record

    def get_many(self, kind: type[R], keys: Sequence[Key]) -> dict[Key, R]:
        """The records with those keys, under the keys as given."""
        self._check()
        found = kind_of(kind)
        rows = self._table(found).rows
        pairs = ((key, rows.get(checked_key(found, key))) for key in keys)
        return {key: record for key, record in pairs if record is not None}

    def find(self, query: Query[R]) -> Iterator[R]:
        """The records that a query selects, in its order."""
        self._check()
        kind, checked = checked_query(query)
        return self._while_open(lambda: self._select(kind, checked))

    def values(self, query: Query[Any], fields: Sequence[str]) -> Iterator[Row]:
        """Only these fields of the records that a query selects, as plain values."""
        self._check()
        kind, checked = checked_query(query)
        at = [kind.positions[c.name] for c in checked_columns(kind, fields)]

        def rows() -> Iterator[Row]:
            for record in self._select(kind, checked):
                row = kind.codec.plain(record)
                yield tuple(row[i] for i in at)

        return self._while_open(rows)

    def count(self, query: Query[Any]) -> int:
        """How many records a query selects."""
        self._check()
        return sum(1 for _ in self._select(*checked_query(query)))

    def aggregate(self, aggregate: Aggregate[Any]) -> list[dict[str, Any]]:
        """The figures of an aggregate."""
        self._check()
        kind, checked = checked_aggregate(aggregate)
        return checked.rows(self._table(kind).rows.values())

    def journal(
        self, *, after: int = 0, subject: tuple[str, str] | None = None, batch_id: str | None = None
    ) -> Iterator[StoredEvent]:
        """Events with a higher sequence number, in order; of one subject or batch when named."""
        self._check()

        def events() -> Iterator[StoredEvent]:
            for event in islice(self._events(), max(after, 0), None):
                if subject is not None and (event.subject_kind, event.subject_id) != subject:
                    continue
                if batch_id is None or event.batch_id == batch_id:
                    yield event

        return self._while_open(events)

    def head(self) -> Head:
        """The end of the journal."""
        self._check()
        return self._state.head

    def end(self) -> None:
        """Refuse further use."""
        self._ended = True

    def _check(self) -> None:
        if self._ended:
            msg = "the transaction has ended"
            raise TransactionClosed(msg)

    def _while_open(self, source: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        """What *source* gives, from the first demand on, for as long as the transaction lasts."""
        self._check()
        for item in source():
            yield item
            self._check()

    def _table(self, kind: Kind) -> Table:
        return self._state.tables[kind.name]

    def _events(self) -> Iterator[StoredEvent]:
        return islice(self._state.events, self._state.head.seq)

    def _select(self, kind: Kind, query: Query[Any]) -> Iterator[Any]:
        where, after = query.where, query.after
        rows = self._table(kind).rows
        found = [
            (key, record)
            for key, record in rows.items()
            if (after is None or key > after) and (where is None or where.test(record) is True)
        ]
        found.sort(key=lambda pair: pair[0])
        records = [record for _, record in found]
        for order in reversed(query.order):
            records = _sorted(records, order)
        return islice(records, query.limit)


def _sorted(records: list[Any], order: Order) -> list[Any]:
    """Sorted by one field, unknown values last, equal ones as they were."""
    known = [r for r in records if getattr(r, order.name) is not None]
    known.sort(key=lambda r: plain(getattr(r, order.name)), reverse=order.descending)
    return known + [r for r in records if getattr(r, order.name) is None]


class _Writing(_Reading):
    """Reads and writes of one district that happen together or not at all."""

    def __init__(self, district: DistrictId, state: State) -> None:
        super().__init__(district, state)
        self._own: dict[str, Table] = {}
        self._new: list[StoredEvent] = []
        self._head = state.head
        self._failed = False
        self._tally = Tally()
        self.counts = {"events": 0, "rows": 0, "intents": 0, "cleaned": 0}

    # --- the port ---

    def lock(self, *targets: tuple[type[Record], Key]) -> None:
        """Nothing to wait for: a district has one writer at a time."""
        self._check()
        for kind, key in targets:
            checked_key(kind_of(kind), key)

    def head(self) -> Head:
        """The end of the journal, own events included."""
        self._check()
        return self._head

    def record(self, entries: Sequence[Entry]) -> Head:
        """Append events, write their records, add their intents to the outbox."""
        with self._writing() as touched:
            for entry in entries:
                self._record(entry, touched)
            return self._head

    def insert(self, records: Sequence[Record]) -> None:
        """Insert records of kinds without journalled fields."""
        with self._writing() as touched:
            for record in records:
                kind = _unjournalled(kind_of(record))
                row = kind.codec.plain(record, self._tally)
                self._insert(kind, kind.pick_key(row), row, touched)

    def upsert(self, records: Sequence[Record]) -> None:
        """Insert or replace records of kinds without journalled fields. The last of equal keys wins."""
        with self._writing() as touched:
            for record in records:
                kind = _unjournalled(kind_of(record))
                row = kind.codec.plain(record, self._tally)
                self._put(kind, kind.pick_key(row), row, touched)

    def delete(self, kind: type[Record], keys: Sequence[Key]) -> int:
        """Delete records of a kind without journalled fields; how many there were."""
        with self._writing() as touched:
            found = _unjournalled(kind_of(kind))
            wanted = {checked_key(found, key) for key in keys}
            here = [key for key in wanted if key in self._table(found).rows]
            for key in here:
                self._remove(found, key, touched)
            return len(here)

    # --- the end ---

    def committed(self) -> State:
        """The district with what was written. The store calls this at the end of the block."""
        self._check()
        self.counts["cleaned"] = self._tally.count
        self._state.events[self._state.head.seq :] = self._new
        return State({**self._state.tables, **self._own}, self._state.events, self._head)

    @property
    def head_at_end(self) -> Head:
        """The end of the journal, after the transaction."""
        return self._head

    # --- how ---

    def _check(self) -> None:
        super()._check()
        if self._failed:
            msg = "a write failed, so nothing of this transaction remains"
            raise TransactionClosed(msg, hint="Begin a new transaction.")

    @contextmanager
    def _writing(self) -> Iterator[list[tuple[Kind, Key]]]:
        """Around each write: what it touches is checked at its end, and an error ends all."""
        self._check()
        touched: list[tuple[Kind, Key]] = []
        try:
            yield touched
            self._check_references(touched)
        except BaseException:
            self._failed = True
            raise
        self.counts["rows"] += len(touched)

    def _table(self, kind: Kind) -> Table:
        return self._own.get(kind.name) or super()._table(kind)

    def _own_table(self, kind: Kind) -> Table:
        if kind.name not in self._own:
            self._own[kind.name] = self._state.tables[kind.name].copy()
        return self._own[kind.name]

    def _events(self) -> Iterator[StoredEvent]:
        yield from super()._events()
        yield from self._new

    def _record(self, entry: Entry, touched: list[tuple[Kind, Key]]) -> None:
        ready = prepare(self._district, entry, self._tally)
        for gone in ready.removed:
            self._check_guard(gone.kind, gone.key, gone.guard)
            self._remove(gone.kind, gone.key, touched)
        for put in ready.written:
            if put.guard is None:
                self._insert(put.kind, put.key, put.row, touched)
            else:
                self._check_guard(put.kind, put.key, put.guard)
                self._put(put.kind, put.key, put.row, touched)
        sealed = ready.seal(self._head.seq + 1, self._head.hash)
        event = StoredEvent(**dict(zip(_JOURNAL_NAMES, sealed, strict=True)))
        for row in ready.outbox(event.seq):
            self._own_table(_OUTBOX).put(_OUTBOX.pick_key(row), _OUTBOX.codec.record(row))
        self._new.append(event)
        self._head = Head(event.seq, event.hash)
        self.counts["events"] += 1
        self.counts["intents"] += len(ready.intents)

    def _check_guard(self, kind: Kind, key: Key, guard: Row) -> None:
        record = self._table(kind).rows.get(key)
        if record is None or kind.guard_of(record) != guard:
            how = "is not there" if record is None else "was changed since it was read"
            raise StaleVersion(f"a {kind.name} {how}", kind=kind.name, key=_shown(key))

    def _insert(self, kind: Kind, key: Key, row: Row, touched: list[tuple[Kind, Key]]) -> None:
        if key in self._table(kind).rows:
            msg = f"a {kind.name} with that key exists"
            raise DuplicateKey(msg, kind=kind.name, key=_shown(key))
        self._put(kind, key, row, touched)

    def _put(self, kind: Kind, key: Key, row: Row, touched: list[tuple[Kind, Key]]) -> None:
        # What is read later is what another store would give: the record of the row.
        self._own_table(kind).put(key, kind.codec.record(row))
        touched.append((kind, key))

    def _remove(self, kind: Kind, key: Key, touched: list[tuple[Kind, Key]]) -> None:
        self._own_table(kind).remove(key)
        touched.append((kind, key))

    def _check_references(self, touched: list[tuple[Kind, Key]]) -> None:
        for kind, key in touched:
            record = self._table(kind).rows.get(key)
            if record is None:
                self._check_not_referred(kind, key)
                continue
            for name, target in kind.refers:
                value = getattr(record, name)
                if value is not None and (value,) not in self._table(KINDS[target]).rows:
                    msg = f"{kind.name}.{name} refers to a {target} that is not there"
                    raise InvalidValue(msg, kind=kind.name, field=name)

    def _check_not_referred(self, kind: Kind, key: Key) -> None:
        for other, name in _REFERRED[kind.name]:
            if any((getattr(r, name),) == key for r in self._table(other).rows.values()):
                msg = f"a {other.name} refers to the {kind.name} that was removed"
                raise InvalidValue(msg, kind=other.name, field=name)


def _unjournalled(kind: Kind) -> Kind:
    if kind.journalled:
        msg = f"a {kind.name} changes with an event, through Transaction.record"
        raise WriteWithoutEvent(msg, kind=kind.name)
    return kind


def _shown(key: Key) -> tuple[str, ...]:
    return tuple(str(part) for part in key)
