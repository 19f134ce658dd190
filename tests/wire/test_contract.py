"""What a hostile or unwell server does, and what either driver makes of it."""

import gzip
import socket
import time
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from assetflow.errors import (
    AuthError,
    BodyTooLarge,
    ConnectorError,
    DeadlineExceeded,
    InvalidValue,
    PayloadError,
    PermissionDenied,
    RateLimited,
    RedirectRefused,
    RemoteNotFound,
    RemoteRejected,
    TransientError,
    Unreachable,
)
from assetflow.wire import Hooks, Limits, RetryPolicy, TokenBucket, Verdict, classify_http


def fails(rig, wire, call, kind):
    with pytest.raises(kind) as caught:
        rig.send(wire, call)
    return caught.value


def test_a_good_answer_arrives_whole(rig, server, tools):
    server.on("/api/x", tools.packed(b'{"a": 1}', **{"X-Request-Id": "r-17"}))
    wire = rig.wire(server.url + "/api", app_id="lincoln-portal/2.1")
    reply = rig.send(wire, tools.get("/x", params=(("q", "a b/ü"), ("empty", ""))))
    assert (reply.status, reply.body, reply.request_id) == (200, b'{"a": 1}', "r-17")
    assert reply.headers["content-encoding"] == "gzip"
    assert 0 < reply.elapsed < 5
    seen = server.requests[0]
    assert seen.target == "/api/x?q=a+b%2F%C3%BC&empty="
    assert seen.headers["accept-encoding"] == "gzip"
    assert seen.headers["accept"] == "application/json"
    assert "lincoln-portal/2.1; gzip)" in seen.headers["user-agent"]
    assert "authorization" not in seen.headers


def test_a_body_is_sent_as_it_is(rig, server, tools):
    server.on("/x", tools.answer(201))
    call = tools.post(content_type="application/json", headers=(("Accept", "text/csv"),))
    assert rig.send(rig.wire(server.url), call).status == 201
    seen = server.requests[0]
    assert (seen.method, seen.body) == ("POST", b"{}")
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["accept"] == "text/csv"


def test_the_next_link_of_a_vendor_is_followed_to_the_letter(rig, server, tools):
    server.on("/v1/d", tools.answer())
    target = "/v1/d?$skiptoken=a'b(c)%3D&x=%24y"
    rig.send(rig.wire(server.url + "/v1"), tools.get(server.url + target))
    assert server.requests[0].target == target


def test_connections_are_used_again(rig, server, tools):
    server.on("/x", tools.answer())
    wire = rig.wire(server.url)
    for _ in range(5):
        rig.send(wire, tools.get())
    assert server.connections == 1


def test_a_byte_order_mark_is_taken_off(rig, server, tools):
    server.on("/x", tools.answer(200, b"\xef\xbb\xbf{}"))
    assert rig.send(rig.wire(server.url), tools.get()).body == b"{}"


def test_an_answer_without_a_body_may_claim_gzip(rig, server, tools):
    server.on("/x", tools.answer(204, b"", [("Content-Encoding", "gzip")], length=False))
    assert rig.send(rig.wire(server.url), tools.get()).body == b""


# --- the quota ---------------------------------------------------------------------------


def test_429_waits_for_the_seconds_that_the_vendor_says(rig, server, tools):
    server.on("/x", tools.answer(429, headers=[("Retry-After", "7")]), tools.answer())
    rig.send(rig.wire(server.url), tools.post())
    assert rig.sleeps == [7.0]


def test_429_waits_until_the_date_that_the_vendor_says(rig, server, tools):
    sent = datetime(2019, 1, 1, tzinfo=UTC)  # the server's clock, years behind ours
    headers = [
        ("Date", format_datetime(sent, usegmt=True)),
        ("Retry-After", format_datetime(sent + timedelta(seconds=9), usegmt=True)),
    ]
    server.on("/x", tools.answer(429, headers=headers), tools.answer())
    rig.send(rig.wire(server.url), tools.get())
    assert rig.sleeps == [9.0]


