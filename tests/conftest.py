"""What every test gets: no network beyond loopback, Hypothesis profiles, visible skips.

Two markers keep the fast suite fast. A test marked ``slow`` runs with ``--slow``, one marked
``oracle`` with ``--oracle``; without the option it is skipped with the command that runs it.
With ``--oracle`` an oracle test that skips itself, because its package is missing, fails: the
option promises that the comparison was made.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings

from assetflow.testing.servers import ServerMissing, mariadb_server, postgres_server

settings.register_profile("dev", max_examples=50, deadline=timedelta(seconds=2))
settings.register_profile(
    "fast", max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", max_examples=100, deadline=None, print_blob=True)
settings.register_profile(
    "fuzz",
    max_examples=2_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

GATES = {
    "slow": "slow: python scripts/dev.py test --slow",
    "oracle": "needs the group `oracles`: python scripts/dev.py test --oracle",
}

NO_SERVER = "needs a database server"
TEST_URL = os.environ.get("ASSETFLOW_TEST_URL")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("assetflow")
    for name, reason in GATES.items():
        group.addoption(
            f"--{name}", action="store_true", help=f"run tests marked {name} ({reason})"
        )
    group.addoption(
        "--servers", action="store_true", help="a test that finds no database server fails"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for name, reason in GATES.items():
        if not config.getoption(f"--{name}"):
            for item in items:
                if item.get_closest_marker(name):
                    item.add_marker(pytest.mark.skip(reason=reason))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long bytes by their length: what a zip holds differs from process to process."""
    if isinstance(val, bytes) and len(val) > 24:
        return f"{argname}-{len(val)}-bytes"
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    asked = item.config.getoption("--oracle") and item.get_closest_marker("oracle")
    gated = item.get_closest_marker("slow") and not item.config.getoption("--slow")
    if asked and not gated and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"an oracle test skipped itself under --oracle: {report.longrepr}"
    if report.skipped and item.config.getoption("--servers") and NO_SERVER in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"a test found no server under --servers: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    report = yield
    asked = report.skipped and collector.config.getoption("--oracle")
    if asked and "pytest.mark.oracle" in collector.path.read_text(encoding="utf-8"):
        report.outcome = "failed"
        report.longrepr = f"a module skipped itself under --oracle: {report.longrepr}"
    return report


class SocketBlocked(RuntimeError):
    """A test tried to reach beyond this machine."""


def _is_local(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _guard(address: object) -> None:
    # A tuple is an internet address; a path or bytes is a socket file on this machine.
    if isinstance(address, tuple) and not _is_local(address[0]):
        message = f"tests may open sockets on loopback only, not {address[0]!r}"
        raise SocketBlocked(message)


@pytest.fixture(autouse=True, scope="session")
def _loopback_only():
    """Refuse every address and name beyond loopback, in this process."""
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex"):
        real = getattr(socket.socket, name)

        def connect(self, address, real=real):
            _guard(address)
            return real(self, address)

        patch.setattr(socket.socket, name, connect)
    resolve = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        _guard((host,))
        return resolve(host, *args, **kwargs)

    patch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def _own_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Keep the machine's own assetflow settings and folders out of the tests."""
    for name in list(os.environ):
        if name.startswith("ASSETFLOW_"):
            monkeypatch.delenv(name)
    home = str(tmp_path_factory.getbasetemp() / "home")
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, home)


# --- database servers --------------------------------------------------------------------------


def _server(start):
    """A server for this process's tests; whoever asks for one that cannot be had skips visibly."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(start())
        except ServerMissing as missing:
            pytest.skip(f"{NO_SERVER}: {missing}")
        yield server


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server of this machine: a `assetflow.testing.servers.DatabaseServer`."""
    yield from _server(postgres_server)


@pytest.fixture(scope="session")
def mariadb():
    """A MariaDB server of this machine: a `assetflow.testing.servers.DatabaseServer`."""
    yield from _server(mariadb_server)


@pytest.fixture(scope="session")
def test_url():
    """The address of a database that somebody wants the tests of stores to meet too."""
    return TEST_URL
