"""Each command on a real district: what it writes, where, and how it ends."""

import csv
import io
import json
import sqlite3
import sys
import threading
from collections import Counter
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from assetflow.cli import imports
from assetflow.files import FileLimits
from assetflow.testing.google import FakeGoogle, Fleet
from assetflow.testing.seed import seed_district
from assetflow.testing.seed_files import google_devices, google_org_units, inventory_csv, roster_zip

DEMO = ("--profile", "demo")


def ask(run, *args):
    ran = run(*args, *DEMO, "--json")
    assert ran.code == 0, ran.err
    return ran.data


# --- devices -----------------------------------------------------------------------------------


def test_list_filters_combine(run, looking):
    rows = ask(run, "devices", "list", "--site", "CMS", "--lifecycle", "deployed")
    assert rows
    assert {(r["site"], r["lifecycle"]) for r in rows} == {("CMS", "deployed")}
    assert [r["asset_tag"] for r in rows] == sorted(r["asset_tag"] for r in rows)


@pytest.mark.parametrize("word", ["in_stock", "in-stock", "In Stock"])
def test_words_are_taken_as_people_write_them(run, looking, word):
    rows = ask(run, "devices", "list", "--lifecycle", word, "--limit", "3")
    assert [r["lifecycle"] for r in rows] == ["in_stock"] * 3


def test_a_word_that_is_not_known_lists_those_that_are(run, looking):
    ran = run("devices", "list", "--condition", "shiny", *DEMO)
    assert ran.code == 6
    assert "new, good, fair, poor, broken, unknown" in ran.err


def test_devices_with_an_unknown_date_are_counted_as_left_out(run, looking):
    ran = run("devices", "list", "--updates-end-before", "2027-01-01", *DEMO, "--json")
    assert all(r["updates_end"] < "2027-01-01" for r in ran.data)
    assert ran.document["meta"]["left_out_unknown"] > 100
    people = run("devices", "list", "--updates-end-before", "2027-01-01", *DEMO)
    assert "more have no value to compare" in people.err
    assert "no value" not in people.out


def test_limit_and_count_mean_what_they_say(run, looking):
    assert len(ask(run, "devices", "list", "--limit", "7")) == 7
    assert ask(run, "devices", "list", "--limit", "0") == []
    assert len(ask(run, "devices", "list")) == 1_200


def test_csv_has_a_heading_and_every_device(run, looking):
    ran = run("devices", "list", "--csv", *DEMO)
    rows = list(csv.DictReader(io.StringIO(ran.out.lstrip("\ufeff"), newline="")))
    assert len(rows) == 1_200
    assert rows[0]["purchase_cost"].replace(".", "").isdigit()


def test_output_goes_to_a_file(run, looking, tmp_path):
    path = tmp_path / "out.json"
    ran = run("devices", "list", "--limit", "1", "--json", "-o", path, *DEMO)
    assert ran.out == ""
    assert json.loads(path.read_text())["kind"] == "devices.list"


def test_show_takes_tag_serial_and_id(run, looking):
    row = ask(run, "devices", "list", "--lifecycle", "deployed", "--limit", "1")[0]
    shown = [ask(run, "devices", "show", row[key]) for key in ("asset_tag", "serial", "id")]
    assert shown[0] == shown[1] == shown[2]
    assert shown[0]["device"] == row
    assert shown[0]["custody"]["ended_at"] is None
    assert [e["type"] for e in shown[0]["history"]][-1] == "device.registered@1"
    assert shown[0]["holder"]


def test_show_for_a_person_names_who_has_it(run, looking):
    row = ask(run, "attention", "--kind", "overdue-loan", "--limit", "1")[0]
    card = ask(run, "devices", "show", row["label"])
    ran = run("devices", "show", row["label"], *DEMO)
    assert ran.out.splitlines()[0].startswith(row["label"])
    assert f"{card['holder']} since" in ran.out


def test_a_device_that_is_not_there(run, looking):
    ran = run("devices", "show", "MVH-999999", *DEMO, "--json")
    assert ran.code == 6
    assert ran.out == ""
    assert json.loads(ran.err)["data"]["code"] == "not-found"


# --- custody -----------------------------------------------------------------------------------


@pytest.fixture
def stock(run, here):
    """A device in stock, and somebody who has none."""
    device = ask(run, "devices", "list", "--lifecycle", "in_stock", "--condition", "good")[0]
    made = seed_district()
    taken = {act.to for act in made.hand_outs}
    person = next(p for p in made.people if p.grade == "10" and p.local_id not in taken)
    return device["asset_tag"], person


