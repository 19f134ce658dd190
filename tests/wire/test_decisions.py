"""The pure parts, by table and by property: no socket, no clock, no chance."""

import gzip
import itertools
import math
import tracemalloc
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow import errors
from assetflow.errors import (
    AuthError,
    BodyTooLarge,
    ConnectorError,
    InvalidValue,
    PayloadError,
    RateLimited,
    RedirectRefused,
    TransientError,
    Unreachable,
)
from assetflow.wire import (
    Call,
    Limits,
    Reply,
    RetryPolicy,
    TokenBucket,
    Verdict,
    classify_http,
    classify_token,
    wait_asked,
)
from assetflow.wire.address import Base, next_hop
from assetflow.wire.inflate import Intake
from assetflow.wire.prepared import Budget
from assetflow.wire.redact import redact_headers, redact_params, redact_path, redact_url, safe_id
from assetflow.wire.retry import Again, backoff, decide, retry_after

READ = Call(method="GET", path="/x", operation="read")
WRITE = Call(method="POST", path="/x", operation="write")
SMALLER = Call(method="GET", path="/x", operation="read", params=(("size", "1"),))
POLICY = RetryPolicy(max_attempts=3, base=4.0, cap=10.0)
ERROR = TransientError("busy")


# --- retry -------------------------------------------------------------------------------


def decided(call, verdict, *, attempt=1, remaining=60.0, **more):
    return decide(
        call,
        verdict,
        attempt=attempt,
        remaining=remaining,
        policy=POLICY,
        random=lambda: 0.5,
        **more,
    )


def v(retry="never", **more):
    return Verdict(error=ERROR, retry=retry, **more)


@pytest.mark.parametrize(
    ("call", "verdict", "more", "expected"),
    [
        # who may try again
        (READ, v("never"), {}, None),
        (READ, v("idempotent"), {}, Again(call=READ, wait=2.0)),
        (WRITE, v("idempotent"), {}, None),
        (WRITE, v("always"), {}, Again(call=WRITE, wait=2.0)),
        (READ, v("idempotent"), {"attempt": 2}, Again(call=READ, wait=4.0)),
        (READ, v("always"), {"attempt": 3}, None),
        # how long it waits
        (READ, v("always", retry_after=7.0), {}, Again(call=READ, wait=7.0)),
        (READ, v("always", retry_after=59.0), {}, Again(call=READ, wait=59.0)),
        (READ, v("always", retry_after=60.0), {}, None),
        (READ, v("always", retry_after=0.0), {}, Again(call=READ, wait=2.0)),
        (READ, v("always", pause=5.0, retry_after=7.0), {}, Again(call=READ, wait=5.0)),
        (READ, v("always", pause=0.0), {}, Again(call=READ, wait=0.0)),
        (READ, v("always"), {"remaining": 1.9}, None),
        (READ, v("always"), {"remaining": -1.0}, None),
        # a fresh token: any method, once, without a wait, whatever the count says
        (WRITE, v(refresh=True), {"can_refresh": True, "attempt": 9},
         Again(call=WRITE, wait=0.0, refresh=True)),
        (WRITE, v(refresh=True), {"can_refresh": False}, None),
        (WRITE, v(refresh=True), {"can_refresh": True, "remaining": 0.0}, None),
        # an amended call: once
        (WRITE, v(amend=SMALLER), {"can_amend": True},
         Again(call=SMALLER, wait=0.0, amended=True)),
        (WRITE, v(amend=SMALLER, pause=3.0), {"can_amend": True},
         Again(call=SMALLER, wait=3.0, amended=True)),
        (WRITE, v(amend=SMALLER, pause=61.0), {"can_amend": True}, None),
        (WRITE, v(amend=SMALLER), {"can_amend": False}, None),
        (READ, v("always", amend=SMALLER), {"can_amend": False}, Again(call=READ, wait=2.0)),
        # a fresh token comes before an amended call
        (READ, v(refresh=True, amend=SMALLER), {"can_refresh": True, "can_amend": True},
         Again(call=READ, wait=0.0, refresh=True)),
    ],
)  # fmt: skip
def test_the_decision_table(call, verdict, more, expected):
    assert decided(call, verdict, **more) == expected


