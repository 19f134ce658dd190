"""Databases on a server of this machine, and what can happen to the server."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

import assetflow
from assetflow.store.sql.addresses import engine_for
from assetflow.store.sql.migrate import upgrade
from assetflow.testing import servers
from harness.grounds import CANARY, Ground

__all__ = ["PostgresGround", "Server"]

_SECONDS = 60.0
_numbers = count(1)


class Server:
    """A server that a scenario may kill and start again.

    Args:
        started: As it was started first.
    """

    def __init__(self, started: servers.DatabaseServer) -> None:
        self.started = started
        self._again = contextlib.ExitStack()
        self._process = started.process

    def kill(self) -> None:
        """End the server and all its processes at once, as when the machine's memory ran out."""
        children = _children(self._process.pid)
        for pid in (self._process.pid, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._gone(children)

    def stop_immediately(self) -> None:
        """PostgreSQL's immediate shutdown: its processes end where they are."""
        children = _children(self._process.pid)
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(_SECONDS)
        self._gone(children)

    def start(self) -> None:
        """Start it again on the same files; it recovers what was committed."""
        self._process = self._again.enter_context(
            servers._running(
                self.started.process.args,
                servers._other_user(),
                self.started.folder,
                self.started.port,
                signal.SIGINT,
            )
        )

    def close(self) -> None:
        """Stop it, when it was started again; the one that started it first stops it else."""
        self._again.close()

    @staticmethod
    def _gone(pids: list[int]) -> None:
        end = time.monotonic() + _SECONDS
        while any(map(_alive, pids)):
            assert time.monotonic() < end, "a process of the server does not end"
            time.sleep(0.02)


def _alive(pid: int) -> bool:
    """Whether a process runs. One that ended and that nobody waited for does not."""
    return _status(pid)[:1] not in ([], ["Z"])


def _children(pid: int) -> list[int]:
    everybody = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    return [each for each in everybody if _status(each)[1:2] == [str(pid)]]


def _status(pid: int) -> list[str]:
    """A process's state and its parent; empty when it is not there."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return told.rpartition(")")[2].split()[:2]


class PostgresGround(Ground):
    """A database of its own on a PostgreSQL server.

    Args:
        server: The server.
    """

    name = "postgresql"

    def __init__(self, server: Server) -> None:
        self.server = server
        self._base = server.started.url
        self._name = f"faults_{next(_numbers)}"
        self._districts = 0
        self.url = self._create(self._name)
        with self._prepared(self.url) as engine:
            upgrade(engine)

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Callable[[], PostgresGround]]:
        """A server that waits for the disk, and a way to make databases on it."""
        with (
            servers.postgres_server(durable=True) as first,
            contextlib.closing(Server(first)) as server,
        ):
            yield lambda: cls(server)

    @property
    def version(self) -> str:
        number = re.search(r"\d+(\.\d+)+", self.server.started.version)
        return f"PostgreSQL {number[0]}" if number else self.server.started.version

    @property
    def worker_url(self) -> str:
        return f"{self.url}?application_name=worker"

    def check(self) -> None:
        """Each index holds what its table holds, by the server's own module, where it has it."""
        everything = f"{self.server.started.admin_url}{self._name}"
        with psycopg.connect(everything, autocommit=True) as admin:
            has = "SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'"
            if admin.execute(has).fetchone():
                admin.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
                admin.execute(
                    "SELECT bt_index_check(c.oid, true) FROM pg_class c "
                    "JOIN pg_am m ON m.oid = c.relam "
                    "WHERE m.amname = 'btree' AND c.relname LIKE '%af\\_%' AND c.relkind = 'i'"
                )

    def quiet(self) -> None:
        """Wait until the server has done with the workers that were killed."""
        query = (
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE application_name = 'worker' AND datname = %s"
        )
        end = time.monotonic() + _SECONDS
        with self._asking() as admin:
            while admin.execute(query, [self._name]).fetchone()[0]:
                assert time.monotonic() < end, "a killed worker's transaction does not end"
                time.sleep(0.005)

    def furnished(self, put: Callable[[assetflow.District], None]) -> tuple[str, str]:
        """A district beside the others: a database of its own takes seconds to make."""
        self._districts += 1
        name = f"district-{self._districts}"
        with assetflow.open(self.url, district=name, actor="founder", create=True) as district:
            put(district)
        return self.url, name

    def broken(self, *, lost: bool) -> BaseException:
        """An answer is lost with the connection; a call is refused for want of space."""
        if lost:
            return psycopg.errors.AdminShutdown(CANARY)
        return psycopg.errors.DiskFull(CANARY)

    def close(self) -> None:
        """Nothing: the server's folder goes with the server."""

    def _create(self, name: str) -> str:
        with self._asking() as admin:
            admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return f"{self._base}{name}"

    def _asking(self) -> Any:
        return psycopg.connect(f"{self._base}postgres", autocommit=True)

    @contextmanager
    def _prepared(self, url: str) -> Iterator[Any]:
        engine = engine_for(url, lock_timeout=30.0)
        with contextlib.closing(engine):
            yield engine
