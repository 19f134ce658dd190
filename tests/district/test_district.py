"""What the one object does beyond binding: transactions, retries, dry runs, listings."""

import threading
from datetime import UTC, date, datetime

import pytest

import assetflow
from assetflow import F, errors
from assetflow.model import Actor, Note, Query
from assetflow.store.ports import Entry, Put


def rows(district, kind):
    with district.store.read(district.id) as tx:
        return list(tx.find(Query(kind=kind)))


def bodies(district):
    with district.store.read(district.id) as tx:
        return [e.body for e in tx.journal()]


def test_a_device_goes_out_and_comes_back(district):
    out = district.custody.check_out("lhs-0001", to="0204881", due=date(2027, 6, 4))
    assert district.custody.of("5CD0001").id == out.custody.id
    assert [c.device_id for c in district.custody.held_by("ana.canary@lincoln.example")] == [
        out.device.id
    ]
    district.custody.check_in(out.device, condition="fair")
    assert district.custody.of("LHS-0001") is None
    assert district.devices.get("LHS-0001").condition is assetflow.Condition.FAIR
    assert [e.TYPE for e, _ in district.devices.history("LHS-0001")] == [
        "device.registered@1",
        "device.checked_out@1",
        "device.checked_in@1",
    ]
    assert district.journal.verify().ok


def test_a_dry_run_decides_and_leaves_no_trace(district):
    before = district.journal.head()
    result = district.custody.check_out("LHS-0001", to="0204881", dry_run=True)
    assert result.custody.accountable_id == district.people.get("0204881").id
    assert district.journal.head() == before
    assert district.custody.of("LHS-0001") is None


def test_a_dry_run_refuses_as_the_act_would(district):
    district.custody.check_out("LHS-0001", to="0204881")
    with pytest.raises(errors.Refusal):
        district.custody.check_out("LHS-0001", to="0204881", dry_run=True)


def test_a_note_is_kept_apart_and_the_journal_has_its_id(district):
    district.custody.check_out("LHS-0001", to="0204881", note="mother of Ana Canary signed")
    [note] = rows(district, Note)
    assert "mother" in note.text
    text = "\n".join(bodies(district))
    assert note.id in text
    assert "Canary" not in text
    assert "lincoln.example" not in text


def test_a_keyed_act_done_again_keeps_its_one_note(district):
    for _ in range(3):
        district.custody.check_out("LHS-0001", to="0204881", note="signed", key="scan-1")
    [note] = rows(district, Note)
    assert note.text == "signed"
    with pytest.raises(errors.Refusal):
        district.custody.check_out("LHS-0001", to="0204881", note="once more")
    assert rows(district, Note) == [note]


def test_an_explanation_takes_an_override_without_a_reason(district):
    ana = district.people.get("0204881")
    district.people.place_hold(ana)
    asked = {"to": ana, "override": ["custody.holds"]}
    assert district.custody.explain_check_out("LHS-0001", **asked).allowed
    district.custody.check_out("LHS-0001", to="LHS")
    assert not district.custody.explain_transfer("LHS-0001", to=ana).allowed
    assert district.custody.explain_transfer("LHS-0001", **asked).allowed
    done = district.custody.transfer("LHS-0001", **asked, reason="principal-approved")
    assert done.overridden == ("custody.holds",)


def test_a_device_that_was_disposed_of_comes_back_only_when_it_is_said(district):
    district.devices.edit("LHS-0001", lifecycle="disposed")
    with pytest.raises(errors.Refusal) as caught:
        district.devices.edit("LHS-0001", lifecycle="in_stock")
    assert caught.value.rule == "device.revive"
    assert "revive=True" in caught.value.hint
    back = district.devices.edit("LHS-0001", lifecycle="in_stock", revive=True)
    assert back.lifecycle is assetflow.Lifecycle.IN_STOCK


@pytest.mark.parametrize(
    ("kind", "fields", "taken"),
    [
        ("student", {"local_id": "0204881"}, True),
        ("student", {"email": "Ana.Canary@lincoln.example"}, True),
        ("staff", {"email": "ana.canary@lincoln.example"}, True),
        ("staff", {"local_id": "0204881"}, False),
        ("guardian", {"email": "ana.canary@lincoln.example"}, False),
        ("student", {"local_id": "204881"}, False),
    ],
)
def test_a_number_or_an_address_that_somebody_has_is_refused(district, kind, fields, taken):
    ana = district.people.get("0204881")
    other = district.people.register(kind)
    if not taken:
        district.people.register(kind, **fields)
        return
    for act in (
        lambda: district.people.register(kind, **fields),
        lambda: district.people.change(other, **fields),
    ):
        with pytest.raises(errors.DuplicateKey) as caught:
            act()
        assert caught.value.context["person_id"] == ana.id
        assert not any(text in str(caught.value) for text in fields.values())
    assert district.people.change(ana, preferred_name="A", **fields if kind == "student" else {})


