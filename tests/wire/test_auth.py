"""One fetch for everybody, one replay for a refusal, one failure for all who waited."""

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from assetflow.errors import (
    AuthError,
    ConnectorError,
    DeadlineExceeded,
    InvalidValue,
    RemoteNotFound,
    TransientError,
)
from assetflow.wire import (
    AsyncWire,
    Call,
    Limits,
    NoAuth,
    Secret,
    StaticToken,
    Token,
    Verdict,
    classify_http,
)
from assetflow.wire.keeper import AsyncKeeper, Keeper

TOKEN_CALL = Call(method="POST", path="/token", operation="get-token", body=b"grant")


class Source:
    """Gets numbered tokens from ``/token``."""

    def __init__(self, call=TOKEN_CALL, **options):
        self._call = call
        self._options = options

    def fetch(self):
        reply = yield self._call
        return Token(value=Secret(json.loads(reply.body)["token"]), **self._options)


class Vendor:
    """Accepts the newest token only, and can be told to make a new one."""

    def __init__(self, server, tools, *, delay=0.0):
        self.made = 0
        self._tools = tools
        self._delay = delay
        self._server = server
        server.on("/token", self._token)
        server.on("/x", self._check)

    def _token(self, _request):
        self._server.pause(self._delay)
        self.made += 1
        return self._tools.answer(200, json.dumps({"token": f"t{self.made}"}).encode())

    def _check(self, request):
        good = request.headers.get("authorization") == f"Bearer t{self.made}"
        return self._tools.answer(200 if good else 401)


def test_a_token_is_fetched_once_and_goes_along(rig, server, tools):
    vendor = Vendor(server, tools)
    wire = rig.wire(server.url, tokens=Source())
    for _ in range(3):
        assert rig.send(wire, tools.get()).status == 200
    assert vendor.made == 1
    assert "authorization" not in server.last("/token").headers


def test_an_expired_token_is_replaced_and_the_call_made_again(rig, server, tools):
    vendor = Vendor(server, tools)
    wire = rig.wire(server.url, tokens=Source())
    rig.send(wire, tools.get())
    vendor.made += 1  # the one we hold is no longer good
    # Even a write: the server refused it before it acted.
    assert rig.send(wire, tools.post()).status == 200
    assert vendor.made == 3
    assert rig.sleeps == [0.0]


def test_a_second_refusal_is_final(rig, server, tools):
    Vendor(server, tools)
    server.on("/x", tools.answer(401))
    wire = rig.wire(server.url, tokens=Source())
    with pytest.raises(AuthError):
        rig.send(wire, tools.get())
    assert (server.count("/x"), server.count("/token")) == (2, 2)


def test_a_source_that_has_no_other_token_saves_the_second_call(rig, server, tools):
    server.on("/token", tools.answer(200, b'{"token": "same"}'))
    server.on("/x", tools.answer(401, headers=[("X-Request-Id", "first")]))
    with pytest.raises(AuthError) as caught:
        rig.send(rig.wire(server.url, tokens=Source()), tools.get())
    assert (server.count("/x"), server.count("/token")) == (1, 2)
    assert (caught.value.status, caught.value.request_id) == (401, "first")


def test_a_static_token_is_not_fetched_again(rig, server, tools):
    server.on("/x", tools.answer(401))
    wire = rig.wire(server.url, tokens=StaticToken("s", header="X-Api-Key", prefix=""))
    with pytest.raises(AuthError):
        rig.send(wire, tools.get())
    assert server.count("/x") == 1
    assert server.last("/x").headers["x-api-key"] == "s"


def test_basic_credentials(rig, server, tools):
    server.on("/x", tools.answer())
    wire = rig.wire(server.url, tokens=StaticToken.basic("user", Secret("pass")))
    rig.send(wire, tools.get())
    assert server.last("/x").headers["authorization"] == "Basic dXNlcjpwYXNz"
    with pytest.raises(InvalidValue):
        StaticToken.basic("us:er", "pass")


