"""Secrets are planted everywhere a call can hold one, and looked for in all that is said."""

import copy
import gzip
import pickle
import subprocess
import sys

import httpx
import pytest

from assetflow.errors import ConnectorError, RemoteRejected
from assetflow.wire import (
    Call,
    Hooks,
    Limits,
    Listing,
    Page,
    RetryPolicy,
    Secret,
    StaticToken,
    Token,
)

CANARY = "CANARY"
TOKEN = "CANARY-token"


def loaded_call(method="GET", path="/x", **options):
    return Call(
        method=method,
        path=path,
        operation="get-x",
        params=(("access_token", "CANARY-param"), ("email", "CANARY@lincoln.example")),
        headers=(("X-Api-Key", "CANARY-header"), ("X-Tenant", "CANARY-tenant")),
        body=b"CANARY-body" if method == "POST" else None,
        **options,
    )


def said_by_server(tools, status, **options):
    headers = [
        ("Set-Cookie", "session=CANARY-cookie"),
        ("X-Request-Id", "CANARY cannot be an id"),
        ("WWW-Authenticate", "Bearer CANARY-challenge"),
        *options.pop("headers", []),
    ]
    return tools.answer(status, b'{"message": "CANARY-reply"}', headers)


FAULTS = {
    "ok": lambda t, s: said_by_server(t, 200),
    "refused": lambda t, s: said_by_server(t, 403),
    "unauthorised": lambda t, s: said_by_server(t, 401),
    "busy": lambda t, s: said_by_server(t, 503),
    "limited": lambda t, s: said_by_server(t, 429, headers=[("Retry-After", "999")]),
    "elsewhere": lambda t, s: said_by_server(
        t, 302, headers=[("Location", "http://CANARY-user:CANARY@evil.example/?t=CANARY-loc")]
    ),
    "malformed-location": lambda t, s: said_by_server(
        t, 302, headers=[("Location", "http://[CANARY-loc")]
    ),
    "packed-twice": lambda t, s: said_by_server(
        t, 200, headers=[("Content-Encoding", "gzip, CANARY")]
    ),
    "not-gzip": lambda t, s: said_by_server(t, 200, headers=[("Content-Encoding", "gzip")]),
    "broken": lambda t, s: lambda _r: iter([said_by_server(t, 200)[:-9]]),
    "garbage": lambda t, s: lambda _r: iter([b"CANARY-garbage \x00\r\n\r\n"]),
    "bad-header": lambda t, s: lambda _r: iter([b"HTTP/1.1 200 OK\r\nCANARY-x\x00y: z\r\n\r\n"]),
    "closed": lambda t, s: lambda _r: iter(()),
    "hang": lambda t, s: s.hang,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_secret_is_said(rig, server, tools, all_logs, fault, method):
    told = []
    server.on("/x", FAULTS[fault](tools, server))
    wire = rig.wire(
        server.url,
        tokens=StaticToken(TOKEN, extra=(("App-Token", Secret("CANARY-app")),)),
        limits=Limits(deadline=0.4 if fault == "hang" else 5),
        retry=RetryPolicy(max_attempts=2),
        hooks=Hooks(on_call=told.append, on_retry=told.append),
    )
    error = None
    try:
        reply = rig.send(wire, loaded_call(method))
        assert CANARY not in repr(reply)
    except ConnectorError as caught:
        error = caught
    assert (error is None) == (fault == "ok"), error
    # The secrets did go out, so the test would see them.
    sent = server.last("/x")
    assert sent.headers["authorization"] == f"Bearer {TOKEN}"
    assert sent.headers["app-token"] == "CANARY-app"
    assert "CANARY-param" in sent.target
    said = tools.everything_said(error, all_logs) if error else ""
    said += repr(wire) + repr(told) + repr(vars(wire)) + repr(loaded_call(method))
    assert CANARY not in said
    assert any("get-x" in r.getMessage() for r in all_logs)


def test_the_http_library_would_have_said_it(server, tools, all_logs):
    """What the filter keeps back, and that it does so for our calls only."""
    server.on("/x", tools.answer())
    with httpx.Client() as client:
        client.get(server.url + "/x?access_token=CANARY-param")
    assert any(CANARY in r.getMessage() for r in all_logs if r.name == "httpx")
    assert any(r.name.startswith("httpcore.") for r in all_logs)


def test_nothing_is_said_by_the_http_library_on_our_calls(rig, server, tools, all_logs):
    server.on("/x", tools.answer())
    rig.send(rig.wire(server.url), loaded_call())
    assert [r.name for r in all_logs if r.name.startswith("http")] == []


def test_the_filter_does_not_outlast_our_call(rig, server, tools, all_logs):
    server.on("/x", tools.answer())
    rig.send(rig.wire(server.url), tools.get())
    with httpx.Client() as client:
        client.get(server.url + "/x")
    assert any(r.name == "httpx" for r in all_logs)


def test_a_token_call_says_nothing(rig, server, tools, all_logs):
    server.on("/token", said_by_server(tools, 400), tools.answer(200, b"{}"))
    server.on("/x", tools.answer())

    class Source:
        def fetch(self):
            yield Call(
                method="POST",
                path="/token",
                operation="get-token",
                headers=(("Authorization", "Basic CANARY-basic"),),
                body=b"client_secret=CANARY-secret",
            )
            return Token(value=Secret(TOKEN))

    wire = rig.wire(server.url, tokens=Source())
    with pytest.raises(ConnectorError) as caught:
        rig.send(wire, tools.get())
    assert CANARY not in tools.everything_said(caught.value, all_logs)
    rig.send(wire, tools.get())
    assert server.last("/token").headers["authorization"] == "Basic CANARY-basic"
    assert server.last("/x").headers["authorization"] == f"Bearer {TOKEN}"
    assert CANARY not in "\n".join(r.getMessage() for r in all_logs)
    assert CANARY not in repr(vars(wire))


def test_a_parse_error_is_named_and_keeps_its_silence(rig, server, tools, all_logs):
    from assetflow.errors import PayloadError

    server.on("/x", said_by_server(tools, 200))

    def parse(_call, _body):
        raise PayloadError("no list of devices", problems=["$.devices"])

    listing = Listing(first=loaded_call(), parse=parse)
    with pytest.raises(PayloadError) as caught:
        rig.pages(rig.wire(server.url), listing)
    assert (caught.value.connector, caught.value.operation) == ("demo", "get-x")
    assert caught.value.status == 200
    assert CANARY not in tools.everything_said(caught.value, all_logs).replace("CANARY-reply", "")
    assert CANARY not in repr(listing) + repr(Page(items=[CANARY])).replace(f"'{CANARY}'", "")


def test_a_path_that_names_a_person_is_hidden():
    call = Call(method="GET", path="/users/jane%40x.example/aliases?q=CANARY", operation="get-user")
    assert "jane" not in repr(call)
    assert CANARY not in repr(call)
    full = Call(method="GET", path="https://u:CANARY@x.example/d?t=CANARY", operation="next")
    assert CANARY not in repr(full)
    assert "https://x.example/d" in repr(full)


@pytest.mark.parametrize("flaw", ["\n", "\r\nX-Evil: 1", "\u201d", "\x00"])
def test_a_token_that_cannot_be_sent_is_not_shown(rig, server, tools, all_logs, flaw):
    """A line break from the end of a file, a curly quote from a mail."""
    wire = rig.wire(server.url, tokens=StaticToken(f"{TOKEN}{flaw}"))
    with pytest.raises(RemoteRejected, match="cannot be sent") as caught:
        rig.send(wire, tools.get())
    assert "line break" in caught.value.hint
    assert server.requests == []
    assert CANARY not in tools.everything_said(caught.value, all_logs)


def test_secret_never_shows_itself():
    secret = Secret(CANARY)
    for text in (repr(secret), str(secret), f"{secret}", f"{secret!s:>30}", f"{[secret]}"):
        assert CANARY not in text
    assert "%s" % secret == "***"  # noqa: UP031  # the old way of formatting is the test
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Token(value=secret))
    assert copy.deepcopy(secret) is copy.copy(secret) is secret
    assert secret == Secret(CANARY) != Secret("other")
    assert secret != CANARY
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError):
        hash(secret)
    assert not Secret("")


def test_a_library_of_ours_configures_no_logging():
    """In a process of its own: the command line, tested elsewhere, does configure it."""
    question = (
        "import logging, assetflow.wire; root = logging.getLogger('assetflow'); "
        "print([type(h).__name__ for h in root.handlers], root.level, "
        "logging.getLogger('assetflow.wire').handlers, logging.getLogger().handlers)"
    )
    done = subprocess.run(
        [sys.executable, "-c", question], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['NullHandler'] 0 [] []"


def test_gzip_of_an_error_is_not_repeated(rig, server, tools, all_logs):
    body = gzip.compress(b"CANARY-reply")
    server.on("/x", tools.answer(400, body, [("Content-Encoding", "gzip")]))
    with pytest.raises(ConnectorError) as caught:
        rig.send(rig.wire(server.url), tools.get())
    assert CANARY not in tools.everything_said(caught.value, all_logs)
