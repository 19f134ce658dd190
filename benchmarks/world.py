"""What the rows measure on: a fleet, stores that hold it, and a fake server. Made once, on demand."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import assetflow
from assetflow.model import DistrictId
from assetflow.store.sql import SqlStore
from benchmarks.server import Postgres
from benchmarks.source import Pages, PagesConnector, first_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assetflow.district import District

__all__ = ["FULL", "LINCOLN", "QUICK", "TINY", "Scale", "World"]

LINCOLN = DistrictId("lincoln")


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured, and how often."""

    fleet: int
    """Devices of the large fleet."""
    small: int
    """Devices of a small district, for what people do one by one."""
    http: int
    """Devices that are pulled over HTTP without latency, where the peer is slow."""
    rounds: int
    """Pairs for a median."""
    acts: int
    """Check-outs and the like."""
    rows: int
    """Rows of a bulk insert."""
    latency_ms: int = 100
    """How long the fake server takes for a page, where that is what is measured."""


FULL = Scale(fleet=100_000, small=10_000, http=20_000, rounds=5, acts=400, rows=30_000)
QUICK = Scale(fleet=10_000, small=3_000, http=3_000, rounds=3, acts=100, rows=6_000)
TINY = Scale(fleet=700, small=350, http=350, rounds=1, acts=8, rows=100, latency_ms=5)


class World:
    """The stage of one run. Files lie in one temporary folder, removed at the end.

    Args:
        scale: How much.
    """

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self._folder = tempfile.TemporaryDirectory(prefix="assetflow-bench-")
        self.folder = Path(self._folder.name)
        self._stack = ExitStack()
        self.year = 2026
        """The year in which the large fleet made contact last."""
        self.carts = 0
        """How often a hundredth of the large fleet changed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()
        self._folder.cleanup()

    @cached_property
    def postgres(self) -> Postgres:
        """A PostgreSQL server.

        Raises:
            Missing: there is none.
        """
        return Postgres(self._stack)

    @cached_property
    def pages(self) -> Pages:
        """The large fleet as the fake server gives it."""
        return first_pages(self.scale.fleet)

    @cached_property
    def large(self) -> Path:
        """A district that knows the large fleet."""
        return self.pulled("large.db", self.scale.fleet, self.pages)

    @cached_property
    def small(self) -> Path:
        """A district that knows the small fleet, which is not a part of the large one."""
        return self.pulled("small.db", self.scale.small)

    @cached_property
    def empty(self) -> Path:
        """A district that knows nothing yet."""
        path = self.folder / "empty.db"
        self.open(path).close()
        return path

    def copy(self, path: Path, name: str) -> Path:
        """A copy of a district's file that no connection has open."""
        for rest in ("-wal", "-shm"):  # of an earlier copy: they are no part of this one
            (self.folder / f"{name}{rest}").unlink(missing_ok=True)
        return Path(shutil.copyfile(path, self.folder / name))

    def open(self, path: Path) -> District:
        return assetflow.open(
            f"sqlite:///{path}", district=LINCOLN, create=True, actor="bench", time_zone="UTC"
        )

    def store(self, path: Path) -> SqlStore:
        return SqlStore.open(f"sqlite:///{path}")

    def pulled(self, name: str, devices: int, pages: Pages | None = None) -> Path:
        """A district that knows a fleet of so many; the same fleet that a server of so many has."""
        path = self.folder / name
        with self.open(path) as district:
            district.pull(PagesConnector(pages or first_pages(devices), devices), workers=1)
        return path

    @contextmanager
    def server(self, devices: int, *, latency_ms: int = 0) -> Iterator[str]:
        """The fake Directory API in a process of its own; gives its address."""
        command = [sys.executable, "-m", "assetflow.testing.google", "--warm"]
        command += ["--devices", str(devices), "--latency-ms", str(latency_ms)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield (process.stdout.readline() if process.stdout else "").strip()
            finally:
                process.kill()
