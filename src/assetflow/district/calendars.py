"""School days: ``district.calendars``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetflow.workflows.calendars import calendar_for, set_calendar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from assetflow.district.session import Session
    from assetflow.model import ClosedDays, SchoolCalendar, SchoolYear
    from assetflow.workflows.references import PlaceRef

__all__ = ["Calendars"]


class Calendars:
    """When school is held, for the district or one of its sites."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def set(
        self,
        year: SchoolYear | str,
        *,
        first_day: date,
        last_day: date,
        site: PlaceRef | None = None,
        closed: Sequence[ClosedDays] = (),
        weekdays: Sequence[int] = (0, 1, 2, 3, 4),
        reason: str | None = None,
    ) -> SchoolCalendar:
        """Set the school days of a year: ``set("2026-27", first_day=..., last_day=...)``.

        Raises:
            InvalidValue: it ends before it begins, has no weekday, or closed days overlap.
            NotFound: no such site.
        """
        return self._session.write(
            lambda tx, act: set_calendar(
                tx,
                act,
                year,
                first_day=first_day,
                last_day=last_day,
                site=site,
                closed=closed,
                weekdays=weekdays,
            ),
            reason=reason,
        )

    def on(self, day: date, *, site: PlaceRef | None = None) -> SchoolCalendar | None:
        """The calendar that holds on a day; ``None`` when none was set for that year."""
        with self._session.read() as tx:
            return calendar_for(tx, day, site=site)
