"""A district in which one person's values were planted wherever they can come in."""

import csv
import io
import sqlite3
import zipfile
import zlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

import assetflow
from assetflow.connectors import GoogleAdmin, raw_dictionaries
from assetflow.exchange.claims import compress_raw
from assetflow.model import (
    F,
    ItemOutcome,
    Observation,
    OutboxItem,
    Programme,
    Query,
    Run,
    RunItem,
    RunStatus,
    StagedRecord,
)
from assetflow.reconcile import observed_array
from assetflow.rules.funding import NewShare
from assetflow.testing.google import FakeGoogle, Fleet
from assetflow.workflows.personal.sealing import IdentityKey, IdentityKeys

GIVEN, FAMILY, NUMBER, SOURCE_ID = "Zoëlle", "Quixworth", "204881777", "u-zq-5521"
USER = "zoelle.quixworth27"
EMAIL = f"{USER}@lincoln.example"
VALUES = (GIVEN, FAMILY, NUMBER, SOURCE_ID, USER, "Zozobel", "Room of Zq")
"""Each stands in the store before, and none of them after."""
USER_HEADINGS = (
    "sourcedId role givenName familyName identifier email orgSourcedIds agentSourcedIds grades "
    "enabledUser status"
)
OTHER = "omar.bell31@lincoln.example"
KEYS = IdentityKeys((IdentityKey(bytes(range(32))),))
NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


def spellings(value):
    """How a value may stand in bytes."""
    for text in {value, value.lower(), value.upper(), value.casefold()}:
        yield text.encode()
        yield text.encode("utf-16-le")
        yield text.encode("utf-16-be")
        yield text.encode("latin-1", "ignore")
        yield text.encode("ascii", "backslashreplace").replace(b"\\x", b"\\u00")
        yield text.encode().hex().encode()


def found_in(data, values=VALUES):
    """Which values stand in some bytes, however they are written."""
    return {v for v in values if any(s in data for s in spellings(v) if len(s) > 4)}


def people_csv():
    text = io.StringIO()
    csv.writer(text).writerows(
        [
            [
                "Student ID",
                "First Name",
                "Last Name",
                "Preferred Name",
                "Email",
                "Grade",
                "Homeroom",
            ],
            [NUMBER, GIVEN, FAMILY, "Zozobel", EMAIL, "07", "Room of Zq"],
            ["300001", "Omar", "Bell", "", OTHER, "07", ""],
        ]
    )
    return text.getvalue().encode()


