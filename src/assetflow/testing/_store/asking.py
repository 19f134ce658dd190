"""Conformance: filters, orders, pages and figures mean what they mean in Python."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from assetflow.errors import InvalidValue
from assetflow.model import (
    FIGURES,
    Aggregate,
    Custody,
    CustomValue,
    Device,
    DeviceLink,
    F,
    Lifecycle,
    Measure,
    Order,
    Place,
    PlaceKind,
    Query,
    Run,
    RunItem,
    Sighting,
    usd,
)
from assetflow.model.query import (
    All,
    AnyOf,
    Compare,
    Predicate,
    average,
    count,
    count_distinct,
    maximum,
    minimum,
    plain,
    total,
)
from assetflow.store.schema import ColumnType, kind_of
from assetflow.testing import strategies
from assetflow.testing._store.tools import (
    Suite,
    custody,
    device,
    examples,
    insertion,
    key_of,
    parents,
)

if TYPE_CHECKING:
    from assetflow.model import DistrictId
    from assetflow.store.ports import Store

# Texts in the order of their code points, which no locale and no UTF-16 gives.
ASCENDING = ["", "A", "B", "Z", "a", "a ", "ab", "b", "é", "\ufffd", "\uffff", "\U0001f600"]


def unique(records: list[Any]) -> list[Any]:
    return list({key_of(r): r for r in records}.values())


def some(cls: Any, most: int = 10) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategies.alike(cls), max_size=most).map(unique)


def fill(store: Store, district: DistrictId, records: list[Any]) -> None:
    needed = {(type(p), key_of(p)): p for r in records for p in parents(r)}
    insertion(store, district, *needed.values(), *records)


def meant(records: list[Any], query: Query[Any]) -> list[Any]:
    """What a query selects, by the words of the port."""
    found = [r for r in records if query.where is None or query.where.test(r) is True]
    if query.after is not None:
        found = [r for r in found if key_of(r) > query.after]
    found.sort(key=key_of)
    for order in reversed(query.order):
        known = [r for r in found if getattr(r, order.name) is not None]
        known.sort(key=lambda r: plain(getattr(r, order.name)), reverse=order.descending)
        found = known + [r for r in found if getattr(r, order.name) is None]
    return found[: query.limit]


class Filters(Suite):
    """A filter selects the records for which it is true."""

    @pytest.mark.parametrize("cls", [Device, Custody, Sighting, RunItem])
    def test_filters_select_what_they_select_in_python(self, store: Store, cls: Any) -> None:
        @examples(12)
        @given(some(cls), st.lists(strategies.predicates(cls), min_size=6, max_size=10))
        def check(records: list[Any], wheres: list[Predicate]) -> None:
            here = self.district()
            fill(store, here, records)
            with store.read(here) as tx:
                for where in wheres:
                    query = Query(kind=cls, where=where)
                    assert list(tx.find(query)) == meant(records, query), where
                    assert tx.count(query) == len(meant(records, query)), where
                    unknown = query.unknown()
                    if unknown is not None:
                        left_open = sum(where.test(r) is None for r in records)
                        assert tx.count(unknown) == left_open, where

        check()

    @pytest.mark.parametrize("operator", ["==", "!=", "<", "<=", ">", ">="])
    def test_comparing_texts(self, store: Store, operator: Any) -> None:
        here = self.district()
        devices = [device(f"d{i}", asset_tag=t) for i, t in enumerate([*ASCENDING, None])]
        insertion(store, here, *devices)
        with store.read(here) as tx:
            for text in ASCENDING:
                where = Compare("asset_tag", operator, text)
                for asked in (where, ~where):
                    query = Query(kind=Device, where=asked)
                    assert list(tx.find(query)) == meant(devices, query), text

    @pytest.mark.parametrize(
        "prefix", ["", "a", "A", "a_", "a%", "a*", "a?", "[", "é", "e", "\\", "'", "\U0001f600"]
    )
    def test_beginnings_are_literal_and_case_counts(self, store: Store, prefix: str) -> None:
        here = self.district()
        texts = ["a", "A", "ab", "a_b", "a%b", "a*b", "a?b", "[a]", "é", "e\u0301", "\\d", "'", ""]
        texts += ["\U0001f600\U0001f600"]
        devices = [device(f"d{i:02}", asset_tag=t) for i, t in enumerate([*texts, None])]
        insertion(store, here, *devices)
        with store.read(here) as tx:
            for where in (F.asset_tag.starts_with(prefix), ~F.asset_tag.starts_with(prefix)):
                query = Query(kind=Device, where=where)
                assert list(tx.find(query)) == meant(devices, query)

    def test_values_of_every_type_compare(self, store: Store) -> None:
        here = self.district()
        one = device(
            "d1",
            lifecycle=Lifecycle.DEPLOYED,
            purchase_cost=usd("10.00"),
            acquired_on=date(2026, 8, 17),
            version=3,
        )
        place: Any = Place(id="s1", kind=PlaceKind.SITE, name="LHS", closed=True)  # type: ignore[arg-type]
        held = custody()
        insertion(store, here, one, place, held)
        with store.read(here) as tx:
            wheres: list[tuple[Any, Predicate]] = [
                (Device, F.lifecycle == Lifecycle.DEPLOYED),
                (Device, F.lifecycle == "deployed"),
                (Device, F.purchase_cost == usd("10.00")),
                (Device, F.purchase_cost >= 1000),
                (Device, F.acquired_on == date(2026, 8, 17)),
                (Device, F.acquired_on < "2026-08-18"),
                (Device, F.version == 3),
                (Place, F.closed == True),  # noqa: E712  # builds a filter
                (Place, F.closed == 1),
                (Custody, F.since <= held.since),
                (Custody, F.since > "2026-08"),
            ]
            for kind, where in wheres:
                assert tx.count(Query(kind=kind, where=where)) == 1, where
                assert tx.count(Query(kind=kind, where=~where)) == 0, where

    def test_the_empty_combinations(self, store: Store) -> None:
        here = self.district()
        insertion(store, here, device("d1"), device("d2", asset_tag="T"))
        with store.read(here) as tx:
            for where, selected in [
                (All(()), 2),
                (AnyOf(()), 0),
                (~All(()), 0),
                (F.asset_tag.one_of(), 0),
                (~F.asset_tag.one_of(), 2),
                (All((AnyOf(()), F.asset_tag == "T")), 0),
            ]:
                assert tx.count(Query(kind=Device, where=where)) == selected, where

    def test_a_long_list_of_values(self, store: Store) -> None:
        here = self.district()
        devices = [device(f"d{n:04}", asset_tag=f"T{n}") for n in range(300)]
        insertion(store, here, *devices)
        tags = [f"T{n}" for n in range(0, 5000, 2)]
        with store.read(here) as tx:
            where = F.asset_tag.one_of(*tags)
            assert tx.count(Query(kind=Device, where=where)) == 150
            assert tx.count(Query(kind=Device, where=~where)) == 150

    def test_a_word_a_day_and_an_instant_are_spelt_right(self, store: Store) -> None:
        """A misspelt one would keep nothing, and look like a district that has no such record."""
        wrong = [
            F.lifecycle == "in stock",
            F.lifecycle != "In_Stock",
            F.lifecycle.one_of("lost", "gone"),
            ~((F.condition == "shiny") | (F.asset_tag == "x")),
            F.auto_update_ends < "2027",
            F.auto_update_ends < "2027-02-30",
            F.auto_update_ends.one_of("June 2027"),
        ]
        fine = [
            F.lifecycle == "in_stock",
            F.lifecycle.one_of("lost", "stolen"),
            F.lifecycle.starts_with("in_"),
            F.auto_update_ends < "2027-02-28",
            F.auto_update_ends.starts_with("2027"),
        ]
        moments = ["2026", "2026-08", "2026-08-17", "2026-08-17T13:05:00.000000Z"]
        never = ["", "yesterday", "2026-13", "2026-02-30", "2026-08-17 13:05", "17.8.2026"]
        with store.read(self.district()) as tx:
            for where in wrong:
                with pytest.raises(InvalidValue) as caught:
                    tx.count(Query(kind=Device, where=where))
                assert caught.value.hint
            for where in fine:
                tx.count(Query(kind=Device, where=where))
            for text in moments:
                tx.count(Query(kind=Run, where=F.started_at >= text))
            for text in never:
                with pytest.raises(InvalidValue):
                    tx.count(Query(kind=Run, where=F.started_at >= text))

    @pytest.mark.parametrize(
        "query",
        [
            Query(kind=Device, where=F.no_such_field == "x"),
            Query(kind=Device, where=F.no_such_field.is_unknown()),
            Query(kind=Device, where=F.label == "x"),
            Query(kind=Device, where=F.purchase_cost_minor == 1),
            Query(kind=Device, where=~(F.asset_tag == 7)),
            Query(kind=Device, where=F.asset_tag.one_of("x", 7)),
            Query(kind=Device, where=F.version == "7"),
            Query(kind=Device, where=F.version > 2**63),
            Query(kind=Device, where=F.version.starts_with("7")),
            Query(kind=Device, where=F.services == "[]"),
            Query(kind=Device, order=(Order("no_such_field"),)),
            Query(kind=Device, order=(Order("custom"),)),
            Query(kind=Device, after=("a", "b")),
            Query(kind=Device, after=(1,)),
            Query(kind=usd("1").__class__),  # type: ignore[type-var]  # that is the test
        ],
        ids=str,
    )
    def test_a_question_that_means_nothing_is_refused_at_once(
        self, store: Store, query: Query[Any]
    ) -> None:
        with store.read(self.district()) as tx:
            for call in (tx.find, tx.count, lambda q: tx.values(q, ["id"])):
                with pytest.raises(InvalidValue):
                    call(query)
            with pytest.raises(InvalidValue):
                tx.values(Query(kind=Device), ["id", "no_such_field"])


class Orders(Suite):
    """Records come in the order that was asked for, in pages that fit together."""

    @pytest.mark.parametrize("cls", [Device, RunItem, DeviceLink])
    def test_orders_and_limits(self, store: Store, cls: Any) -> None:
        apart = {ColumnType.JSON, ColumnType.BYTES, ColumnType.CURRENCY}
        names = [c.field for c in kind_of(cls).columns if c.type not in apart]
        orders = st.lists(st.builds(Order, st.sampled_from(names), st.booleans()), max_size=3)

        @examples(15)
        @given(some(cls), st.lists(orders.map(tuple), min_size=5, max_size=8), st.integers(0, 12))
        def check(records: list[Any], several: list[Any], limit: int) -> None:
            here = self.district()
            fill(store, here, records)
            with store.read(here) as tx:
                for order in several:
                    for query in (
                        Query(kind=cls, order=order),
                        Query(kind=cls, order=order, limit=limit),
                    ):
                        assert list(tx.find(query)) == meant(records, query), query
                        assert tx.count(query) == len(meant(records, query)), query

        check()

    def test_texts_are_in_the_order_of_their_code_points(self, store: Store) -> None:
        here = self.district()
        insertion(store, here, *(device(key, asset_tag=key) for key in reversed(ASCENDING)))
        with store.read(here) as tx:
            assert [d.id for d in tx.find(Query(kind=Device))] == ASCENDING
            backward = Query(kind=Device, order=(Order("asset_tag", descending=True),))
            assert [d.id for d in tx.find(backward)] == ASCENDING[::-1]

    def test_unknown_values_come_last_both_ways(self, store: Store) -> None:
        here = self.district()
        tags = {"d1": None, "d2": "b", "d3": None, "d4": "a", "d5": "b"}
        insertion(store, here, *(device(key, asset_tag=tag) for key, tag in tags.items()))
        with store.read(here) as tx:
            for descending, expected in (
                (False, ["d4", "d2", "d5", "d1", "d3"]),
                (True, ["d2", "d5", "d4", "d1", "d3"]),
            ):
                query = Query(kind=Device, order=(Order("asset_tag", descending),))
                assert [d.id for d in tx.find(query)] == expected

    @pytest.mark.parametrize("cls", [RunItem, Sighting, Device])
    def test_reading_on_after_a_key_gives_everything_once(self, store: Store, cls: Any) -> None:
        @examples(12)
        @given(some(cls, 14), strategies.predicates(cls), st.integers(1, 5))
        def check(records: list[Any], where: Predicate, size: int) -> None:
            here = self.district()
            fill(store, here, records)
            found: list[Any] = []
            with store.read(here) as tx:
                after = None
                while page := list(tx.find(Query(kind=cls, where=where, limit=size, after=after))):
                    found += page
                    after = key_of(page[-1])
                assert found == meant(records, Query(kind=cls, where=where))
                if after is not None:
                    assert tx.count(Query(kind=cls, where=where, after=after)) == 0

        check()

    def test_nothing_is_fetched_before_it_is_asked_for(self, store: Store) -> None:
        here = self.district()
        insertion(store, here, *(device(f"d{n}") for n in range(20)))
        with store.read(here) as tx:
            found = tx.find(Query(kind=Device))
            assert isinstance(found, Iterator)
            assert next(found).id == "d0"
            assert tx.count(Query(kind=Device)) == 20
            assert next(found).id == "d1"


class Values(Suite):
    """Bulk reads give plain values."""

    def test_values_are_plain(self, store: Store) -> None:
        here = self.district()
        full = device(
            lifecycle=Lifecycle.LOST,
            purchase_cost=usd("299.95"),
            acquired_on=date(2026, 8, 17),
            custom=(CustomValue("charger", "usb-c"),),
            version=4,
        )
        place: Any = Place(id="s1", kind=PlaceKind.SITE, name="LHS", closed=True)  # type: ignore[arg-type]
        insertion(store, here, full, device("d2"), place)
        with store.read(here) as tx:
            names = ["lifecycle", "purchase_cost", "purchase_cost_currency", "acquired_on"]
            names += ["custom", "version", "asset_tag", "id", "id"]
            assert list(tx.values(Query(kind=Device), names)) == [
                (
                    *("lost", 29995, "USD", "2026-08-17"),
                    *('[{"name":"charger","value":"usb-c"}]', 4, None, "d1", "d1"),
                ),
                ("received", None, None, None, "[]", 1, None, "d2", "d2"),
            ]
            assert list(tx.values(Query(kind=Place), ["closed"])) == [(1,)]

    @pytest.mark.parametrize("cls", [Device, Custody, Sighting])
    def test_values_are_those_of_the_row_codec(self, store: Store, cls: Any) -> None:
        kind = kind_of(cls)

        @examples(8)
        @given(st.lists(strategies.record(cls), max_size=4).map(unique))
        def check(records: list[Any]) -> None:
            here = self.district()
            fill(store, here, records)
            names = [c.name for c in kind.columns]
            rows = [kind.codec.plain(r) for r in sorted(records, key=key_of)]
            with store.read(here) as tx:
                wanted = {kind.key_of(r) for r in records}
                found = tx.values(Query(kind=cls), names)
                assert [row for row in found if kind.pick_key(row) in wanted] == rows

        check()


MEASURES = (
    count(),
    Measure("known", "count_known", "asset_tag"),
    count_distinct("asset_tag"),
    count_distinct("purchase_cost"),
    total("purchase_cost"),
    total("version"),
    average("purchase_cost"),
    minimum("auto_update_ends"),
    maximum("auto_update_ends"),
    minimum("asset_tag"),
    maximum("purchase_cost"),
)


class Figures(Suite):
    """Figures are what `Aggregate.rows` gives over all records."""

    @pytest.mark.parametrize("name", sorted(FIGURES))
    def test_shipped_figures(self, store: Store, name: str) -> None:
        figure = FIGURES[name]

        @examples(10)
        @given(some(figure.kind, 14))
        def check(records: list[Any]) -> None:
            here = self.district()
            fill(store, here, records)
            with store.read(here) as tx:
                assert tx.aggregate(figure) == figure.rows(list(tx.find(Query(kind=figure.kind))))

        check()

    @pytest.mark.parametrize(
        "group_by",
        [
            (),
            ("lifecycle",),
            ("asset_tag", "lifecycle"),
            ("auto_update_ends:month",),
            ("acquired_on:year", "purchase_cost"),
            ("version",),
        ],
    )
    def test_groups_and_measures(self, store: Store, group_by: tuple[str, ...]) -> None:
        figure = Aggregate(kind=Device, group_by=group_by, measures=MEASURES)

        @examples(12)
        @given(some(Device, 14), st.none() | strategies.predicates(Device))
        def check(records: list[Any], where: Predicate | None) -> None:
            here, asked = self.district(), evolve(figure, where=where)
            fill(store, here, records)
            with store.read(here) as tx:
                assert tx.aggregate(asked) == asked.rows(records)

        check()

    def test_instants_are_cut_to_the_month(self, store: Store) -> None:
        here = self.district()
        held = [custody(f"c{n}") for n in range(3)]
        insertion(store, here, device(), *held)
        with store.read(here) as tx:
            figure = Aggregate(kind=Custody, group_by=("since:month", "due_on:year"))
            assert tx.aggregate(figure) == [
                {"since:month": "2026-08", "due_on:year": None, "count": 3}
            ]

    def test_a_sum_may_be_larger_than_what_it_adds(self, store: Store) -> None:
        here = self.district()
        largest = usd("92233720368547758.07")
        insertion(store, here, *(device(f"d{n}", purchase_cost=largest) for n in range(3)))
        with store.read(here) as tx:
            figure = Aggregate(kind=Device, measures=(total("purchase_cost", "sum"),))
            assert tx.aggregate(figure) == [{"sum": 3 * (2**63 - 1)}]

    @pytest.mark.parametrize(
        "figure",
        [
            Aggregate(kind=Device, group_by=("no_such_field",)),
            Aggregate(kind=Device, group_by=("lifecycle:week",)),
            Aggregate(kind=Device, group_by=("version:month",)),
            Aggregate(kind=Device, group_by=("custom",)),
            Aggregate(kind=Device, measures=(total("asset_tag"),)),
            Aggregate(kind=Device, measures=(Measure("x", "sum"),)),
            Aggregate(kind=Device, measures=(minimum("services"),)),
            Aggregate(kind=Device, measures=(count(), count())),
            Aggregate(kind=Device, where=F.asset_tag == 7),
        ],
        ids=str,
    )
    def test_a_figure_that_means_nothing_is_refused(
        self, store: Store, figure: Aggregate[Any]
    ) -> None:
        with store.read(self.district()) as tx, pytest.raises(InvalidValue):
            tx.aggregate(figure)
