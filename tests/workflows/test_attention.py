"""What needs attention: each kind finds what it should, and only that."""

from __future__ import annotations

import json
import shlex
from datetime import date, timedelta
from pathlib import Path

import attrs
import pytest

from assetflow.errors import InvalidValue
from assetflow.model import (
    Condition,
    Custody,
    CustodyKind,
    CustodyState,
    ExtendedUpdates,
    HolderKind,
    ItemOutcome,
    Lifecycle,
    Management,
    Money,
    Observation,
    OpenCustody,
    PersonStatus,
    Run,
    RunItem,
    RunStatus,
    usd,
)
from assetflow.workflows.attention import KINDS, AttentionKind, attention, attention_groups

TODAY = date(2026, 8, 17)


def ago(days):
    return TODAY - timedelta(days=days)


def found(world, kind, **kwargs):
    return world.ask(attention, TODAY, kinds=[kind], **kwargs)


def ids(world, kind, **kwargs):
    return [item.subject_id for item in found(world, kind, **kwargs)]


def hand_out(world, number, *, holder="p-ana", **fields):
    """A device in somebody's hands, as rows."""
    terms = {k: fields.pop(k) for k in ("kind", "due_on") if k in fields}
    kind = terms.get("kind", CustodyKind.ASSIGNMENT)
    state = CustodyState.LOANED if kind is CustodyKind.LOAN else CustodyState.ASSIGNED
    fields = {"lifecycle": Lifecycle.DEPLOYED, "custody": state, **fields}
    world.device(number, **fields)
    stay = Custody(
        id=f"c-{number}",
        device_id=number,
        kind=kind,
        accountable_kind=HolderKind.PERSON,
        accountable_id=holder,
        holder_kind=HolderKind.PERSON,
        holder_id=holder,
        since=world.now - timedelta(days=60),
        due_on=terms.get("due_on"),
    )
    opened = OpenCustody(device_id=number, custody_id=stay.id, accountable_id=holder)
    world.add(stay, opened)


def run(world, number, *, days=0, source="google", status=RunStatus.COMPLETE, **fields):
    started = world.now - timedelta(days=days)
    world.add(
        Run(id=number, source=source, what="device", status=status, started_at=started, **fields)
    )


def claim(world, source_id, run_id, *, device=None, source="google", facts=None, **fields):
    world.add(
        Observation(
            source=source,
            source_id=source_id,
            device_id=device,
            digest=b"0" * 16,
            facts=json.dumps(facts or {}),
            first_run_id=run_id,
            changed_run_id=run_id,
            **fields,
        )
    )


def told(world, run_id, source_id, outcome, **fields):
    world.add(RunItem(run_id=run_id, source_id=source_id, outcome=outcome, **fields))


def test_a_district_in_order_needs_nobody(world):
    world.person("p-ana")
    hand_out(world, "d-1", management=Management.MANAGED)
    world.device("d-2", auto_update_ends=date(2031, 6, 1))
    run(world, "r-1")
    assert world.ask(attention, TODAY) == []
    assert attention_groups([]) == []


# --- people and custody ------------------------------------------------------------------------


def test_overdue_loans(world):
    hand_out(world, "d-late", kind=CustodyKind.LOAN, due_on=ago(3), purchase_cost=usd("299.95"))
    hand_out(world, "d-today", kind=CustodyKind.LOAN, due_on=TODAY)
    hand_out(world, "d-year", due_on=ago(1))
    hand_out(world, "d-free")
    world.device("d-back")
    ended = attrs.evolve(
        Custody(
            id="c-back",
            device_id="d-back",
            kind=CustodyKind.LOAN,
            accountable_kind=HolderKind.PERSON,
            accountable_id="p-ana",
            holder_kind=HolderKind.PERSON,
            holder_id="p-ana",
            since=world.now,
            due_on=ago(9),
        ),
        ended_at=world.now,
    )
    world.add(ended)
    late, year = found(world, "overdue-loan")
    assert (late.subject_id, late.age_days, late.money) == ("d-late", 3, usd("299.95"))
    assert late.call == "district.custody.check_in('LHS-d-late')"
    assert late.command == "assetflow check-in LHS-d-late"
    assert late.detail == {
        "custody_id": "c-d-late",
        "accountable_id": "p-ana",
        "due_on": "2026-08-14",
    }
    assert (year.subject_id, year.age_days, year.money) == ("d-year", 1, None)


