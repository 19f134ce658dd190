"""Several processes on one file: killed, racing, forked. What was acknowledged is there."""

import importlib.util
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

import assetflow.testing.stores  # noqa: F401  # first of the suite: pytest rewrites its asserts
from assetflow.errors import StoreLocked, TransactionClosed
from assetflow.model import Device, OpenCustody, Query, Sighting
from assetflow.store.journal import verify
from assetflow.store.ports import Durability
from assetflow.store.replay import compare
from assetflow.store.sql import SqlStore
from assetflow.testing._store.tools import custody, device, entry, insertion

HERE = "lincoln"
KILLS, FLOOR = 10, 5


CHILD = Path(__file__).with_name("sql_child.py")
_spec = importlib.util.spec_from_file_location("sql_child", CHILD)
child = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(child)


# --- the tests ---------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path):
    store = SqlStore.open(f"sqlite:///{tmp_path}/store.db")
    yield store
    store.close()


def start(role, store, *words):
    return subprocess.Popen(
        [sys.executable, str(CHILD), role, store.address, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def check(store):
    """The journal verifies and says what the tables hold."""
    with store.read(HERE) as tx:
        verified = verify(tx)
        assert list(compare(tx)) == []
        return verified.events


def kill_writers(store, kills):
    """Kill two writers at once, again and again; what they acknowledged."""
    rng, acked = random.Random(kills), {}
    for turn in range(kills // 2):
        writers = [start("write_for_ever", store, f"w{turn}{side}") for side in "ab"]
        for writer in writers:
            for _ in range(FLOOR + rng.randrange(20)):
                key, seq = writer.stdout.readline().split()
                acked[key] = int(seq)
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            # Not `communicate`, which passes over what `readline` has read ahead.
            for line in writer.stdout:
                key, seq = line.split()
                acked[key] = int(seq)
            err = writer.stderr.read()
            assert writer.wait(30) == -signal.SIGKILL, err
            writer.stdout.close()
            writer.stderr.close()
        with store.read(HERE) as tx:
            events = {e.subject_id: e.seq for e in tx.journal()}
            assert acked.items() <= events.items()
        assert check(store) >= len(acked)
    return acked


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.timeout(300)
def test_what_killed_writers_acknowledged_is_there(store):
    acked = kill_writers(store, KILLS)
    assert len(acked) >= KILLS * FLOOR
    with store.read(HERE) as tx:
        assert len(tx.get_many(Device, [(key,) for key in acked])) == len(acked)
    insertion(store, HERE, device("after"))
    check(store)


def test_two_processes_write_to_one_file(store):
    writers = [start("write_some", store, name, 40) for name in ("left", "right")]
    for n in range(20):
        insertion(store, HERE, device(f"here-{n}"))
    for writer in writers:
        out, err = writer.communicate(timeout=60)
        assert (writer.returncode, out, err) == (0, "done\n", "")
    with store.read(HERE) as tx:
        keys = Counter(d.id.split("-")[0] for d in tx.find(Query(kind=Device)))
    assert keys == {"left": 40, "right": 40, "here": 20}
    assert check(store) == 100


@pytest.mark.parametrize("role", ["race", "race_blindly"])
def test_processes_race_for_devices_and_one_gets_each(store, role):
    devices = 40
    insertion(store, HERE, *[device(f"d{n}") for n in range(devices)])
    if role == "race_blindly":
        insertion(store, HERE, custody("c", "d0"))
    racers = [start(role, store, f"p{n}", devices) for n in range(4)]
    won = []
    for racer in racers:
        out, err = racer.communicate(timeout=60)
        assert (racer.returncode, err) == (0, "")
        won += out.split()
    assert sorted(won) == sorted(f"d{n}" for n in range(devices))
    with store.read(HERE) as tx:
        assert tx.count(Query(kind=OpenCustody)) == devices
    check(store)


def test_threads_race_for_one_device_and_one_gets_it(store):
    insertion(store, HERE, *[device(f"d{n}") for n in range(30)])
    won, errors = [], []

    def race_here(name):
        try:
            for n in range(30):
                with store.write(HERE) as tx:
                    if child.check_out(tx, f"d{n}", name, f"c{n}-{name}"):
                        won.append((f"d{n}", name))
        except Exception as problem:  # noqa: BLE001  # told below
            errors.append(problem)

    threads = [threading.Thread(target=race_here, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(key for key, _ in won) == sorted(f"d{n}" for n in range(30))
    with store.read(HERE) as tx:
        holders = {o.device_id: o.accountable_id for o in tx.find(Query(kind=OpenCustody))}
    assert holders == dict(won)
    check(store)


def test_no_thread_starves(store):
    """With a queue of writers each of eight threads comes to write, again and again."""
    done = Counter()
    end, begin = threading.Event(), threading.Barrier(8)

    def write(name):
        begin.wait(30)
        while not end.is_set():
            with store.write(HERE, durability=Durability.BULK) as tx:
                tx.insert([Sighting(source=name, source_id=str(done[name]))])
            done[name] += 1
            if sum(done.values()) >= 400:
                end.set()

    threads = [threading.Thread(target=write, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 8
    assert min(done.values()) >= 20


# --- after a fork ------------------------------------------------------------------------------


def in_child(act):
    """Do it in a forked child; what it says."""
    reading, writing = os.pipe()
    forked = os.fork()
    if forked == 0:
        said = "died"
        try:
            said = act()
        except BaseException as problem:  # noqa: BLE001  # it goes to the parent
            said = repr(problem)
        finally:
            os.write(writing, said.encode())
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123  # a pipe
        said = pipe.read().decode()
    os.waitpid(forked, 0)
    return said


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_uses_the_store_with_connections_of_its_own(store):
    insertion(store, HERE, device("d1"))

    def act():
        insertion(store, HERE, device("from the child"))
        with store.read(HERE) as tx:
            return ",".join(d.id for d in tx.find(Query(kind=Device)))

    assert in_child(act) == "d1,from the child"
    insertion(store, HERE, device("d2"))
    assert check(store) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_transaction_is_not_taken_along_by_a_forked_child(store):
    insertion(store, HERE, *[device(f"d{n:04}") for n in range(1500)])
    with store.write(HERE) as tx:
        reading = tx.find(Query(kind=Device))
        next(reading)
        tx.record([entry(device("e1"))])

        def act():
            seen = []
            for use in (lambda: tx.get(Device, "d0001"), lambda: tx.record([entry(device("e2"))])):
                try:
                    use()
                except TransactionClosed:
                    seen.append("closed")
            tx.abandon()
            with store.read(HERE) as own:
                seen.append(str(own.count(Query(kind=Device))))
            store.close()
            return " ".join(seen)

        assert in_child(act) == "closed closed 1500"
        tx.record([entry(device("e3"))])
    with store.read(HERE) as tx:
        assert tx.count(Query(kind=Device)) == 1502
    check(store)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_that_is_forked_while_a_thread_writes_can_write(tmp_path):
    store = SqlStore.open(f"sqlite:///{tmp_path}/store.db", lock_timeout=0.3)
    began, end = threading.Event(), threading.Event()

    def hold():
        with store.write(HERE) as tx:
            tx.insert([Sighting(source="thread", source_id="s")])
            began.set()
            end.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    began.wait(10)

    def act():
        try:
            insertion(store, HERE, device("child"))
        except StoreLocked:
            return "locked"
        return "wrote"

    assert in_child(act) == "locked"
    end.set()
    thread.join()
    assert in_child(act) == "wrote"
    assert check(store) == 1
    store.close()
