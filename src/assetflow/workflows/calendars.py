"""School calendars: set for the district or for one of its sites, and asked for by day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from assetflow.model import ClosedDays, F, Query, SchoolCalendar, SchoolYear
from assetflow.model.events import CalendarSet
from assetflow.store.ports import Entry, Put
from assetflow.workflows.given import line, listed, said_day
from assetflow.workflows.references import find_place, resolve_place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from assetflow.model import PlaceId
    from assetflow.store.ports import ReadTransaction, Transaction
    from assetflow.workflows.acting import Act
    from assetflow.workflows.references import PlaceRef

__all__ = ["calendar_for", "set_calendar"]


def set_calendar(
    tx: Transaction,
    act: Act,
    year: SchoolYear | str,
    *,
    first_day: date,
    last_day: date,
    site: PlaceRef | None = None,
    closed: Sequence[ClosedDays] = (),
    weekdays: Sequence[int] = (0, 1, 2, 3, 4),
) -> SchoolCalendar:
    """Set the school days of a year; the same again changes nothing.

    Args:
        tx: Where to write.
        act: Who, when and why.
        year: The school year, such as ``2026-27``.
        first_day: First day of school.
        last_day: Last day of school.
        site: The site that it is for; all that have none of their own when not given.
        closed: Days without school inside the year.
        weekdays: Weekdays with school, Monday is 0.

    Raises:
        InvalidValue: it ends before it begins, has no weekday, or closed days overlap.
        NotFound: no such site.
    """
    if not isinstance(year, SchoolYear):
        year = SchoolYear.parse(line(year, "a school year"))
    name = str(year)
    site_id = find_place(tx, site).id if site is not None else None
    before = _stored(tx, name, site_id)
    after = SchoolCalendar(
        id=before.id if before else act.new_id(),
        year=name,
        first_day=said_day(first_day, "the first day"),
        last_day=said_day(last_day, "the last day"),
        site_id=site_id,
        weekdays=tuple(sorted(set(listed(int, weekdays, "weekdays")))),
        closed=tuple(sorted(listed(ClosedDays, closed, "closed days"), key=lambda c: c.first)),
        version=before.version if before else 1,
    )
    if after == before:
        return after
    if before is not None:
        after = evolve(after, version=before.version + 1)
    entry = Entry(
        event=CalendarSet(year=name),
        subject_id=after.id,
        stamp=act.stamp(),
        puts=(Put(after, before),),
    )
    tx.record([entry])
    return after


def calendar_for(
    tx: ReadTransaction, day: date, *, site: PlaceRef | None = None
) -> SchoolCalendar | None:
    """The calendar that holds on a day: the site's own, else the district's, else ``None``."""
    year = str(SchoolYear.of(said_day(day, "the day")))
    own = _stored(tx, year, resolve_place(tx, site)) if site is not None else None
    return own or _stored(tx, year, None)


def _stored(tx: ReadTransaction, year: str, site_id: PlaceId | None) -> SchoolCalendar | None:
    where = F.site_id.is_unknown() if site_id is None else F.site_id == site_id
    query = Query(kind=SchoolCalendar, where=(F.year == year) & where, limit=1)
    return next(iter(tx.find(query)), None)
