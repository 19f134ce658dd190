"""A district in each store, a clock that a test sets, and receivers that are stopped at the end."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest

import assetflow as af
from assetflow.testing.receiver import FakeReceiver
from assetflow.wire import new_webhook_secret

BEGIN = datetime(2026, 8, 17, 13, tzinfo=UTC)


class Clock:
    """Tells the time that a test gave it, and moves when something waits."""

    def __init__(self):
        self.now = BEGIN
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)

    def pass_by(self, **span):
        self.now += timedelta(**span)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def url(request, tmp_path):
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/district.db"


@pytest.fixture
def postgres_url(postgres):
    """An empty store on a PostgreSQL server of this machine."""
    import psycopg

    from assetflow.store.sql.addresses import engine_for
    from assetflow.store.sql.migrate import upgrade

    name = f"w{secrets.token_hex(6)}"
    with psycopg.connect(f"{postgres.url}postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    engine = engine_for(postgres.url + name, lock_timeout=20.0)
    try:
        upgrade(engine)
    finally:
        engine.close()
    return postgres.url + name


@pytest.fixture
def file_url(tmp_path):
    """A store in a file, to be made."""
    return f"sqlite:///{tmp_path}/district.db"


@pytest.fixture
def district(url, clock):
    with af.open(url, district="lincoln", actor="test", create=True, clock=clock) as opened:
        yield opened


@pytest.fixture
def secret():
    return new_webhook_secret()


@pytest.fixture
def receive(secret, clock):
    """Makes receivers: ``receive(answer=...)``. They go by the test's clock."""
    made = []

    def make(secrets=secret, **settings):
        given = {"now": lambda: clock().timestamp()} | settings
        made.append(FakeReceiver(secrets, **given).start())
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def deliver(district, clock, secret):
    """Delivers as the district would, with a receiver's rules and the test's clock."""

    def run(receiver, **settings):
        given = {"secrets": lambda _: secret, "sleep": clock.sleep, "random": lambda: 0.0}
        return district.webhooks.deliver(rules=receiver.rules, **(given | settings))

    return run


@pytest.fixture
def hook(district):
    """Adds a webhook: ``hook(receiver, types=[...])``."""

    def add(receiver, name="portal", **settings):
        given = {"url": receiver.url, "secrets": ["${PORTAL_SECRET}"], "rules": receiver.rules}
        return district.webhooks.add(name, **(given | settings))

    return add


@pytest.fixture
def deliver_all(deliver, clock):
    """Delivers until nothing waits, the clock going on to when the next is due; all reports."""

    def run(receiver, **settings):
        reports = [deliver(receiver, **settings)]
        while reports[-1].next_at is not None:
            assert len(reports) < 100
            clock.now = max(clock.now, reports[-1].next_at)
            reports.append(deliver(receiver, **settings))
        return reports

    return run
