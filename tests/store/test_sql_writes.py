"""One call that writes much gives what its entries give one after another, as in memory."""

import sqlite3

import pytest
from attrs import evolve

import assetflow.testing.stores  # noqa: F401  # first of the suite: pytest rewrites its asserts
from assetflow.errors import (
    AssetflowError,
    DuplicateKey,
    InvalidValue,
    StaleVersion,
    StoreError,
    StoreLocked,
    StoreReadOnly,
    StoreUnavailable,
)
from assetflow.model import DeviceModel, OpenCustody, Remembered, Run, RunStatus, Sighting
from assetflow.store.memory import MemoryStore
from assetflow.store.ports import Put
from assetflow.store.sql import SqlStore, faults
from assetflow.store.sql.changes import Changes
from assetflow.testing._store.tools import (
    NOW,
    custody,
    device,
    edited,
    entry,
    everything,
    insertion,
    opened,
)

HERE = "lincoln"


@pytest.fixture
def stores(tmp_path):
    store = SqlStore.open(f"sqlite:///{tmp_path}/store.db")
    yield store, MemoryStore()
    store.close()


def model(key="m1", **fields):
    return DeviceModel(id=key, **({"name": key, "name_key": key} | fields))


def both(stores, *calls):
    """Make the same calls on both; how they end, and what is there then, which is alike."""
    ends, states = [], []
    for store in stores:
        try:
            with store.write(HERE) as tx:
                for call in calls:
                    tx.record(call)
            ends.append(None)
        except AssetflowError as problem:
            ends.append(type(problem))
        with store.read(HERE) as tx:
            states.append((tx.head(), everything(tx)))
    assert ends[0] == ends[1]
    assert states[0] == states[1]
    return ends[0]


HELD = custody("c1", "d1")
ONE, TWO = device("d1", model_id="m1"), device("d2")


def start(stores):
    for store in stores:
        insertion(store, HERE, model("m1"), model("m2"), ONE, TWO, HELD, opened(HELD))