def test_no_auth_has_nothing_to_fetch():
    with pytest.raises(InvalidValue):
        next(NoAuth().fetch())


def test_many_calls_that_are_refused_together_make_one_refresh(rig, server, tools):
    count = 50 if rig.kind == "sync" else 8
    vendor = Vendor(server, tools, delay=0.1)
    wire = rig.wire(server.url, tokens=Source(), limits=Limits(max_connections=count))
    rig.send(wire, tools.get())
    held, arrived = threading.Event(), []

    def refuse_when_all_are_here(request):
        if request.headers["authorization"] == "Bearer t1":
            arrived.append(request)
            if len(arrived) == count:
                held.set()
            held.wait(10)
        return vendor._check(request)

    server.on("/x", refuse_when_all_are_here)
    vendor.made += 1
    outcomes = rig.together(wire, [tools.get()] * count)
    assert [o.status for o in outcomes] == [200] * count
    assert len(arrived) == count
    assert server.count("/token") == 2  # the first, and one for all of them


def test_many_calls_at_the_start_make_one_fetch(rig, server, tools):
    vendor = Vendor(server, tools, delay=0.1)
    wire = rig.wire(server.url, tokens=Source(), limits=Limits(max_connections=50))
    outcomes = rig.together(wire, [tools.get()] * 50)
    assert [o.status for o in outcomes] == [200] * 50
    assert vendor.made == 1


def test_a_failed_fetch_reaches_all_who_waited_and_only_them(rig, server, tools):
    vendor = Vendor(server, tools)

    def refuse(_request):
        server.pause(0.3)
        return tools.answer(400, b'{"error": "invalid_client", "error_description": "x"}')

    server.on("/token", refuse, vendor._token)
    wire = rig.wire(server.url, tokens=Source())
    outcomes = rig.together(wire, [tools.get()] * 12)
    assert [type(o) for o in outcomes] == [AuthError] * 12
    assert server.count("/token") == 1
    assert len({id(o) for o in outcomes}) == 12  # an exception belongs to one thread
    assert {o.context["reason"] for o in outcomes} == {"invalid_client"}
    assert {o.operation for o in outcomes} == {"get-token"}
    assert rig.send(wire, tools.get()).status == 200


def test_a_token_call_is_tried_again_like_any_other(rig, server, tools):
    vendor = Vendor(server, tools)
    server.on("/token", tools.answer(502), vendor._token)
    assert rig.send(rig.wire(server.url, tokens=Source()), tools.get()).status == 200
    assert server.count("/token") == 2


def test_a_token_may_come_from_another_host(rig, server, other_server, tools):
    Vendor(server, tools)
    other_server.on("/oauth", tools.answer(200, b'{"token": "t0"}'))
    call = Call(method="POST", path=other_server.url + "/oauth", operation="get-token")
    assert rig.send(rig.wire(server.url, tokens=Source(call)), tools.get()).status == 200
    assert other_server.count("/oauth") == 1


def test_a_token_is_not_asked_for_in_clear_over_a_network(rig, server, tools):
    call = Call(method="POST", path="http://login.example/oauth", operation="get-token")
    with pytest.raises(ConnectorError, match="another host"):
        rig.send(rig.wire(server.url, tokens=Source(call)), tools.get())


def test_a_source_may_judge_the_answers_of_its_endpoint(rig, server, tools):
    class Odd(Source):
        def classify(self, call, reply, attempt):
            if reply.status == 200:
                return Verdict(error=AuthError("the login page came"))
            return classify_http(call, reply, attempt)

    server.on("/token", tools.answer(200, b"<html>"))
    with pytest.raises(AuthError, match="login page"):
        rig.send(rig.wire(server.url, tokens=Odd()), tools.get())


