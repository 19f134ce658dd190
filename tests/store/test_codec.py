"""Values and rows: strict, exact, and silent about what they refuse."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from types import MappingProxyType

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from assetflow.codec import (
    Tally,
    clean_text,
    encode_plain,
    from_json,
    from_plain,
    read_date,
    read_instant,
    to_json,
    to_plain,
    write_instant,
)
from assetflow.errors import InvalidValue, PayloadError, StoreDamaged
from assetflow.model import (
    EVENT_TYPES,
    Condition,
    CustomValue,
    Device,
    DistrictPolicy,
    Money,
    Person,
    PersonKind,
    ServiceLine,
)
from assetflow.model.events import DeviceCheckedIn, DeviceEdited, DeviceObserved, DistrictCreated
from assetflow.model.query import instant_text
from assetflow.store.schema import KINDS, ColumnType, kind_of
from assetflow.testing import strategies

CANARY = "canary-zoe"


@frozen(kw_only=True)
class Everything:
    text: str
    number: int
    flag: bool
    day: date
    instant: datetime
    condition: Condition
    money: Money
    lines: tuple[ServiceLine, ...] = ()
    sites: MappingProxyType | None = None
    maybe: str | None = None


SOUND = {
    "text": "x",
    "number": 1,
    "flag": True,
    "day": "2026-08-17",
    "instant": "2026-08-17T13:05:00.000000Z",
    "condition": "good",
    "money": {"minor": 29995, "currency": "USD"},
    "lines": [{"kind": "mobile-data", "provider": "T"}],
    "maybe": None,
}


# --- text ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("Zoë \U0001f5a5", "Zoë \U0001f5a5"),
        ("a\0b", "a\ufffdb"),
        ("\ud800", "\ufffd"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ("", ""),
    ],
)
def test_text_is_cleaned_and_counted(text, cleaned):
    tally = Tally()
    assert clean_text(text, tally) == cleaned
    assert tally.count == (text != cleaned)


@given(st.text())
def test_clean_text_can_be_encoded_and_stays_clean(text):
    cleaned = clean_text(text)
    assert "\0" not in cleaned
    assert cleaned.encode().decode() == cleaned == clean_text(cleaned)
    assert len(cleaned) == len(text)


def test_json_is_cleaned_however_deep():
    tally = Tally()
    data = {"a\0": ["\ud800", {"b": ("c", "\0")}], "literal": "\\u0000"}
    assert json.loads(encode_plain(data, tally)) == {
        "a\ufffd": ["\ufffd", {"b": ["c", "\ufffd"]}],
        "literal": "\\u0000",
    }
    assert tally.count == 3


# --- instants ------------------------------------------------------------------------------


@given(st.datetimes(timezones=st.timezones() | st.just(UTC)))
def test_instants_are_written_in_one_form(instant):
    try:
        expected = instant_text(instant)
    except OverflowError:
        return
    assert write_instant(instant) == expected
    assert len(expected) == 27
    assert read_instant(expected) == instant
    assert read_instant(expected).tzinfo is UTC


@given(st.lists(strategies.instants(), min_size=2, max_size=2))
def test_instants_sort_as_text(pair):
    assert (pair[0] < pair[1]) == (write_instant(pair[0]) < write_instant(pair[1]))


@pytest.mark.parametrize(
    "text",
    [
        "2026-08-17T13:05:00Z",
        "2026-08-17T13:05:00.000000+00:00",
        "2026-08-17 13:05:00.000000Z",
        "2026-08-17T13:05:00.000000z",
        "2026-13-17T13:05:00.000000Z",
        "2026-W34-1T13:05:00.000000Z",
        20260817,
        None,
    ],
)
def test_other_forms_of_an_instant_are_refused(text):
    with pytest.raises(ValueError, match=r"instant|month"):
        read_instant(text)


@pytest.mark.parametrize("text", ["20260817", "2026-W34-1", "2026-8-17", "2026-08-17T00", 20260817])
def test_other_forms_of_a_day_are_refused(text):
    with pytest.raises(ValueError, match=r"day|isoformat"):
        read_date(text)


def test_an_instant_needs_a_zone():
    with pytest.raises(InvalidValue):
        write_instant(datetime(2026, 8, 17))  # noqa: DTZ001


# --- values --------------------------------------------------------------------------------


def test_plain_data_becomes_a_value():
    value = from_plain(SOUND, Everything, what="test")
    assert value.instant == datetime(2026, 8, 17, 13, 5, tzinfo=UTC)
    assert value.money == Money(29995)
    assert value.lines == (ServiceLine(kind="mobile-data", provider="T"),)
    assert to_plain(value)["condition"] == "good"


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": 4217},
        {"text": None},
        {"text": [CANARY]},
        {"number": True},
        {"number": 1.0},
        {"number": "1"},
        {"number": 2**63},
        {"flag": 1},
        {"flag": "true"},
        {"day": CANARY},
        {"day": "2026-08-17T00:00:00"},
        {"day": 20260817},
        {"instant": "2026-08-17T13:05:00"},
        {"condition": CANARY},
        {"condition": 1},
        {"money": 299.95},
        {"money": {"minor": 299.95, "currency": "USD"}},
        {"money": {"minor": 1, "currency": CANARY}},
        {"money": {"minor": 1, "currency": "USD", CANARY: 1}},
        {"lines": CANARY},
        {"lines": {"kind": CANARY}},
        {"lines": [CANARY]},
        {"lines": [{"kind": CANARY}]},
        {CANARY: 1},
        {"maybe": 1},
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_and_not_shown(wrong):
    with pytest.raises(InvalidValue) as caught:
        from_plain(SOUND | wrong, Everything, what="test")
    error = caught.value
    shown = f"{error!r}{error.as_dict()}{error.__cause__!r}{error.__context__!r}"
    assert CANARY not in shown
    assert len(error.context["problems"]) >= 1
    if CANARY not in wrong:
        assert f"$.{next(iter(wrong))}" in error.message or next(iter(wrong)) in error.message


def test_a_missing_field_is_named():
    with pytest.raises(InvalidValue, match="text"):
        from_plain({k: v for k, v in SOUND.items() if k != "text"}, Everything, what="test")


def test_an_unknown_key_that_reads_like_a_field_is_named_with_those_that_are_known():
    with pytest.raises(InvalidValue, match=r"unknown: custdy \(known: custody, pull"):
        from_plain({"custdy": {}}, DistrictPolicy, what="policy")


def test_the_caller_chooses_the_error():
    with pytest.raises(PayloadError):
        from_plain({}, Everything, what="page", error=PayloadError)
    with pytest.raises(PayloadError):
        from_json(b"{", Everything, what="page", error=PayloadError)


@pytest.mark.parametrize("text", ["", "{", "nul", "[" * 100_000, b"\xff"])
def test_what_is_not_json_is_refused(text):
    with pytest.raises(InvalidValue, match="page"):
        from_json(text, Everything, what="page")


@given(strategies.events())
def test_events_make_the_round_trip(event):
    assert from_plain(to_plain(event), type(event), what="event") == event
    assert from_json(to_json(event), type(event), what="event") == event


@pytest.mark.parametrize("cls", EVENT_TYPES.values())
def test_unknown_fields_of_an_event_are_refused(cls):
    with pytest.raises(InvalidValue):
        from_plain({"no_such_field": 1}, cls, what="event")


def test_keys_of_mappings_are_sorted_and_fields_stand_in_their_order():
    event = DeviceObserved(source="g", source_id="1", fields=(), values={"b": "2", "a": None})
    assert to_json(event) == (
        '{"source":"g","source_id":"1","fields":[],"values":{"a":null,"b":"2"},'
        '"taken":[],"disagrees":[]}'
    )


def test_mappings_that_were_read_cannot_be_changed():
    event = from_plain(
        {"source": "g", "source_id": "1", "fields": [], "values": {"a": None}},
        DeviceObserved,
        what="event",
    )
    with pytest.raises(TypeError):
        event.values["a"] = "x"


# --- rows ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda k: k.name)
def test_rows_make_the_round_trip_on_both_ways(kind):
    @given(strategies.record(kind.record))
    def check(record):
        row = kind.codec.plain(record)
        assert kind.codec.record(row) == record
        assert kind.codec._careful(record, None) == row
        assert len(row) == len(kind.columns)
        assert all(isinstance(v, str | int | bytes | None) for v in row)
        assert not any(isinstance(v, bool) for v in row)

    check()


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda k: k.name)
def test_changed_names_the_columns_that_differ(kind):
    @given(strategies.record(kind.record), strategies.record(kind.record))
    def check(one, two):
        rows = kind.codec.plain(one), kind.codec.plain(two)
        expected = {i for i, (a, b) in enumerate(zip(*rows, strict=True)) if a != b}
        assert expected <= set(kind.codec.changed(one, two))
        assert kind.codec.changed(one, one) == []

    check()


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda k: k.name)
def test_a_damaged_row_names_its_field(kind):
    record = None

    @given(strategies.record(kind.record))
    def some(drawn):
        nonlocal record
        record = drawn

    some()
    row = kind.codec.plain(record)
    for i, column in enumerate(kind.columns):
        unread = column.type in (ColumnType.INTEGER, ColumnType.BYTES)
        if unread or (column.type is ColumnType.TEXT and column.python is str):
            continue
        broken = list(row)
        broken[i] = CANARY
        if column.type is ColumnType.CURRENCY:
            broken[i - 1] = 1
        with pytest.raises(StoreDamaged) as caught:
            kind.codec.record(broken)
        assert caught.value.context["field"] == column.field
        assert CANARY not in f"{caught.value}{caught.value.__context__}"
    with pytest.raises(StoreDamaged):
        kind.codec.record(row[:-1])


def test_the_careful_way_takes_what_the_quick_way_does_not():
    class Tag(str):
        __slots__ = ()

    class Day(date):
        pass

    codec, zone = kind_of(Device).codec, timezone(timedelta(hours=-5))
    row = codec.plain(Device(id=Tag("d1"), acquired_on=Day(2026, 8, 17)))
    assert (row[0], type(row[0])) == ("d1", str)
    assert "2026-08-17" in row
    person = Person(id="p1", kind=PersonKind.STAFF, erased_at=datetime(2026, 8, 17, 8, tzinfo=zone))
    assert "2026-08-17T13:00:00.000000Z" in kind_of(Person).codec.plain(person)


def test_cleaned_texts_are_counted_once_each():
    tally = Tally()
    custom = (CustomValue("a", "\0"), CustomValue("b", "fine"))
    device = Device(id="d1", asset_tag="\ud800", custom=custom)
    row = kind_of(Device).codec.plain(device, tally)
    assert tally.count == 2
    kept = kind_of(Device).codec.record(row)
    assert kept == evolve(
        device, asset_tag="\ufffd", custom=(CustomValue("a", "\ufffd"), CustomValue("b", "fine"))
    )


def test_another_class_is_no_device():
    with pytest.raises(InvalidValue, match="DeviceEdited is not a device"):
        kind_of(Device).codec.plain(DeviceEdited(fields=()))


def test_errors_of_rows_show_no_value():
    with pytest.raises(InvalidValue) as caught:
        kind_of(Person).codec.plain(
            Person(id="p1", kind=PersonKind.STAFF, family_name=CANARY * 100)
        )
    assert caught.value.context == {"kind": "person", "field": "family_name"}
    assert CANARY not in f"{caught.value!r}{caught.value.__cause__!r}"


def test_enums_of_events_are_words():
    event = DeviceCheckedIn(
        custody_id="c", lifecycle=Device(id="d").lifecycle, condition=Condition.GOOD
    )
    assert to_plain(event) == {"custody_id": "c", "lifecycle": "received", "condition": "good"}
    assert to_plain(DistrictCreated(name="Lincoln")) == {"name": "Lincoln"}