def test_out_and_in_again(run, here, stock):
    tag, person = stock
    out = ask(run, "check-out", tag, "--to", person.local_id)
    assert out["kind"] == "assignment"
    assert out["ended_at"] is None
    assert ask(run, "devices", "show", tag)["device"]["custody"] == "assigned"
    back = ask(run, "check-in", tag, "--condition", "fair")
    assert back["id"] == out["id"]
    assert back["ended_at"]
    device = ask(run, "devices", "show", tag)["device"]
    assert (device["custody"], device["lifecycle"], device["condition"]) == (
        "none",
        "in_stock",
        "fair",
    )


def test_a_due_date_makes_a_loan(run, here, stock):
    tag, person = stock
    done = ask(run, "check-out", tag, "--to", person.email, "--due", "2027-01-15")
    assert (done["kind"], done["due_on"]) == ("loan", "2027-01-15")


def test_a_dry_run_leaves_no_trace(run, here, stock):
    tag, person = stock
    before = ask(run, "journal", "verify")
    done = ask(run, "check-out", tag, "--to", person.local_id, "--dry-run", "--note", "x")
    assert done["dry_run"] is True
    assert ask(run, "journal", "verify") == before
    ran = run("check-out", tag, "--to", person.local_id, "--dry-run", *DEMO)
    assert "Dry run, nothing was written: " in ran.out


def test_the_same_key_is_the_same_act(run, here, stock):
    tag, person = stock
    args = ("check-out", tag, "--to", person.local_id, "--key", "scan-1")
    first = ask(run, *args)
    assert ask(run, *args)["id"] == first["id"]
    ran = run("check-out", tag, "--to", "0", "--key", "scan-1", *DEMO)
    assert ran.code in {6, 7}


def test_a_transfer_ends_one_custody_and_begins_another(run, here, stock):
    tag, person = stock
    first = ask(run, "check-out", tag, "--to", person.local_id)
    other = next(p for p in seed_district().people if p.role == "administrator")
    second = ask(run, "transfer", tag, "--to", other.local_id)
    assert second["id"] != first["id"]
    assert second["accountable_id"] != first["accountable_id"]


def test_a_refusal_names_rule_and_remedy_and_no_person(run, here, stock):
    tag, person = stock
    assert run("check-out", tag, "--to", person.local_id, *DEMO).code == 0
    other = next(p for p in seed_district().people if p.role == "administrator")
    ran = run("check-out", tag, "--to", other.local_id, *DEMO)
    assert ran.code == 7
    assert ran.out == ""
    assert "code   device-in-other-hands" in ran.err
    assert "Check it in first" in ran.err
    for word in (person.given, person.family, person.local_id, other.family):
        assert word not in ran.err


def test_explain_shows_every_rule(run, here, stock):
    tag, person = stock
    told = ask(run, "explain", "check-out", tag, "--to", person.local_id)
    assert told["allowed"] is True
    assert "custody.one-holder" in [r["rule"] for r in told["because"]]
    ask(run, "check-out", tag, "--to", person.local_id)
    told = ask(run, "explain", "check-out", tag, "--to", person.local_id)
    assert told["allowed"] is False
    assert told["error_code"] == "already-theirs"


def test_who_acts_stands_in_the_store_and_not_in_the_journal(run, here, stock):
    tag, person = stock
    ask(run, "check-out", tag, "--to", person.local_id, "--actor", "dana@maplevalley.example")
    with closing(sqlite3.connect(here / "assetflow-demo" / "maple-valley.db")) as db, db:
        bodies = [b for (b,) in db.execute("SELECT body FROM af_event ORDER BY seq DESC LIMIT 3")]
        labels = [b for (b,) in db.execute("SELECT label FROM af_actor")]
    assert "dana@maplevalley.example" in labels
    assert "dana" not in "".join(bodies)


# --- attention, journal, runs, policy ----------------------------------------------------------


def test_attention_comes_in_groups_and_one_by_one(run, looking):
    groups = ask(run, "attention", "--on", "2026-11-24")
    late = next(g for g in groups if g["kind"] == "overdue-loan")
    assert late["count"] == 17
    assert late["oldest_days"] == 33
    items = ask(run, "attention", "--kind", "overdue-loan", "--on", "2026-11-24")
    assert len(items) == 17
    assert items[0]["age_days"] == 33
    everything = ask(run, "attention", "--all", "--on", "2026-11-24")
    assert len(everything) == sum(g["count"] for g in groups)


