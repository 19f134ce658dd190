"""Each fault, lived through: what the connector makes of it, and what the pull can tell by."""

import asyncio
import time

import pytest

from assetflow.connectors import GoogleAdmin
from assetflow.errors import (
    DeadlineExceeded,
    ListingExpired,
    PageLoop,
    PayloadError,
    PermissionDenied,
    RateLimited,
    TransientError,
    Unreachable,
)
from assetflow.model import ObservedKind
from assetflow.testing.google import FAULTS, FakeGoogle
from assetflow.wire import Hooks, Limits, NoAuth, RetryPolicy


def ids(records):
    return [one.source_id for one in records]


def whole(fake):
    return [fake.fleet.device(index)["deviceId"] for index in range(len(fake.fleet))]


@pytest.mark.parametrize(
    "fault", ["quota", "unavailable", "page-size-200", "half-character", "odd-types"]
)
def test_what_passes_or_is_odd_costs_no_device(start, connect, fault):
    fake = start(2_500, faults=[fault])
    google = connect(fake)
    assert ids(google.chromebooks()) == whole(fake)
    assert google.count() == 2_500


@pytest.mark.parametrize("fault", ["quota", "unavailable", "page-size-200"])
def test_the_same_in_an_event_loop(start, fault):
    fake = start(900, faults=[fault])

    async def read():
        async with GoogleAdmin(
            NoAuth(), base_url=fake.url, retry=RetryPolicy(max_attempts=6, base=0.005)
        ) as google:
            return [one.source_id async for one in google.achromebooks()]

    assert asyncio.run(read()) == whole(fake)


def test_several_faults_at_once(start, connect, account):
    fake = start(
        1_500, anonymous=False, faults=["quota", "unavailable", "token-expired", "page-size-200"]
    )
    google = connect(fake, account(fake), retry=RetryPolicy(max_attempts=15, base=0.001, cap=0.01))
    plan = google.wire.run(google.plan(ObservedKind.DEVICE))
    seen = [i.source_id for s in plan.shards for p in google.wire.pages(s.listing) for i in p.items]
    assert sorted(seen) == sorted(whole(fake))


def test_a_quota_that_stays_used_up_is_an_error_that_says_so(start, connect):
    fake = start(10, faults=["quota"])
    fake._faults[0].every = 2  # from now on nothing is served
    with pytest.raises(RateLimited) as caught:
        connect(fake).count()
    assert caught.value.recovery.value == "retry"
    assert caught.value.context["attempts"] == 6


def test_the_page_size_falls_back_once_and_stays_there(start, connect):
    fake = start(700, faults=["page-size-200"])
    list(connect(fake).chromebooks())
    sizes = [asked.params["maxResults"] for asked in fake.calls]
    assert sizes == ["300", "200", "200", "200", "200"]


def test_a_page_that_names_itself_ends_the_listing(start, connect):
    google = connect(start(1_000, faults=["page-repeat"]))
    seen = []
    with pytest.raises(PageLoop):
        seen.extend(one.source_id for one in google.chromebooks())
    assert len(set(seen)) == len(seen)


def test_a_listing_cut_short_is_shown_by_the_count(start, connect):
    google = connect(start(1_000, faults=["truncated-listing"]))
    plan = google.wire.run(google.plan(ObservedKind.DEVICE))
    seen = {i.source_id for s in plan.shards for p in google.wire.pages(s.listing) for i in p.items}
    assert plan.expected == 1_000
    assert len(seen) < 1_000
    assert google.wire.run(plan.recount()) == 1_000


def test_a_page_cut_off_in_the_middle_is_an_error_and_no_end(start, connect):
    google = connect(start(1_000, faults=["garbage-page"]))
    reader = iter(google.chromebooks())
    first = [next(reader) for _ in range(300)]
    with pytest.raises(PayloadError) as caught:
        next(reader)
    assert len(first) == 300
    assert caught.value.operation == "list-chromebooks"


def test_a_content_filter_in_between(start, connect):
    google = connect(start(1_000, faults=["html-proxy"]))
    with pytest.raises(PayloadError) as caught:
        list(google.chromebooks())
    assert "filter" in caught.value.hint


def test_a_listing_that_expired_says_so_and_can_be_begun_again(start, connect):
    google = connect(start(1_000, faults=["expired-listing"]))
    with pytest.raises(ListingExpired) as caught:
        list(google.chromebooks())
    assert caught.value.recovery.value == "retry"
    assert len(list(google.chromebooks())) == 1_000


def test_a_listing_older_than_google_allows_is_not_continued(start, connect):
    fake = start(1_000, listing_life=0.2)
    google = connect(fake)
    pages = google.chromebooks().pages()
    next(pages)
    time.sleep(0.3)
    with pytest.raises(ListingExpired):
        next(pages)


