"""A consortium reads figures of the districts that it names, and nothing else."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

import assetflow
from assetflow import F, usd
from assetflow.errors import InvalidValue, UnknownDistrict
from assetflow.model import FIGURES, RECORDS, Aggregate, Custody, Device, Note, Person
from assetflow.model.query import average, count, count_distinct, maximum, minimum, total
from assetflow.rules.across import figures_of, smallest_for
from assetflow.store.across import aggregate_across
from assetflow.store.schema import KINDS
from assetflow.store.sql import SqlStore
from assetflow.store.sql.filters import Figures, aggregate_plan
from assetflow.store.sql.tables import DISTRICT

FLEETS = {"adams": (3, "HP 11", "100"), "polk": (5, "HP 11", "250"), "taft": (2, "Dell", None)}
EVERY_MEASURE = (
    count(),
    count_distinct("model", "models"),
    total("purchase_cost"),
    average("purchase_cost"),
    minimum("purchase_cost"),
    maximum("model"),
)


@pytest.fixture(scope="module")
def store(store_maker):
    made = store_maker()
    for name, (devices, model, cost) in FLEETS.items():
        district = assetflow.open(made, district=name, create=True, actor="it")
        for number in range(devices):
            district.devices.register(
                serial=f"{name}{number}",
                model=model,
                purchase_cost=usd(cost) if cost else None,
                lifecycle=assetflow.Lifecycle.DEPLOYED if number else assetflow.Lifecycle.IN_STOCK,
            )
        for number in range(devices * 4):
            district.people.register(
                "student", local_id=f"{number}", grade="09" if number else "10"
            )
    yield made
    made.close()


def test_each_district_has_its_figures_and_all_together_theirs(store):
    fleet = Aggregate(kind=Device, measures=EVERY_MEASURE)
    with assetflow.open_consortium(store, districts=["adams", "polk", "taft"]) as consortium:
        found = consortium.figures(fleet)
    assert found.by_district["adams"] == (
        {
            "count": 3,
            "models": 1,
            "purchase_cost_total": 30000,
            "purchase_cost_average_sum": 30000,
            "purchase_cost_average_count": 3,
            "purchase_cost_min": 10000,
            "model_max": "HP 11",
        },
    )
    assert found.by_district["taft"][0]["purchase_cost_total"] is None
    # two districts have the same model, so distinct models are two of three
    assert found.total == (
        {
            "count": 10,
            "models": 2,
            "purchase_cost_total": 155000,
            "purchase_cost_average_sum": 155000,
            "purchase_cost_average_count": 8,
            "purchase_cost_min": 10000,
            "model_max": "HP 11",
        },
    )


@pytest.mark.parametrize("name", FIGURES)
def test_a_districts_figures_are_those_that_it_has_itself(name, store):
    aggregate = FIGURES[name]
    across = aggregate_across(store, ["taft", "adams"], aggregate)
    assert list(across) == ["taft", "adams"]
    for district, rows in across.items():
        assert rows == assetflow.open(store, district=district).figures(name)


def test_a_district_without_records_has_no_rows_and_a_count_of_none(store):
    with assetflow.open(store, district="adams") as district:
        assert district.custody.where_open().count() == 0
    for aggregate in (Aggregate(kind=Custody), Aggregate(kind=Custody, group_by=("kind",))):
        alone = assetflow.open(store, district="adams").figures(aggregate)
        assert aggregate_across(store, ["adams"], aggregate) == {"adams": alone}


def test_a_district_that_is_not_named_is_not_in_the_total(store):
    with assetflow.open_consortium(store, districts=["adams", "taft"]) as consortium:
        found = consortium.figures(Aggregate(kind=Device))
    assert set(found.by_district) == {"adams", "taft"}
    assert found.total == ({"count": 5},)


@pytest.mark.parametrize("districts", [[], "adams", ["adams", "adams"]])
def test_the_districts_are_named_one_by_one(districts, store):
    with pytest.raises(InvalidValue):
        assetflow.open_consortium(store, districts=districts)


def test_a_district_that_is_not_there_is_refused_without_naming_those_that_are(store):
    with pytest.raises(UnknownDistrict) as caught:
        assetflow.open_consortium(store, districts=["adams", "hoover"])
    assert "polk" not in f"{caught.value} {caught.value.hint} {caught.value.context}"


@pytest.mark.parametrize(
    "aggregate",
    [
        Aggregate(kind=Person, group_by=("email",)),
        Aggregate(kind=Person, group_by=("id",)),
        Aggregate(kind=Person, measures=(minimum("family_name"),)),
        Aggregate(kind=Person, where=F.local_id == "204881"),
        Aggregate(kind=Person, where=(F.grade == "09") & ~F.email.starts_with("a")),
        Aggregate(kind=Custody, group_by=("accountable_id",)),
        Aggregate(kind=Custody, where=F.device_id == "d"),
        Aggregate(kind=Device, group_by=("serial",)),
        Aggregate(kind=Device, measures=(maximum("asset_tag"),)),
        Aggregate(kind=Note),
    ],
    ids=lambda a: f"{a.kind.KIND}-{'-'.join(a.group_by)}-{len(a.measures)}",
)
def test_what_would_list_records_is_refused(aggregate, store):
    consortium = assetflow.open_consortium(store, districts=["adams"])
    with pytest.raises(InvalidValue):
        consortium.figures(aggregate)


def test_every_shipped_figure_may_be_read_across(store):
    with assetflow.open_consortium(store, districts=list(FLEETS)) as consortium:
        for name in FIGURES:
            consortium.figures(name)


def test_small_cells_of_people_are_withheld_unless_one_asks_for_them(store):
    grades = Aggregate(kind=Person, group_by=("grade",))
    with assetflow.open_consortium(store, districts=list(FLEETS)) as consortium:
        found = consortium.figures(grades)
        everything = consortium.figures(grades, smallest_cell=1)
    # one tenth-grader in each district: three cells and a total below ten
    assert [r for r in found.total if r["grade"] == "10"] == [{"grade": "10", "count": None}]
    assert everything.total == ({"grade": "09", "count": 37}, {"grade": "10", "count": 3})
    assert everything.withheld == 0
    # seven ninth-graders at taft could be told from the total and the two others: adams goes too
    ninth = {d: rows[0]["count"] for d, rows in found.by_district.items()}
    assert ninth == {"adams": None, "polk": 19, "taft": None}
    assert found.total[0] == {"grade": "09", "count": 37}


def test_records_that_are_of_people_have_a_smallest_cell():
    of_people = {r.KIND for r in RECORDS if smallest_for(r) > 1}
    assert of_people == {"custody", "custody_open", "guardianship", "hold", "person", "person_link"}


def test_a_smallest_cell_of_nothing_is_refused(store):
    consortium = assetflow.open_consortium(store, districts=["adams"])
    with pytest.raises(InvalidValue):
        consortium.figures("fleet_by_lifecycle", smallest_cell=0)


@given(
    st.lists(st.integers(min_value=0, max_value=40), min_size=1, max_size=6),
    st.integers(min_value=1, max_value=20),
)
def test_what_is_withheld_does_not_follow_from_what_is_shown(counts, smallest):
    aggregate = Aggregate(kind=Person)
    rows = {f"d{i}": [{"count": n, "records in the cell": n}] for i, n in enumerate(counts)}
    found = figures_of(aggregate, rows, {}, smallest_cell=smallest)
    shown = [rows[0]["count"] for rows in found.by_district.values()]
    (whole,) = found.total
    assert all(n is None or n == 0 or n >= smallest for n in shown)
    assert whole["count"] is None or whole["count"] == sum(counts)
    hidden = [n for n, s in zip(counts, shown, strict=True) if s is None]
    if hidden and whole["count"] is not None:
        # all that can be worked out is their sum, of two cells or more, and it is no small number
        assert len(hidden) > 1
        assert sum(hidden) >= smallest
    if not any(0 < n < smallest for n in counts):
        assert not hidden


def test_it_is_one_statement_grouped_by_the_district(tmp_path):
    store = SqlStore.open(f"sqlite:///{tmp_path / 'x.db'}")
    plan, _ = aggregate_plan(FIGURES["fleet_by_model"])
    sql = Figures(plan, KINDS["device"], store.library.engine, across=True).statement.sql
    selected, grouped = sql.split("GROUP BY")
    assert selected.split()[1].rstrip(",") == f"af_device.{DISTRICT}"
    assert grouped.split(",")[0].strip() == f"af_device.{DISTRICT}"
    assert f"WHERE af_device.{DISTRICT} IN" in sql
    store.close()


def test_it_ends_the_store_that_it_opened(tmp_path):
    path = tmp_path / "consortium.db"
    for name in ("adams", "polk"):
        assetflow.open(path, district=name, create=True, actor="it").close()
    with assetflow.open_consortium(path, districts=["adams", "polk"]) as consortium:
        assert consortium.districts == ("adams", "polk")
        found = consortium.figures("fleet_by_lifecycle")
    assert found.total == ()
    assert repr(consortium).startswith("<consortium of 2 districts in sqlite:")
    with pytest.raises(assetflow.StoreError):
        consortium.figures("fleet_by_lifecycle")


def test_the_order_of_districts_is_the_callers(store):
    for order in itertools.permutations(FLEETS):
        with assetflow.open_consortium(store, districts=list(order)) as consortium:
            assert tuple(consortium.figures("fleet_by_lifecycle").by_district) == order
