"""Erasing a person leaves nothing that names them, anywhere, and books that still verify."""

import pytest

from assetflow.errors import IdentityKeyNeeded, InvalidValue, PersonHoldsDevices
from assetflow.model import (
    Custody,
    F,
    Guardianship,
    Handling,
    Observation,
    Person,
    PersonLink,
    Query,
    RetainedIdentity,
    RunPage,
)
from assetflow.reconcile import DIGEST_SIZE

from .conftest import (  # noqa: TID252  # helpers of this folder
    EMAIL,
    KEYS,
    NUMBER,
    OTHER,
    VALUES,
    everything,
    found_in,
    on_the_disk,
)


def records(district, kind, where=None):
    with district.store.read(district.id) as tx:
        return list(tx.find(Query(kind=kind, where=where)))


def erase(district, **how):
    return district.people.erase(NUMBER, reason="family-request", keys=KEYS, **how)


def sound(district):
    assert district.journal.verify().ok


def test_the_values_are_there_before_and_nowhere_after(district):
    assert found_in(everything(district)) == set(VALUES)
    person = district.people.get(NUMBER)
    erase(district)
    assert found_in(everything(district)) == set()
    sound(district)
    after = district.people.get(person.id)
    assert (after.grade, after.kind) == (person.grade, person.kind)
    assert after.erased_at is not None
    assert after.mark_key is None


def test_nothing_is_left_in_the_file_nor_in_its_log(on_disk, file):
    assert found_in(on_the_disk(file.parent)) == set(VALUES)
    done = erase(on_disk)
    assert "the file lincoln.db" in done.wiped.reached
    assert found_in(on_the_disk(file.parent)) == set()
    sound(on_disk)


def test_who_had_the_device_stays_as_a_pseudonym(district):
    person = district.people.get(NUMBER)
    erase(district)
    (held,) = records(district, Custody, F.accountable_id == person.id)
    assert held.ended_at is not None
    assert records(district, Guardianship) == []
    assert {link.source_id for link in records(district, PersonLink, F.person_id == person.id)} == {
        None
    }


def test_what_names_others_stays(district):
    erase(district)
    other = district.people.get(OTHER)
    assert (other.given_name, other.family_name) == ("Omar", "Bell")
    kept = {o.source_id: o for o in records(district, Observation)}
    assert OTHER in kept["dev-0003"].facts
    assert kept["dev-0003"].raw is not None
    assert kept["dev-0001"].raw is None
    assert kept["dev-0002"].raw is None
    assert '"serial"' in kept["dev-0001"].facts


def test_a_plan_writes_nothing_and_says_all(district):
    before = everything(district)
    plan = district.people.plan_erasure(NUMBER)
    dry = erase(district, dry_run=True)
    assert everything(district) == before
    assert dry.plan == plan
    assert not dry.done
    kinds = {s.kind for s in plan.steps}
    assert kinds >= {
        "actor",
        "custody",
        "guardianship",
        "hold",
        "idempotency",
        "note",
        "observation",
        "outbox",
        "person",
        "person_link",
        "run_item",
        "sighting",
        "staged_record",
    }
    assert found_in(plan.explain().encode()) == set()
    assert found_in(repr(plan).encode()) == set()
    assert plan.at_sources == ("google",)
    assert len(plan.guardians_left) == 1
    assert all(s.source for s in plan.steps)


def test_a_name_that_a_programme_demands_is_sealed(district):
    person = district.people.get(NUMBER)
    with pytest.raises(IdentityKeyNeeded) as refused:
        district.people.erase(NUMBER, reason="family-request")
    assert found_in(repr(refused.value.as_dict()).encode()) == set()
    assert district.people.get(NUMBER) == person
    plan = erase(district).plan
    (demand,) = plan.demands
    assert (demand.programme.value, demand.keep_until.isoformat()) == ("ecf", "2032-09-01")
    (kept,) = records(district, RetainedIdentity)
    assert (kept.person_id, kept.keep_until) == (person.id, demand.keep_until)


def test_who_holds_a_device_is_not_erased(district):
    district.custody.check_out("LHS-0002", to=NUMBER)
    with pytest.raises(PersonHoldsDevices) as refused:
        erase(district)
    assert refused.value.rule == "retention.erase-while-holding"
    assert district.people.get(NUMBER).erased_at is None
    erase(district, while_holding=True)
    assert found_in(everything(district)) == set()
    sound(district)


def test_the_policy_may_allow_it(district):
    district.custody.check_out("LHS-0002", to=NUMBER)
    district.policy.adopt("[retention]\nerase_while_holding = true\nseal_ecf_names = false\n")
    district.people.erase(NUMBER, reason="family-request")
    assert records(district, RetainedIdentity) == []
    assert found_in(everything(district)) == set()


def test_erased_again_nothing_is_written(district):
    person = district.people.get(NUMBER)
    erase(district)
    before = district.journal.head()
    again = district.people.erase(person.id, reason="family-request")
    assert district.journal.head() == before
    assert again.plan.count(Handling.EMPTIED) == 0


def test_an_erased_person_is_not_changed(district):
    person = district.people.get(NUMBER)
    erase(district)
    with pytest.raises(InvalidValue):
        district.people.change(person.id, given_name="Zoe")


def test_a_namesake_keeps_what_names_both(district):
    district.people.register(
        "student", given_name="Zoelle", family_name="Quixworth", local_id="99999"
    )
    plan = district.people.plan_erasure(NUMBER)
    assert plan.shared_name
    erase(district)
    assert district.people.get("99999").family_name == "Quixworth"
    assert EMAIL.encode() not in everything(district)


def test_a_name_in_the_journal_is_told(district):
    district.devices.edit("LHS-0002", asset_tag=f"TAG-{NUMBER}")
    (step,) = district.people.plan_erasure(NUMBER).left
    assert (step.kind, step.left) == ("device", ("asset_tag",))


def test_the_person_is_a_pseudonym_in_listings(district):
    person = district.people.get(NUMBER)
    erase(district)
    assert district.people.get(person.id).display_name == person.id
    assert not [p for p in records(district, Person) if p.email == EMAIL]


def test_no_page_of_a_pull_keeps_a_digest_of_what_was_taken_out(district):
    """A digest over a name can be tried with guesses."""
    before = {o.source_id: o.digest for o in records(district, Observation)}
    erase(district)
    after = {o.source_id: o.digest for o in records(district, Observation)}
    gone = {mark for i, mark in before.items() if after.get(i) != mark}
    kept = set(before.values()) - gone
    marks = b"".join(p.marks for p in records(district, RunPage))
    cut = {marks[i : i + DIGEST_SIZE] for i in range(0, len(marks), DIGEST_SIZE)}
    assert gone
    assert kept <= cut
    assert not gone & cut
