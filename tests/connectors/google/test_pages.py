"""From bytes to records: pages that are as documented, and pages that are not."""

import json
import string
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.connectors.google.calls import Directory, parse_chromebook, parse_count
from assetflow.connectors.google.dictionary import RAW_DICTIONARIES
from assetflow.connectors.google.mapping import DeviceMapper
from assetflow.connectors.google.payloads import DEVICES, USERS
from assetflow.errors import ConnectorError, PayloadError


@pytest.fixture
def directory():
    return Directory("my_customer", DeviceMapper())


def read(directory, body):
    return directory.parse_chromebooks(directory.chromebooks().first, body)


def test_a_page_and_the_call_for_the_next_one(directory):
    body = b'{"chromeosdevices":[{"deviceId":"a"},{"deviceId":"b"}],"nextPageToken":"t1"}'
    page = read(directory, body)
    assert [one.source_id for one in page.items] == ["a", "b"]
    assert page.following.param("pageToken") == "t1"
    assert page.following.with_params(pageToken=None).params == directory.chromebooks().first.params
    assert page.problems == ()


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"kind":"admin#directory#chromeosdevices","etag":"x"}',  # no list at all: n8n's fixture
        b'{"chromeosdevices":null,"nextPageToken":null}',
        b'{"chromeosdevices":[],"nextPageToken":""}',  # an empty token is the end, and never sent
    ],
)
def test_an_empty_page(directory, body):
    page = read(directory, body)
    assert list(page.items) == []
    assert page.following is None
    assert list(page.raws()) == []


def test_a_token_that_is_a_number_is_still_a_token(directory):
    assert read(directory, b'{"nextPageToken":17}').following.param("pageToken") == "17"


def test_numbers_for_texts_do_not_cost_a_record(directory):
    body = (
        b'{"chromeosdevices":[{"deviceId":"a","annotatedAssetId":12345667890,"systemRamTotal":""}]}'
    )
    page = read(directory, body)
    assert page.items[0].asset_tag == "12345667890"
    assert page.items[0].ram_bytes is None
    assert page.problems == ()


def test_a_bad_record_is_a_problem_and_the_others_are_kept(directory):
    records = [
        {"deviceId": "a", "notes": "x"},
        {"deviceId": "b", "lastSync": {"seconds": "secret-value"}},
        {"serialNumber": "secret-value"},
        None,
        {"deviceId": "c", "serialNumber": ["secret-value"]},
        {"deviceId": "d"},
    ]
    page = read(directory, json.dumps({"chromeosdevices": records, "nextPageToken": "t"}).encode())
    assert [one.source_id for one in page.items] == ["a", "d"]
    assert page.following.param("pageToken") == "t"
    assert [(p.path, p.record) for p in page.problems] == [
        ("chromeosdevices[1].lastSync", "b"),
        ("chromeosdevices[2]", None),
        ("chromeosdevices[3]", None),
        ("chromeosdevices[4].serialNumber", "c"),
    ]
    assert "secret-value" not in repr(page.problems)
    assert [json.loads(raw)["deviceId"] for raw in page.raws()] == ["a", "d"]


def test_raws_are_the_bytes_of_the_items_one_each(directory, records):
    body = json.dumps({"chromeosdevices": records}).encode()
    page = read(directory, body)
    raws = page.raws()
    assert [json.loads(raw) for raw in raws] == records
    assert all(type(raw) is bytes for raw in raws)


@pytest.mark.parametrize(
    "text",
    [
        '"half \\ud83d of a character"',
        '"half \\ude00 of a character"',
        '"a \x01 control character"',
        "NaN",
        "Infinity",
    ],
)
def test_what_is_not_sound_json_in_one_field_costs_that_field_only(directory, text):
    body = f'{{"chromeosdevices":[{{"deviceId":"a","notes":{text}}},{{"deviceId":"b"}}]}}'
    page = read(directory, body.encode("utf-8", "surrogatepass"))
    assert [one.source_id for one in page.items] == ["a", "b"]
    notes = page.items[0].notes
    assert notes is None or notes.encode()  # can be stored
    assert len(page.raws()) == 2


def test_bytes_that_are_no_text_become_the_sign_for_that(directory):
    page = read(directory, b'{"chromeosdevices":[{"deviceId":"a","notes":"caf\xe9"}]}')
    assert page.items[0].notes == "caf\ufffd"