def test_429_without_a_header_backs_off(rig, server, tools):
    server.on("/x", tools.answer(429), tools.answer(429), tools.answer())
    wire = rig.wire(server.url, random=lambda: 0.5, retry=RetryPolicy(base=2.0))
    rig.send(wire, tools.get())
    assert rig.sleeps == [1.0, 2.0]


def test_429_for_longer_than_there_is_time_fails_at_once(rig, server, tools):
    server.on("/x", tools.answer(429, headers=[("Retry-After", "3600"), ("X-Request-Id", "q1")]))
    error = fails(rig, rig.wire(server.url), tools.get(), RateLimited)
    assert error.retry_after == 3600
    assert (error.connector, error.operation, error.status) == ("demo", "get-x", 429)
    assert error.request_id == error.context["request_id"] == "q1"
    assert error.context["attempts"] == 1
    assert rig.sleeps == []


def test_429_holds_back_everybody_who_shares_the_bucket(rig, server, tools):
    server.on("/x", tools.answer(429, headers=[("Retry-After", "40")]))
    server.on("/y", tools.answer())
    bucket = TokenBucket(100, 100)
    wire = rig.wire(server.url, buckets={"read": bucket}, limits=Limits(deadline=30))
    fails(rig, wire, tools.get(), RateLimited)
    error = fails(rig, wire, tools.get("/y"), RateLimited)
    assert 35 < error.retry_after <= 41
    assert server.count("/y") == 0
    other = wire.with_options(buckets={})
    assert rig.send(other, tools.get("/y")).status == 200


def test_calls_are_paced_by_their_bucket(rig, server, tools):
    server.on("/x", tools.answer())
    wire = rig.wire(server.url, buckets={"read": TokenBucket(10, 2)})
    for _ in range(4):
        rig.send(wire, tools.get())
    assert len(rig.sleeps) == 2  # two at once, then the waits (which were not waited) add up
    assert 0.05 < rig.sleeps[0] <= 0.1 < rig.sleeps[1] <= 0.2


# --- an unwell server --------------------------------------------------------------------


def test_503_is_tried_again_and_then_given_up(rig, server, tools):
    server.on("/x", tools.answer(503, headers=[("X-Goog-Request-Id", "g9")]))
    error = fails(rig, rig.wire(server.url), tools.get(), TransientError)
    assert server.count("/x") == error.context["attempts"] == 5
    assert error.request_id == "g9"
    assert len(rig.sleeps) == 4


def test_503_is_not_tried_again_for_a_call_that_may_have_been_carried_out(rig, server, tools):
    server.on("/x", tools.answer(503))
    fails(rig, rig.wire(server.url), tools.post(), TransientError)
    assert server.count("/x") == 1


def test_a_post_that_is_idempotent_says_so(rig, server, tools):
    server.on("/x", tools.answer(503), tools.answer())
    assert rig.send(rig.wire(server.url), tools.post(idempotent=True)).status == 200


def test_an_answer_that_breaks_off_is_fetched_again(rig, server, tools):
    def broken(_request):
        yield tools.answer(200, b"x" * 100)[:-60]

    server.on("/x", broken, tools.answer(200, b"whole"))
    assert rig.send(rig.wire(server.url), tools.get()).body == b"whole"


def test_a_write_whose_answer_breaks_off_is_not_repeated(rig, server, tools):
    server.on("/x", lambda _r: iter(()))
    error = fails(rig, rig.wire(server.url), tools.post(), Unreachable)
    assert server.count("/x") == 1
    assert error.status is None
    assert error.recovery.value == "retry"


def test_gzip_that_breaks_off_without_a_length_is_noticed(rig, server, tools):
    whole = gzip.compress(b"y" * 10_000)

    def broken(_request):
        yield tools.answer(200, whole[:-12], [("Content-Encoding", "gzip")], length=False)

    server.on("/x", broken, tools.packed(b"whole"))
    assert rig.send(rig.wire(server.url), tools.get()).body == b"whole"


