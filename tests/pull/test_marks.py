"""What the pages of the newest run say spares a look at the store, and never hides a change."""

import json

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow.errors import ChangeGuardTripped, Unreachable
from assetflow.exchange import history
from assetflow.exchange.linking import link_record
from assetflow.model import (
    BatchId,
    Device,
    DeviceId,
    DistrictPolicy,
    F,
    ItemOutcome,
    Management,
    Observation,
    PullPolicy,
    Run,
    RunItem,
    RunPage,
    RunStatus,
    Sighting,
)
from assetflow.model.events import DeviceRegistered
from assetflow.reconcile import DIGEST_SIZE, digest, digests, is_of_this_scheme, told_the_same
from assetflow.reconcile import diff as scheme
from assetflow.rules.derived import with_model
from assetflow.store.memory import MemoryStore
from assetflow.store.ports import Entry, Put
from assetflow.testing.canned import CannedConnector
from assetflow.workflows.marks import unmark

from .conftest import LINCOLN, Bench, chromebook, fleet  # noqa: TID252  # helpers of this folder


def put_in_stock(bench, **fields) -> Device:
    device = with_model(Device(id=DeviceId(bench.new_id()), **fields), None)
    entry = Entry(
        event=DeviceRegistered(),
        subject_id=device.id,
        stamp=bench.acting(BatchId("by-hand")).stamp(),
        puts=(Put(device),),
    )
    with bench.store.write(LINCOLN) as tx:
        tx.record([entry])
    return device


def counted(run: Run) -> int:
    return run.created + run.linked + run.changed + run.unchanged + run.unmatched


# --- the pages of the newest run --------------------------------------------------------------

numbers = st.lists(st.integers(0, 30), max_size=25, unique=True)
names = st.sampled_from([None, "Room 12", "Cart 3"])
listings = st.lists(st.tuples(numbers, st.dictionaries(st.integers(0, 30), names)), max_size=5)


@settings(max_examples=60)
@given(listings)
def test_any_nights_in_any_order_leave_what_the_last_one_said(nights):
    """Against the plain meaning: after each pull the observations are the listing's records."""
    bench = Bench(MemoryStore())
    bench.policy = DistrictPolicy(
        pull=PullPolicy(max_change_percent=100, max_absent_percent=100, max_new_percent=100_000)
    )
    said: dict[str, str | None] = {}
    for hour, (order, places) in enumerate(nights):
        contact = f"2026-11-{hour + 1:02}T15:00:00.000000Z"
        devices = [
            chromebook(n, location=places.get(n), last_seen_at=contact if n % 2 else None)
            for n in order
        ]
        run = bench.pull(CannedConnector({"ou": devices}, page_size=4)).run
        now = {d.source_id: d.location for d in devices}
        differ = {i for i, place in now.items() if i in said and said[i] != place}
        assert run.changed == len(differ)
        assert run.created == len(now.keys() - said.keys())
        assert counted(run) == run.seen == len(devices)
        said |= now
        held = {o.source_id: o for o in bench.all(Observation)}
        assert {i: json.loads(o.facts).get("location") for i, o in held.items()} == said
        assert {i for i, o in held.items() if o.absent_since is None} == now.keys()
        contacts = {s.source_id: s.last_seen_at for s in bench.all(Sighting)}
        assert all(contacts[d.source_id] == d.last_seen_at for d in devices)


def test_a_page_that_is_as_it_was_asks_the_store_for_no_record(bench, source, monkeypatch):
    bench.pull(source(fleet(45)))
    asked = []
    monkeypatch.setattr(
        "assetflow.exchange.known.Known._judge",
        lambda _self, page, *_rest: asked.extend(page.suspects),
    )
    bench.pull(source(fleet(45)))
    assert asked == []


def test_a_listing_that_moved_on_by_one_is_compared_record_by_record(bench, source):
    bench.pull(source({"ou": [chromebook(n) for n in range(1, 60)]}))
    run = bench.pull(source({"ou": [chromebook(n) for n in range(60)]})).run
    assert (run.created, run.changed, run.unchanged) == (1, 0, 59)


def test_pages_without_marks_are_no_reason_to_find_a_change(bench, source):
    """As after the upgrade from a version that kept none."""
    bench.pull(source(fleet(45)))
    with bench.store.write(LINCOLN) as tx:
        tx.upsert([evolve(p, marks=b"", contacts=b"") for p in bench.all(RunPage)])
    assert bench.pull(source(fleet(45))).run.unchanged == 45
    sizes = {(len(p.marks) / DIGEST_SIZE, p.records) for p in bench.all(RunPage) if p.marks}
    assert all(size == records + 1 for size, records in sizes)


