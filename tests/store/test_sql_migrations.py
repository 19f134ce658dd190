"""A file is brought to the schema of this version, once, after a copy; or refused and left alone."""

import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import assetflow.testing.stores  # noqa: F401  # first of the suite: pytest rewrites its asserts
from assetflow.errors import (
    SchemaOutdated,
    SchemaTooNew,
    StoreDamaged,
    StoreFull,
    StoreLocked,
    StoreReadOnly,
    StoreUnavailable,
)
from assetflow.model import Device, Place, PlaceKind, PlaceLink, Query
from assetflow.store.journal import verify
from assetflow.store.sql import HEAD, REVISIONS, SqlStore, migrate
from assetflow.store.sql.addresses import engine_for
from assetflow.store.sql.migrate import Found, prepare_schema, revision, upgrade
from assetflow.store.sql.tables import METADATA
from assetflow.testing._store.tools import device, insertion

LATER = "9999"
SECOND = """
import sqlalchemy as sa
from alembic import op

revision = "{later}"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("af_place") as table:
        table.add_column(sa.Column("floor", sa.String(20)))
        table.alter_column("code", existing_type=sa.String(200), type_=sa.String(300))
    {then}
"""


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def later(tmp_path, monkeypatch):
    """Makes this process a later version, with one more revision."""

    def make(then="pass"):
        scripts = tmp_path / "scripts"
        shutil.copytree(Path(migrate.__file__).parent / "migrations", scripts)
        text = SECOND.format(then=then, head=HEAD, later=LATER)
        (scripts / "versions" / f"{LATER}_later.py").write_text(text)
        monkeypatch.setattr(migrate, "SCRIPTS", str(scripts))
        monkeypatch.setattr(migrate, "REVISIONS", (*REVISIONS, LATER))
        monkeypatch.setattr(migrate, "HEAD", LATER)

    return make


def ask(file, sql, *values):
    connection = sqlite3.connect(file)
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def close(store):
    store.close()


# --- what the revisions make -------------------------------------------------------------------


def schema(connection):
    """Tables, indexes and triggers as SQLite keeps them, spaces apart."""
    rows = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    )
    return {
        (kind, name): " ".join((sql or "").replace('"', "").split())
        for kind, name, sql in rows
        if name != migrate.VERSION_TABLE and kind != "view"  # views are made anew by each upgrade
    }


def test_the_revisions_make_the_tables_of_today(url, file):
    close(SqlStore.open(url))
    engine = sa.create_engine("sqlite://")
    METADATA.create_all(engine)
    today = engine.raw_connection()
    made = sqlite3.connect(file)
    try:
        migrated, live = schema(made), schema(today.driver_connection)
        assert {name for _, name in live} == {name for _, name in migrated}
        for key, sql in live.items():
            # a column that was added later keeps the default that filled the rows of that day
            plain = re.sub(r" DEFAULT (0|\(X''\))", "", migrated[key])
            assert sorted(plain.split(", ")) == sorted(sql.split(", ")), key
    finally:
        made.close()
        today.close()
        engine.dispose()


def test_alembic_finds_nothing_to_do(url):
    engine = engine_for(url, lock_timeout=5)
    prepare_schema(engine)
    with engine.sa_engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": migrate.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, METADATA) == []
    engine.close()


def test_the_revisions_that_are_known_are_those_that_are_there():
    scripts = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    assert tuple(r.revision for r in reversed(list(scripts.walk_revisions()))) == REVISIONS
    assert scripts.get_current_head() == HEAD


# --- opening -----------------------------------------------------------------------------------


def test_a_new_file_is_made_with_no_copy_beside_it(url, file, tmp_path):
    store = SqlStore.open(url)
    insertion(store, "lincoln", device())
    store.close()
    assert [p.name for p in tmp_path.iterdir()] == ["store.db"]
    assert ask(file, f"SELECT version_num FROM {migrate.VERSION_TABLE}") == [(HEAD,)]
    assert ask(file, "PRAGMA journal_mode") == [("wal",)]


def test_an_empty_file_is_as_good_as_none(url, file):
    file.touch()
    store = SqlStore.open(url)
    insertion(store, "lincoln", device())
    assert store.districts() == ["lincoln"]
    store.close()


def test_opening_again_changes_nothing(url, file):
    close(SqlStore.open(url))
    before = file.read_bytes()
    store = SqlStore.open(url)
    assert store.districts() == []
    store.close()
    assert file.read_bytes() == before


