"""Conformance: transactions are whole, versions are checked, districts are apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Never

import pytest
from attrs import evolve

from assetflow.errors import (
    DuplicateKey,
    InvalidValue,
    StaleVersion,
    TransactionClosed,
    WriteWithoutEvent,
)
from assetflow.model import (
    Aggregate,
    Device,
    DeviceModel,
    F,
    Lifecycle,
    Note,
    OpenCustody,
    OutboxItem,
    Query,
    ShowAssignee,
    Sighting,
)
from assetflow.store.ports import StoreFeature
from assetflow.store.schema import KINDS
from assetflow.testing._store.records import KIND_NAMES, emptiest
from assetflow.testing._store.tools import (
    NOW,
    Suite,
    bodies,
    custody,
    device,
    edited,
    entry,
    everything,
    insertion,
    key_of,
    opened,
    parents,
    refused,
    save,
)

if TYPE_CHECKING:
    from assetflow.store.ports import Store

CALLS: dict[str, Callable[[Any], Any]] = {
    "get": lambda tx: tx.get(Device, "d1"),
    "get_many": lambda tx: tx.get_many(Device, [("d1",)]),
    "find": lambda tx: tx.find(Query(kind=Device)),
    "values": lambda tx: tx.values(Query(kind=Device), ["id"]),
    "count": lambda tx: tx.count(Query(kind=Device)),
    "aggregate": lambda tx: tx.aggregate(Aggregate(kind=Device)),
    "journal": lambda tx: tx.journal(),
    "head": lambda tx: tx.head(),
}
WRITES: dict[str, Callable[[Any], Any]] = {
    "lock": lambda tx: tx.lock((Device, ("d1",))),
    "record": lambda tx: tx.record([entry(device("d9"))]),
    "insert": lambda tx: tx.insert([sighting("s9")]),
    "upsert": lambda tx: tx.upsert([sighting("s9")]),
    "delete": lambda tx: tx.delete(Sighting, [("google", "s9")]),
}


def sighting(source_id: str, **fields: Any) -> Sighting:
    return Sighting(source="google", source_id=source_id, **fields)


def told(device_id: str = "d1") -> ShowAssignee:
    return ShowAssignee(device_id=device_id, accountable_kind=None, accountable_id=None)  # type: ignore[arg-type]


class Transactions(Suite):
    """A transaction happens as a whole or leaves no trace."""

    def test_reads_see_the_transactions_own_writes(self, store: Store) -> None:
        here = self.district()
        insertion(store, here, device("d1"), device("d2"))
        with store.write(here) as tx:
            tx.record([entry(edited(device("d2"), asset_tag="T2"), device("d3", asset_tag="T3"))])
            tx.insert([sighting("s1")])
            assert tx.get(Device, "d3") == device("d3", asset_tag="T3")
            assert [d.asset_tag for d in tx.find(Query(kind=Device))] == [None, "T2", "T3"]
            assert tx.count(Query(kind=Device, where=F.asset_tag.is_known())) == 2
            assert tx.aggregate(Aggregate(kind=Device)) == [{"count": 3}]
            assert list(tx.values(Query(kind=Sighting), ["source_id"])) == [("s1",)]
            assert len(bodies(tx)) == tx.head().seq == 2
            tx.delete(Sighting, [("google", "s1")])
            assert tx.get(Sighting, "google", "s1") is None

    def test_a_block_that_raises_leaves_no_trace(self, store: Store) -> Never:
        here = self.district()
        insertion(store, here, device("d1"))
        with refused(store, here, InvalidValue) as tx:
            tx.record([entry(edited(device("d1"), asset_tag="T"), device("d2"), intents=[told()])])
            tx.insert([sighting("s1")])
            msg = "the caller's own"
            raise InvalidValue(msg)

    def test_event_records_and_outbox_are_written_together(self, store: Store) -> None:
        here = self.district()
        with store.write(here) as tx:
            tx.record([entry(device(), intents=[told(), told()])])
        with store.read(here) as tx:
            (event,) = tx.journal()
            items = list(tx.find(Query(kind=OutboxItem)))
            assert event.seq == tx.head().seq == 1
            assert [(i.seq, i.position) for i in items] == [(1, 0), (1, 1)]
            assert {(i.type, i.subject_kind, i.subject_id) for i in items} == {
                ("device.assignee@1", "device", "d1")
            }
            assert items[0].body == (
                '{"device_id":"d1","accountable_kind":null,"accountable_id":null}'
            )
            assert tx.get(Device, "d1") == device()

    def test_a_later_entry_that_fails_undoes_the_earlier_ones(self, store: Store) -> None:
        here = self.district()
        insertion(store, here, device("d1"))
        with refused(store, here, DuplicateKey) as tx:
            tx.record([entry(device("d2"), intents=[told("d2")]), entry(device("d1"))])

    @pytest.mark.parametrize("after", sorted(CALLS | WRITES))
    def test_nothing_more_can_be_done_after_a_failed_write(self, store: Store, after: str) -> None:
        here = self.district()
        insertion(store, here, device("d1"))
        with refused(store, here, TransactionClosed) as tx:
            with pytest.raises(DuplicateKey):
                save(tx, device("d1"))
            (CALLS | WRITES)[after](tx)

    @pytest.mark.parametrize(
        ("error", "write"),
        [
            (DuplicateKey, lambda tx: tx.insert([sighting("s1")])),
            (StaleVersion, lambda tx: tx.record([entry(edited(device("none")))])),
            (WriteWithoutEvent, lambda tx: tx.upsert([device("d2")])),
            (InvalidValue, lambda tx: tx.upsert([sighting("x" * 300)])),
        ],
        ids=lambda value: getattr(value, "__name__", "write"),
    )
    def test_a_failed_write_is_not_committed_when_its_error_is_swallowed(
        self, store: Store, error: Any, write: Any
    ) -> None:
        here = self.district()
        insertion(store, here, sighting("s1"))
        with refused(store, here, TransactionClosed) as tx:
            tx.insert([sighting("s2")])
            with pytest.raises(error):
                write(tx)

    @pytest.mark.parametrize("call", sorted(CALLS | WRITES))
    def test_a_transaction_is_of_no_use_after_its_end(self, store: Store, call: str) -> None:
        here = self.district()
        with store.write(here) as writing:
            save(writing, device())
        with pytest.raises(TransactionClosed):
            (CALLS | WRITES)[call](writing)
        if call in CALLS:
            with store.read(here) as reading:
                CALLS[call](reading)
            with pytest.raises(TransactionClosed):
                CALLS[call](reading)

    @pytest.mark.parametrize("call", ["find", "values", "journal"])
    def test_an_iterator_ends_with_its_transaction(self, store: Store, call: str) -> None:
        here = self.district()
        insertion(store, here, *(device(f"d{n}") for n in range(3)))
        insertion(store, here, device("d4"))
        with store.read(here) as tx:
            begun, fresh = iter(CALLS[call](tx)), iter(CALLS[call](tx))
            next(begun)
        for iterator in (begun, fresh):
            with pytest.raises(TransactionClosed):
                next(iterator)

    def test_readers_see_one_state(self, store: Store) -> None:
        here = self.district()
        insertion(store, here, device("d1"))
        with store.read(here) as reading:
            assert reading.count(Query(kind=Device)) == 1
            insertion(store, here, device("d2"))
            assert reading.count(Query(kind=Device)) == 1
            assert reading.get(Device, "d2") is None
            assert (reading.head().seq, len(bodies(reading))) == (1, 1)
        with store.read(here) as reading:
            assert reading.count(Query(kind=Device)) == 2

    def test_districts_are_apart(self, store: Store) -> None:
        here, there = self.district(), self.district()
        insertion(store, here, device("d1", asset_tag="here"), sighting("s1"))
        insertion(store, there, device("d1", asset_tag="there"))
        with store.write(there) as tx:
            tx.record([entry(edited(device("d1", asset_tag="there"), asset_tag="new"))])
            assert tx.delete(Sighting, [("google", "s1")]) == 0
            tx.insert([sighting("s1", os_version="there")])
        with store.read(here) as tx:
            assert everything(tx)["device"] == [device("d1", asset_tag="here")]
            assert everything(tx)["sighting"] == [sighting("s1")]
            assert tx.head().seq == 1
            assert tx.count(Query(kind=Device, where=F.asset_tag == "new")) == 0
            assert tx.aggregate(Aggregate(kind=Device)) == [{"count": 1}]
        with store.read(there) as tx:
            assert tx.district == there
            assert tx.head().seq == 2
        assert {here, there} <= set(store.districts())
        assert store.districts() == sorted(store.districts())

    def test_a_district_without_an_event_is_not_listed(self, store: Store) -> None:
        here = self.district()
        insertion(store, here, sighting("s1"))
        assert here not in store.districts()

    def test_what_was_committed_survives(self, store: Store, reopen: Any) -> None:
        if StoreFeature.DURABLE not in store.features:
            pytest.skip("the store does not declare itself durable")
        if reopen is None:
            pytest.skip("the test class gives no `reopen` fixture")
        here = self.district()
        insertion(store, here, device(), sighting("s1"))
        with store.read(here) as tx:
            head = tx.head()
        again = reopen(store)
        with again.read(here) as tx:
            assert tx.get(Device, "d1") == device()
            assert tx.head() == head


class Versions(Suite):
    """A record is replaced only as it was read, and inserted only where there is none."""

    def test_a_record_that_moved_on_is_not_overwritten(self, store: Store) -> None:
        here, first = self.district(), device()
        insertion(store, here, first)
        with store.write(here) as tx:
            tx.record([entry(edited(first, asset_tag="one"))])
        with refused(store, here, StaleVersion) as tx:
            tx.record([entry(edited(first, asset_tag="two"))])
        with refused(store, here, StaleVersion) as tx:
            tx.record([entry(removes=[first])])

    def test_a_record_that_is_not_there_is_stale(self, store: Store) -> None:
        here = self.district()
        with refused(store, here, StaleVersion) as tx:
            tx.record([entry(edited(device()))])
        with refused(store, here, StaleVersion) as tx:
            tx.record([entry(removes=[device()])])

    def test_without_a_version_the_journalled_fields_decide(self, store: Store) -> None:
        here, one, two = self.district(), custody("c1"), custody("c2", accountable_id="p2")
        insertion(store, here, device(), one, two, opened(one))
        with refused(store, here, StaleVersion) as tx:
            tx.record([entry(removes=[opened(two)])])
        with refused(store, here, StaleVersion) as tx:
            tx.record([entry(edited(device()), removes=[evolve(opened(one), accountable_id="x")])])
        with store.write(here) as tx:
            tx.record([entry(opened(two), removes=[opened(one)])])
        with store.read(here) as tx:
            assert tx.get(OpenCustody, "d1") == opened(two)

    @pytest.mark.parametrize(
        "after",
        [device("d1", version=1), device("d1", version=3), device("d2", version=2)],
        ids=["same version", "a version too far", "another key"],
    )
    def test_a_version_follows_the_one_before(self, store: Store, after: Device) -> None:
        from assetflow.store.ports import Put  # noqa: PLC0415  # used here alone

        here = self.district()
        insertion(store, here, device("d1"), device("d2"))
        with refused(store, here, InvalidValue) as tx:
            tx.record([entry(Put(after, device("d1")))])

    def test_one_call_may_write_a_record_twice(self, store: Store) -> None:
        here = self.district()
        one, two, three = (device(asset_tag=str(n), version=n) for n in (1, 2, 3))
        with store.write(here) as tx:
            tx.record([entry(one), entry(edited(one, asset_tag="2"))])
            tx.record([entry(edited(two, asset_tag="3")), entry(removes=[three]), entry(one)])
        with store.read(here) as tx:
            assert tx.get(Device, "d1") == one
            assert tx.head().seq == 5

    def test_an_entry_removes_before_it_writes(self, store: Store) -> None:
        here, one, two = self.district(), custody("c1"), custody("c2", holder_id="p2")
        insertion(store, here, device(), one, opened(one))
        with store.write(here) as tx:
            tx.record([entry(two, opened(two), removes=[opened(one)])])
        with store.read(here) as tx:
            assert list(tx.find(Query(kind=OpenCustody))) == [opened(two)]

    @pytest.mark.parametrize("name", KIND_NAMES)
    def test_a_key_exists_once(self, store: Store, name: str) -> None:
        record, here = emptiest(KINDS[name]), self.district()
        needed = parents(record)
        insertion(store, here, *needed, record)
        with refused(store, here, DuplicateKey) as tx:
            save(tx, record)
        with refused(store, here, DuplicateKey) as tx:
            tx.record([entry(record)])
        with refused(store, self.district(), DuplicateKey) as tx:
            save(tx, *needed, record, record)

    def test_a_unique_field_is_taken_once_in_a_district(self, store: Store) -> None:
        here = self.district()
        one: Any = DeviceModel(id="m1", name="HP 11", name_key="hp 11")  # type: ignore[arg-type]
        two = evolve(one, id="m2", name_key="hp 12")
        insertion(store, here, one, two)
        insertion(store, self.district(), one)
        with refused(store, here, DuplicateKey) as tx:
            save(tx, evolve(one, id="m3"))
        with refused(store, here, DuplicateKey) as tx:
            tx.record([entry(edited(two, name_key="hp 11"))])
        with store.write(here) as tx:
            tx.record([entry(edited(one, name_key="other")), entry(edited(two, name_key="hp 11"))])
        with store.read(here) as tx:
            assert [m.name_key for m in tx.find(Query(kind=DeviceModel))] == ["other", "hp 11"]


class Plainly(Suite):
    """Records without journalled fields are written with no event; others are not."""

    @pytest.mark.parametrize("name", [n for n in KIND_NAMES if KINDS[n].journalled])
    @pytest.mark.parametrize("way", ["insert", "upsert", "delete"])
    def test_a_journalled_kind_needs_an_event(self, store: Store, name: str, way: str) -> None:
        record, here = emptiest(KINDS[name]), self.district()
        with refused(store, here, WriteWithoutEvent) as tx:
            if way == "delete":
                tx.delete(type(record), [key_of(record)])
            else:
                getattr(tx, way)([sighting("s1"), record])

    def test_the_last_of_equal_keys_wins(self, store: Store) -> None:
        here = self.district()
        insertion(store, here, sighting("s1", os_version="1"), sighting("s2", os_version="1"))
        with store.write(here) as tx:
            tx.upsert([sighting("s1", os_version=v) for v in ("2", "3")] + [sighting("s3")])
            tx.upsert([])
        with store.read(here) as tx:
            found = {s.source_id: s.os_version for s in tx.find(Query(kind=Sighting))}
            assert found == {"s1": "3", "s2": "1", "s3": None}
            assert tx.head().seq == 0

    def test_delete_says_how_many_there_were(self, store: Store) -> None:
        here = self.district()
        insertion(store, here, *(sighting(f"s{n}") for n in range(3000)))
        with store.write(here) as tx:
            keys = [("google", f"s{n}") for n in range(1000, 4000)]
            assert tx.delete(Sighting, [*keys, keys[0]]) == 2000
            assert tx.delete(Sighting, []) == 0
            assert tx.count(Query(kind=Sighting)) == 1000

    def test_kinds_may_be_mixed_in_one_call(self, store: Store) -> None:
        here = self.district()
        note = Note(id="n1", subject_kind="device", subject_id="d1", written_at=NOW, text="hinge")
        with store.write(here) as tx:
            tx.insert([note, sighting("s1")])
            tx.upsert([evolve(note, text=None), sighting("s1", os_version="2")])
        with store.read(here) as tx:
            assert everything(tx)["note"] == [evolve(note, text=None)]
            assert everything(tx)["sighting"] == [sighting("s1", os_version="2")]

    def test_an_event_may_carry_a_record_without_journalled_fields(self, store: Store) -> None:
        here = self.district()
        note = Note(id="n1", subject_kind="device", subject_id="d1", written_at=NOW, text="hinge")
        with store.write(here) as tx:
            tx.record([entry(device(lifecycle=Lifecycle.LOST), note)])
        with store.read(here) as tx:
            assert tx.get(Note, "n1") == note
            (body,) = bodies(tx)
            assert "hinge" not in body
            assert '"note","key"' not in body
        with refused(store, here, DuplicateKey) as tx:
            tx.record([entry(edited(device(lifecycle=Lifecycle.LOST)), note)])
