"""A device inventory: columns, matching, conflicts, custody, money, and what is never written."""

from datetime import UTC, date, datetime

import pytest
from attrs import evolve

from assetflow.errors import ConfigError, FileUnreadable, InvalidValue, UnknownColumns
from assetflow.exchange.imports import Outcome
from assetflow.model import (
    Condition,
    Custody,
    CustodyState,
    CustomType,
    Device,
    DeviceModel,
    District,
    FundingShare,
    FundingState,
    Lifecycle,
    OpenCustody,
    OutboxItem,
    Person,
    PersonStatus,
    Place,
    PlaceKind,
    Programme,
    Query,
    usd,
)
from assetflow.model.events import DeviceEdited, DistrictCreated
from assetflow.store.ports import Entry, Put
from assetflow.workflows.custody import check_in, check_out
from assetflow.workflows.devices import edit_device, register_device
from assetflow.workflows.models import declare_field
from assetflow.workflows.people import leave_person
from assetflow.workflows.places import upsert_place


def findings(plan):
    return {r.line: [(f.code, f.column) for f in r.findings] for r in plan.rejects}


def reasons(plan):
    return {r.line: r.reason for r in plan.rejects}


def changes(plan):
    return {r.line: {c.field: (c.before, c.after) for c in r.changes} for r in plan.changes}


# --- columns -------------------------------------------------------------------------------


def test_a_plan_shows_what_every_column_is_taken_for_and_writes_nothing(office, csv_of):
    before = office.seq()
    plan = office.plan(
        csv_of(["Asset Tag", "S/N", "", "Notes", "Student ID"], ["LHS-1", "5CD1", "", "x", ""])
    )
    assert [(c.heading, c.field, c.personal) for c in plan.columns] == [
        ("Asset Tag", "asset_tag", False),
        ("S/N", "serial", False),
        ("Notes", None, False),
        ("Student ID", "assigned_to", True),
    ]
    assert "not used: Notes" in plan.summary()
    assert "matched on serial, then asset_tag" in plan.summary()
    assert office.seq() == before
    assert office.all(Device) == []


def test_a_mapping_comes_before_the_known_headings(office, csv_of):
    file = csv_of(["Etiqueta", "Tag", "Serial"], ["LHS-1", "old-1", "5CD1"])
    plan, _ = office.take(file, mapping={"Etiqueta": "asset_tag", "Tag": None})
    assert office.device("LHS-1").serial == "5CD1"
    assert plan.columns[1].field is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mapping": {"Owner": "asset_tag"}}, "no column 'Owner'"),
        ({"mapping": {"Tag": "colour"}}, "cannot fill 'colour'"),
        ({"mapping": {"Tag": "custom.colour"}}, "is not declared"),
        ({"defaults": {"colour": "red"}}, "cannot fill 'colour'"),
        ({"defaults": {"lifecycle": "sleeping"}}, "default of lifecycle"),
        ({"defaults": {"acquired_on": "8/17/2026"}}, "default of acquired_on"),
        ({"mapping": {"Serial": "asset_tag"}}, "two columns fill asset_tag"),
        ({"match_on": ("local_id",)}, "matched on serial and asset_tag"),
        ({"match_on": ()}, "matched on"),
        ({"encoding": "klingon"}, "no such text encoding"),
    ],
)
def test_options_that_cannot_be_are_refused(office, csv_of, options, message):
    with pytest.raises(InvalidValue, match=message):
        office.plan(csv_of(["Tag", "Serial"], ["LHS-1", "5CD1"]), **options)


def test_two_headings_for_one_field_must_be_told_apart(office, csv_of):
    file = csv_of(["Tag", "Barcode", "Serial"], ["LHS-1", "9", "5CD1"])
    with pytest.raises(InvalidValue, match="two columns fill asset_tag") as caught:
        office.plan(file)
    assert "None" in caught.value.hint
    assert office.plan(file, mapping={"Barcode": None}).count(Outcome.ADD) == 1


def test_a_file_without_known_headings_is_an_error(office, csv_of):
    with pytest.raises(UnknownColumns):
        office.plan(csv_of(["a", "b"], ["1", "2"]))


def test_a_file_in_another_encoding_is_an_error_when_it_was_named(office):
    with pytest.raises(FileUnreadable):
        office.plan("Tag,Model\nLHS-1,Cañon\n".encode("cp1252"), encoding="utf-8")


# --- identifiers ---------------------------------------------------------------------------


@pytest.mark.parametrize("nothing", ["", " ", "None", "NULL", "null", "N/A", "nan", "-"])
def test_a_null_serial_is_no_serial_and_never_the_word(office, csv_of, nothing):
    office.take(csv_of(["Tag", "Serial"], ["LHS-1", nothing], ["LHS-2", nothing]))
    assert [d.serial for d in office.all(Device)] == [None, None]
    assert [d.serial_key for d in office.all(Device)] == [None, None]


