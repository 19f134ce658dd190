"""Holds: the one query for what blocks, its providers, and placing and releasing by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from assetflow.errors import HolderBlocked, InvalidValue, NotFound
from assetflow.model import (
    CustodyPolicy,
    DistrictPolicy,
    Hold,
    Note,
    Person,
    PersonKind,
    usd,
)
from assetflow.model.policy import HOLD_KINDS
from assetflow.store.journal import load_event
from assetflow.workflows import custody, holds

TODAY = date(2026, 8, 17)


@pytest.fixture
def school(world):
    world.person("p-ana", local_id="204881")
    world.person("p-ben")
    world.device("d-1")
    return world


def standing(world, person="p-ana", on=TODAY, **kwargs):
    return [h.id for h in world.ask(holds.holds, person, on, **kwargs)]


def test_a_hold_stands_from_its_day_until_it_is_released(school):
    hold = school.do(holds.place_hold, "204881", kind="manual", since=TODAY)
    assert hold.person_id == "p-ana"
    assert standing(school, on=TODAY - timedelta(days=1)) == []
    assert standing(school) == [hold.id]
    assert standing(school, "p-ben") == []
    with pytest.raises(HolderBlocked):
        school.do(custody.check_out, "d-1", to="204881")
    school.later(hours=1)
    released = school.do(holds.release_hold, hold.id)
    assert released.released_at == school.now
    assert standing(school) == []
    school.do(custody.check_out, "d-1", to="204881")
    types = [
        (e.type, e.subject_id)
        for e in school.ask(lambda tx: list(tx.journal()))
        if e.type.startswith("person.hold")
    ]
    assert types == [("person.hold_placed@1", "p-ana"), ("person.hold_released@1", "p-ana")]
    school.check()


def test_releasing_twice_writes_nothing_the_second_time(school):
    hold = school.do(holds.place_hold, "204881", kind="manual")
    once = school.do(holds.release_hold, hold.id)
    head = school.head()
    assert school.do(holds.release_hold, hold.id) == once
    assert school.head() == head
    with pytest.raises(NotFound):
        school.do(holds.release_hold, "no-such-hold")


def test_a_hold_without_a_day_begins_today_where_the_district_is(school):
    school.now = school.now.replace(day=18, hour=2)  # the 17th in Chicago
    assert school.do(holds.place_hold, "204881", kind="manual").since == TODAY


def test_a_note_goes_into_a_row_of_its_own(school):
    words = "Her mother will bring the signed form"
    hold = school.do(holds.place_hold, "204881", kind="agreement", note=words, amount=usd("20"))
    assert school.get(Note, hold.note_id).text == words
    assert (school.get(Note, hold.note_id).subject_id, hold.amount) == ("p-ana", usd("20"))
    journal = school.ask(lambda tx: [e.body for e in tx.journal()])
    assert not any(words in body for body in journal)
    event, _ = school.ask(lambda tx: load_event(list(tx.journal())[-1]))
    assert (event.hold_id, event.kind) == (hold.id, "agreement")


@pytest.mark.parametrize(
    ("person", "kwargs", "error"),
    [
        ("204881", {"kind": "lost-book"}, InvalidValue),
        ("nobody", {"kind": "manual"}, NotFound),
        (Person(id="gone", kind=PersonKind.STUDENT), {"kind": "manual"}, NotFound),
        ("204881", {"kind": "manual", "note": "x" * 4001}, InvalidValue),
    ],
)
def test_a_hold_that_cannot_be(school, person, kwargs, error):
    head = school.head()
    with pytest.raises(error):
        school.do(holds.place_hold, person, **kwargs)
    assert school.head() == head


def test_the_oldest_comes_first(school):
    for n, days in enumerate([3, 9, 1]):
        since = TODAY - timedelta(days=days)
        school.add(Hold(id=f"h-{n}", person_id="p-ana", kind="balance", since=since))
    assert standing(school) == ["h-1", "h-0", "h-2"]


def test_providers_are_asked_for_the_kinds_that_they_know(school):
    asked = []

    def overdue(tx, person_id, on):
        asked.append((tx.district, person_id, on))
        yield Hold(id="loan-1", person_id=person_id, kind="overdue", since=on)

    providers = (*holds.PROVIDERS, holds.HoldProvider(frozenset({"overdue"}), overdue))
    school.add(Hold(id="h-1", person_id="p-ana", kind="manual", since=date(2026, 1, 1)))
    assert standing(school, providers=providers) == ["h-1", "loan-1"]
    assert asked == [("lincoln", "p-ana", TODAY)]
    assert standing(school, providers=providers, kinds={"manual"}) == ["h-1"]
    assert standing(school, providers=providers, kinds={"overdue"}) == ["loan-1"]
    assert standing(school, providers=providers, kinds=()) == []
    assert len(asked) == 2, "not asked for kinds that it does not know"


@pytest.mark.parametrize("kind", HOLD_KINDS)
def test_each_kind_blocks_where_the_policy_says_so(school, kind):
    school.do(holds.place_hold, "204881", kind=kind)
    school.policy = DistrictPolicy(custody=CustodyPolicy(blocking_holds=()))
    school.ask(custody.explain_check_out, school.act(), "d-1", to="204881").unwrap()
    school.policy = DistrictPolicy(custody=CustodyPolicy(blocking_holds=(kind,)))
    with pytest.raises(HolderBlocked):
        school.do(custody.check_out, "d-1", to="204881")
