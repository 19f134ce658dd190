"""Tokens: a key file and keyless, both against the fake's token endpoint, which checks signatures."""

import asyncio
import json
import os
import pickle
import stat
from contextlib import suppress

import pytest

from assetflow.connectors import GoogleAdmin
from assetflow.connectors.google import READ_SCOPES, Keyless, ServiceAccount, application_default
from assetflow.errors import (
    AuthError,
    ConfigError,
    FileUnreadable,
    MissingExtra,
    PayloadError,
    PermissionDenied,
)
from assetflow.testing.google.oauth import CLIENT_ID
from assetflow.wire import Secret


@pytest.fixture
def closed(start):
    """A fake that serves nobody without a token."""
    return start(30, anonymous=False)


def test_a_key_opens_the_directory(closed, connect, account):
    google = connect(closed, account(closed))
    assert google.count() == 30
    assert len(list(google.chromebooks())) == 30
    tokens = [asked for asked in closed.calls if asked.path == "/token"]
    assert len(tokens) == 1  # one token for all calls


def test_a_key_opens_it_in_an_event_loop_too(closed, connect, account):
    google = connect(closed, account(closed))

    async def read():
        async with google:
            return [device.source_id async for device in google.achromebooks()]

    assert len(asyncio.run(read())) == 30


def test_nobody_gets_in_without_a_token(closed, connect):
    with pytest.raises(AuthError):
        connect(closed).count()


def test_without_a_key_the_iam_service_signs(closed, connect):
    credentials = Keyless(
        closed.gate.account,
        subject=closed.fleet.admin,
        source=lambda: Secret(closed.gate.source_token),
        iam_url=closed.url,
        token_uri=closed.token_uri,
    )
    assert connect(closed, credentials).count() == 30
    paths = [asked.path.rpartition("/")[2] for asked in closed.calls]
    assert paths[0].endswith(":signJwt")
    assert paths[1] == "token"


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"source": lambda: "wrong"}, AuthError, "application-default login"),
        ({"account": "other@x.iam.example"}, PermissionDenied, "Token Creator"),
        ({"subject": "nobody@lincoln.example"}, AuthError, "SUBJECT"),
    ],
)
def test_keyless_refusals(closed, connect, change, error, word):
    options = {
        "account": closed.gate.account,
        "subject": closed.fleet.admin,
        "source": lambda: closed.gate.source_token,
        "iam_url": closed.url,
        "token_uri": closed.token_uri,
        **change,
    }
    with pytest.raises(error) as caught:
        connect(closed, Keyless(options.pop("account"), **options)).count()
    assert word in caught.value.hint


def test_a_subject_that_is_no_admin(closed, connect):
    credentials = ServiceAccount(closed.key_file(), subject="nobody@lincoln.example")
    with pytest.raises(AuthError) as caught:
        connect(closed, credentials).count()
    assert "SUBJECT" in caught.value.hint
    assert "nobody" not in repr(caught.value.as_dict())


def test_scopes_that_were_not_granted(start, connect, account):
    fake = start(5, anonymous=False, granted=READ_SCOPES[:1])
    with pytest.raises(PermissionDenied) as caught:
        connect(fake, account(fake)).count()
    assert CLIENT_ID in caught.value.hint
    assert READ_SCOPES[1] in caught.value.hint
    narrow = connect(fake, account(fake, scopes=READ_SCOPES[:1]))
    assert narrow.count() == 5
    with pytest.raises(PermissionDenied, match=r"admin\.directory\.orgunit\.readonly"):
        list(narrow.org_units())


def test_a_clock_that_is_an_hour_off(closed, connect, account):
    credentials = account(closed, clock=lambda: 1_600_000_000.0)
    with pytest.raises(AuthError) as caught:
        connect(closed, credentials).count()
    assert "clock" in caught.value.hint


def test_a_key_that_was_deleted(closed, connect):
    from assetflow.testing.google.rsa import make_key

    other = {**closed.key_file(), "private_key": make_key(8).pem()}
    with pytest.raises(AuthError) as caught:
        connect(closed, ServiceAccount(other, subject=closed.fleet.admin)).count()
    assert "new one" in caught.value.hint


def test_a_token_that_ends_is_renewed_without_a_word(start, connect, account):
    fake = start(900, anonymous=False, faults=["token-expired"])
    google = connect(fake, account(fake))
    assert len(list(google.chromebooks())) == 900
    assert sum(google.count() for _ in range(12)) == 12 * 900
    assert 2 <= sum(asked.path == "/token" for asked in fake.calls) <= 4