def test_leading_zeros_stay(office, csv_of):
    office.take(csv_of(["Tag", "Serial"], ["0012", "000123"]))
    assert (office.device("0012").serial, office.device("0012").serial_key) == ("000123", "000123")


def test_every_bad_cell_of_a_row_is_named(office, csv_of):
    plan = office.plan(
        csv_of(
            ["Tag", "Serial #", "Cost", "Purchase Date", "Status", "School"],
            ["=A1", "1E+21", "ask Dana", "31/02/2024", "sleeping", "XYZ"],
            ["LHS-2", "5CD2", "299.95", "2024-08-01", "In Stock", "lhs"],
        )
    )
    assert findings(plan) == {
        2: [
            ("formula", "Tag"),
            ("shortened-number", "Serial #"),
            ("money", "Cost"),
            ("date-ambiguous", "Purchase Date"),
            ("unknown-word", "Status"),
        ]
    }
    for shown in (plan.summary(), str(plan.as_dict()), repr(plan)):
        for cell in ("=A1", "1E+21", "Dana", "31/02", "sleeping", "XYZ"):
            assert cell not in shown
    assert plan.count(Outcome.ADD) == 1


def test_a_row_without_tag_and_serial_is_rejected(office, csv_of):
    plan = office.plan(csv_of(["Tag", "Serial", "Model"], ["", "NULL", "HP"]))
    assert findings(plan) == {2: [("no-key", "Serial")]}
    only = office.plan(csv_of(["Tag", "Serial"], ["LHS-1", ""]), match_on="serial")
    assert findings(only) == {2: [("no-key", "Serial")]}


def test_a_long_cell_is_rejected_where_it_stands(office, csv_of):
    plan = office.plan(csv_of(["Tag", "Serial", "Model"], ["LHS-1", "5CD1", "x" * 201]))
    assert findings(plan) == {2: [("too-long", "Model")]}


# --- the file itself -----------------------------------------------------------------------


def test_rows_that_share_a_tag_and_differ_are_all_rejected(office, csv_of):
    file = csv_of(
        ["Tag", "Serial"],
        ["LHS-1", "5CD1"],
        ["lhs-1 ", "5CD2"],
        ["LHS-3", "5CD3"],
        ["LHS-4", "5CD2"],
    )
    plan = office.plan(file)
    assert findings(plan) == {
        2: [("duplicate", "Tag")],
        3: [("duplicate", "Tag"), ("duplicate", "Serial")],
        5: [("duplicate", "Serial")],
    }
    assert "line 3" in reasons(plan)[2]
    assert [r.line for r in plan.adds] == [4]


def test_rows_that_say_the_same_are_one(office, csv_of):
    plan, report = office.take(csv_of(["Tag", "Serial"], ["LHS-1", "5CD1"], ["LHS-1", "5CD1"]))
    assert (report.created, report.unchanged, report.rejected) == (1, 1, 0)
    assert [n.code for n in plan.notices] == ["duplicate-row"]


def test_a_row_with_a_bad_cell_still_guards_its_tag(office, csv_of):
    plan = office.plan(csv_of(["Tag", "Cost"], ["LHS-1", "x"], ["LHS-1", "5"]))
    assert {line: {c for c, _ in found} for line, found in findings(plan).items()} == {
        2: {"money", "duplicate"},
        3: {"duplicate"},
    }


def test_two_rows_that_find_one_device_are_rejected(office, csv_of):
    office.take(csv_of(["Tag", "Serial"], ["LHS-1", "5CD1"]))
    plan = office.plan(
        csv_of(["Tag", "Serial", "Condition"], ["LHS-1", "", "Good"], ["", "5CD1", "Poor"])
    )
    assert findings(plan) == {2: [("duplicate", None)], 3: [("duplicate", None)]}
    assert plan.rejects[0].findings[0].candidates == (office.device("LHS-1").id,)


# --- matching ------------------------------------------------------------------------------


def make(office, **fields):
    return office.do(register_device, Device(id=office.new_id(), **fields))


def test_a_row_finds_its_device_by_serial_then_by_tag(office, csv_of):
    one = make(office, asset_tag="LHS-1", serial="5CD1")
    two = make(office, asset_tag="LHS-2")
    plan, _ = office.take(csv_of(["Tag", "Serial"], ["LHS-9", "5cd1"], ["lhs-2", "5CD2"]))
    assert {r.line: (r.subject_id, r.matched_by) for r in plan.rows} == {
        2: (one.id, "serial"),
        3: (two.id, "asset_tag"),
    }
    assert changes(plan) == {
        2: {"asset_tag": ("LHS-1", "LHS-9")},
        3: {"serial": (None, "5CD2")},
    }
    assert office.device("LHS-9").serial == "5CD1"


