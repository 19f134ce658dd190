"""What a source can do that must not become a wrong record, or a pull that is stuck for ever."""

import pytest
from attrs import evolve, frozen

from assetflow.errors import IncompleteListing, ListingExpired, StoreFull, Unreachable
from assetflow.model import (
    Authority,
    Device,
    DeviceId,
    DeviceLink,
    DistrictPolicy,
    F,
    ItemOutcome,
    Management,
    Observation,
    Run,
    RunItem,
    RunStatus,
    StagedRecord,
)
from assetflow.model.events import DeviceRegistered
from assetflow.rules.derived import with_model
from assetflow.store.ports import Entry, Put
from assetflow.testing.canned import CannedConnector
from assetflow.wire import Listing, Problem

from .conftest import LINCOLN, chromebook, fleet  # noqa: TID252  # helpers of this folder


def put_in_stock(bench, **fields) -> Device:
    device = with_model(Device(id=DeviceId(bench.new_id()), **fields), None)
    entry = Entry(
        event=DeviceRegistered(),
        subject_id=device.id,
        stamp=bench.acting("by-hand").stamp(),
        puts=(Put(device),),
    )
    with bench.store.write(LINCOLN) as tx:
        tx.record([entry])
    return device


def items(bench, outcome):
    return bench.all(RunItem, F.outcome == outcome)


@frozen
class Garbled:
    """A connector some of whose records cannot be read."""

    inner: CannedConnector
    bad: frozenset[str]
    named: bool = True

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def plan(self, kind):
        plan = yield from self.inner.plan(kind)
        return evolve(
            plan, shards=tuple(evolve(s, listing=self._garbled(s.listing)) for s in plan.shards)
        )

    def _garbled(self, listing):
        def parse(call, body):
            page = listing.parse(call, body)
            return evolve(
                page,
                items=[d for d in page.items if d.source_id not in self.bad],
                problems=tuple(
                    Problem(
                        path="lastSync",
                        message="is no instant",
                        record=d.source_id if self.named else None,
                    )
                    for d in page.items
                    if d.source_id in self.bad
                ),
            )

        return Listing(first=listing.first, parse=parse, max_age=listing.max_age)


def test_a_record_that_cannot_be_read_is_not_absent(bench, source):
    bench.pull(source(fleet(100)))
    report = bench.pull(Garbled(source(fleet(100)), frozenset({"vendor-000003"})))
    assert report.complete
    assert (report.run.seen, report.run.problems, report.run.absent) == (99, 1, 0)
    assert bench.device("5CD0000003").management is Management.MANAGED
    [item] = items(bench, ItemOutcome.PROBLEM)
    assert (item.source_id, item.fields) == ("vendor-000003", "lastSync")


def test_absence_is_not_judged_beside_a_record_without_a_name(bench, source):
    bench.pull(source(fleet(100)))
    report = bench.pull(Garbled(source(fleet(100)), frozenset({"vendor-000003"}), named=False))
    assert report.run.status is RunStatus.PARTIAL
    assert "absence was not judged" in report.run.message
    assert report.run.absent == 0
    assert not any(o.absent_since for o in bench.all(Observation))


def test_a_listing_that_begins_again_proves_no_more_than_it_gave(bench, source):
    """Problems met twice count once, so a record that never came is noticed."""
    bench.pull(source(fleet(100)))
    expired = []

    def expire(call):
        if call.path == "/ou-1" and call.param("page") == "30" and not expired:
            expired.append(call)
            raise ListingExpired("the listing lived too long")

    cut = Garbled(source(fleet(100), lose=1, before_page=expire), frozenset({"vendor-000003"}))
    with pytest.raises(IncompleteListing) as caught:
        bench.pull(cut)
    run = caught.value.report.run
    assert expired
    assert (run.seen, run.problems, run.unchanged, run.absent) == (98, 1, 98, 0)


@pytest.mark.parametrize("name", ["asset_tag", "serial", "model"])
@pytest.mark.parametrize("known", [0, 40])
def test_a_value_that_is_too_long_is_one_problem_and_goes_when_it_is_mended(
    bench, source, name, known
):
    if known:
        bench.pull(source(fleet(known)))
    devices = fleet(40)
    devices["ou-0"][0] = evolve(devices["ou-0"][0], **{name: "x" * 300})
    report = bench.pull(source(devices))
    assert (report.run.problems, report.run.absent) == (1, 0)
    assert [i.fields for i in items(bench, ItemOutcome.PROBLEM)] == [name]
    assert "x" * 50 not in repr(report.problems)
    mended = bench.pull(source(fleet(40)))
    assert mended.complete
    assert mended.run.problems == 0
    assert len(bench.all(Device)) == 40


def test_an_error_that_would_come_again_ends_the_run(bench, source, monkeypatch):
    bench.pull(source(fleet(40)))
    changed = fleet(40)
    changed["ou-0"][0] = evolve(changed["ou-0"][0], status="DISABLED")

    def fail(*_args, **_kwargs):
        msg = "a fault of ours"
        raise KeyError(msg)

    with monkeypatch.context() as broken:
        broken.setattr("assetflow.exchange.claims.Claims.settle", fail)
        with pytest.raises(KeyError):
            bench.pull(source(changed))
    assert [r.status for r in bench.all(Run)].count(RunStatus.FAILED) == 1
    assert bench.all(StagedRecord) == []
    assert bench.pull(source(changed)).run.changed == 1


