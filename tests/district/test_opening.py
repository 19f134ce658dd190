"""Which district `assetflow.open` binds, and what it says when it cannot."""

import re

import pytest

import assetflow
from assetflow import errors
from assetflow.store.memory import MemoryStore


def test_the_only_district_needs_no_name():
    store = MemoryStore()
    with assetflow.open(store, district="lincoln", create=True, name="Lincoln Unified") as made:
        assert made.id == "lincoln"
    with assetflow.open(store) as found:
        assert found.id == "lincoln"


def test_of_several_districts_one_must_be_named_and_none_is_listed():
    store = MemoryStore()
    for name in ("lincoln", "jefferson"):
        assetflow.open(store, district=name, create=True)
    with pytest.raises(errors.DistrictRequired) as caught:
        assetflow.open(store)
    said = f"{caught.value} {caught.value.hint} {caught.value.context}"
    assert not re.search("lincoln|jefferson", said)


def test_an_unknown_district_is_refused_without_listing_the_others():
    store = MemoryStore()
    assetflow.open(store, district="lincoln", create=True)
    with pytest.raises(errors.UnknownDistrict) as caught:
        assetflow.open(store, district="jefferson")
    assert "lincoln" not in f"{caught.value} {caught.value.hint} {caught.value.context}"


def test_an_empty_store_says_how_to_make_a_district():
    with pytest.raises(errors.DistrictRequired, match="no district yet"):
        assetflow.open(MemoryStore())


def test_a_file_that_is_not_there_is_not_made_by_a_question(tmp_path):
    path = tmp_path / "lincoln.db"
    with pytest.raises(errors.StoreUnavailable):
        assetflow.open(path)
    assert not path.exists()


@pytest.mark.parametrize("name", ["Lincoln", "lin coln", "-lincoln", "x" * 64, "", "lïncoln"])
def test_a_district_id_is_plain(name):
    with pytest.raises(errors.InvalidValue):
        assetflow.open(MemoryStore(), district=name, create=True)


def test_a_callers_store_stays_open():
    store = MemoryStore()
    assetflow.open(store, district="lincoln", create=True).close()
    assert store.districts() == ["lincoln"]


def test_a_path_an_address_and_a_second_opening_find_the_same(tmp_path):
    path = tmp_path / "lincoln.db"
    with assetflow.open(path, district="lincoln", create=True) as made:
        made.places.add("site", "Lincoln High", code="LHS")
    with assetflow.open(f"sqlite:///{path}") as found:
        assert found.places.get("LHS").name == "Lincoln High"