def test_letter_case_alone_changes_nothing(office, csv_of):
    make(office, asset_tag="LHS-1", serial="5CD1")
    plan = office.plan(csv_of(["Tag", "Serial"], ["lhs-1", "5cd1"]))
    assert plan.count(Outcome.UNCHANGED) == 1


def test_a_tag_that_fits_two_devices_is_rejected_with_both(office, csv_of):
    ids = [make(office, serial=serial).id for serial in ("A1", "B2")]
    with office.write() as tx:  # as two vendors might have it
        for device in tx.get_many(Device, [(i,) for i in ids]).values():
            after = evolve(device, asset_tag="LHS-1", tag_key="LHS-1", version=device.version + 1)
            event = DeviceEdited(fields=("asset_tag",))
            tx.record(
                [
                    Entry(
                        event=event,
                        subject_id=device.id,
                        stamp=office.act().stamp(),
                        puts=(Put(after, device),),
                    )
                ]
            )
    plan = office.plan(csv_of(["Tag", "Condition"], ["LHS-1", "Good"]))
    assert findings(plan) == {2: [("ambiguous", "Tag")]}
    assert plan.rejects[0].findings[0].candidates == tuple(sorted(ids))
    assert plan.conflicts == plan.rejects


def test_serial_and_tag_of_two_devices_contradict_one_another(office, csv_of):
    one, two = (
        make(office, asset_tag="LHS-1", serial="AAA"),
        make(office, asset_tag="LHS-2", serial="BBB"),
    )
    plan = office.plan(csv_of(["Tag", "Serial"], ["LHS-2", "AAA"]))
    assert findings(plan) == {2: [("contradicts", "Tag")]}
    assert plan.rejects[0].findings[0].candidates == tuple(sorted([one.id, two.id]))


def test_a_tag_with_another_serial_is_not_overwritten(office, csv_of):
    make(office, asset_tag="LHS-1", serial="AAA")
    file = csv_of(["Tag", "Serial"], ["LHS-1", "CCC"])
    assert findings(office.plan(file)) == {2: [("contradicts", "Serial")]}
    # when the tag alone is said to identify a device, its serial is a field like others
    plan = office.plan(file, match_on="asset_tag")
    assert changes(plan) == {2: {"serial": ("AAA", "CCC")}}


def test_a_key_that_is_not_matched_on_is_not_taken_from_another(office, csv_of):
    make(office, asset_tag="LHS-1", serial="AAA")
    make(office, asset_tag="LHS-2", serial="BBB")
    plan = office.plan(
        csv_of(["Tag", "Serial"], ["LHS-1", "NEW"], ["LHS-1X", "BBB"]), match_on="serial"
    )
    assert findings(plan) == {2: [("asset-tag-taken", "Tag")]}
    plan = office.plan(csv_of(["Tag", "Serial"], ["LHS-1", "BBB"]), match_on="asset_tag")
    assert findings(plan) == {2: [("serial-taken", "Serial")]}


def test_a_serial_that_looks_alike_is_told_and_never_matched(office, csv_of):
    make(office, asset_tag="LHS-1", serial="5CD0128")
    plan, _ = office.take(csv_of(["Tag", "Serial"], ["LHS-2", "SCDO1Z8"]))
    assert plan.count(Outcome.ADD) == 1
    assert [n.code for n in plan.notices] == ["serial-looks-alike"]
    assert office.device("LHS-2").serial == "SCDO1Z8"


def test_a_device_found_by_its_tag_keeps_its_serial_from_a_look_alike(office, csv_of):
    make(office, asset_tag="LHS-1", serial="5CD0128")
    plan, _ = office.take(csv_of(["Tag", "Serial", "Condition"], ["LHS-1", "5CDO128", "Good"]))
    assert changes(plan) == {2: {"condition": ("unknown", "good")}}
    assert office.device("LHS-1").serial == "5CD0128"
    assert [n.code for n in plan.notices] == ["serial-looks-alike"]


# --- out of service ------------------------------------------------------------------------


@pytest.mark.parametrize("gone", [Lifecycle.RETIRED, Lifecycle.SANITIZED, Lifecycle.DISPOSED])
def test_a_device_out_of_service_does_not_come_back_by_a_file(office, csv_of, gone):
    make(office, asset_tag="LHS-1", serial="AAA", lifecycle=gone)
    rows = [
        ["LHS-1", "", "In stock", ""],
        ["LHS-1", "", "Assigned", ""],
        ["LHS-1", "BBB", "", ""],
        ["LHS-9", "AAA", "In use", ""],
    ]
    for row in rows:
        plan = office.plan(csv_of(["Tag", "Serial", "Status", "Cost"], row))
        assert plan.rejects, row
        assert plan.rejects[0].findings[0].code in {"out-of-service", "contradicts"}
    plan, _ = office.take(csv_of(["Tag", "Cost"], ["LHS-1", "299.95"]))
    assert office.device("LHS-1").purchase_cost == usd("299.95")
    assert office.device("LHS-1").lifecycle is gone


