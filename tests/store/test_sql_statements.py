"""Statements on the driver's cursor: nothing is bound by accident, nothing grows without bound."""

import threading
import time

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

import assetflow.testing.stores  # noqa: F401  # first of the suite: pytest rewrites its asserts
from assetflow.errors import (
    ConfigError,
    FeatureMissing,
    InvalidValue,
    StaleVersion,
    StoreLocked,
    TransactionClosed,
)
from assetflow.model import (
    Aggregate,
    Device,
    F,
    ItemOutcome,
    Money,
    Query,
    RunItem,
    Sighting,
)
from assetflow.model.query import average, total
from assetflow.store.ports import Durability
from assetflow.store.sql import SqlStore
from assetflow.store.sql.locks import FairLock, lock_for
from assetflow.store.sql.statements import Prepared, Shapes
from assetflow.store.sql.tables import TABLES
from assetflow.testing._store.tools import device, edited, entry, insertion

ACTOR = TABLES["actor"]
LITE = sqlite.dialect(paramstyle="qmark")


@pytest.fixture
def store(tmp_path):
    store = SqlStore.open(f"sqlite:///{tmp_path}/store.db", lock_timeout=5)
    yield store
    store.close()


# --- prepared statements -----------------------------------------------------------------------


def test_a_bind_that_is_not_named_is_refused():
    statement = sa.select(ACTOR.c.id).where(ACTOR.c.label == sa.bindparam("label_is"))
    with pytest.raises(TypeError, match="label_is"):
        Prepared(statement, LITE, [])
    with pytest.raises(TypeError, match="binds"):
        Prepared(sa.update(ACTOR), LITE, ["id"], ["id", "label"])
    with pytest.raises(TypeError, match="more"):
        Prepared(statement, LITE, ["label_is", "more"])


def test_a_list_of_unknown_length_is_refused():
    statement = sa.select(ACTOR.c.id).where(ACTOR.c.label.in_(["a", "b"]))
    with pytest.raises(TypeError, match="unknown length"):
        Prepared(statement, LITE, [])


def test_constants_of_a_statement_are_kept_with_it():
    where = (ACTOR.c.label == "script", ACTOR.c.id == sa.bindparam("k"), ACTOR.c.id != "x")
    statement = sa.select(ACTOR.c.id).where(*where)
    assert Prepared(statement, LITE, ["k"]).bind(["a1"]) == ["script", "a1", "x"]
    named = Prepared(statement, postgresql.dialect(), ["k"]).bind(["a1"])
    assert sorted(named.values()) == ["a1", "script", "x"]


def test_values_that_stand_as_the_statement_wants_them_are_not_copied():
    made = Prepared(
        sa.insert(ACTOR), LITE, ["district_id", "id", "label"], ["district_id", "id", "label"]
    )
    row = ("lincoln", "a1", None)
    assert made.as_given
    assert made.bind(row) is row
    turned = Prepared(
        sa.insert(ACTOR), LITE, ["label", "id", "district_id"], ["district_id", "id", "label"]
    )
    assert not turned.as_given
    assert turned.bind((None, "a1", "lincoln")) == ["lincoln", "a1", None]


def test_shapes_are_kept_up_to_a_bound():
    shapes, made = Shapes(most=3), []

    def make(shape):
        return shapes.get(shape, lambda: made.append(shape) or f"statement {shape}")

    assert [make(n) for n in (1, 2, 3, 1)] == [f"statement {n}" for n in (1, 2, 3, 1)]
    assert made == [1, 2, 3]
    make(4)
    assert len(shapes) == 3
    make(1)
    assert made == [1, 2, 3, 4, 1]


def test_queries_of_one_shape_share_a_statement(store):
    insertion(store, "lincoln", device("d1", asset_tag="LHS-1"))
    with store.read("lincoln") as tx:
        for tag in ("LHS-1", "LHS-2", "LHS-3"):
            list(tx.find(Query(kind=Device, where=F.asset_tag == tag)))
        kept = len(store.library._queries)
        for tag in ("LHS-4", "LHS-5"):
            list(tx.find(Query(kind=Device, where=F.asset_tag == tag)))
        assert len(store.library._queries) == kept


# --- reading -----------------------------------------------------------------------------------


def test_any_number_of_keys_is_read(store):
    insertion(store, "lincoln", *[device(f"d{n:04}") for n in range(1200)])
    for many in (0, 1, 2, 8, 9, 64, 100, 512, 600, 1200):
        keys = [(f"d{n:04}",) for n in range(many)] + [("none",)]
        with store.read("lincoln") as tx:
            found = tx.get_many(Device, keys)
        assert list(found) == keys[:-1]
        assert all(record.id == key[0] for key, record in found.items())