def test_leavers_who_still_have_a_device(world):
    world.person("p-left", status=PersonStatus.LEFT, left_on=ago(40))
    world.person("p-gone", status=PersonStatus.LEFT)
    world.person("p-here")
    hand_out(world, "d-1", holder="p-left")
    hand_out(world, "d-2", holder="p-here")
    hand_out(world, "d-3", holder="p-gone")
    hand_out(world, "d-4", holder="p-left")
    items = found(world, "leaver-holds")
    assert [(i.subject_id, i.age_days) for i in items] == [("d-1", 40), ("d-4", 40), ("d-3", None)]
    assert items[0].detail == {"accountable_id": "p-left"}


def test_nobody_left_nothing_is_asked_of_custodies(world):
    hand_out(world, "d-1", holder="p-here")
    assert ids(world, "leaver-holds") == []


def test_devices_that_are_out_with_nobody_named(world):
    world.device("d-1", lifecycle=Lifecycle.DEPLOYED)
    world.device("d-2")
    hand_out(world, "d-3")
    (item,) = found(world, "deployed-without-holder")
    assert item.subject_id == "d-1"
    assert item.call == "district.custody.check_out('LHS-d-1', to=...)"


def test_devices_that_somebody_has_but_are_not_out(world):
    hand_out(world, "d-1", lifecycle=Lifecycle.RETIRED)
    hand_out(world, "d-2")
    hand_out(world, "d-3", lifecycle=Lifecycle.IN_REPAIR)
    hand_out(world, "d-4", lifecycle=Lifecycle.LOST)
    (item,) = found(world, "held-but-not-out")
    assert (item.subject_id, item.detail) == ("d-1", {"lifecycle": "retired"})


# --- the device-management system ----------------------------------------------------------------


def test_devices_in_use_that_are_not_managed(world):
    hand_out(world, "d-1", management=Management.DISABLED)
    hand_out(world, "d-2", management=Management.DEPROVISIONED)
    hand_out(world, "d-3", management=Management.MANAGED)
    hand_out(world, "d-4", management=Management.UNKNOWN)
    world.device("d-5", management=Management.DISABLED)
    items = found(world, "deployed-not-managed")
    assert [(i.subject_id, i.detail["management"]) for i in items] == [
        ("d-1", "disabled"),
        ("d-2", "deprovisioned"),
    ]


def test_lost_devices_that_still_work(world):
    hand_out(world, "d-1", lifecycle=Lifecycle.LOST, management=Management.MANAGED)
    hand_out(world, "d-2", lifecycle=Lifecycle.STOLEN, management=Management.MANAGED)
    hand_out(world, "d-3", lifecycle=Lifecycle.LOST, management=Management.DISABLED)
    hand_out(world, "d-4", management=Management.MANAGED)
    assert ids(world, "lost-not-disabled") == ["d-1", "d-2"]


def test_devices_that_a_source_no_longer_has(world):
    for n, lifecycle in enumerate([Lifecycle.IN_STOCK, Lifecycle.DEPLOYED, Lifecycle.RETIRED]):
        world.device(f"d-{n}", lifecycle=lifecycle)
        since = world.now - timedelta(days=5 + n)
        claim(world, f"s-{n}", "r-1", device=f"d-{n}", absent_since=since)
    world.device("d-9")
    claim(world, "s-9", "r-1", device="d-9")
    claim(world, "s-10", "r-1", absent_since=world.now)
    items = found(world, "absent-at-source")
    assert [(i.subject_id, i.age_days) for i in items] == [("d-1", 6), ("d-0", 5)]
    assert items[0].detail == {"source": "google"}


def test_pulls_that_did_not_end_well_until_one_does(world):
    run(world, "r-1", days=3)
    run(world, "r-2", days=2, status=RunStatus.STOPPED, error_code="change-guard")
    run(world, "r-3", days=1, source="jamf", status=RunStatus.FAILED, error_code="auth")
    run(world, "r-4", days=1, source="intune", status=RunStatus.RUNNING)
    run(world, "r-5", days=1, source="mosyle", status=RunStatus.COMPLETE)
    google, jamf = found(world, "pull-not-complete")
    assert (google.label, google.age_days) == ("google", 2)
    assert google.detail == {"status": "stopped", "error_code": "change-guard"}
    assert (jamf.subject_kind, jamf.subject_id, jamf.command) == (
        "run",
        "r-3",
        "assetflow runs show r-3",
    )
    run(world, "r-6", days=0)
    assert ids(world, "pull-not-complete") == ["r-3"]


