"""Which HTTP client is used, what is loaded for it, and in which event loop."""

import asyncio
import json
import logging
import subprocess
import sys
import textwrap

import httpx
import pytest

from assetflow.errors import ConfigError, InvalidValue, PayloadError, Unreachable, WrongEventLoop
from assetflow.wire import (
    AsyncWire,
    Call,
    Limits,
    Listing,
    NoAuth,
    Secret,
    StaticToken,
    Token,
    Wire,
)


class Source:
    def fetch(self):
        reply = yield Call(method="POST", path="/token", operation="get-token")
        return Token(value=Secret(json.loads(reply.body)["token"]))


# --- a client of the caller's ------------------------------------------------------------


def test_a_callers_client_is_used_on_every_path_and_not_closed(rig, server, tools):
    seen = []
    if rig.kind == "sync":
        hook = seen.append
    else:

        async def hook(request):
            seen.append(request)

    client = rig.own_client(
        httpx,
        headers={"X-Portal": "yes"},
        event_hooks={"request": [hook]},
        base_url="http://no.example",
    )
    server.on("/token", tools.answer(200, b'{"token": "t"}'))
    server.on("/x", tools.answer(401), tools.answer(200, b'{"items": [1], "next": null}'))
    tokens = iter(["a", "b"])
    server.on("/token", lambda _r: tools.answer(200, b'{"token": "%s"}' % next(tokens).encode()))
    wire = rig.wire(server.url, tokens=Source(), http_client=client)
    assert rig.each(wire, Listing(first=tools.get(), parse=tools.parse_numbers)) == [1]
    assert [str(r.url).rpartition("/")[2] for r in seen] == ["token", "x", "token", "x"]
    assert {r.headers["x-portal"] for r in server.requests} == {"yes"}
    assert {r.headers["accept-encoding"] for r in server.requests} == {"gzip"}
    rig.close_wires()
    assert not client.is_closed
    rig.close_client(client)


def test_a_callers_authentication_is_used_when_we_have_none(rig, server, tools):
    client = rig.own_client(httpx, auth=("user", "pass"))
    server.on("/x", tools.answer())
    rig.send(rig.wire(server.url, http_client=client), tools.get())
    assert server.last("/x").headers["authorization"].startswith("Basic ")
    # Ours comes first where we have one.
    rig.send(rig.wire(server.url, http_client=client, tokens=StaticToken("t")), tools.get())
    assert server.last("/x").headers["authorization"] == "Bearer t"
    rig.close_client(client)


def test_a_callers_client_keeps_the_deadline_between_chunks(rig, server, tools):
    client = rig.own_client(httpx, timeout=None)

    def slowly(_request):
        yield tools.answer(200, b"z" * 500)[:-500]
        yield from server.drip(b"z" * 500)(None)

    server.on("/x", slowly)
    wire = rig.wire(server.url, http_client=client, limits=tools.quick)
    from assetflow.errors import DeadlineExceeded

    with pytest.raises(DeadlineExceeded):
        rig.send(wire, tools.get())
    rig.close_client(client)


def test_a_callers_client_does_not_wait_for_ever_though_it_says_so(rig, server, tools):
    client = rig.own_client(httpx, timeout=None)
    server.on("/x", server.hang)
    wire = rig.wire(server.url, http_client=client, limits=Limits(timeout=0.2), retry=tools.once)
    with pytest.raises(Unreachable, match="silent"):
        rig.send(wire, tools.get())
    rig.close_client(client)


def test_a_callers_client_does_not_follow_redirects_for_us(rig, server, other_server, tools):
    from assetflow.errors import RedirectRefused

    client = rig.own_client(httpx, follow_redirects=True)
    server.on("/x", tools.answer(302, headers=[("Location", other_server.url + "/steal")]))
    wire = rig.wire(server.url, http_client=client, tokens=StaticToken("t", header="X-Key"))
    with pytest.raises(RedirectRefused):
        rig.send(wire, tools.get())
    assert other_server.connections == 0
    rig.close_client(client)