@given(
    attempt=st.integers(1, 10_000),
    base=st.floats(0, 100),
    cap=st.floats(0, 1000),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_back_off_is_full_jitter_within_its_bounds(attempt, base, cap, chance):
    policy = RetryPolicy(base=base, cap=cap)
    wait = backoff(attempt, policy, lambda: chance)
    assert 0 <= wait <= cap
    assert wait <= base * 2.0 ** min(attempt - 1, 1000) or math.isinf(base * 2.0**1000)
    assert backoff(attempt, policy, lambda: 0.0) == 0


@given(
    verdict=st.builds(
        v,
        st.sampled_from(["never", "idempotent", "always"]),
        retry_after=st.none() | st.floats(0, 1e6),
        pause=st.none() | st.floats(0, 1e6),
        refresh=st.booleans(),
        amend=st.none() | st.just(SMALLER),
    ),
    attempt=st.integers(1, 6),
    remaining=st.floats(-10, 1000),
    chance=st.floats(0, 1, exclude_max=True),
    flags=st.tuples(st.booleans(), st.booleans()),
)
def test_no_decision_waits_beyond_the_deadline(verdict, attempt, remaining, chance, flags):
    again = decide(
        WRITE,
        verdict,
        attempt=attempt,
        remaining=remaining,
        policy=POLICY,
        random=lambda: chance,
        can_refresh=flags[0],
        can_amend=flags[1],
    )
    if again is not None:
        assert 0 <= again.wait < remaining
        assert verdict.retry == "always" or again.refresh or again.amended


NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("99999999999999999999", 999999999.0),
        ("Tue, 24 Nov 2026 12:01:30 GMT", 90.0),
        ("Tuesday, 24-Nov-26 12:01:30 GMT", 90.0),
        ("Tue, 24 Nov 2026 11:00:00 GMT", 0.0),
        ("Tue, 24 Nov 2026 12:00:10 -0000", 10.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("nan", None),
        ("inf", None),
        ("1_0", None),
        ("²", None),
        ("Tue, 99 Nov 2026 12:00:10 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, expected):
    assert retry_after(value, now=NOW) == expected


def test_a_date_is_counted_from_the_answers_own_clock():
    headers = {
        "date": format_datetime(NOW, usegmt=True),
        "retry-after": format_datetime(NOW + timedelta(minutes=2), usegmt=True),
    }
    assert wait_asked(headers) == 120.0
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=50), usegmt=True)
    for date in ({}, {"date": "nonsense"}):
        assert 45 < wait_asked({"retry-after": soon, **date}) <= 50
    assert wait_asked({}) is None


def test_policies_refuse_what_would_switch_a_limit_off():
    for bad in (0, -1, float("nan"), True):
        with pytest.raises(InvalidValue):
            Limits(deadline=bad)
        with pytest.raises(InvalidValue):
            RetryPolicy(max_attempts=bad)
    with pytest.raises(InvalidValue):
        RetryPolicy(base=-0.1)
    assert Limits(max_redirects=0).max_redirects == 0


def test_a_budget_shrinks_with_the_clock():
    now = [0.0]
    budget = Budget(5.0, 8.0, lambda: now[0])
    assert budget == budget.left() == 5.0
    now[0] = 6.0
    assert budget.left() == 2.0
    now[0] = 9.0
    assert budget.left() == -1.0
    assert Budget(5.0, 8.0, lambda: now[0]) == 0.001  # never 0: that means "do not wait"


# --- classification ----------------------------------------------------------------------


def reply(status, body=b"", **headers):
    return Reply(
        status=status, headers={k.replace("_", "-"): x for k, x in headers.items()}, body=body
    )


@pytest.mark.parametrize(
    ("status", "kind", "retry", "refresh"),
    [
        (300, "RemoteRejected", "never", False),
        (400, "RemoteRejected", "never", False),
        (401, "AuthError", "never", True),
        (403, "PermissionDenied", "never", False),
        (404, "RemoteNotFound", "never", False),
        (405, "RemoteRejected", "never", False),
        (407, "Unreachable", "never", False),
        (408, "TransientError", "idempotent", False),
        (409, "RemoteConflict", "never", False),
        (410, "RemoteNotFound", "never", False),
        (412, "RemoteConflict", "never", False),
        (413, "RemoteRejected", "never", False),
        (422, "RemoteRejected", "never", False),
        (423, "RemoteConflict", "never", False),
        (425, "RateLimited", "always", False),
        (429, "RateLimited", "always", False),
        (500, "TransientError", "idempotent", False),
        (501, "RemoteRejected", "never", False),
        (502, "TransientError", "idempotent", False),
        (503, "TransientError", "idempotent", False),
        (504, "TransientError", "idempotent", False),
        (505, "RemoteRejected", "never", False),
        (520, "TransientError", "idempotent", False),
    ],
)
def test_the_table_of_statuses(status, kind, retry, refresh):
    verdict = classify_http(READ, reply(status, retry_after="9"), 1)
    assert type(verdict.error) is getattr(errors, kind)
    assert (verdict.retry, verdict.refresh) == (retry, refresh)
    assert verdict.retry_after == (9.0 if retry != "never" else None)
    assert verdict.error.hint


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206])
def test_good_statuses(status):
    assert classify_http(READ, reply(status, b"<x/>"), 1) is None


