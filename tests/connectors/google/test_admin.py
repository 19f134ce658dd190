"""GoogleAdmin against the fake: what a script and the pull see, sync and async."""

import asyncio
import threading

import pytest

from assetflow.connectors import GoogleAdmin
from assetflow.connectors.spec import Connector, ConnectorCapability
from assetflow.errors import (
    AmbiguousReference,
    CapabilityMissing,
    InvalidValue,
    PayloadError,
    RemoteNotFound,
    WritesDisabled,
)
from assetflow.model import ObservedKind, PersonKind
from assetflow.testing.flows import assert_sound_flows
from assetflow.testing.google import FakeGoogle, Fleet
from assetflow.testing.google.answers import Answer
from assetflow.wire import NoAuth


def gather(records):
    async def run():
        return [one async for one in records]

    return run()


def test_it_is_a_connector(google):
    connector: Connector = google
    assert connector.name == "google"
    assert ConnectorCapability.COUNT_DEVICES in connector.capabilities
    assert not {c for c in connector.capabilities if "write" in c.value}
    assert max(connector.raw_dictionaries) == 1


def test_all_devices_in_the_fleets_order(fake, google):
    seen = list(google.chromebooks())
    assert [one.source_id for one in seen] == [fake.fleet.device(i)["deviceId"] for i in range(700)]
    assert google.count() == 700


def test_a_listing_can_be_looped_over_again_and_starts_afresh(fake, google):
    records = google.chromebooks(org_unit="/Loaners")
    first = [one.source_id for one in records]
    moved = fake.fleet.find(first[0])
    fake.fleet.move([moved], fake.fleet.unit("/Kiosks"))
    assert [one.source_id for one in records] == first[1:]
    with pytest.raises(TypeError):
        len(records)


def test_nothing_is_fetched_before_it_is_needed(fake, google):
    records = google.chromebooks()
    assert not fake.calls
    reader = iter(records)
    next(reader)
    assert len(fake.calls) == 1  # the first page only
    reader.close()


def test_devices_of_an_org_unit_with_and_without_those_below(google):
    above = google.count(org_unit="/Students/LHS", below=False)
    whole = google.count(org_unit="/Students/LHS")
    assert above == 0 < whole
    assert len(list(google.chromebooks(org_unit="/Students/LHS"))) == whole
    assert list(google.chromebooks(org_unit="/Students/LHS", below=False)) == []
    by_id = next(u for u in google.org_units() if u.path == "/Students/LHS").source_id
    assert google.count(org_unit=by_id) == whole
    with pytest.raises(RemoteNotFound):
        google.count(org_unit="/Nowhere")


def test_an_org_unit_with_a_plus_in_its_name_is_found_by_its_id(google):
    odd = next(u for u in google.org_units() if "+" in u.path)
    assert (
        google.count(org_unit=odd.source_id)
        == len(list(google.chromebooks(org_unit=odd.source_id)))
        > 0
    )


def test_a_query_is_googles_own_language(google):
    disabled = list(google.chromebooks(query="status:disabled"))
    assert disabled
    assert {one.status for one in disabled} == {"DISABLED"}
    assert google.count(query="status:disabled") == len(disabled)


def test_raw_records_are_as_google_sends_them(fake, google):
    raws = list(google.chromebooks(org_unit="/Loaners").raw)
    assert raws
    for raw in raws:
        device = fake.fleet.device(fake.fleet.find(raw["deviceId"]))
        assert raw["manufactureDate"] == device["manufactureDate"]  # kept, though not mapped
        assert "activeTimeRanges" not in raw  # the long lists are not asked for


def test_people_and_where_they_belong(fake, google):
    people = list(google.users())
    units = {unit.source_id: unit for unit in google.org_units()}
    assert len(people) == fake.fleet.user_count
    assert all(one.place_source_id in units for one in people)
    for person in people:
        student = units[person.place_source_id].path.startswith("/Students")
        assert person.kind is (PersonKind.STUDENT if student else PersonKind.STAFF)
    suspended = list(google.users(query="isSuspended=true"))
    assert 0 < len(suspended) < len(people)
    assert len(list(google.users(domain=fake.fleet.domain))) == len(people)
    with pytest.raises(RemoteNotFound):
        list(google.users(domain="other.example"))