def test_a_server_that_does_not_speak_http(rig, server, tools):
    server.on("/x", lambda _r: iter([b"\x00\xff garbage \r\n\r\n"]))
    fails(rig, rig.wire(server.url, retry=tools.once), tools.get(), Unreachable)


def test_nobody_listens(rig, server, tools):
    wire = rig.wire(f"http://127.0.0.1:{server.port}")
    server.stop()
    error = fails(rig, wire, tools.post(), Unreachable)
    # The call cannot have arrived, so even a write is tried again.
    assert error.context["attempts"] == 5
    assert error.context["cause"] in {"ECONNREFUSED", "ConnectError"}


def test_a_name_that_nobody_knows(rig, tools, monkeypatch):
    def unknown(*_args, **_kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    wire = rig.wire("https://nowhere.invalid")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = fails(rig, wire, tools.post(), Unreachable)
    assert error.context["cause"] == "name-not-found"
    assert error.context["attempts"] == 5


# --- time --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mode", ["hang", "drip-headers", "drip-body", "drip-gzip", "503-for-ever", "slow-token"]
)
def test_any_call_ends_within_its_deadline(rig, server, tools, mode):
    headers = b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(200))
    body = tools.answer(200, b"z" * 500)
    head, _, tail = tools.packed(bytes(range(256)) * 8).partition(b"\r\n\r\n")

    def drip_gzip(request):
        yield head + b"\r\n\r\n"
        yield from server.drip(tail)(request)

    def drip_body(request):
        yield body[:-500]
        yield from server.drip(b"z" * 500)(request)

    answers = {
        "hang": server.hang,
        "drip-headers": server.drip(headers),
        "drip-body": drip_body,
        "drip-gzip": drip_gzip,
        "503-for-ever": tools.answer(503),
        "slow-token": tools.answer(),
    }
    server.on("/x", answers[mode])
    server.on("/token", server.hang)

    class SlowToken:
        def fetch(self):
            yield tools.get("/token")

    options = {"limits": tools.quick}
    if mode == "slow-token":
        options["tokens"] = SlowToken()
    if mode == "503-for-ever":
        options |= {"retry": RetryPolicy(max_attempts=10**9, base=0.0)}
    wire = rig.wire(server.url, **options)
    started = time.monotonic()
    error = fails(rig, wire, tools.get(), ConnectorError)
    took = time.monotonic() - started
    assert took < 0.4 + 1
    expected = (DeadlineExceeded, TransientError) if mode == "503-for-ever" else DeadlineExceeded
    assert isinstance(error, expected)
    assert took > 0.3


def test_the_timeout_of_one_read_is_not_the_deadline(rig, server, tools):
    server.on("/x", server.hang, tools.answer())
    wire = rig.wire(server.url, limits=Limits(timeout=0.2))
    assert rig.send(wire, tools.get()).status == 200
    assert server.count("/x") == 2


def test_the_driver_can_be_used_after_a_deadline(rig, server, tools):
    server.on("/x", server.hang, tools.answer())
    wire = rig.wire(server.url, limits=tools.quick)
    fails(rig, wire, tools.get(), DeadlineExceeded)
    assert rig.send(wire, tools.get()).status == 200


def test_many_hung_calls_do_not_use_up_the_connections(rig, server, tools):
    server.on("/x", server.hang)
    server.on("/y", tools.answer())
    limits = Limits(deadline=0.5, max_connections=3)
    wire = rig.wire(server.url, limits=limits, retry=tools.once)
    outcomes = rig.together(wire, [tools.get()] * 8)
    assert {type(o) for o in outcomes} <= {DeadlineExceeded, Unreachable}
    assert [rig.send(wire, tools.get("/y")).status for _ in range(5)] == [200] * 5


# --- size and shape ----------------------------------------------------------------------


SMALL = Limits(max_wire_bytes=10_000, max_body_bytes=100_000)


