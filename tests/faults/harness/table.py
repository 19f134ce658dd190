"""Writes what a run found into a page of the documentation."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from harness.results import Result

__all__ = ["BEGIN", "END", "render", "write"]

BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
_HEAD = (
    "| fault | engine | how often | acknowledged | refused | cut off | **lost** | comparisons | time |",
    "|---|---|---|--:|--:|--:|--:|--:|--:|",
)


def render(results: Sequence[Result], *, commit: str, day: str) -> str:
    """The table, and the line that says when, where and of what."""
    cores = os.cpu_count()
    python = f"Python {platform.python_version()}"
    said = f"Run on {day}, commit `{commit}`, {python}, {cores} cores:"
    return "\n".join([BEGIN, "", said, "", *_HEAD, *map(_row, results), "", END])


def _row(found: Result) -> str:
    counts = (found.acknowledged, found.refused, found.unknown, found.lost, found.checks)
    acknowledged, refused, unknown, lost, checks = (f"{n:,}" for n in counts)
    cells = (found.fault, found.engine, found.times, acknowledged, refused, unknown)
    return f"| {' | '.join(cells)} | **{lost}** | {checks} | {_time(found.seconds)} |"


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def write(page: Path, results: Sequence[Result], *, root: Path) -> None:
    """Put the table between its marks."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    table = render(results, commit=_commit(root), day=datetime.now(UTC).strftime("%-d %B %Y"))
    page.write_text(before + table + after, encoding="utf-8", newline="\n")


def _commit(root: Path) -> str:
    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=root, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "tests")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" and changes" if changed else "")
