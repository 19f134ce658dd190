"""Conformance: a district is taken in as it stands elsewhere, piece by piece, or not at all."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, cast

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from assetflow.errors import (
    DuplicateKey,
    InvalidValue,
    JournalBroken,
    PlaceTaken,
    TransactionClosed,
    UnknownDistrict,
)
from assetflow.model import Actor, Custody, Device, Lifecycle, Person, PersonKind, Query, Sighting
from assetflow.store.copying import copy_district
from assetflow.store.journal import BEGINNING, verify
from assetflow.store.memory import MemoryStore
from assetflow.store.ports import Head, StoreFeature
from assetflow.store.replay import compare
from assetflow.store.schema import KINDS, kind_of
from assetflow.testing import strategies
from assetflow.testing._store.tools import (
    Suite,
    custody,
    device,
    edited,
    entry,
    everything,
    examples,
    insertion,
    key_of,
    opened,
    parents,
)

if TYPE_CHECKING:
    from assetflow.model import DistrictId, Record
    from assetflow.store.copying import CopyProgress
    from assetflow.store.ports import ReadTransaction, ReceivingStore, Store


class _KilledError(Exception):
    """Stands for the end of the process in the middle of a copy."""


def live_in(store: Store, district: DistrictId) -> None:
    """Let a few things happen: devices, people, a custody, what a source says."""
    person: Any = Person(id="p1", kind=PersonKind.STUDENT, family_name="Diaz", mark_key=b"k" * 32)  # type: ignore[arg-type]  # a new type of text
    insertion(store, district, device(), person, Actor(id="a1", label="it@lincoln.example"))  # type: ignore[arg-type]  # a new type of text
    insertion(store, district, Sighting(source="google", source_id="g1", os_version="126"))
    held, out = custody(), edited(device(), lifecycle=Lifecycle.DEPLOYED)
    with store.write(district) as tx:
        tx.record([entry(*[device(f"d{n}") for n in range(2, 9)])])
        tx.record([entry(held, opened(held), out)])


def rows(tx: ReadTransaction, kind: type[Record]) -> list[tuple[Any, ...]]:
    """All columns of all records of a kind."""
    return list(tx.values(Query(kind=kind), [c.name for c in kind_of(kind).columns]))


class Receives(Suite):
    """What a store does that declares `StoreFeature.RECEIVES`."""

    @pytest.fixture
    def receiving(self, store: Store) -> ReceivingStore:
        if StoreFeature.RECEIVES not in store.features:
            pytest.skip("the store does not declare that it takes districts in")
        return cast("ReceivingStore", store)

    @pytest.fixture
    def here(self) -> DistrictId:
        return self.district()

    @pytest.fixture
    def source(self, here: DistrictId) -> MemoryStore:
        """Another store, in which something happened to the district."""
        made = MemoryStore()
        live_in(made, here)
        return made

    def test_pieces_stay_and_are_not_in_use_before_they_are_accepted(
        self, receiving: ReceivingStore, source: MemoryStore, here: DistrictId
    ) -> None:
        with source.read(here) as tx:
            events, devices, head = list(tx.journal()), rows(tx, Device), tx.head()
        with receiving.receive(here) as into:
            assert into.head() == BEGINNING
            assert into.last_key(Device) is None
            assert into.take_events(events[:1]) == Head(1, events[0].hash)
        with receiving.receive(here) as into:
            assert into.head() == Head(1, events[0].hash)
            assert into.take_events(events[1:]) == head
            into.take_rows(Device, devices[:3])
            assert into.last_key(Device) == ("d3",)
        assert here not in receiving.districts()
        with receiving.receive(here) as into:
            assert list(into.journal()) == events
            assert into.last_key(Device) == ("d3",)
            assert rows(into, Device) == devices[:3]
            assert into.count(Query(kind=Device)) == 3
            into.take_rows(Device, devices[3:])
            assert into.accept() == head
        assert here in receiving.districts()
        with receiving.read(here) as tx:
            assert verify(tx).head == head
            assert rows(tx, Device) == devices

    def test_a_block_that_raises_takes_nothing_in(
        self, receiving: ReceivingStore, source: MemoryStore, here: DistrictId
    ) -> None:
        with source.read(here) as tx:
            events, devices = list(tx.journal()), rows(tx, Device)

        def killed() -> None:
            with receiving.receive(here) as into:
                into.take_events(events)
                into.take_rows(Device, devices)
                into.accept()
                raise _KilledError

        with pytest.raises(_KilledError):
            killed()
        assert here not in receiving.districts()
        with receiving.receive(here) as into:
            assert into.head() == BEGINNING
            assert rows(into, Device) == []
        with pytest.raises(TransactionClosed):
            into.head()

    def test_events_that_do_not_follow_are_refused(
        self, receiving: ReceivingStore, source: MemoryStore, here: DistrictId
    ) -> None:
        with source.read(here) as tx:
            events = list(tx.journal())
        wrong = (
            events[1:],
            [events[0], events[0]],
            [evolve(events[0], body=events[0].body.replace("device", "person"))],
            [evolve(events[0], subject_id="another")],
            [evolve(events[0], hash="f" * 64)],
        )
        for some in wrong:
            with pytest.raises(JournalBroken), receiving.receive(here) as into:
                into.take_events(some)
        with pytest.raises(JournalBroken), receiving.receive(self.district()) as into:
            into.take_events(events)
        with receiving.receive(here) as into:
            assert into.head() == BEGINNING

    def test_rows_keep_the_rules_of_the_tables(
        self, receiving: ReceivingStore, source: MemoryStore, here: DistrictId
    ) -> None:
        with source.read(here) as tx:
            devices, held = rows(tx, Device), rows(tx, Custody)
            people = rows(tx, Person)
        with receiving.receive(here) as into:
            into.take_rows(Device, devices)
        with pytest.raises(DuplicateKey), receiving.receive(here) as into:
            into.take_rows(Device, devices[2:3])
        with pytest.raises(InvalidValue), receiving.receive(self.district()) as into:
            into.take_rows(Custody, held)
        with receiving.receive(here) as into:
            into.take_rows(Person, people)
            into.take_rows(Custody, held)
        with pytest.raises(InvalidValue), receiving.receive(here) as into:
            into.drop_rows(Device)
        with receiving.receive(here) as into:
            assert into.drop_rows(Custody) == len(held)
            assert into.drop_rows(Device) == len(devices)
            assert into.drop_rows(Device) == 0
            assert into.last_key(Device) is None

    def test_a_district_with_no_event_is_not_accepted(
        self, receiving: ReceivingStore, here: DistrictId
    ) -> None:
        with pytest.raises(InvalidValue), receiving.receive(here) as into:
            into.accept()
        assert here not in receiving.districts()

    def test_a_district_in_use_is_refused(
        self, receiving: ReceivingStore, source: MemoryStore, here: DistrictId
    ) -> None:
        insertion(receiving, here, device())
        with pytest.raises(PlaceTaken), receiving.receive(here):
            pytest.fail("it began")
        with pytest.raises(PlaceTaken):
            copy_district(source, receiving, here)
        with receiving.read(here) as tx:
            assert tx.count(Query(kind=Device)) == 1
            assert tx.head().seq == 1
        with receiving.write(here) as tx:  # no lock was left behind
            tx.record([entry(device("d2"))])

    @pytest.mark.parametrize("name", [*KINDS])
    def test_a_copy_is_the_same_district(self, receiving: ReceivingStore, name: str) -> None:
        kind = KINDS[name]

        @examples(6)
        @given(st.lists(strategies.record(kind.record), min_size=1, max_size=3))
        def check(drawn: list[Any]) -> None:
            there, district = MemoryStore(), self.district()
            records = {key_of(r): r for r in drawn}.values()
            for first in [*records][:1]:
                with there.write(district) as tx:
                    tx.record([entry(*parents(first), first)])
            report = copy_district(there, receiving, district, batch=1)
            with there.read(district) as left, receiving.read(district) as right:
                assert everything(left) == everything(right)
                assert list(left.journal()) == list(right.journal())
                assert report.head == left.head() == right.head()
                assert compare(right) == []
            assert copy_district(there, receiving, district).found

        check()

    def test_a_copy_that_is_broken_off_anywhere_goes_on(
        self, receiving: ReceivingStore, source: MemoryStore
    ) -> None:
        for stop in count():
            here = self.district()
            live_in(source, here)
            whole = self.broken_off(source, receiving, here, stop)
            assert (here in receiving.districts()) is whole
            report = copy_district(source, receiving, here, batch=2)
            assert report.found is whole
            self.same(source, receiving, here)
            if whole:
                break
        assert stop > 10

    def test_a_source_that_moves_on_meanwhile_is_followed(
        self, receiving: ReceivingStore, source: MemoryStore
    ) -> None:
        for stop in range(1, 13):
            here = self.district()
            live_in(source, here)
            assert not self.broken_off(source, receiving, here, stop)
            source_said = Sighting(source="google", source_id="g1", os_version="127")
            with source.write(here) as tx:
                if stop % 2:
                    held: Any = tx.get(Custody, "c1")
                    tx.record([entry(edited(held, ended_by="check-in"), removes=[opened(held)])])
                tx.upsert([source_said])
            copy_district(source, receiving, here, batch=2)
            self.same(source, receiving, here)

    def broken_off(
        self, source: Store, receiving: ReceivingStore, here: DistrictId, stop: int
    ) -> bool:
        """Copy, and die at the given step; whether the copy had ended before."""
        steps = count()

        def die(_: CopyProgress) -> None:
            if next(steps) == stop:
                raise _KilledError

        try:
            copy_district(source, receiving, here, on_progress=die, batch=2)
        except _KilledError:
            return False
        return True

    def same(self, source: Store, receiving: Store, here: DistrictId) -> None:
        with source.read(here) as left, receiving.read(here) as right:
            assert everything(left) == everything(right)
            assert list(left.journal()) == list(right.journal())
            assert verify(right).head == left.head()
            assert compare(right) == []

    def test_another_journal_of_the_district_is_not_mixed_in(
        self, receiving: ReceivingStore, source: MemoryStore, here: DistrictId
    ) -> None:
        assert not self.broken_off(source, receiving, here, 2)
        other = MemoryStore()
        insertion(other, here, device("another"))
        with pytest.raises(PlaceTaken):
            copy_district(other, receiving, here)
        assert here not in receiving.districts()
        copy_district(source, receiving, here)

    def test_a_district_that_is_not_there_is_not_copied(
        self, receiving: ReceivingStore, here: DistrictId
    ) -> None:
        with pytest.raises(UnknownDistrict):
            copy_district(MemoryStore(), receiving, here)
        assert here not in receiving.districts()

    def test_a_copy_that_was_used_since_is_left_alone(
        self, receiving: ReceivingStore, source: MemoryStore, here: DistrictId
    ) -> None:
        copy_district(source, receiving, here)
        insertion(receiving, here, device("d10"))
        with pytest.raises(PlaceTaken):
            copy_district(source, receiving, here)
        with receiving.read(here) as tx:
            assert tx.get(Device, "d10") == device("d10")