def test_an_id_that_is_not_there_is_not_repeated_in_the_error(district):
    with pytest.raises(errors.NotFound) as caught:
        district.devices.edit("LHS-0001", site_id="Mrs Miller")
    assert "Miller" not in f"{caught.value} {caught.value.context} {caught.value.hint}"


def test_one_actor_row_serves_all_acts_and_readers_make_none(district):
    for number in (1, 2):
        district.custody.check_out(f"LHS-000{number}", to="0204881")
    assert [a.label for a in rows(district, Actor)] == ["it@lincoln.example"]
    other = district.acting_as("desk@lincoln.example")
    other.devices.get("LHS-0001")
    assert len(rows(district, Actor)) == 1
    other.devices.edit("LHS-0001", condition="good")
    assert len(rows(district, Actor)) == 2


def test_a_rolled_back_act_does_not_leave_its_actor_behind(district):
    other = district.acting_as("desk@lincoln.example")
    other.devices.edit("LHS-0001", condition="good", dry_run=True)
    assert len(rows(district, Actor)) == 1
    other.devices.edit("LHS-0001", condition="good")
    assert len(rows(district, Actor)) == 2


def test_a_stale_write_is_done_again_as_a_whole(district):
    device = district.devices.get("LHS-0001")
    attempts = []

    def edit(tx, act):
        attempts.append(act)
        if len(attempts) == 1:
            raise errors.StaleVersion("somebody was quicker")
        return tx.get(type(device), device.id)

    assert district._session.write(edit).id == device.id
    assert len(attempts) == 2


def test_a_write_that_stays_stale_is_told(district):
    def never(tx, act):
        raise errors.StaleVersion("somebody is always quicker")

    with pytest.raises(errors.StaleVersion):
        district._session.write(never)


def test_an_effective_time_needs_a_zone(district):
    with pytest.raises(errors.InvalidValue):
        district.custody.check_out(
            "LHS-0001",
            to="0204881",
            effective_at=datetime(2026, 8, 17, 9, 0),  # noqa: DTZ001
        )


def test_an_effective_time_is_kept_beside_the_recorded_one():
    clock = [datetime(2026, 11, 24, 12, 0, tzinfo=UTC)]
    with assetflow.open("memory:", district="lincoln", create=True, clock=lambda: clock[0]) as d:
        d.people.register("student", local_id="7")
        d.devices.register(asset_tag="T1")
        clock[0] = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
        yesterday = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
        result = d.custody.check_out("T1", to="7", effective_at=yesterday)
        assert result.custody.since == yesterday
        _, stamp = d.devices.history("T1")[-1]
        assert (stamp.effective_at, stamp.recorded_at) == (yesterday, clock[0])


def test_a_listing_is_lazy_and_can_be_read_twice(district):
    listing = district.devices.where(F.lifecycle == "in_stock").order_by(
        F.asset_tag, descending=True
    )
    assert next(d.asset_tag for d in listing) == "LHS-0005"
    district.custody.check_out("LHS-0005", to="0204881")
    assert next(d.asset_tag for d in listing) == "LHS-0004"
    assert listing.count() == 4
    assert [d.asset_tag for d in listing.limit(2)] == ["LHS-0004", "LHS-0003"]
    assert listing.first().asset_tag == "LHS-0004"
    with pytest.raises(TypeError):
        len(listing)


def test_a_listing_says_how_many_it_left_out_as_unknown(district):
    district.devices.edit("LHS-0001", auto_update_ends=date(2027, 6, 1))
    old = district.devices.where(F.auto_update_ends < date(2027, 7, 1))
    assert (old.count(), old.left_out_unknown()) == (1, 4)
    young = district.devices.where(~(F.auto_update_ends < date(2027, 7, 1)))
    assert (young.count(), young.left_out_unknown()) == (0, 4)


def test_one_says_none_or_several(district):
    assert district.devices.where(F.serial == "5CD0001").one().asset_tag == "LHS-0001"
    with pytest.raises(errors.NotFound):
        district.devices.where(F.serial == "none").one()
    with pytest.raises(errors.AmbiguousReference) as caught:
        district.devices.where().one()
    assert len(caught.value.candidates) == 5


