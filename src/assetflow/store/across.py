"""Figures of several districts at once: the only way to read across districts.

A transaction belongs to one district. A consortium that adds up what its districts have needs no
record of any of them, only figures; so that is all there is. A store that can ask for all of
them in one statement offers [`AggregatesAcross`][assetflow.store.ports.AggregatesAcross]; any
other is asked district by district.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assetflow.store.ports import AggregatesAcross

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assetflow.model import Aggregate, DistrictId
    from assetflow.store.ports import Store

__all__ = ["aggregate_across"]


def aggregate_across(
    store: Store, districts: Sequence[DistrictId], aggregate: Aggregate[Any]
) -> dict[DistrictId, list[dict[str, Any]]]:
    """The figures of an aggregate for each of these districts, under their ids in that order.

    One statement sees one state; a store that is asked district by district may be written to in
    between.

    Args:
        store: The store.
        districts: Which; no other is looked at.
        aggregate: What to compute, for each of them alone.

    Raises:
        InvalidValue: a name that is not there, or a figure that means nothing.
    """
    wanted = list(dict.fromkeys(districts))
    if isinstance(store, AggregatesAcross):
        return store.aggregate_across(wanted, aggregate)
    found: dict[DistrictId, list[dict[str, Any]]] = {}
    for district in wanted:
        with store.read(district) as tx:
            found[district] = tx.aggregate(aggregate)
    return found