def test_a_run_that_broke_off_early_is_no_reason_to_find_a_change(bench, source):
    bench.pull(source(fleet(200)))
    changed = fleet(200)
    changed["ou-0"][0] = evolve(changed["ou-0"][0], status="DISABLED")

    def fail(call):
        if call.param("page") == "20":
            raise ValueError("a fault of ours")

    with pytest.raises(ValueError, match="ours"):
        bench.pull(source(changed, before_page=fail))
    run = bench.pull(source(changed)).run
    assert (run.changed, run.unchanged) == (1, 199)


def test_a_record_that_a_person_linked_is_weighed_by_the_next_pull(bench, source):
    held = put_in_stock(bench, serial="5CD01204")
    record = chromebook(1, serial="5CD012O4", asset_tag=None)
    bench.pull(source({"ou": [record, *fleet(20)["ou-0"]]}))
    with bench.store.write(LINCOLN) as tx:
        link_record(tx, bench.acting(BatchId("b")), "google", record.source_id, "5CD01204")
    run = bench.pull(source({"ou": [record, *fleet(20)["ou-0"]]})).run
    assert (run.changed, run.unmatched) == (1, 0)
    [linked] = [d for d in bench.all(Device) if d.id == held.id]
    assert linked.management is Management.MANAGED


# --- records that belong to no device ---------------------------------------------------------


def test_records_without_a_device_are_counted_and_told(bench, source):
    bench.policy = DistrictPolicy(pull=PullPolicy(create_devices=False))
    held = put_in_stock(bench, serial="5CD0000001")
    report = bench.pull(source(fleet(5)))
    run = report.run
    assert (run.linked, run.unmatched, run.created) == (1, 4, 0)
    assert counted(run) == run.seen == 5
    assert "unmatched 4" in report.summary()
    assert report.as_dict()["unmatched"] == 4
    assert [d.id for d in bench.all(Device)] == [held.id]


def test_a_record_that_stays_without_a_device_is_told_once(bench, source):
    put_in_stock(bench, serial="5CD01204")
    devices = {"ou": [chromebook(1, serial="5CD012O4", asset_tag=None)]}
    first = bench.pull(source(devices)).run
    written = bench.all(Observation), bench.all(RunItem)
    for _ in range(3):
        run = bench.pull(source(devices)).run
        assert (run.seen, run.unmatched, run.unchanged, run.changed) == (1, 1, 0, 0)
    assert (bench.all(Observation), bench.all(RunItem)) == written
    assert written[0][0].changed_run_id == first.id


# --- how long it is kept what a run did -------------------------------------------------------


def test_what_old_runs_did_goes_and_what_still_holds_stays(bench, source, monkeypatch):
    monkeypatch.setattr(history, "_GROUP", 7)
    bench.policy = DistrictPolicy(pull=PullPolicy(kept_runs=2))
    put_in_stock(bench, serial="5CD0000001", asset_tag="OLD-17")
    put_in_stock(bench, serial="5CD00000O3")
    first = bench.pull(source(fleet(20))).run
    assert (first.created, first.linked, first.unmatched, first.disagreements) == (18, 1, 1, 1)
    bench.pull(source(fleet(20)))
    assert len(bench.all(RunItem)) == 21
    bench.pull(source(fleet(20)))
    left = {(i.source_id, i.outcome) for i in bench.all(RunItem)}
    assert left == {
        ("vendor-000001", ItemOutcome.DISAGREES),
        ("vendor-000003", ItemOutcome.AMBIGUOUS),
    }
    settled = fleet(20)
    settled["ou-1"][0] = evolve(settled["ou-1"][0], asset_tag="OLD-17")
    for _ in range(3):
        bench.pull(source(settled))
    assert {i.outcome for i in bench.all(RunItem)} == {ItemOutcome.AMBIGUOUS}
    assert len(bench.all(Run)) == 6


# --- what stops a run -------------------------------------------------------------------------


def test_the_policy_says_how_many_may_be_new_and_an_argument_overrules_it(bench, source):
    bench.pull(source(fleet(40)))
    more = fleet(70)
    bench.policy = DistrictPolicy(pull=PullPolicy(max_new_percent=50))
    with pytest.raises(ChangeGuardTripped, match="add 30 records"):
        bench.pull(source(more))
    bench.policy = DistrictPolicy.from_toml("[pull]\nmax_new_percent = 80\n")
    with pytest.raises(ChangeGuardTripped, match="add 30 records"):
        bench.pull(source(more), max_new_percent=70)
    assert bench.pull(source(more)).run.created == 30


def test_when_too_much_is_absent_no_change_is_applied_either(bench, source):
    bench.pull(source(fleet(100)))
    events, devices = bench.events(), bench.all(Device)
    fewer = {"ou-0": fleet(100)["ou-0"][:40]}
    fewer["ou-0"][0] = evolve(fewer["ou-0"][0], status="DISABLED", management=Management.DISABLED)
    with pytest.raises(ChangeGuardTripped, match="mark 60 records absent") as caught:
        bench.pull(source(fewer))
    assert caught.value.report.run.status is RunStatus.STOPPED
    assert (bench.events(), bench.all(Device)) == (events, devices)


