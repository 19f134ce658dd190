"""Small cells: a count of few people is not told, nor can it be worked out from the others."""

from collections.abc import Mapping
from typing import TypeVar

__all__ = ["SMALLEST_CELL", "suppressed"]

K = TypeVar("K")

SMALLEST_CELL = 10
"""A group of fewer is not told."""


def suppressed(
    counts: Mapping[K, int], *, least: int = SMALLEST_CELL
) -> tuple[dict[K, int | None], int | None]:
    """The counts that may be told, and their total; ``None`` in place of one that may not.

    A group of 1 to ``least - 1`` is not told. One that stands alone could be worked out from the
    total, so the smallest of the others is not told either, until at least two are hidden that
    come to *least* or more together. Where there is nothing left to hide, the total is not told.

    Args:
        counts: Groups and how many are in each.
        least: The smallest group that may be told.
    """
    hidden = {group for group, count in counts.items() if 0 < count < least}
    if hidden:
        rest = sorted(
            (g for g in counts if g not in hidden), key=lambda g: (counts[g] == 0, counts[g])
        )
        while rest and (len(hidden) < 2 or sum(counts[g] for g in hidden) < least):
            hidden.add(rest.pop(0))
    told = {group: None if group in hidden else count for group, count in counts.items()}
    enough = not hidden or (len(hidden) > 1 and sum(counts[g] for g in hidden) >= least)
    total = sum(counts.values())
    return told, total if enough and (total == 0 or total >= least) else None
