"""The store on SQLite conforms, and does what the store in memory does, command by command."""

import sqlite3

import pytest
from hypothesis import settings

from assetflow.store.schema import kind_of
from assetflow.store.sql import SqlStore
from assetflow.store.sql.tables import TABLES
from assetflow.testing import StoreConformance, store_machine

WAIT = 10.0


def behind(store):
    """A connection behind the store's back; the caller may do what the store would not."""
    connection = sqlite3.connect(store.address.removeprefix("sqlite:///"), isolation_level=None)
    connection.executescript(
        "DROP TRIGGER IF EXISTS af_event_no_update; DROP TRIGGER IF EXISTS af_event_no_delete"
    )
    return connection


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """One file for all: the suite uses districts of its own in each test."""
    return f"sqlite:///{tmp_path_factory.mktemp('sql')}/store.db"


class TestSqliteStore(StoreConformance):
    @pytest.fixture
    def store(self, address):
        store = SqlStore.open(address, lock_timeout=WAIT)
        yield store
        store.close()

    @pytest.fixture
    def reopen(self):
        opened = []

        def again(store):
            store.close()
            opened.append(SqlStore.open(store.address))
            return opened[-1]

        yield again
        for store in opened:
            store.close()

    @pytest.fixture
    def hooked(self, tmp_path):
        opened = []

        def make(on_commit):
            opened.append(SqlStore.open(f"sqlite:///{tmp_path}/hooked.db", on_commit=on_commit))
            return opened[-1]

        yield make
        for store in opened:
            store.close()

    @pytest.fixture
    def tamper(self):
        def change(store, district, seq, column, value):
            connection = behind(store)
            if column == "*":
                connection.execute(
                    "DELETE FROM af_event WHERE district_id = ? AND seq = ?", (district, seq)
                )
            else:
                connection.execute(
                    f"UPDATE af_event SET {column} = ? WHERE district_id = ? AND seq = ?",
                    (value, district, seq),
                )
            connection.close()

        return change

    @pytest.fixture
    def alter(self):
        def change(store, district, record):
            kind = kind_of(record)
            columns = ", ".join(f'"{c.name}" = ?' for c in kind.columns)
            key = " AND ".join(f'"{name}" = ?' for name in kind.key)
            row = kind.codec.plain(record)
            connection = behind(store)
            connection.execute(
                f"UPDATE {TABLES[kind.name].name} SET {columns} WHERE district_id = ? AND {key}",
                (*row, district, *kind.key_of(record)),
            )
            connection.close()

        return change


MACHINE = {}


@pytest.fixture(autouse=True, scope="module")
def _machines_file(tmp_path_factory):
    MACHINE["url"] = f"sqlite:///{tmp_path_factory.mktemp('machine')}/store.db"


Machine = store_machine(lambda: SqlStore.open(MACHINE["url"]))


class TestSqliteMachine(Machine.TestCase):
    # The store in memory runs long; here the disk is waited for, so a run is shorter.
    settings = settings(max_examples=15, stateful_step_count=25, deadline=None)


@pytest.mark.slow
@pytest.mark.timeout(1800)
class TestSqliteMachineLong(Machine.TestCase):
    settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
