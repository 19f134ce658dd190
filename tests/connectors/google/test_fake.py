"""The fake itself: as strict as Google, the same at every start, a program by itself."""

import gzip
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from http.client import HTTPConnection

import pytest

from assetflow.errors import InvalidValue
from assetflow.testing.google import FakeGoogle, Fleet, masks
from assetflow.testing.google.answers import Asked, Refused
from assetflow.testing.google.directory import Directory
from assetflow.testing.google.queries import matcher
from assetflow.testing.google.rsa import make_key
from assetflow.testing.google.tokens import PageToken

BASE = "/admin/directory/v1/customer/my_customer"
CHROME = f"{BASE}/devices/chromeos"


@pytest.fixture(scope="module")
def directory():
    return Directory(Fleet(devices=700))


def ask(directory, path, method="GET", body=None, **params):
    asked = Asked(
        method=method,
        path=path,
        params={name.replace("_", "."): value for name, value in params.items()},
        body=b"" if body is None else json.dumps(body).encode(),
    )
    answer = directory.handle(asked, lambda _method: None)
    return answer.status, json.loads(answer.body) if answer.body else None


def reason(found):
    return found["error"]["errors"][0]["reason"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"maxResult": "5"}, "badRequest"),  # a parameter that is not one
        ({"projection": "full"}, "invalidParameter"),  # upper case for devices
        ({"orderBy": "model"}, "invalidParameter"),
        ({"maxResults": "0"}, "invalidParameter"),
        ({"maxResults": "301"}, "invalidParameter"),
        ({"maxResults": "ten"}, "invalidParameter"),
        ({"pageToken": ""}, "invalid"),
        ({"pageToken": "0"}, "invalid"),
        ({"pageToken": "abc"}, "invalidInput"),
        ({"includeChildOrgunits": "true"}, "invalid"),
        ({"includeChildOrgunits": "yes"}, "invalidParameter"),
        ({"orgUnitPath": "/Nowhere"}, "invalidInput"),
        ({"sortOrder": "ASCENDING"}, "invalid"),
        ({"query": "ou:/Students"}, "invalidInput"),  # there is no such operator
        ({"query": "status:broken"}, "invalidInput"),
        ({"query": "id:5C"}, "invalidInput"),
        ({"query": "just words"}, "invalidInput"),
        ({"fields": "chromeosdevices(nothing)"}, "invalidParameter"),
        ({"fields": "chromeosdevices("}, "invalidParameter"),
    ],
)
def test_what_google_refuses_is_refused(directory, params, expected):
    status, found = ask(directory, CHROME, **params)
    assert (status, reason(found)) == (400, expected)
    assert found["error"]["code"] == 400
    assert found["error"]["message"] == found["error"]["errors"][0]["message"]


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/admin/directory/v1/nothing", {}, 404),
        ("/admin/directory/v1/customer/C0other/orgunits", {}, 404),
        (f"{CHROME}/nothing", {}, 404),
        (f"{BASE}/orgunits/Nowhere", {}, 404),
        ("/admin/directory/v1/users/nobody", {}, 404),
        ("/admin/directory/v1/users", {}, 400),
        ("/admin/directory/v1/users", {"customer": "my_customer", "domain": "x"}, 400),
        ("/admin/directory/v1/users", {"domain": "other.example"}, 404),
        ("/admin/directory/v1/users", {"customer": "my_customer", "maxResults": "501"}, 400),
        ("/admin/directory/v1/users", {"customer": "my_customer", "query": "name:x"}, 400),
    ],
)
def test_what_is_not_there(directory, path, params, status):
    assert ask(directory, path, **params)[0] == status


def test_the_default_page_is_a_hundred_devices_in_the_basic_projection(directory):
    _, page = ask(directory, CHROME)
    assert len(page["chromeosdevices"]) == 100
    assert "model" not in page["chromeosdevices"][0]


def test_a_mask_without_the_token_ends_the_listing_as_at_google(directory):
    _, page = ask(directory, CHROME, fields="chromeosdevices(deviceId)", maxResults="10")
    assert list(page) == ["chromeosdevices"]
    assert list(page["chromeosdevices"][0]) == ["deviceId"]


def test_a_token_is_bound_to_every_parameter(directory):
    params = {"maxResults": "10", "projection": "FULL", "orgUnitPath": "/Loaners"}
    token = ask(directory, CHROME, **params)[1]["nextPageToken"]
    assert ask(directory, CHROME, **params, pageToken=token)[0] == 200
    for change in ({"maxResults": "20"}, {"projection": "BASIC"}, {"orgUnitPath": "/"}):
        status, found = ask(directory, CHROME, **{**params, **change}, pageToken=token)
        assert (status, reason(found)) == (400, "invalidInput")
    assert ask(directory, CHROME, **params, pageToken=token[:-2] + "AA")[0] == 400
    assert ask(directory, CHROME, **params, pageToken=token, prettyPrint="false")[0] == 200