def test_a_tag_of_a_device_out_of_service_is_not_given_to_another(office, csv_of):
    make(office, asset_tag="LHS-1", serial="AAA", lifecycle=Lifecycle.DISPOSED)
    make(office, asset_tag="LHS-2", serial="BBB")
    plan = office.plan(csv_of(["Tag", "Serial"], ["LHS-1", "BBB"]))
    assert findings(plan) == {2: [("out-of-service", "Tag")]}


# --- fields --------------------------------------------------------------------------------


def test_all_fields_of_an_inventory(office, csv_of):
    office.do(
        declare_field, "charger", CustomType.TEXT, label="Charger Type", choices=("USB-C", "barrel")
    )
    office.do(declare_field, "leased", CustomType.FLAG)
    file = csv_of(
        ["Asset #", "Serial No.", "Model", "Make", "Device Type", "Status", "Condition", "School", "Room", "Price",
         "Purchase Date", "In Service Date", "PO #", "Warranty Expiration", "AUE", "Funding Source", "FAIN", "Program",
         "Title Held By", "Charger Type", "Leased"],
        ["LHS-1", "5CD1", "HP  Chromebook 11", "HP", "chromebook", "In Storage", "Fair", "School LHS", "Cart 3", "$1,299.95",
         "2024-08-01", "8/19/2024", "2291", "2027-08-01", "2032-06-30", "F-21", "S425D210", "ECF",
         "Lincoln ISD", "usb-c", "yes"],
    )  # fmt: skip
    plan, _ = office.take(file)
    assert plan.rejects == ()
    device = office.device("LHS-1")
    (model,), (share,) = office.all(DeviceModel), office.all(FundingShare)
    assert (model.name, model.manufacturer, model.category) == (
        "HP Chromebook 11",
        "HP",
        "chromebook",
    )
    assert (device.model, device.manufacturer, device.model_id) == (
        "HP Chromebook 11",
        "HP",
        model.id,
    )
    assert (device.lifecycle, device.condition) == (Lifecycle.IN_STOCK, Condition.FAIR)
    assert device.purchase_cost == usd("1299.95")
    assert (device.acquired_on, device.installed_on) == (date(2024, 8, 1), date(2024, 8, 19))
    assert (device.order_line, device.warranty_ends) == ("2291", date(2027, 8, 1))
    assert device.auto_update_ends == date(2032, 6, 30)
    assert {v.name: v.value for v in device.custom} == {"charger": "USB-C", "leased": "true"}
    assert (share.fund, share.award_number, share.programme) == ("F-21", "S425D210", Programme.ECF)
    assert (share.basis_points, share.starts_on, share.title_holder) == (
        10_000,
        date(2024, 8, 1),
        "Lincoln ISD",
    )
    assert device.funding is FundingState.RESTRICTED
    places = {p.id: p for p in office.all(Place)}
    assert places[device.site_id].code == "LHS"
    assert (places[device.room_id].name, places[device.room_id].parent_id) == (
        "Cart 3",
        device.site_id,
    )


def test_only_what_differs_is_written_and_an_empty_cell_leaves_alone(office, csv_of):
    headings = ["Tag", "Serial", "Condition", "Cost", "School"]
    office.take(
        csv_of(
            headings,
            ["LHS-1", "5CD1", "Good", "299.95", "LHS"],
            ["LHS-2", "5CD2", "Good", "10", "LHS"],
        )
    )
    start = office.seq()
    plan, report = office.take(
        csv_of(headings, ["LHS-1", "", "", "", ""], ["LHS-2", "5CD2", "Poor", "10.00", "LHS"])
    )
    assert (report.changed, report.unchanged) == (1, 1)
    assert changes(plan) == {3: {"condition": ("good", "poor")}}
    (event,) = office.events(after=start)
    assert event.type == "device.edited@1"
    assert '"fields":["condition"]' in event.body
    assert office.device("LHS-1").purchase_cost == usd("299.95")


