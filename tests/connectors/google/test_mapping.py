"""What Google says of devices, people and org units, and what it comes to here."""

import json
from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.connectors.google.mapping import (
    MANAGEMENT,
    DeviceMapper,
    PersonMapper,
    observe_org_unit,
    updates,
)
from assetflow.connectors.google.payloads import DEVICES, ORG_UNITS, USERS
from assetflow.model import ExtendedUpdates, Management, ObservedDevice, PersonKind, PersonStatus


def page(key, *records):
    return json.dumps({key: list(records)}).encode()


def device(**fields):
    found = DEVICES.decode(page("chromeosdevices", {"deviceId": "d1", **fields}))
    mapper = DeviceMapper()
    if found.exact is not None:
        (quick,) = mapper.observe_all(found.exact)
        (again,) = mapper.observe_all(found.exact)  # now from memory
        assert quick == again == mapper.observe(found.exact[0])
        return quick
    return mapper.observe(found.odd[0])


def user(mapper=None, **fields):
    found = USERS.decode(page("users", {"id": "1", **fields}))
    return (mapper or PersonMapper()).observe((found.exact or found.odd)[0])


# --- devices -------------------------------------------------------------------------------


def test_a_whole_device():
    seen = device(
        serialNumber="5CD1234ABC",
        status="ACTIVE",
        lastSync="2026-11-24T10:11:12.345Z",
        annotatedUser="help desk",
        annotatedLocation="LHS Room 12",
        annotatedAssetId=" LHS-004217 ",
        notes="Loaned from support",
        model="HP Chromebook 11 G9 EE",
        osVersion="142.0.7444.181",
        lastEnrollmentTime="2025-08-05T17:30:04.325Z",
        orgUnitPath="/Students/LHS",
        orgUnitId="03ph8a2z1abc",
        autoUpdateThrough="2031-06-01",
        extendedSupportEligible=False,
        macAddress="A4BB6D00AB12",
        systemRamTotal="4113464448",
        diskSpaceUsage={"capacityBytes": "32000000000", "usedBytes": "12000000000"},
        recentUsers=[
            {"type": "USER_TYPE_UNMANAGED"},
            {"type": "USER_TYPE_MANAGED", "email": "a@lincoln.example"},
            {"type": "USER_TYPE_MANAGED", "email": "b@lincoln.example"},
        ],
    )
    assert seen == ObservedDevice(
        source_id="d1",
        serial="5CD1234ABC",
        asset_tag="LHS-004217",
        model="HP Chromebook 11 G9 EE",
        status="ACTIVE",
        management=Management.MANAGED,
        org_unit_id="03ph8a2z1abc",
        org_unit_path="/Students/LHS",
        auto_update_ends=date(2031, 6, 1),
        extended_updates=ExtendedUpdates.NOT_NEEDED,
        enrolled_at="2025-08-05T17:30:04.325000Z",
        location="LHS Room 12",
        assigned_to="help desk",
        notes="Loaned from support",
        last_seen_at="2026-11-24T10:11:12.345000Z",
        os_version="142.0.7444.181",
        recent_user="a@lincoln.example",
        mac_address="a4bb6d00ab12",
        disk_free_bytes=20000000000,
        ram_bytes=4113464448,
    )


def test_a_device_of_which_only_the_id_is_known():
    assert device() == ObservedDevice("d1")


def test_a_device_that_is_built_quickly_is_frozen_all_the_same():
    seen = device(serialNumber="5CD1234ABC", lastSync="2026-11-24T10:11:12.345Z")
    assert type(seen) is ObservedDevice
    with pytest.raises(AttributeError):
        seen.serial = "other"
    with pytest.raises(AttributeError):
        del seen.serial
    assert hash(seen) == hash(
        device(serialNumber="5CD1234ABC", lastSync="2026-11-24T10:11:12.345Z")
    )


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *MANAGEMENT.items(),
        ("active", Management.MANAGED),
        ("INACTIVE", Management.UNKNOWN),
        ("RETURN_REQUESTED", Management.UNKNOWN),
        ("SOMETHING_NEW", Management.UNKNOWN),  # the enumeration is open
        ("", Management.UNKNOWN),
        (None, Management.UNKNOWN),
        (7, Management.UNKNOWN),
    ],
)
def test_the_word_for_the_state_is_kept_and_its_meaning_told(word, meant):
    seen = device(status=word)
    assert seen.management is meant
    assert seen.status == (str(word) if word not in {None, ""} else None)