def test_an_empty_answer_has_no_list(directory):
    _, page = ask(directory, CHROME, query="asset_id:nothing-like-it")
    assert "chromeosdevices" not in page
    assert ask(Directory(Fleet.of()), f"{BASE}/orgunits")[1].keys() == {"kind", "etag"}


def test_ordering_gives_each_device_once(directory):
    seen, token = [], {}
    while True:
        _, page = ask(directory, CHROME, orderBy="serialNumber", sortOrder="DESCENDING", **token)
        seen += [device["serialNumber"] for device in page["chromeosdevices"]]
        if "nextPageToken" not in page:
            break
        token = {"pageToken": page["nextPageToken"]}
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 700


@pytest.mark.parametrize(
    ("query", "test"),
    [
        ("status:deprovisioned", lambda d: d["status"] == "DEPROVISIONED"),
        ("status:provisioned", lambda d: d["status"] in {"ACTIVE", "DELINQUENT"}),
        ("asset_id:LHS-0001", lambda d: "LHS-0001" in d["annotatedAssetId"]),
        ('public_model_name:"Chromebook 11"', lambda d: "Chromebook 11" in d["model"]),
        ("sync:..2026-11-10", lambda d: d.get("lastSync", "9")[:10] <= "2026-11-10"),
        ("sync:2026-11-20..", lambda d: d.get("lastSync", "0")[:10] >= "2026-11-20"),
        (
            "register:2025-01-01..2025-06-30 status:provisioned",
            lambda d: (
                "2025-01-01" <= d.get("lastEnrollmentTime", "0")[:10] <= "2025-06-30"
                and d["status"] in {"ACTIVE", "DELINQUENT"}
            ),
        ),
    ],
)
def test_queries(directory, query, test):
    devices = [directory.fleet.device(index) for index in range(700)]
    expected = [d["deviceId"] for d in devices if test(d)]
    assert 0 < len(expected) < 700
    assert [d["deviceId"] for d in devices if matcher(query)(d)] == expected
    assert ask(directory, f"{CHROME}:countChromeOsDevices", filter=query)[1] == {
        "count": str(len(expected))
    }


def test_counts_and_org_units_agree(directory):
    count = f"{CHROME}:countChromeOsDevices"
    _, units = ask(directory, f"{BASE}/orgunits", type="allIncludingParent")
    own = [
        int(
            ask(directory, count, orgUnitPath=u["orgUnitId"], includeChildOrgunits="false")[1][
                "count"
            ]
        )
        for u in units["organizationUnits"]
    ]
    assert sum(own) == 700 == int(ask(directory, count)[1]["count"])
    assert ask(directory, count, orgUnitPath="/STUDENTS")[0] == 200  # letter case is nothing


def test_org_units_by_type(directory):
    def paths(**params):
        return [
            u["orgUnitPath"]
            for u in ask(directory, f"{BASE}/orgunits", **params)[1]["organizationUnits"]
        ]

    everything = paths(type="allIncludingParent")
    assert everything[0] == "/"
    assert paths(type="all") == everything[1:]  # the root is not among all
    assert set(paths()) == {p for p in everything if p != "/" and p.count("/") == 1}
    assert all(p.startswith("/Students/LHS/") for p in paths(orgUnitPath="/Students/LHS"))
    one = ask(directory, f"{BASE}/orgunits/Students/LHS/Grade%2009")[1]
    assert one["name"] == "Grade 09"
    assert ask(directory, f"{BASE}/orgunits/{one['orgUnitId']}")[1] == one


def test_devices_spell_an_org_units_id_without_its_prefix(directory):
    device = directory.fleet.device(0)
    unit = directory.fleet.unit(device["orgUnitId"])
    assert unit["orgUnitId"] == f"id:{device['orgUnitId']}"


def test_moving_is_all_or_nothing():
    directory = Directory(Fleet(devices=100))
    ids = [directory.fleet.device(index)["deviceId"] for index in range(3)]
    move = f"{CHROME}/moveDevicesToOu"
    assert ask(directory, move, "POST", {"deviceIds": [*ids, "x"]}, orgUnitPath="/Kiosks")[0] == 404
    assert directory.fleet.device(0)["orgUnitPath"] != "/Kiosks"
    assert ask(directory, move, "POST", {"deviceIds": ids}, orgUnitPath="/Kiosks") == (204, None)
    assert {directory.fleet.device(i)["orgUnitPath"] for i in range(3)} == {"/Kiosks"}
    assert ask(directory, move, "POST", {"deviceIds": ids * 20}, orgUnitPath="/Kiosks")[0] == 400
    assert ask(directory, move, "POST", {"deviceIds": ids})[0] == 400
    assert ask(directory, move, "POST", {}, orgUnitPath="/Kiosks")[0] == 400


