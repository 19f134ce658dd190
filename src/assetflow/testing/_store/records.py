"""Conformance: records are kept as they are, together or not at all."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from attrs import evolve
from hypothesis import given

from assetflow.errors import InvalidValue
from assetflow.model import Device, F, Money, Place, PlaceKind, Query, Record, SchoolCalendar
from assetflow.store.schema import KINDS, ColumnType, Kind, kind_of
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
    refused,
    save,
)

if TYPE_CHECKING:
    from assetflow.store.ports import Store

KIND_NAMES = sorted(KINDS)
_LONGEST: dict[ColumnType, Any] = {
    ColumnType.INTEGER: 2**63 - 1,
    ColumnType.FLAG: True,
    ColumnType.MINOR: Money(-(2**63) + 1, "EUR"),
    ColumnType.DATE: date.max,
    ColumnType.INSTANT: datetime.max.replace(tzinfo=UTC),
    ColumnType.BYTES: bytes(range(256)) * 400,
}


def longest(kind: Kind) -> Record:
    """A record whose every field is as long or as large as its column allows."""
    fields: dict[str, Any] = {}
    for column in kind.columns:
        if column.type is ColumnType.TEXT and column.python is str:
            fields[column.field] = "\U0001f5a5" * (column.length or 100_000)
        elif column.type in _LONGEST:
            fields[column.field] = _LONGEST[column.type]
        elif column.type is ColumnType.TEXT:
            fields[column.field] = max(column.python, key=lambda m: len(m.value))
    if kind.record is SchoolCalendar:
        fields["first_day"] = date.min
    return kind.record(**_lists(kind), **fields)


def emptiest(kind: Kind) -> Record:
    """A record of which nothing is known that may be unknown, and every text is empty."""
    fields: dict[str, Any] = {}
    for column in kind.columns:
        if column.nullable:
            fields[column.field] = None
        elif column.type is not ColumnType.JSON:
            fields[column.field] = _EMPTY.get(column.type, "")
        if column.type is ColumnType.TEXT and column.python is not str:
            fields[column.field] = next(iter(column.python))
    return kind.record(**_lists(kind), **fields)


def _lists(kind: Kind) -> dict[str, Any]:
    """An empty list for each field that must be given one."""
    record: Any = kind.record
    given = {a.name for a in attrs.fields(record) if a.default is attrs.NOTHING}
    return {c.field: () for c in kind.columns if c.type is ColumnType.JSON and c.field in given}


_EMPTY: dict[ColumnType, Any] = {
    ColumnType.INTEGER: -(2**63),
    ColumnType.FLAG: False,
    ColumnType.DATE: date.min,
    ColumnType.INSTANT: datetime.min.replace(tzinfo=UTC),
    ColumnType.BYTES: b"",
}


def same_key(record: Record, other: Any) -> Any:
    """The other record under the first one's key, its version the next."""
    kind = kind_of(record)
    refers = dict.fromkeys(name for name, _ in kind.refers)
    kept = {name: getattr(record, name) for name in {*kind.key, *refers}}
    if kind.versioned:
        kept["version"] = record.version + 1  # type: ignore[attr-defined]  # it is versioned
    return evolve(other, **kept)