# --- the key file --------------------------------------------------------------------------


@pytest.fixture
def key_file(closed, tmp_path):
    path = tmp_path / "key.json"
    path.write_text(json.dumps(closed.key_file()))
    path.chmod(0o600)
    return path


def test_from_the_environment(closed, key_file, connect):
    env = {
        "ASSETFLOW_GOOGLE_KEY_FILE": str(key_file),
        "ASSETFLOW_GOOGLE_SUBJECT": closed.fleet.admin,
        "ASSETFLOW_GOOGLE_CUSTOMER": closed.fleet.customer,
        "ASSETFLOW_GOOGLE_BASE_URL": closed.url,
    }
    with GoogleAdmin.from_env(env) as google:
        assert google.count() == 30
        assert closed.fleet.customer in repr(google)


def test_the_process_environment_is_read_by_default(closed, key_file, monkeypatch):
    monkeypatch.setenv("ASSETFLOW_GOOGLE_KEY_FILE", str(key_file))
    monkeypatch.setenv("ASSETFLOW_GOOGLE_SUBJECT", closed.fleet.admin)
    monkeypatch.setenv("ASSETFLOW_GOOGLE_BASE_URL", closed.url)
    monkeypatch.setenv("ASSETFLOW_GOOGLE_SCOPES", ", ".join(READ_SCOPES[:1]))
    with GoogleAdmin.from_env() as google:
        assert google.count() == 30
        with pytest.raises(PermissionDenied):
            list(google.org_units())


def test_a_fake_on_this_machine_needs_no_credentials(fake):
    with GoogleAdmin.from_env({"ASSETFLOW_GOOGLE_BASE_URL": fake.url}) as google:
        assert google.count() == 700


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"ASSETFLOW_GOOGLE_SUBJECT": "it@lincoln.example"},
        {"ASSETFLOW_GOOGLE_BASE_URL": "https://admin.example"},
    ],
)
def test_without_credentials_the_error_says_what_to_set(env):
    with pytest.raises(ConfigError) as caught:
        GoogleAdmin.from_env(env)
    assert "ASSETFLOW_GOOGLE_KEY_FILE" in caught.value.hint


@pytest.mark.skipif(os.name == "nt", reason="file modes are those of Unix")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_that_others_may_read_is_refused(key_file, mode):
    key_file.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        ServiceAccount.from_file(key_file, subject="it@lincoln.example")
    assert "chmod 600" in caught.value.hint
    assert stat.S_IMODE(key_file.stat().st_mode) == mode  # it is not mended behind one's back


@pytest.mark.parametrize("content", ["", "{", "[]", '"key"', "\xff"])
def test_a_key_file_that_is_no_json_object(tmp_path, content):
    path = tmp_path / "key.json"
    path.write_bytes(content.encode("latin-1"))
    path.chmod(0o600)
    with pytest.raises(FileUnreadable):
        ServiceAccount.from_file(path, subject="it@lincoln.example")


def test_a_key_file_that_is_not_there(tmp_path):
    with pytest.raises(FileUnreadable):
        ServiceAccount.from_file(tmp_path / "none.json", subject="it@lincoln.example")


@pytest.mark.parametrize(
    "change",
    [
        {"type": "authorized_user"},
        {"client_email": ""},
        {"private_key": "-----BEGIN nothing"},
        {"private_key": 7},
    ],
)
def test_keys_that_are_no_service_accounts(closed, change):
    with pytest.raises(ConfigError) as caught:
        ServiceAccount({**closed.key_file(), **change}, subject="it@lincoln.example")
    assert "BEGIN" not in repr(caught.value.as_dict())
    assert caught.value.__context__ is None  # nor in what led to it


@pytest.mark.parametrize(
    "options",
    [
        {"subject": "it"},
        {"subject": ""},
        {"subject": "a@b.example", "scopes": "one-text"},
        {"subject": "a@b.example", "scopes": ()},
    ],
)
def test_subjects_and_scopes_that_cannot_be(closed, options):
    with pytest.raises(ConfigError):
        ServiceAccount(closed.key_file(), **options)


def test_credentials_show_nothing_and_are_not_pickled(closed, account):
    credentials = account(closed)
    assert repr(credentials) == f"ServiceAccount('{closed.gate.account}', scopes=3)"
    assert credentials.client_id == CLIENT_ID
    with pytest.raises(Exception, match="pickle"):
        pickle.dumps(credentials)


