"""The schema follows from the records, and refuses what would be a mistake."""

import enum
from typing import ClassVar

import attrs
import pytest
from attrs import field, frozen

from assetflow.errors import InvalidValue
from assetflow.model import (
    RECORDS,
    Derived,
    Device,
    Journalled,
    Money,
    Person,
    Personal,
    Role,
    Volatile,
)
from assetflow.model.fields import Record
from assetflow.store.ports import StoredEvent
from assetflow.store.schema import JOURNAL, KINDS, ColumnType, _make, check_district, kind_of

# Texts of any length: nobody looks them up, and no engine need keep them in a row.
UNLIMITED = {
    "idempotency.result",
    "observation.facts",
    "outbox.body",
    "policy.text",
    "run_shard.following",
    "staged_record.observed",
}
# MariaDB takes 3,072 bytes of key; utf8mb4 counts four for each character.
KEY_BYTES = 3072


def width(kind, names):
    return 4 * 64 + sum(
        4 * kind.column(n).length if kind.column(n).length else 27 * 4 for n in names
    )


def test_every_record_is_a_kind_after_those_that_it_refers_to():
    assert [k.record for k in KINDS.values()] == list(RECORDS)
    seen = set()
    for kind in KINDS.values():
        assert {target for _, target in kind.refers} <= seen
        seen.add(kind.name)
        assert kind_of(kind.record) is kind


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda k: k.name)
def test_a_kind_holds_together(kind):
    assert {c.field for c in kind.columns} == {a.name for a in attrs.fields(kind.record)}
    assert all(isinstance(c.role, Role) for c in kind.columns)
    assert all(c.doc for c in kind.columns), "every column is explained"
    assert kind.doc
    assert len(set(kind.positions.values())) == len(kind.columns)
    for name, target in kind.refers:
        assert KINDS[target].key == ("id",)
        assert kind.column(name).length == KINDS[target].column("id").length
    for names in (kind.key, *kind.unique, *kind.indexes):
        assert width(kind, names) <= KEY_BYTES, names
    for column in kind.columns:
        if isinstance(column.python, type) and issubclass(column.python, enum.Enum):
            assert all(len(member.value) <= column.length for member in column.python)


def test_texts_without_a_limit_are_few():
    found = {
        f"{kind.name}.{c.name}"
        for kind in KINDS.values()
        for c in kind.columns
        if c.type is ColumnType.TEXT and c.length is None
    }
    assert found == UNLIMITED


def test_the_columns_of_a_device():
    kind = kind_of(Device)
    shown = {c.name: (c.type.value, c.length, c.nullable, c.role.value) for c in kind.columns}
    assert shown["id"] == ("text", 64, False, "journalled")
    assert shown["asset_tag"] == ("text", 200, True, "journalled")
    assert shown["lifecycle"] == ("text", 32, False, "journalled")
    assert shown["custody"] == ("text", 32, False, "derived")
    assert shown["purchase_cost_minor"] == ("minor", None, True, "journalled")
    assert shown["purchase_cost_currency"] == ("currency", None, True, "journalled")
    assert shown["acquired_on"] == ("date", None, True, "journalled")
    assert shown["services"] == ("json", None, False, "journalled")
    assert "purchase_cost" not in shown
    assert kind.column("purchase_cost").name == "purchase_cost_minor"
    assert kind.journalled
    assert kind.guard == ("version",)


def test_a_kind_is_journalled_when_a_column_is():
    plain = {name for name, kind in KINDS.items() if not kind.journalled}
    assert {"actor", "note", "observation", "sighting", "run", "idempotency", "outbox"} <= plain
    assert {"device", "person", "custody", "custody_open", "policy"}.isdisjoint(plain)
    assert KINDS["custody_open"].guard == ("device_id", "custody_id", "accountable_id")
    assert KINDS["note"].guard == ()