def test_nesting_in_a_key_that_nobody_reads(directory):
    deep = b"[" * 200_000 + b"]" * 200_000
    body = b'{"chromeosdevices":[{"deviceId":"a"}],"deep":' + deep + b"}"
    try:
        page = read(directory, body)
    except PayloadError:
        return  # as deep as the interpreter lets the decoder go, or
    assert [d.source_id for d in page.items] == ["a"]  # the key is skipped, since nobody reads it


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"<html>Sign in</html>",
        b'{"chromeosdevices":[{"deviceId":"a"}',  # cut off
        b'{"chromeosdevices":{"deviceId":"a"}}',  # an object for the list
        b'{"error":{"code":403}}',  # an error that says 200
        b"\xff\xfe\x00",
        b'{"nextPageToken":["t"]}',
    ],
)
def test_what_is_no_page_is_a_typed_error_and_never_an_empty_page(directory, body):
    with pytest.raises(PayloadError) as caught:
        read(directory, body)
    assert caught.value.problems


@pytest.mark.parametrize(
    ("body", "count"),
    [(b'{"count":"700"}', 700), (b'{"count":700}', 700), (b"{}", 0), (b'{"count":"0"}', 0)],
)
def test_counts(body, count):
    assert parse_count(body) == count


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"count":"many"}', b'{"count":"-1"}', b'{"error":{}}', b"<html>"]
)
def test_what_is_no_count_is_not_zero(body):
    with pytest.raises(PayloadError):
        parse_count(body)


def test_one_device_by_itself():
    assert (
        parse_chromebook(DeviceMapper(), b'{"deviceId":"a","serialNumber":"5CD1"}').serial == "5CD1"
    )
    for body in (
        b"{}",
        b"null",
        b"[]",
        b'{"deviceId":"a","serialNumber":{}}',
        b"}",
        b'{"deviceId":7}',
    ):
        with pytest.raises(PayloadError):
            parse_chromebook(DeviceMapper(), body)


def test_keys_that_nobody_maps_are_told_for_a_few_records(records):
    body = json.dumps({"chromeosdevices": records}).encode()
    unread = DEVICES.unread(body)
    assert unread["manufactureDate"] == 10
    assert "serialNumber" not in unread
    assert DEVICES.unread(b'{"chromeosdevices":[3]}') == {}


def test_the_dictionary_makes_raw_records_much_smaller(directory, records):
    body = json.dumps({"chromeosdevices": records}, separators=(",", ":")).encode()
    raws = read(directory, body).raws()

    def packed(dictionary):
        total = 0
        for raw in raws:
            packer = zlib.compressobj(9, zdict=dictionary) if dictionary else zlib.compressobj(9)
            total += len(packer.compress(raw) + packer.flush())
        return total

    assert packed(RAW_DICTIONARIES[1]) < packed(b"") * 0.7


def test_a_version_of_the_dictionary_never_changes():
    """Records in stores need the old bytes: add a version instead."""
    marks = {version: zlib.crc32(words) for version, words in RAW_DICTIONARIES.items()}
    assert marks == {1: 778990762}


# Bytes that look like a page, more or less.
_SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(string.printable, max_size=8)
)
_ANY = st.recursive(
    _SCALAR,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
_FIELDS = [
    "deviceId", "serialNumber", "status", "lastSync", "recentUsers", "diskSpaceUsage",
    "systemRamTotal", "autoUpdateThrough", "extendedSupportEligible", "orgUnitId", "notes",
    "id", "name", "externalIds", "suspended", "primaryEmail",
]  # fmt: skip
_RECORD = st.one_of(_ANY, st.dictionaries(st.sampled_from(_FIELDS), _ANY, max_size=6))
_PAGE = st.dictionaries(
    st.sampled_from(["chromeosdevices", "users", "nextPageToken", "error", "kind"]),
    st.one_of(st.lists(_RECORD, max_size=4), _ANY),
    max_size=4,
)


@given(_PAGE, st.binary(max_size=6), st.integers(0, 10_000), st.integers(0, 3))
def test_no_page_whatever_ends_in_anything_but_records_or_a_typed_error(made, junk, place, cut):
    body = bytearray(json.dumps(made).encode())
    at = place % (len(body) + 1)
    body[at : at + cut] = junk
    directory = Directory("my_customer", DeviceMapper())
    try:
        page = read(directory, bytes(body))
        assert len(page.raws()) == len(page.items)
    except ConnectorError:
        pass
    try:
        found = USERS.decode(bytes(body))
        assert len(found.raws()) == len(found.exact or found.odd)
    except ConnectorError:
        pass
