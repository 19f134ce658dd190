"""``assetflow webhooks``: added, tested, delivered, given up, replayed; no secret is shown."""

import pytest

from assetflow.cli.schemas import SCHEMAS
from assetflow.testing.receiver import FakeReceiver, Said
from assetflow.wire import new_webhook_secret

SECRET = new_webhook_secret().reveal()
ALLOW = ("--allow", "127.0.0.0/8", "--allow-http")
DEMO = ("--profile", "demo")


@pytest.fixture
def status():
    """What the receiver answers, to be changed by a test."""
    return [204]


@pytest.fixture
def receiver(status):
    with FakeReceiver(SECRET, answer=lambda _: Said(status=status[0])) as running:
        yield running


@pytest.fixture
def webhooks(run, here, monkeypatch, fits):
    """Calls ``assetflow webhooks ... --json`` and checks the document against its schema."""
    monkeypatch.setenv("PORTAL_SECRET", SECRET)

    def call(verb, *args):
        done = run("webhooks", verb, *args, "--json", *DEMO)
        assert SECRET not in done.out + done.err
        if done.out:
            assert fits(done.document, SCHEMAS[f"webhooks.{verb}"]) == []
        return done

    return call


@pytest.fixture
def added(webhooks, receiver):
    done = webhooks("add", "portal", receiver.url, "--secret", "${PORTAL_SECRET}", *ALLOW)
    assert done.code == 0, done.err
    return done.data


def touch(run, tag="1"):
    done = run("devices", "list", "--limit", tag, "--json", *DEMO)
    device = done.data[0]["id"]
    import assetflow as af

    with af.open("assetflow-demo/maple-valley.db") as district:
        now = district.devices.get(device).condition.value
        district.devices.edit(device, condition="good" if now != "good" else "fair")


def test_what_happens_after_adding_arrives(webhooks, added, run, receiver):
    assert (added["name"], added["status"]) == ("portal", "active")
    assert "hooks" not in added["origin"]
    touch(run)
    done = webhooks("deliver", *ALLOW)
    assert (done.code, done.data["delivered"], done.data["waiting"]) == (0, 1, 0)
    (row,) = webhooks("list").data
    assert (row["delivered"], row["waiting"], row["behind"], row["dead"]) == (1, 0, 0, 0)
    assert row["secrets"] == ["${PORTAL_SECRET}"]
    assert len(receiver.events) == 1


def test_a_test_event_says_what_came_of_it(webhooks, added, status):
    done = webhooks("test", "portal", *ALLOW)
    assert (done.code, done.data["arrived"], done.data["status"]) == (0, True, 204)
    status[0] = 500
    done = webhooks("test", "portal", *ALLOW)
    assert (done.code, done.data["arrived"], done.data["status"]) == (5, False, 500)
    done = webhooks("test", "portal", "--allow-http")
    assert (done.code, done.data["error"]) == (5, "target-refused")


def test_what_was_not_taken_ends_with_5_and_shows_in_attention(webhooks, added, run, status):
    import assetflow as af
    from assetflow.exchange.webhooks import Schedule
    from assetflow.wire import TargetRules

    status[0] = 500
    touch(run)
    done = webhooks("deliver", *ALLOW)
    assert (done.code, done.data["failed"], done.data["waiting"]) == (5, 1, 1)
    touch(run)
    with af.open("assetflow-demo/maple-valley.db") as district:
        district.webhooks.replay("portal")
        district.webhooks.deliver(
            secrets=lambda _: SECRET, rules=TargetRules.loopback(), schedule=Schedule(()), seconds=8
        )
    rows = webhooks("dead").data
    assert {r["webhook"] for r in rows} == {"portal"}
    assert {r["status"] for r in rows} == {500}
    found = run("attention", "--kind", "webhook-dead-letters", "--json", *DEMO).data
    assert [(i["label"], i["detail"]["deliveries"]) for i in found] == [("portal", len(rows))]
    assert " webhooks replay portal " in found[0]["command"]
    status[0] = 204
    assert webhooks("replay", "portal").data["deliveries"] == len(rows)
    assert webhooks("deliver", *ALLOW).data["delivered"] >= len(rows)
    assert webhooks("dead").data == []


def test_gone_disables_it_and_shows_in_attention(webhooks, added, run, status):
    status[0] = 410
    touch(run)
    done = webhooks("deliver", *ALLOW)
    assert (done.code, done.data["disabled"]) == (5, ["portal"])
    found = run("attention", "--kind", "webhook-disabled", "--json", *DEMO).data
    assert [i["label"] for i in found] == ["portal"]
    status[0] = 204
    assert webhooks("enable", "portal").data["status"] == "active"
    assert webhooks("deliver", *ALLOW).code == 0
    assert run("attention", "--kind", "webhook-disabled", "--json", *DEMO).data == []
    assert webhooks("disable", "portal", "--because", "moved").data["disabled_because"] == "moved"


def test_a_secret_that_cannot_be_had_ends_with_3(webhooks, added, run, monkeypatch):
    monkeypatch.delenv("PORTAL_SECRET")
    touch(run)
    done = webhooks("deliver", *ALLOW)
    assert (done.code, done.data["problems"]) == (3, {"portal": "config"})


@pytest.mark.parametrize(
    "args",
    [
        ("portal", "http://portal.example/", "--secret", "${S}"),
        ("portal", "https://portal.example/", "--secret", SECRET),
        ("portal", "https://portal.example/", "--secret", "${S}", "--type", "device.exploded"),
        ("portal", "https://portal.example/", "--secret", "${S}", "--allow", "ten"),
    ],
    ids=["http", "secret", "type", "network"],
)
def test_what_cannot_be_ends_with_6(webhooks, args):
    assert webhooks("add", *args).code == 6


def test_a_record_cannot_make_the_program_run_a_command(webhooks, receiver, run, here):
    done = webhooks("add", "portal", receiver.url, "--secret", "CMD:touch", *ALLOW)
    assert done.code == 0
    done = webhooks("test", "portal", *ALLOW)
    assert done.code == 3
    assert receiver.received == []
