"""Servers that refuse, lock, kill and break: typed errors, nothing half done, work goes on."""

import subprocess
import sys
import threading
import traceback

import pytest

import assetflow
from assetflow.errors import (
    AssetflowError,
    CommitUnknown,
    ConfigError,
    DuplicateKey,
    InvalidValue,
    MissingExtra,
    SchemaOutdated,
    StoreLocked,
    StoreReadOnly,
    StoreUnavailable,
    TransactionClosed,
    TransactionLost,
)
from assetflow.model import Device, DeviceModel, Person, PersonKind, Query, Remembered
from assetflow.store.journal import verify
from assetflow.store.ports import Durability
from assetflow.store.sql import HEAD, SqlStore
from assetflow.store.sql.addresses import engine_for
from assetflow.store.sql.migrate import Found, revision
from assetflow.testing._store.tools import device, edited, entry, insertion

HERE = "lincoln"
CANARY = "Canary-Kowalski"
WAIT = 20.0


@pytest.fixture(params=["postgres", "mariadb"])
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def url(server, database):
    return database(server)


@pytest.fixture
def opened():
    stores = []

    def make(url, **options):
        stores.append(SqlStore.open(url, **{"lock_timeout": WAIT, **options}))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def store(url, opened):
    return opened(url)


@pytest.fixture
def kill(server, url, behind):
    """Ends a connection of a store from the server's side."""

    def end(tx):
        driver = tx._connection.driver_connection
        with behind(url.replace(server.url, server.admin_url)) as admin:
            if is_postgres(server):
                admin.exec_driver_sql(
                    "SELECT pg_terminate_backend(%s, 5000)", (driver.info.backend_pid,)
                )
            else:
                admin.exec_driver_sql(f"KILL {driver.thread_id()}")

    return end


def is_postgres(server):
    return server.url.startswith("postgresql")


def says_nothing(problem):
    """Neither an error nor what it came from shows a value."""
    told = "".join(traceback.format_exception(problem))
    told += f"{problem!r} {problem.as_dict()} {problem.__cause__!r} {problem.__context__!r}"
    return CANARY not in told


def works(store):
    insertion(store, HERE, device("after"))
    with store.read(HERE) as tx:
        assert tx.get(Device, "after") == device("after")
        verify(tx)


# --- opening -----------------------------------------------------------------------------------


def test_an_empty_database_is_not_upgraded_by_whoever_opens_it(server, database):
    url = database(server, upgraded=False)
    with pytest.raises(SchemaOutdated, match="no tables") as caught:
        SqlStore.open(url)
    assert "assetflow db upgrade" in caught.value.hint
    engine = engine_for(url, lock_timeout=WAIT)
    assert revision(engine) == (Found.NOTHING, None)
    engine.close()


def with_password(server, *, port=None, database="none", user="nobody"):
    scheme = server.url.partition(":")[0]
    return f"{scheme}://{user}:{CANARY}@127.0.0.1:{port or server.port}/{database}"


def test_a_server_that_lets_nobody_in_is_told_without_the_password(server):
    places = [with_password(server), with_password(server, port=1)]
    places.append(with_password(server, user="assetflow"))
    for url in places:
        with pytest.raises(StoreUnavailable) as caught:
            SqlStore.open(url)
        assert says_nothing(caught.value)
        assert caught.value.hint
        assert "nobody" not in str(caught.value)


def test_an_address_shows_no_password_and_no_option(server):
    options = "sslmode=prefer" if is_postgres(server) else "read_timeout=30"
    engine = engine_for(f"{with_password(server)}?{options}", lock_timeout=1)
    scheme = server.url.partition(":")[0]
    assert engine.address == f"{scheme}://nobody@127.0.0.1:{server.port}/none"
    assert CANARY not in f"{engine!r} {engine.sa_engine!r} {vars(engine.sa_engine)}"
    engine.close()


def test_an_unknown_option_is_refused(server):
    with pytest.raises(ConfigError, match="option") as caught:
        SqlStore.open(f"{with_password(server)}?no_such={CANARY}")
    assert says_nothing(caught.value)