def test_users_are_listed_without_ids_when_org_units_may_not_be(start, connect, account):
    from assetflow.connectors.google import READ_SCOPES

    fake = start(5, anonymous=False, granted=READ_SCOPES)
    google = connect(fake, account(fake, scopes=[s for s in READ_SCOPES if "orgunit" not in s]))
    people = list(google.users())
    assert people
    assert {one.place_source_id for one in people} == {None}


def test_org_units_are_a_tree_with_one_root(google):
    units = list(google.org_units())
    ids = {unit.source_id for unit in units}
    assert [unit.path for unit in units if unit.parent_source_id is None] == ["/"]
    assert all(u.parent_source_id in ids for u in units if u.parent_source_id)
    assert not any(unit.source_id.startswith("id:") for unit in units)


def test_one_device_by_id_and_by_serial(fake, google):
    wanted = next(one for one in google.chromebooks(org_unit="/Loaners"))
    assert google.get_chromebook(wanted.source_id) == wanted
    assert google.find_chromebook(wanted.serial) == wanted
    assert google.find_chromebook(f" {wanted.serial.lower()} ") == wanted
    assert google.find_chromebook("NOT-THERE") is None
    with pytest.raises(RemoteNotFound):
        google.get_chromebook("nothing")
    with pytest.raises(InvalidValue):
        google.find_chromebook("5C")


def test_a_serial_that_holds_another_one_is_not_that_one(start, connect):
    fleet = Fleet.of(
        devices=[
            {"deviceId": "a", "serialNumber": "ABC1", "orgUnitPath": "/"},
            {"deviceId": "b", "serialNumber": "ABC12", "orgUnitPath": "/"},
            {"deviceId": "c", "serialNumber": "XABC1", "orgUnitPath": "/"},
            {"deviceId": "d", "serialNumber": "DUP1", "orgUnitPath": "/A"},
            {"deviceId": "e", "serialNumber": "DUP1", "orgUnitPath": "/B"},
        ]
    )
    google = connect(start(fleet=fleet))
    assert google.find_chromebook("ABC1").source_id == "a"
    assert google.find_chromebook("BC1") is None
    with pytest.raises(AmbiguousReference) as caught:
        google.find_chromebook("DUP1")
    assert caught.value.candidates == ("d", "e")


def test_the_escape_hatch_reads_anything_and_writes_nothing(fake, google):
    path = f"admin/directory/v1/users/{fake.fleet.admin}"
    assert google.request("GET", path, params={"fields": "isAdmin"}) == {"isAdmin": True}
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        with pytest.raises(WritesDisabled):
            google.request(method, path)
    assert {asked.method for asked in fake.calls} == {"GET"}


# --- sync and async ------------------------------------------------------------------------


def test_async_calls_give_what_sync_calls_give(fake, google):
    async def read():
        async with GoogleAdmin(NoAuth(), base_url=fake.url, reads_per_minute=None) as other:
            serial = next(one for one in google.chromebooks(org_unit="/Loaners")).serial
            devices = await gather(other.achromebooks())
            return {
                "devices": devices,
                "part": await gather(other.achromebooks(org_unit="/Loaners", below=False)),
                "raw": await gather(other.achromebooks(org_unit="/Loaners").raw),
                "people": await gather(other.ausers()),
                "units": await gather(other.aorg_units()),
                "count": await other.acount(query="status:disabled"),
                "found": await other.afind_chromebook(serial),
                "one": await other.aget_chromebook(devices[5].source_id),
                "plain": await other.arequest("GET", "admin/directory/v1/users/it@lincoln.example"),
                "again": [page.items async for page in other.achromebooks().pages()],
                "serial": serial,
            }

    got = asyncio.run(read())
    assert got["devices"] == list(google.chromebooks())
    assert got["part"] == list(google.chromebooks(org_unit="/Loaners", below=False))
    assert got["raw"] == list(google.chromebooks(org_unit="/Loaners").raw)
    assert got["people"] == list(google.users())
    assert got["units"] == list(google.org_units())
    assert got["count"] == google.count(query="status:disabled")
    assert got["found"] == google.find_chromebook(got["serial"])
    assert got["one"] == got["devices"][5]
    assert got["plain"] == google.request("GET", "admin/directory/v1/users/it@lincoln.example")
    assert [len(page) for page in got["again"]] == [300, 300, 100]