def test_google_auth_is_asked_for_by_its_extra(closed, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "google.auth", None)
    with pytest.raises(MissingExtra) as caught:
        ServiceAccount(closed.key_file(), subject="it@lincoln.example")
    assert "assetflow-k12[google]" in caught.value.hint
    with pytest.raises(MissingExtra):
        application_default()


# --- application default credentials -------------------------------------------------------


def test_without_default_credentials_the_error_says_how_to_get_some(monkeypatch, tmp_path):
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("PATH", "")
    with suppress(ImportError):  # older versions ask the metadata server whatever is said
        from google.auth.compute_engine import _metadata

        for question in ("ping", "is_on_gce"):
            monkeypatch.setattr(_metadata, question, lambda *_args, **_kw: False, raising=False)
    with pytest.raises(ConfigError) as caught:
        application_default()
    assert "gcloud auth" in caught.value.hint


def test_default_credentials_are_refreshed_by_the_standard_library(
    closed, monkeypatch, tmp_path, connect
):
    info = {**closed.key_file()}
    path = tmp_path / "adc.json"
    path.write_text(json.dumps(info))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    closed.gate.admins.add("")  # a token of the account's own, without a subject
    closed.gate.granted |= {"https://www.googleapis.com/auth/cloud-platform"}
    source = application_default()
    first = source()
    assert isinstance(first, Secret)
    assert first.reveal().startswith("ya29.")
    assert source() == first  # still good
    assert sum(asked.path == "/token" for asked in closed.calls) == 1


def test_the_transport_for_default_credentials(closed):
    from google.auth import exceptions

    from assetflow.connectors.google.adc import Transport

    transport = Transport()
    refused = transport(f"{closed.url}/token", method="POST", body="grant_type=x")
    assert (refused.status, b"unsupported_grant_type" in refused.data) == (400, True)
    for url in ("ftp://127.0.0.1/x", "http://127.0.0.1:9/x"):
        with pytest.raises(exceptions.TransportError):
            transport(url)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"access_token":7}', b"<html>"])
def test_a_token_endpoint_that_gives_none(closed, connect, account, body):
    from assetflow.testing.google.answers import Answer

    answer = closed.answer
    closed.answer = lambda asked: (
        Answer(status=200, body=body) if asked.path == "/token" else answer(asked)
    )
    with pytest.raises(PayloadError):
        connect(closed, account(closed)).count()


def test_an_iam_service_that_signs_nothing(closed, connect):
    from assetflow.testing.google.answers import Answer

    closed.answer = lambda _asked: Answer(status=200, body=b"{}")
    credentials = Keyless(
        closed.gate.account, subject="it@lincoln.example", source=lambda: "x", iam_url=closed.url
    )
    assert repr(credentials).startswith("Keyless(")
    assert credentials.scopes == READ_SCOPES
    with pytest.raises(PayloadError):
        connect(closed, credentials).count()
    with pytest.raises(ConfigError):
        Keyless("no-address", subject="it@lincoln.example", source=lambda: "x")


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"exp": None}, "invalid_grant"),
        ({"exp": 2_000_000_000}, "invalid_grant"),
        ({"iss": "other@x.example"}, "invalid_grant"),
    ],
)
def test_the_fakes_token_endpoint_is_as_strict_as_googles(closed, claims, error):
    import base64
    import time
    from urllib.parse import urlencode

    from assetflow.testing.google.answers import Asked

    now = int(time.time())
    told = {
        "iss": closed.gate.account,
        "sub": closed.fleet.admin,
        "scope": READ_SCOPES[0],
        "iat": now,
        "exp": now + 60,
    }

    def exchange(found):
        parts = [json.dumps({"alg": "RS256"}).encode(), json.dumps(found).encode()]
        head = ".".join(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in parts)
        seal = base64.urlsafe_b64encode(closed.gate.key.sign(head.encode())).decode().rstrip("=")
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": f"{head}.{seal}",
        }
        asked = Asked(method="POST", path="/token", params={}, body=urlencode(form).encode())
        answer = closed.gate.exchange(asked)
        return answer.status, json.loads(answer.body)

    assert exchange(told)[0] == 200
    status, answer = exchange({**told, **claims})
    assert (status, answer["error"]) == (400, error)
