"""Google's spellings of one and the same thing, each read into ours."""

from datetime import date

import pytest

from assetflow.connectors.google import values


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-11-24T10:11:12.345Z", "2026-11-24T10:11:12.345000Z"),  # the usual form
        ("2026-11-24T10:11:12Z", "2026-11-24T10:11:12.000000Z"),
        ("2026-11-24T10:11:12.123456789Z", "2026-11-24T10:11:12.123456Z"),  # other Google APIs
        ("2026-11-24T04:11:12-06:00", "2026-11-24T10:11:12.000000Z"),
        ("2026-11-24T10:11:12", "2026-11-24T10:11:12.000000Z"),  # no zone: UTC
        ("1404457200000", "2014-07-04T07:00:00.000000Z"),  # doc sample: supportEndDate
        (1404457200000, "2014-07-04T07:00:00.000000Z"),
        ("1404457200", "2014-07-04T07:00:00.000000Z"),  # seconds
        (1404457200.0, "2014-07-04T07:00:00.000000Z"),
        ("1970-01-01T00:00:00.000Z", None),  # never (GAM's never_time)
        ("0", None),
        (0, None),
        ("-1", None),
        ("0001-01-01T00:00:00.000Z", None),
        ("9999-12-31T23:59:59.999Z", None),
        ("9223372036854775807", None),  # the largest int64
        ("99999999999999999999999999", None),
        (float("nan"), None),
        (float("inf"), None),
        ("", None),
        (None, None),
        ("yesterday", None),
        ("2026-13-45T10:11:12.345+00:00", None),
    ],
)
def test_instants(said, meant):
    assert values.instant(said) == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2031-06-01", date(2031, 6, 1)),
        ("2031-06-30T00:00:00.000Z", date(2031, 6, 30)),
        ("1940630400000", date(2031, 7, 1)),
        (1940630400000, date(2031, 7, 1)),
        ("2031-06-30T23:00:00-06:00", date(2031, 7, 1)),  # the day in UTC
        ("1970-01-01", None),
        ("9999-12-31", None),
        ("0001-01-01", None),
        ("June 2031", None),  # not guessed at
        ("2031-06", None),
        ("", None),
        (None, None),
    ],
)
def test_days(said, meant):
    assert values.day(said) == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("5CD1234ABC", "5CD1234ABC"),
        ("  5CD1234ABC ", "5CD1234ABC"),
        ("0012345", "0012345"),  # leading zeros are part of it
        (12345667890, "12345667890"),
        ("System Serial Number", None),
        ("SYSTEM SERIAL NUMBER", None),
        ("To Be Filled By O.E.M.", None),
        ("Default string", None),
        ("None", None),
        ("null", None),
        ("N/A", None),
        ("0", None),
        ("00000000", None),
        ("XXXXXXX", None),
        ("123456789", None),
        ("1", "1"),  # short, but somebody wrote it
        ("", None),
        ("   ", None),
        (None, None),
    ],
)
def test_serials_and_what_stands_in_their_place(said, meant):
    assert values.serial(said) == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("4113464448", 4113464448),  # int64 comes as text
        (4113464448, 4113464448),
        (4113464448.0, 4113464448),
        ("0", 0),
        ("", None),
        ("4 GB", None),
        ("-5", None),
        (-5, None),
        (1.5, None),
        ("1" * 40, None),
        ("٣", None),  # a digit, but not ours
        (float("nan"), None),
        (float("inf"), None),
        (None, None),
    ],
)
def test_counts(said, meant):
    assert values.whole(said) == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("A4BB6D00AB12", "a4bb6d00ab12"),
        ("a4:bb:6d:00:ab:12", "a4bb6d00ab12"),
        ("A4-BB-6D-00-AB-12", "a4bb6d00ab12"),
        ("000000000000", None),
        ("a4bb6d00ab1", None),
        ("mac_address_value", None),  # doc sample
        ("", None),
        (None, None),
    ],
)
def test_hardware_addresses(said, meant):
    assert values.mac(said) == meant


def test_the_three_spellings_of_an_org_units_id_are_one():
    spellings = ("03ph8a2z1abc", "id:03ph8a2z1abc", "orgunits/03ph8a2z1abc", " id:03ph8a2z1abc ")
    assert {values.org_unit_id(one) for one in spellings} == {"03ph8a2z1abc"}
    assert values.org_unit_id("") is values.org_unit_id(None) is values.org_unit_id("id:") is None


def test_paths_begin_with_a_slash_also_where_old_answers_leave_it_out():
    assert values.org_unit_path("corp/engineering") == "/corp/engineering"  # doc sample
    assert values.org_unit_path("/Students/LHS") == "/Students/LHS"
    assert values.org_unit_path("/") == "/"
    assert values.org_unit_path("") is None


def test_a_number_where_a_text_should_be_keeps_its_digits():
    assert values.text(12345667890) == "12345667890"
    assert values.text(12345.0) == "12345"
    assert values.text(1.5) == "1.5"
    assert values.text("") is values.text(None) is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("FALSE", False),
        ("", None),
        (1, None),
        (None, None),
    ],
)
def test_flags(said, meant):
    assert values.flag(said) is meant
