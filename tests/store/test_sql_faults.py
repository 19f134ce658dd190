"""Locked, read-only, full, damaged: a typed error, nothing half done, and the store works again."""

import contextlib
import gc
import json
import logging
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import traceback
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from attrs import evolve

import assetflow.testing.stores  # noqa: F401  # first of the suite: pytest rewrites its asserts
from assetflow.errors import (
    AssetflowError,
    DuplicateKey,
    InvalidValue,
    StaleVersion,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreReadOnly,
    StoreUnavailable,
    TransactionClosed,
)
from assetflow.model import Device, Hold, Note, Person, PersonKind, Query, Remembered, Sighting
from assetflow.store.journal import verify
from assetflow.store.ports import Durability
from assetflow.store.sql import SqlStore, faults
from assetflow.testing._store.tools import NOW, device, edited, entry, insertion

HERE = "lincoln"


@pytest.fixture
def store(tmp_path):
    store = SqlStore.open(f"sqlite:///{tmp_path}/store.db", lock_timeout=0.3)
    yield store
    store.close()


def path_of(store):
    return store.address.removeprefix("sqlite:///")


def remembered(key):
    return Remembered(key=key, fingerprint="f", result="{}", made_at=NOW)


def acknowledged(store):
    with store.read(HERE) as tx:
        return {r.key for r in tx.find(Query(kind=Remembered))}


def works(store):
    """The store takes a write and gives it back, and its journal verifies."""
    with store.write(HERE) as tx:
        key = f"after-{tx.head().seq}"
        tx.record([entry(device(key))])
    with store.read(HERE) as tx:
        assert tx.get(Device, key) == device(key)
        verify(tx)
    assert ask(store, "PRAGMA integrity_check") == [("ok",)]


def ask(store, sql):
    connection = sqlite3.connect(path_of(store))
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


# --- locked ------------------------------------------------------------------------------------

HOLDS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
print("let go", flush=True)
sys.stdin.readline()
"""


@contextlib.contextmanager
def another_process(store):
    """Another process with the write lock; the block gets how to make it let go."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, path_of(store)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "held\n"

        def let_go():
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "let go\n"

        yield let_go
        process.kill()


def test_a_file_that_another_process_writes_to_is_locked_and_then_works(store):
    insertion(store, HERE, device())
    with another_process(store) as let_go:
        with pytest.raises(StoreLocked) as caught, store.write(HERE):
            pytest.fail("two writers")
        assert caught.value.__context__ is None
        with store.read(HERE) as tx:
            assert tx.get(Device, "d1") == device()
        let_go()
        works(store)


def test_a_writer_waits_for_another_process(tmp_path):
    store = SqlStore.open(f"sqlite:///{tmp_path}/store.db", lock_timeout=20)
    with another_process(store) as let_go:
        timer = threading.Timer(0.2, let_go)
        timer.start()
        insertion(store, HERE, device())
        timer.join()
    works(store)
    store.close()


def test_a_thread_waits_for_another_no_longer_than_it_may(store):
    began, end = threading.Event(), threading.Event()

    def hold():
        with store.write(HERE) as tx:
            tx.insert([remembered("first")])
            began.set()
            end.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    began.wait(10)
    with pytest.raises(StoreLocked, match="another thread"), store.write(HERE):
        pytest.fail("two writers")
    end.set()
    thread.join()
    assert acknowledged(store) == {"first"}
    works(store)


# --- read-only ---------------------------------------------------------------------------------


def test_a_file_that_may_not_be_written_is_read_only_and_then_works(store):
    insertion(store, HERE, device())
    forbid(store, "ON")
    with store.read(HERE) as tx:
        assert tx.get(Device, "d1") == device()
    with pytest.raises(StoreReadOnly), store.write(HERE) as tx:
        tx.insert([remembered("k")])
    forbid(store, "OFF")
    works(store)


def forbid(store, how):
    """Have SQLite refuse writes on the pool's connections, as for a file without permission."""
    connection = store._engine.connect()
    connection.driver_connection.execute(f"PRAGMA query_only = {how}")
    connection.close()


