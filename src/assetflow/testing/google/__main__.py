"""``python -m assetflow.testing.google``: the fake server by itself."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence

from assetflow.testing.google import FAULTS, FakeGoogle, Fleet

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m assetflow.testing.google",
        description="A fake of Google's Directory API on loopback. Prints its address and runs "
        "until it is killed.",
    )
    parser.add_argument("--port", type=int, default=0, help="where to listen; 0 for a free port")
    parser.add_argument("--devices", type=int, default=700, help="how many Chromebooks")
    parser.add_argument("--users", type=int, help="how many accounts; half as many by default")
    parser.add_argument("--seed", type=int, default=7, help="another seed, another district")
    parser.add_argument("--latency-ms", type=int, default=0, help="how long each answer takes")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        choices=sorted(FAULTS),
        metavar="NAME",
        help="what goes wrong, may be given again: " + ", ".join(sorted(FAULTS)),
    )
    parser.add_argument("--require-token", action="store_true", help="refuse calls without a token")
    parser.add_argument(
        "--warm", action="store_true", help="encode all devices before the first call"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server until it is interrupted."""
    args = _parser().parse_args(argv)
    fleet = Fleet(devices=args.devices, users=args.users, seed=args.seed)
    fake = FakeGoogle(
        fleet=fleet,
        faults=args.fault,
        latency=args.latency_ms / 1000,
        port=args.port,
        anonymous=not args.require_token,
    )
    if args.warm:
        fake.warm()
    with fake, contextlib.suppress(KeyboardInterrupt):
        sys.stdout.write(fake.url + "\n")
        sys.stdout.flush()
        fake.serve()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
