"""What a store must do. Small enough to be written in a day; `StoreConformance` says when it is right.

A store keeps records (`assetflow.model.RECORDS`) and one journal for each district. A transaction
belongs to one district and cannot name another. Reads inside a transaction see its own writes.
A write transaction commits at the end of its ``with`` block and leaves no trace when the block
raises. The in-memory store is the specification: where words leave room, it decides.

What holds for every method:

* A write that raises ends its transaction. Nothing of it remains, and whatever is called
  afterwards raises `TransactionClosed`, also the end of the block when the error was swallowed:
  a commit that did not happen is never silent.
* After the block every method raises `TransactionClosed`, and so does an iterator that was not
  read to its end.
* A name that the kind does not have, a comparison of text with a number, and an order, a
  comparison or a figure over a JSON or bytes field raise `InvalidValue` when the method is
  called, not when the answer is read (`assetflow.store.checks`).
* Texts are cleaned on the way in, also in keys and filters: NUL and lone surrogates become
  U+FFFD (`assetflow.codec.clean_text`).
* No error shows a value, and none is a driver's own.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from attrs import frozen

if TYPE_CHECKING:
    from assetflow.model import Aggregate, DistrictId, Event, Intent, Query, Record, Stamp

    R = TypeVar("R", bound=Record)
else:
    R = TypeVar("R")

__all__ = [
    "AggregatesAcross",
    "CommitHook",
    "Durability",
    "Entry",
    "Head",
    "Put",
    "ReadTransaction",
    "Receiving",
    "ReceivingStore",
    "Store",
    "StoreFeature",
    "StoredEvent",
    "Transaction",
    "Wiped",
]

Key = tuple[Any, ...]


class StoreFeature(enum.Enum):
    """What not every store can do. The conformance suite skips visibly what a store does not declare."""

    DURABLE = "durable"
    """What was committed survives the process."""
    CONCURRENT_WRITERS = "concurrent-writers"
    """Several processes may write at once."""
    ROW_SECURITY = "row-security"
    """The engine itself keeps districts apart."""
    RECEIVES = "receives"
    """It takes a whole district in from another store: it is a `ReceivingStore`."""


class Durability(enum.Enum):
    """How much a commit waits for."""

    FULL = "full"
    """For what people do: on the disk before the call returns."""
    BULK = "bulk"
    """For work that can be run again: the newest commits may be lost with the power, never torn."""


@frozen
class Put:
    """A record to write: new, or in place of the version that was read."""

    after: Record
    """The record as it is to be. With *before*, its ``version`` is one higher."""
    before: Record | None = None
    """The record as it was read; ``None`` inserts."""
    mark_key: bytes | None = None
    """Key for the marks of changed personal fields, where the record itself has no ``mark_key``.
    Without any key a changed personal field is named with no mark."""


@frozen(kw_only=True)
class Entry:
    """One event and the records that change with it."""

    event: Event
    """What happened."""
    subject_id: str
    """The id of what it happened to; its kind is the event's ``SUBJECT``."""
    stamp: Stamp
    """Who, when and why."""
    puts: tuple[Put, ...] = ()
    """Records written with it."""
    removes: tuple[Record, ...] = ()
    """Records removed with it, as they were read."""
    intents: tuple[Intent, ...] = ()
    """What other systems should hear; goes to the outbox."""


@frozen
class Head:
    """The end of a district's journal."""

    seq: int
    """Sequence number of the last event; 0 when there is none."""
    hash: str
    """64 hexadecimal digits; 64 zeros when there is none."""


@frozen(kw_only=True)
class StoredEvent:
    """An event as the journal keeps it."""

    seq: int
    """1, 2, 3, ... without gaps within a district."""
    type: str
    """The event's type."""
    subject_kind: str
    """What it is about."""
    subject_id: str
    """The id of what it is about."""
    batch_id: str | None
    """The batch that it belongs to."""
    recorded_at: str
    """When it was written, ISO 8601 in UTC."""
    body: str
    """The exact text that was hashed: a JSON object that includes the district and the sequence."""
    prev: str
    """The hash of the event before."""
    hash: str
    """SHA-256 over ``prev`` and ``body``, hexadecimal."""