# --- plans ---------------------------------------------------------------------------------


def read_plan(google, plan):
    return [one for s in plan.shards for page in google.wire.pages(s.listing) for one in page.items]


def test_the_plan_of_devices_is_an_exact_partition(fake, google):
    plan = google.wire.run(google.plan(ObservedKind.DEVICE))
    assert plan.expected == 700
    assert not plan.complete_without_count
    assert len(plan.shards) == len(fake.fleet.org_units)
    assert len(fake.calls) == 2  # one count, one list of org units
    seen = read_plan(google, plan)
    assert len({one.source_id for one in seen}) == len(seen) == 700
    assert {one.source_id for one in seen} == {one.source_id for one in google.chromebooks()}
    assert google.wire.run(plan.recount()) == 700


def test_the_keys_of_a_plan_are_the_same_at_the_next_run(google):
    keys = [
        [shard.key for shard in google.wire.run(google.plan(ObservedKind.DEVICE)).shards]
        for _ in range(2)
    ]
    assert keys[0] == keys[1]
    assert all(key.startswith("ou:03ph") for key in keys[0])


def test_counting_each_org_unit_leaves_the_empty_ones_out(fake, connect):
    google = connect(fake, count_org_units=True)
    plan = google.wire.run(google.plan(ObservedKind.DEVICE))
    assert 0 < len(plan.shards) < len(fake.fleet.org_units)
    assert sum(shard.expected for shard in plan.shards) == plan.expected == 700
    assert len(read_plan(google, plan)) == 700


def test_a_small_fleet_is_one_listing(start, connect):
    google = connect(start(50))
    plan = google.wire.run(google.plan(ObservedKind.DEVICE))
    assert [(shard.key, shard.expected) for shard in plan.shards] == [("all", 50)]
    assert len(read_plan(google, plan)) == 50


def test_an_empty_customer(start, connect):
    google = connect(start(fleet=Fleet.of()))
    assert google.count() == 0
    assert list(google.chromebooks()) == list(google.users()) == []
    plan = google.wire.run(google.plan(ObservedKind.DEVICE))
    assert read_plan(google, plan) == []
    assert [unit.path for unit in google.org_units()] == ["/"]


def test_without_the_org_units_scope_the_fleet_is_one_listing(start, connect):
    google = connect(start(faults=["missing-scope"]))
    plan = google.wire.run(google.plan(ObservedKind.DEVICE))
    assert [shard.key for shard in plan.shards] == ["all"]
    assert len(read_plan(google, plan)) == plan.expected == 700


def test_plans_of_people_and_org_units(fake, google):
    people = google.wire.run(google.plan(ObservedKind.PERSON))
    units = google.wire.run(google.plan(ObservedKind.ORG_UNIT))
    assert len(read_plan(google, people)) == fake.fleet.user_count
    assert len(read_plan(google, units)) == len(fake.fleet.org_units)
    with pytest.raises(CapabilityMissing):
        google.plan(ObservedKind.PLACE)


def test_a_plan_runs_in_an_event_loop(fake):
    async def read():
        async with GoogleAdmin(NoAuth(), base_url=fake.url, reads_per_minute=None) as google:
            plan = await google.async_wire.run(google.plan(ObservedKind.DEVICE))
            pages = [p for s in plan.shards async for p in google.async_wire.pages(s.listing)]
            return sum(len(page.items) for page in pages)

    assert asyncio.run(read()) == 700


