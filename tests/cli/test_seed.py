"""The made-up district: the same at every call, consistent, and nobody real in it."""

import csv
import io
import subprocess
import sys
import zipfile
from collections import Counter
from datetime import date
from hashlib import sha256

import pytest

from assetflow.testing.seed import seed_district
from assetflow.testing.seed_files import (
    INVENTORY_REJECTS,
    google_devices,
    google_org_units,
    google_users,
    inventory_csv,
    roster_zip,
)
from assetflow.testing.seed_values import school_year_begins


@pytest.fixture(scope="module")
def district():
    return seed_district()


def test_it_has_the_size_that_it_promises(district):
    assert len(district.devices) == 1_200
    assert len(district.people) == 1_000
    assert len(district.sites) == 5
    assert len({d.serial for d in district.devices}) == 1_200
    assert len({p.local_id for p in district.people}) == 1_000
    emails = [p.email for p in district.people if p.email]
    assert len(set(emails)) == len(emails)


def test_the_same_seed_gives_the_same_bytes_in_another_process(district):
    here = sha256(inventory_csv(district) + roster_zip(district)).hexdigest()
    code = (
        "from hashlib import sha256\n"
        "from assetflow.testing.seed import seed_district\n"
        "from assetflow.testing.seed_files import inventory_csv, roster_zip\n"
        "made = seed_district()\n"
        "print(sha256(inventory_csv(made) + roster_zip(made)).hexdigest())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == here


def test_another_seed_is_another_district(district):
    other = seed_district(8)
    assert other.devices != district.devices
    assert len(other.devices) == 1_200


def test_numbers_are_text_with_their_zeros(district):
    assert any(p.local_id.startswith("0") for p in district.people)


def test_guardians_are_those_of_students(district):
    guardians = {p.local_id for p in district.people if p.role == "guardian"}
    named = [g for p in district.people for g in p.guardians]
    assert guardians == set(named)
    assert all(p.role == "student" for p in district.people if p.guardians)


def test_nothing_is_handed_out_twice_or_in_the_future(district):
    assert max(Counter(act.tag for act in district.hand_outs).values()) == 1
    assert all(act.on < district.day for act in district.hand_outs)
    assert all(act.due is None or act.due >= act.on for act in district.hand_outs)


@pytest.mark.parametrize(
    "day", [date(2026, 8, 24), date(2026, 8, 23), date(2027, 1, 1), date(2028, 2, 29)]
)
def test_it_lives_on_any_day(day):
    made = seed_district(day=day)
    assert school_year_begins(day) <= day
    assert len(made.devices) == 1_200
    assert all(act.on < day for act in made.hand_outs)


def test_the_inventory_has_the_blemishes_of_one(district):
    raw = inventory_csv(district)
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    tags = Counter(r["Asset Tag"] for r in rows if r["Asset Tag"])
    assert [n for n in tags.values() if n > 1] == [2]
    assert sum("E+" in r["Serial #"] for r in rows) == 1
    assert any(r["School"] == "Cedar Midle" for r in rows)
    typed = {d.typed_serial for d in district.devices if d.typed_serial}
    assert len(typed) == 6
    assert typed <= {r["Serial #"] for r in rows}
    assert len(rows) == sum(d.inventoried for d in district.devices) + INVENTORY_REJECTS - 2


def test_the_inventory_comes_with_semicolons_too(district):
    raw = inventory_csv(district, delimiter=";", encoding="cp1252")
    assert raw.decode("cp1252").splitlines()[0].count(";") == 13


def test_the_roster_is_a_one_roster_zip(district):
    with zipfile.ZipFile(io.BytesIO(roster_zip(district))) as archive:
        assert archive.namelist() == ["manifest.csv", "orgs.csv", "users.csv"]
        users = list(csv.DictReader(io.TextIOWrapper(archive.open("users.csv"), "utf-8")))
    assert len(users) == 995
    assert len({u["sourcedId"] for u in users}) == 995
    known = {u["sourcedId"] for u in users}
    assert all(a in known for u in users for a in u["agentSourcedIds"].split(",") if a)


def test_leavers_leave_between_the_two_rosters(district):
    def there(raw):
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            users = csv.DictReader(io.TextIOWrapper(archive.open("users.csv"), "utf-8"))
            return {u["sourcedId"] for u in users}

    assert len(there(roster_zip(district, leavers=False)) - there(roster_zip(district))) == 5


def test_google_knows_part_of_the_fleet_and_some_that_nobody_else_does(district):
    at_google = {d["serialNumber"] for d in google_devices(district)}
    listed = {d.serial for d in district.devices if d.inventoried}
    assert len(at_google) == 1_019
    assert len(at_google - listed) == 44
    assert len(listed - at_google) > 100
    units = {u["orgUnitPath"] for u in google_org_units(district)}
    assert {d["orgUnitPath"] for d in google_devices(district)} <= units
    ids = {u["orgUnitId"].removeprefix("id:") for u in google_org_units(district)}
    assert {d["orgUnitId"] for d in google_devices(district)} <= ids
    assert all(u["primaryEmail"].endswith("@maplevalley.example") for u in google_users(district))
