"""``python -m benchmarks``: one line for each row of what the library promises about speed."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import page
from benchmarks.measure import Line
from benchmarks.rows import ROWS
from benchmarks.world import FULL, QUICK, Scale, World

__all__ = ["main"]

_FORM = "{:<26} {:<22} {:<44} {:>7}  {:<8} {}"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. The exit code says only whether every row could run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("--rows", help=f"only these, with commas between: {', '.join(ROWS)}")
    parser.add_argument("--quick", action="store_true", help="smaller and rougher, in a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the lines there too")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write the table into a page")
    args = parser.parse_args(argv)
    chosen = args.rows.split(",") if args.rows else list(ROWS)
    unknown = [name for name in chosen if name not in ROWS]
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}")
    return measure(chosen, QUICK if args.quick else FULL, out=args.json, into=args.write)


def measure(
    chosen: Sequence[str], scale: Scale, *, out: Path | None = None, into: Path | None = None
) -> int:
    """Measure some rows, print each line as it comes, and say how the run went."""
    begun = time.monotonic()
    machine = _machine()  # the load as it was before this run made its own
    print(_FORM.format("name", "figure", "peer or limit", "ratio", "target", ""))
    lines: list[Line] = []
    failed: list[str] = []
    with World(scale) as world:
        for name in chosen:
            try:
                for line in ROWS[name](world):
                    lines.append(line)
                    print(_shown(line), flush=True)
            except Exception:  # noqa: BLE001  # one row's fault is told, and the others go on
                failed.append(name)
                print(f"{name}: could not run", flush=True)
                traceback.print_exc()
    short = sum(line.state == "short" for line in lines)
    took = time.monotonic() - begun
    print(f"\n{len(lines)} lines, {short} short, in {took:.0f} s; {machine}")
    if out is not None:
        told = [
            asdict(line) | {"target": str(line.target or ""), "state": line.state} for line in lines
        ]
        out.write_text(json.dumps({"machine": machine, "lines": told}, indent=1) + "\n", "utf-8")
    if into is not None:
        page.write(into, lines, machine)
    return 1 if failed else 0


def _shown(line: Line) -> str:
    ratio = "" if line.ratio is None else f"{line.ratio:.3g}x"
    target = "" if line.target is None else str(line.target)
    return _FORM.format(line.name, line.figure, line.peer, ratio, target, line.state)


def _machine() -> str:
    busy = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python}, {os.cpu_count()} cores{busy}"


if __name__ == "__main__":
    sys.exit(main())
