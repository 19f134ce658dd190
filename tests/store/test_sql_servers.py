"""The store on PostgreSQL conforms, and does what the store in memory does, command by command."""

import secrets

import psycopg
import pytest
from hypothesis import settings

from assetflow.store.schema import kind_of
from assetflow.store.sql import SqlStore
from assetflow.store.sql.addresses import engine_for
from assetflow.store.sql.migrate import upgrade
from assetflow.store.sql.tables import TABLES
from assetflow.testing import StoreConformance, store_machine

WAIT = 20.0


def migrated(server):
    """The address of a new database of a server, with the tables of a store."""
    name = f"t{secrets.token_hex(6)}"
    with psycopg.connect(f"{server.url}postgres", autocommit=True) as admin:
        # An order of text that is not that of bytes, to show that the store brings its own.
        admin.execute(f"CREATE DATABASE {name}")
    engine = engine_for(server.url + name, lock_timeout=WAIT)
    try:
        upgrade(engine)
    finally:
        engine.close()
    return server.url + name


@pytest.fixture(scope="module")
def url(postgres):
    """One database for all: the suite uses districts of its own in each test."""
    return migrated(postgres)


@pytest.fixture
def opened():
    """Opens stores, and closes them in the end."""
    stores = []

    def make(url, **options):
        stores.append(SqlStore.open(url, lock_timeout=WAIT, **options))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


class TestPostgresStore(StoreConformance):
    @pytest.fixture
    def behind(self, url, postgres):
        """The address for whoever changes rows behind the store's back, past row-level security."""
        return url.replace(postgres.url, postgres.admin_url)

    @pytest.fixture
    def store(self, url, opened):
        return opened(url)

    @pytest.fixture
    def reopen(self, url, opened):
        def again(store):
            store.close()
            return opened(url)

        return again

    @pytest.fixture
    def hooked(self, url, opened):
        return lambda on_commit: opened(url, on_commit=on_commit)

    @pytest.fixture
    def tamper(self, behind):
        def change(store, district, seq, column, value):
            with psycopg.connect(behind) as cracker:
                where, at = "WHERE district_id = %s AND seq = %s", (district, seq)
                if column == "*":
                    cracker.execute(f"DELETE FROM af_event {where}", at)
                else:
                    cracker.execute(f"UPDATE af_event SET {column} = %s {where}", (value, *at))

        return change

    @pytest.fixture
    def alter(self, behind):
        def change(store, district, record):
            kind = kind_of(record)
            columns = ", ".join(f'"{c.name}" = %s' for c in kind.columns)
            key = " AND ".join(f'"{name}" = %s' for name in kind.key)
            with psycopg.connect(behind) as cracker:
                cracker.execute(
                    f"UPDATE {TABLES[kind.name].name} SET {columns} "
                    f"WHERE district_id = %s AND {key}",
                    (*kind.codec.plain(record), district, *kind.key_of(record)),
                )

        return change


MACHINE = {}


@pytest.fixture(autouse=True, scope="module")
def _machines_database(url):
    MACHINE["url"] = url


Machine = store_machine(lambda: SqlStore.open(MACHINE["url"], lock_timeout=WAIT))


class TestPostgresMachine(Machine.TestCase):
    settings = settings(max_examples=15, stateful_step_count=25, deadline=None)


@pytest.mark.slow
@pytest.mark.timeout(1800)
class TestPostgresMachineLong(Machine.TestCase):
    settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