def test_records_that_match_no_one_device(world):
    run(world, "r-1", days=4)
    world.device("d-1")
    claim(world, "s-known", "r-1", device="d-1")
    claim(world, "s-two", "r-1")
    told(
        world,
        "r-1",
        "s-two",
        ItemOutcome.AMBIGUOUS,
        reason="two-devices",
        candidates="d-1,d-2",
    )
    claim(world, "s-new", "r-1")
    told(world, "r-1", "s-new", ItemOutcome.REFUSED, reason="devices-are-not-created")
    claim(world, "s-gone", "r-1", absent_since=world.now)
    new, two = found(world, "unmatched-record")
    assert (two.subject_id, two.label, two.age_days) == ("google:s-two", "google s-two", 4)
    assert two.detail == {"reason": "two-devices", "candidates": ("d-1", "d-2")}
    assert new.detail == {"reason": "devices-are-not-created", "candidates": ()}


def disagreement(world, *, fields="asset_tag", facts=None, later=None):
    """Google says something else of d-1, in a run of three days ago."""
    run(world, "r-1", days=3)
    world.device("d-1", asset_tag="LHS-1", serial="5CD1")
    claim(world, "s-1", later or "r-1", device="d-1", facts=facts or {"asset_tag": "LHS-2"})
    told(world, "r-1", "s-1", ItemOutcome.CHANGED, device_id="d-1")
    told(
        world,
        "r-1",
        "s-1",
        ItemOutcome.DISAGREES,
        position=1,
        device_id="d-1",
        fields=fields,
    )


def test_sources_that_say_something_else(world):
    disagreement(world, fields="asset_tag,serial", facts={"asset_tag": "LHS-2", "serial": "5cd1"})
    (item,) = found(world, "disagreement")
    assert (item.subject_id, item.age_days) == ("d-1", 3)
    assert item.detail == {"source": "google", "fields": ("asset_tag",)}, "the serial agrees"


def test_a_disagreement_stands_while_later_runs_see_nothing_new(world):
    disagreement(world)
    run(world, "r-2", days=2)
    run(world, "r-3", days=1)
    assert ids(world, "disagreement") == ["d-1"]


def test_a_disagreement_ends_when_a_later_run_tells_of_the_record(world):
    run(world, "r-2", days=1)
    disagreement(world, later="r-2")
    assert ids(world, "disagreement") == []


@pytest.mark.parametrize(
    ("fields", "facts", "stands"),
    [
        ("asset_tag", {"asset_tag": " lhs-1 "}, False),
        ("asset_tag", {"asset_tag": "LHS-01"}, True),
        ("management", {"management": "disabled"}, True),
        ("management", {"management": "unknown"}, False),
        ("model_id", {"model": "HP Chromebook 11"}, True),
        ("site_id", {"org_unit_path": "/Students"}, True),
    ],
)
def test_a_disagreement_ends_when_the_district_has_come_round(world, fields, facts, stands):
    disagreement(world, fields=fields, facts=facts)
    assert bool(found(world, "disagreement")) is stands


def test_a_model_on_which_both_have_come_to_agree(world):
    model = world.model("HP Chromebook 11")
    run(world, "r-1")
    world.device("d-1", of=model)
    claim(world, "s-1", "r-1", device="d-1", facts={"model": "hp  CHROMEBOOK 11"})
    told(world, "r-1", "s-1", ItemOutcome.DISAGREES, device_id="d-1", fields="model_id")
    assert found(world, "disagreement") == []


# --- the fleet ---------------------------------------------------------------------------------