def test_keys_of_several_parts_are_read_together(store):
    items = [
        RunItem(run_id=f"r{n % 3}", source_id=f"s{n % 50}", position=n, outcome=ItemOutcome.CHANGED)
        for n in range(300)
    ]
    with store.write("lincoln") as tx:
        tx.insert(items)
    keys = [(i.run_id, i.source_id, i.position) for i in items]
    with store.read("lincoln") as tx:
        assert tx.get_many(RunItem, keys) == dict(zip(keys, items, strict=True))
        assert tx.get_many(RunItem, [("r0", "s0", 999)]) == {}


def test_a_long_list_in_a_filter_is_one_bind(store):
    with store.write("lincoln") as tx:
        tx.insert(
            [Sighting(source="google", source_id=f"s{n}", disk_free_bytes=n) for n in range(50)]
        )
    texts = [f"s{n}" for n in range(0, 40_000, 2)]
    with store.read("lincoln") as tx:
        chosen = Query(kind=Sighting, where=F.source_id.one_of(*texts))
        assert tx.count(chosen) == 25
        numbers = Query(kind=Sighting, where=~F.disk_free_bytes.one_of(*range(1, 40_000)))
        assert [s.disk_free_bytes for s in tx.find(numbers)] == [0]


@pytest.mark.parametrize("last", ["\U0010ffff", "\ud7ff", "z", "\N{GRINNING FACE}", "\x7f"])
def test_a_prefix_is_a_range_up_to_the_last_character(store, last):
    tags = ["A", f"A{last}", f"A{last}{last}", f"A{last}z", "B", "\U0010ffff", None]
    with store.write("lincoln") as tx:
        tx.insert(
            [
                Sighting(source="google", source_id=f"s{n}", os_version=tag)
                for n, tag in enumerate(tags)
            ]
        )
    with store.read("lincoln") as tx:
        for prefix in ("", "A", f"A{last}", last, f"A{last}{last}"):
            query = Query(kind=Sighting, where=F.os_version.starts_with(prefix))
            found = [s.os_version for s in tx.find(query)]
            assert found == [t for t in tags if t is not None and t.startswith(prefix)]


def test_sums_beyond_64_bits_are_exact(store):
    big = 2**63 - 1
    amounts = [big, big, -5, -(2**63) + 1, 7, None]
    insertion(
        store,
        "lincoln",
        *[
            device(f"d{n}", purchase_cost=None if amount is None else Money(amount))
            for n, amount in enumerate(amounts)
        ],
    )
    figures = Aggregate(kind=Device, measures=(total("purchase_cost"), average("purchase_cost")))
    with store.read("lincoln") as tx:
        (row,) = tx.aggregate(figures)
        records = list(tx.find(Query(kind=Device)))
    assert row["purchase_cost_total"] == sum(a for a in amounts if a is not None)
    assert [row] == figures.rows(records)


def test_a_long_answer_stops_when_the_transaction_does(store):
    insertion(store, "lincoln", *[device(f"d{n:05}") for n in range(2500)])
    with store.read("lincoln") as tx:
        first, second = (tx.values(Query(kind=Device), ["id"]) for _ in range(2))
        pairs = [(next(first), next(second)) for _ in range(1500)]
        assert pairs[-1] == (("d01499",), ("d01499",))
        assert tx.get(Device, "d00007") == device("d00007")
        assert sum(1 for _ in first) == 1000
    with pytest.raises(TransactionClosed):
        next(second)


def test_a_write_does_not_show_in_an_answer_that_was_begun(store):
    sightings = [Sighting(source="google", source_id=f"s{n:05}") for n in range(2500)]
    with store.write("lincoln") as tx:
        tx.insert(sightings)
        reading = tx.find(Query(kind=Sighting))
        begun = [next(reading)]
        tx.delete(Sighting, [(s.source, s.source_id) for s in sightings])
        tx.insert([Sighting(source="google", source_id="t")])
        assert [*begun, *reading] == sightings
        assert tx.count(Query(kind=Sighting)) == 1


def test_an_answer_left_open_holds_no_state_beyond_its_transaction(store):
    insertion(store, "lincoln", *[device(f"d{n:05}") for n in range(2500)])
    left = []
    for n in range(3):
        with store.write("lincoln") as tx:
            left.append(tx.find(Query(kind=Device)))
            next(left[-1])
            tx.insert([Sighting(source="google", source_id=f"s{n}")])
    with store.read("lincoln") as tx:
        assert tx.count(Query(kind=Sighting)) == 3


