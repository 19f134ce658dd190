"""On a server as well: nothing that names an erased person is in its tables nor in their files."""

from datetime import date

import psycopg
import pytest

import assetflow
from assetflow.errors import StoreLocked
from assetflow.store.sql.migrate import upgrade
from assetflow.store.sql.store import engine_for

from .conftest import (  # noqa: TID252  # helpers of this folder
    KEYS,
    NUMBER,
    VALUES,
    Clock,
    everything,
    found_in,
    plant,
)

KEPT_TOO_LONG = date(2033, 1, 1)


@pytest.fixture
def on_server(postgres):
    with psycopg.connect(f"{postgres.admin_url}postgres", autocommit=True) as admin:
        # the server's own cleaner may be at work in it, which only an administrator can end
        admin.execute("DROP DATABASE IF EXISTS personal WITH (FORCE)")
    with psycopg.connect(f"{postgres.url}postgres", autocommit=True) as maker:
        maker.execute("CREATE DATABASE personal")
    engine = engine_for(f"{postgres.url}personal", lock_timeout=20)
    upgrade(engine)
    engine.close()
    with assetflow.open(
        f"{postgres.url}personal",
        district="lincoln",
        create=True,
        actor="it@lincoln.example",
        clock=Clock(),
    ) as district:
        plant(district)
        yield district


def in_the_files(postgres):
    """What the files of the database hold that is not compressed; the log is not among them."""
    with psycopg.connect(f"{postgres.admin_url}personal", autocommit=True) as admin:
        admin.execute("CHECKPOINT")
        (number,) = admin.execute(
            "SELECT oid FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    folder = postgres.folder / "data" / "base" / str(number)
    return b"".join(p.read_bytes() for p in folder.iterdir() if p.is_file())


def test_nothing_is_left_in_tables_and_files_of_the_server(on_server, postgres):
    assert found_in(everything(on_server)) == set(VALUES)
    assert NUMBER.encode() in in_the_files(postgres)
    done = on_server.people.erase(NUMBER, reason="family-request", keys=KEYS)
    assert done.wiped.reached == ("the server's tables and indexes",)
    assert any("write-ahead log" in place for place in done.wiped.not_reached)
    assert found_in(everything(on_server)) == set()
    assert found_in(in_the_files(postgres)) == set()
    assert on_server.journal.verify().ok
    run = on_server.retention.run(on=KEPT_TOO_LONG, dry_run=False)
    assert run.done
    assert on_server.retention.identities() == []
    assert found_in(in_the_files(postgres)) == set()
    assert on_server.journal.verify().ok


def test_somebody_in_the_way_is_waited_for_and_told(on_server, postgres):
    with on_server.store.read(on_server.id) as tx:
        tx.head()
        hasty = engine_for(f"{postgres.url}personal", lock_timeout=0.2)
        try:
            with pytest.raises(StoreLocked):
                hasty.guarded(hasty.wipe_removed)
        finally:
            hasty.close()
    with psycopg.connect(f"{postgres.url}personal") as reader:  # of no table of the store
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT 1")
        wiped = on_server.retention.wipe()
    assert wiped.reached == ()
    assert "somebody is reading" in wiped.not_reached[0]
