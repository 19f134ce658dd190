"""Whose word counts: what of a claim the district takes over, and where the two disagree."""

from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

from assetflow.model.devices import Device, ExtendedUpdates, Management, fold_tag
from assetflow.model.ids import ModelId, PlaceId
from assetflow.model.observed import ObservedDevice
from assetflow.model.policy import Authority

__all__ = ["Verdicts", "weigh"]

_UNKNOWN = (None, Management.UNKNOWN, ExtendedUpdates.UNKNOWN)


@frozen(kw_only=True)
class Verdicts:
    """What becomes of a claim, field by field."""

    taken: Mapping[str, Any] = field(factory=dict)
    """Fields of the device that take the source's value."""
    disagrees: tuple[str, ...] = ()
    """Fields on which the district keeps its own value against the source's."""

    def apply(self, device: Device) -> Device:
        """The device with what was taken over; the version is not touched."""
        return evolve(device, **self.taken) if self.taken else device


def weigh(
    observed: ObservedDevice,
    device: Device,
    *,
    source: str,
    authority: Authority,
    model_id: ModelId | None = None,
    site_id: PlaceId | None = None,
) -> Verdicts:
    """Compare a source's claim with what the district holds.

    An unknown claim changes nothing. A field that is empty here is filled in. A field that
    differs is taken over when the source has authority for it, and is a disagreement otherwise.
    Tags and serials are compared as a scanner reads them: case and outer space do not count.

    Args:
        observed: The claim.
        device: The device that it was matched to.
        source: The source's name.
        authority: The district's field-authority table.
        model_id: The model that the claim names.
        site_id: The site that the claim's org unit stands for.
    """
    claims: dict[str, Any] = {
        "serial": observed.serial,
        "asset_tag": observed.asset_tag,
        "model_id": model_id,
        "management": observed.management,
        "auto_update_ends": observed.auto_update_ends,
        "auto_update_ends_extended": observed.auto_update_ends_extended,
        "extended_updates": observed.extended_updates,
        "site_id": site_id,
    }
    taken: dict[str, Any] = {}
    disagrees: list[str] = []
    for name, claim in claims.items():
        if claim in _UNKNOWN:
            continue
        held = getattr(device, name)
        if held in _UNKNOWN:
            taken[name] = claim
        elif not _same(name, held, claim):
            if source in authority.fields.get(name, ()):
                taken[name] = claim
            else:
                disagrees.append(name)
    return Verdicts(taken=taken, disagrees=tuple(disagrees))


def _same(name: str, held: Any, claim: Any) -> bool:
    if name in {"serial", "asset_tag"}:
        return fold_tag(held) == fold_tag(claim)
    return bool(held == claim)
