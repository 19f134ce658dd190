"""The books are checked: the chain, the tables against it, and every derived field."""

from __future__ import annotations

from datetime import date

import attrs
import pytest

from assetflow.errors import JournalBroken
from assetflow.model import (
    Custody,
    CustodyKind,
    CustodyState,
    Device,
    DeviceModel,
    FundingShare,
    FundingState,
    HolderKind,
    Lifecycle,
    OpenCustody,
    Person,
    Programme,
)
from assetflow.rules.derived import custody_state, funding_state, with_model
from assetflow.workflows import custody
from assetflow.workflows.verify import check_derived, verify


@pytest.fixture
def school(world):
    return furnished(world)


def furnished(world):
    world.person("p-ana", local_id="204881", email="Ana@Lincoln.example")
    model = world.model("HP Chromebook 11", manufacturer="HP")
    world.device("d-1", of=model)
    world.device("d-2")
    world.do(custody.check_out, "d-1", to="p-ana")
    return world


def derived(world):
    return {(d.kind, d.id, d.field): (d.stored, d.computed) for d in world.ask(check_derived)}


def test_books_in_order(school):
    found = school.ask(verify)
    assert found.ok
    assert found.journal.head == school.head()
    assert found.journal.events == school.head().seq
    assert school.ask(verify, since=school.head()).journal.events == 0


WRONG = [
    ({"tag_key": "OTHER"}, "tag_key", ("OTHER", "LHS-D-9")),
    ({"serial_key": None}, "serial_key", (None, "5ND-9")),
    ({"model": "A name"}, "model", ("A name", None)),
    ({"manufacturer": "Acme"}, "manufacturer", ("Acme", None)),
    ({"custody": CustodyState.LOANED}, "custody", ("loaned", "none")),
    ({"funding": FundingState.RESTRICTED}, "funding", ("restricted", "unknown")),
]


@pytest.mark.parametrize(("fields", "name", "values"), WRONG, ids=[name for _, name, _ in WRONG])
def test_a_wrong_derived_field_is_named_with_what_it_should_be(school, fields, name, values):
    right = school.device("d-tmp", asset_tag="LHS-d-9", serial="snd-9")
    school.add(attrs.evolve(right, id="d-9", **fields))
    assert derived(school) == {("device", "d-9", name): values}
    assert not school.ask(verify).ok


def test_a_custody_without_its_row_and_a_row_without_its_custody(school):
    stay = Custody(
        id="c-9",
        device_id="d-2",
        kind=CustodyKind.ASSIGNMENT,
        accountable_kind=HolderKind.PERSON,
        accountable_id="p-ana",
        holder_kind=HolderKind.PERSON,
        holder_id="p-ana",
        since=school.now,
    )
    school.add(stay)
    assert derived(school) == {
        ("custody_open", "d-2", "custody_id"): (None, "c-9"),
        ("device", "d-2", "custody"): ("none", "assigned"),
    }


def test_a_row_whose_custody_has_ended(school):
    ended = Custody(
        id="c-9",
        device_id="d-2",
        kind=CustodyKind.LOAN,
        accountable_kind=HolderKind.PERSON,
        accountable_id="p-ana",
        holder_kind=HolderKind.PERSON,
        holder_id="p-ana",
        since=school.now,
        ended_at=school.now,
    )
    school.add(ended, OpenCustody(device_id="d-2", custody_id="c-9", accountable_id="p-ana"))
    assert derived(school) == {("custody_open", "d-2", "custody_id"): ("c-9", None)}


def test_funding_that_no_device_tells_of(school):
    share = {"basis_points": 10_000, "starts_on": date(2026, 7, 1), "fund": "281"}
    school.add(FundingShare(id="s-1", device_id="d-2", programme=Programme.ECF, **share))
    assert derived(school) == {("device", "d-2", "funding"): ("unknown", "restricted")}


@pytest.mark.parametrize("kind", [None, *CustodyKind])
@pytest.mark.parametrize(
    "programmes",
    [(), (Programme.NONE,), (Programme.NONE, Programme.ECF), (Programme.E_RATE,), (None, "ended")],
    ids=str,
)
def test_what_the_rules_derive_is_what_the_check_computes(school, kind, programmes):
    device = Device(id="d-9", asset_tag=" lhs-o1", serial="5cdO1", lifecycle=Lifecycle.DEPLOYED)
    stay = None
    if kind is not None:
        stay = Custody(
            id="c-9",
            device_id="d-9",
            kind=kind,
            accountable_kind=HolderKind.PERSON,
            accountable_id="p-ana",
            holder_kind=HolderKind.PERSON,
            holder_id="p-ana",
            since=school.now,
        )
    shares = [
        FundingShare(
            id=f"s-{n}",
            device_id="d-9",
            fund="1",
            basis_points=1,
            starts_on=date(2026, 7, 1),
            ends_on=date(2026, 8, 1) if programme in (None, "ended") else None,
            programme=Programme.FEDERAL if programme in (None, "ended") else programme,
        )
        for n, programme in enumerate(programmes)
    ]
    model = school.get(DeviceModel, "hp chromebook 11")
    device = attrs.evolve(
        with_model(device, model), custody=custody_state(stay), funding=funding_state(shares)
    )
    school.add(device, *shares)
    if stay is not None:
        school.add(stay, OpenCustody(device_id="d-9", custody_id="c-9", accountable_id="p-ana"))
    assert derived(school) == {}


def test_a_personal_field_is_named_without_its_value(school):
    ana = school.get(Person, "p-ana")
    school.add(
        attrs.evolve(ana, id="p-two", email_key="ben@x.example"),
        attrs.evolve(ana, id="p-three", email=None),
        attrs.evolve(ana, id="p-four", email_key=None),
    )
    found = school.ask(check_derived)
    assert [(d.kind, d.id, d.field) for d in found] == [
        ("person", "p-four", "email_key"),
        ("person", "p-three", "email_key"),
        ("person", "p-two", "email_key"),
    ]
    assert {(d.stored, d.computed) for d in found} == {(None, None)}


def test_no_more_than_asked_for(school):
    for n in range(20):
        school.device(f"x-{n}", tag_key="wrong", of=None)
        school.add(attrs.evolve(school.device(f"y-{n}"), id=f"z-{n}", tag_key="wrong"))
    assert len(school.ask(check_derived, limit=7)) == 7
    assert len(school.ask(check_derived)) == 20


def test_a_broken_chain_is_raised_before_anything_is_compared(worlds):
    school = furnished(worlds())
    events = school.store._states["lincoln"].events
    events[1] = attrs.evolve(events[1], body=events[1].body.replace("p-ana", "p-eve"))
    with pytest.raises(JournalBroken):
        school.ask(verify)


def test_a_table_that_is_not_what_the_journal_says(worlds):
    school = furnished(worlds())
    table = school.store._states["lincoln"].tables["device"]
    ((key, device), *_) = table.rows.items()
    table.rows[key] = attrs.evolve(device, asset_tag="SWAPPED", tag_key="SWAPPED")
    found = school.ask(verify)
    assert [(d.kind, d.column, d.stored) for d in found.replayed] == [
        ("device", "asset_tag", "SWAPPED")
    ]
    assert found.derived == ()