CASES = {
    "what is referred to comes later in the call": (
        [entry(device("d3", model_id="m3")), entry(model("m3"))],
        None,
    ),
    "what refers is removed later in the call": (
        [entry(removes=[HELD]), entry(removes=[opened(HELD)])],
        None,
    ),
    "one is removed and another written with its key": (
        [entry(custody("c2", "d1")), entry(opened(custody("c2", "d1")), removes=[opened(HELD)])],
        None,
    ),
    "a record is written twice": (
        [entry(edited(TWO, serial="A")), entry(edited(edited(TWO, serial="A").after, serial="B"))],
        None,
    ),
    "a record is new, changed and gone": (
        [
            entry(device("d3")),
            entry(edited(device("d3"), serial="A")),
            entry(removes=[edited(device("d3"), serial="A").after]),
        ],
        None,
    ),
    "a record is written in place of one that is referred to": (
        [entry(evolve(ONE, serial="new"), removes=[ONE])],
        None,
    ),
    "a unique field is given up and taken": (
        [entry(edited(model("m2"), name_key="x")), entry(model("m3", name_key="m2"))],
        None,
    ),
    "two swap a unique field by way of a third value": (
        [
            entry(edited(model("m1"), name_key="x")),
            entry(edited(model("m2"), name_key="m1")),
            entry(edited(edited(model("m1"), name_key="x").after, name_key="m2")),
        ],
        None,
    ),
    "a unique field is taken before it is given up": (
        [entry(model("m3", name_key="m2")), entry(edited(model("m2"), name_key="x"))],
        DuplicateKey,
    ),
    "a unique field of one that is removed": (
        [entry(removes=[model("m2")]), entry(model("m3", name_key="m2"))],
        None,
    ),
    "one that is removed is referred to": ([entry(removes=[model("m1")])], InvalidValue),
    "one that is removed is referred to, in order": (
        [
            entry(edited(TWO, serial="A")),
            entry(removes=[edited(TWO, serial="A").after]),
            entry(removes=[model("m1")]),
        ],
        InvalidValue,
    ),
    "nothing is there to refer to": ([entry(device("d3", model_id="none"))], InvalidValue),
    "nothing is there to refer to, in order": (
        [entry(device("d3")), entry(edited(device("d3"), model_id="none"))],
        InvalidValue,
    ),
    "a reference is mended before the end": (
        [
            entry(device("d3", model_id="none")),
            entry(edited(device("d3", model_id="none"), model_id=None)),
        ],
        None,
    ),
    "a record without a version is written as it was": (
        [entry(Put(opened(HELD), opened(HELD)))],
        None,
    ),
    "a record without a version is not as it was read": (
        [entry(Put(opened(HELD), evolve(opened(HELD), accountable_id="p9")))],
        StaleVersion,
    ),
    "one that is removed is not as it was read": (
        [entry(removes=[evolve(opened(HELD), accountable_id="p9")])],
        StaleVersion,
    ),
    "one that is removed twice": ([entry(removes=[TWO]), entry(removes=[TWO])], StaleVersion),
    "a stale record in order": (
        [entry(edited(TWO, serial="A")), entry(edited(TWO, serial="B"))],
        StaleVersion,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_call_is_as_its_entries_in_order(stores, case):
    start(stores)
    call, error = CASES[case]
    assert both(stores, call) is error


@pytest.mark.parametrize("case", [c for c, (_, error) in CASES.items() if error is None])
def test_and_as_its_entries_one_call_each_where_that_can_be(stores, case):
    start(stores)
    call, _ = CASES[case]
    both(stores, *[[e] for e in call])


def test_a_plain_call_runs_in_groups_and_one_that_repeats_in_order():
    from assetflow.store.journal import prepare

    def in_order(*entries):
        return Changes(HERE, entries, [prepare(HERE, e) for e in entries]).in_order

    assert not in_order(entry(ONE, TWO), entry(HELD, opened(HELD)))
    assert not in_order(entry(edited(ONE, serial="x")), entry(removes=[TWO]))
    assert not in_order(entry(edited(model(), name="x")))
    assert in_order(entry(opened(HELD), removes=[opened(HELD)]))
    assert in_order(entry(edited(model("m1"), name="x"), edited(model("m2"), name="y")))


def test_many_kinds_go_in_with_one_call(stores):
    run = Run(id="r", source="google", what="device", status=RunStatus.RUNNING, started_at=NOW)
    records = [
        Sighting(source="google", source_id="s1"),
        run,
        Remembered(key="k", fingerprint="f", result="{}", made_at=NOW),
        Sighting(source="google", source_id="s2"),
    ]
    seen = []
    for store in stores:
        with store.write(HERE) as tx:
            tx.insert([])
            tx.upsert([])
            tx.insert(records)
            tx.upsert([evolve(records[0], os_version="1"), run, evolve(records[0], os_version="2")])
            assert tx.delete(Sighting, []) == 0
            assert tx.delete(Sighting, [("google", "s2"), ("google", "s2"), ("google", "s9")]) == 1
            assert tx.record([]).seq == 0
        with store.read(HERE) as tx:
            seen.append(everything(tx))
    assert seen[0] == seen[1]
    assert [s.os_version for s in seen[0]["sighting"]] == ["2"]


def test_a_record_of_a_plain_kind_is_replaced_whole(stores):
    """Whatever somebody else wrote meanwhile does not shine through."""
    run = Run(id="r", source="google", what="device", status=RunStatus.RUNNING, started_at=NOW)
    for store in stores:
        with store.write(HERE) as tx:
            tx.insert([run])
            tx.upsert([evolve(run, seen=7)])
    both(stores, [entry(Put(evolve(run, created=1), run))])
    with stores[0].read(HERE) as tx:
        assert tx.get(Run, "r") == evolve(run, created=1)


def test_an_open_custody_is_written_once_for_a_device(stores):
    start(stores)
    again = OpenCustody(device_id="d1", custody_id="c1", accountable_id="p2")
    assert both(stores, [entry(again)]) is DuplicateKey


# --- what SQLite's codes mean ------------------------------------------------------------------


def problem(code):
    made = sqlite3.OperationalError("words that hold Canary-Kowalski")
    made.sqlite_errorcode = code
    return made


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (sqlite3.SQLITE_BUSY, StoreLocked),
        (517, StoreLocked),  # a snapshot that was overtaken
        (sqlite3.SQLITE_LOCKED, StoreLocked),
        (sqlite3.SQLITE_READONLY, StoreReadOnly),
        (1032, StoreUnavailable),  # moved while open
        (sqlite3.SQLITE_PERM, StoreReadOnly),
        (sqlite3.SQLITE_IOERR, StoreUnavailable),
        (sqlite3.SQLITE_CANTOPEN, StoreUnavailable),
        (sqlite3.SQLITE_TOOBIG, InvalidValue),
        (sqlite3.SQLITE_MISMATCH, InvalidValue),
        (1555, DuplicateKey),
        (2067, DuplicateKey),
        (787, InvalidValue),
        (1299, InvalidValue),  # not null
        (275, InvalidValue),  # check
        (sqlite3.SQLITE_ERROR, StoreError),
        (sqlite3.SQLITE_NOMEM, StoreError),
    ],
)
def test_codes_have_their_errors(tmp_path, code, error):
    found = faults.sqlite_fault(problem(code), str(tmp_path / "store.db"), "device")
    assert type(found) is error
    assert "Canary" not in f"{found!r} {found.as_dict()}"


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (OverflowError("Canary"), InvalidValue),
        (UnicodeEncodeError("utf-8", "Canary\ud800", 6, 7, "surrogates"), InvalidValue),
        (sqlite3.ProgrammingError("Cannot operate on a closed database. Canary"), StoreUnavailable),
        (sqlite3.InterfaceError("Canary"), StoreError),
    ],
)
def test_errors_without_a_code_have_theirs(tmp_path, raised, error):
    found = faults.sqlite_fault(raised, str(tmp_path / "store.db"))
    assert type(found) is error
    assert "Canary" not in f"{found!r} {found.as_dict()}"