def test_several_threads_read_shards_of_one_connector(google):
    plan = google.wire.run(google.plan(ObservedKind.DEVICE))
    found, lock = [], threading.Lock()

    def work(part):
        for shard in part:
            for page in google.wire.pages(shard.listing):
                with lock:
                    found.extend(one.source_id for one in page.items)

    threads = [threading.Thread(target=work, args=(plan.shards[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(set(found)) == 700


# --- doctor --------------------------------------------------------------------------------


def told(google):
    return [google.wire.run(check()) for check in google.checks()]


def test_doctor_on_a_healthy_account(google):
    checks = told(google)
    assert [check.ok for check in checks] == [True] * 5
    assert "700" in checks[1].found


def test_doctor_names_the_scope_that_is_missing(start, connect):
    checks = told(connect(start(faults=["missing-scope"])))
    assert [check.ok for check in checks] == [True, True, True, False, False]
    assert "admin.directory.orgunit.readonly" in checks[3].found
    assert "Domain-wide delegation" in checks[3].fix


def test_doctor_when_nobody_answers(start, connect):
    fake = start(5)
    google = connect(fake)
    fake.close()
    checks = told(google)
    assert not any(check.ok for check in checks)
    assert "connection" in checks[0].found


def test_doctor_with_a_customer_that_does_not_exist(fake, connect):
    checks = told(connect(fake, customer="C0nobody"))
    assert checks[0].ok
    assert not checks[1].ok
    assert "my_customer" in checks[1].fix


# --- what it is made of --------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"page_size": 0},
        {"page_size": 301},
        {"student_units": "/Students"},
        {"customer": ""},
        {"customer": "a/b"},
        {"reads_per_minute": 1},
        {"base_url": "ftp://x"},
        {"app_id": "new\nline"},
    ],
)
def test_settings_that_cannot_be(options):
    with pytest.raises(InvalidValue):
        _ = GoogleAdmin(NoAuth(), **options).wire


def test_the_callers_own_client_is_used_and_stays_open(fake):
    import httpx

    with httpx.Client() as client:
        with GoogleAdmin(NoAuth(), base_url=fake.url, http_client=client) as google:
            assert google.count() == 700
        assert not client.is_closed


def test_the_application_is_named_and_gzip_asked_for(fake):
    with GoogleAdmin(NoAuth(), base_url=fake.url, app_id="lincoln-portal/2.1") as google:
        list(google.chromebooks(org_unit="/Loaners"))
    agent = fake.calls[-1].headers["user-agent"]
    assert "lincoln-portal/2.1" in agent
    assert "gzip" in agent  # Google packs only for clients that say so here


def test_reads_stay_below_the_quota_of_a_minute():
    from assetflow.connectors.google.admin import _bucket

    bucket = _bucket(2_400)
    assert bucket._burst + 60 * bucket._rate == 2_400


def test_a_page_with_bad_records_is_not_passed_over_in_silence(start, connect):
    fake = start(100, faults=["bad-record"])
    google = connect(fake)
    given = []
    with pytest.raises(PayloadError) as caught:
        given.extend(google.chromebooks())
    given = list(google.chromebooks(on_problem=(problems := []).append))
    assert len(given) == 96  # every good record is given
    assert len(problems) == 4
    assert caught.value.context["count"] == 4
    assert "lastSync" in " ".join(caught.value.problems)

    async def read():
        async with GoogleAdmin(NoAuth(), base_url=fake.url) as other:
            seen = []
            try:
                async for page in other.achromebooks().pages():
                    seen += page.items
                async for _ in other.achromebooks():
                    pass
            except PayloadError as error:
                return seen, error
            return seen, None

    seen, error = asyncio.run(read())
    assert (len(seen), error.context["count"]) == (96, 4)


def test_flows_of_the_connector_are_sound():
    from assetflow.connectors.google import auth, checks, plans

    assert_sound_flows(plans)
    assert_sound_flows(auth)
    assert_sound_flows(checks)


def test_the_fakes_own_example(fake):
    with FakeGoogle(devices=3) as small, GoogleAdmin(NoAuth(), base_url=small.url) as google:
        assert (google.count(), len(list(google.chromebooks()))) == (3, 3)


def test_a_serial_that_many_hold_is_looked_for_on_every_page(start, connect):
    devices = [
        {"deviceId": f"d{n}", "serialNumber": f"SER{n:04d}", "orgUnitPath": "/"} for n in range(700)
    ]
    devices.append({"deviceId": "last", "serialNumber": "SER", "orgUnitPath": "/"})
    google = connect(start(fleet=Fleet.of(devices=devices)))
    assert google.find_chromebook("SER").source_id == "last"


def test_an_answer_that_is_not_json_is_no_data(start, connect):
    fake = start(5)
    google = connect(fake)
    fake.answer = lambda _asked: Answer(status=200, body=b"not json")
    with pytest.raises(PayloadError):
        google.request("GET", "x")
    fake.answer = lambda _asked: Answer(status=200)
    assert google.request("GET", "x") is None
