"""Devices that a complete listing no longer has, and those that come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve

from assetflow.model import Device, F, ItemOutcome, Management, Observation, Query, RunItem
from assetflow.model.events import DeviceAbsent, DeviceReturned
from assetflow.store.ports import Entry, Put

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assetflow.model import RunId
    from assetflow.store.ports import Transaction
    from assetflow.workflows.acting import Act

__all__ = ["mark_absent", "mark_returned"]


def mark_absent(
    tx: Transaction, act: Act, source: str, run_id: RunId, source_ids: Sequence[str]
) -> None:
    """Note that a complete listing lacked these records. The devices stay; nothing is retired.

    Where the source has authority over management, the device's management becomes absent, or
    what another source with authority says of it that still lists it.
    """
    observations = tx.get_many(Observation, [(source, i) for i in source_ids])
    devices = _devices(tx, observations)
    rules = source in act.policy.authority.fields.get("management", ())
    elsewhere = _elsewhere(tx, act, source, devices) if rules else {}
    entries, items, rows = [], [], []
    for observation in observations.values():
        device = devices.get((observation.device_id,))
        rows.append(evolve(observation, absent_since=act.at))
        items.append(_item(run_id, observation, ItemOutcome.ABSENT))
        if device is None:
            continue
        puts: tuple[Put, ...] = ()
        word = elsewhere.get(device.id, Management.ABSENT)
        if rules and device.management is not word:
            after = evolve(device, management=word, version=device.version + 1)
            puts = (Put(after, device),)
        event = DeviceAbsent(source=source, source_id=observation.source_id)
        entries.append(Entry(event=event, subject_id=device.id, stamp=act.stamp(), puts=puts))
    tx.upsert(rows)
    tx.upsert(items)
    tx.record(entries)


def mark_returned(
    tx: Transaction, act: Act, source: str, run_id: RunId, source_ids: Sequence[str]
) -> None:
    """Note that records which were absent are there again."""
    observations = tx.get_many(Observation, [(source, i) for i in source_ids])
    devices = _devices(tx, observations)
    rules = source in act.policy.authority.fields.get("management", ())
    entries, items, rows = [], [], []
    for observation in observations.values():
        if observation.absent_since is None:
            continue  # told already: its listing was begun again
        device = devices.get((observation.device_id,))
        rows.append(evolve(observation, absent_since=None))
        items.append(_item(run_id, observation, ItemOutcome.RETURNED))
        if device is None:
            continue
        puts: tuple[Put, ...] = ()
        if rules and device.management is Management.ABSENT:
            back = _management_in(observation)
            puts = (Put(evolve(device, management=back, version=device.version + 1), device),)
        event = DeviceReturned(source=source, source_id=observation.source_id)
        entries.append(Entry(event=event, subject_id=device.id, stamp=act.stamp(), puts=puts))
    tx.upsert(rows)
    tx.upsert(items)
    tx.record(entries)


def _elsewhere(
    tx: Transaction, act: Act, source: str, devices: dict[Any, Device]
) -> dict[str, Management]:
    """For devices that another source with authority still lists: what that source says of them."""
    others = [s for s in act.policy.authority.fields.get("management", ()) if s != source]
    ids = [device.id for device in devices.values()]
    if not others or not ids:
        return {}
    listed = F.source.one_of(*others) & F.device_id.one_of(*ids) & F.absent_since.is_unknown()
    found = sorted(
        tx.find(Query(kind=Observation, where=listed)), key=lambda o: others.index(o.source)
    )
    words: dict[str, Management] = {}
    for observation in found:
        word = _management_in(observation)
        if word is not Management.UNKNOWN and observation.device_id is not None:
            words.setdefault(observation.device_id, word)
    return words


def _devices(tx: Transaction, observations: dict[Any, Observation]) -> dict[Any, Device]:
    ids = sorted({o.device_id for o in observations.values() if o.device_id is not None})
    tx.lock(*((Device, (i,)) for i in ids))
    return tx.get_many(Device, [(i,) for i in ids])


def _item(run_id: RunId, observation: Observation, outcome: ItemOutcome) -> RunItem:
    return RunItem(
        run_id=run_id,
        source_id=observation.source_id,
        position=1_000,  # after anything else that the run says of the record
        device_id=observation.device_id,
        outcome=outcome,
    )


def _management_in(observation: Observation) -> Management:
    import msgspec  # noqa: PLC0415  # only for the rare device that comes back

    word = msgspec.json.decode(observation.facts).get("management", "unknown")
    return Management(word)
