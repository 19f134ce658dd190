"""The devices that a source's claims can be about, read from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assetflow.model import Device, DeviceId, DeviceLink, F, Lifecycle, Query, fold_serial, fold_tag
from assetflow.reconcile import DeviceIndex, IndexedDevice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assetflow.model import ObservedDevice
    from assetflow.store.ports import ReadTransaction

__all__ = ["GONE", "LINKED", "index_all", "index_around"]

GONE = frozenset({Lifecycle.DISPOSED.value})
"""Lifecycles of devices that are no longer the district's."""

_INDEXED = ("id", "serial", "asset_tag", "lifecycle")
LINKED = ("source_id", "device_id")
"""Fields of a link, in the order in which the index takes them."""


def index_all(tx: ReadTransaction, source: str) -> DeviceIndex:
    """All devices of the district, and all links of a source."""
    rows = tx.values(Query(kind=Device), _INDEXED)
    links: Any = tx.values(Query(kind=DeviceLink, where=F.source == source), LINKED)
    return DeviceIndex.of((_indexed(row) for row in rows), links)


def index_around(
    tx: ReadTransaction, source: str, claimed: Sequence[ObservedDevice]
) -> DeviceIndex:
    """The devices that some claims can be about.

    Those linked to one, and those that share a serial, or one that looks alike, or a tag with one.
    """
    mine = F.source == source
    ids = [observed.source_id for observed in claimed]
    known: Any = tx.values(Query(kind=DeviceLink, where=mine & F.source_id.one_of(*ids)), LINKED)
    links: dict[str, DeviceId] = dict(known)
    serials = {fold_serial(observed.serial) for observed in claimed} - {None}
    tags = {fold_tag(observed.asset_tag) for observed in claimed} - {None}
    rows: dict[str, tuple[Any, ...]] = {}
    for where in (F.serial_key.one_of(*serials), F.tag_key.one_of(*tags)):
        rows |= {row[0]: row for row in tx.values(Query(kind=Device, where=where), _INDEXED)}
    near = Query(kind=DeviceLink, where=mine & F.device_id.one_of(*rows))
    index = DeviceIndex.of((_indexed(rows[i]) for i in sorted(rows)), links.items())
    for source_id, device_id in tx.values(near, LINKED):
        index.link(source_id, device_id)
    return index


def _indexed(row: tuple[Any, ...]) -> IndexedDevice:
    device_id, serial, tag, lifecycle = row
    return IndexedDevice(device_id, serial, tag, lifecycle in GONE)
