"""The official client and Google's own schema as judges of the fake, and through it of us.

Needs the group `oracles`; nothing here leaves this machine.
"""

import importlib.resources
import json

import pytest

from assetflow.connectors.google.mapping import DeviceMapper
from assetflow.connectors.google.payloads import DEVICES
from assetflow.testing.google import contract

pytestmark = pytest.mark.oracle

WHY = "google-api-python-client and jsonschema: group oracles"


@pytest.fixture(scope="session")
def document():
    """The discovery document, from inside the official client's wheel."""
    pytest.importorskip("googleapiclient", reason=WHY)
    cache = importlib.resources.files("googleapiclient.discovery_cache.documents")
    return json.loads((cache / "admin.directory_v1.json").read_text(encoding="utf-8"))


@pytest.fixture
def official():
    """The official client on a fake server."""
    discovery = pytest.importorskip("googleapiclient.discovery", reason=WHY)
    from google.auth.credentials import AnonymousCredentials

    made = []

    def connect(fake):
        service = discovery.build(
            "admin",
            "directory_v1",
            credentials=AnonymousCredentials(),
            static_discovery=True,
            cache_discovery=False,
            client_options={"api_endpoint": fake.url},
        )
        made.append(service)
        return service

    yield connect
    for service in made:
        service.close()


def every(resource, **params):
    request, found = resource.list(**params), []
    while request is not None:
        answer = request.execute()
        found.append(answer)
        request = resource.list_next(request, answer)
    return found


# --- the same devices ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        {"maxResults": 300, "projection": "FULL"},
        {
            "maxResults": 7,
            "projection": "FULL",
            "orgUnitPath": "/Students/LHS",
            "includeChildOrgunits": True,
        },
        {"query": "status:deprovisioned", "projection": "FULL"},
        {"orgUnitPath": "/Loaners/A&B + 10%", "projection": "FULL"},
    ],
)
def test_both_clients_see_the_same_devices(fake, google, official, params):
    pages = every(official(fake).chromeosdevices(), customerId="my_customer", **params)
    theirs = [device for page in pages for device in page.get("chromeosdevices", [])]
    ours = google.chromebooks(
        org_unit=params.get("orgUnitPath"),
        below=params.get("includeChildOrgunits", False),
        query=params.get("query"),
    )
    body = json.dumps({"chromeosdevices": theirs}).encode()
    assert theirs
    assert list(ours) == DeviceMapper().observe_all(DEVICES.decode(body).exact)


def test_both_clients_see_the_same_people_org_units_and_counts(fake, google, official):
    service = official(fake)
    users = [
        u
        for p in every(service.users(), customer="my_customer", projection="full", maxResults=50)
        for u in p["users"]
    ]
    assert [u["id"] for u in users] == [one.source_id for one in google.users()]
    assert [u["primaryEmail"] for u in users] == [one.email for one in google.users()]
    units = service.orgunits().list(customerId="my_customer", type="allIncludingParent").execute()
    assert [u["orgUnitPath"] for u in units["organizationUnits"]] == [
        u.path for u in google.org_units()
    ]
    counter = service.customer().devices().chromeos()
    for params in (
        {},
        {"orgUnitPath": "/Students", "includeChildOrgunits": True},
        {"filter": "status:disabled"},
    ):
        count = counter.countChromeOsDevices(customerId="my_customer", **params).execute()["count"]
        assert int(count) == google.count(
            org_unit=params.get("orgUnitPath"), query=params.get("filter")
        )


def test_what_the_official_client_writes_we_read(fake, google, official):
    service = official(fake).chromeosdevices()
    before = next(iter(google.chromebooks(org_unit="/Loaners")))
    moved = service.moveDevicesToOu(
        customerId="my_customer", orgUnitPath="/Kiosks", body={"deviceIds": [before.source_id]}
    ).execute()
    assert moved == ""
    service.patch(
        customerId="my_customer", deviceId=before.source_id, body={"annotatedAssetId": "NEW-1"}
    ).execute()
    after = google.get_chromebook(before.source_id)
    assert (after.org_unit_path, after.asset_tag) == ("/Kiosks", "NEW-1")
    assert after.serial == before.serial


