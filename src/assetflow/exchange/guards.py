"""When a pull must stop by itself: pure questions about its counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetflow.errors import ChangeGuardTripped, IncompleteListing, TooManyProblems

if TYPE_CHECKING:
    from assetflow.model import RunId

__all__ = ["too_many_problems", "too_much", "unproven"]


def too_many_problems(
    *, problems: int, read: int, percent: int, source: str, run_id: RunId
) -> TooManyProblems | None:
    """The error when more of the records than *percent* could not be read."""
    total = read + problems
    if problems * 100 <= percent * total:
        return None
    msg = f"{problems:,} of {total:,} records from {source} could not be read"
    return TooManyProblems(msg, run_id=run_id, problems=problems, seen=read)


_WORDS = {
    "max_change_percent": "change {count:,} records",
    "max_new_percent": "add {count:,} records",
    "max_absent_percent": "mark {count:,} records absent",
}


def too_much(
    option: str, count: int, *, known: int, percent: int, floor: int, source: str, run_id: RunId
) -> ChangeGuardTripped | None:
    """The error when a run would do something to more of the known records than *percent*.

    Args:
        option: The option that lets it pass: ``max_change_percent``, ``max_new_percent`` or
            ``max_absent_percent``.
        count: Records that it would touch.
        known: Records that were known when the run began.
        percent: How many of the known ones may be touched.
        floor: So many pass whatever the percentage; for absence never more than half.
        source: The source's name.
        run_id: The run.
    """
    if option == "max_absent_percent":
        floor = min(floor, known // 2)  # a fleet of a dozen must not vanish below the floor
    if count <= floor or count * 100 <= percent * known:
        return None
    what = _WORDS[option].format(count=count)
    needed = -(-count * 100 // max(known, 1))
    return ChangeGuardTripped(
        f"the pull from {source} would {what}; {known:,} were known",
        hint=f"Look at what the source shows. If it is right, pull again with {option}={needed}.",
        run_id=run_id,
        count=count,
        known=known,
    )


def unproven(
    *, seen: int, counts: set[int], source: str, run_id: RunId
) -> IncompleteListing | None:
    """The error when fewer or more records were seen than the source counted before and after.

    A fleet may change while it is read, so any number between the two counts will do.
    """
    if min(counts) <= seen <= max(counts):
        return None
    msg = f"{source} counts {max(counts):,} records and gave {seen:,}"
    return IncompleteListing(msg, run_id=run_id, seen=seen, expected=max(counts))
