"""Signatures: those of the specification's own libraries fit ours, and nothing else does."""

import base64
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.errors import InvalidValue, SignatureInvalid
from assetflow.wire import Secret, new_webhook_secret, sign_webhook, verify_webhook

# What the tests of the specification's Python, JavaScript and Go libraries assert
# (github.com/standard-webhooks/standard-webhooks, libraries/).
VECTORS = [
    {
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "body": '{"test": 2432232314}',
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
]
# A file with more of the same shape: {"cases": [...]}.
MORE = os.environ.get("STANDARD_WEBHOOKS_VECTORS")
if MORE:
    VECTORS += json.loads(Path(MORE).read_text(encoding="utf-8"))["cases"]

NOW = 1_787_000_000.0
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
BODY = b'{"type":"org.assetflow.device.edited.v1"}'
keys = st.binary(min_size=24, max_size=64).map(
    lambda key: "whsec_" + base64.b64encode(key).decode()
)
message_ids = st.from_regex(r"[A-Za-z0-9_-]{1,60}", fullmatch=True)


def headers(body=BODY, *, secrets=(SECRET,), message_id="msg_1", at=int(NOW)):
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": sign_webhook(
            body, message_id=message_id, timestamp=at, secrets=secrets
        ),
    }


def check(body, sent, *, secrets=SECRET, now=NOW, **settings):
    return verify_webhook(body, sent, secrets=secrets, now=lambda: now, **settings)


@pytest.mark.parametrize("case", VECTORS, ids=lambda c: c["webhook-id"])
def test_the_specifications_own_vectors(case):
    sent = {name: value for name, value in case.items() if name.startswith("webhook-")}
    body, at = case["body"].encode(), int(case["webhook-timestamp"])
    made = sign_webhook(body, message_id=case["webhook-id"], timestamp=at, secrets=[case["secret"]])
    assert made == case["webhook-signature"]
    assert check(body, sent, secrets=case["secret"], now=at).id == case["webhook-id"]


@given(body=st.binary(max_size=200), secret=keys, message_id=message_ids)
def test_what_was_signed_verifies_and_nothing_else_does(body, secret, message_id):
    sent = headers(body, secrets=[secret], message_id=message_id)
    found = check(body, sent, secrets=secret)
    assert (found.id, found.body, found.sent_at) == (message_id, body, int(NOW))
    for wrong_body, wrong in (
        (body + b" ", sent),
        (body, sent | {"webhook-id": message_id + "x"}),
        (body, sent | {"webhook-timestamp": str(int(NOW) + 1)}),
    ):
        with pytest.raises(SignatureInvalid):
            check(wrong_body, wrong, secrets=secret)


@given(at=st.integers(-2_000, 2_000))
def test_old_and_future_times_are_refused(at):
    sent = headers(at=int(NOW) + at)
    if abs(at) <= 300:
        check(BODY, sent)
    else:
        with pytest.raises(SignatureInvalid):
            check(BODY, sent)


def test_each_of_two_secrets_verifies_while_one_is_replaced():
    new, old, other = (new_webhook_secret() for _ in range(3))
    sent = headers(secrets=[new, old])
    for secrets in (new, old, [other, old], new.reveal()):
        assert check(BODY, sent, secrets=secrets).id == "msg_1"
    with pytest.raises(SignatureInvalid):
        check(BODY, sent, secrets=other)


def test_other_versions_and_rubbish_beside_a_signature_do_no_harm():
    sent = headers()
    right = sent["webhook-signature"]
    for text in (f"v1a,abc {right}", f"{right} v2,{right[3:]}", f"v1,%% {right}", f"é {right}"):
        assert check(BODY, sent | {"webhook-signature": text}).id == "msg_1"
    for text in ("", "v1,", "v1", f"v1a,{right[3:]}", f"v2,{right[3:]}", right[3:]):
        with pytest.raises(SignatureInvalid):
            check(BODY, sent | {"webhook-signature": text})


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_refused(name):
    sent = headers()
    del sent[name]
    with pytest.raises(SignatureInvalid):
        check(BODY, sent)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-timestamp", "now"),
        ("webhook-timestamp", "-1787000000"),
        ("webhook-timestamp", "1787000000.5"),
        ("webhook-timestamp", "９"),
        ("webhook-timestamp", "9" * 5000),
        ("webhook-id", "msg.1"),
        ("webhook-id", ""),
        ("webhook-id", "x" * 5000),
    ],
)
def test_headers_that_cannot_be_are_refused(name, value):
    with pytest.raises(SignatureInvalid):
        check(BODY, headers() | {name: value})


def test_letter_case_of_header_names_does_not_count():
    assert check(BODY, {name.title(): v for name, v in headers().items()}).id == "msg_1"


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_c2hvcnQ=", "not base64!", "whsec_" + "A" * 400],
    ids=["empty", "bare", "short", "other", "long"],
)
def test_a_secret_that_is_none_is_refused_without_being_shown(secret):
    with pytest.raises(InvalidValue) as caught:
        check(BODY, headers(), secrets=secret)
    packed = secret.removeprefix("whsec_")
    assert packed == "" or packed not in f"{caught.value} {caught.value.as_dict()}"
    with pytest.raises(InvalidValue):
        sign_webhook(BODY, message_id="msg_1", timestamp=1, secrets=[])


def test_an_id_with_a_full_stop_cannot_be_signed():
    with pytest.raises(InvalidValue):
        sign_webhook(BODY, message_id="msg.1", timestamp=1, secrets=[SECRET])


def test_every_signature_is_compared_whichever_fits(monkeypatch):
    import hmac

    asked = []
    real = hmac.compare_digest
    monkeypatch.setattr(
        "assetflow.wire.signing.hmac.compare_digest", lambda a, b: asked.append(1) or real(a, b)
    )
    sent = headers(secrets=[SECRET, new_webhook_secret(), new_webhook_secret()])
    check(BODY, sent, secrets=[SECRET, new_webhook_secret()])
    assert len(asked) == 6


def test_a_new_secret_has_32_bytes_and_does_not_show_itself():
    made = new_webhook_secret(entropy=lambda n: b"k" * n)
    assert base64.b64decode(made.reveal().removeprefix("whsec_")) == b"k" * 32
    assert isinstance(made, Secret)
    assert "whsec_" not in repr(made)


def test_events_of_one_and_of_a_batch():
    one = check(b'{"id":"1"}', headers(b'{"id":"1"}'))
    assert one.events == ({"id": "1"},)
    both = b'[{"id":"1"},{"id":"2"}]'
    assert [e["id"] for e in check(both, headers(both)).events] == ["1", "2"]
    for odd in (b"", b"17", b"[17]", b"\xff"):
        with pytest.raises(InvalidValue):
            _ = check(odd, headers(odd)).events


@pytest.mark.oracle
@given(body=st.text(max_size=200), secret=keys, message_id=message_ids)
def test_the_specifications_own_package_agrees(body, secret, message_id):
    theirs = pytest.importorskip("standardwebhooks", reason="standardwebhooks: group oracles")
    judge = theirs.Webhook(secret)
    at = datetime.now(UTC).replace(microsecond=0)
    raw = body.encode("utf-8", "replace")
    sent = headers(raw, secrets=[secret], message_id=message_id, at=int(at.timestamp()))
    judge.verify(raw, sent, json_parse=False)
    assert judge.sign(message_id, at, raw.decode()) == sent["webhook-signature"]
    with pytest.raises(theirs.WebhookVerificationError):
        judge.verify(raw + b"x", sent, json_parse=False)
