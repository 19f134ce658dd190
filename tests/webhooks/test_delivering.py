"""What happens is told at least once, in order for each thing, and again when it was not taken."""

import threading
from collections import Counter
from datetime import timedelta

import pytest

from assetflow.exchange.webhooks import SCHEDULE, Schedule, environment_secret
from assetflow.exchange.webhooks.claims import FAILING, LEASE, claim
from assetflow.exchange.webhooks.planning import MOST_PENDING, look, pending_of, write_plan
from assetflow.model import BatchId, WebhookStatus
from assetflow.testing.receiver import Said
from assetflow.wire import TargetRules, new_webhook_secret
from assetflow.workflows.devices import edit_device
from assetflow.workflows.references import resolve_device

IDS = "id", "source", "type", "specversion", "subject", "time", "datacontenttype", "data"


def by_subject(events):
    found = {}
    for event in events:
        found.setdefault(event["subject"], []).append(int(event["sequence"]))
    return found


def in_order(events):
    """Whether what was told of each thing came in order, each event counted once."""
    firsts = {key: list(dict.fromkeys(seqs)) for key, seqs in by_subject(events).items()}
    return all(seqs == sorted(seqs) for seqs in firsts.values())


def register(district, count, start=0):
    return [district.devices.register(asset_tag=f"LHS-{start + i:04d}") for i in range(count)]


def in_one_batch(district, tags):
    session = district._session
    for tag in tags:
        session.write(
            lambda tx, act, tag=tag: edit_device(
                tx, act, resolve_device(tx, tag), {"condition": "good"}
            ),
            batch_id=BatchId("hand-out-1"),
        )


def test_what_happens_is_told_once_signed_and_in_the_shape_of_cloudevents(
    district, receive, hook, deliver
):
    receiver = receive()
    hook(receiver)
    first = register(district, 1)[0]
    district.devices.edit("LHS-0000", condition="good", reason="looked-at")
    report = deliver(receiver)
    assert (report.delivered, report.events, report.failed, report.waiting) == (2, 2, 0, 0)
    assert receiver.refused == 0
    registered, edited = receiver.events
    assert set(IDS) <= set(registered)
    assert registered["type"] == "org.assetflow.device.registered.v1"
    assert registered["subject"] == edited["subject"] == f"device/{first.id}"
    assert registered["source"] == "urn:assetflow:district:lincoln"
    assert edited["data"]["reason"] == "looked-at"
    assert edited["data"]["changes"][0]["set"]["condition"] == "good"
    assert registered["sequence"] < edited["sequence"]
    assert {h["content-type"] for h in receiver.headers} == {"application/cloudevents+json"}
    assert deliver(receiver).delivered == 0
    assert len(receiver.received) == 2


def test_a_webhook_hears_of_what_comes_after_it_or_of_all_when_asked(
    district, receive, hook, deliver
):
    register(district, 3)
    late, whole = receive(), receive()
    hook(late, "late")
    hook(whole, "whole", since=0)
    register(district, 1, start=3)
    deliver(late, workers_per_webhook=1)
    # not of its own adding, but of the other's
    assert [e["type"].split(".")[2] for e in late.events] == ["webhook", "device"]
    assert [int(e["sequence"]) for e in whole.events] == list(
        range(1, district.journal.head().seq + 1)
    )


def test_order_is_kept_for_each_thing_while_others_go_out_beside_it(
    district, receive, hook, deliver_all
):
    receiver = receive(answer=lambda m: Said(status=500) if flaky(m) else Said())
    seen = Counter()

    def flaky(message):
        seen[message.id] += 1
        return seen[message.id] == 1 and len(seen) % 3 == 0

    hook(receiver)
    register(district, 12)
    for _ in range(3):
        for i in range(12):
            district.devices.edit(f"LHS-{i:04d}", condition="good" if _ % 2 else "fair")
    reports = deliver_all(receiver)
    assert sum(r.delivered for r in reports) == 48
    assert sum(r.failed for r in reports) >= 8
    assert reports[-1].waiting == 0
    assert len(receiver.events) == 48
    assert in_order(receiver.events)
    assert receiver.most_at_once <= 4