@pytest.mark.parametrize("verb", ["PATCH", "PUT"])
def test_annotated_fields_are_written_and_others_are_not(verb):
    directory = Directory(Fleet(devices=10))
    path = f"{CHROME}/{directory.fleet.device(0)['deviceId']}"
    before = directory.fleet.device(0)
    body = {
        "annotatedAssetId": "NEW-1",
        "notes": "",
        "serialNumber": "forged",
        "orgUnitPath": "/Kiosks",
    }
    status, after = ask(directory, path, verb, body, projection="FULL")
    assert status == 200
    assert (after["annotatedAssetId"], after["notes"], after["orgUnitPath"]) == (
        "NEW-1",
        "",
        "/Kiosks",
    )
    assert after["serialNumber"] == before["serialNumber"]
    assert after["annotatedUser"] == before["annotatedUser"]  # what is absent stays
    assert ask(directory, path, verb, {"nothing": 1})[0] == 400


def test_a_write_shows_in_the_next_listing():
    directory = Directory(Fleet(devices=5))
    assert "NEW" not in json.dumps(ask(directory, CHROME, projection="FULL"))
    directory.fleet.change(2, annotatedAssetId="NEW")
    assert "NEW" in json.dumps(ask(directory, CHROME, projection="FULL"))


def test_the_same_seed_is_the_same_fleet():
    one, two, other = Fleet(devices=50), Fleet(devices=50), Fleet(devices=50, seed=8)
    assert [one.device(i) for i in range(50)] == [two.device(i) for i in range(50)]
    assert one.device(0) != other.device(0)
    assert one.user(3) == two.user(3)
    ids = [one.device(i)["deviceId"] for i in range(50)]
    assert len(set(ids)) == 50
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", i)
        for i in ids
    )


def test_given_records_are_served_as_they_are():
    fleet = Fleet.of(
        devices=[{"deviceId": "a", "orgUnitPath": "/X/Y", "serialNumber": None}],
        users=[{"id": "1", "primaryEmail": "a@lincoln.example"}],
        org_units=[
            {
                "orgUnitId": "id:u1",
                "orgUnitPath": "/X",
                "name": "X",
                "parentOrgUnitPath": "/",
                "parentOrgUnitId": "id:root",
            }
        ],
    )
    directory = Directory(fleet)
    assert (
        ask(directory, CHROME, projection="FULL")[1]["chromeosdevices"][0]["serialNumber"] is None
    )
    paths = {u["orgUnitPath"]: u["orgUnitId"] for u in fleet.org_units}
    assert paths["/"] == "id:root"
    assert set(paths) == {"/", "/X", "/X/Y"}
    assert fleet.user(0)["id"] == "1"


