"""Receivers that misbehave and deliverers that are killed: nothing is lost, nothing is overtaken.

Each test has a floor on what arrived or was tried, so that none can pass by doing nothing.
"""

import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

import assetflow as af
from assetflow.errors import InvalidValue
from assetflow.testing.receiver import FakeReceiver, Said
from assetflow.wire import TargetRules, new_webhook_secret

CHILD = Path(__file__).with_name("deliver_child.py")


def work(district, *, devices, rounds):
    """Register devices and edit each a few times; how many events that makes."""
    for i in range(devices):
        district.devices.register(asset_tag=f"LHS-{i:04d}")
    for n in range(rounds):
        for i in range(devices):
            district.devices.edit(f"LHS-{i:04d}", condition=("good", "fair")[n % 2])
    return devices * (1 + rounds)


def first_arrivals(events):
    """Sequence numbers by subject, each as it first arrived."""
    found = {}
    for event in events:
        found.setdefault(event["subject"], {})[int(event["sequence"])] = True
    return {subject: list(seqs) for subject, seqs in found.items()}


def assert_all_in_order(district, events, since):
    told = [c for c in district.changes(since=since, limit=10_000) if c.subject[:6] == "device"]
    arrived = first_arrivals(events)
    wanted = {}
    for change in told:
        wanted.setdefault(change.subject, []).append(change.seq)
    assert {s: seqs for s, seqs in arrived.items() if s[:6] == "device"} == wanted


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (Said(silent=True), "deadline"),
        (Said(status=500, body=b"x" * 100, drip=0.2), "http-status"),
        (Said(status=404), "http-status"),
        (Said(status=100_000), "unreachable"),
    ],
    ids=["hangs", "slow-500", "404", "no-http"],
)
def test_a_receiver_that_misbehaves_costs_one_attempt_and_no_more_than_its_time(
    said, code, district, receive, hook, deliver
):
    receiver = receive(answer=lambda _: said)
    hook(receiver)
    district.devices.register(asset_tag="A1")
    began = time.monotonic()
    report = deliver(receiver, timeout=1.5)
    assert time.monotonic() - began < 1.5 + 5
    assert report.failed == 1
    (waiting,) = district.webhooks.waiting()
    assert (waiting.attempts, waiting.error) in {(1, code), (1, "deadline")}
    assert waiting.owner is None


@pytest.mark.parametrize(
    "said",
    [Said(status=200, body=b"x" * 100, drip=0.2), Said(status=200, body=b"x" * 1_000_000)],
    ids=["drips", "huge"],
)
def test_the_status_counts_whatever_comes_after_it(said, district, receive, hook, deliver):
    receiver = receive(answer=lambda _: said)
    hook(receiver)
    district.devices.register(asset_tag="A1")
    began = time.monotonic()
    assert deliver(receiver, timeout=1.5).delivered == 1
    assert time.monotonic() - began < 1.5 + 5


def test_nobody_listens(district, hook, deliver, receive):
    receiver = receive()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/hook"
        hook(receiver, url=url)
        district.devices.register(asset_tag="A1")
        assert deliver(receiver).failed == 1
    (waiting,) = district.webhooks.waiting()
    assert (waiting.error, waiting.http_status) == ("unreachable", None)


@pytest.mark.parametrize("seconds", [0, -1, 31, float("nan")])
def test_a_call_has_its_time(district, seconds):
    with pytest.raises(InvalidValue):
        district.webhooks.deliver(timeout=seconds)


