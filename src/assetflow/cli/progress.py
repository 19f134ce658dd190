"""How far a long command is: a bar on a terminal, else a line every ten seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from attrs import frozen

if TYPE_CHECKING:
    from assetflow.exchange.report import OnProgress, Progress

__all__ = ["Step", "progress", "steps"]

_EVERY = 10.0


@frozen(kw_only=True)
class Step:
    """Where a long command stands."""

    title: str
    """What is being done, before a bar."""
    line: str
    """The whole of it in one line, where there is no bar."""
    done: int = 0
    """How much is done."""
    of: int | None = None
    """How much there is, where that is known."""


@contextmanager
def progress(*, clock: Callable[[], float] = time.monotonic) -> Iterator[OnProgress]:
    """What to give a pull as ``on_progress``; writes to standard error.

    Args:
        clock: Tells seconds, for the lines of a job without a terminal.
    """
    with steps(clock=clock) as show:
        yield lambda now: show(_step_of(now))


def _step_of(now: Progress) -> Step:
    of = f" of {now.expected:,}" if now.expected else ""
    return Step(
        title=f"{now.source}: {now.phase}",
        line=f"{now.source}: {now.phase}, {now.seen:,}{of} read, {now.applied:,} applied",
        done=now.seen,
        of=now.expected,
    )


@contextmanager
def steps(*, clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[[Step], None]]:
    """Shows the steps of any long command; writes to standard error.

    Args:
        clock: Tells seconds, for the lines of a job without a terminal.
    """
    if sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _Lines(clock)


class _Lines:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()

    def __call__(self, now: Step) -> None:
        if self._clock() - self._last < _EVERY:
            return
        self._last = self._clock()
        click.echo(now.line, err=True)


@contextmanager
def _bar() -> Iterator[Callable[[Step], None]]:
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
        yield lambda now: bar.update(task, description=now.title, completed=now.done, total=now.of)