def test_an_error_of_the_source_itself_is_named(rig, server, tools):
    class Broken(Source):
        def fetch(self):
            yield from super().fetch()
            raise AuthError("no token in the answer")

    Vendor(server, tools)
    with pytest.raises(AuthError) as caught:
        rig.send(rig.wire(server.url, tokens=Broken()), tools.get())
    assert (caught.value.connector, caught.value.operation) == ("demo", "get-token")


def test_a_flow_can_catch_what_the_token_endpoint_says(rig, server, tools):
    class TwoAddresses:
        """Some versions have the endpoint elsewhere."""

        def fetch(self):
            try:
                reply = yield Call(method="POST", path="/v1/token", operation="get-token")
            except RemoteNotFound:
                reply = yield TOKEN_CALL
            return Token(value=Secret(json.loads(reply.body)["token"]))

    Vendor(server, tools)
    assert rig.send(rig.wire(server.url, tokens=TwoAddresses()), tools.get()).status == 200


def test_a_copy_shares_the_token_unless_it_has_its_own_source(rig, server, tools):
    vendor = Vendor(server, tools)
    wire = rig.wire(server.url, tokens=Source())
    rig.send(wire, tools.get())
    rig.send(wire.with_options(connector="b"), tools.get())
    assert vendor.made == 1
    rig.send(wire.with_options(tokens=Source()), tools.get())
    assert vendor.made == 2


@pytest.mark.parametrize(
    ("life", "good_for"),
    [(3600, 3540), (60, 48), (300, 240), (1, 0.8)],
    ids=["hour", "minute", "five-minutes", "second"],
)
def test_a_token_is_renewed_ahead_of_its_end(rig, server, tools, life, good_for):
    now = [1000.0]
    vendor = Vendor(server, tools)
    wire = rig.wire(server.url, tokens=Source(expires_in=life), clock=lambda: now[0])
    rig.send(wire, tools.get())
    now[0] += good_for - 0.01
    rig.send(wire, tools.get())
    assert vendor.made == 1
    now[0] += 0.02
    rig.send(wire, tools.get())
    assert vendor.made == 2


def test_a_token_that_ends_at_a_date_is_renewed_too():
    wall = datetime(2026, 8, 1, tzinfo=UTC)
    now = [0.0]
    keeper = Keeper(clock=lambda: now[0], skew=60, wall=wall.timestamp)
    token = Token(value=Secret("a"), expires_at=wall + timedelta(minutes=30))
    fetches = []

    def fetch():
        fetches.append(now[0])
        return token

    for now[0] in (0.0, 1739.0, 1741.0):
        keeper.get(fetch, refused=None, remaining=lambda: 1.0)
    assert fetches == [0.0, 1741.0]
    with pytest.raises(InvalidValue, match="time zone"):
        Token(value=Secret("a"), expires_at=datetime(2026, 8, 1))  # noqa: DTZ001  # that is the mistake


def test_fifty_threads_make_one_fetch():
    keeper = Keeper(clock=time.monotonic, skew=0)
    fetches = []

    def fetch():
        fetches.append(threading.get_ident())
        time.sleep(0.1)
        return Token(value=Secret(f"t{len(fetches)}"))

    gate = threading.Barrier(50)

    def ask(_):
        gate.wait(10)
        return keeper.get(fetch, refused=None, remaining=lambda: 5.0)

    with ThreadPoolExecutor(50) as pool:
        held = list(pool.map(ask, range(50)))
        assert len(fetches) == 1
        assert {h.generation for h in held} == {0}
        # All of them are refused with that one token.
        again = list(
            pool.map(
                lambda _: keeper.get(fetch, refused=0, remaining=lambda: 5.0).generation, range(50)
            )
        )
    assert again == [1] * 50
    assert len(fetches) == 2


