"""Cells to values: what is taken, what is refused, and with which code."""

import contextlib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.exchange.imports import cells
from assetflow.exchange.imports.cells import BadCell
from assetflow.exchange.imports.fields import DEVICE_COLUMNS, PERSON_COLUMNS, CellKind, grade_code
from assetflow.files import header_key, is_placeholder
from assetflow.model import Money


def code(read, *args, **kwargs):
    try:
        return read(*args, **kwargs)
    except BadCell as bad:
        return bad.code


# csvkit #977, csvs-to-sqlite #62, sqlitebiter #83: identifiers that a reader made numbers of.
@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("0012", "0012"),
        ("5E21", "5E21"),
        ("1-2", "1-2"),
        ("5E-21", "5E-21"),
        ("12E4567", "12E4567"),
        ("1e5", "1e5"),
        ("007.10", "007.10"),
        ("1E+21", "shortened-number"),
        ("5.0E+10", "shortened-number"),
        ("5,12E+11", "shortened-number"),
        ("1.5e-05", "shortened-number"),
        ("204881.0", "decimal-number"),
        ("204881.00", "decimal-number"),
        ("LHS\n1", "line-break"),
    ],
)
def test_an_identifier_is_the_text_that_it_is_or_refused(text, result):
    assert code(cells.identifier, text) == result


@pytest.mark.parametrize(
    ("cell", "result"),
    [
        ("  x\u200b ", "x"),
        ("\ufeffLHS-1\xa0", "LHS-1"),
        ("", ""),
        (" \t", ""),
        ('=HYPERLINK("http://x","y")', "formula"),
        ("=1+1", "formula"),
        ('="0012"', "formula"),
        ("#REF!", "spreadsheet-error"),
        ("#n/a", "spreadsheet-error"),
        ("#DIV/0!", "spreadsheet-error"),
        ("########", "spreadsheet-error"),
        ("#12", "#12"),
        ("a\0b", "control-character"),
        ("a\x1bb", "control-character"),
        ("a\x85b", "control-character"),
        ("two\nlines", "two\nlines"),
        ("👩‍🏫 Ana", "👩‍🏫 Ana"),
    ],
)
def test_a_cell_is_cleaned_or_refused(cell, result):
    assert code(cells.clean, cell) == result


@pytest.mark.parametrize(
    "text", ["-", "—", "N/A", "none", "NULL", "nan", "Unknown", "To be filled by O.E.M."]
)
def test_words_for_nothing_are_known(text):
    assert is_placeholder(text)


@pytest.mark.parametrize("text", ["0", "LHS-1", "Nancy", "x", "."])
def test_what_only_looks_like_nothing_is_something(text):
    assert not is_placeholder(text)


@pytest.mark.parametrize(
    ("text", "day_first", "result"),
    [
        ("2026-08-17", None, date(2026, 8, 17)),
        ("2026-08-17T00:00:00", None, date(2026, 8, 17)),
        ("2026-08-17 00:00:00", None, date(2026, 8, 17)),
        ("2026-08-17 13:05:00", None, "date"),
        ("8/17/2026", False, date(2026, 8, 17)),
        ("08/07/2026", False, date(2026, 8, 7)),
        ("08/07/2026", True, date(2026, 7, 8)),
        ("8/17/2026 12:00:00 AM", False, date(2026, 8, 17)),
        ("08/07/2026", None, "date-ambiguous"),
        ("17/8/2026", False, "date"),
        ("8/17/26", False, "date-short-year"),
        ("2/30/2026", False, "date"),
        ("2026-02-30", None, "date"),
        ("1899-12-30", None, "date"),
        ("0001-01-01", None, "date"),
        ("45123", None, "date"),
        ("Aug 17, 2026", None, "date"),
        ("٢٠٢٦-٠٨-١٧", None, "date"),
    ],
)
def test_a_day(text, day_first, result):
    assert code(cells.read_date, text, day_first=day_first) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("299.95", Money(29995, "USD")),
        ("$1,299.95", Money(129995, "USD")),
        ("0", Money(0, "USD")),
        ("-5", "money"),
        ("1,2,3", "money"),
        ("12.345", "money"),
        ("1.299,95", "money"),
        ("ask Dana", "money"),
        ("NaN", "money"),
        ("1e3", "money"),
    ],
)
def test_an_amount(text, result):
    assert code(cells.money, text, "USD") == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("12", 12),
        ("1,200", 1200),
        ("-3", -3),
        ("1.0", "number"),
        ("1,20", "number"),
        ("9" * 16, "number"),
        ("٣", "number"),
    ],
)
def test_a_whole_number(text, result):
    assert code(cells.whole_number, text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [("Yes", True), ("x", True), ("0", False), ("FALSE", False), ("maybe", "flag")],
)
def test_a_flag(text, result):
    assert code(cells.flag, text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("7", "07"),
        ("07", "07"),
        ("K", "KG"),
        ("Pre-K", "PK"),
        ("Grade 3", "03"),
        ("9th", "09"),
        ("12th grade", "12"),
        ("ut", "UT"),
        ("99", "99"),
    ],
)
def test_a_grade_is_in_the_rosters_code(text, result):
    assert grade_code(text) == result


@given(st.text())
def test_no_cell_makes_a_reader_fail_in_another_way(text):
    for read in (
        cells.clean,
        cells.identifier,
        cells.whole_number,
        cells.flag,
        is_placeholder,
        cells.slash_date,
        grade_code,
        lambda t: cells.money(t, "USD"),
        lambda t: cells.read_date(t, day_first=False),
        lambda t: cells.word(t, {}),
    ):
        with contextlib.suppress(BadCell):
            read(text)


TABLES = [DEVICE_COLUMNS, PERSON_COLUMNS]


@pytest.mark.parametrize("specs", TABLES, ids=["devices", "people"])
def test_no_heading_stands_for_two_fields(specs):
    owners = {}
    for spec in specs.values():
        for key in spec.headings:
            assert key == header_key(key)
            assert owners.setdefault(key, spec.name) == spec.name


@pytest.mark.parametrize("specs", TABLES, ids=["devices", "people"])
def test_words_are_written_as_they_are_looked_up(specs):
    for spec in specs.values():
        assert (spec.kind is CellKind.WORD) == bool(spec.words)
        for word, sets in spec.words.items():
            assert cells.word(word.upper().replace(" ", "_"), spec.words) == sets
