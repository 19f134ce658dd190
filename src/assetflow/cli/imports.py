"""Plans, reports and runs as rows."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from assetflow.cli.shapes_work import ImportRow, RejectRow
from assetflow.errors import InvalidValue, NotFound
from assetflow.files import DEFAULT_LIMITS
from assetflow.model import ItemOutcome

if TYPE_CHECKING:
    from assetflow.district import District
    from assetflow.exchange.imports import ImportPlan, ImportReport

__all__ = ["readable", "rejects_path", "row_of", "run_id", "word_of"]


def rejects_path(file: str) -> str:
    """Where the refused rows of a file go when nobody says: beside it.

    A file of that name may be one that somebody is correcting, so it is never replaced: the next
    free number is added.
    """
    wanted = Path("stdin" if file == "-" else file).with_suffix(".rejected")
    numbers = itertools.chain([""], (f"-{n}" for n in itertools.count(2)))
    paths = (wanted.with_name(f"{wanted.name}{n}.csv") for n in numbers)
    return str(next(path for path in paths if not path.exists()))


def row_of(plan: ImportPlan, report: ImportReport | None, rejects_file: str | None) -> ImportRow:
    """What came of a file, or what would."""
    return ImportRow(
        what=plan.what,
        applied=report is not None,
        rows=plan.total,
        created=len(plan.adds) if report is None else report.created,
        changed=len(plan.changes) if report is None else report.changed,
        unchanged=len(plan.unchanged) if report is None else report.unchanged,
        rejected=len(plan.rejects),
        rejects_file=rejects_file,
        batch_id=report.batch_id if report else None,
        again=report.again if report else plan.applied is not None,
        rejects=tuple(
            RejectRow(line=r.line, column=r.column, reason=r.reason) for r in plan.rejects
        ),
    )


def readable(file: str) -> str | bytes:
    """What an import reads: a file's path, or all of standard input for ``-``.

    One byte more than a file may have is enough for it to be refused.
    """
    if file != "-":
        return file
    return sys.stdin.buffer.read(DEFAULT_LIMITS.max_bytes + 1)


def run_id(district: District, given: str) -> str:
    """The id of a run; ``latest`` is the newest one.

    Raises:
        NotFound: there is none yet.
    """
    if given != "latest":
        return given
    newest = district.runs.list().first()
    if newest is None:
        raise NotFound("there is no run yet", hint="Pull: assetflow pull google")
    return newest.id


def word_of(outcome: str | None) -> str | None:
    """An outcome's word.

    Raises:
        InvalidValue: there is no such outcome.
    """
    words = [o.value for o in ItemOutcome]
    if outcome is not None and outcome not in words:
        raise InvalidValue("there is no such outcome", hint=f"It is one of: {', '.join(words)}.")
    return outcome