def test_a_body_that_announces_too_much_is_not_read(rig, server, tools):
    head = b"HTTP/1.1 200 OK\r\nX-Request-Id: big\r\nContent-Length: 999999999\r\n\r\n"
    server.on("/x", lambda _r: iter([head]))
    error = fails(rig, rig.wire(server.url, limits=SMALL), tools.get(), BodyTooLarge)
    assert error.context["limit"] == 10_000
    assert error.request_id == "big"
    assert server.count("/x") == 1


def test_a_body_without_a_length_is_cut_off(rig, server, tools):
    sent = []

    def endless(_request):
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        while True:
            sent.append(1)
            yield b"x" * 1000

    server.on("/x", endless)
    fails(rig, rig.wire(server.url, limits=SMALL), tools.get(), BodyTooLarge)
    assert server.count("/x") == 1


def test_a_gzip_bomb_is_cut_off(rig, server, tools):
    bomb = gzip.compress(b"\0" * 5_000_000)
    assert len(bomb) < SMALL.max_wire_bytes
    server.on("/x", tools.answer(200, bomb, [("Content-Encoding", "gzip")]))
    error = fails(rig, rig.wire(server.url, limits=SMALL), tools.get(), BodyTooLarge)
    assert "inflates" in error.message
    assert error.status == 200


@pytest.mark.parametrize(
    "encoding", ["gzip, gzip", "br", "deflate", "zstd", "gzip, identity, gzip", "GZIP,br"]
)
def test_an_encoding_that_was_not_asked_for_is_refused(rig, server, tools, encoding):
    body = gzip.compress(gzip.compress(b"{}"))
    server.on("/x", tools.answer(200, body, [("Content-Encoding", encoding)]))
    fails(rig, rig.wire(server.url), tools.get(), PayloadError)
    assert server.count("/x") == 1


def test_two_encoding_headers_are_stacked_too(rig, server, tools):
    twice = [("Content-Encoding", "gzip"), ("Content-Encoding", "gzip")]
    server.on("/x", tools.answer(200, gzip.compress(gzip.compress(b"{}")), twice))
    fails(rig, rig.wire(server.url), tools.get(), PayloadError)


def test_damaged_gzip_is_a_payload_error(rig, server, tools):
    damaged = bytearray(gzip.compress(b"abc" * 5000))
    damaged[len(damaged) // 2] ^= 0xFF
    server.on("/x", tools.answer(200, bytes(damaged), [("Content-Encoding", "gzip")]))
    error = fails(rig, rig.wire(server.url), tools.get(), PayloadError)
    assert error.__context__ is None


def test_zlib_under_the_name_of_gzip_is_read(rig, server, tools):
    server.on("/x", tools.answer(200, zlib.compress(b"{}"), [("Content-Encoding", "gzip")]))
    assert rig.send(rig.wire(server.url), tools.get()).body == b"{}"


def test_a_web_page_instead_of_data_says_so(rig, server, tools):
    page = b"  <!doctype html><title>Blocked by the filter</title>"
    server.on("/x", tools.answer(200, page, [("Content-Type", "text/html; charset=utf-8")]))
    error = fails(rig, rig.wire(server.url), tools.get(), PayloadError)
    assert "web page" in error.message
    assert "Blocked" not in tools.everything_said(error)


def test_data_under_the_name_of_a_web_page_is_data(rig, server, tools):
    server.on("/x", tools.answer(200, b'{"a":1}', [("Content-Type", "text/html")]))
    assert rig.send(rig.wire(server.url), tools.get()).body == b'{"a":1}'


# --- other answers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, RemoteRejected), (403, PermissionDenied), (404, RemoteNotFound), (401, AuthError)],
)
def test_a_refusal_is_final(rig, server, tools, status, kind):
    server.on("/x", tools.answer(status, headers=[("X-Amzn-RequestId", "a-1")]))
    error = fails(rig, rig.wire(server.url), tools.get(), kind)
    assert (error.status, error.request_id, error.connector) == (status, "a-1", "demo")
    assert server.count("/x") == 1