def test_a_failure_holds_up_its_own_subject_only(district, receive, hook, deliver, clock):
    stuck = register(district, 2)[0]
    receiver = receive(
        answer=lambda m: (
            Said(status=500)
            if any(e["subject"] == f"device/{stuck.id}" for e in m.events)
            else Said()
        )
    )
    hook(receiver)
    for tag in ("LHS-0000", "LHS-0000", "LHS-0001", "LHS-0001"):
        now = district.devices.get(tag).condition.value
        district.devices.edit(tag, condition="good" if now != "good" else "fair")
    report = deliver(receiver)
    assert (report.delivered, report.failed, report.waiting) == (2, 1, 2)
    assert report.next_at == clock() + timedelta(seconds=5)
    assert len(receiver.received) == 3, "the second about the first device was not tried"


def test_attempts_follow_the_schedule_and_end_as_a_dead_letter(
    district, receive, hook, deliver_all, clock
):
    receiver = receive(answer=lambda _: Said(status=500))
    hook(receiver)
    register(district, 1)
    begin = clock()
    reports = deliver_all(receiver)
    assert [r.failed for r in reports] == [1] * 10
    assert [r.dead for r in reports] == [0] * 9 + [1]
    (dead,) = district.webhooks.dead()
    assert (dead.attempts, dead.error, dead.http_status) == (10, "http-status", 500)
    offsets = [m.sent_at - int(begin.timestamp()) for m in receiver.received]
    # The table of the Standard Webhooks specification 1.0.0, "Time since start".
    told = [0, 5, 305, 2105, 9305, 27305, 63305, 113705, 185705, 272105]
    assert offsets == told
    assert len({m.id for m in receiver.received}) == 1, "one id for all attempts"
    assert len({m.body for m in receiver.received}) == 1


def test_dead_letters_are_replayed_under_the_same_id(district, receive, hook, deliver):
    broken = [True]
    receiver = receive(answer=lambda _: Said(status=500 if broken[0] else 200))
    hook(receiver)
    register(district, 2)
    deliver(receiver, schedule=Schedule(()))
    dead = {d.id for d in district.webhooks.dead(webhook="portal")}
    assert len(dead) == 2
    broken[0] = False
    one = min(dead)
    assert district.webhooks.replay("portal", delivery=one) == 1
    assert deliver(receiver).delivered == 1
    assert [m.id for m in receiver.taken] == [one]
    assert district.webhooks.replay("portal") == 1
    assert deliver(receiver).delivered == 1
    assert {m.id for m in receiver.taken} == dead
    assert district.webhooks.replay("portal") == 0


def test_gone_disables_and_enabling_brings_what_was_missed(district, receive, hook, deliver):
    gone = [True]
    receiver = receive(answer=lambda _: Said(status=410 if gone[0] else 200))
    hook(receiver)
    register(district, 3)
    report = deliver(receiver, workers_per_webhook=1)
    assert report.disabled == ("portal",)
    webhook = district.webhooks.get("portal")
    assert (webhook.status, webhook.disabled_because) == (WebhookStatus.DISABLED, "gone")
    assert len(receiver.received) == 1
    register(district, 1, start=3)
    assert deliver(receiver).delivered == 0
    gone[0] = False
    district.webhooks.enable("portal")
    deliver(receiver)
    types = [e["type"].removeprefix("org.assetflow.") for e in receiver.events]
    assert types.count("device.registered.v1") == 4
    assert "webhook.disabled.v1" in types
    assert in_order(receiver.events)
    assert district.journal.verify().replayed == ()


def test_days_without_any_success_disable_it(district, receive, hook, deliver, clock):
    receiver = receive(answer=lambda _: Said(status=500))
    hook(receiver)
    register(district, 1)
    slow = Schedule((FAILING,))
    assert deliver(receiver, schedule=slow).disabled == ()
    clock.pass_by(days=6)
    report = deliver(receiver, schedule=slow)
    assert report.disabled == ("portal",)
    assert district.webhooks.get("portal").disabled_because == "failing"