def test_a_marker_empties_a_field(office, csv_of):
    office.do(declare_field, "leased", CustomType.FLAG)
    office.take(
        csv_of(
            ["Tag", "Serial", "Cost", "Room", "School", "Leased"],
            ["LHS-1", "5CD1", "5", "12", "LHS", "yes"],
        )
    )
    plan, _ = office.take(
        csv_of(
            ["Tag", "Serial", "Cost", "Room", "Leased"],
            ["LHS-1", "(clear)", "(clear)", "(clear)", "(clear)"],
        )
    )
    device = office.device("LHS-1")
    assert (device.serial, device.purchase_cost, device.room_id, device.custom) == (
        None,
        None,
        None,
        (),
    )
    assert changes(plan)[2]["purchase_cost"] == ("$5.00", None)
    plan = office.plan(csv_of(["Tag", "Status"], ["LHS-1", "(clear)"]))
    assert findings(plan) == {2: [("not-clearable", "Status")]}
    plan = office.plan(csv_of(["Tag", "Serial"], ["(clear)", ""], ["LHS-1", "(clear)"]))
    assert findings(plan)[2] == [("no-key", "Serial")]


def test_a_device_does_not_lose_its_last_name(office, csv_of):
    make(office, serial="5CD1")
    plan = office.plan(csv_of(["Tag", "Serial"], ["(clear)", "5CD1"]), match_on="serial")
    assert plan.rejects == ()
    make(office, asset_tag="LHS-2")
    plan = office.plan(csv_of(["Tag", "Serial"], ["LHS-2", ""]))
    assert plan.count(Outcome.UNCHANGED) == 1


def test_defaults_are_for_new_devices_alone(office, csv_of):
    make(office, asset_tag="LHS-1", condition=Condition.POOR)
    file = csv_of(["Tag", "Serial"], ["LHS-1", "A"], ["LHS-2", "B"])
    office.take(file, defaults={"condition": "good", "site": "CMS", "lifecycle": "received"})
    old, new = office.device("LHS-1"), office.device("LHS-2")
    assert (old.condition, old.site_id) == (Condition.POOR, None)
    assert (new.condition, new.lifecycle) == (Condition.GOOD, Lifecycle.RECEIVED)


@pytest.mark.parametrize(
    ("word", "lifecycle", "condition"),
    [
        ("Available", Lifecycle.IN_STOCK, Condition.UNKNOWN),
        ("ready-to-deploy", Lifecycle.IN_STOCK, Condition.UNKNOWN),
        ("Assigned", Lifecycle.DEPLOYED, Condition.UNKNOWN),
        ("Checked Out", Lifecycle.DEPLOYED, Condition.UNKNOWN),
        ("Broken", Lifecycle.IN_STOCK, Condition.BROKEN),
        ("Out for Repair", Lifecycle.IN_REPAIR, Condition.UNKNOWN),
        ("LOST", Lifecycle.LOST, Condition.UNKNOWN),
        ("in_stock", Lifecycle.IN_STOCK, Condition.UNKNOWN),
        ("Recycled", Lifecycle.DISPOSED, Condition.UNKNOWN),
    ],
)
def test_words_of_a_status_column_move_the_axis_that_they_mean(
    office, csv_of, word, lifecycle, condition
):
    office.take(csv_of(["Tag", "Status"], ["LHS-1", word]))
    assert (office.device("LHS-1").lifecycle, office.device("LHS-1").condition) == (
        lifecycle,
        condition,
    )


def test_status_and_condition_may_not_contradict(office, csv_of):
    plan = office.plan(
        csv_of(
            ["Tag", "Status", "Condition"],
            ["LHS-1", "Broken", "Good"],
            ["LHS-2", "Broken", "Damaged"],
        )
    )
    assert findings(plan) == {2: [("contradicts", "Condition")]}


def test_dates_with_slashes_are_month_first_until_one_cannot_be(office, csv_of):
    file = csv_of(
        ["Tag", "Purchased", "Warranty"],
        ["1", "3/4/2024", "3/4/2027"],
        ["2", "2024-03-04", "25/12/2027"],
    )
    plan = office.plan(file)
    assert findings(plan) == {
        2: [("date-ambiguous", "Warranty")],
        3: [("date-ambiguous", "Warranty")],
    }
    assert [(n.code, n.column) for n in plan.notices] == [("us-dates", "Purchased")]
    office.take(file, day_first=True)
    assert office.device("1").warranty_ends == date(2027, 4, 3)


def test_an_unknown_site_is_rejected_or_added(office, csv_of):
    file = csv_of(["Tag", "School"], ["1", "NHS"], ["2", "North High"], ["3", "nhs"])
    assert {c for f in findings(office.plan(file)).values() for c, _ in f} == {"unknown-site"}
    office.take(file, create_sites=True)
    made = {p.name: p.code for p in office.all(Place)}
    assert made["NHS"] == "NHS"
    assert made["North High"] is None
    assert office.device("1").site_id == office.device("3").site_id


