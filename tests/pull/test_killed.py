"""A pull over HTTP, killed with SIGKILL at random pages, ends exact."""

import os
import random
import signal
import subprocess
import sys
from contextlib import closing

import pytest

import assetflow
from assetflow.connectors.google import GoogleAdmin
from assetflow.model import Device, F, Query, Run, RunPage
from assetflow.testing.google import FakeGoogle
from assetflow.wire import NoAuth

CHILD = """
import sys
import assetflow
from assetflow.connectors.google import GoogleAdmin
from assetflow.wire import NoAuth

def told(step):
    print(step.phase, step.seen, flush=True)

with assetflow.open(sys.argv[1], actor="nightly") as district:
    google = GoogleAdmin(NoAuth(), base_url=sys.argv[2], page_size=50)
    print(district.pull(google, workers=3, on_progress=told).run.status.value, flush=True)
"""


def killed_pulls(path, url, *, kills: int, seed: int) -> list[int]:
    """Start pulls and kill each after a random number of steps; how far each came."""
    dice = random.Random(seed)
    reached = []
    while len(reached) < kills:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path), url], stdout=subprocess.PIPE, text=True
        )
        patience = dice.randint(2, 4)
        seen = 0
        for line in child.stdout:
            phase, _, number = line.strip().partition(" ")
            if phase == "complete":
                pytest.fail(f"the fleet was read after {len(reached)} kills: too few pages")
            seen = int(number or 0)
            patience -= 1
            if patience == 0:
                os.kill(child.pid, signal.SIGKILL)
                break
        child.wait(timeout=30)
        child.stdout.close()
        assert child.returncode == -signal.SIGKILL, f"the child ended by itself at {seen}"
        reached.append(seen)
    return reached


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a signal of POSIX systems")
@pytest.mark.timeout(300)
def test_a_pull_of_ten_thousand_killed_ten_times_ends_exact(tmp_path):
    path = tmp_path / "lincoln.db"
    with FakeGoogle(devices=10_000, latency=0.05) as fake:
        with assetflow.open(path, district="lincoln", create=True):
            pass
        reached = killed_pulls(path, fake.url, kills=10, seed=2026)
        assert reached == sorted(reached), "a page that was applied was lost"
        assert reached[-1] > 0, "no work was done before the kills"
        google = GoogleAdmin(NoAuth(), base_url=fake.url)
        with closing(google), assetflow.open(path, actor="nightly") as district:
            report = district.pull(google, workers=3)
            assert report.complete
            assert report.run.resumed == 10
            assert report.run.seen == report.run.created == 10_000
            with district.store.read(district.id) as tx:
                assert tx.count(Query(kind=Device)) == 10_000
                serials = {s for (s,) in tx.values(Query(kind=Device), ("serial",))}
                pages = list(
                    tx.values(Query(kind=RunPage, where=F.run_id == report.run.id), ("records",))
                )
                registered = sum(e.type == "device.registered@1" for e in tx.journal())
                assert tx.count(Query(kind=Run)) == 1
            assert sum(n for (n,) in pages) == 10_000
            assert registered == 10_000
            assert len(serials) == 10_000
            assert district.journal.verify().ok
            again = district.pull(google, workers=3)
            assert again.run.unchanged == 10_000
