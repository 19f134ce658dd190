"""A pull brings in what a source has, changes nothing twice, and stops when it should."""

import itertools

import pytest
from attrs import evolve

from assetflow.errors import ChangeGuardTripped, IncompleteListing, RunInProgress, Unreachable
from assetflow.exchange import checkpoints
from assetflow.model import (
    BatchId,
    Device,
    DeviceId,
    DeviceLink,
    DistrictPolicy,
    F,
    ItemOutcome,
    Lifecycle,
    Management,
    Observation,
    PullPolicy,
    Run,
    RunItem,
    RunPage,
    RunStatus,
    Sighting,
    StagedRecord,
)
from assetflow.model.events import DeviceRegistered
from assetflow.rules.derived import with_model
from assetflow.store.journal import verify
from assetflow.store.ports import Entry, Put
from assetflow.store.replay import compare

from .conftest import LINCOLN, chromebook, fleet  # noqa: TID252  # helpers of this folder


def put_in_stock(bench, **fields) -> Device:
    device = with_model(Device(id=DeviceId(bench.new_id()), **fields), None)
    act = bench.acting(BatchId("by-hand"))
    with bench.store.write(LINCOLN) as tx:
        tx.record(
            [
                Entry(
                    event=DeviceRegistered(),
                    subject_id=device.id,
                    stamp=act.stamp(),
                    puts=(Put(device),),
                )
            ]
        )
    return device


def sound(bench) -> None:
    with bench.store.read(LINCOLN) as tx:
        verify(tx)
        assert not list(compare(tx))


def items(bench, outcome: ItemOutcome) -> list[RunItem]:
    return bench.all(RunItem, F.outcome == outcome)


def test_a_first_pull_registers_every_device(bench, source):
    report = bench.pull(source(fleet(45)))
    assert report.complete
    assert (report.run.seen, report.run.created, report.run.expected) == (45, 45, 45)
    devices = bench.all(Device)
    assert len(devices) == len({d.serial for d in devices}) == 45
    assert {d.lifecycle for d in devices} == {Lifecycle.IN_STOCK}
    assert {d.model for d in devices} == {"HP Chromebook 11 G9 EE"}
    assert (
        len(bench.all(DeviceLink)) == len(bench.all(Observation)) == len(bench.all(Sighting)) == 45
    )
    assert bench.events().count("device.registered@1") == 45
    sound(bench)


def test_a_second_pull_appends_no_event_and_touches_no_device(bench, source):
    bench.pull(source(fleet(45)))
    events, devices = bench.events(), bench.all(Device)
    report = bench.pull(source(fleet(45)))
    assert report.run.unchanged == report.run.seen == 45
    assert bench.events() == events
    assert bench.all(Device) == devices


def test_a_newer_contact_moves_the_sighting_alone(bench, source):
    bench.pull(source(fleet(12)))
    events, devices = bench.events(), bench.all(Device)
    later = {
        u: [evolve(d, last_seen_at="2026-11-24T01:00:00.000000Z", os_version="131") for d in ds]
        for u, ds in fleet(12).items()
    }
    report = bench.pull(source(later))
    assert report.run.unchanged == 12
    assert bench.events() == events
    assert bench.all(Device) == devices
    assert {s.last_seen_at for s in bench.all(Sighting)} == {"2026-11-24T01:00:00.000000Z"}


def test_a_change_with_authority_is_taken_over_and_told(bench, source):
    bench.pull(source(fleet(40)))
    devices = fleet(40)
    devices["ou-0"][0] = evolve(
        devices["ou-0"][0], management=Management.DISABLED, status="DISABLED"
    )
    report = bench.pull(source(devices))
    assert (report.run.changed, report.run.unchanged) == (1, 39)
    assert bench.device("5CD0000000").management is Management.DISABLED
    with bench.store.read(LINCOLN) as tx:
        body = [e.body for e in tx.journal() if e.type == "device.observed@1"]
    assert len(body) == 1
    assert '"status":"DISABLED"' in body[0]
    sound(bench)


def test_a_personal_field_changes_by_name_only(bench, source):
    bench.pull(source(fleet(40)))
    devices = fleet(40)
    devices["ou-0"][0] = evolve(devices["ou-0"][0], assigned_to="canary@maple-valley.example")
    bench.pull(source(devices))
    with bench.store.read(LINCOLN) as tx:
        bodies = [e.body for e in tx.journal()]
    assert any('"assigned_to"' in b for b in bodies)
    assert not any("canary" in b or "@maple-valley" in b for b in bodies)


