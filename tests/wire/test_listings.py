"""Walking through a listing: in order, resumable, never in circles, never too late."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.errors import AuthError, InvalidValue, ListingExpired, PageLoop, RemoteRejected
from assetflow.wire import Call, Listing, Page, Verdict, classify_http


def numbered(server, tools, following):
    """A listing whose page *p* has two numbers and names ``following[p]``."""

    def page(request):
        token = request.target.partition("page=")[2] or "0"
        body = {"items": [int(token) * 2, int(token) * 2 + 1], "next": following.get(token)}
        return tools.packed(json.dumps(body).encode())

    server.on("/x", page)
    return Listing(first=tools.get(), parse=tools.parse_numbers)


def test_pages_come_in_order_and_again(rig, server, tools):
    listing = numbered(server, tools, {"0": "1", "1": "2"})
    wire = rig.wire(server.url)
    assert rig.each(wire, listing) == [0, 1, 2, 3, 4, 5]
    assert rig.each(wire, listing) == [0, 1, 2, 3, 4, 5]
    assert [p.following is None for p in rig.pages(wire, listing)] == [False, False, True]


def test_nothing_is_fetched_ahead(server, tools):
    from assetflow.wire import NoAuth, Wire

    listing = numbered(server, tools, {"0": "1", "1": "2"})
    with Wire(server.url, connector="demo", tokens=NoAuth()) as wire:
        pages = wire.pages(listing)
        assert server.count("/x") == 0
        next(pages)
        assert server.count("/x") == 1


def test_a_walk_goes_on_from_a_checkpoint(rig, server, tools):
    listing = numbered(server, tools, {"0": "1", "1": "2"})
    wire = rig.wire(server.url)
    stored = json.dumps(rig.pages(wire, listing)[0].following.as_dict())
    start = Call.from_dict(json.loads(stored))
    assert [p.items for p in rig.pages(wire, listing, start)] == [[2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("following", "pages"),
    [
        ({"0": "0"}, 2),  # "page=0" is not the first call, so it is seen one page later
        ({"0": "1", "1": "1"}, 2),
        ({"0": "1", "1": "2", "2": "3", "3": "1"}, 4),
        ({"0": "1", "1": "2", "2": "0"}, 4),
    ],
    ids=["itself", "later-itself", "a-circle", "back-to-the-start"],
)
def test_a_listing_that_goes_in_circles_is_stopped(rig, server, tools, following, pages):
    listing = numbered(server, tools, following)
    with pytest.raises(PageLoop) as caught:
        rig.pages(rig.wire(server.url), listing)
    assert server.count("/x") == caught.value.context["pages"] == pages
    assert (caught.value.connector, caught.value.operation) == ("demo", "get-x")


def test_the_page_that_closes_a_circle_is_not_handed_out(server, tools):
    from assetflow.wire import NoAuth, Wire

    listing = numbered(server, tools, {"0": "1", "1": "1"})
    with Wire(server.url, connector="demo", tokens=NoAuth()) as wire:
        walk = wire.pages(listing)
        assert next(walk).items == [0, 1]
        with pytest.raises(PageLoop):
            next(walk)


def test_a_listing_by_post_is_guarded_too(rig, server, tools):
    server.on("/x", tools.answer(200, b"{}"))
    call = tools.post()
    listing = Listing(first=call, parse=lambda c, _b: Page(items=[1], following=c))
    with pytest.raises(PageLoop):
        rig.pages(rig.wire(server.url), listing)
    assert server.count("/x") == 1


def test_a_listing_that_is_too_old_is_not_asked(rig, server, tools):
    now = [100.0]
    first = numbered(server, tools, {"0": "1", "1": "2", "2": "3"})

    def parse(call, body):
        now[0] += 20
        return tools.parse_numbers(call, body)

    listing = Listing(first=first.first, parse=parse, max_age=50.0)
    wire = rig.wire(server.url, clock=lambda: now[0])
    with pytest.raises(ListingExpired) as caught:
        rig.pages(wire, listing)
    assert server.count("/x") == 3  # at 0, 20 and 40 seconds
    assert caught.value.context["pages"] == 3
    assert caught.value.connector == "demo"
    # From a checkpoint, it is as old as the caller says.
    with pytest.raises(ListingExpired):
        rig.pages(wire, listing, first.first, age=50.0)
    assert server.count("/x") == 3


def test_the_call_that_was_made_is_the_one_that_goes_on(rig, server, tools):
    """An amended page size holds for the pages after it."""

    def page(request):
        if "size=300" in request.target:
            return tools.answer(400)
        token = request.target.partition("page=")[2] or "0"
        body = {"items": [1], "next": None if token == "2" else str(int(token) + 1)}
        return tools.answer(200, json.dumps(body).encode())

    def classify(call, reply, attempt):
        if reply.status == 400:
            return Verdict(error=RemoteRejected("size"), amend=call.with_params(size="200"))
        return classify_http(call, reply, attempt)

    server.on("/x", page)
    listing = Listing(first=tools.get(params=(("size", "300"),)), parse=tools.parse_numbers)
    assert rig.each(rig.wire(server.url, classify=classify), listing) == [1, 1, 1]
    assert [r.target for r in server.requests] == [
        "/x?size=300",
        "/x?size=200",
        "/x?size=200&page=1",
        "/x?size=200&page=2",
    ]


def test_an_error_on_a_later_page_does_not_take_over_the_first_ones_id(rig, server, tools):
    body = json.dumps({"items": [1], "next": "1"}).encode()
    server.on("/x", tools.answer(200, body, [("X-Request-Id", "one")]), tools.answer(401))
    listing = Listing(first=tools.get(), parse=tools.parse_numbers)
    with pytest.raises(AuthError) as caught:
        rig.pages(rig.wire(server.url), listing)
    assert (caught.value.status, caught.value.request_id) == (401, None)


def test_eight_threads_share_one_driver(server, tools):
    from assetflow.wire import NoAuth, TokenBucket, Wire

    barrier = threading.Barrier(8)
    for shard in range(8):

        def page(request, shard=shard):
            token = request.target.partition("page=")[2] or "0"
            following = str(int(token) + 1) if int(token) < 9 else None
            body = {"items": [f"{shard}-{token}"], "next": following}
            return tools.packed(json.dumps(body).encode())

        server.on(f"/s{shard}", page)
    buckets = {"read": TokenBucket(10_000, 100)}
    with Wire(server.url, connector="demo", tokens=NoAuth(), buckets=buckets) as wire:

        def walk(shard):
            barrier.wait(10)
            listing = Listing(first=tools.get(f"/s{shard}"), parse=tools.parse_numbers)
            return list(wire.each(listing))

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(walk, range(8)))
    assert found == [[f"{s}-{t}" for t in range(10)] for s in range(8)]
    assert server.connections <= 10


# --- the values --------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
NAMES = st.sampled_from(["Accept", "Prefer", "X-Tenant", "Content-Language"])


@given(
    method=st.sampled_from(["GET", "POST", "PUT"]),
    path=TEXT,
    params=st.lists(st.tuples(TEXT, TEXT), max_size=4).map(tuple),
    headers=st.lists(st.tuples(NAMES, TEXT), max_size=2).map(tuple),
    idempotent=st.booleans(),
)
def test_a_stored_call_comes_back_equal(method, path, params, headers, idempotent):
    call = Call(
        method=method,
        path=path,
        operation="get-x",
        params=params,
        headers=headers,
        idempotent=idempotent,
        bucket="b",
    )
    again = Call.from_dict(json.loads(json.dumps(call.as_dict())))
    assert again == call
    assert hash(again) == hash(call)


def test_a_call_with_a_body_or_credentials_is_not_stored(tools):
    with pytest.raises(InvalidValue, match="body"):
        tools.post().as_dict()
    with pytest.raises(InvalidValue, match="credentials"):
        tools.get(headers=(("X-API-Key", "k"),)).as_dict()


def test_params_are_set_replaced_and_taken_out(tools):
    call = tools.get(params=(("a", "1"), ("b", "2"), ("a", "3")))
    assert call.with_params(a="9", b=None, c="4").params == (("a", "9"), ("c", "4"))
    assert call.param("a") == "1"
    assert call.param("z") is None


@pytest.mark.parametrize(
    ("method", "idempotent"),
    [("GET", True), ("PUT", True), ("DELETE", True), ("POST", False), ("PATCH", False)],
)
def test_a_call_is_idempotent_by_its_method(method, idempotent):
    assert Call(method=method, path="/", operation="x").idempotent is idempotent


def test_the_loop_guard_does_not_slow_down_a_long_walk(tools):
    from assetflow.wire.traversal import Traversal

    listing = Listing(first=tools.get(), parse=tools.parse_numbers)
    walk = Traversal(listing, None, age=0, clock=time.monotonic)
    for token in range(3000):
        made = walk.upcoming()
        walk.took(made, Page(items=[], following=made.with_params(page=str(token))))
    with pytest.raises(PageLoop):
        walk.took(walk.upcoming(), Page(items=[], following=tools.get(params=(("page", "7"),))))
