"""A fake Google for each test, and connectors that do not wait long for it."""

import pytest

from assetflow.connectors import GoogleAdmin
from assetflow.connectors.google import ServiceAccount
from assetflow.testing.google import FakeGoogle, Fleet
from assetflow.wire import Limits, NoAuth, RetryPolicy

QUICK = {
    "retry": RetryPolicy(max_attempts=6, base=0.005, cap=0.02),
    "limits": Limits(deadline=20, timeout=10),
    "reads_per_minute": None,
}


@pytest.fixture
def start():
    """Starts fake servers; they end with the test."""
    running = []

    def begin(devices=700, **options):
        fake = FakeGoogle(devices=devices, **options)
        fake.start()
        running.append(fake)
        return fake

    yield begin
    for fake in running:
        fake.close()


@pytest.fixture
def connect():
    """Connects to a fake server; closed with the test."""
    opened = []

    def begin(fake, credentials=None, **options):
        google = GoogleAdmin(credentials or NoAuth(), base_url=fake.url, **{**QUICK, **options})
        opened.append(google)
        return google

    yield begin
    for google in opened:
        google.close()


@pytest.fixture
def fake(start):
    return start()


@pytest.fixture
def google(fake, connect):
    return connect(fake)


@pytest.fixture
def account():
    """The service account that a fake server knows."""

    def make(fake, **options):
        return ServiceAccount(fake.key_file(), subject=fake.fleet.admin, **options)

    return make


@pytest.fixture(scope="session")
def records():
    """Made-up devices as Google sends them."""
    fleet = Fleet(devices=400, seed=3)
    return [fleet.device(index) for index in range(400)]