def test_a_transport_for_tests_can_stand_in(rig, tools):
    """`httpx.MockTransport` gives the whole answer at once, inflated already."""
    import gzip

    answers = iter(
        [
            httpx.Response(200, json={"a": 1}),
            httpx.Response(200, content=gzip.compress(b"{}"), headers={"content-encoding": "gzip"}),
            httpx.Response(200, content=b"x" * 2000),
        ]
    )
    client = rig.own_client(httpx, transport=httpx.MockTransport(lambda _r: next(answers)))
    wire = rig.wire("https://mdm.example", http_client=client, limits=Limits(max_body_bytes=1000))
    assert rig.send(wire, tools.get()).body == b'{"a":1}'
    assert rig.send(wire, tools.get()).body == b"{}"
    from assetflow.errors import BodyTooLarge

    with pytest.raises(BodyTooLarge):
        rig.send(wire, tools.get())
    rig.close_client(client)


def test_the_wrong_kind_of_client_is_refused():
    with pytest.raises(InvalidValue, match=r"httpx\.Client"):
        Wire("https://x.example", connector="d", tokens=NoAuth(), http_client=httpx.AsyncClient())
    with httpx.Client() as client, pytest.raises(InvalidValue, match=r"httpx\.AsyncClient"):
        AsyncWire("https://x.example", connector="d", tokens=NoAuth(), http_client=client)


# --- a client of our own -----------------------------------------------------------------


def test_no_more_connections_are_opened_than_allowed(rig, server, tools):
    server.on("/x", lambda _r: (server.pause(0.02), tools.answer())[1])
    wire = rig.wire(server.url, limits=Limits(max_connections=3))
    outcomes = rig.together(wire, [tools.get()] * 20)
    assert [o.status for o in outcomes] == [200] * 20
    assert server.connections == 3


def test_one_who_gives_up_waiting_for_a_connection_takes_none_along(server, tools):
    """httpcore's own pool would lose a place each time (encode/httpcore#1093)."""
    server.on("/x", lambda _r: (server.pause(0.05), tools.answer())[1])

    async def scene():
        limits = Limits(max_connections=1)
        async with AsyncWire(server.url, connector="demo", tokens=NoAuth(), limits=limits) as wire:
            for _ in range(5):
                tasks = [asyncio.create_task(wire.send(tools.get())) for _ in range(4)]
                await asyncio.sleep(0.04)
                for task in tasks[1:]:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            return await asyncio.wait_for(wire.send(tools.get()), 2)

    assert asyncio.run(scene()).status == 200


def test_cookies_are_not_kept(rig, server, tools):
    server.on("/x", tools.answer(headers=[("Set-Cookie", "session=1; Path=/")]))
    wire = rig.wire(server.url)
    reply = rig.send(wire, tools.get())
    rig.send(wire, tools.get())
    assert reply.headers["set-cookie"].startswith("session=1")  # a connector may use it
    assert "cookie" not in server.last("/x").headers


def test_a_closed_driver_says_so(rig, server, tools):
    server.on("/x", tools.answer())
    wire = rig.wire(server.url)
    copy = wire.with_options(connector="copy")
    rig.send(wire, tools.get())
    rig.close_wires()
    rig.close_wires()
    for closed in (wire, copy):
        with pytest.raises(ConfigError, match="closed"):
            rig.send(closed, tools.get())


def test_a_driver_closes_with_its_block(server, tools):
    server.on("/x", tools.answer())
    with Wire(server.url, connector="demo", tokens=NoAuth()) as wire:
        wire.send(tools.get())
    with pytest.raises(ConfigError):
        wire.send(tools.get())

    async def scene():
        async with AsyncWire(server.url, connector="demo", tokens=NoAuth()) as wire:
            await wire.send(tools.get())
        with pytest.raises(ConfigError):
            await wire.send(tools.get())

    asyncio.run(scene())


# --- event loops -------------------------------------------------------------------------


def test_an_async_driver_belongs_to_the_loop_in_which_it_was_made(server, tools):
    server.on("/x", tools.answer())

    async def make():
        return AsyncWire(server.url, connector="demo", tokens=NoAuth())

    wire = asyncio.run(make())

    async def use(which):
        return await which.send(tools.get())

    with pytest.raises(WrongEventLoop):
        asyncio.run(use(wire))
    with pytest.raises(WrongEventLoop):
        asyncio.run(use(wire.with_options(connector="copy")))
    with pytest.raises(WrongEventLoop):
        asyncio.run(wire.aclose())
    assert server.connections == 0