def test_mode_rw_makes_no_file(file):
    with pytest.raises(StoreUnavailable):
        SqlStore.open(f"sqlite:///{file}?mode=rw")
    assert not file.exists()


def test_a_folder_that_is_not_there_is_named_as_the_cause(tmp_path):
    with pytest.raises(StoreUnavailable, match="folder"):
        SqlStore.open(f"sqlite:///{tmp_path}/none/store.db")
    with pytest.raises(StoreUnavailable):
        SqlStore.open(f"sqlite:///{tmp_path}")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_left_alone(url, file):
    file.write_text("asset_tag,serial\nLHS-1,5CD1\n" * 50)
    before = file.read_bytes()
    for mode in ("rwc", "ro"):
        with pytest.raises(StoreDamaged):
            SqlStore.open(f"{url}?mode={mode}")
    assert file.read_bytes() == before


def test_another_programs_database_is_left_alone(url, file):
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE assets (id INTEGER PRIMARY KEY, name TEXT)")
    connection.execute("INSERT INTO assets VALUES (1, 'Chromebook')")
    connection.commit()
    connection.close()
    before = file.read_bytes()
    with pytest.raises(StoreUnavailable, match="another program"):
        SqlStore.open(url)
    assert file.read_bytes() == before


# --- versions ----------------------------------------------------------------------------------


def test_a_file_of_a_newer_version_is_refused_and_left_alone(url, file):
    store = SqlStore.open(url)
    insertion(store, "lincoln", device())
    store.close()
    connection = sqlite3.connect(file)
    connection.execute(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '9999'")
    connection.commit()
    connection.close()
    before = file.read_bytes()
    for mode in ("rwc", "ro"):
        with pytest.raises(SchemaTooNew) as caught:
            SqlStore.open(f"{url}?mode={mode}")
        assert caught.value.context == {"revision": "9999", "known": HEAD}
    assert file.read_bytes() == before


def places():
    site = Place(id="s1", kind=PlaceKind.SITE, name="Lincoln High", code="LHS")
    return site, PlaceLink(source="google", source_id="ou1", place_id="s1")


def test_an_older_file_is_copied_and_then_brought_up_to_date(url, file, tmp_path, later):
    store = SqlStore.open(url)
    site, link = places()
    insertion(store, "lincoln", site, link, device("d1", site_id="s1"), device("d2"))
    with store.read("lincoln") as tx:
        head = tx.head()
    store.close()
    later()

    with pytest.raises(SchemaOutdated):
        SqlStore.open(url, migrate=False)
    with pytest.raises(SchemaOutdated):
        SqlStore.open(f"{url}?mode=ro")
    assert list(tmp_path.glob("*.backup-*")) == []

    store = SqlStore.open(url)
    with store.read("lincoln") as tx:
        assert tx.get(Place, "s1") == site
        assert tx.get(PlaceLink, "google", "ou1") == link
        assert verify(tx).head == head
        assert tx.count(Query(kind=Device)) == 2
    insertion(store, "lincoln", device("d3", site_id="s1"))
    store.close()
    assert ask(file, "SELECT id, code, floor FROM af_place") == [("s1", "LHS", None)]
    assert ask(file, "PRAGMA foreign_key_check") == []
    names = ask(file, "SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
    assert [name for (name,) in names] == ["af_event_no_delete", "af_event_no_update"]

    (copy,) = tmp_path.glob("*.backup-*")
    assert copy.name.startswith(f"store.db.backup-{HEAD}-")
    assert ask(copy, f"SELECT version_num FROM {migrate.VERSION_TABLE}") == [(HEAD,)]
    assert ask(copy, "SELECT count(*) FROM af_device") == [(2,)]
    assert ask(copy, "PRAGMA integrity_check") == [("ok",)]


def test_references_still_hold_after_a_table_was_built_anew(url, later):
    close(SqlStore.open(url))
    later()
    store = SqlStore.open(url)
    from assetflow.errors import InvalidValue

    with pytest.raises(InvalidValue):
        insertion(store, "lincoln", device("d1", site_id="nowhere"))
    store.close()


def test_a_migration_that_fails_leaves_the_file_as_it_was(url, file, tmp_path, later):
    store = SqlStore.open(url)
    insertion(store, "lincoln", *places())
    store.close()
    before = ask(file, "SELECT type, name, sql FROM sqlite_master ORDER BY name")
    later("raise RuntimeError('in the middle')")
    with pytest.raises(RuntimeError, match="in the middle"):
        SqlStore.open(url)
    assert ask(file, "SELECT type, name, sql FROM sqlite_master ORDER BY name") == before
    assert ask(file, f"SELECT version_num FROM {migrate.VERSION_TABLE}") == [(HEAD,)]
    assert ask(file, "SELECT count(*) FROM af_place") == [(1,)]
    assert len(list(tmp_path.glob("*.backup-*"))) == 1


def test_a_migration_that_would_break_references_is_refused(url, file, later):
    store = SqlStore.open(url)
    insertion(store, "lincoln", *places())
    store.close()
    later('op.execute("DELETE FROM af_place")')
    with pytest.raises(StoreDamaged):
        SqlStore.open(url)
    assert ask(file, "SELECT count(*) FROM af_place") == [(1,)]


def test_the_state_of_a_file_can_be_asked_for_without_changing_it(url, later):
    engine = engine_for(url, lock_timeout=5)
    assert revision(engine) == (Found.NOTHING, None)
    assert upgrade(engine) is None
    assert revision(engine) == (Found.CURRENT, HEAD)
    later()
    assert revision(engine) == (Found.OLDER, HEAD)
    assert f".backup-{HEAD}-" in str(upgrade(engine))
    assert revision(engine) == (Found.CURRENT, LATER)
    engine.close()


def test_a_copy_that_cannot_be_made_stops_the_migration_and_leaves_no_half(
    url, file, tmp_path, later, monkeypatch
):
    close(SqlStore.open(url))
    later()

    class Full(sqlite3.Connection):
        def backup(self, *args, **kwargs):
            problem = sqlite3.OperationalError("no space")
            problem.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise problem

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **{**k, "factory": Full}))
    with pytest.raises(StoreFull):
        SqlStore.open(url)
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["store.db"]
    assert ask(file, f"SELECT version_num FROM {migrate.VERSION_TABLE}") == [(HEAD,)]


