"""Figures that assetflow ships: aggregates with a name, the same on every engine."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from assetflow.model.custody import Custody
from assetflow.model.devices import Device
from assetflow.model.people import Person
from assetflow.model.query import (
    Aggregate,
    F,
    average,
    count,
    count_distinct,
    maximum,
    minimum,
    total,
)

__all__ = ["FIGURES"]

_IN_USE = F.lifecycle.one_of("in_stock", "deployed", "in_repair", "lost", "stolen", "received")

FIGURES: Mapping[str, Aggregate[Any]] = MappingProxyType(
    {
        "fleet_by_lifecycle": Aggregate(kind=Device, group_by=("lifecycle",)),
        "fleet_by_site": Aggregate(
            kind=Device,
            group_by=("site_id",),
            measures=(count(), count_distinct("model", "models"), total("purchase_cost")),
            where=_IN_USE,
        ),
        "fleet_by_model": Aggregate(
            kind=Device,
            group_by=("model",),
            measures=(
                count(),
                minimum("auto_update_ends"),
                maximum("auto_update_ends"),
                average("purchase_cost"),
            ),
            where=_IN_USE,
        ),
        "fleet_by_condition": Aggregate(
            kind=Device, group_by=("site_id", "condition"), where=_IN_USE
        ),
        "auto_update_by_month": Aggregate(
            kind=Device, group_by=("auto_update_ends:month",), where=_IN_USE
        ),
        "custody_by_holder_kind": Aggregate(
            kind=Custody, group_by=("accountable_kind", "kind"), where=F.ended_at.is_unknown()
        ),
        "people_by_grade": Aggregate(
            kind=Person,
            group_by=("site_id", "grade"),
            where=(F.kind == "student") & (F.status == "active"),
        ),
    }
)
"""Name to aggregate."""