def as_nobody(act):
    """Do it in a forked child without the right to write everywhere; what it says."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = "died"
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            said = act()
        except BaseException as problem:  # noqa: BLE001  # it goes to the parent
            said = repr(problem)
        finally:
            os.write(writing, said.encode())
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123  # a pipe
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said


def outcomes(address):
    """What opening, reading and writing give."""
    seen = []
    try:
        with contextlib.closing(SqlStore.open(address)) as store:
            seen.append("opened")
            with store.read(HERE) as tx:
                seen.append(f"read {tx.count(Query(kind=Device))}")
            with store.write(HERE) as tx:
                tx.insert([remembered("k")])
                seen.append("wrote")
    except AssetflowError as problem:
        seen.append(problem.code)
    return ", ".join(seen)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize(
    ("file_mode", "folder_mode", "expected"),
    [
        (0o444, 0o555, "store-read-only"),
        (0o666, 0o555, "store-read-only"),
        (0o444, 0o777, "opened, read 1, store-read-only"),
        (0o666, 0o777, "opened, read 1, wrote"),
    ],
)
def test_permissions_that_lack(file_mode, folder_mode, expected):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        file = Path(folder) / "store.db"
        store = SqlStore.open(f"sqlite:///{file}")
        insertion(store, HERE, device())
        store.close()
        file.chmod(file_mode)
        Path(folder).chmod(folder_mode)
        assert as_nobody(lambda: outcomes(store.address)) == expected
        Path(folder).chmod(0o755)
        file.chmod(0o644)
        with contextlib.closing(SqlStore.open(store.address)) as again:
            works(again)


# --- full --------------------------------------------------------------------------------------


def fill(store, durability=Durability.FULL):
    """Write until there is no space; the keys that were acknowledged."""
    acked = set()
    for n in range(100_000):
        note = Note(
            id=f"n{n}", subject_kind="device", subject_id="d1", written_at=NOW, text="x" * 3000
        )
        try:
            with store.write(HERE, durability=durability) as tx:
                tx.insert([remembered(f"k{n}"), note])
        except StoreFull as full:
            if full.__cause__ or full.__context__:
                raise
            return acked
        acked.add(f"k{n}")
    pytest.fail("there was always space")


@pytest.mark.parametrize("durability", Durability)
def test_a_full_database_is_told_and_nothing_acknowledged_is_lost(store, durability):
    def limit(pages):
        @sa.event.listens_for(store._engine.sa_engine, "connect")
        def set_limit(connection, _):
            connection.execute(f"PRAGMA max_page_count = {pages}")

        store._engine.sa_engine.dispose()
        return set_limit

    used = ask(store, "PRAGMA page_count")[0][0]
    listener = limit(used + 60)
    acked = fill(store, durability)
    assert len(acked) >= 30
    assert acknowledged(store) == acked
    with pytest.raises(StoreFull):
        insertion(store, HERE, *[device(f"d{n}", serial="x" * 200) for n in range(500)])
    sa.event.remove(store._engine.sa_engine, "connect", listener)
    limit(used + 5000)
    assert acknowledged(store) == acked
    works(store)


LIMITED = """
import json, resource, sys
from assetflow.store.sql import SqlStore
sys.path.insert(0, sys.argv[2])
from test_sql_faults import acknowledged, fill, works
store = SqlStore.open(sys.argv[1])
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), hard))
acked = fill(store)
assert acknowledged(store) == acked
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
works(store)
print(json.dumps(sorted(acked)))
store.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
@pytest.mark.parametrize("limit", [900_000, 2_000_000])
def test_a_file_at_its_size_limit_is_told_and_nothing_acknowledged_is_lost(store, limit):
    store.close()
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, store.address, str(Path(__file__).parent), str(limit)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    acked = set(json.loads(done.stdout))
    assert len(acked) >= 30
    again = SqlStore.open(store.address)
    assert acknowledged(again) == acked
    works(again)
    again.close()


def test_a_failed_write_is_full_only_where_space_is_short(tmp_path, monkeypatch):
    class IoError(sqlite3.OperationalError):
        sqlite_errorcode = 778

    path = str(tmp_path / "store.db")
    assert isinstance(faults.sqlite_fault(IoError(), path), StoreUnavailable)
    monkeypatch.setattr(faults, "_disk_full", lambda _: True)
    assert isinstance(faults.sqlite_fault(IoError(), path), StoreFull)


# --- damaged -----------------------------------------------------------------------------------