@pytest.mark.parametrize("seed", range(3))
def test_a_flaky_receiver_gets_all_in_order(seed, district, receive, hook, deliver_all):
    dice = random.Random(seed)
    bad = [Said(status=s) for s in (500, 503, 404, 429, 502)] + [
        Said(status=302, headers=(("Location", "https://elsewhere.example/"),))
    ]
    tries = Counter()

    def answer(message):
        tries[message.id] += 1
        return dice.choice(bad) if dice.random() < 0.3 and tries[message.id] < 6 else Said()

    receiver = receive(answer=answer)
    hook(receiver)
    mark = district.changes().cursor
    made = work(district, devices=8, rounds=3)
    reports = deliver_all(receiver)
    assert sum(r.delivered for r in reports) == made == 32
    assert sum(r.failed for r in reports) >= 5
    assert sum(r.dead for r in reports) == 0
    assert_all_in_order(district, receiver.events, mark)


@pytest.fixture(params=["sqlite", "postgresql"])
def shared_url(request):
    """A store that several processes may use."""
    name = {"sqlite": "file_url", "postgresql": "postgres_url"}[request.param]
    return request.getfixturevalue(name)


def test_three_deliverers_at_once_send_each_delivery_once_and_in_order(shared_url):
    secret, url = new_webhook_secret(), shared_url
    with (
        FakeReceiver(secret) as receiver,
        af.open(url, district="lincoln", actor="test", create=True) as district,
    ):
        district.webhooks.add("p", url=receiver.url, secrets=["${S}"], rules=receiver.rules)
        mark = district.changes().cursor
        made = work(district, devices=12, rounds=4)
        reports, failures = [], []

        def run():
            try:
                with af.open(url, actor="worker") as mine:
                    reports.append(
                        mine.webhooks.deliver(
                            secrets=lambda _: secret, rules=TargetRules.loopback(), seconds=4
                        )
                    )
            except Exception as error:  # noqa: BLE001  # shown below
                failures.append(error)

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert failures == []
        assert sum(r.delivered for r in reports) == made == 60
        assert len(receiver.received) == 60, "nothing was sent twice"
        assert_all_in_order(district, receiver.events, mark)


def killed_runs(url, *, kills, devices, rounds, seed):
    """Deliver with processes that are killed in the middle; what arrived, and before which kill."""
    secret, dice = new_webhook_secret(), random.Random(seed)
    enough, count = threading.Event(), {"seen": 0, "until": 0}
    lock = threading.Lock()

    def answer(_message):
        with lock:
            count["seen"] += 1
            if count["seen"] >= count["until"]:
                enough.set()
        return Said()

    with (
        FakeReceiver(secret, answer=answer) as receiver,
        af.open(url, district="lincoln", actor="test", create=True) as district,
    ):
        district.webhooks.add("p", url=receiver.url, secrets=["${S}"], rules=receiver.rules)
        mark = district.changes().cursor
        made = work(district, devices=devices, rounds=rounds)
        for _ in range(kills):
            enough.clear()
            count["until"] = count["seen"] + dice.randint(3, 12)
            child = subprocess.Popen(
                [sys.executable, str(CHILD), url, secret.reveal(), "60"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            try:
                assert enough.wait(60), child.poll()
            finally:
                child.send_signal(signal.SIGKILL)
                child.wait(30)
                child.stderr.close()
        before_last = len(receiver.taken)
        report = district.webhooks.deliver(
            secrets=lambda _: secret, rules=receiver.rules, seconds=0
        )
        assert report.waiting == 0, "a killed process holds nothing up"
        assert_all_in_order(district, receiver.events, mark)
        assert district.journal.verify().replayed == ()
        return made, before_last, len(receiver.taken)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.timeout(240)
def test_killed_deliverers_lose_nothing_and_keep_the_order(shared_url):
    made, before, taken = killed_runs(shared_url, kills=3, devices=20, rounds=4, seed=1)
    assert made == 100
    assert before >= 9, "the processes that were killed had delivered"
    assert made <= taken <= made + 3 * 8, "at most what was on its way comes twice"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.timeout(900)
def test_many_killed_deliverers(shared_url):
    made, before, taken = killed_runs(shared_url, kills=30, devices=40, rounds=9, seed=2)
    assert made == 400
    assert before >= 90
    assert made <= taken <= made + 30 * 8