def test_what_the_district_holds_is_not_overwritten_without_authority(bench, source):
    held = put_in_stock(bench, serial="5CD0000001", asset_tag="OLD-17")
    report = bench.pull(source({"ou": [chromebook(1)]}))
    assert (report.run.linked, report.run.created, report.run.disagreements) == (1, 0, 1)
    after = bench.device("5CD0000001")
    assert after.id == held.id
    assert after.asset_tag == "OLD-17"
    assert after.management is Management.MANAGED
    assert [i.fields for i in items(bench, ItemOutcome.DISAGREES)] == ["asset_tag"]
    sound(bench)


@pytest.mark.parametrize(
    ("held", "observed", "reason"),
    [
        ([{"serial": "5CD01204"}], {"serial": "5CD012O4"}, "serial-looks-alike"),
        ([{"serial": "A1"}, {"serial": "a1"}], {"serial": "A1"}, "serial-of-several"),
        (
            [{"asset_tag": "T1"}, {"asset_tag": "t1"}],
            {"serial": None, "asset_tag": "T1"},
            "tag-of-several",
        ),
        (
            [{"serial": "A1", "asset_tag": "T1"}],
            {"serial": "B7", "asset_tag": "T1"},
            "tag-with-other-serial",
        ),
        (
            [{"serial": "A1", "lifecycle": Lifecycle.DISPOSED}],
            {"serial": "A1"},
            "device-is-disposed",
        ),
    ],
)
def test_an_unsure_match_waits_for_a_person(bench, source, held, observed, reason):
    before = [put_in_stock(bench, **h) for h in held]
    report = bench.pull(
        source(
            {"ou": [chromebook(1, asset_tag=observed.get("asset_tag"), serial=observed["serial"])]}
        )
    )
    assert (report.run.created, report.run.linked) == (0, 0)
    [item] = items(bench, ItemOutcome.AMBIGUOUS)
    assert item.reason == reason
    assert set(item.candidates.split(",")) == {d.id for d in before}
    assert bench.all(DeviceLink) == []
    assert bench.all(Observation)[0].device_id is None


def test_an_unsure_match_is_tried_again_when_the_inventory_was_corrected(bench, source):
    put_in_stock(bench, serial="5CD01204")
    bench.pull(source({"ou": [chromebook(1, serial="5CD012O4", asset_tag=None)]}))
    put_in_stock(bench, serial="5CD012O4")
    report = bench.pull(source({"ou": [chromebook(1, serial="5CD012O4", asset_tag=None)]}))
    assert report.run.linked == 1
    assert bench.all(Observation)[0].device_id == bench.device("5CD012O4").id


def test_two_serials_that_look_alike_at_the_source_are_two_devices(bench, source):
    """Neighbours in one order: makers number in base 36."""
    near = [chromebook(1, serial="5CD0128"), chromebook(2, serial="5CD012B")]
    report = bench.pull(source({"ou": near}))
    assert report.run.created == 2
    assert items(bench, ItemOutcome.AMBIGUOUS) == []
    third = [*near, chromebook(3, serial="SCD0128")]
    assert bench.pull(source({"ou": third})).run.created == 1


def test_devices_are_not_created_when_the_policy_says_so(bench, source):
    bench.policy = DistrictPolicy(pull=PullPolicy(create_devices=False))
    report = bench.pull(source(fleet(3)))
    assert report.run.created == 0
    assert bench.all(Device) == []
    assert len(items(bench, ItemOutcome.REFUSED)) == 3


def test_absence_counts_only_after_a_complete_listing(bench, source):
    bench.pull(source(fleet(60)))
    with pytest.raises(IncompleteListing) as caught:
        bench.pull(source(fleet(60), lose=2))
    report = caught.value.report
    assert report.run.status is RunStatus.PARTIAL
    assert report.run.absent == 0
    assert not any(o.absent_since for o in bench.all(Observation))


def test_a_complete_listing_marks_what_is_gone_and_what_comes_back(bench, source):
    bench.pull(source(fleet(60)))
    fewer = fleet(60)
    gone = fewer["ou-1"].pop()
    report = bench.pull(source(fewer))
    assert report.run.absent == 1
    device = bench.device(gone.serial)
    assert device.management is Management.ABSENT
    assert device.lifecycle is Lifecycle.IN_STOCK
    again = bench.pull(source(fewer))
    assert again.run.absent == 0
    back = bench.pull(source(fleet(60)))
    assert back.run.seen == 60
    assert bench.device(gone.serial).management is Management.MANAGED
    assert [e for e in bench.events() if e in {"device.absent@1", "device.returned@1"}] == [
        "device.absent@1",
        "device.returned@1",
    ]
    sound(bench)