def test_an_unknown_room_needs_a_site(office, csv_of):
    plan = office.plan(csv_of(["Tag", "Room"], ["1", "101"]))
    assert findings(plan) == {2: [("unknown-room", "Room")]}
    plan = office.plan(csv_of(["Tag", "School", "Room"], ["1", "LHS", "101"]), create_rooms=False)
    assert findings(plan) == {2: [("unknown-room", "Room")]}


@pytest.mark.parametrize(
    ("cell", "added"),
    [
        *(
            (text, True)
            for text in ("204", "B-12", "Room 204", "Cart 07", "Media Center", "Rm. 3A")
        ),
        *(
            (text, True)
            for text in ("LIB101", "Library", "Storage #2", "Gym (East)", "portable 4b")
        ),
        *((text, False) for text in ("Mrs. Miller", "Miller 204", "Room of Zoë Garcia", "García")),
        *((text, False) for text in ("Rm 12 (Ms Ray)", "Lab Ray", "ask Ann")),
    ],
)
def test_a_room_that_may_be_a_persons_name_is_not_made_by_a_file(office, csv_of, cell, added):
    file = csv_of(["Tag", "School", "Room"], ["1", "LHS", cell])
    plan, report = office.take(file)
    assert report.created == added
    if added:
        return
    assert findings(plan) == {2: [("unknown-room", "Room")]}
    assert cell not in plan.rejects[0].reason
    assert not any(cell in e.body for e in office.events())
    (lhs,) = (p for p in office.all(Place) if p.code == "LHS")
    office.do(upsert_place, PlaceKind.ROOM, cell, parent_id=lhs.id)  # a person says so
    assert office.take(file)[1].created == 1


def test_a_room_is_found_within_its_site(office, csv_of):
    office.take(
        csv_of(
            ["Tag", "School", "Room"],
            ["1", "LHS", "101"],
            ["2", "CMS", "101"],
            ["3", "LHS", " 101 "],
        )
    )
    assert office.device("1").room_id == office.device("3").room_id != office.device("2").room_id
    plan = office.plan(csv_of(["Tag", "Room"], ["1", "101"], ["9", "101"]))
    assert plan.count(Outcome.UNCHANGED) == 1
    assert findings(plan) == {3: [("unknown-room", "Room")]}
    office.do(upsert_place, PlaceKind.CART, "Cart 7", code="CART-07")
    office.take(csv_of(["Tag", "Room"], ["9", "cart-07"]))
    assert office.device("9").room_id is not None


def test_a_model_is_known_by_its_name_and_keeps_its_maker(office, csv_of):
    office.take(csv_of(["Tag", "Model", "Make"], ["1", "HP 11", "HP"]))
    plan, _ = office.take(
        csv_of(["Tag", "Model", "Make"], ["2", "hp  11", "Acer"], ["3", "", "HP"])
    )
    assert {n.code for n in plan.notices} == {"maker-differs", "maker-without-model"}
    assert [m.manufacturer for m in office.all(DeviceModel)] == ["HP"]
    assert office.device("2").model == "HP 11"


@pytest.mark.parametrize(
    ("holds", "cell", "value"),
    [
        (CustomType.TEXT, " a  b ", "a  b"),
        (CustomType.INTEGER, "1,200", "1200"),
        (CustomType.INTEGER, "1.5", None),
        (CustomType.DATE, "2026-08-17", "2026-08-17"),
        (CustomType.DATE, "8/17/2026", "2026-08-17"),
        (CustomType.DATE, "soon", None),
        (CustomType.FLAG, "Y", "true"),
        (CustomType.FLAG, "perhaps", None),
        (CustomType.MONEY, "$12.5", "12.50"),
        (CustomType.MONEY, "12.555", None),
    ],
)
def test_custom_fields_are_checked_as_they_were_declared(office, csv_of, holds, cell, value):
    office.do(declare_field, "extra", holds)
    plan, _ = office.take(csv_of(["Tag", "custom.extra"], ["1", cell]))
    if value is None:
        assert [c for _, c in findings(plan)[2]] == ["custom.extra"]
    else:
        assert [v.value for v in office.device("1").custom] == [value]


# --- custody -------------------------------------------------------------------------------

PEOPLE = (
    ["Student ID", "First Name", "Email", "Role"],
    ["0042", "Ann", "Ann@lincoln.example", "Student"],
    ["7", "Tea", "tea@lincoln.example", "Teacher"],
    ["9001", "Mum", "tea@lincoln.example", "Parent"],
)


@pytest.fixture
def staffed(office, csv_of):
    office.apply(office.people(csv_of(*PEOPLE)))
    return office


def holders(office):
    return {c.device_id: c.accountable_id for c in office.all(OpenCustody)}