def test_a_new_file_that_another_process_holds_is_locked(url, file):
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreLocked):
        SqlStore.open(url, lock_timeout=0.2)
    holder.execute("ROLLBACK")
    holder.close()
    close(SqlStore.open(url, lock_timeout=0.2))


def test_a_file_system_without_a_shared_log_is_refused(url, monkeypatch):
    from assetflow.store.sql.sqlite import SqliteEngine

    monkeypatch.setattr(SqliteEngine, "_log_mode", lambda *_: "delete")
    with pytest.raises(StoreUnavailable, match="log"):
        SqlStore.open(url)


# --- reading only ------------------------------------------------------------------------------


def test_a_file_opened_for_reading_is_read_and_not_written(url, file):
    store = SqlStore.open(url)
    insertion(store, "lincoln", device())
    store.close()
    reading = SqlStore.open(f"{url}?mode=ro")
    with reading.read("lincoln") as tx:
        assert tx.get(Device, "d1") == device()
    with pytest.raises(StoreReadOnly), reading.write("lincoln"):
        pytest.fail("a write transaction began")
    assert reading.districts() == ["lincoln"]
    reading.close()
    with pytest.raises(StoreUnavailable):
        SqlStore.open(f"sqlite:///{file}.none?mode=ro")


# --- several at once ---------------------------------------------------------------------------

OPENS = """
import sys
from assetflow.store.sql import SqlStore
sys.stdin.readline()
store = SqlStore.open(sys.argv[1])
print(store.districts())
store.close()
"""


def test_four_processes_that_open_a_new_file_at_once_all_succeed(url, file, tmp_path):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPENS, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    ends = [process.communicate(timeout=60) for process in processes]
    assert [(p.returncode, out, err) for p, (out, err) in zip(processes, ends, strict=True)] == [
        (0, "[]\n", "")
    ] * 4
    assert ask(file, f"SELECT version_num FROM {migrate.VERSION_TABLE}") == [(HEAD,)]
    assert [p.name for p in tmp_path.iterdir()] == ["store.db"]


def test_threads_that_open_files_at_once_do_not_meet(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    def make(n):
        store = SqlStore.open(f"sqlite:///{tmp_path}/{n % 3}.db")
        insertion(store, f"district-{n}", device())
        store.close()
        return n

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(make, range(6))) == list(range(6))
    assert len(ask(tmp_path / "0.db", "SELECT DISTINCT district_id FROM af_device")) == 2
