"""What is computed from other fields, so that it can be computed again and compared."""

from collections.abc import Iterable

from attrs import evolve

from assetflow.model.custody import Custody, CustodyKind
from assetflow.model.devices import (
    CustodyState,
    Device,
    DeviceModel,
    FundingState,
    fold_serial,
    fold_tag,
)
from assetflow.model.funds import FundingShare, Programme

__all__ = [
    "bound_by",
    "custody_state",
    "fold_email",
    "fold_name",
    "funding_state",
    "with_model",
]


def fold_name(name: str) -> str:
    """A model's or place's name folded for look-up: lower case, single spaces."""
    return " ".join(name.casefold().split())


def fold_email(address: str | None) -> str | None:
    """An address folded for look-up: lower case. The local part is not touched otherwise."""
    return address.strip().lower() or None if address else None


def custody_state(custody: Custody | None) -> CustodyState:
    """Who has a device, in one word, from its open custody."""
    if custody is None or custody.ended_at is not None:
        return CustodyState.NONE
    return CustodyState.LOANED if custody.kind is CustodyKind.LOAN else CustodyState.ASSIGNED


def funding_state(shares: Iterable[FundingShare]) -> FundingState:
    """What a device's money binds it to, from the shares that have not ended."""
    return bound_by(s.programme for s in shares if s.ends_on is None)


def bound_by(programmes: Iterable[Programme]) -> FundingState:
    """What the programmes of a device's shares bind it to; no share, nothing known."""
    found = set(programmes)
    if not found:
        return FundingState.UNKNOWN
    own = found == {Programme.NONE}
    return FundingState.UNRESTRICTED if own else FundingState.RESTRICTED


def with_model(device: Device, model: DeviceModel | None) -> Device:
    """The device with the fields that follow from its own tag, serial and model."""
    return evolve(
        device,
        tag_key=fold_tag(device.asset_tag),
        serial_key=fold_serial(device.serial),
        model_id=model.id if model else device.model_id,
        model=model.name if model else None,
        manufacturer=model.manufacturer if model else None,
    )