@frozen(kw_only=True)
class Wiped:
    """Where the bytes of what was removed are gone, and where they may still be."""

    reached: tuple[str, ...] = ()
    """Places that hold nothing of it any more."""
    not_reached: tuple[str, ...] = ()
    """Places that this could not reach, and why; somebody must see to them."""


class ReadTransaction(Protocol):
    """Consistent reads of one district."""

    @property
    def district(self) -> DistrictId:
        """The district that it belongs to."""
        ...

    def get(self, kind: type[R], *key: Any) -> R | None:
        """The record with that key, or ``None``."""
        ...

    def get_many(self, kind: type[R], keys: Sequence[Key]) -> dict[Key, R]:
        """The records with those keys; keys without a record are left out. Any number of keys.

        The result has the keys as they were given.
        """
        ...

    def find(self, query: Query[R]) -> Iterator[R]:
        """The records that a query selects, in its order.

        Nothing is fetched before the first is asked for. Read to the end before writing: whether
        an iterator shows what is written while it is open is not said.
        """
        ...

    def values(self, query: Query[Any], fields: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Only these fields of the records that a query selects, as plain values: for bulk reads.

        Plain values are text, whole numbers, bytes and ``None``; a flag is 0 or 1, JSON its text,
        money its minor units. The names of columns will do as well, such as
        ``purchase_cost_currency``.
        """
        ...

    def count(self, query: Query[Any]) -> int:
        """How many records a query selects; its limit and *after* count, its order does not."""
        ...

    def aggregate(self, aggregate: Aggregate[Any]) -> list[dict[str, Any]]:
        """The figures of an aggregate, equal to `Aggregate.rows` over all records."""
        ...

    def journal(
        self, *, after: int = 0, subject: tuple[str, str] | None = None, batch_id: str | None = None
    ) -> Iterator[StoredEvent]:
        """Events with a higher sequence number, in order; of one subject or batch when named."""
        ...

    def head(self) -> Head:
        """The end of the journal."""
        ...


class Transaction(ReadTransaction, Protocol):
    """Reads and writes of one district that happen together or not at all.

    To decide on what a record says, lock it first and read it then.
    """

    def lock(self, *targets: tuple[type[Record], Key]) -> None:
        """Keep these records from being changed by others until the end. Called before reading.

        A key without a record is no error, and keeps nobody from inserting it. The targets of one
        call are locked in one order everywhere. A transaction that calls it again takes the wider
        first: the district's own record before any other. Where two wait for each other all the
        same, an engine that locks rows ends one of them.

        Raises:
            StoreLocked: no lock within the store's wait.
            TransactionLost: another transaction waits for this one, which waits for it.
        """
        ...

    def record(self, entries: Sequence[Entry]) -> Head:
        """Append events, write their records, add their intents to the outbox. One or many alike.

        As if the entries were taken in order, and of each first the removals, then the puts. So
        one call may write a record twice, or remove one and write another with its key. What a
        record refers to must be there when the call ends, and what is removed must by then be
        referred to by none.

        A record is as *before* says when it has the same version; of a kind without one, when it
        is there with the same journalled fields. A record of any kind may be written here, also
        of one without journalled fields: it leaves no trace in the body.

        Raises:
            StaleVersion: a record is not as *before* or the removal says, or is not there.
            DuplicateKey: an inserted record exists, or a unique field is taken.
            InvalidValue: a text that is too long, a number beyond 64 bits, a version that does
                not follow, a reference to what is not there.
        """
        ...

    def insert(self, records: Sequence[Record]) -> None:
        """Insert records of kinds without journalled fields.

        Two transactions that insert one key at once: the second waits, and then raises.

        Raises:
            DuplicateKey: one exists.
            WriteWithoutEvent: the kind has journalled fields.
            InvalidValue: a value that cannot be stored, a reference to what is not there.
        """
        ...

    def upsert(self, records: Sequence[Record]) -> None:
        """Insert or replace records of kinds without journalled fields. The last of equal keys wins.

        Raises:
            WriteWithoutEvent: the kind has journalled fields.
            InvalidValue: a value that cannot be stored, a reference to what is not there.
        """
        ...

    def delete(self, kind: type[Record], keys: Sequence[Key]) -> int:
        """Delete records of a kind without journalled fields; how many there were. Any number of keys.

        Raises:
            WriteWithoutEvent: the kind has journalled fields.
        """
        ...


class Receiving(ReadTransaction, Protocol):
    """Takes in a part of a district as it stands in another store: stored events, plain rows.

    What was taken in is kept from one transaction to the next, so that a copy that is broken off
    goes on where it was; `head` and `last_key` say where that is. Reads see what has arrived.
    Until it is accepted the district does not stand in `Store.districts`, and what a `Store.read`
    of it shows is not said.
    """

    def head(self) -> Head:
        """The last event that has arrived."""
        ...

    def last_key(self, kind: type[Record]) -> Key | None:
        """The highest key of a kind that has arrived, in plain form; ``None`` when there is none."""
        ...

    def take_events(self, events: Sequence[StoredEvent]) -> Head:
        """Append events as they are, byte for byte. Returns the new end.

        Raises:
            JournalBroken: they do not follow the last that has arrived.
        """
        ...

    def take_rows(self, kind: type[Record], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows of any kind, with no event.

        Args:
            kind: The record class.
            rows: All columns in the kind's order, as `ReadTransaction.values` gives them.

        Raises:
            DuplicateKey: one exists, or a unique field is taken.
            InvalidValue: a reference to what is not there.
        """
        ...

    def drop_rows(self, kind: type[Record]) -> int:
        """Remove all rows of a kind that have arrived; how many there were.

        Raises:
            InvalidValue: others refer to them.
        """
        ...

    def accept(self) -> Head:
        """Put the district into use, with the commit. Returns its journal's end.

        Raises:
            InvalidValue: no event has arrived.
        """
        ...


class Store(Protocol):
    """A place where districts keep their records. Safe to use from several threads."""

    @property
    def features(self) -> frozenset[StoreFeature]:
        """What it can do beyond the port."""
        ...

    @property
    def address(self) -> str:
        """Where it is, for a person; never a password."""
        ...

    def districts(self) -> list[DistrictId]:
        """The districts that have a journal here, sorted."""
        ...

    def read(self, district: DistrictId) -> AbstractContextManager[ReadTransaction]:
        """Begin consistent reads."""
        ...

    def write(
        self, district: DistrictId, *, durability: Durability = Durability.FULL
    ) -> AbstractContextManager[Transaction]:
        """Begin a transaction that commits when the block ends and rolls back when it raises.

        Raises:
            StoreLocked: no lock within the store's wait.
        """
        ...

    def wipe_removed(self) -> Wiped:
        """Rewrite what the store keeps, so that the bytes of removed values are in it no longer.

        A database keeps what was removed until the space is needed. This takes time and space in
        proportion to the whole store, and other writers wait.

        Raises:
            StoreLocked: others use the store all the time.
            StoreFull: no space for the rewriting.
        """
        ...

    def close(self) -> None:
        """Let go of connections and files. A second call does nothing."""
        ...


@runtime_checkable
class AggregatesAcross(Protocol):
    """A store that computes figures of several districts in one statement. None has to."""

    def aggregate_across(
        self, districts: Sequence[DistrictId], aggregate: Aggregate[Any]
    ) -> dict[DistrictId, list[dict[str, Any]]]:
        """The figures of an aggregate for each of these districts, under their ids in that order.

        For each it is what ``aggregate`` of a transaction of that district gives.
        """
        ...


class ReceivingStore(Store, Protocol):
    """A store that takes in whole districts; it declares `StoreFeature.RECEIVES`."""

    def receive(
        self, district: DistrictId, *, durability: Durability = Durability.BULK
    ) -> AbstractContextManager[Receiving]:
        """Begin to take in a part of a district; commits and rolls back as `write` does.

        Raises:
            PlaceTaken: the district is in use here.
            StoreLocked: no lock within the store's wait.
        """
        ...


class CommitHook(Protocol):
    """Told after each commit that wrote something.

    What it raises is logged and goes no further: the commit has happened
    (`assetflow.store.hooks.tell`).
    """

    def __call__(self, district: DistrictId, head: Head, counts: Mapping[str, int], /) -> None:
        """Be told.

        Args:
            district: Whose transaction it was.
            head: The end of its journal.
            counts: ``events``, ``rows`` (records written or removed) and ``intents``; ``cleaned``
                is how many texts held NUL or half a surrogate pair, and were changed.
        """
