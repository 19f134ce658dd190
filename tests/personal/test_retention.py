"""What is kept is kept until its day, and then it is gone, from the file as well."""

import pickle
from datetime import date, timedelta

import pytest
from attrs import evolve

import assetflow.testing.stores  # noqa: F401  # first of the suite: pytest rewrites its asserts
from assetflow.errors import IdentityKeyNeeded, InvalidValue
from assetflow.model import (
    Device,
    F,
    FundingShare,
    Note,
    Programme,
    Query,
    Remembered,
    RetainedIdentity,
    RetentionPolicy,
    Run,
    RunItem,
    StagedRecord,
)
from assetflow.rules.retention import demands, years_later
from assetflow.store.sql import SqlStore
from assetflow.testing._store.tools import custody
from assetflow.workflows.personal.sealing import IdentityKey, IdentityKeys, open_name, seal_name

from .conftest import (  # noqa: TID252  # helpers of this folder
    FAMILY,
    GIVEN,
    KEYS,
    NOW,
    NUMBER,
    VALUES,
    everything,
    found_in,
    on_the_disk,
)

NAME = f"{GIVEN} {FAMILY}"
LAST_DAY = date(2032, 9, 1)
OTHER_KEY = IdentityKey(b"\x07" * 32)


def count(district, kind, where=None):
    with district.store.read(district.id) as tx:
        return tx.count(Query(kind=kind, where=where))


def erased(district):
    person_id = district.people.get(NUMBER).id
    district.people.erase(NUMBER, reason="left", keys=KEYS, wipe=False)
    return person_id


# --- sealed names --------------------------------------------------------------------------


def test_a_name_is_withheld_without_its_key(district):
    person_id = erased(district)
    (closed,) = district.retention.identities()
    (opened,) = district.retention.identities(keys=KEYS)
    (wrong,) = district.retention.identities(keys=IdentityKeys((OTHER_KEY,)))
    assert (closed.name, wrong.name, opened.name) == ("withheld", "withheld", NAME)
    assert (opened.person_id, opened.keep_until) == (person_id, LAST_DAY)
    assert NAME not in repr(opened)


def test_nothing_goes_before_its_day_nor_in_a_dry_run(district):
    erased(district)
    assert district.retention.run(on=LAST_DAY).count == 0
    after = LAST_DAY + timedelta(days=1)
    dry = district.retention.run(on=after)
    assert [(e.kind, e.count) for e in dry.expired] == [("retained_identity", 1)]
    assert not dry.done
    assert district.retention.identities(keys=KEYS)[0].name == NAME


def test_at_expiry_the_name_is_gone_from_the_file(on_disk, file):
    erased(on_disk)
    with on_disk.store.read(on_disk.id) as tx:
        (kept,) = tx.find(Query(kind=RetainedIdentity))
    sealed = kept.sealed
    on_disk.retention.wipe()
    assert sealed in on_the_disk(file.parent)
    assert found_in(on_the_disk(file.parent)) == set()
    run = on_disk.retention.run(on=LAST_DAY + timedelta(days=1), dry_run=False)
    assert run.done
    assert run.wiped.reached
    data = on_the_disk(file.parent)
    assert sealed not in data
    assert found_in(data) == set()
    assert on_disk.journal.verify().ok
    assert on_disk.retention.identities(keys=KEYS) == []


def test_a_reader_in_the_way_is_told(on_disk, file):
    with on_disk.store.read(on_disk.id) as tx:
        tx.head()
        on_disk.people.leave(NUMBER)
        hasty = SqlStore.open(f"sqlite:///{file}", lock_timeout=0.2)
        wiped = hasty.wipe_removed()
        hasty.close()
    assert wiped.reached == ()
    assert "somebody is reading" in wiped.not_reached[0]
    assert on_disk.retention.wipe().reached == ("the file lincoln.db", "the log lincoln.db-wal")


def test_keys_are_rotated(district):
    erased(district)
    both = IdentityKeys((OTHER_KEY, *KEYS.keys))
    with pytest.raises(IdentityKeyNeeded):
        district.retention.rotate(IdentityKeys((OTHER_KEY,)))
    assert district.retention.rotate(both) == 1
    assert district.retention.rotate(both) == 0
    assert district.retention.identities(keys=KEYS)[0].name == "withheld"
    assert district.retention.identities(keys=IdentityKeys((OTHER_KEY,)))[0].name == NAME
    assert district.journal.verify().ok


def test_ciphertext_is_bound_to_its_row():
    key = KEYS.newest
    where = {"district": "d", "person_id": "p1", "programme": "ecf"}
    sealed = seal_name(key, NAME, **where, entropy=lambda n: b"n" * n)
    kept = RetainedIdentity(
        person_id="p1", programme="ecf", keep_until=LAST_DAY, key_id=key.id, sealed=sealed
    )
    assert open_name(KEYS, kept, district="d") == NAME
    for wrong, district in (
        (evolve(kept, person_id="p2"), "d"),
        (evolve(kept, programme="e-rate"), "d"),
        (kept, "e"),
        (evolve(kept, sealed=sealed[:-1] + b"x"), "d"),
        (evolve(kept, sealed=b""), "d"),
    ):
        with pytest.raises(IdentityKeyNeeded):
            open_name(KEYS, wrong, district=district)
    lengths = {
        len(seal_name(key, "x" * n, **where, entropy=lambda n: b"n" * n)) for n in range(1, 65)
    }
    assert len(lengths) == 1


