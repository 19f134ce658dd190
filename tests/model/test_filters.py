from datetime import UTC, date, datetime
from itertools import product

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from assetflow.errors import InvalidValue
from assetflow.model import Device, F, Lifecycle, Money, Query, Sighting
from assetflow.model.query import All, AnyOf, Compare, Not, OneOf, Predicate, StartsWith, where_all
from assetflow.testing.strategies import alike, predicates

# Kleene's tables: unknown is neither, and only decides nothing.
VALUES = (True, False, None)
AND = {
    (a, b): False if False in (a, b) else None if None in (a, b) else True
    for a, b in product(VALUES, VALUES)
}
OR = {
    (a, b): True if True in (a, b) else None if None in (a, b) else False
    for a, b in product(VALUES, VALUES)
}
NOT = {True: False, False: True, None: None}


@frozen
class Known(Predicate):
    """A filter with a given answer."""

    answer: bool | None

    def test(self, record):
        return self.answer

    def fields(self):
        return frozenset()


@pytest.mark.parametrize(("a", "b"), AND)
def test_the_truth_tables(a, b):
    assert All((Known(a), Known(b))).test(None) is AND[a, b]
    assert AnyOf((Known(a), Known(b))).test(None) is OR[a, b]
    assert Not(Known(a)).test(None) is NOT[a]


ANSWERS = st.sampled_from(VALUES)
TREES = st.recursive(
    ANSWERS.map(Known),
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(All, st.lists(inner, max_size=3).map(tuple))
        | st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple))
    ),
    max_leaves=12,
)


def answer(tree):
    """The truth tables, applied by hand."""
    match tree:
        case Known(answer=known):
            return known
        case Not(condition=inner):
            return NOT[answer(inner)]
        case All(conditions=parts):
            result = True
            for part in parts:
                result = AND[result, answer(part)]
            return result
        case AnyOf(conditions=parts):
            result = False
            for part in parts:
                result = OR[result, answer(part)]
            return result


@given(TREES)
def test_any_filter_follows_the_truth_tables(tree):
    assert tree.test(None) is answer(tree)


@given(TREES, TREES)
def test_the_operators_build_what_they_say(a, b):
    assert (a & b).test(None) is AND[a.test(None), b.test(None)]
    assert (a | b).test(None) is OR[a.test(None), b.test(None)]
    assert (~a).test(None) is NOT[a.test(None)]
    # De Morgan holds for Kleene's logic; the excluded middle does not.
    assert (~(a & b)).test(None) is (~a | ~b).test(None)


@given(alike(Device), predicates(Device))
def test_unknown_finds_what_is_left_open(device, where):
    unknown = Query(kind=Device, where=where).unknown()
    left_open = where.test(device) is None
    if unknown is None:
        assert not left_open
    else:
        assert unknown.where.test(device) is left_open
        assert unknown.where.fields() <= where.fields()


@given(alike(Sighting), predicates(Sighting))
def test_a_record_is_in_or_out_or_open(record, where):
    known = [where.test(record) is True, (~where).test(record) is True]
    unknown = Query(kind=Sighting, where=where).unknown()
    known.append(unknown is not None and unknown.where.test(record) is True)
    assert sum(known) == 1


def test_a_query_without_a_comparison_leaves_nothing_open():
    assert Query(kind=Device).unknown() is None
    assert Query(kind=Device, where=F.asset_tag.is_known()).unknown() is None


def test_a_comparison_with_an_unknown_value_is_never_true():
    device = Device(id="d1")
    for where in (F.asset_tag == "x", F.asset_tag != "x", F.asset_tag < "x", F.asset_tag >= "x"):
        assert where.test(device) is None
        assert (~where).test(device) is None
    assert F.asset_tag.one_of("x").test(device) is None
    assert F.asset_tag.starts_with("").test(device) is None
    assert F.asset_tag.is_unknown().test(device) is True
    assert F.asset_tag.is_known().test(device) is False


def test_values_are_compared_in_plain_form():
    device = Device(
        id="d1",
        lifecycle=Lifecycle.LOST,
        purchase_cost=Money(1000),
        acquired_on=date(2026, 8, 17),
        version=3,
    )
    for where in (
        F.lifecycle == Lifecycle.LOST,
        F.lifecycle == "lost",
        F.purchase_cost == Money(1000),
        F.purchase_cost == 1000,
        F.acquired_on == date(2026, 8, 17),
        F.acquired_on < "2026-08-18",
        F.version.one_of(1, 3),
        F.id.starts_with("d"),
    ):
        assert where.test(device) is True


@pytest.mark.parametrize(
    "build",
    [
        lambda: F.asset_tag == None,  # noqa: E711
        lambda: F.asset_tag.one_of("x", None),
        lambda: F.version == 1.5,
        lambda: F.version.one_of(1, 1.5),
        lambda: F.digest == b"x",
        lambda: F.since == datetime(2026, 8, 17),  # noqa: DTZ001
        lambda: (F.id == 7).test(Device(id="d")),
        lambda: bool(F.asset_tag == "x"),
        lambda: (F.asset_tag == "x") and (F.id == "y"),
        lambda: "a" < F.asset_tag < "b",
        lambda: Query(kind=Device, limit=-1),
        lambda: Query(kind=Device, after=("x",), order=(object(),)),
    ],
)
def test_what_cannot_be_meant_is_refused(build):
    with pytest.raises(InvalidValue):
        build()


def test_filters_are_flat_and_say_which_fields_they_read():
    where = (F.a == "1") & (F.b == "2") & (F.c == "3")
    assert where == All((Compare("a", "==", "1"), Compare("b", "==", "2"), Compare("c", "==", "3")))
    assert ((F.a == "1") | (F.b == "2") | where).fields() == {"a", "b", "c"}
    assert (~F.a.starts_with("x")).fields() == {"a"}
    assert (F.a.one_of("x", "y") & F.b.is_unknown()) == All(
        (OneOf("a", ("x", "y")), F.b.is_unknown())
    )
    assert F.a.starts_with("x") == StartsWith("a", "x")
    assert where_all([]) is None
    assert where_all([where]) is where
    assert where_all([where, where]) == All((where, where))


def test_a_field_is_no_key_and_no_attribute_of_machinery():
    with pytest.raises(TypeError):
        {F.asset_tag: 1}  # noqa: B018
    with pytest.raises(AttributeError):
        F._private  # noqa: B018
    assert repr(F.asset_tag) == "F.asset_tag"


def test_instants_compare_by_the_moment():
    held = datetime(2026, 8, 17, 13, tzinfo=UTC)
    assert Compare("since", "==", held).value == "2026-08-17T13:00:00.000000Z"
