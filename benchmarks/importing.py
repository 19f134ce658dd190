"""What ``import assetflow`` costs, against ``import attrs``, each in interpreters of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measure import Compared, Line, Target, micros

if TYPE_CHECKING:
    from benchmarks.world import World

__all__ = ["rows"]

_HEAVY = ("asyncio", "httpx", "sqlalchemy")
_CODE = """
import sys, time
begun = time.process_time()
import {package}
took = time.process_time() - begun
print(took, *(name for name in {heavy!r} if name in sys.modules))
"""


def _import(package: str, cache: str) -> float:
    """Seconds of CPU, byte code cached, without the interpreter's own start."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPYCACHEPREFIX"] = cache
    code = _CODE.format(package=package, heavy=_HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    took, *loaded = done.stdout.split()
    if package == "assetflow" and loaded:
        raise AssertionError(f"importing assetflow loads {', '.join(loaded)}")
    return float(took)


def rows(world: World) -> Iterator[Line]:
    """The package itself, which loads nothing that was not asked for."""
    cache = str(world.folder / "pycache")
    times: tuple[list[float], list[float]] = ([], [])
    rounds = world.scale.rounds * 4
    for number in range(rounds + 1):
        for side, package in enumerate(("assetflow", "attrs")):
            took = _import(package, cache)
            if number:  # the first one compiles
                times[side].append(took)
    found = Compared(*times)
    yield Line(
        "import assetflow",
        micros(median(found.subject)),
        f"import attrs {micros(median(found.peer))}",
        found.cost,
        Target(1.5),
    )