def test_the_change_guard_stops_before_anything_is_applied(bench, source):
    bench.pull(source(fleet(100)))
    events, devices = bench.events(), bench.all(Device)
    renamed = {u: [evolve(d, model="Other") for d in ds] for u, ds in fleet(100).items()}
    with pytest.raises(ChangeGuardTripped) as caught:
        bench.pull(source(renamed))
    assert "max_change_percent=100" in caught.value.hint
    assert bench.events() == events
    assert bench.all(Device) == devices
    assert bench.all(StagedRecord) == []
    assert len(items(bench, ItemOutcome.REFUSED)) == 100
    report = bench.pull(source(renamed), max_change_percent=100)
    assert report.run.changed == 100
    sound(bench)


def test_the_guard_stops_a_foreign_tenant(bench, source):
    bench.pull(source(fleet(40)))
    foreign = {"ou": [chromebook(n) for n in range(1_000, 1_200)]}
    with pytest.raises(ChangeGuardTripped, match="add 200 records"):
        bench.pull(source(foreign))
    assert len(bench.all(Device)) == 40


def test_the_guard_stops_a_fleet_that_vanished(bench, source):
    bench.pull(source(fleet(100)))
    with pytest.raises(ChangeGuardTripped, match="mark 60 records absent"):
        bench.pull(source({"ou": fleet(100)["ou-0"][:40]}))
    assert not any(o.absent_since for o in bench.all(Observation))


class Killed(BaseException):
    """Ends a pull as a signal would: nothing is cleaned up that a signal would leave."""


@pytest.mark.parametrize("page", range(1, 9))
def test_a_pull_that_ends_at_any_page_goes_on_from_there(bench, source, page, monkeypatch):
    served: list[str] = []

    def die(call):
        served.append(f"{call.path}?{call.param('page')}")
        if len(served) == page:
            raise Killed

    monkeypatch.setattr("assetflow.exchange.pages._GROUP", 1)
    with pytest.raises(Killed):
        bench.pull(source(fleet(80), before_page=die))
    committed = len(bench.all(RunPage))
    assert committed == page - 1
    again: list[str] = []
    report = bench.pull(source(fleet(80), before_page=lambda c: again.append(c.path)))
    assert len(again) == 8 - committed
    assert report.complete
    assert report.run.resumed == 1
    assert report.run.seen == report.run.created == len(bench.all(Device)) == 80
    assert len(bench.all(Run)) == 1
    assert bench.events().count("device.registered@1") == 80
    sound(bench)


def test_a_run_that_an_error_interrupted_is_taken_up_at_once(bench, source):
    def break_off(call):
        if call.param("page") == "20":
            msg = "the connection broke"
            raise Unreachable(msg)

    with pytest.raises(Unreachable):
        bench.pull(source(fleet(60), before_page=break_off))
    report = bench.pull(source(fleet(60)))
    assert report.complete
    assert report.run.resumed == 1


def test_two_processes_do_not_work_on_one_run(bench, source, monkeypatch):
    def second(call):
        if call.param("page") == "10":
            with pytest.raises(RunInProgress):
                bench.pull(source(fleet(60)))

    assert bench.pull(source(fleet(60), before_page=second)).complete


def test_a_run_whose_process_is_silent_is_taken_over_and_fenced(bench, source):
    taken = []

    def overtake(call):
        if call.param("page") == "10" and not taken:
            taken.append(call)
            bench.now += checkpoints.LEASE * 2
            assert bench.pull(source(fleet(60))).complete

    with pytest.raises(RunInProgress):
        bench.pull(source(fleet(60), before_page=overtake))
    assert len(bench.all(Device)) == 60
    sound(bench)


def test_a_device_that_moves_while_it_is_read_is_taken_once(bench, source):
    twice = fleet(30)
    twice["ou-1"].append(twice["ou-0"][0])
    connector = source(twice, count=False)
    report = bench.pull(connector)
    assert report.run.seen == 30
    assert len(bench.all(Device)) == 30


def test_workers_bring_the_same_as_one(bench, source):
    report = bench.pull(source(fleet(300, units=7)), workers=4)
    assert report.complete
    assert len(bench.all(Device)) == 300
    assert bench.pull(source(fleet(300, units=7)), workers=4).run.unchanged == 300
    sound(bench)


def test_an_error_in_one_listing_stops_the_others(bench, source):
    def break_off(call):
        if call.path == "/ou-3":
            msg = "the connection broke"
            raise Unreachable(msg)

    with pytest.raises(Unreachable):
        bench.pull(source(fleet(300, units=7), before_page=break_off), workers=4)
    assert bench.pull(source(fleet(300, units=7)), workers=4).complete


def test_progress_is_told_from_plan_to_end(bench, source):
    steps = []
    bench.pull(source(fleet(60)), on_progress=steps.append)
    assert [s.phase for s in steps][-1] == "done"
    assert steps[-1].seen == steps[-1].expected == 60
    assert all(a.seen <= b.seen for a, b in itertools.pairwise(steps))