UPDATES = [
    # the full period is automatic (released 2021 or later)
    ({"through": "2031-06-30", "eligible": False}, ("2031-06-30", None, "NOT_NEEDED")),
    # an admin may opt in: until then the shorter day holds
    (
        {"through": "2029-06-30", "eligible": True, "start": "2025-06-30", "enabled": False},
        ("2025-06-30", "2029-06-30", "AVAILABLE"),
    ),
    (
        {"through": "2029-06-30", "eligible": True, "start": "2025-06-30", "enabled": True},
        ("2025-06-30", "2029-06-30", "OPTED_IN"),
    ),
    # JSON leaves out what is false
    (
        {"through": "2029-06-30", "eligible": True, "start": "2025-06-30"},
        ("2025-06-30", "2029-06-30", "AVAILABLE"),
    ),
    # needs the opt-in, but from when is not said: the long day is not the one that holds without
    ({"through": "2029-06-30", "eligible": True}, (None, "2029-06-30", "AVAILABLE")),
    (
        {"through": "2029-06-30", "eligible": True, "enabled": True},
        (None, "2029-06-30", "OPTED_IN"),
    ),
    # a start after the end is no shorter period
    (
        {"through": "2029-06-30", "eligible": True, "start": "2030-01-01"},
        ("2029-06-30", "2029-06-30", "AVAILABLE"),
    ),
    # an older answer knows neither field
    ({"through": "2029-06-30"}, ("2029-06-30", None, "UNKNOWN")),
    (
        {"through": "2029-06-30", "start": "2025-06-30"},
        ("2025-06-30", "2029-06-30", "UNKNOWN"),
    ),
    # the deprecated field, in milliseconds, only where the newer one says nothing
    ({"expiration": "1877472000000", "eligible": False}, ("2029-06-30", None, "NOT_NEEDED")),
    (
        {"through": "2031-06-30", "expiration": "1877472000000", "eligible": False},
        ("2031-06-30", None, "NOT_NEEDED"),
    ),
    (
        {"through": "soon", "expiration": "1877472000000", "eligible": False},
        ("2029-06-30", None, "NOT_NEEDED"),
    ),
    # unknown is never far away
    ({"eligible": False}, (None, None, "NOT_NEEDED")),
    ({"through": "9999-12-31", "eligible": False}, (None, None, "NOT_NEEDED")),
    ({"through": "1970-01-01", "expiration": "0"}, (None, None, "UNKNOWN")),
    ({}, (None, None, "UNKNOWN")),
]


@pytest.mark.parametrize(("said", "meant"), UPDATES)
def test_the_end_of_updates(said, meant):
    names = ("through", "expiration", "eligible", "start", "enabled")
    ends, longer, state = updates(**{name: said.get(name) for name in names})
    assert (ends and ends.isoformat(), longer and longer.isoformat(), state.name) == meant


@pytest.mark.parametrize(("said", "meant"), UPDATES)
def test_the_end_of_updates_is_the_same_on_the_quick_way(said, meant):
    names = {
        "through": "autoUpdateThrough",
        "expiration": "autoUpdateExpiration",
        "eligible": "extendedSupportEligible",
        "start": "extendedSupportStart",
        "enabled": "extendedSupportEnabled",
    }
    seen = device(**{names[name]: value for name, value in said.items()})
    ends, longer = seen.auto_update_ends, seen.auto_update_ends_extended
    assert (
        ends and ends.isoformat(),
        longer and longer.isoformat(),
        seen.extended_updates.name,
    ) == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ([], None),
        (None, None),
        ([{"type": "USER_TYPE_UNMANAGED"}], None),
        ([{"type": "USER_TYPE_MANAGED", "email": ""}, {"email": "b@x.example"}], "b@x.example"),
        ({"email": "one@x.example"}, "one@x.example"),  # an object for a list
        ("nonsense", None),
        ([None, 3, {"email": "c@x.example"}], "c@x.example"),
    ],
)
def test_the_newest_user_who_has_an_address(said, meant):
    assert device(recentUsers=said).recent_user == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"capacityBytes": "100", "usedBytes": "40"}, 60),
        ({"capacityBytes": 100, "usedBytes": 40}, 60),
        ({"capacityBytes": "100", "usedBytes": "100"}, 0),
        ({"capacityBytes": "0", "usedBytes": "0"}, None),  # 0 means nobody measured
        ({"capacityBytes": "100", "usedBytes": "140"}, None),
        ({"capacityBytes": "100"}, None),
        ({"usedBytes": "40"}, None),
        ({"capacityBytes": "", "usedBytes": ""}, None),
        ({}, None),
        (None, None),
        ("lots", None),
    ],
)
def test_free_space_is_known_only_when_both_numbers_are(said, meant):
    assert device(diskSpaceUsage=said).disk_free_bytes == meant


