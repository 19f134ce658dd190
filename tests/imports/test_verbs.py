"""The verbs of devices, people, places and models, one at a time: what they write and what they refuse."""

from datetime import date

import pytest

from assetflow.errors import (
    AmbiguousReference,
    DeviceInOtherHands,
    DuplicateKey,
    InvalidValue,
    NotFound,
    Refusal,
)
from assetflow.model import (
    Condition,
    CustodyState,
    CustomField,
    CustomType,
    Device,
    DeviceId,
    DeviceLink,
    DeviceModel,
    FundingState,
    Guardianship,
    Lifecycle,
    ModelId,
    Money,
    Person,
    PersonId,
    PersonKind,
    PersonLink,
    PersonStatus,
    Place,
    PlaceId,
    PlaceKind,
    usd,
)
from assetflow.workflows.custody import check_out
from assetflow.workflows.devices import (
    DEVICE_FIELDS,
    edit_device,
    edit_device_entry,
    register_device,
    register_device_entry,
)
from assetflow.workflows.edits import changed_fields
from assetflow.workflows.models import (
    custom_value,
    declare_field,
    find_model,
    upsert_model,
    with_custom,
)
from assetflow.workflows.people import (
    PERSON_FIELDS,
    change_person,
    change_person_entry,
    leave_person,
    link_guardian,
    register_person,
    register_person_entry,
)
from assetflow.workflows.places import PLACE_FIELDS, change_place, find_places, upsert_place


def device(office, **fields):
    return office.do(register_device, Device(id=DeviceId(office.new_id()), **fields))


def person(office, **fields):
    value = Person(id=PersonId(office.new_id()), **{"kind": PersonKind.STUDENT, **fields})
    return office.do(register_person, value, entropy=office.entropy)


def types(office, start):
    return [e.type for e in office.events(after=start)]


# --- devices -------------------------------------------------------------------------------


def test_a_device_is_registered_with_what_follows_from_its_fields(office):
    model = office.do(upsert_model, "HP 11", changes={"manufacturer": "HP"})
    made = device(
        office,
        asset_tag=" lhs-1",
        serial="scdo1",
        model_id=model.id,
        custody=CustodyState.LOANED,
        funding=FundingState.RESTRICTED,
    )
    assert (made.tag_key, made.serial_key, made.model, made.manufacturer) == (
        "LHS-1",
        "5CD01",
        "HP 11",
        "HP",
    )
    assert (made.custody, made.funding) == (CustodyState.NONE, FundingState.UNKNOWN)
    assert office.device(" lhs-1") == made


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, InvalidValue),
        ({"asset_tag": " "}, InvalidValue),
        ({"asset_tag": "lhs-1"}, DuplicateKey),
        ({"serial": "aaa"}, DuplicateKey),
        ({"asset_tag": "OLD"}, Refusal),
        ({"asset_tag": "N", "model_id": ModelId("nope")}, NotFound),
        ({"asset_tag": "N", "site_id": PlaceId("nope")}, NotFound),
    ],
)
def test_what_is_not_registered(office, fields, error):
    device(office, asset_tag="LHS-1", serial="AAA")
    device(office, asset_tag="OLD", lifecycle=Lifecycle.DISPOSED)
    seq = office.seq()
    with pytest.raises(error) as caught:
        device(office, **fields)
    assert office.seq() == seq
    if error is Refusal:
        assert caught.value.rule == "device.revive"


def test_a_serial_that_looks_alike_is_another_device(office):
    device(office, serial="5CD0")
    assert device(office, serial="SCDO").serial == "SCDO"


def test_only_what_differs_is_edited(office):
    one = device(office, asset_tag="LHS-1", serial="A")
    start = office.seq()
    assert office.do(edit_device, one.id, {"condition": Condition.UNKNOWN}) == one
    assert office.seq() == start
    after = office.do(
        edit_device, one.id, {"condition": "good", "purchase_cost": usd("5"), "serial": None}
    )
    assert (after.version, after.serial, after.serial_key) == (2, None, None)
    assert office.device("LHS-1") == after
    (event,) = office.events(after=start)
    assert '"fields":["serial","condition","purchase_cost"]' in event.body


def test_a_model_that_changes_shows_on_its_device(office):
    hp, acer = (
        office.do(upsert_model, "HP 11"),
        office.do(upsert_model, "Acer 5", changes={"manufacturer": "Acer"}),
    )
    one = device(office, asset_tag="1", model_id=hp.id)
    assert office.do(edit_device, one.id, {"model_id": acer.id}).manufacturer == "Acer"
    after = office.do(edit_device, one.id, {"model_id": None})
    assert (after.model, after.manufacturer) == (None, None)
    with pytest.raises(InvalidValue, match="not the one"):
        edit_device_entry(
            office.act(), one, Device(id=one.id, asset_tag="1", model_id=acer.id), model=hp
        )


