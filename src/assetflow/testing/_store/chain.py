"""Conformance: the journal is gapless, whole, free of personal data, and says what happened."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from assetflow.errors import JournalBroken, StaleVersion
from assetflow.model import (
    Condition,
    Device,
    Lifecycle,
    Person,
    PersonKind,
    PersonLink,
    Query,
    Sighting,
    usd,
)
from assetflow.model.events import DeviceObserved, PersonChanged
from assetflow.store.journal import BEGINNING, load_event, mark, verify
from assetflow.store.ports import Head, Put
from assetflow.store.replay import compare, replay
from assetflow.testing import strategies
from assetflow.testing._store.tools import (
    NOW,
    Suite,
    bodies,
    custody,
    device,
    edited,
    entry,
    examples,
    in_turn,
    insertion,
    opened,
    refused,
    stamp,
)

if TYPE_CHECKING:
    from assetflow.store.ports import Store

KEY = b"k" * 32
Tamper = Callable[["Store", str, int, str, Any], None]


def person(**fields: Any) -> Person:
    given: dict[str, Any] = {"id": "p1", "kind": PersonKind.STUDENT, "mark_key": KEY}
    return Person(**(given | fields))


class Journal(Suite):
    """Every change stands in the journal, once and in order."""

    def test_an_empty_journal(self, store: Store) -> None:
        with store.read(self.district()) as tx:
            assert tx.head() == BEGINNING == Head(0, "0" * 64)
            assert list(tx.journal()) == []
            assert verify(tx).events == 0
            assert compare(tx) == []

    def test_what_the_body_says(self, store: Store) -> None:
        here, held = self.district(), custody()
        by = stamp(reason="hand-out", note_id="n1", batch_id="b1", effective_at=NOW)
        with store.write(here) as tx:
            tx.record([entry(device(asset_tag="LHS-1", tag_key="LHS-1"))])
            put = edited(device(asset_tag="LHS-1", tag_key="LHS-1"), purchase_cost=usd("299.95"))
            head = tx.record([entry(put, held, opened(held), by=by)])
        with store.read(here) as tx:
            assert head == tx.head()
            first, second = tx.journal()
        assert json.loads(first.body)["changes"] == [
            {
                "kind": "device",
                "key": ["d1"],
                "new": True,
                "set": {
                    "asset_tag": "LHS-1",
                    "lifecycle": "received",
                    "condition": "unknown",
                    "management": "unknown",
                    "extended_updates": "unknown",
                    "services": "[]",
                    "custom": "[]",
                    "version": 1,
                },
            }
        ]
        said = json.loads(second.body)
        assert list(said) == [
            *("district", "seq", "type", "subject", "recorded_at", "effective_at", "actor"),
            *("reason", "note", "batch", "data", "changes", "removes"),
        ]
        assert said["district"] == here
        assert said["seq"] == second.seq == 2
        assert said["subject"] == [second.subject_kind, second.subject_id] == ["device", "d1"]
        assert said["recorded_at"] == second.recorded_at == "2026-08-17T13:05:00.123456Z"
        assert said["effective_at"] == said["recorded_at"]
        assert (said["actor"], said["reason"], said["note"]) == ("a1", "hand-out", "n1")
        assert said["batch"] == second.batch_id == "b1"
        assert said["data"] == {"fields": ["lifecycle"], "source": None}
        assert said["changes"][0] == {
            "kind": "device",
            "key": ["d1"],
            "set": {
                "purchase_cost_minor": 29995,
                "purchase_cost_currency": "USD",
                "version": 2,
            },
        }
        assert [c["kind"] for c in said["changes"]] == ["device", "custody", "custody_open"]
        assert said["removes"] == []
        assert second.prev == first.hash != second.hash == head.hash

    def test_every_event_is_read_again_as_it_was(self, store: Store) -> None:
        @examples(30)
        @given(st.lists(st.tuples(strategies.events(), strategies.stamps()), max_size=6))
        def check(happened: list[Any]) -> None:
            here = self.district()
            with store.write(here) as tx:
                tx.record([entry(event=event, by=by) for event, by in happened])
            with store.read(here) as tx:
                assert [load_event(stored) for stored in tx.journal()] == happened
                assert verify(tx).events == len(happened)

        check()

    def test_events_of_a_subject_of_a_batch_and_after_a_number(self, store: Store) -> None:
        here = self.district()
        with store.write(here) as writing:
            for n in range(6):
                by = stamp(batch_id="even" if n % 2 == 0 else None)
                writing.record([entry(subject=f"d{n % 3}", by=by)])
        with store.read(here) as tx:

            def seqs(**which: Any) -> list[int]:
                return [event.seq for event in tx.journal(**which)]

            assert seqs() == [1, 2, 3, 4, 5, 6]
            assert seqs(after=4) == [5, 6]
            assert seqs(after=6) == seqs(after=99) == []
            assert seqs(subject=("device", "d1")) == [2, 5]
            assert seqs(subject=("person", "d1")) == []
            assert seqs(batch_id="even") == [1, 3, 5]
            assert seqs(batch_id="even", subject=("device", "d0"), after=1) == []
            assert seqs(batch_id="odd") == []

    def test_a_thousand_entries_in_one_call(self, store: Store) -> None:
        here = self.district()
        with store.write(here) as tx:
            tx.record([entry(device(f"d{n:04}"), subject=f"d{n:04}") for n in range(1000)])
        with store.write(here) as tx:
            devices = list(tx.find(Query(kind=Device)))
            tx.record([entry(edited(d, condition=Condition.GOOD)) for d in devices])
            tx.record([])
        with store.read(here) as reading:
            assert verify(reading).events == reading.head().seq == 2000
            assert reading.count(Query(kind=Device)) == 1000
            assert compare(reading) == []

    def test_writers_in_several_threads_leave_no_gap(self, store: Store) -> None:
        here, each, failures = self.district(), 15, []

        def write(name: str) -> None:
            try:
                for n in range(each):
                    in_turn(lambda n=n: insertion(store, here, device(f"{name}{n}")))  # type: ignore[misc]
            except BaseException as problem:  # noqa: BLE001  # told by the main thread
                failures.append(problem)

        threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        with store.read(here) as tx:
            assert [e.seq for e in tx.journal()] == list(range(1, 4 * each + 1))
            assert verify(tx).events == tx.count(Query(kind=Device)) == 4 * each

    def test_replaying_gives_the_tables(self, store: Store) -> None:
        @examples(10)
        @given(st.lists(strategies.alike(Device), min_size=2, max_size=5, unique_by=_device_id))
        def check(devices: list[Device]) -> None:
            here, first = self.district(), devices[0]
            with store.write(here) as tx:
                tx.record([entry(evolve(d, version=1)) for d in devices])
                tx.record([entry(edited(evolve(first, version=1), lifecycle=Lifecycle.LOST))])
                tx.record([entry(removes=[evolve(devices[1], version=1)])])
            with store.read(here) as tx:
                assert compare(tx) == []
                tables = replay(tx.journal())
                assert tables["device"].keys() == {(d.id,) for d in devices if d != devices[1]}
                assert tables["device"][first.id,]["lifecycle"] == "lost"
                assert "tag_key" not in tables["device"][first.id,]

        check()


def _device_id(d: Device) -> str:
    return d.id


class Privacy(Suite):
    """Nothing about a person stands in the journal."""

    CANARY = "canary-zoe-garcia"

    def test_personal_values_are_named_and_marked(self, store: Store) -> None:
        here, zoe = self.district(), person(family_name=self.CANARY, grade="07")
        with store.write(here) as tx:
            tx.record([entry(zoe)])
            tx.record([entry(edited(zoe, family_name=None, email=f"{self.CANARY}@x.example"))])
        with store.read(here) as tx:
            assert not any(self.CANARY in body for body in bodies(tx))
            first, second = (json.loads(body)["changes"][0] for body in bodies(tx))
        assert first["set"] == {"kind": "student", "status": "active", "grade": "07", "version": 1}
        assert first["personal"] == {
            "family_name": mark(KEY, "person", ["p1"], "family_name", self.CANARY),
            "mark_key": None,
        }
        assert second["set"] == {"version": 2}
        assert second["personal"] == {
            "family_name": mark(KEY, "person", ["p1"], "family_name", None),
            "email": mark(KEY, "person", ["p1"], "email", f"{self.CANARY}@x.example"),
        }
        assert all(len(said) == 16 for said in second["personal"].values())

    def test_marks_use_the_key_that_the_put_brings(self, store: Store) -> None:
        here = self.district()
        link: Any = PersonLink(person_id="p1", source="sis", source_id="204881")  # type: ignore[arg-type]
        with store.write(here) as tx:
            tx.record([entry(person(), Put(link, mark_key=KEY))])
            tx.record([entry(edited(link, source_id="999"))])
        with store.read(here) as tx:
            first, second = (json.loads(body)["changes"][-1] for body in bodies(tx))
        said = mark(KEY, "person_link", ["p1", "sis"], "source_id", "204881")
        assert first["personal"] == {"source_id": said}
        assert second["personal"] == {"source_id": None}

    def test_an_erasure_leaves_no_mark_and_the_chain_holds(self, store: Store) -> None:
        here, zoe = self.district(), person(given_name=self.CANARY)
        with store.write(here) as tx:
            tx.record([entry(zoe, event=PersonChanged(fields=("given_name",)), subject="p1")])
            tx.record([entry(edited(zoe, given_name=None, mark_key=None, erased_at=NOW))])
        with store.read(here) as tx:
            said = json.loads(bodies(tx)[1])["changes"][0]
            assert said["personal"] == {"given_name": None, "mark_key": None}
            assert said["set"] == {"erased_at": "2026-08-17T13:05:00.123456Z", "version": 2}
            assert verify(tx).events == 2

    def test_derived_and_volatile_fields_stay_out(self, store: Store) -> None:
        here, first = self.district(), device(model="A", serial_key="S")
        with store.write(here) as tx:
            tx.record([entry(first)])
            tx.record([entry(edited(first, model="B", serial_key="T"))])
            tx.insert([Sighting(source="google", source_id="x", os_version="16093")])
        with store.read(here) as tx:
            first_body, second_body = bodies(tx)
            assert "model" not in json.loads(first_body)["changes"][0]["set"]
            assert json.loads(second_body)["changes"][0]["set"] == {"version": 2}
            assert "16093" not in first_body + second_body


class Tampering(Suite):
    """What is changed behind the store's back is found."""

    @pytest.fixture
    def tamper(self) -> Tamper | None:
        """Changes a stored event behind the store's back, if the store offers a way.

        ``tamper(store, district, seq, column, value)`` sets one column of the journal, and with
        the column ``"*"`` removes the event. ``None`` skips these tests visibly.
        """
        return None

    def _written(self, store: Store, tamper: Tamper | None) -> Any:
        if tamper is None:
            pytest.skip("the test class gives no `tamper` fixture")
        here = self.district()
        with store.write(here) as tx:
            tx.record([entry(device(f"d{n}"), by=stamp(batch_id="b1")) for n in range(5)])
        return here

    @pytest.mark.parametrize(
        ("column", "value", "fault"),
        [
            ("body", '{"district":"x"}', "hash"),
            ("hash", "0" * 64, "hash"),
            ("prev", "0" * 64, "prev"),
            ("type", "device.registered@1", "columns"),
            ("subject_kind", "person", "columns"),
            ("subject_id", "d4", "columns"),
            ("batch_id", None, "columns"),
            ("recorded_at", "2026-08-17T13:05:00.123457Z", "columns"),
            ("*", None, "gap"),
        ],
    )
    def test_a_changed_event_is_found(
        self, store: Store, tamper: Tamper | None, column: str, value: Any, fault: str
    ) -> None:
        here = self._written(store, tamper)
        assert tamper is not None
        tamper(store, here, 3, column, value)
        with store.read(here) as tx, pytest.raises(JournalBroken) as caught:
            verify(tx)
        assert (caught.value.context["seq"], caught.value.context["fault"]) == (3, fault)

    def test_an_event_that_was_cut_off_at_the_end_is_found(
        self, store: Store, tamper: Tamper | None
    ) -> None:
        here = self._written(store, tamper)
        assert tamper is not None
        tamper(store, here, 5, "*", None)
        with store.read(here) as tx, pytest.raises(JournalBroken) as caught:
            verify(tx)
        assert caught.value.context["seq"] == 5

    def test_an_event_that_was_written_anew_is_found_by_a_sealed_head(
        self, store: Store, tamper: Tamper | None
    ) -> None:
        here = self._written(store, tamper)
        assert tamper is not None
        with store.read(here) as tx:
            third = list(tx.journal())[2]
            sealed = Head(third.seq, third.hash)
            assert verify(tx, since=sealed).events == 2
            assert verify(tx, since=3).events == 2
            assert verify(tx, since=verify(tx).head).events == 0
        tamper(store, here, 3, "hash", "f" * 64)
        with store.read(here) as tx:
            with pytest.raises(JournalBroken):
                verify(tx, since=sealed)
            with pytest.raises(JournalBroken):
                verify(tx, since=99)

    def test_a_change_without_an_event_is_found(self, store: Store, alter: Any) -> None:
        if alter is None:
            pytest.skip("the test class gives no `alter` fixture")
        here = self.district()
        insertion(store, here, device("d1"), device("d2"), device("d3"))
        alter(store, here, device("d2", lifecycle=Lifecycle.LOST))
        with store.read(here) as tx:
            (found,) = compare(tx)
            assert verify(tx).events == 1
        assert (found.kind, found.key, found.column) == ("device", ("d2",), "lifecycle")
        assert (found.replayed, found.stored) == ("received", "lost")

    @pytest.fixture
    def alter(self) -> Any:
        """Puts a record into its table behind the store's back: ``alter(store, district, record)``.

        ``None`` skips the test visibly.
        """
        return None


class Observed(Suite):
    """Events keep what they were given, also what a store could not keep."""

    def test_texts_of_events_are_cleaned(self, store: Store) -> None:
        here = self.district()
        event = DeviceObserved(
            source="goo\0gle",
            source_id="x",
            fields=("model",),
            values={"model": "HP \ud800"},
        )
        by = stamp(batch_id="b\0")
        with store.write(here) as tx:
            tx.record([entry(device(acquired_on=date(2026, 1, 1)), event=event, by=by)])
        with store.read(here) as tx:
            (stored,) = tx.journal(batch_id="b\ufffd")
            said, stamped = load_event(stored)
            assert said == evolve(event, source="goo\ufffdgle", values={"model": "HP \ufffd"})
            assert stamped.batch_id == "b\ufffd"
            assert verify(tx).events == 1

    def test_a_stale_write_appends_no_event(self, store: Store) -> None:
        here = self.district()
        with refused(store, here, StaleVersion) as tx:
            tx.record([entry(device()), entry(edited(device("other")))])
