"""Rows about records that a run did nothing with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetflow.model import ItemOutcome, RunItem

if TYPE_CHECKING:
    from assetflow.errors import ExchangeError
    from assetflow.model import DeviceId, RunId
    from assetflow.wire import Problem

__all__ = ["refused_item", "unread_item"]

_LONGEST = 200


def unread_item(run_id: RunId, problem: Problem) -> RunItem:
    """A record that could not be read or kept: where, and what was expected."""
    return RunItem(
        run_id=run_id,
        source_id=str(problem.record)[:_LONGEST],
        outcome=ItemOutcome.PROBLEM,
        fields=problem.path[:_LONGEST],
        reason=problem.message[:_LONGEST],
    )


def refused_item(
    run_id: RunId, source_id: str, device_id: DeviceId | None, error: ExchangeError
) -> RunItem:
    """A record that the guard kept out."""
    return RunItem(
        run_id=run_id,
        source_id=source_id,
        device_id=device_id,
        outcome=ItemOutcome.REFUSED,
        reason=error.code,
    )