@pytest.mark.parametrize(
    ("said", "least"),
    [
        (Said(status=429, headers=(("Retry-After", "120"),)), 120),
        (Said(status=503, headers=(("Retry-After", "120"),)), 120),
        (Said(status=502), 30),
        (Said(status=504), 30),
    ],
    ids=lambda value: str(getattr(value, "status", value)),
)
def test_a_receiver_under_load_gets_no_call_for_a_while(
    said, least, district, receive, hook, deliver, clock
):
    receiver = receive(answer=lambda _: said)
    hook(receiver)
    register(district, 5)
    report = deliver(receiver, workers_per_webhook=1)
    assert len(receiver.received) == 1
    assert report.next_at >= clock() + timedelta(seconds=least)
    clock.pass_by(seconds=least - 1)
    deliver(receiver, workers_per_webhook=1)
    assert len(receiver.received) == 1
    clock.pass_by(seconds=2)
    deliver(receiver, workers_per_webhook=1)
    assert len(receiver.received) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(status, district, receive, hook, deliver):
    elsewhere = receive()
    receiver = receive(answer=lambda _: Said(status=status, headers=(("Location", elsewhere.url),)))
    hook(receiver)
    register(district, 1)
    assert deliver(receiver).failed == 1
    assert elsewhere.received == []
    assert elsewhere.refused == 0


def test_two_secrets_while_one_is_replaced(district, receive, hook, deliver, secret):
    new = new_webhook_secret()
    keys = {"${OLD}": secret, "${NEW}": new}
    old_side, new_side = receive(secret), receive(new)
    for name, receiver in (("old", old_side), ("new", new_side)):
        hook(receiver, name, secrets=["${NEW}", "${OLD}"])
    register(district, 1)
    deliver(old_side, secrets=keys.__getitem__)
    assert len(old_side.events) == 2
    assert len(new_side.events) == 1
    assert old_side.refused == new_side.refused == 0
    assert old_side.headers[0]["webhook-signature"].count("v1,") == 2


def test_a_bulk_act_goes_out_in_batches_of_bounded_size(district, receive, hook, deliver):
    receiver = receive()
    register(district, 250)
    hook(receiver, batch_size=100)
    in_one_batch(district, [f"LHS-{i:04d}" for i in range(250)])
    report = deliver(receiver)
    assert (report.delivered, report.events) == (3, 250)
    assert sorted(len(m.events) for m in receiver.taken) == [50, 100, 100]
    assert {h["content-type"] for h in receiver.headers} == {"application/cloudevents-batch+json"}
    assert {e["data"]["batch"] for e in receiver.events} == {"hand-out-1"}
    assert in_order(receiver.events)


def test_a_secret_that_cannot_be_had_is_a_problem_and_counts_no_attempt(
    district, receive, hook, deliver
):
    receiver = receive()
    hook(receiver)
    register(district, 1)
    for secrets, code in (
        (environment_secret, "config"),
        (lambda _: "whsec_c2hvcnQ=", "invalid-value"),
        ({}.__getitem__, "KeyError"),
    ):
        report = deliver(receiver, secrets=secrets)
        assert report.problems == {"portal": code}
        assert report.failed == 0
    assert deliver(receiver).delivered == 1


def test_a_target_that_is_not_allowed_gets_no_call(district, receive, hook):
    receiver = receive()
    hook(receiver)
    register(district, 1)
    report = district.webhooks.deliver(
        rules=TargetRules(plain_http=True), secrets=lambda _: new_webhook_secret()
    )
    assert report.failed == 1
    assert receiver.received == []
    assert receiver.refused == 0


def test_two_deliverers_do_not_take_the_same_and_a_dead_one_loses_its_lease(
    district, receive, hook, clock
):
    receiver = receive()
    webhook = hook(receiver)
    register(district, 4)
    session = district._session
    with session.read() as tx:
        plan = look(tx, webhook, now=clock(), new_id=session.new_id)
    assert session.write(lambda tx, _: write_plan(tx, plan))
    assert not session.write(lambda tx, _: write_plan(tx, plan)), "planned once only"

    def take(owner, most):
        return session.write(
            lambda tx, act: claim(tx, webhook.id, owner=owner, now=act.at, most=most)
        )

    other = "another-machine:1:x"
    mine, theirs = take("here:1:x", 2), take(other, 10)
    assert {d.id for d in mine} & {d.id for d in theirs} == set()
    assert len(mine) + len(theirs) == 4
    assert take("third:1:x", 10) == []
    clock.pass_by(seconds=LEASE.total_seconds() + 1)
    assert len(take("third:1:x", 10)) == 4