@pytest.mark.parametrize(
    ("url", "driver", "extra"),
    [
        ("postgresql://localhost/lincoln", "psycopg", "postgres"),
        ("mariadb://localhost/lincoln", "pymysql", "mariadb"),
        ("mysql://localhost/lincoln", "pymysql", "mariadb"),
    ],
)
def test_a_driver_that_is_missing_is_named_with_its_extra(monkeypatch, url, driver, extra):
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(MissingExtra) as caught:
        SqlStore.open(url)
    assert caught.value.hint == f'Run: pip install "assetflow-k12[{extra}]"'


@pytest.mark.parametrize("url", ["postgresql://localhost:port/x", "oracle://x", "lincoln.db"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ConfigError):
        SqlStore.open(url)


MIGRATES = """
import sys
from assetflow.store.sql.addresses import engine_for
from assetflow.store.sql.migrate import upgrade
sys.stdin.readline()
engine = engine_for(sys.argv[1], lock_timeout=60)
upgrade(engine)
engine.close()
print("done")
"""


def test_four_migrators_at_once_end_with_one_schema(server, database, behind, opened):
    url = database(server, upgraded=False)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATES, url],
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
    ends = [process.communicate(timeout=100) for process in processes]
    assert [(p.returncode, out, err) for p, (out, err) in zip(processes, ends, strict=True)] == [
        (0, "done\n", "")
    ] * 4
    with behind(url) as admin:
        found = admin.exec_driver_sql("SELECT version_num FROM assetflow_alembic_version").all()
    assert [tuple(row) for row in found] == [(HEAD,)]
    works(opened(url))


# --- values ------------------------------------------------------------------------------------


def duplicate(tx):
    model = DeviceModel(id="m1", name="x", name_key=CANARY)
    tx.record([entry(model)])
    tx.record([entry(DeviceModel(id="m2", name="x", name_key=CANARY))])


def dangling(tx):
    tx.record([entry(device("d1", model_id=CANARY))])


@pytest.mark.parametrize(
    ("act", "error"), [(duplicate, DuplicateKey), (dangling, InvalidValue)], ids=["twice", "none"]
)
def test_no_error_shows_a_value(store, act, error):
    with pytest.raises(error) as caught, store.write(HERE) as tx:
        act(tx)
    assert says_nothing(caught.value)
    works(store)


def test_a_table_that_refuses_shows_no_value(server, store, behind, url):
    """A constraint of the district's own, for which there is no look before."""
    with behind(url) as admin:
        admin.exec_driver_sql(
            "ALTER TABLE af_person ADD CONSTRAINT own CHECK (given_name <> 'Canary-Kowalski')"
        )
    person = Person(id="p1", kind=PersonKind.STUDENT, given_name=CANARY)
    with pytest.raises(InvalidValue) as caught:
        insertion(store, HERE, person)
    assert says_nothing(caught.value)


# --- locks -------------------------------------------------------------------------------------


def test_a_lock_that_is_not_had_in_time_is_told(url, store, opened):
    insertion(store, HERE, device())
    hasty = opened(url, lock_timeout=1)
    with store.write(HERE) as tx:
        tx.lock((Device, ("d1",)))
        with pytest.raises(StoreLocked), hasty.write(HERE) as other:
            other.lock((Device, ("d1",)))
    works(hasty)


