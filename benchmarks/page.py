"""Writes what a run measured into a page of the documentation, between two marks."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import Line

__all__ = ["write"]

_BEGIN, _END = "<!-- bench: begin -->", "<!-- bench: end -->"
_HEAD = ("| row | figure | peer or limit | ratio | target | |", "|---|---|---|--:|---|---|")


def write(path: Path, lines: Sequence[Line], machine: str) -> None:
    """Put the table in place of the one that a page has.

    Args:
        path: The page.
        lines: What was measured.
        machine: Python, cores and load.

    Raises:
        ValueError: the page has no place for it.
    """
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        msg = f"{path} has no {_BEGIN} and {_END}"
        raise ValueError(msg)
    day = datetime.now(UTC).strftime("%-d %B %Y")
    said = f"Commit `{_commit(path)}`, {day}, {machine}:"
    table = "\n".join([said, "", *_HEAD, *map(_row, lines)])
    path.write_text(f"{before}{begin}\n\n{table}\n\n{end}{after}", encoding="utf-8")


def _row(line: Line) -> str:
    ratio = "" if line.ratio is None else f"{line.ratio:.3g}x"
    target = "" if line.target is None else str(line.target)
    state = f"**{line.state}**" if line.state == "short" else line.state
    return f"| {line.name} | {line.figure} | {line.peer} | {ratio} | {target} | {state} |"


def _commit(path: Path) -> str:
    asked = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(
        asked, cwd=path.resolve().parent, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
