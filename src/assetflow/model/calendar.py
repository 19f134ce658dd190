"""The school year and its calendar."""

import enum
from datetime import date, timedelta
from itertools import pairwise
from typing import ClassVar

from attrs import frozen

from assetflow.errors import InvalidValue
from assetflow.model.fields import Journalled, Record, quiet
from assetflow.model.ids import PlaceId

__all__ = ["ClosedDays", "DayType", "SchoolCalendar", "SchoolYear"]


class DayType(enum.Enum):
    """What kind of day a date is."""

    SCHOOL = "school"
    """School is held."""
    CLOSED = "closed"
    """A holiday, a break, a snow day, or outside the year."""
    WEEKEND = "weekend"
    """Not a school weekday."""


@frozen(order=True)
class SchoolYear:
    """A school year by the year in which it starts: ``SchoolYear(2026)`` is 2026-27."""

    start: int
    """The calendar year of its first day."""

    @classmethod
    def of(cls, day: date, *, first_month: int = 7) -> "SchoolYear":
        """The school year that a day belongs to.

        Args:
            day: The day.
            first_month: The month in which the district's year turns; July in most states.
        """
        return cls(day.year if day.month >= first_month else day.year - 1)

    @classmethod
    def parse(cls, text: str) -> "SchoolYear":
        """Read ``2026-27`` or ``2026-2027``.

        Raises:
            InvalidValue: not two years that follow each other.
        """
        first, _, second = text.partition("-")
        if not (
            first.isdecimal() and len(first) == 4 and second.isdecimal() and len(second) in (2, 4)
        ):
            msg = "a school year reads like 2026-27"
            raise InvalidValue(msg)
        if (int(first) + 1) % 10 ** len(second) != int(second):
            msg = "a school year names two years that follow each other"
            raise InvalidValue(msg)
        return cls(int(first))

    def __str__(self) -> str:
        return f"{self.start}-{(self.start + 1) % 100:02d}"


@frozen(kw_only=True)
class ClosedDays:
    """A run of days without school."""

    first: date
    """First day."""
    last: date
    """Last day, included."""
    name: str
    """What it is: ``Thanksgiving``."""


@frozen(kw_only=True, field_transformer=quiet)
class SchoolCalendar(Record):
    """The school days of one school year, for the district or one of its sites.

    Args are checked when it is made.

    Raises:
        InvalidValue: it ends before it begins, has no weekday, or closes overlap.
    """

    KIND: ClassVar[str] = "school_calendar"
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (("year",),)

    id: Journalled[str]
    """Its id."""
    year: Journalled[str]
    """The school year, such as ``2026-27``."""
    first_day: Journalled[date]
    """First day of school."""
    last_day: Journalled[date]
    """Last day of school."""
    site_id: Journalled[PlaceId | None] = None
    """The site that it is for; ``None`` for all that have none of their own."""
    weekdays: Journalled[tuple[int, ...]] = (0, 1, 2, 3, 4)
    """Weekdays with school, Monday is 0."""
    closed: Journalled[tuple[ClosedDays, ...]] = ()
    """Days without school inside the year, in order."""
    version: Journalled[int] = 1
    """Grows by one with each change."""

    def __attrs_post_init__(self) -> None:
        if self.last_day < self.first_day:
            msg = "a school year ends after it begins"
            raise InvalidValue(msg)
        if not self.weekdays or any(not 0 <= d <= 6 for d in self.weekdays):
            msg = "a calendar needs at least one weekday, 0 (Monday) to 6"
            raise InvalidValue(msg)
        spans = sorted((c.first, c.last) for c in self.closed)
        if any(last < first for first, last in spans):
            msg = "closed days end after they begin"
            raise InvalidValue(msg)
        if any(a[1] >= b[0] for a, b in pairwise(spans)):
            msg = "closed days overlap"
            raise InvalidValue(msg)

    def day_type(self, day: date) -> DayType:
        """What kind of day it is."""
        if day.weekday() not in self.weekdays:
            return DayType.WEEKEND
        if not self.first_day <= day <= self.last_day or any(
            c.first <= day <= c.last for c in self.closed
        ):
            return DayType.CLOSED
        return DayType.SCHOOL

    def is_school_day(self, day: date) -> bool:
        """Whether school is held on that day."""
        return self.day_type(day) is DayType.SCHOOL

    def next_school_day(self, day: date) -> date | None:
        """That day or the first school day after it; ``None`` when the year has no more."""
        current = max(day, self.first_day)
        while current <= self.last_day:
            if self.is_school_day(current):
                return current
            current += timedelta(days=1)
        return None

    def school_days(self, first: date, last: date) -> int:
        """How many school days lie between two days, both included."""
        span = (min(last, self.last_day) - max(first, self.first_day)).days
        start = max(first, self.first_day)
        return sum(self.is_school_day(start + timedelta(days=n)) for n in range(span + 1))