@pytest.mark.parametrize(
    "name", ["id", "custody", "funding", "management", "version", "tag_key", "model", "colour"]
)
def test_what_may_not_be_set_is_refused(office, name):
    one = device(office, asset_tag="1")
    assert name not in DEVICE_FIELDS
    with pytest.raises(InvalidValue, match="no field"):
        office.do(edit_device, one.id, {name: None})


def test_a_device_keeps_a_name_and_takes_nobodys(office):
    one = device(office, asset_tag="1")
    device(office, asset_tag="2")
    with pytest.raises(InvalidValue, match="needs an asset tag or a serial"):
        office.do(edit_device, one.id, {"asset_tag": None})
    with pytest.raises(DuplicateKey):
        office.do(edit_device, one.id, {"asset_tag": "2"})
    with pytest.raises(NotFound):
        office.do(edit_device, DeviceId("nope"), {})
    assert office.do(edit_device, one.id, {"asset_tag": "1 "}).asset_tag == "1 "


def test_out_of_service_is_left_only_when_it_is_said(office):
    one = device(office, asset_tag="1", lifecycle=Lifecycle.DISPOSED)
    with pytest.raises(Refusal) as caught:
        office.do(edit_device, one.id, {"lifecycle": Lifecycle.IN_STOCK})
    assert (caught.value.rule, caught.value.context["device_id"]) == ("device.revive", one.id)
    assert (
        office.do(edit_device, one.id, {"lifecycle": Lifecycle.RETIRED}).lifecycle
        is Lifecycle.RETIRED
    )
    after = office.do(edit_device, one.id, {"lifecycle": Lifecycle.IN_STOCK}, revive=True)
    assert after.lifecycle is Lifecycle.IN_STOCK


@pytest.mark.parametrize(
    ("lifecycle", "allowed"),
    [
        ("lost", True),
        ("stolen", True),
        ("in_repair", True),
        ("in_stock", False),
        ("retired", False),
        ("disposed", False),
        ("ordered", False),
    ],
)
def test_a_device_in_somebodys_hands_goes_nowhere_without_them(office, lifecycle, allowed):
    one = device(office, asset_tag="1", lifecycle=Lifecycle.IN_STOCK)
    student = person(office, local_id="1")
    office.do(check_out, one.id, to=student.id)
    if allowed:
        after = office.do(edit_device, one.id, {"lifecycle": lifecycle})
        assert after.custody is CustodyState.ASSIGNED
    else:
        with pytest.raises(DeviceInOtherHands):
            office.do(edit_device, one.id, {"lifecycle": lifecycle})


def test_an_entry_is_built_without_a_store(office):
    link = DeviceLink(source="google", source_id="g1", device_id=DeviceId("d1"))
    entry = register_device_entry(
        office.act(),
        Device(id=DeviceId("d1"), serial="A"),
        links=[link],
        source="google",
        source_id="g1",
    )
    assert (entry.event.source, entry.event.source_id, entry.subject_id) == ("google", "g1", "d1")
    assert [type(p.after) for p in entry.puts] == [Device, DeviceLink]


# --- models and custom fields --------------------------------------------------------------


def test_a_model_is_found_by_its_name_whatever_its_case(office):
    made = office.do(
        upsert_model, " HP  Chromebook 11 ", changes={"category": "chromebook", "life_months": 48}
    )
    assert (made.name, made.name_key) == ("HP Chromebook 11", "hp chromebook 11")
    with office.read() as tx:
        assert find_model(tx, "hp chromebook  11") == made
    start = office.seq()
    assert office.do(upsert_model, "HP CHROMEBOOK 11", changes={"life_months": 48}) == made
    assert office.seq() == start
    assert office.do(upsert_model, "hp chromebook 11", changes={"life_months": None}).version == 2
    assert len(office.all(DeviceModel)) == 1
    with pytest.raises(InvalidValue):
        office.do(upsert_model, "  ")
    with pytest.raises(InvalidValue):
        office.do(upsert_model, "HP", changes={"name_key": "x"})


def test_a_maker_that_changes_shows_on_every_device(office):
    model = office.do(upsert_model, "HP 11")
    made = [device(office, asset_tag=str(n), model_id=model.id) for n in range(3)]
    office.do(upsert_model, "HP 11", changes={"manufacturer": "HP"})
    assert [d.manufacturer for d in office.all(Device)] == ["HP"] * 3
    assert {d.version for d in office.all(Device)} == {made[0].version + 1}
    assert office.verified() == office.seq()


