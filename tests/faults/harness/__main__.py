"""``python scripts/dev.py faults``: everything that the harness can do to a district.

Without options it kills 200 writers and races for 10,000 check-outs on each engine, as the slow
tests do; ``--kills 1000 --race 100000 --write`` is the full run whose figures stand in
``docs/explanation/reliability.md``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from attrs import evolve

from harness.breaking import break_calls
from harness.clocks import set_back
from harness.grounds import GROUNDS, Ground, SqliteGround
from harness.kills import kill_writers
from harness.nursery import Nursery
from harness.obstructions import KINDS, obstruct, small_ground
from harness.racing import race_for_devices
from harness.results import Result
from harness.table import render, write
from harness.verbs import VERBS

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "explanation" / "reliability.md"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the scenarios, print the table, and write it where that is asked for."""
    parser = argparse.ArgumentParser(prog="dev.py faults", description=main.__doc__)
    parser.add_argument("--kills", type=int, default=200, help="writers killed on each engine")
    parser.add_argument("--race", type=int, default=10_000, help="check-outs raced for on each")
    parser.add_argument("--seed", type=int, default=2026, help="of all that is random")
    parser.add_argument("--engines", default=",".join(GROUNDS), help="only these")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    args = parser.parse_args(argv)
    found: list[Result] = []
    with tempfile.TemporaryDirectory() as folder, Nursery(Path(folder)) as nursery:
        for name in args.engines.split(","):
            for scenario in _scenarios(GROUNDS[name], nursery, args):
                begun = time.monotonic()
                result = scenario()
                if result is not None:
                    found.append(result)
                    took = time.monotonic() - begun
                    print(
                        f"{result.engine}: {result.fault}: {result.times}, {took:.0f} s", flush=True
                    )
    if args.write:
        write(PAGE, found, root=ROOT)
    print(render(found, commit="this", day="now"))
    return 0


def _scenarios(
    make: Callable[[], Ground], nursery: Nursery, args: argparse.Namespace
) -> Iterator[Callable[[], Result | None]]:
    def on_new(do: Callable[[Ground], Result]) -> Callable[[], Result]:
        def run() -> Result:
            with make() as ground:
                return do(ground)

        return run

    yield on_new(lambda g: kill_writers(g, nursery, kills=args.kills, seed=args.seed))
    yield on_new(lambda g: race_for_devices(g, nursery, check_outs=args.race, seed=args.seed))
    yield on_new(_every_call)
    yield on_new(set_back)
    if make is SqliteGround:
        for name in KINDS:
            if name == "full_disk":
                yield lambda: _full_disk(nursery)
            else:
                yield on_new(lambda g, n=name: obstruct(g, nursery, n))


def _every_call(ground: Ground) -> Result:
    begun = time.monotonic()
    rows = [break_calls(ground, name) for name in VERBS]
    return evolve(
        rows[0],
        fault=f"each call of the database fails, under each of {len(rows)} verbs",
        times=f"{sum(r.checks for r in rows):,} faults",
        acknowledged=sum(r.acknowledged for r in rows),
        checks=sum(r.checks for r in rows),
        seconds=time.monotonic() - begun,
    )


def _full_disk(nursery: Nursery) -> Result | None:
    with tempfile.TemporaryDirectory() as folder, small_ground(Path(folder)) as ground:
        if ground is None:
            print("full: the file system: left out, nothing can be mounted here", flush=True)
            return None
        return obstruct(ground, nursery, "full_disk")


if __name__ == "__main__":
    sys.exit(main())
