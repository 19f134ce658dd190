from collections import Counter
from datetime import date

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from assetflow.errors import InvalidValue
from assetflow.model import FIGURES, Aggregate, Device, F, Lifecycle, Measure, Money
from assetflow.model.query import average, count, count_distinct, maximum, minimum, total
from assetflow.testing.strategies import alike

DEVICES = st.lists(alike(Device), max_size=12)


@given(DEVICES)
def test_groups_share_out_all_records(devices):
    rows = Aggregate(kind=Device, group_by=("lifecycle", "asset_tag")).rows(devices)
    expected = Counter((d.lifecycle.value, d.asset_tag) for d in devices)
    assert {(r["lifecycle"], r["asset_tag"]): r["count"] for r in rows} == expected
    keys = [(r["lifecycle"], r["asset_tag"]) for r in rows]
    assert keys == sorted(keys, key=lambda k: tuple((v is None, v or "") for v in k))


@given(DEVICES)
def test_measures_are_over_known_values(devices):
    (row,) = Aggregate(
        kind=Device,
        measures=(
            count(),
            count_distinct("asset_tag", "tags"),
            Measure("known", "count_known", "purchase_cost"),
            total("purchase_cost", "sum"),
            average("purchase_cost", "mean"),
            minimum("auto_update_ends", "first"),
            maximum("auto_update_ends", "last"),
        ),
    ).rows(devices)
    costs = [d.purchase_cost.minor for d in devices if d.purchase_cost]
    ends = [d.auto_update_ends.isoformat() for d in devices if d.auto_update_ends]
    assert row == {
        "count": len(devices),
        "tags": len({d.asset_tag for d in devices} - {None}),
        "known": len(costs),
        "sum": sum(costs) if costs else None,
        "mean_sum": sum(costs) if costs else None,
        "mean_count": len(costs),
        "first": min(ends, default=None),
        "last": max(ends, default=None),
    }


@given(DEVICES)
def test_a_filter_decides_what_is_counted(devices):
    where = F.lifecycle != Lifecycle.ORDERED
    figure = Aggregate(kind=Device, group_by=("model",), where=where)
    assert figure.rows(devices) == evolve(figure, where=None).rows(
        d for d in devices if where.test(d) is True
    )


def test_days_are_cut_to_month_and_year():
    devices = [Device(id=str(n), acquired_on=date(2026, n, 9)) for n in (1, 2)] + [Device(id="x")]
    assert Aggregate(kind=Device, group_by=("acquired_on:month",)).rows(devices) == [
        {"acquired_on:month": "2026-01", "count": 1},
        {"acquired_on:month": "2026-02", "count": 1},
        {"acquired_on:month": None, "count": 1},
    ]
    assert Aggregate(kind=Device, group_by=("acquired_on:year",)).rows(devices) == [
        {"acquired_on:year": "2026", "count": 2},
        {"acquired_on:year": None, "count": 1},
    ]


def test_nothing_is_one_row_without_a_group_and_none_with_one():
    assert Aggregate(kind=Device, measures=(count(), total("purchase_cost"))).rows([]) == [
        {"count": 0, "purchase_cost_total": None}
    ]
    assert Aggregate(kind=Device, group_by=("model",)).rows([]) == []


@pytest.mark.parametrize(
    "figure",
    [
        Aggregate(kind=Device, group_by=("acquired_on:week",)),
        Aggregate(kind=Device, measures=(Measure("x", "sum"),)),
    ],
)
def test_a_figure_that_means_nothing_is_refused(figure):
    with pytest.raises(InvalidValue):
        figure.rows([Device(id="d1", purchase_cost=Money(1))])


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_every_shipped_figure_has_rows(name):
    figure = FIGURES[name]

    @given(st.lists(alike(figure.kind), max_size=8))
    def check(records):
        rows = figure.rows(records)
        counted = sum(figure.where is None or figure.where.test(r) is True for r in records)
        assert sum(row["count"] for row in rows) == counted

    check()