def test_who_has_a_device_is_recorded_as_an_assignment(staffed, csv_of):
    file = csv_of(
        ["Tag", "Status", "Assigned To", "Date Assigned"],
        ["1", "Assigned", "0042", "2025-08-20"],
        ["2", "", "ann@LINCOLN.example", ""],
        ["3", "Lost", "tea@lincoln.example", ""],
        ["4", "In Repair", "7", ""],
        ["5", "Assigned", "", ""],
    )
    start = staffed.seq()
    plan, _ = staffed.take(file)
    assert plan.rejects == ()
    expected = {
        "1": (Lifecycle.DEPLOYED, CustodyState.ASSIGNED),
        "2": (Lifecycle.DEPLOYED, CustodyState.ASSIGNED),
        "3": (Lifecycle.LOST, CustodyState.ASSIGNED),
        "4": (Lifecycle.IN_REPAIR, CustodyState.ASSIGNED),
        "5": (Lifecycle.DEPLOYED, CustodyState.NONE),
    }
    for tag, (lifecycle, custody) in expected.items():
        device = staffed.device(tag)
        assert (device.lifecycle, device.custody) == (lifecycle, custody)
    first = next(c for c in staffed.all(Custody) if c.device_id == staffed.device("1").id)
    assert first.since == datetime(2025, 8, 20, 5, tzinfo=UTC)  # midnight in Chicago
    assert len(staffed.all(OutboxItem)) == 4
    events = staffed.events(after=start)
    assert sum(e.type == "device.checked_out@1" for e in events) == 4
    assert all('"reason":"import"' in e.body for e in events)
    for event in events:
        for personal in ("0042", "Ann", "lincoln.example"):
            assert personal not in event.body
    assert staffed.plan(file).count(Outcome.UNCHANGED) == 5


def test_the_limits_of_a_hand_out_do_not_bind_what_is_so_already(staffed, csv_of):
    rows = [[str(n), "Assigned", "0042", "Broken"] for n in range(5)]
    _, report = staffed.take(csv_of(["Tag", "Status", "Assigned To", "Condition"], *rows))
    assert report.created == 5
    assert len(staffed.all(OpenCustody)) == 5


def test_whom_nobody_knows_is_told_without_their_name(staffed, csv_of):
    plan = staffed.plan(
        csv_of(["Tag", "Assigned To"], ["1", "Ann Lee"], ["2", "42"], ["3", "9001"])
    )
    assert {c for f in findings(plan).values() for c, _ in f} == {"unknown-person"}
    for shown in (plan.summary(), str(plan.as_dict()), repr(plan)):
        assert "Ann" not in shown
        assert "9001" not in shown


def test_a_device_in_other_hands_is_a_conflict(staffed, csv_of):
    staffed.take(csv_of(["Tag", "Assigned To"], ["1", "0042"]))
    plan = staffed.plan(csv_of(["Tag", "Assigned To"], ["1", "7"]))
    assert findings(plan) == {2: [("in-other-hands", "Assigned To")]}
    plan = staffed.plan(csv_of(["Tag", "Status"], ["1", "Available"]))
    assert findings(plan) == {2: [("in-other-hands", "Status")]}
    plan = staffed.plan(csv_of(["Tag", "Status"], ["1", "Lost"]))
    assert plan.rejects == ()


def test_a_holder_and_a_status_that_has_none_contradict(staffed, csv_of):
    make(staffed, asset_tag="9", lifecycle=Lifecycle.RETIRED)
    plan = staffed.plan(
        csv_of(
            ["Tag", "Status", "Assigned To"],
            ["1", "In stock", "0042"],
            ["2", "Disposed", "7"],
            ["9", "", "7"],
        )
    )
    assert findings(plan) == {
        2: [("contradicts", "Assigned To")],
        3: [("out-of-service", "Assigned To")],
        4: [("out-of-service", "Assigned To")],
    }


def test_somebody_who_left_is_given_nothing(staffed, csv_of):
    ann = next(p for p in staffed.all(Person) if p.local_id == "0042")
    staffed.do(leave_person, ann.id)
    assert next(p for p in staffed.all(Person) if p.id == ann.id).status is PersonStatus.LEFT
    plan = staffed.plan(csv_of(["Tag", "Assigned To"], ["1", "0042"]))
    assert findings(plan) == {2: [("person-left", "Assigned To")]}


def test_a_day_that_is_still_to_come_or_lies_before_the_last_custody_is_refused(staffed, csv_of):
    device = make(staffed, asset_tag="1", lifecycle=Lifecycle.IN_STOCK)
    staffed.do(check_out, device.id, to="0042")
    staffed.later(days=1)
    staffed.do(check_in, device.id)
    plan = staffed.plan(
        csv_of(
            ["Tag", "Assigned To", "Assigned On"],
            ["1", "7", "2026-01-05"],
            ["2", "7", "2027-01-05"],
        )
    )
    assert findings(plan) == {
        2: [("date-refused", "Assigned To")],
        3: [("date-refused", "Assigned To")],
    }