# --- digests ----------------------------------------------------------------------------------


def test_many_digests_are_those_of_each():
    devices = [chromebook(n, notes="x" * n) for n in range(50)]
    assert digests(devices) == [digest(d) for d in devices]
    assert {len(mark) for mark in digests(devices)} == {DIGEST_SIZE}
    assert len(set(digests(devices))) == 50


def under_another_scheme(bench, monkeypatch, *, added=()):
    """Today's method, after records were observed with another: none tracked *added*."""
    with bench.store.write(LINCOLN) as tx:
        for o in bench.all(Observation):
            facts = {n: v for n, v in json.loads(o.facts).items() if n not in added}
            tx.upsert([evolve(o, digest=bytes(16), facts=json.dumps(facts))])
        tx.upsert([evolve(p, marks=b"") for p in bench.all(RunPage)])
    monkeypatch.setattr(scheme, "_ADDED", dict.fromkeys(added, 1))


@pytest.mark.parametrize("added", [(), ("status", "org_unit_path")])
def test_a_digest_of_another_scheme_is_no_change(bench, source, monkeypatch, added):
    bench.pull(source(fleet(45)))
    events, told = bench.events(), bench.all(RunItem)
    under_another_scheme(bench, monkeypatch, added=added)
    run = bench.pull(source(fleet(45))).run
    assert (run.unchanged, run.changed) == (45, 0)
    assert (bench.events(), bench.all(RunItem)) == (events, told)
    assert all(is_of_this_scheme(o.digest) for o in bench.all(Observation))


def test_a_change_beside_a_digest_of_another_scheme_is_a_change(bench, source, monkeypatch):
    bench.pull(source(fleet(45)))
    under_another_scheme(bench, monkeypatch, added=("status",))
    devices = fleet(45)
    devices["ou-0"][0] = evolve(devices["ou-0"][0], status="DISABLED")
    devices["ou-0"][1] = evolve(devices["ou-0"][1], model="Another")
    run = bench.pull(source(devices)).run
    assert (run.unchanged, run.changed) == (44, 1)
    [item] = bench.all(RunItem, F.outcome == ItemOutcome.CHANGED)
    assert "model" in item.fields


def test_facts_that_were_erased_are_not_the_same():
    assert not told_the_same(bytes(16), "", chromebook(1))


def test_a_pull_that_is_taken_up_again_judges_absence(bench, source):
    bench.pull(source(fleet(60)))
    fewer = fleet(60)
    gone = fewer["ou-0"].pop()

    def break_off(call):
        if call.path == "/ou-1":
            raise Unreachable("the connection broke")

    with pytest.raises(Unreachable):
        bench.pull(source(fewer, before_page=break_off))
    run = bench.pull(source(fewer)).run
    assert (run.resumed, run.seen, run.absent) == (1, 59, 1)
    assert [o.source_id for o in bench.all(Observation) if o.absent_since] == [gone.source_id]


def test_a_record_that_was_changed_beside_the_pulls_is_looked_up(bench, source):
    bench.pull(source(fleet(45)))
    bench.pull(source(fleet(45)))
    gone = bench.all(Observation)[7]
    other = bench.all(Observation)[8]
    with bench.store.write(LINCOLN) as tx:
        tx.delete(Observation, [("google", gone.source_id)])
        tx.upsert([evolve(other, digest=b"")])
        unmark(tx, "google", [gone.source_id, other.source_id])
    kept = {o.digest for o in bench.all(Observation) if o.digest}
    marks = b"".join(p.marks for p in bench.all(RunPage))
    cut = [marks[i : i + DIGEST_SIZE] for i in range(0, len(marks), DIGEST_SIZE)]
    assert kept < set(cut)
    assert not {gone.digest, other.digest} & set(cut)
    assert cut.count(bytes(DIGEST_SIZE)) == 4
    run = bench.pull(source(fleet(45))).run
    assert (run.unchanged, run.changed, run.created, run.linked) == (43, 2, 0, 0)
    assert len(bench.all(Observation)) == 45


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 39), names), max_size=12))
def test_one_digest_over_a_page_hides_no_change(changes):
    """Night after night with other changes, also once no page is looked at as a whole."""
    bench = Bench(MemoryStore())
    bench.policy = DistrictPolicy(pull=PullPolicy(max_change_percent=100))
    devices = [chromebook(n) for n in range(40)]
    bench.pull(CannedConnector({"ou": devices}, page_size=4))
    for number, place in changes:
        before = devices[number].location
        devices[number] = evolve(devices[number], location=place)
        run = bench.pull(CannedConnector({"ou": devices}, page_size=4)).run
        assert run.changed == (before != place)
        assert run.unchanged == 40 - run.changed
