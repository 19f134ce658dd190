"""A district of 50,000 devices moves from a file to PostgreSQL; its copier is killed on the way."""

import os
import secrets
import signal
import subprocess
import sys

import psycopg
import pytest

import assetflow.testing.stores  # noqa: F401  # first of the suite: pytest rewrites its asserts
from assetflow.model import Device, Query, Sighting
from assetflow.store.copying import digest
from assetflow.store.journal import verify
from assetflow.store.ports import Durability
from assetflow.store.replay import compare
from assetflow.store.schema import KINDS
from assetflow.store.sql import SqlStore
from assetflow.store.sql.upkeep import upgrade_database
from assetflow.testing._store.tools import device, entry

HERE = "lincoln"
DEVICES = 50_000
COPIER = """
import sys
from assetflow.district import copy_district
report = copy_district(
    sys.argv[1], sys.argv[2], on_progress=lambda now: print(now.doing, now.done, flush=True)
)
print("end", report.events_before, flush=True)
"""


def make(address):
    """Devices, an event for each, and what a source says of each."""
    store = SqlStore.open(address)
    keys = [f"d{n:05}" for n in range(DEVICES)]
    for at in range(0, DEVICES, 5000):
        some = keys[at : at + 5000]
        with store.write(HERE, durability=Durability.BULK) as tx:
            new = (device(k, asset_tag=f"T-{k}", serial=f"S{k}", serial_key=f"S{k}") for k in some)
            tx.record([entry(one, subject=one.id) for one in new])
            tx.insert([Sighting(source="google", source_id=k, os_version="126") for k in some])
    store.close()


def copy(source, destination, *, kill=None):
    """Run a copier; kill it when it has come so far. Returns what it said last."""
    command = [sys.executable, "-c", COPIER, source, destination]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as copier:
        last = []
        for line in copier.stdout:
            last = line.split()
            if kill is not None and last[0] == kill[0] and int(last[1]) >= kill[1]:
                os.kill(copier.pid, signal.SIGKILL)
                break
        copier.stdout.read()
    assert copier.returncode == (0 if kill is None else -signal.SIGKILL)
    return last


@pytest.mark.slow
def test_a_district_moves_to_postgresql_though_its_copier_is_killed_twice(tmp_path, postgres):
    source = f"sqlite:///{tmp_path}/lincoln.db"
    make(source)
    name = f"t{secrets.token_hex(6)}"
    with psycopg.connect(f"{postgres.url}postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    destination = postgres.url + name
    upgrade_database(destination)

    copy(source, destination, kill=("journal", DEVICES // 3))
    copy(source, destination, kill=("device", DEVICES // 3))
    there = SqlStore.open(destination)
    assert there.districts() == []
    assert copy(source, destination) == ["end", str(DEVICES)]

    here = SqlStore.open(f"{source}?mode=ro")
    with here.read(HERE) as left, there.read(HERE) as right:
        assert verify(right) == verify(left)
        assert verify(right).events == DEVICES
        for mine, theirs in zip(left.journal(), right.journal(), strict=True):
            assert mine == theirs
        for kind in KINDS.values():
            assert digest(left, kind) == digest(right, kind)
        assert compare(right) == []
        assert right.count(Query(kind=Device)) == DEVICES
    for store in (here, there):
        store.close()