def roster_zip():
    files = {
        "manifest": [
            ["propertyName", "value"],
            ["oneroster.version", "1.1"],
            ["file.orgs", "bulk"],
            ["file.users", "bulk"],
        ],
        "orgs": [
            ["sourcedId", "name", "type", "identifier", "parentSourcedId", "status"],
            ["s1", "Lincoln High", "school", "LHS", "", ""],
        ],
        "users": [
            USER_HEADINGS.split(),
            [SOURCE_ID, "student", GIVEN, FAMILY, NUMBER, EMAIL, "s1", "g-77", "07", "true", ""],
            [
                "g-77",
                "parent",
                "Mabel",
                "Obermaier",
                "",
                "mabel.o@home.example",
                "s1",
                "",
                "",
                "true",
                "",
            ],
        ],
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, rows in files.items():
            text = io.StringIO()
            csv.writer(text).writerows(rows)
            archive.writestr(f"{name}.csv", text.getvalue())
    return out.getvalue()


def chromebook(number, **fields):
    return {
        "deviceId": f"dev-{number:04d}",
        "serialNumber": f"5CD{number:07d}",
        "annotatedAssetId": f"LHS-{number:04d}",
        "model": "HP Chromebook 11 G9 EE",
        "status": "ACTIVE",
        "orgUnitPath": "/Students",
        "lastSync": "2026-11-23T15:00:00.000Z",
        **fields,
    }


def google_devices():
    def users(*addresses):
        return [{"type": "USER_TYPE_MANAGED", "email": a} for a in addresses]

    return [
        chromebook(
            1,
            annotatedUser=EMAIL,
            annotatedLocation=f"{GIVEN}'s cart, Room of Zq",
            notes=f"{FAMILY}, {GIVEN} cracked it",
            recentUsers=users(EMAIL, OTHER),
        ),
        chromebook(2, annotatedUser=USER, recentUsers=users(OTHER, EMAIL)),
        chromebook(3, annotatedUser=OTHER, recentUsers=users(OTHER)),
        chromebook(4),
    ]


def plant(district):
    """Bring the person in by every door."""
    d = district
    d.places.add("site", "Lincoln High", code="LHS")
    d.imports.apply(d.imports.plan_people(people_csv(), defaults={"kind": "student"}))
    d.imports.apply(d.imports.plan_roster(roster_zip()))
    d.devices.set_model("HP Chromebook 11 G9 EE")
    for number in (1, 2, 3):
        d.devices.register(
            asset_tag=f"LHS-{number:04d}",
            serial=f"5CD{number:07d}",
            model="HP Chromebook 11 G9 EE",
            acquired_on=date(2022, 9, 1),
        )
    share = NewShare(fund="ECF-21", programme=Programme.ECF)
    d.devices.fund("LHS-0001", [share], starts_on=date(2022, 9, 1))
    with FakeGoogle(fleet=Fleet.of(devices=google_devices())) as fake:
        environ = {"ASSETFLOW_GOOGLE_BASE_URL": fake.url}
        with GoogleAdmin.from_env(environ) as google:
            d.pull(google, max_new_percent=1000)
    d.people.place_hold(NUMBER, kind="balance", note=f"{GIVEN} owes for a charger")
    d.custody.check_out(
        "LHS-0001", to=NUMBER, key=f"hand-out:{NUMBER}:LHS-0001", note=f"{GIVEN} was late"
    )
    d.custody.check_in("LHS-0001", condition="fair", note="Zozobel dropped it on the stairs")
    d.acting_as(EMAIL).custody.check_out("LHS-0003", to="300001", note=f"set up by {USER}")
    leftovers(d)


def leftovers(district):
    """What should not be there, and might."""
    observed = observed_array(
        assetflow.model.ObservedDevice("dev-0009", assigned_to=EMAIL, notes=f"{GIVEN} {FAMILY}")
    )
    words = raw_dictionaries("google")
    raw = compress_raw(f'{{"annotatedUser":"{EMAIL}"}}'.encode(), words[1])
    run = Run(id="run-x", source="google", what="device", status=RunStatus.STOPPED, started_at=NOW)
    with district.store.write(district.id) as tx:
        tx.insert([run])
        tx.insert(
            [
                StagedRecord(
                    run_id="run-x",
                    source_id="dev-0009",
                    standing="new",
                    digest=b"0" * 16,
                    observed=observed,
                    raw=raw,
                    raw_dictionary=1,
                ),
                RunItem(
                    run_id="run-x",
                    source_id="dev-0009",
                    outcome=ItemOutcome.REFUSED,
                    reason=f"assigned to {EMAIL}",
                ),
                OutboxItem(
                    seq=1,
                    position=90,
                    type="device.assignee@1",
                    subject_kind="device",
                    subject_id="dev",
                    body=f'{{"stray":"{EMAIL}"}}',
                ),
            ]
        )


class Clock:
    def __init__(self):
        self.now = NOW - timedelta(days=100)

    def __call__(self):
        self.now += timedelta(minutes=1)
        return self.now


@pytest.fixture
def file(tmp_path):
    return tmp_path / "lincoln.db"


@pytest.fixture(params=["memory", "sqlite"])
def district(request, file):
    url = "memory:" if request.param == "memory" else f"sqlite:///{file}"
    with assetflow.open(
        url, district="lincoln", create=True, actor="it@lincoln.example", clock=Clock()
    ) as opened:
        plant(opened)
        yield opened


@pytest.fixture
def on_disk(file):
    with assetflow.open(
        f"sqlite:///{file}",
        district="lincoln",
        create=True,
        actor="it@lincoln.example",
        clock=Clock(),
    ) as opened:
        plant(opened)
        yield opened


def on_the_disk(folder: Path):
    """Every byte of every file of a folder, each compressed record inflated and added."""
    data = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
    for path in sorted(folder.glob("*.db")):
        connection = sqlite3.connect(path)
        try:
            for table in ("af_observation", "af_staged_record"):
                for (raw,) in connection.execute(f"SELECT raw FROM {table} WHERE raw IS NOT NULL"):
                    opener = zlib.decompressobj(-15, zdict=raw_dictionaries("google")[1])
                    data += opener.decompress(raw)
        finally:
            connection.close()
    return data


def everything(district):
    """Every value of every record and event, as text; compressed records inflated."""
    from assetflow.store.schema import KINDS

    with district.store.read(district.id) as tx:
        said = [repr(e) for e in tx.journal()]
        for kind in KINDS.values():
            names = [c.name for c in kind.columns]
            said += [repr(row) for row in tx.values(Query(kind=kind.record), names)]
        for seen in tx.find(Query(kind=Observation, where=F.raw_dictionary.is_known())):
            opener = zlib.decompressobj(-15, zdict=raw_dictionaries(seen.source)[1])
            said.append(opener.decompress(seen.raw).decode())
    return "\n".join(said).encode()
