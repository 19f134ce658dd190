"""A person says which device a source's record is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from assetflow.errors import NotFound, Refusal
from assetflow.model import Device, DeviceLink, F, Observation, Query
from assetflow.model.events import DeviceLinked
from assetflow.store.ports import Entry, Put
from assetflow.workflows.marks import unmark
from assetflow.workflows.references import find_device

if TYPE_CHECKING:
    from assetflow.store.ports import Transaction
    from assetflow.workflows.acting import Act
    from assetflow.workflows.references import DeviceRef

__all__ = ["link_record"]


def link_record(
    tx: Transaction, act: Act, source: str, source_id: str, device: DeviceRef
) -> Device:
    """Link a source's record, which a pull could not place, to a device.

    The next pull compares the two and takes over what the source has authority for.

    Raises:
        NotFound: the source has no such record, or no device answers to *device*.
        Refusal: the record has a device, or the device a record at that source.
    """
    found = find_device(tx, device)
    tx.lock((Device, (found.id,)), (Observation, (source, source_id)))
    observation = tx.get(Observation, source, source_id)
    if observation is None:
        raise NotFound(f"{source} has no record with that id", source=source)
    taken = next(
        iter(
            tx.find(Query(kind=DeviceLink, where=(F.device_id == found.id) & (F.source == source)))
        ),
        None,
    )
    if observation.device_id is not None or taken is not None:
        raise Refusal(
            "the record or the device is linked already",
            hint="See the device's links: district.devices.links(device).",
            rule="device.one-record-a-source",
            device_id=found.id,
            source=source,
        )
    link = DeviceLink(source=source, source_id=source_id, device_id=found.id, matched_by="person")
    event = DeviceLinked(source=source, source_id=source_id, matched_by="person")
    tx.record([Entry(event=event, subject_id=found.id, stamp=act.stamp(), puts=(Put(link),))])
    # an empty digest makes the next pull weigh the claim, as if it had changed
    tx.upsert([evolve(observation, device_id=found.id, digest=b"")])
    unmark(tx, source, [source_id])
    return found
