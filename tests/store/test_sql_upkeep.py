"""Looking after a database: its state, the SQL of an upgrade, copies to keep."""

import sqlite3
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

import assetflow.testing.stores  # noqa: F401  # first of the suite: pytest rewrites its asserts
from assetflow.errors import (
    ConfigError,
    CopyDiffers,
    FeatureMissing,
    InvalidValue,
    JournalBroken,
    PlaceTaken,
    SchemaTooNew,
    StoreDamaged,
    StoreUnavailable,
    UnknownDistrict,
)
from assetflow.model import Device, Query
from assetflow.store.sql import HEAD, SqlStore, migrate
from assetflow.store.sql.backups import (
    back_up,
    check_backup,
    dump_command,
    restore,
    restore_command,
)
from assetflow.store.sql.migrate import Found
from assetflow.store.sql.upkeep import database_state, pending_sql, upgrade_database
from assetflow.testing._store.tools import device, insertion

AT = datetime(2026, 11, 24, 13, 40, tzinfo=UTC)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def url(file):
    """A store that is open and in use; its newest commits lie in the log beside the file."""
    store = SqlStore.open(f"sqlite:///{file}")
    insertion(store, "lincoln", *[device(f"d{n}") for n in range(50)])
    insertion(store, "lincoln", device("last"))
    yield f"sqlite:///{file}"
    store.close()


def behind(path, sql):
    connection = sqlite3.connect(path)
    connection.executescript(
        "DROP TRIGGER IF EXISTS af_event_no_update; DROP TRIGGER IF EXISTS af_event_no_delete"
    )
    connection.execute(sql)
    connection.commit()
    connection.close()


# --- state -------------------------------------------------------------------------------------


def test_the_state_of_a_database_names_the_one_district_and_its_end(url, file):
    state = database_state(url)
    assert (state.engine, state.found, state.revision, state.needed) == (
        "sqlite",
        Found.CURRENT,
        HEAD,
        HEAD,
    )
    assert (state.districts, state.events, state.district) == (1, 2, "lincoln")
    assert state.head is not None
    assert state.head.seq == 2
    assert state.size == file.stat().st_size + Path(f"{file}-wal").stat().st_size


def test_of_several_districts_only_the_named_one_is_told(url):
    store = SqlStore.open(url)
    insertion(store, "adams", device())
    store.close()
    state = database_state(url)
    assert (state.districts, state.events, state.district, state.head) == (2, 3, None, None)
    assert "adams" not in repr(state)
    named = database_state(url, district="adams")
    assert (named.districts, named.district, named.head.seq) == (2, "adams", 1)
    with pytest.raises(UnknownDistrict):
        database_state(url, district="monroe")


def test_asking_for_the_state_makes_no_file_and_refuses_no_schema(tmp_path):
    with pytest.raises(StoreUnavailable):
        database_state(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError):
        database_state("no address")
    empty = tmp_path / "empty.db"
    empty.touch()
    state = database_state(f"sqlite:///{empty}")
    assert (state.found, state.revision, state.districts) == (Found.NOTHING, None, 0)
    behind(empty, "CREATE TABLE assets (id INTEGER)")
    assert database_state(f"sqlite:///{empty}").found is Found.FOREIGN


def test_an_upgrade_says_what_it_did(tmp_path):
    address = f"sqlite:///{tmp_path}/new.db"
    assert upgrade_database(address).before is None
    again = upgrade_database(address)
    assert (again.before, again.revision, again.copy) == (HEAD, HEAD, None)


# --- the SQL of an upgrade ---------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "mysql", "mariadb"])
def test_the_whole_schema_can_be_printed_for_each_engine_without_one(engine):
    text = pending_sql(f"{engine}://", since="base")
    assert text == pending_sql(f"{engine}://")
    assert "CREATE TABLE af_device (" in text
    assert f"VALUES ('{migrate.REVISIONS[0]}')" in text
    assert pending_sql(f"{engine}://", since=HEAD) == ""


def test_what_sqlite_prints_makes_the_schema_that_an_upgrade_makes(tmp_path, url, file):
    printed = sqlite3.connect(tmp_path / "printed.db")
    printed.executescript(pending_sql(f"sqlite:///{tmp_path}/none.db"))
    made = sqlite3.connect(file)

    def schema(connection):
        rows = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name")
        return [(kind, name, " ".join((sql or "").split())) for kind, name, sql in rows]

    try:
        assert schema(printed) == schema(made)
    finally:
        printed.close()
        made.close()
    assert not (tmp_path / "none.db").exists()


def test_nothing_is_pending_where_the_schema_is_that_of_this_version(url):
    assert pending_sql(url) == ""


def test_a_revision_that_is_not_known_is_refused(url):
    with pytest.raises(InvalidValue):
        pending_sql(url, since="9999")
    behind(url.removeprefix("sqlite:///"), f"UPDATE {migrate.VERSION_TABLE} SET version_num = '99'")
    with pytest.raises(SchemaTooNew):
        pending_sql(url)


