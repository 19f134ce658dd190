"""What leaves without names: pseudonyms that fit one recipient, coarse values, no small groups."""

import csv
import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

import assetflow
from assetflow.errors import InvalidValue
from assetflow.model import Query, Recipient
from assetflow.rules.suppression import suppressed

from .conftest import KEYS, found_in  # noqa: TID252  # helpers of this folder

COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 40))


@given(COUNTS)
def test_a_small_group_is_not_told_nor_worked_out(counts):
    told, total = suppressed(counts)
    assert all(n is None or n == 0 or n >= 10 for n in told.values())
    assert all(n in (None, counts[g]) for g, n in told.items())
    assert total is None or total == sum(counts.values())
    assert total is None or total == 0 or total >= 10
    hidden = [g for g, n in told.items() if n is None]
    if (
        hidden and total is not None
    ):  # what is left of the total fits several groups and is not small
        left = total - sum(n for n in told.values() if n is not None)
        assert len(hidden) >= 2
        assert left >= 10


@given(COUNTS)
def test_nothing_is_hidden_without_need(counts):
    if all(n == 0 or n >= 10 for n in counts.values()):
        assert suppressed(counts) == (counts, sum(counts.values()))


@pytest.mark.parametrize(
    ("counts", "told", "total"),
    [
        ({"a": 3, "b": 40, "c": 12}, {"a": None, "b": 40, "c": None}, 55),
        ({"a": 3}, {"a": None}, None),
        ({"a": 3, "b": 0}, {"a": None, "b": None}, None),
        ({"a": 4, "b": 5, "c": 30}, {"a": None, "b": None, "c": None}, 39),
        ({"a": 9, "b": 9}, {"a": None, "b": None}, 18),
        ({}, {}, 0),
    ],
)
def test_small_groups(counts, told, total):
    assert suppressed(counts) == (told, total)


@pytest.fixture
def school(district):
    """The person of these tests, and a large school with one pupil of another band."""
    big = district.places.add("site", "Washington", code="WMS")
    for number in range(12):
        district.people.register("student", local_id=f"77{number:04d}", grade="04", site_id=big.id)
    district.people.register("student", local_id="880001", grade="11", site_id=big.id)
    district.devices.register(asset_tag="WMS-1", acquired_on=date(2026, 8, 17))
    district.custody.check_out("WMS-1", to="770003")
    district.devices.register(asset_tag="WMS-2")
    district.custody.check_out("WMS-2", to="880001")
    return district


def test_no_name_no_tag_no_serial_and_no_id_leaves(school, tmp_path):
    ids = [d.id for d in school.devices.where()] + [p.id for p in school.people.where()]
    for form in ("jsonl", "csv"):
        folder = tmp_path / form
        counts = school.export(recipient="state-university", deidentified=True).write(
            folder, form=form
        )
        assert counts["custody"] == 4
        data = b"".join(p.read_bytes() for p in folder.iterdir())
        assert found_in(data) == set()
        assert not [i for i in ids if i.encode() in data]
        for word in (b"LHS-", b"WMS-", b"5CD0", b"dev-0", b"@", b"Omar", b"Lincoln", b"2026-08-17"):
            assert word not in data
    lines = list(csv.DictReader((tmp_path / "csv" / "custody.csv").read_text("utf-8").splitlines()))
    rows = [json.loads(x) for x in (tmp_path / "jsonl" / "custody.jsonl").read_text().splitlines()]
    assert [{k: v or "" for k, v in row.items()} for row in rows] == lines


def test_pseudonyms_last_for_one_recipient_and_fit_no_other(school):
    first = school.export(recipient="state-university", deidentified=True)
    again = school.export(recipient="state-university", deidentified=True)
    other = school.export(recipient="insurer", deidentified=True)
    mine, same, theirs = ({line.device for line in e.devices()} for e in (first, again, other))
    assert mine == same
    assert mine.isdisjoint(theirs)
    with school.store.read(school.id) as tx:
        secrets = [r.secret for r in tx.find(Query(kind=Recipient))]
    assert len(set(secrets)) == 2
    assert len(secrets[0]) == 32
    assert first.pseudonym("device", "x") != first.pseudonym("person", "x")


def test_what_few_share_is_left_out(school):
    lines = list(school.export(recipient="insurer", deidentified=True).custody())
    bands = {(line.grade_band, line.site is not None) for line in lines}
    # grade 04 is shared by twelve; grade 11 and grade 07 by fewer than ten
    assert bands == {("03-05", True), (None, False)}
    assert all(len(line.since) == len("2026-08") for line in lines)


def test_figures_hide_small_groups(school):
    told = {
        (f.figure, f.group): f.count
        for f in school.export(recipient="x", deidentified=True).figures()
    }
    assert told["students-by-grade-band", "03-05"] is None  # else the two small ones follow
    assert told["students-by-grade-band", "total"] == 15
    assert all(n is None or n == 0 or n >= 10 for n in told.values())


def test_an_erased_person_keeps_the_pseudonym(school):
    before = school.export(recipient="insurer", deidentified=True)
    holders = {line.holder for line in before.custody()}
    school.people.erase("204881777", reason="left", keys=KEYS)
    assert {line.holder for line in before.custody()} == holders


@pytest.mark.parametrize("recipient", ["", "State University", "a@b", "x" * 64])
def test_a_recipient_is_a_code(recipient):
    with (
        assetflow.open("memory:", district="x", create=True) as district,
        pytest.raises(InvalidValue),
    ):
        district.export(recipient=recipient, deidentified=True)


def test_nothing_else_leaves():
    with assetflow.open("memory:", district="x", create=True) as district:
        with pytest.raises(InvalidValue):
            district.export(recipient="insurer", deidentified=False)
        with pytest.raises(InvalidValue):
            district.export(recipient="insurer", deidentified=True).write("there", form="xlsx")