@pytest.mark.parametrize(
    ("text", "value", "wanted"),
    [
        ("a", {"a": 1, "b": 2}, {"a": 1}),
        ("a,b", {"a": 1, "b": 2}, {"a": 1, "b": 2}),
        ("*", {"a": 1}, {"a": 1}),
        ("a(b)", {"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}),
        ("a/b", {"a": [{"b": 1, "c": 2}]}, {"a": [{"b": 1}]}),
        ("a(b/c,d)", {"a": {"b": {"c": 1, "x": 2}, "d": 3}}, {"a": {"b": {"c": 1}, "d": 3}}),
        ("a/b,a/c", {"a": {"b": 1, "c": 2, "d": 3}}, {"a": {"b": 1, "c": 2}}),
        ("a(*)", {"a": {"b": 1}}, {"a": {"b": 1}}),
        ("a(b)", {"a": 3}, {"a": 3}),
    ],
)
def test_masks(text, value, wanted):
    assert masks.apply(value, masks.parse(text)) == wanted


@pytest.mark.parametrize("text", ["", ",", "a,", "a(", "a()", "a)", "a(b", "a//b", "a b"])
def test_masks_that_are_none(text):
    with pytest.raises(Refused):
        masks.parse(text)


def test_page_tokens_are_opaque_and_cannot_be_made_up():
    token = PageToken(listing="x", after=3, page=1, begun=12.0)
    assert PageToken.read(token.text()) == token
    for text in ("", "a", "AAAA", token.text()[1:], "é"):
        assert PageToken.read(text) is None


def test_the_key_signs_as_the_cryptography_library_does():
    hazmat = pytest.importorskip(
        "cryptography.hazmat.primitives.serialization", reason="extra apple"
    )
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    key = make_key()
    theirs = hazmat.load_pem_private_key(key.pem().encode(), None)
    signature = theirs.sign(b"claim", padding.PKCS1v15(), hashes.SHA256())
    assert signature == key.sign(b"claim")
    assert key.verifies(b"claim", signature)
    assert not key.verifies(b"other", signature)
    assert not key.verifies(b"claim", signature[:-1])


# --- over HTTP -----------------------------------------------------------------------------


def test_it_packs_only_for_clients_that_name_gzip_twice(start):
    fake = start(100)
    url = f"{fake.url}{CHROME}?projection=FULL"

    def get(**headers):
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.headers.get("Content-Encoding"), answer.read()

    plain = get(**{"User-Agent": "x"})
    assert plain[0] is None
    assert get(**{"Accept-Encoding": "gzip", "User-Agent": "x"})[0] is None
    packing, body = get(**{"Accept-Encoding": "gzip", "User-Agent": "x (gzip)"})
    assert packing == "gzip"
    assert gzip.decompress(body) == plain[1]


def test_it_keeps_connections_open(start):
    fake = start(5)
    connection = HTTPConnection(fake.url.removeprefix("http://"), timeout=5)
    for _ in range(3):
        connection.request("GET", f"{CHROME}:countChromeOsDevices")
        assert json.load(connection.getresponse())["count"] == "5"
    connection.close()


def test_errors_over_http_are_googles_envelope(start):
    fake = start(5)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{fake.url}{CHROME}?projection=WRONG")
    assert caught.value.code == 400
    assert reason(json.load(caught.value)) == "invalidParameter"
    caught.value.close()


def test_it_closes_and_can_be_asked_for_its_address_only_while_it_runs():
    fake = FakeGoogle(devices=1)
    with pytest.raises(InvalidValue):
        _ = fake.url
    with fake:
        assert fake.url.startswith("http://127.0.0.1:")
    with pytest.raises(InvalidValue):
        _ = fake.url
    fake.close()


def test_an_unknown_fault_is_refused_with_the_known_ones():
    with pytest.raises(InvalidValue) as caught:
        FakeGoogle(faults=["gremlins"])
    assert "quota" in caught.value.hint


def test_as_a_program_it_prints_its_address_and_runs_until_killed():
    command = [
        sys.executable,
        "-m",
        "assetflow.testing.google",
        "--port",
        "0",
        "--devices",
        "12",
        "--fault",
        "page-size-200",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
            with urllib.request.urlopen(f"{url}{CHROME}:countChromeOsDevices") as answer:
                assert json.load(answer)["count"] == "12"
            assert process.poll() is None
        finally:
            process.kill()


def test_the_fake_imports_no_test_tool():
    code = (
        "import sys, assetflow.testing.google.__main__\n"
        "print(sorted({'pytest', 'hypothesis', '_pytest', 'httpx', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_body_that_is_no_json_object_is_a_parse_error(directory):
    for body in (b"{", b"[]", b'"x"'):
        asked = Asked(
            method="POST", path=f"{CHROME}/moveDevicesToOu", params={"orgUnitPath": "/"}, body=body
        )
        answer = directory.handle(asked, lambda _method: None)
        assert (answer.status, reason(json.loads(answer.body))) == (400, "parseError")


@pytest.mark.parametrize("query", ["sync:soon", "sync:2026-13", "register:..x"])
def test_dates_in_queries_are_dates(query):
    with pytest.raises(Refused):
        matcher(query)


def test_queries_by_person_and_by_address(directory):
    device = directory.fleet.device(3)
    email, mac = device["recentUsers"][0]["email"], device["macAddress"]
    assert matcher(f"recent_user:{email.upper()}")(device)
    assert not matcher("recent_user:nobody@lincoln.example")(device)
    assert matcher(f"wifi_mac:{mac}")(device)
    assert not matcher("wifi_mac:a4bb6d")(device)  # exact, not partial


def test_warming_encodes_every_device_for_the_connectors_own_listing():
    fake = FakeGoogle(devices=40)
    fake.warm()
    assert [len(kept) for kept in fake.fleet._encoded.values()] == [40]


def test_a_fault_of_the_fakes_own_is_told_and_ends_nothing(start):
    fake = start(5)
    good = fake.answer

    def broken(asked):
        message = "not Google's fault"
        raise RuntimeError(message)

    fake.answer = broken
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(fake.url)
    assert caught.value.code == 500
    assert b"not Google" in caught.value.read()
    caught.value.close()
    fake.answer = good
    with urllib.request.urlopen(f"{fake.url}{CHROME}:countChromeOsDevices") as answer:
        assert json.load(answer)["count"] == "5"