def test_attention_can_fail_a_job(run, looking):
    assert run("attention", "--fail-on", "overdue-loan", *DEMO).code == 10
    assert run("attention", "--fail-on", "duplicate-tag", *DEMO).code == 0


def test_an_unknown_kind_lists_those_that_are(run, looking):
    ran = run("attention", "--kind", "overdue", *DEMO)
    assert ran.code == 6
    assert "overdue-loan" in ran.err


def test_a_journal_that_was_changed_afterwards_ends_with_1(run, here):
    with closing(sqlite3.connect(here / "assetflow-demo" / "maple-valley.db")) as db, db:
        # the database itself refuses; whoever may drop its triggers meets the chain
        with pytest.raises(sqlite3.IntegrityError):
            db.execute("UPDATE af_event SET body = '{}' WHERE seq = 2000")
        triggers = db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            db.execute(f'DROP TRIGGER "{name}"')
        db.execute("UPDATE af_event SET body = body || ' ' WHERE seq = 2000")
    ran = run("journal", "verify", *DEMO)
    assert ran.code == 1
    assert "code   journal-broken" in ran.err


def test_a_table_that_was_changed_past_the_journal_ends_with_1(run, here):
    with closing(sqlite3.connect(here / "assetflow-demo" / "maple-valley.db")) as db, db:
        db.execute("UPDATE af_device SET asset_tag = 'STOLEN-1' WHERE asset_tag = 'BES-010014'")
    ran = run("journal", "verify", *DEMO)
    assert ran.code == 1
    assert "differ from the journal" in ran.err


def test_the_latest_run(run, looking):
    runs = ask(run, "runs", "list")
    assert runs[0]["seen"] == 1_019
    items = ask(run, "runs", "show", "latest", "--outcome", "ambiguous")
    assert {i["reason"] for i in items} == {"serial-looks-alike"}
    assert ask(run, "runs", "show", runs[0]["id"], "--outcome", "ambiguous") == items
    assert run("runs", "show", "latest", "--outcome", "bad", *DEMO).code == 6
    assert run("runs", "show", "no-such-run", *DEMO).code == 6


def test_a_policy_goes_round(run, here):
    text = run("policy", "show", "--comments", *DEMO).out
    changed = text.replace("max_devices = 2", "max_devices = 3")
    assert changed != text
    ran = run("policy", "adopt", "-", "--dry-run", *DEMO, "--json", stdin=changed)
    assert "max_devices = 3" in ran.data["text"]
    assert "max_devices = 2" in ask(run, "policy", "show")["text"]
    assert run("policy", "adopt", "-", *DEMO, stdin=changed).code == 0
    assert "max_devices = 3" in ask(run, "policy", "show")["text"]


def test_a_wrong_policy_names_the_key_and_its_line(run, looking):
    ran = run("policy", "adopt", "-", *DEMO, stdin="[custody]\nmax_devises = 3\n")
    assert ran.code == 3
    assert "max_devises" in ran.err
    assert "line 2" in ran.err or "line: 2" in ran.err


# --- pull and import ---------------------------------------------------------------------------


@pytest.fixture
def fresh(run, empty):
    """A new district with the places and people of the made-up one."""
    made = seed_district()
    ran = run("init", "--name", "Test", "--yes")
    assert ran.code == 0, ran.err
    (empty / "roster.zip").write_bytes(roster_zip(made))
    (empty / "inventory.csv").write_bytes(inventory_csv(made))
    assert run("import", "roster", "roster.zip").code == 0
    return made


def test_a_dry_run_of_an_import_writes_nothing(run, fresh, empty):
    ran = run("import", "devices", "inventory.csv", "--dry-run", "--json")
    assert ran.code == 6, "some rows are rejected"
    assert ran.data["applied"] is False
    assert (ran.data["created"], ran.data["rejected"]) == (1_154, 9)
    assert ran.data["rejects_file"] is None
    assert "--rejects" in ran.err
    assert list(empty.glob("*rejected*")) == []
    assert run("devices", "list", "--json").data == []


