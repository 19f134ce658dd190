from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.errors import InvalidValue
from assetflow.model import ClosedDays, DayType, SchoolCalendar, SchoolYear
from assetflow.testing.strategies import record

DAYS = st.dates(date(2000, 1, 1), date(2100, 12, 31))
YEAR = SchoolCalendar(
    id="c1",
    year="2026-27",
    first_day=date(2026, 8, 17),
    last_day=date(2027, 5, 28),
    closed=(
        ClosedDays(first=date(2026, 11, 23), last=date(2026, 11, 27), name="Thanksgiving"),
        ClosedDays(first=date(2026, 12, 21), last=date(2027, 1, 1), name="Winter break"),
    ),
)


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        (date(2026, 8, 16), DayType.WEEKEND),
        (date(2026, 8, 14), DayType.CLOSED),
        (date(2026, 8, 17), DayType.SCHOOL),
        (date(2026, 11, 23), DayType.CLOSED),
        (date(2026, 11, 27), DayType.CLOSED),
        (date(2026, 11, 28), DayType.WEEKEND),
        (date(2026, 11, 30), DayType.SCHOOL),
        (date(2027, 5, 28), DayType.SCHOOL),
        (date(2027, 5, 31), DayType.CLOSED),
    ],
)
def test_days(day, kind):
    assert YEAR.day_type(day) is kind
    assert YEAR.is_school_day(day) is (kind is DayType.SCHOOL)


def test_the_next_school_day():
    assert YEAR.next_school_day(date(2026, 1, 1)) == date(2026, 8, 17)
    assert YEAR.next_school_day(date(2026, 11, 21)) == date(2026, 11, 30)
    assert YEAR.next_school_day(date(2027, 5, 28)) == date(2027, 5, 28)
    assert YEAR.next_school_day(date(2027, 5, 29)) is None


def test_school_days_of_a_week_and_of_none():
    assert YEAR.school_days(date(2026, 8, 15), date(2026, 8, 23)) == 5
    assert YEAR.school_days(date(2026, 11, 23), date(2026, 11, 29)) == 0
    assert YEAR.school_days(date(2026, 8, 23), date(2026, 8, 17)) == 0
    assert YEAR.school_days(date(2020, 1, 1), date(2020, 12, 31)) == 0


@given(DAYS, DAYS, DAYS)
def test_school_days_add_up(a, b, c):
    first, middle, last = sorted((a, b, c))
    after = middle + timedelta(days=1)
    assert YEAR.school_days(first, last) == (
        YEAR.school_days(first, middle) + YEAR.school_days(after, last)
    )


@given(DAYS)
def test_the_next_school_day_is_the_first(day):
    found = YEAR.next_school_day(day)
    if found is None:
        assert YEAR.school_days(day, date(2100, 1, 1)) == 0
    else:
        assert found >= day
        assert YEAR.is_school_day(found)
        assert YEAR.school_days(day, found) == 1


@given(record(SchoolCalendar), DAYS)
def test_every_day_is_of_one_kind(calendar, day):
    kind = calendar.day_type(day)
    assert (kind is DayType.WEEKEND) == (day.weekday() not in calendar.weekdays)


@pytest.mark.parametrize(
    "wrong",
    [
        {"last_day": date(2026, 8, 16)},
        {"weekdays": ()},
        {"weekdays": (7,)},
        {"closed": (ClosedDays(first=date(2026, 9, 2), last=date(2026, 9, 1), name="x"),)},
        {
            "closed": (
                ClosedDays(first=date(2026, 9, 1), last=date(2026, 9, 7), name="x"),
                ClosedDays(first=date(2026, 9, 7), last=date(2026, 9, 8), name="y"),
            )
        },
    ],
    ids=str,
)
def test_a_calendar_that_contradicts_itself_is_refused(wrong):
    sound = {"id": "c", "year": "2026-27", "first_day": date(2026, 8, 17)}
    with pytest.raises(InvalidValue):
        SchoolCalendar(**(sound | {"last_day": date(2027, 5, 28)} | wrong))


# --- school years --------------------------------------------------------------------------


@given(st.integers(1000, 9998))
def test_a_school_year_reads_as_it_prints(start):
    year = SchoolYear(start)
    assert SchoolYear.parse(str(year)) == year
    assert SchoolYear.parse(f"{start}-{start + 1}") == year


@given(DAYS, st.integers(1, 12))
def test_a_day_belongs_to_one_school_year(day, month):
    year = SchoolYear.of(day, first_month=month)
    assert date(year.start, month, 1) <= day < date(year.start + 1, month, 1)


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-28", "2026-26", "26-27", "2026-027", "2026/27", "2026-27-28", "x-y"]
)
def test_what_is_no_school_year_is_refused(text):
    with pytest.raises(InvalidValue):
        SchoolYear.parse(text)


def test_school_years_are_in_order():
    assert SchoolYear(2025) < SchoolYear(2026)
    assert str(SchoolYear(1999)) == "1999-00"
    assert SchoolYear.parse("1999-00") == SchoolYear(1999)
