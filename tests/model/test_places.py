from hypothesis import given
from hypothesis import strategies as st

from assetflow.model import Place, PlaceKind, PlaceTree

NAMES = [f"p{n}" for n in range(8)]


def place(key, parent=None):
    return Place(id=key, kind=PlaceKind.ROOM, name=key, parent_id=parent)


@st.composite
def forests(draw):
    """Places whose parents come before them, some of whose parents are missing."""
    parents = [draw(st.sampled_from([None, "gone", *NAMES[:n]])) for n in range(len(NAMES))]
    return draw(st.permutations([place(k, p) for k, p in zip(NAMES, parents, strict=True)]))


@st.composite
def graphs(draw):
    """Places with any parents at all, circles among them."""
    return [place(key, draw(st.sampled_from([None, *NAMES]))) for key in NAMES]


def ancestors(places, key):
    by_id, found = {p.id: p for p in places}, []
    while key in by_id:
        found.append(key)
        key = by_id[key].parent_id
    return found


@given(forests(), st.dictionaries(st.sampled_from(NAMES), st.integers(0, 100)))
def test_a_roll_up_counts_all_that_lies_within(places, counts):
    tree = PlaceTree(places)
    totals = tree.roll_up(counts)
    for key in NAMES:
        below = sum(n for k, n in counts.items() if key in ancestors(places, k))
        assert totals.get(key, 0) == below == sum(counts.get(k, 0) for k in tree.within(key))


@given(forests())
def test_paths_lead_from_the_root(places):
    tree = PlaceTree(places)
    for key in NAMES:
        assert [p.id for p in tree.path(key)] == ancestors(places, key)[::-1]
        assert key in tree.within(key)


@given(graphs(), st.dictionaries(st.sampled_from(NAMES), st.integers(0, 100)))
def test_circles_end(places, counts):
    tree = PlaceTree(places)
    for key in NAMES:
        within, path = list(tree.within(key)), [p.id for p in tree.path(key)]
        assert len(within) == len(set(within))
        assert len(path) == len(set(path))
        assert path[-1] == key
    totals = tree.roll_up(counts)
    for key in NAMES:
        assert totals.get(key, 0) == sum(counts.get(k, 0) for k in tree.within(key))


def test_a_place_that_is_not_there():
    tree = PlaceTree([place("p1")])
    assert tree.get("p1") == place("p1")
    assert tree.get("other") is None
    assert tree.path("other") == ()
    assert list(tree.within("other")) == ["other"]
    assert tree.roll_up({"other": 5, "p1": 1}) == {"p1": 1}
