"""The databases that scenarios run on, and how each is disturbed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

import assetflow

__all__ = [
    "CANARY",
    "HERE",
    "POLICY",
    "Ground",
    "SqliteGround",
    "furnish",
    "person",
    "tag",
]

HERE = "lincoln"
"""The district of every scenario."""
CANARY = "Canary-Kowalski"
"""Stands in the words of every error of a driver, and must not be seen again."""
POLICY = "[custody]\nmax_devices = 1000\n"
"""So that racing hands may hold whatever they get."""


class Ground(ABC):
    """A database that is made for a scenario and thrown away after it."""

    name: str
    """The engine, as in an address."""
    url: str
    """Where the store is opened."""

    @property
    def worker_url(self) -> str:
        """Where workers open it."""
        return self.url

    def quiet(self) -> None:
        """Wait until what killed workers left behind has ended. In a file nothing is left."""
        return

    @property
    @abstractmethod
    def version(self) -> str:
        """The engine and its version, as printed."""

    @abstractmethod
    def check(self) -> None:
        """Ask the engine itself whether its files are sound."""

    @abstractmethod
    def furnished(self, put: Callable[[assetflow.District], None]) -> tuple[str, str]:
        """A new district in which something was put: its address and its id."""

    @abstractmethod
    def broken(self, *, lost: bool) -> BaseException:
        """What the driver raises: a call is refused, or its answer is lost."""

    @abstractmethod
    def close(self) -> None:
        """Remove it."""

    def settle(self, *, people: int, devices: int) -> None:
        """Make the district, with people to hand devices to and devices to hand out."""
        with self.open(actor="founder", create=True) as district:
            furnish(district, people=people, devices=devices)

    def open(self, *, actor: str, create: bool = False) -> assetflow.District:
        return assetflow.open(self.url, district=HERE, actor=actor, create=create)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def furnish(district: assetflow.District, *, people: int, devices: int) -> None:
    """Put people and devices into a district."""
    district.policy.adopt(POLICY)
    for n in range(people):
        district.people.register("student", local_id=person(n))
    for n in range(devices):
        district.devices.register(asset_tag=tag(n), serial=f"SERIAL{n:05}")


def tag(n: int) -> str:
    return f"LHS-{n:05}"


def person(n: int) -> str:
    return f"{204000 + n}"


class SqliteGround(Ground):
    """A file in a temporary folder, or in one that is given.

    Args:
        folder: Where; the folder stays.
    """

    name = "sqlite"

    def __init__(self, folder: Path | None = None) -> None:
        self._own = None if folder else tempfile.TemporaryDirectory(prefix="assetflow-faults-")
        self.folder = folder or Path(self._own.name)
        self.path = self.folder / "lincoln.db"
        self.url = f"sqlite:///{self.path}"
        self._copies = 0

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Callable[[], SqliteGround]]:
        """A way to make files."""
        yield cls

    @property
    def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    def check(self) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchall()
        assert found == [("ok",)], found

    def furnished(self, put: Callable[[assetflow.District], None]) -> tuple[str, str]:
        if not self._copies:
            with self.open(actor="founder", create=True) as district:
                put(district)
            self.check()  # and the log is in the file
        self._copies += 1
        path = shutil.copyfile(self.path, self.folder / f"copy-{self._copies}.db")
        (self.folder / f"copy-{self._copies - 3}.db").unlink(missing_ok=True)
        return f"sqlite:///{path}", HERE

    def broken(self, *, lost: bool) -> BaseException:
        problem = sqlite3.OperationalError(f"disk I/O error near {CANARY}")
        problem.sqlite_errorcode = 10
        return problem

    def give_away(self) -> None:
        """Let an ordinary user own the file and its folder."""
        for path in (self.folder, *self.folder.iterdir()):
            os.chown(path, 65534, 65534)

    def close(self) -> None:
        if self._own is not None:
            self._own.cleanup()
