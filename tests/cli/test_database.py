"""`assetflow db`: what it prints, how it ends, and that its documents are as their schemas say."""

import pytest

from assetflow.cli.schemas import SCHEMAS

STORE = "assetflow-demo/maple-valley.db"


@pytest.fixture
def made(here):
    """A folder with a demo of its own."""
    assert (here / STORE).exists()
    return here


def document(run, fits, *args):
    done = run(*args, "--json")
    assert done.code == 0, done.err
    kind = ".".join(args[:2])
    assert done.document["kind"] == kind
    assert fits(done.document, SCHEMAS[kind]) == []
    return done.data


def test_each_command_writes_the_document_that_is_described(run, fits, made):
    state = document(run, fits, "db", "status", "--store", STORE)
    assert (state["state"], state["districts"], state["district"]) == ("current", 1, "maple-valley")
    assert document(run, fits, "db", "upgrade", "--store", STORE)["copy"] is None
    assert document(run, fits, "db", "sql", "--store", STORE) == {"sql": ""}
    views = document(run, fits, "db", "views", "--personal", "--store", STORE)
    assert any(view["personal"] for view in views)
    views = document(run, fits, "db", "views", "--store", STORE)
    assert not any(view["personal"] for view in views)
    kept = document(run, fits, "db", "backup", "kept.db", "--store", STORE)
    assert kept["events"] == state["events"]
    back = document(run, fits, "db", "restore", "kept.db", "back.db")
    assert back["file"] == "back.db"
    copied = document(run, fits, "db", "copy", "back.db", "sqlite:///new.db")
    assert (copied["head"], copied["found"]) == (state["head_hash"], False)
    assert document(run, fits, "db", "copy", "back.db", "new.db")["found"] is True
    assert run("journal", "verify", "--store", "new.db").code == 0


def test_for_a_person_in_words(run, made):
    assert "revision" in run("db", "status", "--store", STORE).out
    assert run("db", "upgrade", "--store", STORE).out.startswith("Nothing to do")
    told = run("db", "backup", "kept.db", "--store", STORE).out
    assert told.startswith("kept.db\n")
    assert told.endswith("events, proved.\n")
    told = run("db", "copy", STORE, "new.db").out
    assert "equal on both sides" in told


def test_a_server_gets_the_command_of_its_own_tool(run, empty):
    done = run("db", "backup", "--store", "postgresql://it:s3cret@db.example/lincoln")
    assert done.code == 0
    assert done.out.startswith("pg_dump ")
    done = run("db", "restore", "x", "mariadb://it:s3cret@db.example/lincoln", "--json")
    assert done.data["command"].startswith("mariadb ")
    assert "s3cret" not in done.out + done.err


def test_the_sql_for_a_server_that_is_not_there_yet(run, empty):
    done = run("db", "sql", "--store", "postgresql://", "--from", "base")
    assert done.code == 0
    assert "CREATE TABLE af_device" in done.out
    assert run("db", "sql", "--store", "mysql://", "--from", "9999").code == 6


def test_what_is_in_the_way_has_its_exit_code(run, made):
    assert run("db", "status", "--store", "none.db").code == 3
    assert run("db", "status").code == 3
    assert run("db", "copy", "none.db", "new.db").code == 3
    assert not (made / "new.db").exists()
    taken = made / "taken.db"
    taken.touch()
    assert run("db", "backup", "taken.db", "--store", STORE).code == 7
    assert run("db", "restore", STORE, "taken.db").code == 7
    assert run("db", "copy", STORE, STORE).code == 0
    assert run("db", "copy", STORE, "new.db", "--district", "lincoln").code == 3


def test_a_seal_is_written_kept_and_held_against_the_journal_later(run, made):
    keyed = {"ASSETFLOW_SEAL_KEY": "a line of openssl rand -hex 32"}
    assert run("journal", "seal", "--store", STORE, "-o", "seal.json", **keyed).code == 0
    assert run("journal", "seal", "--store", STORE, "--json", "-o", "document.json").code == 0
    tag = run("devices", "list", "--store", STORE, "--limit", "1", "--json").data[0]["asset_tag"]
    run("check-in", tag, "--store", STORE)
    for file, env in (("seal.json", keyed), ("document.json", {})):
        done = run("journal", "verify", "--seal", file, "--store", STORE, "--json", **env)
        assert done.code == 0, done.err
        assert done.data["checked"] <= 1 < done.data["events"]
    assert run("journal", "seal", "--after", "seal.json", "--store", STORE).code == 0
    seq = str(done.data["events"] - 1)
    assert (
        f"1 of {done.data['events']:,} events"
        in run("journal", "verify", "--since", seq, "--store", STORE).out
    )
    refused = run("journal", "verify", "--seal", "document.json", "--store", STORE, **keyed)
    assert refused.code == 6
    assert "seal-invalid" in refused.err
    both = ("journal", "verify", "--since", "1", "--seal", "seal.json", "--store", STORE)
    assert run(*both).code == 2
    (made / "bad.json").write_bytes(b"\xff\xfe")
    assert run("journal", "verify", "--seal", "bad.json", "--store", STORE).code == 6