def test_the_header_of_the_request_id_can_be_named(rig, server, tools):
    server.on("/x", tools.answer(404, headers=[("X-Jamf-Trace", "j1"), ("X-Request-Id", "r1")]))
    wire = rig.wire(server.url, request_id_headers=("X-Jamf-Trace",))
    assert fails(rig, wire, tools.get(), RemoteNotFound).request_id == "j1"


def test_a_request_id_that_is_none_is_not_repeated(rig, server, tools):
    server.on("/x", tools.answer(404, headers=[("X-Request-Id", "jane doe <jane@x.example>")]))
    assert fails(rig, rig.wire(server.url), tools.get(), RemoteNotFound).request_id is None


def test_an_amended_call_is_made_once(rig, server, tools):
    server.on("/x", tools.answer(400), tools.answer(200, b"ok"))

    def classify(call, reply, attempt):
        verdict = classify_http(call, reply, attempt)
        if verdict is not None and call.param("size") == "300":
            return Verdict(error=verdict.error, amend=call.with_params(size="200"), pause=3.0)
        return verdict

    wire = rig.wire(server.url, classify=classify)
    assert rig.send(wire, tools.post(params=(("size", "300"),))).body == b"ok"
    assert [r.target for r in server.requests] == ["/x?size=300", "/x?size=200"]
    assert rig.sleeps == [3.0]


def test_a_call_that_amends_to_itself_ends(rig, server, tools):
    server.on("/x", tools.answer(400))

    def classify(call, reply, _attempt):
        return Verdict(error=RemoteRejected("no"), amend=call)

    fails(rig, rig.wire(server.url, classify=classify), tools.get(), RemoteRejected)
    assert server.count("/x") == 2


def test_a_fixed_pause_takes_the_place_of_back_off(rig, server, tools):
    server.on("/x", tools.answer(400), tools.answer(400), tools.answer())

    def classify(call, reply, attempt):
        if reply.status == 400:
            return Verdict(
                error=RemoteRejected("glitch"),
                retry="idempotent" if attempt < 3 else "never",
                pause=5.0 * attempt,
            )
        return None

    rig.send(rig.wire(server.url, classify=classify), tools.get())
    assert rig.sleeps == [5.0, 10.0]


# --- addresses ---------------------------------------------------------------------------


def test_a_redirect_to_another_host_is_refused_and_never_made(rig, server, other_server, tools):
    server.on("/x", tools.answer(302, headers=[("Location", other_server.url + "/steal?t=1")]))
    error = fails(rig, rig.wire(server.url), tools.get(), RedirectRefused)
    assert other_server.connections == 0
    assert error.context["host"] == "127.0.0.1"
    assert error.status == 302


def test_a_redirect_within_the_host_is_followed_for_a_read(rig, server, tools):
    server.on("/x", tools.answer(301, headers=[("Location", "/y?a=1")]))
    server.on("/y", tools.answer(307, headers=[("Location", server.url + "/z")]))
    server.on("/z", tools.answer(200, b"there"))
    assert rig.send(rig.wire(server.url), tools.get()).body == b"there"
    assert server.requests[-1].headers["accept-encoding"] == "gzip"


def test_redirects_end(rig, server, tools):
    server.on("/x", tools.answer(302, headers=[("Location", "/x")]))
    error = fails(rig, rig.wire(server.url), tools.get(), RedirectRefused)
    assert server.count("/x") == 4
    assert "without end" in error.message


def test_a_write_is_never_redirected(rig, server, tools):
    server.on("/x", tools.answer(307, headers=[("Location", "/y")]))
    server.on("/y", tools.answer())
    fails(rig, rig.wire(server.url), tools.post(), RedirectRefused)
    assert server.count("/y") == 0


def test_a_redirect_to_nowhere(rig, server, tools):
    server.on("/x", tools.answer(302))
    fails(rig, rig.wire(server.url), tools.get(), RedirectRefused)