@pytest.mark.parametrize(
    ("body", "kind", "retry"),
    [
        (b'{"error": "invalid_client"}', AuthError, "never"),
        (b'{"error": "invalid_grant", "error_description": "jane@x"}', AuthError, "never"),
        (b'{"error": "unauthorized_client"}', AuthError, "never"),
        (b'{"error": "temporarily_unavailable"}', TransientError, "always"),
        (b'{"error": "something_new"}', ConnectorError, "never"),
        (b'{"error": {"code": 400}}', ConnectorError, "never"),
        (b'["error"]', ConnectorError, "never"),
        (b"<html>", ConnectorError, "never"),
        (b"[" * 100_000, ConnectorError, "never"),
    ],
)
def test_what_a_token_endpoint_means(body, kind, retry):
    verdict = classify_token(WRITE, reply(400, body), 1)
    assert isinstance(verdict.error, kind)
    assert verdict.retry == retry
    assert "jane" not in repr(verdict)


def test_a_token_endpoint_that_is_unwell_is_asked_again():
    assert classify_token(WRITE, reply(503), 1).retry == "always"
    assert isinstance(classify_token(WRITE, reply(429), 1).error, RateLimited)
    assert classify_token(WRITE, reply(200), 1) is None


# --- bodies ------------------------------------------------------------------------------

ROOMY = Limits(max_wire_bytes=10**6, max_body_bytes=10**7)