class Records(Suite):
    """Records are given back as they were written."""

    @pytest.mark.parametrize("name", KIND_NAMES)
    def test_what_is_written_is_read_again(self, store: Store, name: str) -> None:
        kind = KINDS[name]

        @examples(12)
        @given(strategies.record(kind.record), strategies.record(kind.record))
        def check(record: Record, other: Any) -> None:
            here = self.district()
            with store.write(here) as tx:
                save(tx, *parents(record), record)
                assert tx.get(type(record), *key_of(record)) == record
            later = same_key(record, other)
            with store.write(here) as tx:
                before: Any = tx.get(type(record), *key_of(record))
                assert before == record
                if kind.versioned:
                    tx.record([entry(edited(before, **_values(later)))])
                elif not kind.journalled:
                    tx.upsert([later])
            written = record if kind.journalled and not kind.versioned else later
            with store.read(here) as tx:
                assert tx.get(type(record), *key_of(record)) == written
                assert tx.get_many(type(record), [key_of(record)]) == {key_of(record): written}
                assert written in list(tx.find(Query(kind=type(record))))

        check()

    @pytest.mark.parametrize("name", KIND_NAMES)
    @pytest.mark.parametrize("make", [longest, emptiest])
    def test_the_ends_of_every_column(self, store: Store, name: str, make: Any) -> None:
        record, here = make(KINDS[name]), self.district()
        insertion(store, here, *parents(record), record)
        with store.read(here) as tx:
            assert tx.get(type(record), *key_of(record)) == record

    def test_an_instant_is_kept_to_the_microsecond_in_utc(self, store: Store) -> None:
        here = self.district()
        zone = datetime.fromisoformat("2026-11-01T01:30:00.000001-05:00")
        insertion(store, here, device(), custody(since=zone))
        with store.read(here) as tx:
            assert list(tx.values(Query(kind=type(custody())), ["since"])) == [
                ("2026-11-01T06:30:00.000001Z",)
            ]

    @pytest.mark.parametrize("pair", [("a", "A"), ("a", "a "), ("e\u0301", "é"), ("1", "01")])
    def test_keys_that_look_alike_are_two(self, store: Store, pair: tuple[str, str]) -> None:
        here = self.district()
        insertion(store, here, *(device(key, asset_tag=key) for key in pair))
        with store.read(here) as tx:
            assert [tx.get(Device, key) for key in pair] == [
                device(key, asset_tag=key) for key in pair
            ]

    def test_many_keys_at_once(self, store: Store) -> None:
        here = self.district()
        insertion(store, here, *(device(f"d{n:05}") for n in range(0, 5000, 2)))
        with store.read(here) as tx:
            found = tx.get_many(Device, [(f"d{n:05}",) for n in range(5000)])
            assert found == {(f"d{n:05}",): device(f"d{n:05}") for n in range(0, 5000, 2)}
            assert tx.get_many(Device, []) == {}

    def test_a_key_has_as_many_values_as_its_kind_says(self, store: Store) -> None:
        link = KINDS["device_link"].record
        with store.read(self.district()) as tx:
            for kind, key in ((Device, ()), (Device, ("a", "b")), (link, ("google",))):
                with pytest.raises(InvalidValue):
                    tx.get(kind, *key)
            with pytest.raises(InvalidValue):
                tx.get(Device, 7)
            with pytest.raises(InvalidValue):
                tx.get_many(Device, [("a",), (None,)])

    def test_a_class_that_is_no_record_is_refused(self, store: Store) -> None:
        with store.read(self.district()) as tx, pytest.raises(InvalidValue):
            tx.get(Money, "a")  # type: ignore[type-var]  # that is the test


class Cleaning(Suite):
    """Texts that no store can keep become texts that every store can."""

    BAD = "Zo\0e \ud800 \udc00!"
    GOOD = "Zo\ufffde \ufffd \ufffd!"

    def test_characters_that_cannot_be_kept_are_replaced(self, store: Store) -> None:
        here = self.district()
        custom = KINDS["custom_field"].record
        field: Any = emptiest(KINDS["custom_field"])
        field = evolve(field, name=self.BAD, choices=(self.BAD, "plain"))
        insertion(store, here, device(self.BAD, asset_tag=self.BAD), field)
        with store.read(here) as tx:
            good = device(self.GOOD, asset_tag=self.GOOD)
            assert tx.get(Device, self.GOOD) == good
            assert tx.get(Device, self.BAD) == good
            found: Any = tx.get(custom, self.GOOD)
            assert found.choices == (self.GOOD, "plain")
            assert tx.get_many(Device, [(self.BAD,)]) == {(self.BAD,): good}

    def test_they_are_replaced_in_filters_too(self, store: Store) -> None:
        here = self.district()
        insertion(store, here, device(asset_tag=self.BAD))
        wheres = [
            F.asset_tag == self.BAD,
            F.asset_tag.one_of("x", self.BAD),
            F.asset_tag.starts_with(self.BAD[:4]),
            ~(F.asset_tag != self.BAD),
        ]
        with store.read(here) as tx:
            for where in wheres:
                assert tx.count(Query(kind=Device, where=where)) == 1

    def test_a_character_in_two_halves_is_whole_text(self, store: Store) -> None:
        here = self.district()
        insertion(store, here, device(asset_tag="\U0001f5a5"))
        with store.read(here) as tx:
            assert tx.get(Device, "d1") == device(asset_tag="\U0001f5a5")