def test_one_that_was_made_outside_belongs_to_the_first_loop(server, tools):
    server.on("/x", tools.answer())
    wire = AsyncWire(server.url, connector="demo", tokens=NoAuth())

    async def use():
        reply = await wire.send(tools.get())
        await wire.aclose()
        return reply.status

    assert asyncio.run(use()) == 200
    with pytest.raises(WrongEventLoop):
        asyncio.run(use())


def test_without_a_loop_there_is_an_error_and_no_hang(tools):
    wire = AsyncWire("https://x.example", connector="demo", tokens=NoAuth())
    sending = wire.send(tools.get())
    with pytest.raises(WrongEventLoop, match="running asyncio"):
        sending.send(None)


def test_a_cancelled_call_frees_its_connection(server, tools):
    server.on("/x", server.hang)
    server.on("/y", tools.answer())

    async def scene():
        limits = Limits(max_connections=1)
        async with AsyncWire(server.url, connector="demo", tokens=NoAuth(), limits=limits) as wire:
            task = asyncio.create_task(wire.send(tools.get()))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return await asyncio.wait_for(wire.send(tools.get("/y")), 2)

    assert asyncio.run(scene()).status == 200


# --- proxies -----------------------------------------------------------------------------


def test_a_proxy_of_the_environment_is_used_only_when_asked(
    rig, server, other_server, tools, monkeypatch
):
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://us%40er:pw@127.0.0.1:{other_server.port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    server.on("/x", tools.answer(200, b"direct"))
    assert rig.send(rig.wire(server.url), tools.get()).body == b"direct"
    assert other_server.connections == 0
    target = server.url + "/x"
    other_server.on(target, tools.answer(200, b"proxied"))
    wire = rig.wire(server.url, trust_env=True)
    assert rig.send(wire, tools.get()).body == b"proxied"
    assert other_server.requests[0].headers["proxy-authorization"] == "Basic dXNAZXI6cHc="
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert rig.send(wire, tools.get()).body == b"direct"


def test_a_proxy_that_asks_for_credentials(rig, server, tools, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    monkeypatch.setenv("https_proxy", server.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server.on("127.0.0.1:9", tools.answer(407, headers=[("Proxy-Authenticate", "Basic")]))
    wire = rig.wire("https://127.0.0.1:9", trust_env=True)
    with pytest.raises(Unreachable, match="proxy wants credentials"):
        rig.send(wire, tools.get())
    assert server.count("127.0.0.1:9") == 1
    server.on("127.0.0.1:9", tools.answer(502))
    with pytest.raises(Unreachable, match="proxy made no connection") as caught:
        rig.send(wire, tools.post())
    assert caught.value.context["attempts"] == 5  # it never left the proxy


def test_a_proxy_of_another_kind_is_refused_by_name(rig, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
    with pytest.raises(ConfigError, match="proxy"):
        rig.wire("https://x.example", trust_env=True)


# --- what is loaded ----------------------------------------------------------------------


def test_the_http_library_is_loaded_with_the_first_driver():
    code = """
        import sys
        from assetflow.wire import AsyncWire, Call, Listing, NoAuth, Page, Wire, classify_http
        heavy = {"httpx", "httpcore", "tenacity", "truststore", "h11", "anyio"}
        Call(method="GET", path="/", operation="x")
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
        Wire("https://x.example", connector="d", tokens=NoAuth()).close()
        assert heavy - {"anyio"} <= set(sys.modules), heavy - set(sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_there_is_one_logger(rig, server, tools, caplog):
    caplog.set_level(logging.DEBUG, "assetflow")
    server.on("/x", tools.answer())

    def parse(_call, _body):
        raise PayloadError("not a page")

    with pytest.raises(PayloadError) as caught:
        rig.pages(rig.wire(server.url), Listing(first=tools.get(), parse=parse))
    assert caught.value.connector == "demo"
    assert [r.name for r in caplog.records if r.name.startswith("assetflow")] == ["assetflow.wire"]