# --- through errors ------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["quota", "unavailable"])
def test_the_official_client_gets_through_what_passes(start, official, connect, monkeypatch, fault):
    import googleapiclient.http

    monkeypatch.setattr(googleapiclient.http.time, "sleep", lambda _seconds: None)
    fake = start(900, faults=[fault])
    resource = official(fake).chromeosdevices()
    request, found = resource.list(customerId="my_customer", maxResults=100, projection="FULL"), []
    while request is not None:
        answer = request.execute(num_retries=6)
        found += [device["deviceId"] for device in answer["chromeosdevices"]]
        request = resource.list_next(request, answer)
    assert found == [one.source_id for one in connect(fake).chromebooks()]


@pytest.mark.parametrize(
    ("ask", "status", "reason"),
    [
        (
            lambda s: s.chromeosdevices().get(customerId="my_customer", deviceId="x"),
            404,
            "resourceNotFound",
        ),
        (lambda s: s.chromeosdevices().list(customerId="C0other"), 404, "notFound"),
        (
            lambda s: s.chromeosdevices().list(customerId="my_customer", query="ou:/x"),
            400,
            "invalidInput",
        ),
        (
            lambda s: s.chromeosdevices().list(customerId="my_customer", orgUnitPath="/x"),
            400,
            "invalidInput",
        ),
        (lambda s: s.orgunits().get(customerId="my_customer", orgUnitPath="x"), 404, "notFound"),
        (lambda s: s.users().get(userKey="x"), 404, "notFound"),
        (lambda s: s.users().list(), 400, "badRequest"),
    ],
)
def test_the_official_client_reads_the_fakes_errors(fake, official, ask, status, reason):
    from googleapiclient.errors import HttpError

    with pytest.raises(HttpError) as caught:
        ask(official(fake)).execute()
    assert caught.value.status_code == status
    assert caught.value.error_details[0]["reason"] == reason


def test_the_page_size_error_reads_as_googles(start, official):
    from googleapiclient.errors import HttpError

    service = official(start(10, faults=["page-size-200"]))
    with pytest.raises(HttpError, match=r"within the range: \[1, 200\]"):
        service.chromeosdevices().list(customerId="my_customer", maxResults=300).execute()


def test_names_that_the_official_client_does_not_know_are_not_in_the_contract(fake, official):
    service = official(fake)
    with pytest.raises(TypeError):
        service.chromeosdevices().list(customerId="my_customer", projection="full")
    with pytest.raises(TypeError):
        service.chromeosdevices().list(customerId="my_customer", nothing=1)


def test_the_official_batch(fake, official):
    service = official(fake)
    ids = [fake.fleet.device(index)["deviceId"] for index in range(5)]
    got, failed = {}, []

    def note(number, answer, error):
        got.update({number: answer} if error is None else {})
        failed.extend([] if error is None else [error])

    batch = service.new_batch_http_request(callback=note)
    # The client takes this address from the document, not from api_endpoint: without this line
    # the batch would go to Google.
    batch._batch_uri = f"{fake.url}/batch"
    for number, device_id in enumerate([*ids, "nothing"]):
        batch.add(
            service.chromeosdevices().get(customerId="my_customer", deviceId=device_id),
            request_id=str(number),
        )
    batch.execute()
    assert [got[str(n)]["deviceId"] for n in range(5)] == ids
    assert [error.status_code for error in failed] == [404]


def test_the_official_credentials_get_a_token_from_the_fake(start):
    service_account = pytest.importorskip("google.oauth2.service_account", reason=WHY)
    from assetflow.connectors.google.adc import Transport

    fake = start(5, anonymous=False)
    theirs = service_account.Credentials.from_service_account_info(
        fake.key_file(),
        scopes=["https://www.googleapis.com/auth/admin.directory.user.readonly"],
        subject=fake.fleet.admin,
    )
    theirs.refresh(Transport())
    assert theirs.valid


# --- Google's schema -----------------------------------------------------------------------


def to_json_schema(node):
    """Discovery's schemas in the words of JSON schema."""
    made = {}
    if "$ref" in node:
        return {"$ref": f"#/$defs/{node['$ref']}"}
    kind = node.get("type")
    if kind == "any" or kind is None:
        return {}
    made["type"] = kind
    if kind == "object":
        if "properties" in node:
            made["properties"] = {k: to_json_schema(v) for k, v in node["properties"].items()}
            made["additionalProperties"] = False
        elif "additionalProperties" in node:
            made["additionalProperties"] = to_json_schema(node["additionalProperties"])
    if kind == "array":
        made["items"] = to_json_schema(node["items"])
    if "enum" in node:
        made["enum"] = node["enum"]
    if node.get("format") in {"int64", "uint64"} and kind == "string":
        made["pattern"] = r"^-?\d{1,19}$"
    if node.get("format") == "date-time":
        made["pattern"] = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"
    return made