class Refusing(Suite):
    """What cannot be kept is refused by name, and shown nowhere."""

    CANARY = "canary-7f3a"

    @pytest.mark.parametrize("name", KIND_NAMES)
    def test_a_text_that_is_too_long(self, store: Store, name: str) -> None:
        kind = KINDS[name]
        columns = [c for c in kind.columns if c.python is str and c.length is not None]
        for column in columns:
            long = (self.CANARY + "x" * column.length)[: column.length + 1]  # type: ignore[operator]
            record: Any = emptiest(kind)
            here = self.district()
            with refused(store, here, InvalidValue, hides=self.CANARY) as tx:
                save(tx, evolve(record, **{column.field: long}))

    @pytest.mark.parametrize(
        "wrong",
        [
            {"version": 2**63},
            {"version": -(2**63) - 1},
            {"version": True},
            {"asset_tag": 4217},
            {"asset_tag": b"canary-7f3a"},
            {"lifecycle": "canary-7f3a"},
            {"lifecycle": None},
            {"acquired_on": datetime(2026, 8, 17, tzinfo=UTC)},
            {"acquired_on": "canary-7f3a"},
            {"purchase_cost": 299.95},
            {"services": ["canary-7f3a"]},
        ],
        ids=str,
    )
    def test_a_value_of_the_wrong_type(self, store: Store, wrong: dict[str, Any]) -> None:
        with refused(store, self.district(), InvalidValue, hides=self.CANARY) as tx:
            save(tx, device(**wrong))

    def test_an_instant_without_a_zone(self, store: Store) -> None:
        naive = datetime(2026, 8, 17)  # noqa: DTZ001  # that is the test
        with refused(store, self.district(), InvalidValue) as tx:
            save(tx, device(), custody(since=naive))

    def test_what_a_record_refers_to_must_be_there(self, store: Store) -> None:
        here = self.district()
        with refused(store, here, InvalidValue, hides=self.CANARY) as tx:
            save(tx, device(model_id=self.CANARY))
        insertion(store, here, device())
        with refused(store, here, InvalidValue) as tx:
            tx.record([entry(edited(device(), site_id="nowhere"))])

    def test_what_is_referred_to_cannot_be_removed(self, store: Store) -> None:
        here = self.district()
        place = Place(id="s1", kind=PlaceKind.SITE, name="LHS")  # type: ignore[arg-type]
        insertion(store, here, place, device(site_id="s1"))
        with refused(store, here, InvalidValue) as tx:
            tx.record([entry(removes=[place])])

    def test_references_are_looked_at_when_the_call_ends(self, store: Store) -> None:
        here, held = self.district(), custody()
        with store.write(here) as tx:
            tx.record([entry(opened(held)), entry(held), entry(device())])
        with store.write(here) as tx:
            tx.record([entry(removes=[held]), entry(removes=[opened(held)])])
        with store.read(here) as tx:
            assert everything(tx)["device"] == [device()]
            assert everything(tx)["custody"] == []

    @pytest.mark.parametrize("district", ["", "x" * 65, "tab\t", "é", "a\0b"])
    def test_a_district_has_a_plain_name(self, store: Store, district: Any) -> None:
        with pytest.raises(InvalidValue), store.read(district):
            pass
        with pytest.raises(InvalidValue), store.write(district):
            pass


def _values(record: Any) -> dict[str, Any]:
    kind = kind_of(record)
    names = {c.field for c in kind.columns} - {"version", *kind.key}
    return {name: getattr(record, name) for name in names}
