"""Funding shares: a whole on every day, history that is never edited, a state that follows."""

from __future__ import annotations

from datetime import date, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.errors import DateRefused, FundingInvalid, InvalidValue, NotFound
from assetflow.model import WHOLE, Device, FundingShare, FundingState, Programme
from assetflow.rules import funding as rules
from assetflow.rules.funding import NewShare, check_shares, shares_on
from assetflow.workflows.funding import funding_of, record_funding

JULY = date(2026, 7, 1)
TODAY = date(2026, 8, 17)
OWN = NewShare(fund="100")
ECF = NewShare(fund="281", basis_points=7_500, award_number="ECF2290", programme=Programme.ECF)
REST = NewShare(fund="100", basis_points=2_500)


@pytest.fixture
def school(world):
    world.device("d-1", asset_tag="LHS-1")
    return world


def test_shares_are_recorded_and_the_device_says_what_binds_it(school):
    assert school.get(Device, "d-1").funding is FundingState.UNKNOWN
    made = school.do(record_funding, "LHS-1", [ECF, REST], starts_on="2026-07-01")
    assert [s.basis_points for s in made] == [7_500, 2_500]
    assert {s.starts_on for s in made} == {JULY}
    assert school.get(Device, "d-1").funding is FundingState.RESTRICTED
    assert school.ask(funding_of, "LHS-1", on=JULY - timedelta(days=1)) == ()
    assert set(school.ask(funding_of, "LHS-1", on=JULY)) == set(made)
    school.check()


def test_new_shares_end_the_old_ones_and_leave_them_on_record(school):
    (old,) = school.do(record_funding, "LHS-1", [OWN], starts_on=JULY)
    school.do(record_funding, "LHS-1", [ECF, REST], starts_on=date(2026, 8, 1))
    history = school.ask(funding_of, "LHS-1")
    assert history[0] == attrs.evolve(old, ends_on=date(2026, 8, 1), version=2)
    assert len(history) == 3
    assert [s.fund for s in school.ask(funding_of, "LHS-1", on=date(2026, 7, 31))] == ["100"]
    in_august = school.ask(funding_of, "LHS-1", on=date(2026, 8, 1))
    assert sorted(s.fund for s in in_august) == ["100", "281"]
    school.do(record_funding, "LHS-1", [OWN])
    assert school.get(Device, "d-1").funding is FundingState.UNRESTRICTED
    assert school.ask(funding_of, "LHS-1")[-1].starts_on == TODAY
    school.check()


def test_a_correction_on_the_same_day_leaves_the_wrong_share_without_a_day(school):
    school.do(record_funding, "LHS-1", [OWN], starts_on=JULY)
    school.do(record_funding, "LHS-1", [ECF, REST], starts_on=JULY)
    assert len(school.ask(funding_of, "LHS-1")) == 3
    assert len(school.ask(funding_of, "LHS-1", on=JULY)) == 2


def test_a_device_whose_state_stays_keeps_its_version(school):
    school.do(record_funding, "LHS-1", [OWN], starts_on=JULY)
    before = school.get(Device, "d-1")
    school.do(record_funding, "LHS-1", [NewShare(fund="120")], starts_on=TODAY)
    assert school.get(Device, "d-1") == before


REFUSED = [
    ([ECF], {}, FundingInvalid, "funding.whole"),
    ([OWN, REST], {}, FundingInvalid, "funding.whole"),
    ([], {}, FundingInvalid, "funding.whole"),
    ([attrs.evolve(OWN, basis_points=0), OWN], {}, FundingInvalid, "funding.share"),
    (
        [attrs.evolve(OWN, basis_points=-1), attrs.evolve(OWN, basis_points=10_001)],
        {},
        FundingInvalid,
        "funding.share",
    ),
    ([OWN], {"starts_on": TODAY + timedelta(days=1)}, DateRefused, "funding.dates"),
    ([OWN], {"starts_on": date(2026, 7, 31)}, DateRefused, "funding.history"),
]


@pytest.mark.parametrize(("shares", "kwargs", "error", "rule"), REFUSED)
def test_what_is_no_funding_is_refused_and_writes_nothing(school, shares, kwargs, error, rule):
    school.do(record_funding, "LHS-1", [OWN], starts_on=date(2026, 8, 1))
    head = school.head()
    with pytest.raises(error) as caught:
        school.do(record_funding, "LHS-1", shares, **kwargs)
    assert caught.value.rule == rule
    assert caught.value.context["device_id"] == "d-1"
    assert school.head() == head


def test_a_total_is_named_in_percent_and_basis_points(school):
    with pytest.raises(FundingInvalid, match="75 %") as caught:
        school.do(record_funding, "LHS-1", [ECF])
    assert caught.value.context["total_basis_points"] == 7_500
    odd = [attrs.evolve(ECF, basis_points=3_333)]
    with pytest.raises(FundingInvalid, match=r"33\.33 %"):
        school.do(record_funding, "LHS-1", odd)


def test_values_that_are_none(school):
    with pytest.raises(InvalidValue):
        school.do(record_funding, "LHS-1", [NewShare(fund=" ")])
    with pytest.raises(InvalidValue):
        school.do(record_funding, "LHS-1", [OWN], starts_on="July")
    with pytest.raises(NotFound):
        school.do(record_funding, "LHS-9", [OWN])


parts = st.lists(st.integers(1, 9_999), max_size=4).map(
    lambda cuts: [
        b - a for a, b in zip([0, *sorted(set(cuts))], [*sorted(set(cuts)), WHOLE], strict=True)
    ]
)


@given(st.lists(st.tuples(parts, st.integers(0, 60)), min_size=1, max_size=6))
def test_on_every_day_of_any_history_the_shares_are_a_whole(changes):
    device = Device(id="d-1")
    shares: dict[str, FundingShare] = {}
    number = 0
    for points, days in changes:
        starts_on = JULY + timedelta(days=days)
        ids = [f"s-{number + i}" for i in range(len(points))]
        number += len(points)
        new = [NewShare(fund="100", basis_points=p) for p in points]
        newest = max((s.starts_on for s in shares.values()), default=None)
        asked = {"starts_on": starts_on, "today": JULY + timedelta(days=60), "ids": ids}
        if newest is not None and starts_on < newest:
            with pytest.raises(DateRefused):
                rules.record_funding(device, list(shares.values()), new, **asked)
            continue
        decision = rules.record_funding(device, list(shares.values()), new, **asked)
        for write in decision.happened[0].writes:
            if isinstance(write.after, FundingShare):
                assert write.before == shares.get(write.after.id)
                shares[write.after.id] = write.after
            else:
                device = write.after
    check_shares(list(shares.values()))
    first = min(s.starts_on for s in shares.values())
    for n in range(-1, 65):
        day = first + timedelta(days=n)
        total = sum(s.basis_points for s in shares_on(shares.values(), day))
        assert total == (WHOLE if n >= 0 else 0)
    assert len(shares) >= len([s for s in shares.values() if s.ends_on is None]) > 0


def test_a_share_that_ends_before_it_begins_is_no_share():
    share = FundingShare(
        id="s", device_id="d", fund="1", basis_points=WHOLE, starts_on=TODAY, ends_on=JULY
    )
    with pytest.raises(FundingInvalid) as caught:
        check_shares([share])
    assert caught.value.rule == "funding.dates"