def test_a_call_to_another_host_is_not_made(rig, server, other_server, tools):
    wire = rig.wire(server.url)
    fails(rig, wire, tools.get(other_server.url + "/x?token=1"), RedirectRefused)
    assert other_server.connections == 0


def test_a_path_that_is_not_encoded_is_the_callers_mistake(rig, server, tools):
    with pytest.raises(InvalidValue, match="percent-encode"):
        rig.send(rig.wire(server.url), tools.get("/users/Jörg Ä"))
    assert server.connections == 0


# --- hooks and copies --------------------------------------------------------------------


def test_hooks_are_told(rig, server, tools):
    told = []
    server.on("/x", tools.answer(503, headers=[("X-Request-Id", "a")]), tools.packed(b"{}" * 50))
    hooks = Hooks(on_call=told.append, on_retry=told.append)
    rig.send(rig.wire(server.url, hooks=hooks, random=lambda: 0.5), tools.get())
    retry, call = told
    assert (retry.connector, retry.operation, retry.attempt) == ("demo", "get-x", 1)
    assert (retry.error, retry.status, retry.request_id, retry.wait) == (
        "transient",
        503,
        "a",
        0.25,
    )
    assert (call.status, call.attempts, call.error, call.body_bytes) == (200, 2, None, 100)
    assert 0 < call.wire_bytes < 100
    assert call.elapsed > 0


def test_a_hook_that_fails_is_logged_and_does_not_matter(rig, server, tools, caplog):
    def broken(_event):
        raise RuntimeError("metrics are down")

    server.on("/x", tools.answer(503), tools.answer())
    wire = rig.wire(server.url, hooks=Hooks(on_call=broken, on_retry=broken))
    assert rig.send(wire, tools.get()).status == 200
    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == [
        "a hook failed on RetryEvent",
        "a hook failed on CallEvent",
    ]


def test_on_call_is_told_of_failures(rig, server, tools):
    told = []
    server.on("/x", tools.answer(404))
    wire = rig.wire(server.url, hooks=Hooks(on_call=told.append))
    fails(rig, wire, tools.get(), RemoteNotFound)
    assert (told[0].error, told[0].status) == ("remote-not-found", 404)


def test_a_copy_shares_the_connections(rig, server, tools):
    server.on("/x", tools.answer())
    server.on("/v2/x", tools.answer())
    wire = rig.wire(server.url)
    copy = wire.with_options(base_url=server.url + "/v2", connector="other", app_id="x")
    rig.send(wire, tools.get())
    rig.send(copy, tools.get())
    assert server.connections == 1
    assert server.requests[1].target == "/v2/x"
    assert (wire.connector, copy.connector) == ("demo", "other")
    assert "(x; gzip)" in server.requests[1].headers["user-agent"]


def test_what_was_not_changed_stays(rig, server):
    limits = Limits(deadline=5)
    wire = rig.wire(server.url, limits=limits)
    assert wire.with_options(retry=RetryPolicy(max_attempts=2)).limits is limits
    assert repr(wire) == f"<{rig.wire_class.__name__} demo {server.url}>"


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("https://user:pw@x.example", {}),
        ("https://x.example?a=1", {}),
        ("ftp://x.example", {}),
        ("x.example", {}),
        ("https://x.example", {"app_id": "a(b)"}),
        ("https://x.example", {"app_id": "a\r\nX-Evil: 1"}),
        ("https://x.example", {"http_client": object()}),
    ],
)
def test_a_driver_that_cannot_work_is_not_made(rig, url, options):
    with pytest.raises(InvalidValue):
        rig.wire(url, **options)


def test_plain_http_is_warned_about_when_credentials_would_cross_a_network(rig, caplog):
    from assetflow.wire import StaticToken

    wire = rig.wire("http://snipe.lincoln.example", tokens=StaticToken("t"))
    wire.with_options(connector="copy")
    rig.wire("http://127.0.0.1:1", tokens=StaticToken("t"))
    rig.wire("https://snipe.lincoln.example", tokens=StaticToken("t"))
    assert [r.levelname for r in caplog.records] == ["WARNING"]