def test_a_custom_field_is_declared_once_and_keeps_its_type(office):
    made = office.do(declare_field, "charger", CustomType.TEXT, choices=("USB-C",))
    start = office.seq()
    assert office.do(declare_field, "charger", CustomType.TEXT, choices=("USB-C",)) == made
    assert office.seq() == start
    assert office.do(declare_field, "charger", CustomType.TEXT, label="Charger").version == 2
    with pytest.raises(InvalidValue, match="cannot be changed"):
        office.do(declare_field, "charger", CustomType.FLAG)


@pytest.mark.parametrize(
    ("name", "kind", "choices"),
    [("Charger", "text", ()), ("", "text", ()), ("1st", "text", ()), ("n", "flag", ("yes",))],
)
def test_what_is_no_custom_field(office, name, kind, choices):
    with pytest.raises(InvalidValue):
        office.do(declare_field, name, CustomType(kind), choices=choices)
    assert office.all(CustomField) == []


@pytest.mark.parametrize(
    ("holds", "value", "text"),
    [
        ("text", " x ", "x"),
        ("text", " ", None),
        ("text", 5, None),
        ("integer", 5, "5"),
        ("integer", "-5", "-5"),
        ("integer", "05", None),
        ("integer", True, None),
        ("date", date(2026, 8, 17), "2026-08-17"),
        ("date", "2026-08-17", "2026-08-17"),
        ("date", "2026-02-30", None),
        ("date", "8/17/2026", None),
        ("flag", True, "true"),
        ("flag", "false", "false"),
        ("flag", "yes", None),
        ("money", usd("12.5"), "12.50"),
        ("money", "12.5", "12.50"),
        ("money", Money(5, "EUR"), None),
        ("money", 12.5, None),
        ("money", "a lot", None),
    ],
)
def test_a_custom_value_has_one_text(holds, value, text):
    declared = CustomField(name="f", type=CustomType(holds))
    if text is None:
        with pytest.raises(InvalidValue):
            custom_value(declared, value)
    else:
        assert custom_value(declared, value).value == text


def test_custom_values_are_kept_by_name():
    declared = {n: CustomField(name=n, type=CustomType.TEXT) for n in "ab"}
    one = with_custom(Device(id=DeviceId("1")), {n: custom_value(declared[n], n) for n in "ba"})
    assert [v.name for v in one.custom] == ["a", "b"]
    assert [v.name for v in with_custom(one, {"a": None, "z": None}).custom] == ["b"]
    with pytest.raises(InvalidValue, match="no such choice"):
        custom_value(CustomField(name="f", type=CustomType.TEXT, choices=("x",)), "y")


# --- places --------------------------------------------------------------------------------


def test_a_place_is_found_by_code_then_by_name_below_its_parent(office):
    lhs = next(p for p in office.all(Place) if p.code == "LHS")
    room = office.do(upsert_place, PlaceKind.ROOM, "101", parent_id=lhs.id)
    assert office.do(upsert_place, PlaceKind.ROOM, " 101 ", parent_id=lhs.id) == room
    other = office.do(upsert_place, PlaceKind.ROOM, "101")
    assert other.id != room.id
    renamed = office.do(upsert_place, PlaceKind.SITE, "Lincoln High School", code="LHS")
    assert (renamed.id, renamed.version) == (lhs.id, 2)
    assert [p.id for p in find_places(office.all(Place), "lincoln high  school")] == [lhs.id]
    assert [p.id for p in find_places(office.all(Place), "lhs", kinds=[PlaceKind.ROOM])] == []


def test_a_closed_place_answers_only_when_no_other_does(office):
    old = next(p for p in office.all(Place) if p.code == "LHS")
    office.do(change_place, old.id, {"closed": True, "name": "High", "code": None})
    assert [p.id for p in find_places(office.all(Place), "High")] == [old.id]
    new = office.do(upsert_place, PlaceKind.DEPARTMENT, "High")
    assert [p.id for p in find_places(office.all(Place), "High")] == [new.id]


def test_the_tree_of_places_stays_a_tree(office):
    one = next(p for p in office.all(Place) if p.code == "LHS")
    two = office.do(upsert_place, PlaceKind.BUILDING, "B", parent_id=one.id)
    for parent in (one.id, two.id):
        with pytest.raises(InvalidValue, match="inside itself"):
            office.do(change_place, one.id, {"parent_id": parent})
    with pytest.raises(NotFound):
        office.do(change_place, one.id, {"parent_id": PlaceId("nope")})
    with pytest.raises(DuplicateKey):
        office.do(change_place, one.id, {"code": "CMS"})
    with pytest.raises(InvalidValue):
        office.do(change_place, one.id, {"name": " "})
    with pytest.raises(InvalidValue):
        office.do(change_place, one.id, {"id": "x"})
    assert "id" not in PLACE_FIELDS
    with pytest.raises(InvalidValue):
        office.do(upsert_place, PlaceKind.ROOM, " ")