@pytest.fixture(scope="session")
def valid(document):
    jsonschema = pytest.importorskip("jsonschema", reason=WHY)
    definitions = {name: to_json_schema(node) for name, node in document["schemas"].items()}

    def check(name, data):
        schema = {"$ref": f"#/$defs/{name}", "$defs": definitions}
        jsonschema.Draft202012Validator(schema).validate(data)

    return check


def test_every_answer_of_the_fake_fits_googles_schema(fake, official, valid):
    service = official(fake)
    for page in every(
        service.chromeosdevices(), customerId="my_customer", projection="FULL", maxResults=200
    ):
        valid("ChromeOsDevices", page)
    for page in every(service.users(), customer="my_customer", projection="full", maxResults=500):
        valid("Users", page)
    valid("OrgUnits", service.orgunits().list(customerId="my_customer", type="all").execute())
    valid(
        "OrgUnit",
        service.orgunits().get(customerId="my_customer", orgUnitPath="Students").execute(),
    )
    counter = service.customer().devices().chromeos()
    valid(
        "CountChromeOsDevicesResponse",
        counter.countChromeOsDevices(customerId="my_customer").execute(),
    )
    one = fake.fleet.device(0)["deviceId"]
    valid(
        "ChromeOsDevice",
        service.chromeosdevices()
        .get(customerId="my_customer", deviceId=one, projection="FULL")
        .execute(),
    )


def test_the_schema_would_notice(valid):
    jsonschema = pytest.importorskip("jsonschema", reason=WHY)
    for wrong in (
        {"systemRamTotal": 5},
        {"nothing": 1},
        {"chromeOsType": "x"},
        {"lastSync": "yesterday"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            valid("ChromeOsDevice", wrong)


def test_the_contract_is_the_documents(document):
    methods = {}

    def walk(resources):
        for resource in resources.values():
            for method in resource.get("methods", {}).values():
                methods[method["id"].removeprefix("directory.").removeprefix("admin.")] = method
            walk(resource.get("resources", {}))

    walk(document["resources"])
    for ours in contract.METHODS:
        theirs = methods[ours.name]
        assert ours.verb == theirs["httpMethod"], ours.name
        query = {n: p for n, p in theirs["parameters"].items() if p["location"] == "query"}
        assert set(ours.params) == set(query), ours.name
        for name, kind in ours.params.items():
            assert_kind(kind, query[name])
        assert set(ours.scopes) == set(theirs["scopes"]), ours.name
    assert set(contract.COMMON) == set(document["parameters"])
    for name, kind in contract.COMMON.items():
        assert_kind(kind, document["parameters"][name])


def assert_kind(kind, theirs):
    if isinstance(kind, tuple):
        assert set(kind) == set(theirs["enum"])
    elif isinstance(kind, contract.Number):
        assert theirs["type"] == "integer"
        assert str(kind.low) == theirs["minimum"]
        assert theirs.get("maximum", str(kind.high)) == str(kind.high)
    else:
        assert theirs["type"] == {"text": "string", "flag": "boolean"}[kind]
        assert "enum" not in theirs


def test_the_names_of_fields_are_the_documents(document):
    for name, ours in (
        ("ChromeOsDevice", contract.DEVICE),
        ("OrgUnit", contract.ORG_UNIT),
        ("User", contract.USER),
    ):
        assert ours == set(document["schemas"][name]["properties"])


def test_calls_of_the_connector_hold_only_what_the_document_has(document, google):
    calls = [
        google._directory.chromebooks(org_unit="/x", query="status:disabled").first,
        google._directory.count(org_unit="/x"),
        google._directory.chromebook("x"),
        google._directory.org_units().first,
    ]
    for call in calls:
        found = contract.find_method(call.method, f"/{call.path}")
        assert found is not None, call
        assert set(dict(call.params)) <= set(found[0].params) | set(contract.COMMON)
