"""The harness lies beside its tests and is no part of the package."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.append(str(HERE))

# No fork, no SIGKILL and no limits on Windows: what is left there are the verbs and the register.
collect_ignore = ["test_faults.py"] if sys.platform == "win32" else []


def pytest_addoption(parser: pytest.Parser) -> None:
    """Only seen when pytest is given this folder; `harness` takes the same for a whole run."""
    group = parser.getgroup("assetflow")
    group.addoption("--kills", type=int, default=200, help="writers to kill on each engine")
    group.addoption("--race", type=int, default=10_000, help="check-outs to race for")


@pytest.fixture(params=["sqlite", "postgresql"])
def ground(request):
    """An empty database on each engine."""
    with new_ground(request) as made:
        yield made


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def furnished(request):
    """A database to copy districts from, on each engine."""
    with new_ground(request) as made:
        yield made


def new_ground(request):
    if request.param == "sqlite":
        from harness.grounds import SqliteGround

        return SqliteGround()
    from harness.servers import PostgresGround, Server

    return PostgresGround(Server(request.getfixturevalue("postgres")))


@pytest.fixture
def file_ground():
    """An empty file."""
    from harness.grounds import SqliteGround

    with SqliteGround() as made:
        yield made


@pytest.fixture(scope="module")
def own_server(postgres):
    """Makes databases on a PostgreSQL server that waits for the disk, and that a test may kill."""
    from harness.servers import PostgresGround

    with PostgresGround.started() as make:
        yield make


@pytest.fixture(scope="module")
def nursery(tmp_path_factory):
    """A process that forks workers."""
    from harness.nursery import Nursery

    with Nursery(tmp_path_factory.mktemp("nursery")) as made:
        yield made