def test_an_ambiguous_holder_lists_ids_alone(office, csv_of):
    people = csv_of(["ID", "Role"], ["1001", "Student"], ["1001", "Staff"])
    office.apply(office.people(people))
    plan = office.plan(csv_of(["Tag", "Assigned To"], ["1", "1001"]))
    assert findings(plan) == {2: [("ambiguous", "Assigned To")]}
    assert len(plan.rejects[0].findings[0].candidates) == 2


# --- money ---------------------------------------------------------------------------------


def test_funding_that_is_recorded_is_not_overwritten(office, csv_of):
    office.take(csv_of(["Tag", "Fund"], ["1", "F-21"], ["2", "F-21"]))
    plan = office.plan(
        csv_of(["Tag", "Fund", "Award"], ["1", "F-22", ""], ["2", "F-21", ""], ["3", "", "A-1"])
    )
    assert findings(plan) == {2: [("recorded-otherwise", "Fund")], 4: [("no-fund", "Award")]}
    assert plan.count(Outcome.UNCHANGED) == 1


def test_a_device_that_had_no_funding_gets_it(office, csv_of):
    make(office, asset_tag="1", acquired_on=date(2024, 1, 5))
    plan, _ = office.take(csv_of(["Tag", "Fund", "Program"], ["1", "F-21", "e-rate"]))
    assert changes(plan) == {2: {"fund": (None, "F-21")}}
    device = office.device("1")
    assert (device.funding, device.version) == (FundingState.RESTRICTED, 2)
    assert office.all(FundingShare)[0].starts_on == date(2024, 1, 5)


def test_an_edit_and_its_funding_and_its_holder_in_one_row(staffed, csv_of):
    make(staffed, asset_tag="1")
    staffed.take(csv_of(["Tag", "Fund", "Condition", "Assigned To"], ["1", "F-21", "Good", "7"]))
    device = staffed.device("1")
    assert (device.condition, device.custody, device.funding) == (
        Condition.GOOD,
        CustodyState.ASSIGNED,
        FundingState.UNRESTRICTED,
    )
    assert device.version == 4
    assert staffed.verified() == staffed.seq()


# --- once made, always the same ------------------------------------------------------------


def test_a_changed_device_is_edited_not_made_again(office, csv_of):
    office.take(csv_of(["Tag", "Serial"], ["1", "A"]))
    before = office.device("1")
    office.do(edit_device, before.id, {"condition": Condition.FAIR})
    office.take(csv_of(["Tag", "Serial", "Condition"], ["1", "A", "good"]))
    assert office.device("1").id == before.id
    assert office.device("1").condition is Condition.GOOD


def test_a_device_can_lose_its_model_and_its_site(office, csv_of):
    office.take(csv_of(["Tag", "Model", "School"], ["1", "HP 11", "LHS"]))
    office.take(csv_of(["Tag", "Model", "School"], ["1", "(clear)", "(clear)"]))
    device = office.device("1")
    assert (device.model_id, device.model, device.site_id) == (None, None, None)


def test_a_room_that_two_buildings_have_must_be_told_apart(office, csv_of):
    site = next(p for p in office.all(Place) if p.code == "LHS")
    for name in ("North wing", "South wing"):
        building = office.do(upsert_place, PlaceKind.BUILDING, name, parent_id=site.id)
        office.do(upsert_place, PlaceKind.ROOM, "101", parent_id=building.id)
    plan = office.plan(csv_of(["Tag", "School", "Room"], ["1", "LHS", "101"]))
    assert findings(plan) == {2: [("ambiguous", "Room")]}
    assert len(plan.rejects[0].findings[0].candidates) == 2


def test_funding_does_not_begin_in_the_future(office, csv_of):
    plan = office.plan(csv_of(["Tag", "Fund", "Purchased"], ["1", "F-1", "2027-01-01"]))
    assert findings(plan) == {2: [("date-refused", "Fund")]}


def test_a_district_in_a_zone_that_is_not_known_is_told(office, csv_of):
    with office.write() as tx:
        row = next(iter(tx.find(Query(kind=District))))
        after = evolve(row, time_zone="Mars/Olympus", version=row.version + 1)
        entry = Entry(
            event=DistrictCreated(name="x"),
            subject_id=row.id,
            stamp=office.act().stamp(),
            puts=(Put(after, row),),
        )
        tx.record([entry])
    with pytest.raises(ConfigError, match="time zone"):
        office.plan(csv_of(["Tag"], ["1"]))