ENDS = [
    # short, long, opted, ended, ending (within 90 days)
    (ago(1), None, ExtendedUpdates.UNKNOWN, True, False),
    (TODAY, None, ExtendedUpdates.UNKNOWN, False, True),
    (TODAY + timedelta(90), None, ExtendedUpdates.NOT_NEEDED, False, True),
    (TODAY + timedelta(91), None, ExtendedUpdates.NOT_NEEDED, False, False),
    (ago(9), TODAY + timedelta(900), ExtendedUpdates.AVAILABLE, True, False),
    (ago(9), TODAY + timedelta(900), ExtendedUpdates.OPTED_IN, False, False),
    (ago(9), TODAY + timedelta(30), ExtendedUpdates.OPTED_IN, False, True),
    (ago(99), ago(9), ExtendedUpdates.OPTED_IN, True, False),
    (ago(9), None, ExtendedUpdates.OPTED_IN, True, False),
    (None, ago(9), ExtendedUpdates.OPTED_IN, True, False),
    (None, ago(9), ExtendedUpdates.AVAILABLE, False, False),
    (None, None, ExtendedUpdates.UNKNOWN, False, False),  # unknown is not far away, nor past
]


@pytest.mark.parametrize(("short", "long", "opted", "ended", "ending"), ENDS)
def test_devices_that_get_no_more_updates(world, short, long, opted, ended, ending):
    device = world.device(
        "d-1",
        auto_update_ends=short,
        auto_update_ends_extended=long,
        extended_updates=opted,
    )
    assert bool(ids(world, "updates-ended")) is ended
    assert bool(ids(world, "updates-ending")) is ending
    if ended or ending:
        (item,) = found(world, "updates-ended" if ended else "updates-ending")
        assert item.age_days == (TODAY - device.updates_end).days
        assert (item.age_days > 0) is ended


def test_only_devices_in_use_count_for_updates_and_the_horizon_is_the_caller_s(world):
    for lifecycle in Lifecycle:
        world.device(lifecycle.value, lifecycle=lifecycle, auto_update_ends=ago(1))
    assert ids(world, "updates-ended") == ["deployed", "in_repair", "in_stock", "received"]
    world.device("d-next", auto_update_ends=TODAY + timedelta(days=300))
    assert ids(world, "updates-ending") == []
    assert ids(world, "updates-ending", ending_within=300) == ["d-next"]


def test_devices_in_stock_that_cannot_go_out(world):
    world.device("d-1", condition=Condition.BROKEN)
    world.device("d-2", condition=Condition.POOR)
    world.device("d-3", condition=Condition.GOOD)
    world.device("d-4", condition=Condition.BROKEN, lifecycle=Lifecycle.IN_REPAIR)
    assert ids(world, "broken-in-stock") == ["d-1", "d-2"]


def test_asset_tags_and_serials_that_are_there_twice(world):
    world.device("d-1", asset_tag="LHS-1", serial="A")
    world.device("d-2", asset_tag="lhs-1 ", serial="B")
    world.device("d-3", asset_tag="LHS-3", serial="A")
    world.device("d-4", asset_tag=None, serial=None)
    world.device("d-5", asset_tag=None, serial=None)
    world.device("d-6", asset_tag="LHS-3", serial="C", lifecycle=Lifecycle.DISPOSED)
    tags = found(world, "duplicate-tag")
    assert {i.subject_id for i in tags} == {"d-1", "d-2"}
    assert tags[0].detail == {"times": 2}
    assert set(ids(world, "duplicate-serial")) == {"d-1", "d-3"}


# --- the list ------------------------------------------------------------------------------------


def test_every_kind_has_its_test():
    here = Path(__file__)
    text = "".join(p.read_text("utf-8") for p in here.parent.glob(f"{here.stem}*.py"))
    assert all(text.count(f'"{k.kind}"') >= 1 for k in KINDS)
    assert len({k.kind for k in KINDS}) == len({k.urgency for k in KINDS}) == len(KINDS)


def test_money_at_stake_is_what_a_new_one_costs_else_what_was_paid(world):
    dear = world.model("Dear", replacement_cost=usd("410"))
    plain = world.model("Plain")
    world.device("d-1", of=dear, purchase_cost=usd("250"), condition=Condition.BROKEN)
    world.device("d-2", of=plain, purchase_cost=usd("250"), condition=Condition.BROKEN)
    world.device("d-3", of=plain, condition=Condition.BROKEN)
    world.device("d-4", purchase_cost=Money(9_900, "CAD"), condition=Condition.BROKEN)
    items = {i.subject_id: i.money for i in found(world, "broken-in-stock")}
    assert items == {
        "d-1": usd("410"),
        "d-2": usd("250"),
        "d-3": None,
        "d-4": Money(9_900, "CAD"),
    }


