"""Imports into a file: the same end as in memory, also when the process is killed or is not alone."""

import random
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from assetflow.exchange.imports import Outcome
from assetflow.exchange.rosters import RosterImport
from assetflow.model import Device, ImportBatch
from assetflow.store.sql.store import SqlStore
from assetflow.testing.seed import seed_district
from assetflow.testing.seed_files import INVENTORY_REJECTS, inventory_csv, roster_zip

ROWS = 1_500
HEADINGS = ["Asset Tag", "Serial #", "Model", "School", "Room", "Cost", "Fund"]


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'lincoln.db'}"


def inventory(csv_of, count=ROWS):
    rows = [
        [f"LHS-{n:05d}", f"SN{n:07d}", f"HP {n % 5}", "LHS", f"{n % 20}", "299.95", "F-1"]
        for n in range(count)
    ]
    return csv_of(HEADINGS, *rows)


def test_a_file_and_memory_end_alike(make_office, url):
    made = seed_district()
    ends = []
    for store in (None, SqlStore.open(url)):
        office = make_office(store, sites=())
        for leavers in (False, True):
            roster = office.plan(roster_zip(made, leavers=leavers), what=RosterImport)
            office.apply(roster)
        plan, _ = office.take(inventory_csv(made))
        again = office.plan(inventory_csv(made), match_on="serial")
        ends.append(
            (
                office.state(),
                [r.as_dict()["line"] for r in plan.rejects],
                again.count(Outcome.CHANGE),
            )
        )
        assert office.verified() == office.seq()
    store.close()
    assert ends[0] == ends[1]
    assert len(ends[0][1]) == INVENTORY_REJECTS
    assert ends[0][2] == 0


APPLY = """
    import itertools, os, sys
    from datetime import UTC, datetime
    from assetflow.exchange.imports import DeviceImport, apply
    from assetflow.model import DistrictPolicy
    from assetflow.store.sql.store import SqlStore
    from assetflow.workflows.acting import Act

    url, path = sys.argv[1:]
    act = Act(actor_id="a", at=datetime.now(UTC), new_id=lambda: os.urandom(12).hex(), policy=DistrictPolicy())
    store = SqlStore.open(url)
    with store.read("lincoln") as tx:
        plan = DeviceImport().plan(tx, path, at=act.at)
    print("planned", flush=True)
    if len(sys.argv) > 3:
        sys.stdin.readline()
    report = apply(store, plan, act, entropy=os.urandom, batch_size=50)
    print(report.created, report.again, flush=True)
    store.close()
"""


def child(url, path, *more):
    code = textwrap.dedent(APPLY).replace("sys.argv[1:]", "sys.argv[1:3]")
    return subprocess.Popen(
        [sys.executable, "-c", code, url, str(path), *more],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="kills with SIGKILL")
def test_an_import_that_is_killed_again_and_again_ends_exactly(make_office, csv_of, url, tmp_path):
    rng = random.Random(7)
    path = tmp_path / "inventory.csv"
    path.write_bytes(inventory(csv_of))
    whole, office = make_office(), make_office(SqlStore.open(url))
    whole.take(path)
    kills = 0
    for _ in range(8):
        process = child(url, path)
        assert process.stdout.readline() == "planned\n"
        time.sleep(rng.uniform(0.02, 0.25))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
    process = child(url, path)
    out, _ = process.communicate(timeout=60)
    assert out.split()[-2] == str(ROWS)
    assert kills >= 2
    assert office.state() == whole.state()
    assert office.verified() == office.seq()
    (batch,) = office.all(ImportBatch)
    assert (batch.rows, batch.created, batch.unchanged, batch.rejected) == (ROWS, ROWS, 0, 0)
    assert {e.batch_id for e in office.events() if e.type == "device.registered@1"} == {batch.id}
    office.store.close()


def test_two_processes_make_every_device_once(make_office, csv_of, url, tmp_path):
    path = tmp_path / "inventory.csv"
    path.write_bytes(inventory(csv_of, 600))
    office = make_office(SqlStore.open(url))
    processes = [child(url, path, "wait") for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "planned\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    devices = office.all(Device)
    assert len(devices) == len({d.serial for d in devices}) == 600
    (batch,) = office.all(ImportBatch)
    assert (batch.created, batch.unchanged) == (600, 0)
    assert office.verified() == office.seq()
    office.store.close()
