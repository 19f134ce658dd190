"""``assetflow people``, ``retention`` and ``export``: no value is shown that was not asked for."""

import json
import zipfile
from pathlib import Path

import pytest

import assetflow as af
from assetflow.cli.schemas import SCHEMAS

DEMO = ("--profile", "demo")
STORE = "assetflow-demo/maple-valley.db"


@pytest.fixture
def person(here):
    """Somebody who has a device."""
    with af.open(STORE) as district:
        held = next(
            c for c in district.custody.where_open() if c.accountable_kind.value == "person"
        )
        return district.people.get(held.accountable_id)


@pytest.fixture
def call(run, fits):
    def do(*args, code=0, **how):
        done = run(*args, "--json", *DEMO, **how)
        assert done.code == code, done.err
        if done.out:
            document = done.document
            assert fits(document, SCHEMAS[document["kind"]]) == []
        return done

    return do


def test_a_person_is_exported(call, person):
    counts = call("people", "export", person.local_id, "one.zip").data["counts"]
    with zipfile.ZipFile("one.zip") as archive:
        assert len(json.loads(archive.read("person.json"))) == counts["person"] == 1
    done = call("people", "export", person.id, "one.json")
    assert person.family_name not in done.out + done.err
    assert person.family_name in Path("one.json").read_text(encoding="utf-8")


def test_a_person_is_erased(call, run, person):
    plan = call(
        "people", "erase", person.local_id, "--reason", "left", "--while-holding", "--dry-run"
    )
    assert not plan.data["done"]
    refused = call("people", "erase", person.local_id, "--reason", "left", "--yes", code=7)
    assert json.loads(refused.err)["data"]["code"] == "person-holds-devices"
    asked = ("people", "erase", person.local_id, "--reason", "left", "--while-holding", *DEMO)
    stopped = run(*asked, stdin="n\n")
    assert stopped.code != 0
    call("retention", "new-key", "keys.txt")
    given = ("--keys", "keys.txt")
    done = call(*asked[:-2], "--yes", *given)
    assert done.data["done"]
    assert done.data["reached"]
    for shown in (plan, refused, stopped, done):
        for value in (person.family_name, person.email, person.local_id):
            assert value not in shown.out + shown.err
    assert person.email.encode() not in Path(STORE).read_bytes()
    with af.open(STORE) as district:
        assert district.people.get(person.id).family_name is None
        assert district.journal.verify().ok


def test_retention_is_shown_run_and_its_keys_rotated(call, run, here):
    Path("policy.toml").write_text("[retention]\nruns_days = 1\nkeys_days = 1\n")
    assert run("policy", "adopt", "policy.toml", *DEMO).code == 0
    rows = call("retention", "show", "--on", "2030-01-01").data
    assert {row["kind"] for row in rows} >= {"run"}
    assert not call("retention", "run", "--on", "2030-01-01").data["done"]
    assert call("retention", "run", "--on", "2030-01-01", "--apply", "--yes").data["done"]
    assert call("retention", "show", "--on", "2030-01-01").data == []
    call("retention", "new-key", "keys.txt")
    assert call("retention", "new-key", "keys.txt").data["counts"] == {"keys": 2}
    assert Path("keys.txt").stat().st_mode & 0o077 == 0
    assert call("retention", "rotate", "--keys", "keys.txt").data["counts"] == {"names": 0}
    assert run("retention", "rotate", *DEMO).code != 0


def test_what_leaves_is_deidentified(call, here):
    counts = call("export", "out", "--recipient", "state-university").data["counts"]
    assert sorted(p.name for p in Path("out").iterdir()) == [
        "about.json",
        "custody.jsonl",
        "devices.jsonl",
        "figures.jsonl",
    ]
    assert counts["devices"] == len(Path("out/devices.jsonl").read_text().splitlines())