def test_the_urgent_comes_first_then_the_oldest_then_the_dearest(world):
    world.person("p-left", status=PersonStatus.LEFT, left_on=ago(2))
    hand_out(world, "d-left", holder="p-left")
    hand_out(world, "d-1", kind=CustodyKind.LOAN, due_on=ago(1), purchase_cost=usd("500"))
    hand_out(world, "d-2", kind=CustodyKind.LOAN, due_on=ago(5))
    hand_out(world, "d-3", kind=CustodyKind.LOAN, due_on=ago(1), purchase_cost=usd("600"))
    world.device("d-4", condition=Condition.BROKEN)
    items = world.ask(attention, TODAY)
    assert [i.subject_id for i in items] == ["d-left", "d-2", "d-3", "d-1", "d-4"]
    groups = attention_groups(items)
    assert [(g.kind, g.count, g.money, g.money_unknown, g.oldest_days) for g in groups] == [
        ("leaver-holds", 1, None, 1, 2),
        ("overdue-loan", 3, usd("1100"), 1, 5),
        ("broken-in-stock", 1, None, 1, None),
    ]
    assert groups[1].title == "Loans that are overdue"
    assert groups[1].first is items[1]


def test_money_of_two_currencies_is_not_added_up(world):
    for n, money in enumerate([usd("1"), Money(100, "CAD")]):
        world.device(f"d-{n}", purchase_cost=money, condition=Condition.POOR)
    (group,) = attention_groups(found(world, "broken-in-stock"))
    assert (group.money, group.money_unknown, group.count) == (None, 0, 2)


def test_a_command_is_safe_to_paste_whatever_a_tag_holds(world):
    tags = ["$(rm -rf ~)", "a b; c", "it's", "x\x1b[2Jy", '"', "-v"]
    for n, tag in enumerate(tags):
        world.device(f"d-{n}", asset_tag=tag, condition=Condition.BROKEN)
    items = {i.subject_id: i for i in found(world, "broken-in-stock")}
    for n, tag in enumerate(tags):
        item = items[f"d-{n}"]
        label = tag if tag.isprintable() and tag != "-v" else f"d-{n}"
        assert item.label == label
        assert shlex.split(item.command) == ["assetflow", "devices", "show", label]
        assert item.call == f"district.devices.get({label!r})"


def test_no_item_names_a_person(world):
    world.person(
        "p-left",
        status=PersonStatus.LEFT,
        given_name="Ana",
        family_name="Diaz",
        local_id="204881",
        email="ana@lincoln.example",
    )
    hand_out(world, "d-1", holder="p-left", kind=CustodyKind.LOAN, due_on=ago(5))
    items = world.ask(attention, TODAY)
    assert len(items) == 2
    shown = repr(items)
    assert not any(word in shown for word in ("Ana", "Diaz", "204881", "@"))


def test_kinds_are_chosen_and_unknown_ones_refused(world):
    world.device("d-1", condition=Condition.BROKEN, auto_update_ends=ago(1))
    both = world.ask(attention, TODAY, kinds=("broken-in-stock", "updates-ended"))
    assert [i.kind for i in both] == ["updates-ended", "broken-in-stock"]
    assert world.ask(attention, TODAY, kinds=[]) == []
    for kinds in (["overdue"], "overdue-loan"):
        with pytest.raises(InvalidValue):
            world.ask(attention, TODAY, kinds=kinds)
    with pytest.raises(InvalidValue):
        world.ask(attention, TODAY, ending_within=-1)


def test_later_work_adds_a_kind(world):
    device = world.device("d-1")

    def tickets(scope):
        (row,) = scope.devices_by_id([device.id]).values()
        yield scope.item("ticket-waits", row, since=ago(7), ticket_id="t-1")

    mine = AttentionKind(kind="ticket-waits", title="Tickets that wait", urgency=-1, find=tickets)
    items = world.ask(attention, TODAY, known=(*KINDS, mine))
    assert [(i.kind, i.age_days, i.detail["ticket_id"]) for i in items] == [
        ("ticket-waits", 7, "t-1")
    ]
    (group,) = attention_groups(items, known=(*KINDS, mine))
    assert group.title == "Tickets that wait"
