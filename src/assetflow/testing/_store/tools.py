"""What the parts of the suite share: short ways to say what is written and how it is read."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, settings

from assetflow.errors import AssetflowError, StoreLocked
from assetflow.model import (
    Custody,
    CustodyKind,
    Device,
    DeviceModel,
    DistrictId,
    HolderKind,
    Intent,
    OpenCustody,
    Person,
    PersonKind,
    Place,
    PlaceKind,
    Query,
    Record,
    Stamp,
    Webhook,
)
from assetflow.model.events import DeviceEdited, Event
from assetflow.store.ports import Entry, Put
from assetflow.store.schema import KINDS, Kind, kind_of

if TYPE_CHECKING:
    from assetflow.store.ports import ReadTransaction, Store, StoredEvent, Transaction

__all__ = [
    "NOW",
    "Suite",
    "bodies",
    "custody",
    "device",
    "edited",
    "entry",
    "everything",
    "examples",
    "in_turn",
    "insertion",
    "key_of",
    "opened",
    "parents",
    "refused",
    "save",
    "stamp",
]

NOW = datetime(2026, 8, 17, 13, 5, 0, 123456, tzinfo=UTC)


def examples(count: int) -> settings:
    """Hypothesis settings for an inner test: so many examples, however long a store takes."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(
        max_examples=count,
        deadline=None,
        suppress_health_check=slow,
        report_multiple_bugs=False,
    )


class Suite:
    """What every part of the suite has: a store, and districts that nobody used before."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """The store under test. The one thing that a subclass must give."""
        pytest.fail("a subclass of StoreConformance gives a fixture named `store`")

    def district(self) -> DistrictId:
        """A district of its own for each test, so that a store may be used for several."""
        return DistrictId(f"t{secrets.token_hex(6)}")


# --- records -------------------------------------------------------------------------------


def device(key: str = "d1", **fields: Any) -> Device:
    return Device(id=key, **fields)  # type: ignore[arg-type]  # a new type of text


def custody(key: str = "c1", device_id: str = "d1", **fields: Any) -> Custody:
    given: dict[str, Any] = {
        "id": key,
        "device_id": device_id,
        "kind": CustodyKind.ASSIGNMENT,
        "accountable_kind": HolderKind.PERSON,
        "accountable_id": "p1",
        "holder_kind": HolderKind.PERSON,
        "holder_id": "p1",
        "since": NOW,
    }
    return Custody(**(given | fields))


def opened(held: Custody) -> OpenCustody:
    return OpenCustody(
        device_id=held.device_id, custody_id=held.id, accountable_id=held.accountable_id
    )


def edited(record: Any, **fields: Any) -> Put:
    """The next version of a record, to be written in its place."""
    return Put(evolve(record, version=record.version + 1, **fields), record)


_LEAST: dict[str, Callable[[Any], Record]] = {
    "device": device,
    "device_model": lambda key: DeviceModel(id=key, name="m", name_key=f"key of {key}"),
    "place": lambda key: Place(id=key, kind=PlaceKind.SITE, name="place"),
    "webhook": lambda key: Webhook(
        id=key, name=f"name of {key}"[:64], origin="https://x.example", url="", secret_names=()
    ),
    "person": lambda key: Person(id=key, kind=PersonKind.STUDENT),
    "custody": lambda key: custody(key, "device of a custody"),
}


def parents(record: Record) -> list[Record]:
    """The least records that a record refers to, each after those that it refers to itself."""
    found: list[Record] = []
    for name, target in kind_of(record).refers:
        key = getattr(record, name)
        if key is not None:
            parent = _LEAST[target](key)
            found += [*parents(parent), parent]
    return list({(type(r), kind_of(r).key_of(r)): r for r in found}.values())


# --- writing -------------------------------------------------------------------------------


def stamp(**fields: Any) -> Stamp:
    given: dict[str, Any] = {"actor_id": "a1", "recorded_at": NOW}
    return Stamp(**(given | fields))


def entry(
    *puts: Record | Put,
    event: Event | None = None,
    subject: str = "d1",
    removes: Sequence[Record] = (),
    intents: Sequence[Intent] = (),
    by: Stamp | None = None,
) -> Entry:
    """An entry that writes some records; those without a `Put` are new."""
    return Entry(
        event=event or DeviceEdited(fields=("lifecycle",)),
        subject_id=subject,
        stamp=by or stamp(),
        puts=tuple(p if isinstance(p, Put) else Put(p) for p in puts),
        removes=tuple(removes),
        intents=tuple(intents),
    )


def save(tx: Transaction, *records: Record) -> None:
    """Insert records of any kind, the journalled ones with an event."""
    journalled = [r for r in records if kind_of(r).journalled]
    if journalled:
        tx.record([entry(*journalled)])
    plain = [r for r in records if not kind_of(r).journalled]
    if plain:
        tx.insert(plain)


def insertion(store: Store, district: DistrictId, *records: Record) -> None:
    """Insert records in a transaction of their own."""
    with store.write(district) as tx:
        save(tx, *records)


# --- reading -------------------------------------------------------------------------------


def everything(tx: ReadTransaction) -> dict[str, list[Record]]:
    """All records of a district, by kind and in key order."""
    return {name: list(tx.find(Query(kind=kind.record))) for name, kind in KINDS.items()}


def key_of(record: Record) -> tuple[Any, ...]:
    kind: Kind = kind_of(record)
    return tuple(getattr(record, name) for name in kind.key)


def bodies(tx: ReadTransaction) -> list[str]:
    events: Iterator[StoredEvent] = tx.journal()
    return [event.body for event in events]


# --- expecting -----------------------------------------------------------------------------


@contextmanager
def refused(
    store: Store, district: DistrictId, error: type[AssetflowError], *, hides: str = ""
) -> Iterator[Transaction]:
    """A write transaction whose block raises this error; nothing of it may remain.

    The error shows *hides* nowhere.
    """
    with store.read(district) as tx:
        before, head = everything(tx), tx.head()
    with pytest.raises(error) as caught, store.write(district) as writing:
        yield writing
    shown = f"{caught.value!r} {caught.value} {caught.value.as_dict()}"
    assert not hides or hides not in shown
    with store.read(district) as tx:
        assert everything(tx) == before
        assert tx.head() == head


def in_turn(work: Callable[[], None], *, tries: int = 50) -> None:
    """Do some work, again when another held the lock for too long."""
    for _ in range(tries):
        try:
            work()
        except StoreLocked:
            continue
        return
    pytest.fail(f"the store stayed locked {tries} times")