def test_no_memory_is_unknown_memory():
    assert device(systemRamTotal="0").ram_bytes is None
    assert device(systemRamTotal="").ram_bytes is None
    assert device(systemRamTotal=None).ram_bytes is None


# Texts as Google may send them where each field stands; instants and hardware addresses only in
# their documented forms, since the quick way looks at their shape alone.
_SHORT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_INSTANT = st.one_of(
    st.none(),
    st.just(""),
    st.sampled_from(
        [
            "1970-01-01T00:00:00.000Z",
            "0001-01-01T00:00:00.000Z",
            "9999-12-31T23:59:59.999Z",
            "2012-04-05T17:30:04Z",
            "1404457200000",
        ]
    ),
    st.datetimes().map(lambda d: d.isoformat(timespec="milliseconds") + "Z"),
)
_COUNT = st.one_of(st.none(), st.integers(-5, 2**63 - 1).map(str), st.integers(-5, 2**40))
_DAY = st.one_of(
    st.none(), st.dates().map(str), st.sampled_from(["", "0", "soon", "1877472000000"])
)
_FLAG = st.sampled_from([None, True, False])
_DEVICE = st.fixed_dictionaries(
    {"deviceId": st.text("abc-123", min_size=1, max_size=6)},
    optional={
        "serialNumber": st.one_of(st.none(), _SHORT, st.sampled_from(["0", "None", " 5CD "])),
        "status": st.one_of(st.none(), st.sampled_from([*MANAGEMENT, "odd", ""])),
        "model": st.one_of(st.none(), _SHORT),
        "annotatedAssetId": st.one_of(st.none(), _SHORT),
        "annotatedUser": st.one_of(st.none(), _SHORT),
        "annotatedLocation": st.one_of(st.none(), _SHORT),
        "notes": st.one_of(st.none(), _SHORT),
        "osVersion": st.one_of(st.none(), _SHORT),
        "orgUnitId": st.sampled_from([None, "", "id:03ph", "03ph"]),
        "orgUnitPath": st.sampled_from([None, "", "/", "/A", "a/b"]),
        "lastSync": _INSTANT,
        "lastEnrollmentTime": _INSTANT,
        "autoUpdateThrough": _DAY,
        "autoUpdateExpiration": _DAY,
        "extendedSupportStart": _DAY,
        "extendedSupportEligible": _FLAG,
        "extendedSupportEnabled": _FLAG,
        "macAddress": st.sampled_from(
            [None, "", "A4BB6D00AB12", "a4bb6d00ab12", "a4:bb:6d:00:ab:12"]
        ),
        "systemRamTotal": _COUNT,
        "diskSpaceUsage": st.one_of(
            st.none(),
            st.fixed_dictionaries({}, optional={"capacityBytes": _COUNT, "usedBytes": _COUNT}),
        ),
        "recentUsers": st.one_of(
            st.none(),
            st.lists(st.fixed_dictionaries({}, optional={"email": _SHORT}), max_size=3),
        ),
    },
)


@given(st.lists(_DEVICE, max_size=4))
def test_the_quick_way_and_the_thorough_one_see_the_same(found):
    decoded = DEVICES.decode(page("chromeosdevices", *found))
    if decoded.exact is None:
        return
    mapper = DeviceMapper()
    thorough = [mapper.observe(one) for one in decoded.exact]
    assert mapper.observe_all(decoded.exact) == thorough
    assert DeviceMapper().observe_all(decoded.exact) == thorough


def test_what_a_mapper_remembers_stays_small():
    mapper = DeviceMapper()
    body = page(
        "chromeosdevices",
        *(
            {"deviceId": f"d{n}", "orgUnitId": f"unit-{n}", "status": "ACTIVE"}
            for n in range(25_000)
        ),
    )
    mapper.observe_all(DEVICES.decode(body).exact)
    assert len(mapper._units) <= 20_001


def test_a_fleet_made_up_by_the_fake_is_seen_whole(records):
    body = page("chromeosdevices", *records)
    found = DEVICES.decode(body)
    seen = DeviceMapper().observe_all(found.exact)
    assert [one.source_id for one in seen] == [record["deviceId"] for record in records]
    assert {one.management for one in seen} >= {Management.MANAGED, Management.DEPROVISIONED}
    assert {one.extended_updates for one in seen} == {
        ExtendedUpdates.NOT_NEEDED,
        ExtendedUpdates.AVAILABLE,
        ExtendedUpdates.OPTED_IN,
    }


