"""Pulls of a known fleet without a network, and what no pull can leave out."""

import pytest

from benchmarks.pulls import Upserts, decode_and_digest
from benchmarks.source import PagesConnector, changed, seen_again

pytestmark = pytest.mark.benchmark(group="pull 3,000 devices")


@pytest.fixture
def district(world):
    with world.open(world.copy(world.large, "pulls.db")) as opened:
        yield opened


def test_unchanged(benchmark, world, district):
    connector = PagesConnector(world.pages, world.scale.fleet)
    report = benchmark(district.pull, connector, workers=1)
    assert report.run.unchanged == world.scale.fleet


def test_telemetry_moved(benchmark, world, district):
    count, pages = world.scale.fleet, [world.pages, seen_again(world.pages, 2027)]

    def turn():
        pages.reverse()
        return (PagesConnector(pages[0], count),), {"workers": 1}

    report = benchmark.pedantic(district.pull, setup=turn, rounds=10)
    assert report.run.unchanged == count


def test_one_in_a_hundred_changed(benchmark, world, district):
    count, pages = world.scale.fleet, [world.pages]

    def turn():
        pages.append(changed(pages[-1], len(pages)))
        return (PagesConnector(pages[-1], count, decoded=True),), {"workers": 1}

    report = benchmark.pedantic(district.pull, setup=turn, rounds=10)
    assert report.run.changed == -(-count // 100)


def test_limit_decode_and_digest(benchmark, world):
    benchmark(decode_and_digest(world.pages, world.scale.fleet))


def test_peer_on_conflict_where(benchmark, world):
    peer = Upserts(world)
    connector = PagesConnector(world.pages, world.scale.fleet, decoded=True)
    peer.run(connector)
    benchmark(peer.run, connector, 0)
    peer.close()
