"""Which record is meant: exact first, then folded; several and none are typed errors."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.errors import AmbiguousReference, InvalidValue, NotFound
from assetflow.model import (
    Device,
    Holder,
    HolderKind,
    Lifecycle,
    Person,
    PersonKind,
    Place,
    PlaceKind,
    uuid7,
)
from assetflow.workflows.references import (
    find_device,
    find_person,
    find_place,
    resolve_device,
    resolve_holder,
    resolve_person,
    resolve_place,
)


@pytest.fixture
def school(world):
    world.device("d-1", asset_tag="LHS-004217", serial="5CD1234O8Z")
    world.device("d-2", asset_tag="0012", serial="0012A")
    world.device("d-3", asset_tag=None, serial="NXHPVAA001")
    world.person("p-ana", local_id="00204881", email="Ana.Diaz@Lincoln.example", given_name="Ana")
    world.person("p-kim", local_id="77", kind=PersonKind.STAFF, email="kim@lincoln.example")
    world.place("LHS", name="Lincoln High School")
    world.place("JMS", name="Jefferson Middle School")
    return world


DEVICES = [
    ("d-1", "d-1"),
    ("LHS-004217", "d-1"),
    ("5CD1234O8Z", "d-1"),
    ("lhs-004217", "d-1"),
    ("5cd1234o8z", "d-1"),
    ("  LHS-004217\r\n", "d-1"),
    ("0012", "d-2"),
    ("0012A", "d-2"),
    ("nxhpvaa001", "d-3"),
]


@pytest.mark.parametrize(("text", "device"), DEVICES)
def test_a_device_by_id_tag_and_serial(school, text, device):
    assert school.ask(resolve_device, text) == device
    assert school.ask(find_device, text).id == device


def test_a_value_stands_for_itself_without_being_read(school):
    assert school.ask(resolve_device, Device(id="elsewhere")) == "elsewhere"
    assert school.ask(resolve_person, Person(id="p", kind=PersonKind.STAFF)) == "p"
    assert school.ask(resolve_place, Place(id="q", kind=PlaceKind.SITE, name="x")) == "q"
    for find, value in (
        (find_device, Device(id="elsewhere")),
        (find_person, Person(id="p", kind=PersonKind.STAFF)),
        (find_place, Place(id="q", kind=PlaceKind.SITE, name="x")),
    ):
        with pytest.raises(NotFound):
            school.ask(find, value)


def test_an_id_as_the_library_makes_them(school):
    device_id = uuid7(school.now, b"0123456789")
    school.device(device_id, asset_tag="T-9", serial="S-9")
    assert school.ask(resolve_device, device_id) == device_id
    other = uuid7(school.now, b"9876543210")
    with pytest.raises(NotFound):
        school.ask(resolve_device, other)
    school.device("d-8", asset_tag=other, serial="S-8")
    assert school.ask(resolve_device, other) == "d-8"


@pytest.mark.parametrize("text", ["12", "12A", "LHS-4217", "LHS 004217", "nobody's", "%", "d-"])
def test_no_zero_is_added_and_no_part_is_matched(school, text):
    with pytest.raises(NotFound) as caught:
        school.ask(resolve_device, text)
    assert caught.value.context["near"] == ()


def test_a_serial_that_looks_alike_is_a_suggestion_and_never_a_match(school):
    with pytest.raises(NotFound) as caught:
        school.ask(resolve_device, "5CD1234082")
    assert caught.value.context["near"] == ("d-1",)
    assert "LHS-004217 (serial 5CD1234O8Z, id d-1)" in caught.value.hint


def test_exact_comes_before_folded(school):
    school.device("d-8", asset_tag="abc", serial="S8")
    school.device("d-9", asset_tag="ABC", serial="S9")
    assert school.ask(resolve_device, "abc") == "d-8"
    assert school.ask(resolve_device, "ABC") == "d-9"
    with pytest.raises(AmbiguousReference) as caught:
        school.ask(resolve_device, "Abc")
    assert caught.value.candidates == ("d-8", "d-9")
    assert "abc (serial S8, id d-8)" in caught.value.hint


def test_one_device_s_tag_that_is_another_s_serial_is_ambiguous(school):
    school.device("d-8", asset_tag="NXHPVAA001", serial="S8")
    with pytest.raises(AmbiguousReference) as caught:
        school.ask(resolve_device, "NXHPVAA001")
    assert set(caught.value.candidates) == {"d-3", "d-8"}


def test_a_disposed_device_steps_back_and_is_found_when_it_is_alone(school):
    school.device("d-old", asset_tag="T-1", serial="OLD", lifecycle=Lifecycle.DISPOSED)
    assert school.ask(resolve_device, "T-1") == "d-old"
    school.device("d-new", asset_tag="T-1", serial="NEW")
    assert school.ask(resolve_device, "T-1") == "d-new"
    school.device("d-ret", asset_tag="T-1", serial="RET", lifecycle=Lifecycle.RETIRED)
    with pytest.raises(AmbiguousReference) as caught:
        school.ask(resolve_device, "T-1")
    assert caught.value.candidates == ("d-new", "d-ret")


def test_many_candidates_are_cut_to_ten(school):
    for n in range(14):
        school.device(f"x-{n:02}", asset_tag="N/A", serial=f"Q{n}")
    with pytest.raises(AmbiguousReference) as caught:
        school.ask(resolve_device, "n/a")
    assert len(caught.value.candidates) == 10
    assert caught.value.context["count"] == 14
    assert caught.value.hint.endswith("and 9 more.")


@pytest.mark.parametrize(
    ("text", "person"),
    [
        ("p-ana", "p-ana"),
        ("00204881", "p-ana"),
        ("ana.diaz@LINCOLN.example ", "p-ana"),
        ("Ana.Diaz@Lincoln.example", "p-ana"),
        ("77", "p-kim"),
    ],
)
def test_a_person_by_id_number_and_address(school, text, person):
    assert school.ask(resolve_person, text) == person
    assert school.ask(find_person, text).id == person
    assert school.ask(resolve_holder, text) == Holder(HolderKind.PERSON, person)


def test_a_number_whose_zeros_were_lost_is_a_hint_and_no_match(school):
    for text in ("204881", "0204881"):
        for resolve in (resolve_person, resolve_holder):
            with pytest.raises(NotFound) as caught:
                school.ask(resolve, text)
            assert "p-ana" in caught.value.hint
    with pytest.raises(NotFound) as caught:
        school.ask(resolve_person, "00077")
    assert "p-kim" in caught.value.hint


def test_two_people_with_one_number_are_listed_by_id_alone(school):
    school.person("p-two", local_id="77", given_name="Kim", family_name="Okafor")
    with pytest.raises(AmbiguousReference) as caught:
        school.ask(resolve_person, "77")
    assert caught.value.candidates == ("p-kim", "p-two")
    assert "Okafor" not in json.dumps(caught.value.as_dict())


@pytest.mark.parametrize("text", ["Ana", "Diaz", "ana.diaz", "kim@", "@lincoln.example", "x"])
def test_nobody_is_found_by_a_name_or_a_part(school, text):
    with pytest.raises(NotFound):
        school.ask(resolve_person, text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("LHS", "place-lhs"),
        ("place-lhs", "place-lhs"),
        ("lhs", "place-lhs"),
        ("Lincoln High School", "place-lhs"),
        ("  lincoln   HIGH school ", "place-lhs"),
        ("jms", "place-jms"),
    ],
)
def test_a_place_by_id_code_and_name(school, text, place):
    assert school.ask(resolve_place, text) == place
    assert school.ask(find_place, text).id == place


def test_a_room_number_that_two_schools_have_is_ambiguous(school):
    for site in ("lhs", "jms"):
        school.place(f"{site}-101", name="Room 101", kind=PlaceKind.ROOM, parent_id=f"place-{site}")
    for text in ("Room 101", "room 101"):
        with pytest.raises(AmbiguousReference) as caught:
            school.ask(resolve_place, text)
        assert set(caught.value.candidates) == {"place-lhs-101", "place-jms-101"}
    with pytest.raises(NotFound):
        school.ask(resolve_place, "Room 102")


def test_a_holder_may_be_a_place_and_a_text_that_fits_both_is_ambiguous(school):
    assert school.ask(resolve_holder, "LHS") == Holder(HolderKind.PLACE, "place-lhs")
    school.place("77", kind=PlaceKind.ROOM)
    with pytest.raises(AmbiguousReference) as caught:
        school.ask(resolve_holder, "77")
    assert caught.value.candidates == ("p-kim", "place-77")
    with pytest.raises(NotFound):
        school.ask(resolve_holder, "Lincoln High School")  # a name is no way to hand over a device


RESOLVERS = [resolve_device, resolve_person, resolve_place, resolve_holder]
HOSTILE = [
    "",
    "   ",
    "\r\n",
    "LHS-1\tLHS-2",
    "LHS-1\nLHS-2",
    "LHS\x00",
    "\x1b[31mred",
    "a\u202eb",
    "\ud800",
    "x" * 256,
    "x" * 10_000_000,
    None,
    17,
    17.0,
    b"LHS",
    ["LHS"],
]


@pytest.mark.parametrize("resolve", RESOLVERS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("text", HOSTILE, ids=lambda t: repr(t)[:20] + str(len(str(t))))
def test_what_cannot_be_a_reference_is_refused_at_the_door(school, resolve, text):
    with pytest.raises(InvalidValue) as caught:
        school.ask(resolve, text)
    assert len(str(caught.value)) < 200


@given(st.text(max_size=40))
def test_any_text_is_found_or_a_typed_error_that_does_not_repeat_it(shared, text):
    for resolve in RESOLVERS:
        try:
            shared.ask(resolve, text)
        except (NotFound, InvalidValue, AmbiguousReference) as error:
            shown = error
        else:
            continue
        if len(text.strip()) > 6:
            assert_absent(text.strip(), shown)


def assert_absent(text, error):
    assert text not in error.message
    assert text not in error.hint


@pytest.fixture(scope="module")
def shared(worlds):
    """One world for a property that writes nothing."""
    world = worlds()
    world.device("d-1")
    world.person("p-ana")
    world.place("LHS")
    return world
