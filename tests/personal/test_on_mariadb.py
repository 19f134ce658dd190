"""On MariaDB too: nothing that names an erased person is in its tables nor in their files."""

import pymysql
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


@pytest.fixture
def url(mariadb):
    with (
        pymysql.connect(host="127.0.0.1", port=mariadb.port, user="assetflow") as maker,
        maker.cursor() as cursor,
    ):
        cursor.execute("DROP DATABASE IF EXISTS personal")
        cursor.execute("CREATE DATABASE personal")
    made = f"{mariadb.url}personal"
    engine = engine_for(made, lock_timeout=20)
    upgrade(engine)
    engine.close()
    return made


@pytest.fixture
def on_server(url):
    with assetflow.open(
        url, district="lincoln", create=True, actor="it@lincoln.example", clock=Clock()
    ) as district:
        plant(district)
        yield district


def in_the_files(mariadb):
    """What the files of the tables hold once the server has written all out."""
    with (
        pymysql.connect(host="127.0.0.1", port=mariadb.port, user="assetflow") as admin,
        admin.cursor() as cursor,
    ):
        cursor.execute("USE personal")
        cursor.execute("SHOW TABLES LIKE 'af\\_%'")
        names = ", ".join(f"`{name}`" for (name,) in cursor.fetchall())
        cursor.execute(f"FLUSH TABLES {names} FOR EXPORT")
        folder = mariadb.folder / "data" / "personal"
        found = b"".join(p.read_bytes() for p in folder.glob("*.ibd"))
        cursor.execute("UNLOCK TABLES")
    return found


def test_nothing_is_left_in_tables_and_files_of_the_server(on_server, mariadb):
    assert found_in(everything(on_server)) == set(VALUES)
    assert NUMBER.encode() in in_the_files(mariadb)
    done = on_server.people.erase(NUMBER, reason="family-request", keys=KEYS)
    assert done.wiped.reached == ("the server's tables and indexes",)
    assert any("binary logs" in place for place in done.wiped.not_reached)
    assert found_in(everything(on_server)) == set()
    assert found_in(in_the_files(mariadb)) == set()
    assert on_server.journal.verify().ok


def test_somebody_in_the_way_is_waited_for_and_told(on_server, url):
    with on_server.store.read(on_server.id) as tx:
        tx.head()
        hasty = engine_for(url, lock_timeout=1)
        try:
            with pytest.raises(StoreLocked):
                hasty.guarded(hasty.wipe_removed)
        finally:
            hasty.close()
