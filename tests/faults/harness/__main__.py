"""``python scripts/dev.py faults``: everything that the harness can do to a district.

Without options it kills 200 writers and races for 10,000 check-outs on each engine, as the slow
tests do; ``--kills 1000 --race 100000 --write`` is the full run whose figures stand in
``docs/explanation/reliability.md``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from attrs import evolve

from harness.breaking import break_calls
from harness.clocks import set_back
from harness.grounds import Ground, SqliteGround
from harness.kills import kill_writers
from harness.nursery import Nursery
from harness.obstructions import KINDS, obstruct, small_ground
from harness.outages import end_server
from harness.racing import race_for_devices
from harness.results import Result
from harness.servers import PostgresGround
from harness.table import Run, write
from harness.verbs import VERBS

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[3]
GROUNDS = {"sqlite": SqliteGround.started, "postgresql": PostgresGround.started}
PAGE = ROOT / "docs" / "explanation" / "reliability.md"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the scenarios, print the tables, and write them where that is asked for."""
    parser = argparse.ArgumentParser(prog="dev.py faults", description=main.__doc__)
    parser.add_argument("--kills", type=int, default=200, help="writers killed on each engine")
    parser.add_argument("--ends", type=int, default=10, help="ends of each server, of each kind")
    parser.add_argument("--race", type=int, default=10_000, help="check-outs raced for on each")
    parser.add_argument("--seed", type=int, default=2026, help="of all that is random")
    parser.add_argument("--engines", default=",".join(GROUNDS), help="only these")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the figures as JSON")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--kept", type=Path, nargs="+", default=[], help="write kept figures only")
    args = parser.parse_args(argv)
    for path in args.kept:
        write(PAGE, Run.load(path))
    if args.kept:
        return 0
    with tempfile.TemporaryDirectory() as folder, Nursery(Path(folder)) as nursery:
        for name in args.engines.split(","):
            run = Run.of(list(_measured(name, nursery, args)), root=ROOT)
            print(run.table(), flush=True)
            if args.keep:
                run.keep(args.keep)
            if args.write:
                write(PAGE, run)
    return 0


def _measured(name: str, nursery: Nursery, args: argparse.Namespace) -> Iterator[Result]:
    with GROUNDS[name]() as make:
        for scenario in _scenarios(make, nursery, args):
            result = scenario()
            if result is not None:
                took = f"{result.seconds:.0f} s"
                print(f"{result.engine}: {result.fault}: {result.times}, {took}", flush=True)
                yield result


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
    if make is not SqliteGround:
        for how in ("kill", "stop_immediately"):
            yield on_new(lambda g, h=how: end_server(g, nursery, h, times=args.ends))
    else:
        for name in KINDS:
            if name == "full_disk":
                yield lambda: _full_disk(nursery)
            else:
                yield on_new(lambda g, n=name: obstruct(g, nursery, n))


def _every_call(ground: Ground) -> Result:
    rows = [break_calls(ground, name) for name in VERBS]
    return evolve(
        rows[0],
        fault=f"each call of the database fails, under each of {len(rows)} verbs",
        times=f"{sum(r.checks for r in rows):,} faults",
        acknowledged=sum(r.acknowledged for r in rows),
        checks=sum(r.checks for r in rows),
        seconds=sum(r.seconds for r in rows),
    )


def _full_disk(nursery: Nursery) -> Result | None:
    with tempfile.TemporaryDirectory() as folder, small_ground(Path(folder)) as ground:
        if ground is None:
            print("full: the file system: left out, nothing can be mounted here", flush=True)
            return None
        return obstruct(ground, nursery, "full_disk")


if __name__ == "__main__":
    sys.exit(main())