def test_two_records_of_one_source_are_not_one_device(bench, source):
    held = put_in_stock(bench, serial="5CD0001")
    twice = [chromebook(1, serial="5CD0001"), chromebook(2, serial="5CD0001", asset_tag="T2")]
    report = bench.pull(source({"ou": twice}))
    assert (report.run.linked, report.run.created) == (1, 0)
    assert [link.device_id for link in bench.all(DeviceLink)] == [held.id]
    assert [i.reason for i in items(bench, ItemOutcome.AMBIGUOUS)] == ["device-has-another-record"]


def test_a_serial_that_was_filled_in_is_known_to_the_next_record(bench, source):
    put_in_stock(bench, asset_tag="T1")
    records = [
        chromebook(1, serial="S1", asset_tag="T1"),
        chromebook(2, serial="S1", asset_tag=None),
    ]
    bench.pull(source({"ou": records}, page_size=1))
    assert [d.serial for d in bench.all(Device)] == ["S1"]
    assert len(items(bench, ItemOutcome.AMBIGUOUS)) == 1


def test_a_source_does_not_give_a_device_the_tag_of_another(bench, source):
    bench.policy = DistrictPolicy(authority=Authority(fields={"asset_tag": ("google",)}))
    bench.pull(source(fleet(40)))
    put_in_stock(bench, asset_tag="TAKEN", serial="OTHER")
    devices = fleet(40)
    devices["ou-0"][0] = evolve(devices["ou-0"][0], asset_tag="TAKEN")
    report = bench.pull(source(devices))
    assert report.run.disagreements == 1
    assert bench.device("5CD0000000").asset_tag == "LHS-000000"


def test_what_one_source_lists_is_not_absent_because_another_dropped_it(bench, source):
    bench.pull(source(fleet(40)))
    jamf = {u: [evolve(d, source_id=f"j-{d.source_id}") for d in ds] for u, ds in fleet(40).items()}
    bench.pull(source(jamf, name="jamf"))
    dropped = {**jamf, "ou-1": jamf["ou-1"][:-1]}
    report = bench.pull(source(dropped, name="jamf"))
    assert report.run.absent == 1
    assert {d.management for d in bench.all(Device)} == {Management.MANAGED}
    less = fleet(40)
    less["ou-1"].pop()
    bench.pull(source(less))
    assert [d.management for d in bench.all(Device)].count(Management.ABSENT) == 1


def test_a_finished_listing_of_a_run_that_lay_for_months_is_read_again(bench, source):
    bench.pull(source(fleet(60)))

    def break_off(call):
        if call.path == "/ou-1":
            raise Unreachable("the connection broke")

    with pytest.raises(Unreachable):
        bench.pull(source(fleet(60), before_page=break_off))
    from datetime import timedelta

    bench.now += timedelta(days=90)
    moved = fleet(60)
    gone = moved["ou-0"].pop()
    moved["ou-0"].append(moved["ou-1"].pop(0))
    report = bench.pull(source(moved))
    assert (report.run.resumed, report.run.seen) == (1, 59)
    absent = [o.source_id for o in bench.all(Observation) if o.absent_since]
    assert absent == [gone.source_id]


def test_a_return_is_told_once_although_the_listing_begins_again(bench, source):
    bench.pull(source(fleet(60)))
    fewer = fleet(60)
    fewer["ou-0"].pop(0)
    bench.pull(source(fewer))
    expired = []

    def expire(call):
        if call.path == "/ou-0" and call.param("page") == "20" and not expired:
            expired.append(call)
            raise ListingExpired("the listing lived too long")

    report = bench.pull(source(fleet(60), before_page=expire))
    assert expired
    assert report.complete
    assert bench.events().count("device.returned@1") == 1


def test_a_run_whose_end_could_not_be_written_is_let_go(bench, source, monkeypatch):
    def full(self, *_args):
        raise StoreFull("no space")

    with monkeypatch.context() as small:
        small.setattr("assetflow.exchange.pull._Pull._close", full)
        with pytest.raises(StoreFull):
            bench.pull(source(fleet(20)))
    report = bench.pull(source(fleet(20)))
    assert report.complete
    assert report.run.resumed == 1


def test_what_came_in_before_the_source_failed_is_kept(bench, source):
    def break_off(call):
        if call.param("page") == "20":
            raise Unreachable("the connection broke")

    with pytest.raises(Unreachable):
        bench.pull(source(fleet(60), before_page=break_off))
    asked = []
    bench.pull(source(fleet(60), before_page=asked.append))
    assert "/ou-0" in {c.path for c in asked}
    assert sum(c.path == "/ou-0" for c in asked) == 1


def test_a_small_fleet_does_not_vanish_below_the_floor(bench, source):
    bench.pull(source(fleet(12)))
    from assetflow.errors import ChangeGuardTripped

    with pytest.raises(ChangeGuardTripped):
        bench.pull(source({"ou-0": []}))
    assert not any(o.absent_since for o in bench.all(Observation))
