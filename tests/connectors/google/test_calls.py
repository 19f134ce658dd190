"""What is asked of Google: each call as a value."""

import logging

import pytest

from assetflow.connectors.google.calls import (
    DEVICE_FIELDS,
    Directory,
    in_org_unit,
    matching_serial,
)
from assetflow.connectors.google.mapping import DeviceMapper, PersonMapper
from assetflow.connectors.google.payloads import ChromeOsDevice, OddChromeOsDevice, OrgUnit, User
from assetflow.errors import InvalidValue
from assetflow.testing.google import contract
from assetflow.wire import Call


@pytest.fixture
def directory():
    return Directory("C03az79cb", DeviceMapper())


def test_the_listing_of_devices(directory):
    first = directory.chromebooks().first
    assert first.path == "admin/directory/v1/customer/C03az79cb/devices/chromeos"
    assert dict(first.params) == {
        "projection": "FULL",
        "maxResults": "300",
        "fields": f"nextPageToken,chromeosdevices({DEVICE_FIELDS})",
        "prettyPrint": "false",
    }
    assert first.idempotent
    assert first.bucket == "read"


def test_a_listing_never_asks_for_an_order_and_ends_before_google_ends_it(directory):
    listing = directory.chromebooks(query="status:provisioned")
    assert listing.first.param("orderBy") is None
    assert listing.first.param("query") == "status:provisioned"
    assert listing.max_age == 55 * 60


def test_an_org_unit_is_named_by_id_and_without_those_below_it_when_asked(directory):
    first = directory.chromebooks(org_unit="03ph8a2z1abc", below=False).first
    assert first.param("orgUnitPath") == "id:03ph8a2z1abc"
    assert first.param("includeChildOrgunits") == "false"
    assert in_org_unit("/Students/A&B + 10%") == "/Students/A&B + 10%"
    assert in_org_unit("id:03ph") == "id:03ph"
    with pytest.raises(InvalidValue):
        in_org_unit(" ")


def test_without_an_org_unit_the_parameter_that_needs_one_is_not_sent(directory):
    assert directory.chromebooks(below=True).first.param("includeChildOrgunits") is None
    assert directory.count().param("includeChildOrgunits") is None


def test_masks_name_the_next_page_and_every_field_that_is_read(directory):
    listings = (
        (directory.chromebooks(), ChromeOsDevice, contract.DEVICE),
        (directory.users(PersonMapper()), User, contract.USER),
        (directory.org_units(), OrgUnit, contract.ORG_UNIT),
    )
    for listing, payload, known in listings:
        from assetflow.testing.google import masks

        mask = masks.parse(listing.first.param("fields"))
        inner = next(below for name, below in mask.items() if name != "nextPageToken")
        assert set(inner) >= {f.encode_name for f in _fields(payload)}
        masks.check(inner, known)
        if listing.first.operation != "list-org-units":
            assert "nextPageToken" in mask


def _fields(payload):
    import msgspec

    return msgspec.structs.fields(payload)


def test_the_odd_payload_has_the_fields_of_the_exact_one():
    assert [f.name for f in _fields(ChromeOsDevice)] == [f.name for f in _fields(OddChromeOsDevice)]


def test_users_are_asked_for_by_customer_or_domain_never_both(directory):
    of_customer = directory.users(PersonMapper()).first
    of_domain = directory.users(PersonMapper(), domain="lincoln.example").first
    assert (of_customer.param("customer"), of_customer.param("domain")) == ("C03az79cb", None)
    assert (of_domain.param("customer"), of_domain.param("domain")) == (None, "lincoln.example")
    assert of_customer.param("projection") == "full"  # lower case here, upper case for devices


def test_the_next_page_repeats_every_parameter_of_the_call_that_was_made(directory):
    made = directory.chromebooks().first.with_params(maxResults="200")  # as amended
    page = directory.parse_chromebooks(made, b'{"nextPageToken":"t"}')
    assert page.following == made.with_params(pageToken="t")


def test_a_page_of_a_listing_can_wait_in_a_checkpoint(directory):
    call = directory.chromebooks(org_unit="/A&B + 10%").first.with_params(pageToken="t==")
    assert Call.from_dict(call.as_dict()) == call


@pytest.mark.parametrize(
    ("serial", "query"),
    [
        ("5CD1234ABC", "id:5CD1234ABC"),
        (" 5CD1234ABC ", "id:5CD1234ABC"),
        ("NXH 123", 'id:"NXH 123"'),
        ("A-B-C", 'id:"A-B-C"'),
    ],
)
def test_the_query_for_a_serial(serial, query):
    assert matching_serial(serial) == query


@pytest.mark.parametrize("serial", ["", "  ", "AB", 'AB" status:disabled', "AB\\C", "AB\nC"])
def test_serials_that_google_cannot_be_asked_for(serial):
    with pytest.raises(InvalidValue):
        matching_serial(serial)


def test_ids_in_paths_are_escaped(directory):
    assert directory.chromebook("a/b?c#d").path.endswith("/a%2Fb%3Fc%23d")


def test_keys_that_nobody_maps_are_logged_by_name_on_the_first_page(directory, caplog, records):
    import json

    body = json.dumps({"chromeosdevices": records[:20]}).encode()
    call = directory.chromebooks().first
    with caplog.at_level(logging.DEBUG, logger="assetflow.connectors.google"):
        directory.parse_chromebooks(call, body)
        first = len(caplog.records)
        for number in range(40):
            directory.parse_chromebooks(call.with_params(pageToken=f"token-{number}"), body)
    assert first == 1
    assert 1 <= len(caplog.records) <= 10  # about one page in twenty
    assert "manufactureDate" in caplog.text
    assert "@lincoln.example" not in caplog.text