def chunks_of(data, cuts):
    edges = sorted({0, len(data), *(c % (len(data) + 1) for c in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(
    body=st.binary(max_size=5000).map(lambda b: b * 40),
    cuts=st.lists(st.integers(0, 10**6), max_size=6),
    pack=st.sampled_from(["plain", "gzip", "zlib", "members"]),
)
def test_any_body_in_any_pieces_comes_out_whole(body, cuts, pack):
    packed = {
        "plain": lambda: body,
        "gzip": lambda: gzip.compress(body),
        "zlib": lambda: zlib.compress(body),
        "members": lambda: gzip.compress(body[:99]) + gzip.compress(body[99:]),
    }[pack]()
    intake = Intake([] if pack == "plain" else ["gzip"], ROOMY, len(packed))
    for chunk in chunks_of(packed, cuts):
        intake.take(chunk)
    assert intake.finish() == body.removeprefix(b"\xef\xbb\xbf")
    assert (intake.wire_bytes, intake.body_bytes) == (len(packed), len(body))


@given(
    size=st.integers(1, 300_000),
    cap=st.integers(1, 300_000),
    cuts=st.lists(st.integers(0, 10**6), max_size=4),
)
def test_the_inflated_cap_is_exact(size, cap, cuts):
    packed = gzip.compress(b"\0" * size)
    intake = Intake(["gzip"], Limits(max_body_bytes=cap))
    try:
        for chunk in chunks_of(packed, cuts):
            intake.take(chunk)
        taken = len(intake.finish())
    except BodyTooLarge:
        # Not one step more than the cap and what one step inflates.
        assert size > cap
        assert intake.body_bytes <= cap + 65_536
    else:
        assert taken == size <= cap


@given(st.binary(min_size=1, max_size=2000), st.integers(1, 40))
def test_gzip_without_its_end_is_never_taken_for_whole(body, missing):
    packed = gzip.compress(body)
    intake = Intake(["gzip"], ROOMY)
    intake.take(packed[: max(1, len(packed) - missing)])
    with pytest.raises(Unreachable):
        intake.finish()


@pytest.mark.parametrize("tail", [b"\0\0\0\0", b"{}", b"<html>"])
def test_what_follows_the_end_of_gzip_is_not_ignored(tail):
    intake = Intake(["gzip"], ROOMY)
    with pytest.raises(PayloadError):
        intake.take(gzip.compress(b"{}") + tail)


def test_a_bomb_of_many_members_is_counted_as_one():
    bomb = gzip.compress(b"\0" * 60_000) * 100
    intake = Intake(["x-gzip"], Limits(max_body_bytes=10**6))
    with pytest.raises(BodyTooLarge):
        intake.take(bomb)
    assert intake.body_bytes < 10**6 + 65_537


def test_a_large_body_is_in_memory_once():
    size = 20_000_000
    packed = gzip.compress(b"\0" * size, 1)
    tracemalloc.start()
    try:
        intake = Intake(["gzip"], Limits(max_body_bytes=size))
        for start in range(0, len(packed), 65_536):
            intake.take(packed[start : start + 65_536])
        body = intake.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(body) == size
    assert peak < 1.4 * size


# --- buckets -----------------------------------------------------------------------------

STEPS = st.lists(st.tuples(st.floats(0, 3), st.integers(0, 4)), max_size=40)


@given(rate=st.floats(0.1, 50), burst=st.floats(1, 20), steps=STEPS)
def test_a_bucket_never_lets_more_through_than_its_rate(rate, burst, steps):
    now = [100.0]
    bucket = TokenBucket(rate, burst, clock=lambda: now[0])
    gone = []
    for pause, calls in steps:
        now[0] += pause
        for _ in range(calls):
            taken, wait = bucket.reserve()
            assert taken
            assert wait >= 0
            gone.append(now[0] + wait)
    assert all(b - a > -1e-6 for a, b in itertools.pairwise(gone))
    for i, start in enumerate(gone):
        for j in range(i, len(gone)):
            # Between the i-th and the j-th call, both counted.
            assert j - i + 1 <= burst + rate * (gone[j] - start) + 1e-6


@given(rate=st.floats(0.1, 50), burst=st.floats(1, 20), within=st.floats(0, 5), steps=STEPS)
def test_a_place_that_is_too_far_off_is_not_taken(rate, burst, within, steps):
    now = [0.0]
    bucket = TokenBucket(rate, burst, clock=lambda: now[0])
    for pause, calls in steps:
        now[0] += pause
        for _ in range(calls):
            taken, wait = bucket.reserve(within)
            assert taken == (wait <= within)
            if not taken:
                assert bucket.reserve(within) == (False, pytest.approx(wait))


@given(st.floats(0, 100), st.floats(0, 120), st.floats(0.5, 10))
def test_a_held_bucket_lets_nothing_through_until_then(hold, later, rate):
    now = [0.0]
    bucket = TokenBucket(rate, 5, clock=lambda: now[0])
    bucket.hold(hold)
    now[0] = later
    _, wait = bucket.reserve()
    assert later + wait >= hold - 1e-9
    assert wait <= max(0.0, hold - later) + 1 / rate + 1e-9


def test_a_shorter_hold_does_not_shorten_a_longer_one():
    now = [0.0]
    bucket = TokenBucket(10, 5, clock=lambda: now[0])
    bucket.hold(10)
    bucket.hold(1)
    assert bucket.reserve()[1] == pytest.approx(10)


def test_a_bucket_that_lets_nothing_through_is_not_made():
    for rate, burst in ((0, 1), (-1, 1), (1, 0), (float("nan"), 1)):
        with pytest.raises(InvalidValue):
            TokenBucket(rate, burst)
    assert repr(TokenBucket(1, 2)) == "TokenBucket(rate=1, burst=2)"


# --- addresses ---------------------------------------------------------------------------

BASE = Base("https://mdm.example/api/")


def resolve(path, *, for_token=False, params=()):
    call = Call(method="GET", path=path, operation="x", params=params)
    found = BASE.resolve(call, for_token=for_token)
    return found if isinstance(found, str) else type(found)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/x", "https://mdm.example/api/v1/x"),
        ("v1/x", "https://mdm.example/api/v1/x"),
        ("", "https://mdm.example/api/"),
        ("//evil.example/x", "https://mdm.example/api//evil.example/x"),
        ("@evil.example/x", "https://mdm.example/api/@evil.example/x"),
        ("https://mdm.example/other?a=1", "https://mdm.example/other?a=1"),
        ("https://MDM.example:443/other", "https://MDM.example:443/other"),
        ("https://mdm.example.evil.example/x", RedirectRefused),
        ("https://mdm.example@evil.example/x", RedirectRefused),
        ("https://mdm.example:8443/x", RedirectRefused),
        ("http://mdm.example/x", RedirectRefused),
        ("HTTPS://evil.example/x", RedirectRefused),
        ("https://[::1]/x", RedirectRefused),
        ("https://evil.example", RedirectRefused),
        ("https:///x", RedirectRefused),
        ("https://mdm.example\\@evil.example/", InvalidValue),
        ("/a b", InvalidValue),
        ("/a\r\nHost: evil", InvalidValue),
        ("/a#b", InvalidValue),
        ("/ü", InvalidValue),
    ],
)
def test_where_a_call_goes(path, expected):
    assert resolve(path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("https://login.example/token", "https://login.example/token"),
        ("http://127.0.0.1:99/token", "http://127.0.0.1:99/token"),
        ("http://[::1]:99/token", "http://[::1]:99/token"),
        ("http://localhost/token", "http://localhost/token"),
        ("http://login.example/token", RedirectRefused),
        ("https://a@login.example/token", RedirectRefused),
        ("/token", "https://mdm.example/api/token"),
    ],
)
def test_where_a_token_call_goes(path, expected):
    assert resolve(path, for_token=True) == expected