# --- people --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({}, PersonStatus.ACTIVE),
        ({"suspended": False, "archived": False}, PersonStatus.ACTIVE),
        ({"archived": True}, PersonStatus.LEFT),
        ({"suspended": True, "suspensionReason": "ADMIN"}, PersonStatus.LEFT),
        ({"suspended": True, "suspensionReason": "ABUSE"}, PersonStatus.UNKNOWN),
        ({"suspended": True}, PersonStatus.UNKNOWN),  # the account is off; the person may be there
        ({"suspended": "true", "suspensionReason": "ADMIN"}, PersonStatus.LEFT),
        ({"deletionTime": "2026-08-01T00:00:00.000Z"}, PersonStatus.LEFT),
        ({"deletionTime": "1970-01-01T00:00:00.000Z"}, PersonStatus.ACTIVE),
    ],
)
def test_whether_a_person_is_there(said, meant):
    assert user(**said).status is meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ([{"value": "004217", "type": "organization"}], "004217"),  # the console's employee id
        ([{"value": "x", "type": "custom"}, {"value": "7", "type": "organization"}], "7"),
        ([{"value": " 004217 ", "type": "custom", "customType": "office"}], "004217"),
        ({"value": "004217", "type": "organization"}, "004217"),  # any: an object for a list
        ([{"value": 4217, "type": "organization"}], "4217"),
        (
            [{"value": "x", "type": "custom"}, {"value": "y", "type": "account"}],
            None,
        ),  # not guessed
        ([{"value": "", "type": "organization"}], None),
        ([], None),
        (None, None),
        ("004217", None),
    ],
)
def test_the_local_number(said, meant):
    assert user(externalIds=said).local_id == meant


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/Students", PersonKind.STUDENT),
        ("/students/lhs", PersonKind.STUDENT),  # paths ignore letter case
        ("Students/LHS", PersonKind.STUDENT),  # doc sample: no first slash
        ("/StudentsGone", PersonKind.STAFF),
        ("/Staff/LHS", PersonKind.STAFF),
        ("/", PersonKind.STAFF),
        (None, PersonKind.STAFF),
    ],
)
def test_students_are_those_in_the_students_org_units(path, kind):
    assert user(orgUnitPath=path).kind is kind


def test_a_person_has_the_id_of_the_org_unit_where_it_is_known():
    mapper = PersonMapper(student_units=("/Pupils/",), units={"/pupils/lhs": "03ph8a2z1abc"})
    seen = user(
        mapper,
        primaryEmail="liz@lincoln.example",
        name={"givenName": "Liz", "familyName": "Smith"},
        orgUnitPath="/Pupils/LHS",
    )
    assert (seen.place_source_id, seen.kind) == ("03ph8a2z1abc", PersonKind.STUDENT)
    assert (seen.given_name, seen.family_name, seen.email) == (
        "Liz",
        "Smith",
        "liz@lincoln.example",
    )
    assert "Liz" not in repr(seen)


@pytest.mark.parametrize("name", [None, "Liz Smith", {"givenName": 7}, [], {"familyName": None}])
def test_odd_names_do_not_stop_the_page(name):
    assert user(name=name).source_id == "1"


# --- org units -----------------------------------------------------------------------------


def test_an_org_unit():
    body = page(
        "organizationUnits",
        {
            "orgUnitId": "id:03ph8a2z1abc",
            "orgUnitPath": "/Students/LHS",
            "name": "LHS",
            "parentOrgUnitId": "id:03ph8a2z0000",
        },
        {"orgUnitId": "id:03ph8a2z0000", "orgUnitPath": "/"},
    )
    unit, root = map(observe_org_unit, ORG_UNITS.decode(body).exact)
    assert (unit.source_id, unit.parent_source_id) == ("03ph8a2z1abc", "03ph8a2z0000")
    assert (unit.path, unit.name) == ("/Students/LHS", "LHS")
    assert (root.path, root.name, root.parent_source_id) == ("/", "/", None)


def test_payload_classes_hold_no_reference_cycles_and_cannot_be_changed():
    for shape in (DEVICES, USERS, ORG_UNITS):
        for cls in (shape._exact.type, shape._odd.type, shape._one.type):
            assert cls.__struct_config__.frozen
            assert cls.__struct_config__.gc is False
            assert issubclass(cls, msgspec.Struct)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2012-04-05T17:30:04Z", "2012-04-05T17:30:04.000000Z"),
        ("1970-01-01T00:00:00.000Z", None),
        ("9999-12-31T23:59:59.999Z", None),
        ("1404457200000", "2014-07-04T07:00:00.000000Z"),
        ("", None),
        (None, None),
    ],
)
def test_odd_instants_of_devices_that_are_otherwise_ordinary(said, meant):
    assert device(serialNumber="5CD1234ABC", lastEnrollmentTime=said).enrolled_at == meant
    assert device(serialNumber="5CD1234ABC", lastSync=said).last_seen_at == meant
