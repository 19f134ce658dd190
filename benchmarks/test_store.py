"""Bulk inserts, reads of the books, and what a person waits for."""

import pytest

from assetflow.store.journal import verify
from benchmarks.acts import Desk
from benchmarks.bulk import Inserts, row_of
from benchmarks.world import LINCOLN


@pytest.fixture(scope="module")
def inserts(world):
    made = Inserts(world, world.scale.rows)
    yield made
    made.close()


@pytest.mark.benchmark(group="insert 3,000 observations")
@pytest.mark.parametrize("way", ["assetflow", "executemany"])
def test_insert(benchmark, inserts, way):
    rows = {"af_observation": [row_of(record) for record in inserts.observations]}
    ready = (
        inserts.ours(lambda tx, batch: tx.insert(batch), inserts.observations)
        if way == "assetflow"
        else inserts.raw(rows)
    )
    benchmark.pedantic(lambda run: run(), setup=lambda: ((ready(0),), {}), rounds=10)


@pytest.mark.benchmark(group="register 1,000 devices")
def test_register(benchmark, inserts):
    ready = inserts.ours(lambda tx, batch: tx.record(batch), inserts.entries())
    benchmark.pedantic(lambda run: run(), setup=lambda: ((ready(0),), {}), rounds=10)


@pytest.mark.benchmark(group="one act")
def test_check_out(benchmark, world):
    desk = Desk(world)
    with world.open(desk.path) as district:
        acts = desk.acts(district)
        benchmark.pedantic(lambda act: act(), setup=lambda: ((next(acts),), {}), rounds=desk.count)


@pytest.mark.benchmark(group="one act")
def test_page_of_300(benchmark, world):
    with world.open(world.large) as district:
        page = benchmark(lambda: list(district.devices.where().limit(300)))
    assert len(page) == 300


@pytest.mark.benchmark(group="books")
def test_verify_the_journal(benchmark, world):
    with world.open(world.large) as district, district.store.read(LINCOLN) as tx:
        assert benchmark(verify, tx).events > world.scale.fleet
