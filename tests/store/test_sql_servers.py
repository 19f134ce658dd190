"""The store on servers conforms, and does what the store in memory does, command by command."""

import pytest
from hypothesis import settings

from assetflow.store.schema import kind_of
from assetflow.store.sql import SqlStore
from assetflow.store.sql.tables import TABLES
from assetflow.testing import StoreConformance, store_machine

WAIT = 20.0


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


class OnAServer(StoreConformance):
    """What the suite needs of a server; a subclass gives the address of a database."""

    @pytest.fixture
    def url(self):
        raise NotImplementedError

    @pytest.fixture
    def admin_url(self, url):
        """The address for whoever changes rows behind the store's back."""
        return url

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
    def tamper(self, admin_url, behind):
        def change(store, district, seq, column, value):
            where, at = "WHERE district_id = %s AND seq = %s", (district, seq)
            with behind(admin_url) as cracker:
                if column == "*":
                    cracker.exec_driver_sql(f"DELETE FROM af_event {where}", at)
                else:
                    change = f"UPDATE af_event SET {column} = %s {where}"
                    cracker.exec_driver_sql(change, (value, *at))

        return change

    @pytest.fixture
    def alter(self, admin_url, behind):
        def change(store, district, record):
            kind = kind_of(record)
            with behind(admin_url) as cracker:
                quote = cracker.dialect.identifier_preparer.quote_identifier
                columns = ", ".join(f"{quote(c.name)} = %s" for c in kind.columns)
                key = " AND ".join(f"{quote(name)} = %s" for name in kind.key)
                cracker.exec_driver_sql(
                    f"UPDATE {TABLES[kind.name].name} SET {columns} "
                    f"WHERE district_id = %s AND {key}",
                    (*kind.codec.plain(record), district, *kind.key_of(record)),
                )

        return change


class TestPostgresStore(OnAServer):
    @pytest.fixture
    def url(self, postgres_url):
        return postgres_url

    @pytest.fixture
    def admin_url(self, url, postgres):
        """A role past row-level security."""
        return url.replace(postgres.url, postgres.admin_url)


class TestMariadbStore(OnAServer):
    @pytest.fixture
    def url(self, mariadb_url):
        return mariadb_url


class TestGivenStore(OnAServer):
    """Any server: ``ASSETFLOW_TEST_URL=... python scripts/dev.py test -k GivenStore``."""

    @pytest.fixture
    def url(self, given_url):
        return given_url


# --- state machines --------------------------------------------------------------------------

ADDRESSES = {}


@pytest.fixture
def _postgres_machine(postgres_url):
    ADDRESSES["postgresql"] = postgres_url


@pytest.fixture
def _mariadb_machine(mariadb_url):
    ADDRESSES["mariadb"] = mariadb_url


def machine(name):
    return store_machine(lambda: SqlStore.open(ADDRESSES[name], lock_timeout=WAIT)).TestCase


@pytest.mark.usefixtures("_postgres_machine")
class TestPostgresMachine(machine("postgresql")):
    settings = settings(max_examples=10, stateful_step_count=20, deadline=None)


@pytest.mark.usefixtures("_mariadb_machine")
class TestMariadbMachine(machine("mariadb")):
    settings = settings(max_examples=10, stateful_step_count=20, deadline=None)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("_postgres_machine")
class TestPostgresMachineLong(machine("postgresql")):
    settings = settings(max_examples=200, stateful_step_count=50, deadline=None)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("_mariadb_machine")
class TestMariadbMachineLong(machine("mariadb")):
    settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
