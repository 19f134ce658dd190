"""``demo``: a made-up district to look around in; no account, no network beyond this machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import click

from assetflow.cli.config import DEMO_FOLDER
from assetflow.cli.devices import DAY
from assetflow.cli.verb import Face, Verb

if TYPE_CHECKING:
    from assetflow.exchange.report import OnProgress

__all__ = ["demo"]


@click.command(cls=Verb)
@click.option("--on", type=DAY, metavar="DAY", help="The day that counts as today.")
@click.option("--clean", is_flag=True, help="Remove what the demo made, and nothing else.")
@click.pass_obj
def demo(face: Face, on: datetime | None, *, clean: bool) -> None:
    """Make a made-up district to look around in.

    1,200 devices in ./assetflow-demo: an inventory and a roster are read from files, a Google
    that runs on this machine is pulled over HTTP, devices are handed out. No account, no network.
    Again, it changes nothing; --clean removes it.
    """
    from assetflow.cli.demo_view import DemoCard, cleaned, tell_demo  # noqa: PLC0415  # loads the library
    from assetflow.testing.demo import clean_demo, make_demo  # noqa: PLC0415  # as above

    if clean:
        cleaned(face.out, DEMO_FOLDER, *clean_demo(DEMO_FOLDER))
        return
    begun = time.perf_counter()
    with _steps() as (step, progress):
        day = on.date() if on else None
        report = make_demo(DEMO_FOLDER, on=day, on_step=step, on_progress=progress)
    face.profile, face.given = "demo", {}
    card = DemoCard.of(report, seconds=time.perf_counter() - begun, pasted=face.pasted)
    tell_demo(face.out, card)


@contextmanager
def _steps() -> Iterator[tuple[Callable[[str], None], OnProgress]]:
    """Say what is being done: on a terminal in a line that goes away, else not at all."""
    if not sys.stderr.isatty():
        yield (lambda _: None), (lambda _: None)
        return
    from rich.console import Console  # noqa: PLC0415  # only for terminals

    console = Console(stderr=True, highlight=False)
    with console.status("making a district") as status:
        yield (
            lambda word: status.update(f"{word} ..."),
            lambda now: status.update(f"{now.source}: {now.seen:,} of {now.expected or 0:,} read"),
        )
