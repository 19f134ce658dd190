"""How far a long command is: a bar on a terminal, else a line every ten seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from assetflow.exchange.report import OnProgress, Progress

__all__ = ["progress"]

_EVERY = 10.0


@contextmanager
def progress(*, clock: Callable[[], float] = time.monotonic) -> Iterator[OnProgress]:
    """What to give a pull as ``on_progress``; writes to standard error.

    Args:
        clock: Tells seconds, for the lines of a job without a terminal.
    """
    if sys.stderr.isatty():
        with _bar() as tell:
            yield tell
    else:
        yield _Lines(clock)


class _Lines:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()

    def __call__(self, now: Progress) -> None:
        if self._clock() - self._last < _EVERY:
            return
        self._last = self._clock()
        of = f" of {now.expected:,}" if now.expected else ""
        click.echo(
            f"{now.source}: {now.phase}, {now.seen:,}{of} read, {now.applied:,} applied", err=True
        )


@contextmanager
def _bar() -> Iterator[OnProgress]:
    from rich.console import Console  # noqa: PLC0415  # only for terminals
    from rich.progress import (  # noqa: PLC0415  # as above
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import Progress as Bar  # noqa: PLC0415  # as above

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("connecting", total=None)

        def tell(now: Progress) -> None:
            bar.update(
                task,
                description=f"{now.source}: {now.phase}",
                completed=now.seen,
                total=now.expected,
            )

        yield tell