def test_of_two_that_wait_for_each_other_one_is_ended_and_may_do_it_again(store):
    insertion(store, HERE, device("d1"), device("d2"))
    barrier, ends = threading.Barrier(2), []

    def cross(first, second):
        try:
            with store.write(HERE) as tx:
                tx.lock((Device, (first,)))
                barrier.wait(30)
                tx.lock((Device, (second,)))
                found = tx.get(Device, first)
                tx.record([entry(edited(found, asset_tag=first))])
        except TransactionLost as lost:
            ends.append(lost.recovery.value)
        else:
            ends.append("done")

    threads = [threading.Thread(target=cross, args=pair) for pair in (("d1", "d2"), ("d2", "d1"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ends) == ["done", "retry"]
    works(store)


def test_a_write_reads_what_was_committed_before_its_lock(store):
    """At a server's own default, the first read would fix what all later ones see."""
    insertion(store, HERE, device())
    with store.write(HERE) as tx:
        assert tx.get(Device, "d1").asset_tag is None
        with store.write(HERE) as other:
            other.record([entry(edited(device(), asset_tag="T"))])
        tx.lock((Device, ("d1",)))
        assert tx.get(Device, "d1").asset_tag == "T"


def test_two_first_events_of_a_district_are_two(store):
    threads = [
        threading.Thread(target=insertion, args=(store, HERE, device(f"d{n}"))) for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with store.read(HERE) as tx:
        assert verify(tx).events == tx.count(Query(kind=Device)) == 6


# --- connections -------------------------------------------------------------------------------


@pytest.mark.parametrize("durability", Durability)
def test_a_connection_that_ends_in_a_transaction_ends_it(store, kill, durability):
    def act():
        with store.write(HERE, durability=durability) as tx:
            tx.record([entry(device())])
            kill(tx)
            tx.get(Device, "d1")

    with pytest.raises(TransactionLost) as caught:
        act()
    assert caught.value.__cause__ is caught.value.__context__ is None
    with store.read(HERE) as tx:
        assert tx.get(Device, "d1") is None
    works(store)


def test_a_connection_that_ends_during_the_commit_leaves_it_open_whether_it_was_made(store, kill):
    def act():
        with store.write(HERE) as tx:
            begun.append(tx)
            tx.record([entry(device())])
            commit = tx._commit_driver

            def broken():
                kill(tx)
                commit()

            tx._commit_driver = broken

    begun = []
    with pytest.raises(CommitUnknown) as caught:
        act()
    assert caught.value.__cause__ is caught.value.__context__ is None
    with pytest.raises(TransactionClosed):
        begun[0].head()
    works(store)


def test_an_act_whose_connection_ends_is_done_again_as_a_whole(store, kill):
    district = assetflow.open(store, district=HERE, create=True, actor="it")
    kills = iter([True, True])

    def do(tx, act):
        tx.record([entry(device(), by=act.stamp())])
        if next(kills, False):
            kill(tx)
            tx.head()
            tx.get(Device, "d1")
        return "done"

    assert district._session.write(do) == "done"
    with store.read(HERE) as tx:
        assert tx.count(Query(kind=Device)) == 1
        verify(tx)


def test_connections_that_ended_while_nobody_used_them_are_replaced(store, kill):
    insertion(store, HERE, device())
    scopes = [store.read(HERE) for _ in range(4)]
    transactions = [scope.__enter__() for scope in scopes]
    drivers = list(transactions)
    for tx in drivers:
        kill(tx)
    for scope in scopes:
        scope.__exit__(None, None, None)
    works(store)
    assert store.districts() == [HERE]


def test_a_statement_prepared_before_a_change_of_the_tables_is_prepared_again(
    postgres, database, opened, behind
):
    url = database(postgres)
    store = opened(url)
    district = assetflow.open(store, district=HERE, create=True, actor="it")
    for _ in range(8):
        with store.write(HERE) as tx:
            tx.get(Remembered, "k")
    with behind(url) as admin:
        admin.exec_driver_sql("ALTER TABLE af_idempotency ALTER COLUMN result TYPE varchar")
    seen = []
    district._session.write(lambda tx, act: seen.append(tx.get(Remembered, "k")))
    assert seen == [None]


def test_a_role_without_rights_is_told(postgres, database, behind, opened):
    url = database(postgres)
    reader = "reader_of_" + url.rpartition("/")[2]
    with behind(url.replace(postgres.url, postgres.admin_url)) as admin:
        admin.exec_driver_sql(f"CREATE ROLE {reader} LOGIN")
        admin.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}")
    store = opened(url.replace("assetflow@", f"{reader}@"))
    with store.read(HERE) as tx:
        assert tx.count(Query(kind=Device)) == 0
    with pytest.raises(StoreReadOnly) as caught:
        insertion(store, HERE, device(asset_tag=CANARY))
    assert says_nothing(caught.value)
    assert isinstance(caught.value, AssetflowError)
