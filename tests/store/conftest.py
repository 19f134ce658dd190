"""Databases of the servers of this machine."""

import secrets

import pytest
import sqlalchemy as sa

from assetflow.store.sql.addresses import engine_for
from assetflow.store.sql.migrate import upgrade

WAIT = 20.0
DRIVERS = {"postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}


def _behind(url):
    """A connection that does what a store would not, each statement for itself."""
    parsed = sa.make_url(url)
    driver = DRIVERS.get(parsed.get_backend_name(), f"{parsed.get_backend_name()}+pymysql")
    engine = sa.create_engine(parsed.set(drivername=driver), poolclass=sa.pool.NullPool)
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


@pytest.fixture(scope="session")
def behind():
    """Opens a connection behind a store's back: ``with behind(url) as connection``."""
    return _behind


def _database(server, *, upgraded=True):
    name = f"t{secrets.token_hex(6)}"
    postgres = server.url.startswith("postgresql")
    with _behind(server.url + ("postgres" if postgres else "")) as admin:
        # An order of text that is not that of bytes, to show that the store brings its own.
        own = (
            "TEMPLATE template0 LC_COLLATE 'C.UTF-8'" if postgres else "COLLATE utf8mb4_general_ci"
        )
        admin.exec_driver_sql(f"CREATE DATABASE {name} {own}")
    url = server.url + name
    if upgraded:
        _upgrade(url)
    return url


def _upgrade(url):
    engine = engine_for(url, lock_timeout=WAIT)
    try:
        upgrade(engine)
    finally:
        engine.close()


@pytest.fixture(scope="session")
def database():
    """Makes a new database of a server, with the tables of a store: its address."""
    return _database


@pytest.fixture(scope="session")
def postgres_url(postgres):
    """One database for all that need none of their own: tests use districts of their own."""
    return _database(postgres)


@pytest.fixture(scope="session")
def mariadb_url(mariadb):
    """One database for all that need none of their own: tests use districts of their own."""
    return _database(mariadb)


@pytest.fixture(scope="session")
def given_url(test_url):
    """The database that ``ASSETFLOW_TEST_URL`` names."""
    if test_url is None:
        pytest.skip("ASSETFLOW_TEST_URL names no database")
    _upgrade(test_url)
    return test_url