def test_of_many_updates_the_one_that_was_overtaken_is_named(store):
    devices = [device(f"d{n}") for n in range(5)]
    insertion(store, "lincoln", *devices)
    twice = edited(edited(devices[3], serial="S").after, serial="T")
    with store.write("lincoln") as tx:
        tx.record([entry(edited(devices[3], serial="S")), entry(twice)])
    with pytest.raises(StaleVersion) as caught, store.write("lincoln") as tx:
        tx.record([entry(*[edited(d, serial="U") for d in devices])])
    assert caught.value.context == {"kind": "device", "key": ("d3",)}
    with pytest.raises(StaleVersion) as caught, store.write("lincoln") as tx:
        tx.record([entry(*[edited(d, serial="U") for d in [*devices[:3], device("none")]])])
    assert caught.value.context == {"kind": "device", "key": ("none",)}
    with store.read("lincoln") as tx:
        assert tx.get(Device, "d0") == devices[0]


# --- locks and addresses -----------------------------------------------------------------------


def test_the_lock_is_given_in_the_order_in_which_it_was_asked_for():
    lock, got, threads = FairLock(), [], []
    assert lock.acquire(1)

    def take(name):
        assert lock.acquire(5)
        got.append(name)
        lock.release()

    for name in range(6):
        thread = threading.Thread(target=take, args=(name,))
        thread.start()
        threads.append(thread)
        deadline = time.monotonic() + 5
        while len(lock._queue) < name + 1 and time.monotonic() < deadline:
            time.sleep(0.001)
    lock.release()
    for thread in threads:
        thread.join()
    assert got == list(range(6))
    assert lock.acquire(0)


def test_a_lock_that_is_not_had_in_time_leaves_the_queue():
    lock = FairLock()
    assert lock.acquire(1)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(lock.acquire(0.05)))
    thread.start()
    thread.join()
    assert seen == [False]
    lock.release()
    assert lock.acquire(0)


def test_a_thread_that_would_wait_for_itself_is_told_at_once(store):
    began = time.monotonic()
    with store.write("lincoln") as tx:
        with pytest.raises(StoreLocked, match="this thread"), store.write("jefferson"):
            pytest.fail("a second write transaction began")
        tx.record([entry(device())])
    assert time.monotonic() - began < 4
    with store.read("lincoln") as tx:
        assert tx.get(Device, "d1") == device()


def test_two_stores_on_one_file_share_its_lock(store):
    other = SqlStore.open(store.address)
    refused = pytest.raises(StoreLocked, match="this thread")
    with store.write("lincoln"), refused, other.write("lincoln"):
        pytest.fail("two writers")
    path = store.address.removeprefix("sqlite:///")
    assert lock_for(path) is lock_for(path)
    other.close()


def test_a_database_in_memory_is_refused_with_what_to_use():
    for url in ("sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory"):
        with pytest.raises((FeatureMissing, InvalidValue)):
            SqlStore.open(url)


@pytest.mark.parametrize("url", ["", "lincoln.db", "oracle://x", "://", "sqlite:///x.db?mode=rwx"])
def test_an_address_that_is_none_is_refused(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ConfigError, InvalidValue)):
        SqlStore.open(url)
    assert list(tmp_path.iterdir()) == []


def test_an_address_never_shows_a_password():
    with pytest.raises(ConfigError) as caught:
        SqlStore.open("oracle://scott:tiger@db/x")
    assert "tiger" not in str(caught.value.as_dict())


def test_odd_names_of_files_are_taken_as_they_are(tmp_path):
    for name in ("a b.db", "per%20cent.db", "h#sh.db", "quëry.db", "100%.db"):
        store = SqlStore.open(f"sqlite:///{tmp_path}/" + name.replace("%", "%25"))
        insertion(store, "lincoln", device())
        store.close()
    assert {p.name for p in tmp_path.iterdir()} >= {"a b.db", "h#sh.db", "quëry.db"}


def test_durability_is_set_for_each_transaction(store):
    def pragma(tx, name):
        return tx._cursor.execute(f"PRAGMA {name}").fetchone()[0]

    for durability, level in ((Durability.FULL, 2), (Durability.BULK, 1), (Durability.FULL, 2)):
        with store.write("lincoln", durability=durability) as tx:
            assert pragma(tx, "synchronous") == level
            assert pragma(tx, "foreign_keys") == 1
            assert pragma(tx, "journal_mode") == "wal"
            tx.insert([Sighting(source="google", source_id=durability.value + str(time.time_ns()))])
