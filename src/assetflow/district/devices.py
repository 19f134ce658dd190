"""The district's devices: ``district.devices``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assetflow.district.pager import Pager
from assetflow.model import (
    Device,
    DeviceId,
    DeviceLink,
    DeviceModel,
    F,
    Lifecycle,
    Query,
)
from assetflow.model.query import where_all
from assetflow.store.journal import load_event
from assetflow.workflows import devices as verbs
from assetflow.workflows import models as model_verbs
from assetflow.workflows.edits import with_changes
from assetflow.workflows.funding import funding_of, record_funding
from assetflow.workflows.given import day
from assetflow.workflows.references import DeviceRef, find_device, resolve_device

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from assetflow.district.session import Session
    from assetflow.model import CustomField, CustomType, Event, FundingShare, Predicate, Stamp
    from assetflow.rules.funding import NewShare

__all__ = ["Devices"]


class Devices:
    """Find, register and edit devices. Every verb takes an id, a tag, a serial or the device itself."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def where(self, *conditions: Predicate) -> Pager[Device]:
        """Devices that all of these conditions keep; all devices when there is none."""
        return Pager(self._session, Query(kind=Device, where=where_all(conditions)))

    def get(self, device: DeviceRef) -> Device:
        """One device.

        Raises:
            NotFound: nothing answers to that id, tag or serial.
            AmbiguousReference: several devices do; the error lists them.
        """
        with self._session.read() as tx:
            return find_device(tx, device)

    def register(
        self,
        *,
        asset_tag: str | None = None,
        serial: str | None = None,
        model: str | None = None,
        lifecycle: Lifecycle | str = Lifecycle.IN_STOCK,
        reason: str | None = None,
        dry_run: bool = False,
        **fields: Any,
    ) -> Device:
        """Put a device into the inventory.

        Args:
            asset_tag: The district's own tag.
            serial: The maker's serial number.
            model: The model's name; one that is new is added.
            lifecycle: Where it stands.
            reason: A code for the journal.
            dry_run: Decide, and write nothing.
            **fields: Further fields of [`Device`][assetflow.model.Device], of those that may be
                set: [`DEVICE_FIELDS`][assetflow.workflows.devices.DEVICE_FIELDS].

        Raises:
            InvalidValue: neither a tag nor a serial, a field that cannot be set, or a value that
                cannot be.
            Refusal: the tag or serial is taken, or belonged to a device that was disposed of.
        """

        def do(tx: Any, act: Any) -> Device:
            found = model_verbs.upsert_model(tx, act, model) if model is not None else None
            given = {"asset_tag": asset_tag, "serial": serial, "lifecycle": lifecycle, **fields}
            blank = Device(id=DeviceId(act.new_id()), model_id=found.id if found else None)
            return verbs.register_device(tx, act, with_changes(blank, given, verbs.DEVICE_FIELDS))

        return self._session.write(do, reason=reason, dry_run=dry_run)

    def edit(
        self,
        device: DeviceRef,
        *,
        revive: bool = False,
        reason: str | None = None,
        dry_run: bool = False,
        **changes: Any,
    ) -> Device:
        """Set fields of a device: ``edit("LHS-4217", condition="fair")``. ``None`` empties a field.

        Args:
            device: Which.
            revive: Let a device that was retired, sanitized or disposed of come back into
                service. Without it such a change is refused, since it is mostly a mistyped tag.
            reason: A code for the journal.
            dry_run: Decide, and write nothing.
            **changes: Field to new value.

        Raises:
            InvalidValue: a field that cannot be edited, or a value that cannot be.
            DuplicateKey: another device has that tag or serial.
            Refusal: a rule is against it; ``device.revive`` when it would come back into service.
        """
        return self._session.write(
            lambda tx, act: verbs.edit_device(
                tx, act, resolve_device(tx, device), changes, revive=revive
            ),
            reason=reason,
            dry_run=dry_run,
        )

    def links(self, device: DeviceRef) -> Pager[DeviceLink]:
        """The records of other systems that are this device."""
        device_id = self.get(device).id
        return Pager(self._session, Query(kind=DeviceLink, where=F.device_id == device_id))

    def history(self, device: DeviceRef) -> list[tuple[Event, Stamp]]:
        """Everything that happened to a device, the oldest first."""
        with self._session.read() as tx:
            device_id = resolve_device(tx, device)
            return [load_event(e) for e in tx.journal(subject=(Device.KIND, device_id))]

    def models(self, *conditions: Predicate) -> Pager[DeviceModel]:
        """The device models."""
        return Pager(self._session, Query(kind=DeviceModel, where=where_all(conditions)))

    def set_model(self, name: str, *, reason: str | None = None, **changes: Any) -> DeviceModel:
        """Add a model, or set fields of one: ``set_model("HP 11 G9", replacement_cost=usd("319"))``."""
        return self._session.write(
            lambda tx, act: model_verbs.upsert_model(tx, act, name, changes=changes), reason=reason
        )

    def declare_field(
        self,
        name: str,
        holds: CustomType,
        *,
        label: str | None = None,
        choices: tuple[str, ...] = (),
        reason: str | None = None,
    ) -> CustomField:
        """Declare a custom field of devices, or change its label and choices."""
        return self._session.write(
            lambda tx, act: model_verbs.declare_field(
                tx, act, name, holds, label=label, choices=choices
            ),
            reason=reason,
        )

    def funding(
        self, device: DeviceRef, *, on: date | str | None = None
    ) -> tuple[FundingShare, ...]:
        """The shares that paid for a device: those in force on a day, or all there ever were."""
        with self._session.read() as tx:
            return funding_of(tx, device, on=day(on, "the day"))

    def fund(
        self,
        device: DeviceRef,
        shares: Sequence[NewShare],
        *,
        starts_on: date | str | None = None,
        reason: str | None = None,
    ) -> tuple[FundingShare, ...]:
        """Record what pays for a device from a day on; the shares before it end and stay as history.

        Raises:
            FundingInvalid: the shares do not add up to 100 %.
        """
        return self._session.write(
            lambda tx, act: record_funding(tx, act, device, shares, starts_on=starts_on),
            reason=reason,
        )

    def claims(self, device: DeviceRef) -> Mapping[str, Mapping[str, Any]]:
        """What each source last said of a device, by source: the tracked fields that it knows."""
        import msgspec  # noqa: PLC0415  # only for this question

        from assetflow.model import Observation  # noqa: PLC0415

        with self._session.read() as tx:
            device_id = resolve_device(tx, device)
            found = tx.find(Query(kind=Observation, where=F.device_id == device_id))
            return {o.source: msgspec.json.decode(o.facts) for o in found}

    def link(self, source: str, source_id: str, device: DeviceRef) -> Device:
        """Say which device a source's record is, where the pull could not tell.

        Raises:
            NotFound: no record of that source waits under that id.
            Refusal: the device has another record at that source.
        """
        from assetflow.exchange.linking import link_record  # noqa: PLC0415  # only for this verb

        return self._session.write(
            lambda tx, act: link_record(tx, act, source, source_id, device), reason="matched"
        )