def test_the_age_of_a_listing_is_looked_at_before_google_does(fake):
    now = [0.0]
    from assetflow.connectors.google.calls import Directory
    from assetflow.connectors.google.classify import classify
    from assetflow.connectors.google.mapping import DeviceMapper
    from assetflow.wire import Wire

    listing = Directory("my_customer", DeviceMapper()).chromebooks()
    with Wire(
        fake.url, connector="google", tokens=NoAuth(), classify=classify, clock=lambda: now[0]
    ) as wire:
        pages = wire.pages(listing)
        next(pages)
        now[0] = 55 * 60 + 1
        with pytest.raises(ListingExpired):
            next(pages)
    assert len(fake.calls) == 1


def test_a_token_that_google_refuses_for_a_moment(start):
    fake = start(900, faults=["token-glitch"])
    waits = []
    with GoogleAdmin(NoAuth(), base_url=fake.url, reads_per_minute=None) as google:
        # the pause is Google's five seconds: it is looked at, not waited out
        google._wire = google.wire.with_options(
            hooks=Hooks(on_retry=lambda e: waits.append(e.wait))
        )
        google._wire._sleep = lambda seconds: None
        assert len(list(google.chromebooks())) == 900
    assert waits == [5.0, 5.0]


def test_a_device_seen_twice_has_one_id(start, connect):
    google = connect(start(1_000, faults=["duplicate-device"]))
    seen = ids(google.chromebooks())
    assert len(seen) == 1_003
    assert len(set(seen)) == 1_000


def test_a_device_that_moves_while_the_shards_are_read(start, connect):
    google = connect(start(1_000, faults=["moved-device"]))
    plan = google.wire.run(google.plan(ObservedKind.DEVICE))
    seen = [i.source_id for s in plan.shards for p in google.wire.pages(s.listing) for i in p.items]
    assert len(seen) == 1_001
    assert len(set(seen)) == plan.expected == google.wire.run(plan.recount()) == 1_000


def test_bad_records_are_problems_with_their_ids(start, connect):
    fake = start(100, faults=["bad-record"])
    google = connect(fake)
    (page,) = google.chromebooks().pages()
    assert len(page.items) == 96
    assert [p.record is not None for p in page.problems] == [True, False, False, True]
    assert len(page.raws()) == 96


def test_no_serial_is_none_and_never_a_word_for_it(start, connect):
    google = connect(start(100, faults=["null-serial"]))
    serials = [one.serial for one in google.chromebooks()]
    assert serials.count(None) == 4
    assert not {"None", "null", "", "0", "System Serial Number"} & set(serials)


def test_odd_types_are_read(start, connect):
    google = connect(start(100, faults=["odd-types"]))
    seen = list(google.chromebooks())
    assert seen[0].asset_tag == "12345667890"
    assert seen[50].recent_user == "one@lincoln.example"


def test_a_missing_scope(start, connect):
    google = connect(start(10, faults=["missing-scope"]))
    with pytest.raises(PermissionDenied, match="orgunit"):
        list(google.org_units())


def test_a_server_that_never_answers_ends_with_the_deadline(start):
    fake = start(10, faults=["hang"])
    limits = Limits(deadline=0.6, timeout=5)
    began = time.monotonic()
    with (
        GoogleAdmin(NoAuth(), base_url=fake.url, limits=limits) as google,
        pytest.raises(DeadlineExceeded),
    ):
        list(google.chromebooks())
    assert time.monotonic() - began < 1.6


def test_a_slow_server_is_waited_for(start, connect):
    fake = start(10, latency=0.05)
    began = time.monotonic()
    assert connect(fake).count() == 10
    assert time.monotonic() - began >= 0.05


def test_waiting_for_several_answers_happens_at_the_same_time(start, connect):
    from concurrent.futures import ThreadPoolExecutor

    google = connect(start(10, latency=0.5))
    google.count()
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: google.count(), range(8))) == [10] * 8
    assert time.monotonic() - began < 8 * 0.5, "one after another would take that long"


def test_a_server_that_is_gone(start, connect):
    fake = start(10)
    google = connect(fake, retry=RetryPolicy(max_attempts=2, base=0.001))
    google.count()
    fake.close()
    with pytest.raises((Unreachable, TransientError)):
        google.count()


def test_slow_takes_two_seconds_an_answer():
    assert FakeGoogle(devices=1, faults=["slow"]).latency == 2.0


def test_every_fault_is_looked_at_here():
    import pathlib

    text = "".join(
        path.read_text(encoding="utf-8") for path in pathlib.Path(__file__).parent.glob("test_*.py")
    )
    assert [name for name in FAULTS if f'"{name}"' not in text] == []