def test_names_that_are_not_there_are_refused_with_those_that_are():
    with pytest.raises(InvalidValue, match="device has no field 'colour'") as caught:
        kind_of(Device).column("colour")
    assert "asset_tag" in caught.value.hint
    with pytest.raises(InvalidValue):
        kind_of(Device).field_column("purchase_cost_minor")
    with pytest.raises(InvalidValue):
        kind_of(Money(1))


def test_the_journal_has_the_fields_of_a_stored_event():
    assert [c.name for c in JOURNAL] == [a.name for a in attrs.fields(StoredEvent)]


@pytest.mark.parametrize("name", ["lincoln", "a", "x" * 64, "LAUSD 1"])
def test_a_district_may_be_called(name):
    check_district(name)


# --- mistakes ------------------------------------------------------------------------------


@frozen(kw_only=True)
class NoRole(Record):
    KIND: ClassVar[str] = "mistake"
    id: Journalled[str]
    name: str = ""


@frozen(kw_only=True)
class PersonalKey(Record):
    KIND: ClassVar[str] = "mistake"
    id: Personal[str]


@frozen(kw_only=True)
class PersonalUnique(Record):
    KIND: ClassVar[str] = "mistake"
    UNIQUE: ClassVar = (("email",),)
    id: Volatile[str]
    email: Personal[str]


@frozen(kw_only=True)
class UnknownKey(Record):
    KIND: ClassVar[str] = "mistake"
    id: Volatile[str | None]


@frozen(kw_only=True)
class DerivedKey(Record):
    KIND: ClassVar[str] = "mistake"
    id: Derived[str]
    name: Journalled[str]


@frozen(kw_only=True)
class JournalledBytes(Record):
    KIND: ClassVar[str] = "mistake"
    id: Journalled[str]
    digest: Journalled[bytes]
    version: Journalled[int] = 1


@frozen(kw_only=True)
class NoVersion(Record):
    KIND: ClassVar[str] = "mistake"
    id: Journalled[str]
    name: Journalled[str | None]


@frozen(kw_only=True)
class Float(Record):
    KIND: ClassVar[str] = "mistake"
    id: Volatile[str]
    weight: Volatile[float]


@frozen(kw_only=True)
class Either(Record):
    KIND: ClassVar[str] = "mistake"
    id: Volatile[str]
    value: Volatile[str | int]


@frozen(kw_only=True)
class NoSuchIndex(Record):
    KIND: ClassVar[str] = "mistake"
    INDEXES: ClassVar = (("name",),)
    id: Volatile[str]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (NoRole, r"NoRole\.name states no role"),
        (PersonalKey, "is personal and may not be a key"),
        (PersonalUnique, "is personal and may not be a key"),
        (UnknownKey, "part of the key and may not be unknown"),
        (DerivedKey, "its whole key must be"),
        (JournalledBytes, "journals bytes"),
        (NoVersion, "needs a version"),
        (Float, "a type that no column keeps"),
        (Either, "is not one type"),
    ],
)
def test_a_record_that_cannot_be_right_is_refused(record, words):
    with pytest.raises(TypeError, match=words):
        _make(record)


def test_an_index_over_nothing_is_refused():
    with pytest.raises(InvalidValue):
        _make(NoSuchIndex)


def test_a_field_may_state_its_own_length():
    @frozen(kw_only=True)
    class Stated(Record):
        KIND: ClassVar[str] = "stated"
        id: Volatile[str]
        code: Volatile[str] = field(metadata={"length": 8})
        essay: Volatile[str] = field(metadata={"length": 0})

    kind = _make(Stated)
    assert [c.length for c in kind.columns] == [64, 8, None]


def test_a_person_is_never_a_key():
    for kind in KINDS.values():
        for name in (*kind.key, *(n for names in kind.unique for n in names)):
            assert kind.column(name).role is not Role.PERSONAL
    assert kind_of(Person).column("email").role is Role.PERSONAL