def test_what_waits_is_bounded_and_the_rest_waits_in_the_journal(district, receive, hook, deliver):
    receiver = receive(answer=lambda _: Said(status=500))
    webhook = hook(receiver)
    register(district, MOST_PENDING + 20)
    deliver(receiver)
    with district._session.read() as tx:
        assert tx.count(pending_of(webhook.id)) == MOST_PENDING


def test_the_schedule_adds_jitter_and_heeds_what_was_asked():
    assert SCHEDULE.wait(1, random=lambda: 0.0) == timedelta(seconds=5)
    assert SCHEDULE.wait(1, random=lambda: 1.0) == timedelta(seconds=6)
    assert SCHEDULE.wait(1, random=lambda: 0.0, asked=90) == timedelta(seconds=90)
    assert SCHEDULE.wait(1, random=lambda: 0.0, asked=1e9) == timedelta(hours=24)
    assert SCHEDULE.wait(1, random=lambda: 0.0, asked=-1) == timedelta(seconds=5)
    assert SCHEDULE.wait(10, random=lambda: 0.0) is None


def test_records_hold_no_secret_and_the_journal_no_address(district, receive, hook, secret):
    receiver = receive()
    webhook = hook(receiver)
    path = receiver.url.rpartition(":")[2].partition("/")[2]
    bodies = " ".join(stored.body for stored, _, _ in district.journal.events())
    assert path not in bodies
    assert secret.reveal() not in bodies
    assert path not in repr(webhook)
    assert webhook.origin in bodies


def test_a_run_goes_on_for_as_long_as_asked(district, receive, hook, deliver, clock):
    broken = [True]
    receiver = receive(answer=lambda _: Said(status=500 if broken.pop() else 204))
    broken[:] = [False, True]
    hook(receiver)
    register(district, 1)
    begin = clock()
    report = deliver(receiver, seconds=8)
    assert (report.failed, report.delivered) == (1, 1)
    assert (clock() - begin) == timedelta(seconds=8)
    assert max(clock.slept) <= 1.0


def test_an_error_of_our_own_counts_as_an_attempt(district, receive, hook, deliver, monkeypatch):
    from assetflow.exchange.webhooks.posting import Postbox

    def explode(_self, _message):
        raise RuntimeError("a bug")

    receiver = receive()
    hook(receiver)
    register(district, 1)
    monkeypatch.setattr(Postbox, "post", explode)
    report = deliver(receiver)
    assert (report.failed, report.waiting, report.problems) == (1, 1, {"portal": "RuntimeError"})
    (waiting,) = district.webhooks.waiting()
    assert (waiting.attempts, waiting.error, waiting.owner) == (1, "unexpected", None)


def test_a_process_that_slept_past_its_lease_sends_nothing(district, receive, hook, deliver):
    receiver = receive()
    hook(receiver)
    register(district, 1)
    from assetflow.exchange.webhooks.delivering import _post
    from assetflow.exchange.webhooks.posting import Message, Postbox

    webhook = district.webhooks.get("portal")
    box = Postbox(
        webhook, [new_webhook_secret()], rules=receiver.rules, clock=district._session.clock
    )
    assert _post(box, Message.of("msg_1", [{}]), 0.0) is None
    box.close()
    assert receiver.received == []
    assert receiver.refused == 0


def test_calls_about_different_things_are_made_at_once_within_a_bound(
    district, receive, hook, deliver
):
    meeting = threading.Barrier(3, timeout=30)  # breaks, and fails the test, unless three meet
    receiver = receive(answer=lambda _: meeting.wait() is not None and Said())
    hook(receiver)
    register(district, 6)
    report = deliver(receiver, workers_per_webhook=3)
    assert (report.delivered, report.failed) == (6, 0)
    assert receiver.most_at_once == 3
