"""Keeps what a run found, and writes it into a page of the documentation."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

from harness.results import Result

__all__ = ["Run", "write"]

_HEAD = (
    "| fault | how often | acknowledged | refused | cut off | **lost** | comparisons | time |",
    "|---|---|--:|--:|--:|--:|--:|--:|",
)


@frozen
class Run:
    """All scenarios on one engine."""

    engine: str
    """The engine and its version."""
    commit: str
    """Of which state of the library."""
    said: str
    """Day, Python and machine."""
    results: tuple[Result, ...]
    """The rows."""

    @classmethod
    def of(cls, results: Sequence[Result], *, root: Path) -> Run:
        """A run that just ended."""
        day = datetime.now(UTC).strftime("%-d %B %Y")
        said = f"{day}, Python {platform.python_version()}, {os.cpu_count()} cores"
        return cls(results[0].engine, _commit(root), said, tuple(results))

    @classmethod
    def load(cls, path: Path) -> Run:
        """A run that was kept."""
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        rows = tuple(Result(**row) for row in told.pop("results"))
        return cls(**told, results=rows)

    def keep(self, folder: Path) -> Path:
        """Keep it as JSON."""
        path = folder / f"faults-{self.name}.json"
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        return path

    @property
    def name(self) -> str:
        """The engine alone, as the page's marks have it."""
        return self.engine.split()[0].lower()

    def table(self) -> str:
        """Rows, and above them when, where and of what."""
        begun = f"**{self.engine}**, commit `{self.commit}`, {self.said}:"
        return "\n".join([begun, "", *_HEAD, *map(_row, self.results)])


def _row(found: Result) -> str:
    counts = (found.acknowledged, found.refused, found.unknown, found.lost, found.checks)
    acknowledged, refused, unknown, lost, checks = (f"{n:,}" for n in counts)
    cells = (found.fault, found.times, acknowledged, refused, unknown)
    return f"| {' | '.join(cells)} | **{lost}** | {checks} | {_time(found.seconds)} |"


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def write(page: Path, run: Run) -> None:
    """Put the table of a run between its engine's marks."""
    begin, end = f"<!-- faults {run.name}: begin -->", f"<!-- faults {run.name}: end -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"the page has no {begin} ... {end}")
    text = f"{before}{begin}\n\n{run.table()}\n\n{end}{after}"
    page.write_text(text, encoding="utf-8", newline="\n")


def _commit(root: Path) -> str:
    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=root, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "tests")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" and changes" if changed else "")