def test_two_places_of_one_name_must_be_told_apart(office):
    site = next(p for p in office.all(Place) if p.code == "LHS").id
    a = office.do(upsert_place, PlaceKind.ROOM, "A", parent_id=site)
    b = office.do(upsert_place, PlaceKind.ROOM, "B", parent_id=site)
    office.do(change_place, b.id, {"name": "a"})
    with pytest.raises(AmbiguousReference) as caught:
        office.do(upsert_place, PlaceKind.ROOM, "A", parent_id=site)
    assert set(caught.value.candidates) == {a.id, b.id}


# --- people --------------------------------------------------------------------------------


def test_a_person_is_registered_with_a_key_of_their_own(office):
    start = office.seq()
    ann, bo = (
        person(office, local_id="0042", given_name="Ann", email=" Ann@X.example"),
        person(office, local_id="0043"),
    )
    assert (ann.email_key, len(ann.mark_key), ann.mark_key != bo.mark_key) == (
        "ann@x.example",
        32,
        True,
    )
    assert types(office, start) == ["person.registered@1"] * 2
    assert "Ann" not in "".join(e.body for e in office.events())
    with pytest.raises(NotFound):
        person(office, site_id=PlaceId("nope"))


def test_a_link_is_marked_with_the_persons_key(office):
    who = Person(id=PersonId("p1"), kind=PersonKind.STUDENT)
    link = PersonLink(person_id=who.id, source="sis", source_id="0042")
    entry = register_person_entry(office.act(), who, entropy=office.entropy, links=[link])
    assert entry.puts[1].mark_key == entry.puts[0].after.mark_key
    with office.write() as tx:
        tx.record([entry])
    body = office.events()[-1].body
    assert '"source_id":"' in body
    assert "0042" not in body


def test_a_change_names_its_fields_and_no_value(office):
    ann = person(office, given_name="Ann", email="ann@x.example")
    start = office.seq()
    after = office.do(
        change_person, ann.id, {"given_name": "Zsófia", "email": "Z@x.example", "grade": "07"}
    )
    assert (after.email_key, after.version, after.mark_key) == ("z@x.example", 2, ann.mark_key)
    (event,) = office.events(after=start)
    assert '"fields":["given_name","email","grade"]' in event.body
    assert "Zs" not in event.body
    assert office.do(change_person, ann.id, {"grade": "07"}) == after
    for name in ("mark_key", "email_key", "erased_at", "id", "version"):
        assert name not in PERSON_FIELDS
        with pytest.raises(InvalidValue):
            office.do(change_person, ann.id, {name: None})


def test_leaving_is_an_event_of_its_own_and_coming_back_a_change(office):
    ann = person(office, local_id="1")
    start = office.seq()
    left = office.do(leave_person, ann.id, left_on=date(2026, 6, 1))
    assert (left.status, left.left_on) == (PersonStatus.LEFT, date(2026, 6, 1))
    assert office.do(leave_person, ann.id) == left
    back = office.do(change_person, ann.id, {"status": "active"})
    assert (back.status, back.left_on) == (PersonStatus.ACTIVE, None)
    assert types(office, start) == ["person.left@1", "person.changed@1"]


def test_an_erased_person_is_not_changed(office):
    gone = Person(id=PersonId("p"), kind=PersonKind.STUDENT, erased_at=office.at)
    with pytest.raises(InvalidValue, match="erased"):
        change_person_entry(
            office.act(), gone, Person(id=PersonId("p"), kind=PersonKind.STUDENT, grade="1")
        )


def test_guardians(office):
    ann, mum = person(office, local_id="1"), person(office, kind=PersonKind.GUARDIAN)
    made = office.do(link_guardian, ann.id, mum.id, relation="parent")
    start = office.seq()
    assert office.do(link_guardian, ann.id, mum.id, relation="parent") == made
    assert office.seq() == start
    assert office.do(link_guardian, ann.id, mum.id, relation="guardian").version == 2
    with pytest.raises(InvalidValue) as caught:
        office.do(link_guardian, ann.id, mum.id, relation="aunt Zoë Garcia")
    assert "parent" in caught.value.hint
    assert "Garcia" not in f"{caught.value} {caught.value.hint}"
    with pytest.raises(InvalidValue, match="only students"):
        office.do(link_guardian, mum.id, ann.id)
    with pytest.raises(InvalidValue, match="their own"):
        office.do(link_guardian, ann.id, ann.id)
    with pytest.raises(NotFound):
        office.do(link_guardian, ann.id, PersonId("nope"))
    assert len(office.all(Guardianship)) == 1


def test_changed_fields_leave_out_what_follows():
    one = Person(id=PersonId("p"), kind=PersonKind.STUDENT)
    two = Person(
        id=PersonId("p"),
        kind=PersonKind.STUDENT,
        email="a",
        email_key="a",
        mark_key=b"x",
        version=9,
    )
    assert changed_fields(one, two) == ("email",)
