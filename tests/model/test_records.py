import re
from datetime import date
from typing import get_type_hints

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.model import (
    EVENT_TYPES,
    INTENT_TYPES,
    RECORDS,
    Custody,
    CustodyKind,
    Device,
    ExtendedUpdates,
    Holder,
    HolderKind,
    Person,
    PersonKind,
    Role,
    fold_serial,
    fold_tag,
)
from assetflow.model.fields import role_of
from assetflow.testing.strategies import record

NAME = "canary-zoe"
ALIKE = "O0I1S5B8Z2"


@given(st.text())
def test_folding_twice_is_folding_once(text):
    assert fold_serial(fold_serial(text)) == fold_serial(text)
    assert fold_tag(fold_tag(text)) == fold_tag(text)


@given(st.text(st.sampled_from(ALIKE + "X7 "), max_size=12), st.randoms(use_true_random=False))
def test_serials_that_look_alike_fold_alike(serial, random):
    swap = {a: b for pair in ("O0", "I1", "S5", "B8", "Z2") for a, b in (pair, pair[::-1])}
    misread = "".join(swap[c] if c in swap and random.random() < 0.5 else c for c in serial)
    assert fold_serial(misread) == fold_serial(serial)
    assert fold_serial(serial.lower()) == fold_serial(serial)


@given(st.text(st.sampled_from("0123456789ACDEFGHJKL"), min_size=1), st.data())
def test_serials_that_differ_otherwise_fold_apart(serial, data):
    other = data.draw(st.text(st.sampled_from("0123456789ACDEFGHJKL"), min_size=1))
    assert (fold_serial(serial) == fold_serial(other)) == (serial == other)


@pytest.mark.parametrize(
    ("given_tag", "folded"), [(" lhs-1 ", "LHS-1"), ("", None), ("  ", None), (None, None)]
)
def test_tags_are_folded_for_look_up(given_tag, folded):
    assert fold_tag(given_tag) == folded


def test_updates_end_later_only_after_the_opt_in():
    device = Device(
        id="d1", auto_update_ends=date(2027, 6, 1), auto_update_ends_extended=date(2031, 6, 1)
    )
    assert device.updates_end == date(2027, 6, 1)
    for state in ExtendedUpdates:
        later = attrs.evolve(device, extended_updates=state).updates_end
        assert later == date(2031 if state is ExtendedUpdates.OPTED_IN else 2027, 6, 1)
    opted_in = Device(id="d1", extended_updates=ExtendedUpdates.OPTED_IN)
    assert opted_in.updates_end is None
    assert attrs.evolve(opted_in, auto_update_ends=date(2027, 6, 1)).updates_end == date(2027, 6, 1)


def test_a_device_is_called_by_tag_serial_or_id():
    assert Device(id="d1", asset_tag="T", serial="S").label == "T"
    assert Device(id="d1", serial="S").label == "S"
    assert Device(id="d1").label == "d1"


def test_a_person_is_called_by_the_name_that_they_go_by():
    zoe = Person(id="p1", kind=PersonKind.STUDENT, given_name="Zoltana", family_name="Garcia")
    assert zoe.display_name == "Zoltana Garcia"
    assert attrs.evolve(zoe, preferred_name="Zoe").display_name == "Zoe Garcia"
    assert Person(id="p1", kind=PersonKind.STUDENT).display_name == "p1"


@given(record(Custody))
def test_custody_names_both_parties(held):
    assert held.accountable == Holder(held.accountable_kind, held.accountable_id)
    assert held.holder == Holder(held.holder_kind, held.holder_id)
    assert isinstance(held.kind, CustodyKind)
    assert isinstance(held.holder.kind, HolderKind)


SECRET = {("webhook", "url")}  # its path may hold a token


@pytest.mark.parametrize("cls", RECORDS, ids=lambda c: c.KIND)
def test_a_record_states_a_role_for_every_field_and_hides_what_is_personal(cls):
    hints = get_type_hints(cls, include_extras=True)
    for attribute in attrs.fields(cls):
        role = role_of(hints[attribute.name])
        assert role is not None
        hidden = role is Role.PERSONAL or (cls.KIND, attribute.name) in SECRET
        assert attribute.repr is not hidden


@pytest.mark.parametrize("cls", RECORDS, ids=lambda c: c.KIND)
def test_a_record_is_frozen_and_can_be_a_key(cls):
    @given(record(cls))
    def check(value):
        assert hash(value) == hash(attrs.evolve(value))
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, attrs.fields(cls)[0].name, None)

    check()


def test_a_repr_shows_no_name():
    person = Person(id="p1", kind=PersonKind.STUDENT, given_name=NAME, email=NAME, homeroom=NAME)
    assert NAME not in repr(person)


def test_roles_are_read_from_annotations_only():
    assert role_of(str) is None
    assert role_of(get_type_hints(Person, include_extras=True)["email"]) is Role.PERSONAL


@pytest.mark.parametrize("kind", [*EVENT_TYPES.values(), *INTENT_TYPES.values()])
def test_events_and_intents_are_named_and_belong_to_a_kind(kind):
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+@[1-9]\d*", kind.TYPE)
    assert kind.SUBJECT in {r.KIND for r in RECORDS}
    assert kind.__doc__


@pytest.mark.parametrize("kind", EVENT_TYPES.values())
def test_events_hold_no_field_that_is_personal_in_a_record(kind):
    personal = {
        name
        for cls in RECORDS
        for name, hint in get_type_hints(cls, include_extras=True).items()
        if role_of(hint) is Role.PERSONAL
    } - {"source_id", "text"}
    assert {a.name for a in attrs.fields(kind)}.isdisjoint(personal)