# --- copies to keep ----------------------------------------------------------------------------


def test_a_backup_of_a_store_in_use_is_whole_and_is_one_file(url, file, tmp_path):
    made = back_up(url, at=AT)
    assert made.file == f"{file}.backup-{HEAD}-20261124T134000Z"
    assert (made.districts, made.events, made.revision, made.replayed) == (1, 2, HEAD, True)
    assert made.size == Path(made.file).stat().st_size
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [file.name, f"{file.name}-shm", f"{file.name}-wal", Path(made.file).name]
    )
    with_last = SqlStore.open(f"sqlite:///{made.file}?mode=ro")
    with with_last.read("lincoln") as tx:
        assert tx.get(Device, "last") == device("last")
    with_last.close()


def test_a_backup_is_as_private_as_the_file(url, file, tmp_path):
    file.chmod(0o600)
    made = back_up(url, at=AT, file=str(tmp_path / "copy.db"))
    assert stat.S_IMODE(Path(made.file).stat().st_mode) == 0o600


def test_no_backup_goes_over_a_file(url, tmp_path):
    taken = tmp_path / "taken.db"
    taken.write_text("mine")
    with pytest.raises(PlaceTaken):
        back_up(url, at=AT, file=str(taken))
    assert taken.read_text() == "mine"
    assert not list(tmp_path.glob("*.part"))


def test_a_backup_shows_a_history_that_was_rewritten(url, file):
    behind(file, "UPDATE af_event SET body = replace(body, 'd1', 'd2') WHERE seq = 1")
    with pytest.raises(JournalBroken):
        back_up(url, at=AT)


def test_a_backup_shows_a_table_that_was_edited(url, file):
    behind(file, "UPDATE af_device SET lifecycle = 'lost' WHERE id = 'd7'")
    with pytest.raises(CopyDiffers):
        back_up(url, at=AT)


def test_what_was_backed_up_is_restored_and_can_be_used(url, tmp_path):
    copy = back_up(url, at=AT, file=str(tmp_path / "copy.db"))
    before = Path(copy.file).read_bytes()
    place = tmp_path / "elsewhere" / "lincoln.db"
    place.parent.mkdir()
    restored = restore(copy.file, f"sqlite:///{place}")
    assert (restored.events, restored.districts) == (2, 1)
    assert Path(copy.file).read_bytes() == before
    store = SqlStore.open(f"sqlite:///{place}")
    insertion(store, "lincoln", device("new"))
    with store.read("lincoln") as tx:
        assert tx.count(Query(kind=Device)) == 52
    store.close()
    with pytest.raises(PlaceTaken):
        restore(copy.file, f"sqlite:///{place}")


def test_what_is_no_backup_is_not_restored(tmp_path, url):
    text = tmp_path / "inventory.csv"
    text.write_text("asset_tag,serial\nLHS-1,5CD1\n" * 50)
    cut = tmp_path / "cut.db"
    cut.write_bytes(Path(back_up(url, at=AT).file).read_bytes()[:-8192])
    place = tmp_path / "place.db"
    for path, error in (
        (tmp_path / "none.db", StoreUnavailable),
        (text, StoreDamaged),
        (cut, StoreDamaged),
    ):
        with pytest.raises(error):
            restore(str(path), f"sqlite:///{place}")
        with pytest.raises(error):
            check_backup(str(path))
    assert not place.exists()


# --- servers -----------------------------------------------------------------------------------


POSTGRES = "--host db.example --port 5433 --username it --dbname lincoln"
MARIADB = "--host db.example --user it --password lincoln"
COMMANDS = [
    (
        "postgresql://it:s3cret@db.example:5433/lincoln",
        f"pg_dump --format=custom --no-owner {POSTGRES} --file lincoln.dump",
        f"pg_restore --exit-on-error --no-owner {POSTGRES} lincoln.dump",
    ),
    (
        "mariadb+pymysql://it:s3cret@db.example/lincoln",
        f"mariadb-dump --single-transaction --hex-blob {MARIADB} > lincoln.dump",
        f"mariadb {MARIADB} < lincoln.dump",
    ),
    (
        "mysql://it:s3cret@db.example/lincoln",
        f"mysqldump --single-transaction --hex-blob {MARIADB} > lincoln.dump",
        f"mysql {MARIADB} < lincoln.dump",
    ),
]


@pytest.mark.parametrize(("url", "dump", "back"), COMMANDS)
def test_a_server_is_copied_by_its_own_tool_and_the_password_is_not_said(url, dump, back):
    assert dump_command(url) == dump
    assert restore_command(url) == back
    for call in (lambda: back_up(url, at=AT), lambda: restore("x", url)):
        with pytest.raises(FeatureMissing) as caught:
            call()
        assert "s3cret" not in f"{caught.value.as_dict()}"


def test_of_an_engine_that_is_not_known_no_tool_is_named():
    with pytest.raises(FeatureMissing):
        dump_command("oracle://it@db/lincoln")
