"""Where what a source says and what the district holds differ, asked now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from attrs import frozen

from assetflow.exchange.claims import Claims
from assetflow.model import (
    Custody,
    Device,
    DeviceId,
    F,
    HolderKind,
    Observation,
    Person,
    Query,
    RunId,
)
from assetflow.model.query import plain
from assetflow.reconcile import observed_from_facts, weigh
from assetflow.rules.derived import fold_email, fold_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assetflow.model import DistrictPolicy, ObservedDevice
    from assetflow.store.ports import ReadTransaction

__all__ = ["Drift", "drift"]

_CHUNK = 500


@frozen(kw_only=True)
class Drift:
    """One field of one device on which a source and the district differ."""

    device_id: DeviceId
    """The device."""
    label: str
    """Its tag, serial or id."""
    source: str
    """The source."""
    source_id: str
    """The vendor's id of the device."""
    field: str
    """The field; ``assigned_to`` when the source names somebody else than the district."""
    held: str | None
    """What the district holds; ``None`` for a personal field."""
    claimed: str | None
    """What the source says; ``None`` for a personal field."""


def drift(tx: ReadTransaction, source: str, *, policy: DistrictPolicy) -> Iterator[Drift]:
    """Compare the newest claim of a source about each device with the device."""
    claims = Claims.load(tx, source=source, run_id=RunId(""), sites=policy.sites)
    linked = (F.source == source) & F.device_id.is_known() & F.absent_since.is_unknown()
    chunk: list[Observation] = []
    for observation in tx.find(Query(kind=Observation, where=linked)):
        chunk.append(observation)
        if len(chunk) == _CHUNK:
            yield from _compare(tx, chunk, claims, policy)
            chunk = []
    if chunk:
        yield from _compare(tx, chunk, claims, policy)


def _compare(
    tx: ReadTransaction, chunk: list[Observation], claims: Claims, policy: DistrictPolicy
) -> Iterator[Drift]:
    devices = tx.get_many(Device, [(o.device_id,) for o in chunk])
    addresses = _addresses(tx, [o.device_id for o in chunk if o.device_id is not None])
    for observation in chunk:
        device = devices.get((observation.device_id,))
        if device is None:
            continue
        observed = observed_from_facts(
            observation.source_id, msgspec.json.decode(observation.facts)
        )
        model = claims.models.get(fold_name(observed.model or ""))
        site = claims.site_of(observed)
        verdicts = weigh(
            observed,
            device,
            source=observation.source,
            authority=policy.authority,
            model_id=model.id if model else None,
            site_id=site,
        )
        says = {"model_id": observed.model, "site_id": site}
        for name in (*verdicts.disagrees, *verdicts.taken):
            yield Drift(
                device_id=device.id,
                label=device.label,
                source=observation.source,
                source_id=observation.source_id,
                field=name.removesuffix("_id"),
                held=_text(device.model if name == "model_id" else getattr(device, name)),
                claimed=_text(says.get(name, getattr(observed, name, None))),
            )
        if _somebody_else(observed, addresses.get(device.id)):
            yield Drift(
                device_id=device.id,
                label=device.label,
                source=observation.source,
                source_id=observation.source_id,
                field="assigned_to",
                held=None,
                claimed=None,
            )


def _addresses(tx: ReadTransaction, device_ids: list[DeviceId]) -> dict[str, str | None]:
    """For devices that a person answers for: that person's folded address."""
    where = F.device_id.one_of(*device_ids) & F.ended_at.is_unknown()
    held = where & (F.accountable_kind == HolderKind.PERSON)
    rows = list(tx.values(Query(kind=Custody, where=held), ("device_id", "accountable_id")))
    people = tx.get_many(Person, [(person,) for _, person in rows])
    return {
        device: found.email_key
        for device, person in rows
        if (found := people.get((person,))) is not None
    }


def _somebody_else(observed: ObservedDevice, address: str | None) -> bool:
    claimed = fold_email(observed.assigned_to)
    return claimed is not None and address is not None and "@" in claimed and claimed != address


def _text(value: object) -> str | None:
    return None if value is None else str(plain(value))