def test_a_waiter_does_not_wait_beyond_its_own_deadline():
    keeper = Keeper(clock=time.monotonic, skew=0)
    begun, finish = threading.Event(), threading.Event()

    def slow():
        begun.set()
        finish.wait(10)
        return Token(value=Secret("a"))

    with ThreadPoolExecutor(1) as pool:
        owner = pool.submit(keeper.get, slow, refused=None, remaining=lambda: 9.0)
        begun.wait(5)
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="another call"):
            keeper.get(slow, refused=None, remaining=lambda: 0.1)
        assert time.monotonic() - started < 1
        finish.set()
        assert owner.result(5).generation == 0


@pytest.mark.parametrize("fault", [DeadlineExceeded("mine"), KeyboardInterrupt()])
def test_a_waiter_takes_over_when_the_owner_gives_up(fault):
    keeper = Keeper(clock=time.monotonic, skew=0)
    begun, finish = threading.Event(), threading.Event()

    def give_up():
        begun.set()
        finish.wait(10)
        raise fault

    outcomes = []

    def own():
        try:
            keeper.get(give_up, refused=None, remaining=lambda: 9.0)
        except BaseException as error:  # noqa: BLE001  # looked at below
            outcomes.append(error)

    owner = threading.Thread(target=own)
    owner.start()
    begun.wait(5)
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(
            keeper.get, lambda: Token(value=Secret("b")), refused=None, remaining=lambda: 9.0
        )
        time.sleep(0.05)
        finish.set()
        assert waiter.result(5).token.value == Secret("b")
    owner.join(5)
    assert outcomes == [fault]


def test_a_cancelled_owner_does_not_cancel_the_waiters():
    async def scene():
        keeper = AsyncKeeper(clock=time.monotonic, skew=0)
        fetches = []

        async def fetch():
            fetches.append(1)
            await asyncio.sleep(0.05)
            return Token(value=Secret("a"))

        def ask():
            return keeper.get(fetch, refused=None, remaining=lambda: 5.0)

        owner, *waiters = [asyncio.create_task(ask()) for _ in range(4)]
        await asyncio.sleep(0.01)
        owner.cancel()
        waiters[0].cancel()
        results = await asyncio.gather(owner, *waiters, return_exceptions=True)
        return results, fetches

    results, fetches = asyncio.run(scene())
    assert [type(r).__name__ for r in results] == [
        "CancelledError",
        "CancelledError",
        "Held",
        "Held",
    ]
    assert len(fetches) == 2


def test_an_async_waiter_does_not_wait_beyond_its_own_deadline():
    async def scene():
        keeper = AsyncKeeper(clock=time.monotonic, skew=0)

        async def slow():
            await asyncio.sleep(1)
            return Token(value=Secret("a"))

        owner = asyncio.create_task(keeper.get(slow, refused=None, remaining=lambda: 9.0))
        await asyncio.sleep(0)
        with pytest.raises(DeadlineExceeded, match="another call"):
            await keeper.get(slow, refused=None, remaining=lambda: 0.05)
        assert not owner.done()
        owner.cancel()
        await asyncio.gather(owner, return_exceptions=True)

    asyncio.run(scene())


def test_a_mistake_in_a_source_is_not_taken_for_a_refusal():
    keeper = Keeper(clock=time.monotonic, skew=0)

    def broken():
        raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            keeper.get(broken, refused=None, remaining=lambda: 1.0)


def test_the_async_driver_shares_a_failed_fetch(server, tools):
    server.on("/token", lambda _r: (server.pause(0.1), tools.answer(500))[1])

    async def scene():
        async def no_wait(_seconds):
            await asyncio.sleep(0)

        async with AsyncWire(
            server.url, connector="demo", tokens=Source(), sleep=no_wait, retry=tools.once
        ) as wire:
            return await asyncio.gather(
                *[wire.send(tools.get()) for _ in range(5)], return_exceptions=True
            )

    outcomes = asyncio.run(scene())
    assert [type(o) for o in outcomes] == [TransientError] * 5
    assert server.count("/token") == 1