def test_params_join_a_query_that_is_there():
    assert resolve("/x?a=1", params=(("b", "2 3"),)) == "https://mdm.example/api/x?a=1&b=2+3"


@pytest.mark.parametrize(
    ("current", "location", "expected"),
    [
        ("https://h.example/a/b", "/c?d=1", "https://h.example/c?d=1"),
        ("https://h.example/a/b", "c#frag", "https://h.example/a/c"),
        ("https://h.example/a", "https://h.example:443/b", "https://h.example:443/b"),
        ("http://h.example/a", "https://h.example/b", "https://h.example/b"),
        ("http://h.example:8080/a", "https://h.example/b", None),
        ("https://h.example/a", "http://h.example/b", None),
        ("https://h.example/a", "//evil.example/b", None),
        ("https://h.example/a", "https://h.example.evil.example/", None),
        ("https://h.example/a", "https://h.example@evil.example/", None),
        ("https://h.example/a", "https:\\\\evil.example/", None),
        ("https://h.example/a", "javascript:alert(1)", None),
        ("https://h.example/a", "http://[::1", None),
        ("https://h.example/a", "/b c", None),
        ("https://h.example/a", None, None),
    ],
)
def test_where_a_redirect_may_lead(current, location, expected):
    hop = next_hop("GET", current, location)
    assert hop == expected if expected else isinstance(hop, RedirectRefused)
    assert isinstance(next_hop("POST", current, location), RedirectRefused)


@pytest.mark.parametrize("bad", ["", "mdm.example", "https://", "https://a..b/", "https://a/?b"])
def test_a_base_address_is_checked(bad):
    with pytest.raises(InvalidValue):
        Base(bad)
    assert Base("http://10.0.0.5/snipe").in_clear
    assert not Base("http://127.0.0.1:8000").in_clear
    assert not Base("https://snipe.example").in_clear


# --- redaction ---------------------------------------------------------------------------


def test_redaction_shows_what_was_chosen_only():
    assert redact_headers([("Accept", "a"), ("X-Api-Key", "k")]) == "(Accept: a, X-Api-Key: ***)"
    assert redact_params([("pageToken", "t"), ("q", "jane")]) == "(pageToken, q)"
    assert redact_path("/users/j%40x.example/aliases?a#b") == "/users/***/aliases"
    assert redact_url("https://u:p@h.example:1/path?q") == "https://h.example:1"
    assert redact_url("http://[::1") == "***"
    assert redact_url("/path") == "***"
    assert safe_id("abc-123") == "abc-123"
    for bad in (None, "", "a b", "ü", "a" * 129, "a\nb"):
        assert safe_id(bad) is None


@given(st.text(max_size=60))
def test_redacting_any_text_does_not_fail_and_shows_no_query(text):
    for shown in (redact_url(f"https://u:secret@h.example/{text}?secret"), redact_path(f"/{text}")):
        assert "secret" not in shown
    assert "?" not in redact_path(f"/{text}?q=1")