def test_a_damaged_file_is_told(store):
    insertion(store, HERE, *[device(f"d{n}") for n in range(2000)])
    store.close()
    path = Path(path_of(store))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * (size // 4))
    again = SqlStore.open(store.address)
    with pytest.raises(StoreDamaged) as caught, again.read(HERE) as tx:
        verify(tx)
    assert caught.value.__context__ is None
    again.close()


def test_a_value_that_no_record_has_is_damage(store):
    insertion(store, HERE, device())
    connection = sqlite3.connect(path_of(store))
    connection.execute("UPDATE af_device SET lifecycle = 'melted'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreDamaged) as caught, store.read(HERE) as tx:
        tx.get(Device, "d1")
    assert caught.value.context == {"kind": "device", "field": "lifecycle"}
    assert "melted" not in repr(caught.value.as_dict())


def test_the_journal_refuses_to_be_changed(store):
    insertion(store, HERE, device())
    connection = sqlite3.connect(path_of(store), isolation_level=None)
    for sql in ("UPDATE af_event SET body = '{}'", "DELETE FROM af_event"):
        with pytest.raises(sqlite3.IntegrityError) as caught:
            connection.execute(sql)
        found = faults.sqlite_fault(caught.value, path_of(store))
        assert type(found) is StoreError
    connection.close()
    with store.read(HERE) as tx:
        assert verify(tx).events == 1


def test_a_file_that_was_removed_is_told(store, tmp_path):
    store.close()
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(StoreUnavailable):
        SqlStore.open(f"{store.address}?mode=rw")


def test_damage_under_the_first_read_is_told_too(store):
    insertion(store, HERE, device())
    store.close()
    pages = ask(store, "SELECT rootpage FROM sqlite_master WHERE tbl_name = 'af_event_head'")
    size = ask(store, "PRAGMA page_size")[0][0]
    with Path(path_of(store)).open("r+b") as file:
        for (page,) in pages:
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)
    with contextlib.closing(SqlStore.open(store.address)) as again:
        for _ in range(2):
            with pytest.raises(StoreDamaged), again.read(HERE):
                pytest.fail("a read transaction began")
            with pytest.raises(StoreDamaged):
                again.districts()


def test_a_transaction_that_was_never_ended_does_not_stay_on_its_connection(store):
    scope = store.read(HERE)
    scope.__enter__()
    del scope
    gc.collect()
    insertion(store, HERE, device())
    with store.read(HERE) as tx:
        assert tx.get(Device, "d1") == device()


# --- closed ------------------------------------------------------------------------------------


def test_a_closed_store_refuses_everything(store):
    store.close()
    store.close()
    for use in (store.districts, lambda: store.read(HERE), lambda: store.write(HERE)):
        with pytest.raises(StoreUnavailable, match="closed"):
            use()


def test_a_closed_store_ends_what_is_still_read_and_closes_its_connection(store):
    insertion(store, HERE, *[device(f"d{n:04}") for n in range(1500)])

    drivers = []

    def listing():
        with store.read(HERE) as tx:
            drivers.append(tx._connection.driver_connection)
            yield from tx.find(Query(kind=Device))

    half_read = listing()
    next(half_read)
    store.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        drivers[0].execute("SELECT 1")
    with pytest.raises(TransactionClosed, match="closed"):
        list(half_read)


def test_a_write_that_fails_at_commit_leaves_nothing(store, monkeypatch):
    insertion(store, HERE, device())

    def fail(self, head):
        raise sqlite3.OperationalError("disk I/O error")

    from assetflow.store.sql.writing import SqlWrite

    with monkeypatch.context() as patch:
        patch.setattr(SqlWrite, "_advance", fail)
        with pytest.raises(StoreError), store.write(HERE) as tx:
            tx.record([entry(device("d2"))])
    with pytest.raises(TransactionClosed):
        tx.head()
    with store.read(HERE) as reading:
        assert reading.get(Device, "d2") is None
    works(store)


# --- no error shows a value --------------------------------------------------------------------

CANARY = "Canary-Kowalski"


def person(key="p1", **fields):
    given = {"kind": PersonKind.STUDENT, "given_name": CANARY, "email": f"{CANARY}@x.example"}
    return Person(id=key, **(given | fields))


def duplicate(tx):
    tx.record([entry(person())])
    tx.record([entry(person())])


def duplicate_of_many(tx):
    tx.record([entry(person(f"p{n}")) for n in (1, 2, 3, 2)])


def reference(tx):
    tx.record([entry(Hold(id="h", person_id=CANARY, kind="manual", since=date(2026, 8, 17)))])


def stale(tx):
    tx.record([entry(edited(person(), family_name=CANARY))])


def stale_of_many(tx):
    tx.record([entry(edited(person(f"p{n}"), family_name=CANARY)) for n in range(3)])


def too_long(tx):
    tx.record([entry(person(given_name=CANARY * 100))])


def not_a_number(tx):
    tx.insert(
        [Sighting(source="google", source_id="s", recent_user=CANARY, disk_free_bytes=CANARY)]
    )


def repeated(tx):
    note = Note(id="n", subject_kind="person", subject_id="p", written_at=NOW, text=CANARY)
    tx.insert([note, evolve(note, text=f"{CANARY} again")])


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (duplicate, DuplicateKey),
        (duplicate_of_many, DuplicateKey),
        (reference, InvalidValue),
        (stale, StaleVersion),
        (stale_of_many, StaleVersion),
        (too_long, InvalidValue),
        (not_a_number, InvalidValue),
        (repeated, DuplicateKey),
    ],
)
def test_no_error_and_no_log_shows_a_value(store, act, error, caplog):
    caplog.set_level(logging.DEBUG)
    for name in ("sqlalchemy", "sqlalchemy.engine", "sqlalchemy.pool", "alembic", "assetflow"):
        caplog.set_level(logging.DEBUG, logger=name)
    with pytest.raises(error) as caught, store.write(HERE) as tx:
        act(tx)
    if act in (stale, stale_of_many):
        assert caught.value.context["key"] in (("p1",), ("p0",))
    seen, problem = [], caught.value
    while problem is not None:
        assert isinstance(problem, AssetflowError)
        seen += [repr(problem), str(problem), repr(problem.args), str(problem.as_dict())]
        seen += [str(vars(problem)), *traceback.format_exception_only(problem)]
        problem = problem.__cause__ or problem.__context__
    assert CANARY not in "\n".join([*seen, caplog.text])
    with store.read(HERE) as tx:
        assert tx.count(Query(kind=Person)) == 0
    works(store)