def test_a_list_of_everything_has_a_ceiling(district):
    assert len(district.devices.where().all()) == 5
    with pytest.raises(errors.InvalidValue):
        district.devices.where().all(max_items=4)


def test_an_unknown_field_is_named(district):
    with pytest.raises(errors.InvalidValue, match="colour"):
        district.devices.where(F.colour == "red").count()


def test_threads_share_a_district(district):
    problems = []

    def work(number):
        try:
            district.custody.check_out(f"LHS-000{number}", to="LHS")
            district.custody.check_in(f"LHS-000{number}")
        except Exception as error:  # noqa: BLE001  # shown below
            problems.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert district.journal.verify().ok


def test_two_districts_in_one_store_do_not_meet(district):
    with assetflow.open(district.store, district="jefferson", create=True) as other:
        assert other.devices.where().count() == 0
        with pytest.raises(errors.NotFound):
            other.devices.get("LHS-0001")
        other.devices.register(asset_tag="LHS-0001")
        assert other.journal.head().seq == 2
        assert district.devices.get("LHS-0001").serial == "5CD0001"


def test_an_async_host_hands_work_to_a_thread(district):
    import asyncio

    seen = asyncio.run(district.run(lambda d: (d.devices.where().count(), threading.get_ident())))
    assert seen[0] == 5
    assert seen[1] != threading.get_ident()


def test_figures_by_name_and_of_ones_own(district):
    assert district.figures("fleet_by_lifecycle") == [{"lifecycle": "in_stock", "count": 5}]
    with pytest.raises(errors.InvalidValue) as caught:
        district.figures("fleet_by_colour")
    assert "fleet_by_lifecycle" in caught.value.hint


def test_holds_stop_a_check_out_until_they_are_lifted(district):
    hold = district.people.place_hold("0204881", kind="agreement")
    with pytest.raises(errors.HolderBlocked):
        district.custody.check_out("LHS-0001", to="0204881")
    district.people.release_hold(hold.id)
    district.custody.check_out("LHS-0001", to="0204881")


def test_a_person_who_left_gets_no_device(district):
    district.people.leave("0204881")
    with pytest.raises(errors.HolderLeft):
        district.custody.check_out("LHS-0001", to="0204881")


def test_a_tag_of_two_devices_is_ambiguous_and_lists_both(district):
    first = district.devices.get("LHS-0001")
    second = district.devices.get("LHS-0002")
    after = type(second)(
        **{
            **{a.name: getattr(second, a.name) for a in type(second).__attrs_attrs__},
            "asset_tag": "LHS-0001",
            "tag_key": "LHS-0001",
            "version": second.version + 1,
        }
    )
    from assetflow.model.events import DeviceEdited

    district._session.write(
        lambda tx, act: tx.record(
            [
                Entry(
                    event=DeviceEdited(fields=("asset_tag",)),
                    subject_id=second.id,
                    stamp=act.stamp(),
                    puts=(Put(after, second),),
                )
            ]
        )
    )
    with pytest.raises(errors.AmbiguousReference) as caught:
        district.custody.check_out("LHS-0001", to="0204881")
    assert set(caught.value.candidates) == {first.id, second.id}


def test_nothing_personal_is_shown_by_repr(district):
    person = district.people.get("0204881")
    shown = f"{person!r} {district!r} {district.people!r} {district._session!r}"
    assert "Canary" not in shown
    assert "lincoln.example" not in shown


def test_a_school_year_is_set_once_and_a_site_may_have_its_own(district):
    from assetflow.model import ClosedDays

    break_ = ClosedDays(first=date(2026, 11, 25), last=date(2026, 11, 27), name="Thanksgiving")
    days = {"first_day": date(2026, 8, 17), "last_day": date(2027, 6, 4), "closed": [break_]}
    first = district.calendars.set("2026-27", **days)
    head = district.journal.head()
    assert district.calendars.set("2026-27", **days) == first
    assert district.journal.head() == head
    own = district.calendars.set("2026-27", **{**days, "last_day": date(2027, 6, 11)}, site="LHS")
    day = date(2026, 11, 25)
    assert district.calendars.on(day) == first
    assert district.calendars.on(day, site="LHS") == own
    assert not own.is_school_day(day)
    assert own.next_school_day(day) == date(2026, 11, 30)
    assert district.calendars.on(date(2028, 1, 1)) is None
    changed = district.calendars.set("2026-27", **{**days, "closed": []})
    assert (changed.id, changed.version) == (first.id, 2)
    assert district.journal.verify().ok
