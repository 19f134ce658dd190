"""Where a name is given out by a look and not by a key, two that give it out at once meet."""

import threading

import pytest

import assetflow
from assetflow.connectors.spec import ShardPlan
from assetflow.errors import DuplicateKey, RunInProgress
from assetflow.model import ObservedKind, Place, Query, Run
from assetflow.store.sql import SqlStore

THREADS = 5
HERE = "lincoln"


@pytest.fixture(params=["sqlite", "postgres_url", "mariadb_url"])
def store(request, tmp_path, database):
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/store.db"
    else:
        server = request.getfixturevalue(request.param.removesuffix("_url"))
        url = database(server)
    store = SqlStore.open(url, lock_timeout=20)
    yield store
    store.close()


def at_once(store, act):
    """What threads return or raise that act together, each with a district of its own."""
    assetflow.open(store, district=HERE, create=True, actor="first")
    results, barrier = [None] * THREADS, threading.Barrier(THREADS)

    def run(number):
        district = assetflow.open(store, district=HERE, actor=f"actor-{number}")
        district.policy.current()
        barrier.wait(timeout=30)
        try:
            results[number] = act(district, number)
        except DuplicateKey as problem:
            results[number] = problem.code

    threads = [threading.Thread(target=run, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


@pytest.mark.parametrize("turn", range(3))
def test_one_device_gets_a_tag(store, turn):
    def register(district, number):
        district.devices.register(asset_tag="LHS-1", serial=f"S{number}")
        return "registered"

    assert sorted(at_once(store, register)) == ["duplicate-key"] * (THREADS - 1) + ["registered"]


def test_one_device_is_given_anothers_serial(store):
    def register_and_rename(district, number):
        made = district.devices.register(asset_tag=f"LHS-{number}")
        district.devices.edit(made.id, serial="5CD1")
        return "edited"

    assert sorted(at_once(store, register_and_rename)) == ["duplicate-key"] * (THREADS - 1) + [
        "edited"
    ]


@pytest.mark.parametrize("code", [None, "LHS"])
def test_a_place_that_several_add_at_once_is_one(store, code):
    made = at_once(store, lambda d, _: d.places.add("site", "Lincoln High", code=code).id)
    assert len(set(made)) == 1
    with store.read(HERE) as tx:
        assert tx.count(Query(kind=Place)) == 1


def test_one_person_gets_a_number(store):
    def register(district, number):
        district.people.register(kind="student", local_id="204881", given_name=f"N{number}")
        return "registered"

    assert sorted(at_once(store, register)) == ["duplicate-key"] * (THREADS - 1) + ["registered"]


def test_one_pull_of_a_source_begins(store):
    from assetflow.exchange import checkpoints

    def begin(district, number):
        act = district._session.reading()
        try:
            with store.write(HERE) as tx:
                checkpoints.begin(
                    tx,
                    source="google",
                    what="device",
                    plan=ShardPlan(kind=ObservedKind.DEVICE, shards=()),
                    run_id=f"run-{number}",
                    owner=checkpoints.new_owner(),
                    now=act.at,
                )
        except RunInProgress:
            return "in-progress"
        return "begun"

    assert sorted(at_once(store, begin)) == ["begun"] + ["in-progress"] * (THREADS - 1)
    with store.read(HERE) as tx:
        assert tx.count(Query(kind=Run)) == 1