def test_a_key_never_shows_and_is_read_from_text_file_and_environment(tmp_path):
    key = IdentityKey.new(entropy=lambda n: b"s" * n)
    text = key.to_text()
    assert "ssss" not in repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)
    path = tmp_path / "keys"
    path.write_text(f"# the newest first\n{text}\n\n{OTHER_KEY.to_text()}\n")
    keys = IdentityKeys.from_file(path)
    assert keys.keys == (key, OTHER_KEY)
    assert IdentityKeys.from_env(environ={"ASSETFLOW_IDENTITY_KEYS": text}).newest == key
    assert IdentityKeys.from_env(environ={}) is None
    assert IdentityKeys.from_callable(lambda: text).get(key.id) == key
    for wrong in ("", "# none", text[:-4], "nonsense"):
        with pytest.raises(InvalidValue) as refused:
            IdentityKeys.from_text(wrong)
        assert text[-20:] not in str(refused.value)
    with pytest.raises(InvalidValue):
        IdentityKeys.from_file(tmp_path / "absent")


def test_a_name_whose_time_is_over_needs_attention(district):
    person_id = erased(district)
    assert district.attention(on=LAST_DAY, kinds=["identity-expired"]) == []
    (item,) = district.attention(on=LAST_DAY + timedelta(days=3), kinds=["identity-expired"])
    assert (item.subject_id, item.age_days) == (person_id, 3)
    assert item.command == "assetflow retention run --apply"


# --- what the policy says ------------------------------------------------------------------


def test_old_notes_runs_and_keys_go(district):
    district.policy.adopt("[retention]\nnotes_years = 1\nruns_days = 30\nkeys_days = 30\n")
    # a run that never ended has no end to count from
    assert (count(district, Run), count(district, StagedRecord)) == (2, 1)
    late = NOW.date() + timedelta(days=400)
    run = district.retention.run(on=late, dry_run=False)
    gone = {e.kind: e.count for e in run.expired}
    assert gone == {"note": 4, "run": 1, "import_batch": 2, "idempotency": 1}
    assert (count(district, Note), count(district, Remembered)) == (0, 0)
    assert count(district, Run) == 1
    assert count(district, RunItem, F.run_id != "run-x") == 0
    assert district.journal.verify().ok


def test_people_who_left_long_ago_fall_due(district):
    district.policy.adopt("[retention]\npeople_years = 5\n")
    person = district.people.leave(NUMBER, left_on=date(2026, 6, 10))
    district.people.leave("300001", left_on=date(2026, 6, 10))
    assert district.retention.run(on=date(2031, 6, 10)).expired == ()
    due = date(2031, 6, 11)
    (expected,) = district.retention.run(on=due).expired
    assert (expected.kind, expected.count, expected.rule) == ("person", 2, "retention.people_years")
    run = district.retention.run(on=due, dry_run=False, keys=KEYS)
    assert run.erased == (person.id,)
    assert [code for _, code in run.not_erased] == ["person-holds-devices"]
    assert found_in(everything(district)) == set()


def test_without_a_policy_nothing_expires(district):
    assert district.retention.expiring(on=date(2126, 1, 1)) == ()
    assert found_in(everything(district)) == set(VALUES)


# --- what programmes demand ----------------------------------------------------------------


def share(programme, **fields):
    return FundingShare(
        id="s1",
        device_id="d1",
        fund="f",
        basis_points=10_000,
        starts_on=date(2022, 1, 1),
        programme=programme,
        **fields,
    )


@pytest.mark.parametrize(
    ("device", "shares", "expected"),
    [
        ({}, [share(Programme.NONE)], []),
        ({}, [share(Programme.ECF)], [("ecf", date(2036, 8, 17), True)]),
        ({"acquired_on": date(2022, 9, 1)}, [share(Programme.ECF)], [("ecf", LAST_DAY, True)]),
        ({}, [share(Programme.E_RATE)], [("e-rate", date(2036, 8, 17), False)]),
        ({}, [share(Programme.FEDERAL)], [("federal", None, False)]),
        ({}, [share(Programme.ECF, ends_on=date(2023, 1, 1))], []),
        (
            {"acquired_on": date(2024, 2, 29)},
            [share(Programme.ECF)],
            [("ecf", date(2034, 2, 28), True)],
        ),
    ],
)
def test_what_a_programme_demands(device, shares, expected):
    held = custody(ended_at=NOW.replace(month=8, day=17))
    found = demands(
        [(held, Device(id="d1", **device), shares)], RetentionPolicy(), on=date(2027, 1, 1)
    )
    assert [(d.programme.value, d.keep_until, d.name) for d in found] == expected


def test_a_custody_that_lasts_is_counted_from_today():
    found = demands(
        [(custody(), Device(id="d1"), [share(Programme.ECF)])],
        RetentionPolicy(),
        on=date(2027, 1, 1),
    )
    assert found[0].keep_until == date(2037, 1, 1)


def test_years_end_where_the_calendar_does():
    assert years_later(date(9998, 1, 1), 100) == date(9999, 1, 1)
    assert years_later(date(5, 1, 1), -100) == date(1, 1, 1)