def test_a_rejects_file_that_somebody_corrects_is_never_replaced(run, fresh, empty):
    (empty / "inventory.rejected.csv").write_text("corrected by hand")
    (empty / "inventory.rejected-2.csv").write_text("this one too")
    ran = run("import", "devices", "inventory.csv", "--json")
    assert ran.data["rejects_file"] == "inventory.rejected-3.csv"
    assert "inventory.rejected-3.csv" in ran.err
    assert (empty / "inventory.rejected.csv").read_text() == "corrected by hand"
    assert (empty / "inventory.rejected-2.csv").read_text() == "this one too"


def test_a_rejects_file_has_each_row_with_its_reason(run, fresh, empty):
    ran = run("import", "devices", "inventory.csv", "--json")
    assert ran.data["rejects_file"] == "inventory.rejected.csv"
    with (empty / "inventory.rejected.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 9
    assert all(row["assetflow_reason"] for row in rows)


def test_a_file_comes_from_standard_input_too(run, fresh, empty):
    text = inventory_csv(fresh, encoding="utf-8").decode()
    ran = run("import", "devices", "-", "--json", stdin=text)
    assert ran.code == 6
    assert ran.data["created"] == 1_154
    assert {r["line"] for r in ran.data["rejects"]} >= {42, 192}
    assert all(r["reason"] for r in ran.data["rejects"])
    assert (empty / "stdin.rejected.csv").exists()


def test_an_import_is_applied_once(run, fresh):
    first = run("import", "devices", "inventory.csv", "--json")
    assert first.data["created"] == 1_154
    head = run("journal", "verify", "--json").data
    again = run("import", "devices", "inventory.csv")
    assert again.code == 6
    assert "applied before" in again.out
    assert run("journal", "verify", "--json").data == head


def test_semicolons_and_another_encoding_are_found(run, fresh, empty):
    raw = inventory_csv(fresh, delimiter=";", encoding="cp1252")
    (empty / "export.csv").write_bytes(raw)
    ran = run("import", "devices", "export.csv", "--dry-run", "--json", "--rejects", "bad.csv")
    assert ran.data["created"] == 1_154
    assert (empty / "bad.csv").exists()


def test_a_heading_that_is_not_known_can_be_named(run, fresh, empty):
    (empty / "odd.csv").write_text("Kennung,Seriennummer\nT-1,5CD0000AAA\n")
    assert run("import", "devices", "odd.csv").code == 6
    args = ("--column", "Kennung=asset_tag", "--column", "Seriennummer=serial")
    ran = run("import", "devices", "odd.csv", *args, "--json")
    assert ran.code == 0, ran.err
    assert ran.data["created"] == 1
    assert run("devices", "show", "T-1", "--json").data["device"]["serial"] == "5CD0000AAA"
    assert run("import", "devices", "odd.csv", "--column", "Kennung").code == 2


def test_a_pull_goes_over_http_and_again_changes_nothing(run, fresh):
    run("import", "devices", "inventory.csv")
    fleet = Fleet.of(devices=google_devices(fresh), org_units=google_org_units(fresh))
    with FakeGoogle(fleet=fleet) as fake:
        env = {"ASSETFLOW_GOOGLE_BASE_URL": fake.url}
        first = run("pull", "google", "--json", **env)
        assert first.code == 0, first.err
        assert (first.data["seen"], first.data["created"]) == (1_019, 46)
        head = run("journal", "verify", "--json").data
        again = run("pull", "google", "--workers", "1", "--json", **env)
        assert again.data["created"] == again.data["linked"] == again.data["changed"] == 0
    assert run("journal", "verify", "--json").data == head


@pytest.mark.parametrize(("fault", "code"), [("refused", 4), ("down", 5)])
def test_what_goes_wrong_at_the_vendor_is_an_exit_code(run, fresh, monkeypatch, fault, code):
    from assetflow import errors
    from assetflow.connectors import GoogleAdmin

    raised = {"refused": errors.AuthError, "down": errors.Unreachable}[fault]

    def plan(self, kind):
        raise raised("it said no", connector="google", operation="list-chromebooks")

    monkeypatch.setattr(GoogleAdmin, "plan", plan)
    ran = run("pull", "google", ASSETFLOW_GOOGLE_BASE_URL="http://127.0.0.1:9")
    assert ran.code == code
    assert ran.out == ""
    assert "It said no." in ran.err


def test_a_pull_without_credentials_says_what_to_set(run, fresh):
    ran = run("pull", "google")
    assert ran.code == 3
    assert "ASSETFLOW_GOOGLE_KEY_FILE" in ran.err


# --- setting up --------------------------------------------------------------------------------


def test_init_makes_a_store_and_settings_with_comments(run, empty):
    ran = run(
        "init", "--name", "Lincoln Schools", "--actor", "it@lincoln.example", "--yes", "--json"
    )
    assert ran.code == 0
    assert ran.data == {
        "file": "assetflow.toml",
        "store": "lincoln-schools.db",
        "district": "lincoln-schools",
    }
    text = (empty / "assetflow.toml").read_text()
    assert 'actor = "it@lincoln.example"' in text
    assert "# Path of an SQLite file" in text
    assert run("devices", "list").err.strip() == "No device."


def test_init_asks_nothing_without_a_terminal(run, empty):
    assert run("init").code == 0
    assert (empty / "my-district.db").exists()


def test_init_leaves_settings_that_are_there_alone(run, empty):
    (empty / "assetflow.toml").write_text('store = "x.db"\n')
    ran = run("init", "--yes")
    assert ran.code == 3
    assert (empty / "assetflow.toml").read_text() == 'store = "x.db"\n'
    assert not (empty / "my-district.db").exists()


def test_without_a_store_every_command_says_how_to_get_one(run, empty):
    for args in (("devices", "list"), ("journal", "verify"), ("attention",)):
        ran = run(*args)
        assert ran.code == 3
        assert "assetflow init" in ran.err


def test_a_store_that_is_not_there_is_not_made(run, empty):
    ran = run("devices", "list", "--store", "none.db")
    assert ran.code == 3
    assert list(empty.iterdir()) == []


def test_doctor_finds_nothing_in_the_way(run, looking):
    ran = run("doctor", *DEMO)
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "Nothing is in the way."


def test_doctor_names_what_to_do(run, empty):
    rows = {r["check"]: r for r in run("doctor", "--offline", "--json").data}
    assert rows["store"]["ok"] is False
    assert "assetflow init" in rows["store"]["fix"]
    assert run("doctor", "--offline").code == 3


def test_doctor_survives_broken_settings_and_a_file_that_is_no_store(run, empty):
    (empty / "assetflow.toml").write_text("store = nonsense\n")
    ran = run("doctor", "--offline")
    assert ran.code == 3
    assert "not TOML at line 1" in ran.out
    (empty / "assetflow.toml").write_text('store = "photo.jpg"\n')
    (empty / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" * 500)
    ran = run("doctor", "--offline")
    assert ran.code == 3
    assert "store-damaged" in ran.out


def test_doctor_says_that_another_holds_the_lock_and_how_long_it_waited(run, fresh, empty):
    (store,) = empty.glob("*.db")
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        rows = {r["check"]: r for r in run("doctor", "--offline", "--json").data}
    assert not rows["write lock"]["ok"]
    assert "waited 3 s" in rows["write lock"]["found"]


def test_doctor_does_not_ask_a_busy_google_again(run, looking):
    asked = []

    class Busy(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(503)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            ran = run("doctor", *DEMO, ASSETFLOW_GOOGLE_BASE_URL=url)
        finally:
            server.shutdown()
            thread.join(timeout=10)
    assert ran.code == 3
    assert asked
    assert max(Counter(asked).values()) <= 2, "two checks may ask the same; none tries again"


def test_what_comes_in_without_an_end_is_refused(run, fresh, monkeypatch):
    monkeypatch.setattr(imports, "DEFAULT_LIMITS", FileLimits(max_bytes=100))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x" * 1_000)))
    assert len(imports.readable("-")) == 101
    ran = run("policy", "adopt", "-", stdin="#" * 2_000_000)
    assert "at most 1,048,576 characters" in ran.err


def test_doctor_asks_google(run, looking):
    with FakeGoogle(devices=3) as fake:
        ran = run("doctor", *DEMO, "--json", ASSETFLOW_GOOGLE_BASE_URL=fake.url)
    found = {r["check"]: r["found"] for r in ran.data}
    assert found["the customer's Chromebooks can be counted"] == "3 Chromebooks"


def test_explain_error(run):
    told = run("explain", "error", "store-locked", "--json").data
    assert (told["exit_code"], told["recovery"]) == (5, "retry")
    ran = run("explain", "error", "store-lokked")
    assert ran.code == 6
    assert "store-locked" in ran.err
