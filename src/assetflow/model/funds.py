"""Funding: dated shares of what paid for a device, and the rules that come with the money."""

import enum
from datetime import date
from typing import ClassVar

from attrs import frozen

from assetflow.model.fields import Journalled, Record, quiet
from assetflow.model.ids import DeviceId

__all__ = ["WHOLE", "FundingShare", "Programme"]

WHOLE = 10_000
"""Basis points that make 100 %."""


class Programme(enum.Enum):
    """Whose rules come with the money."""

    NONE = "none"
    """The district's own."""
    ECF = "ecf"
    """Emergency Connectivity Fund (47 CFR 54.1700 ff.)."""
    E_RATE = "e-rate"
    """Schools and Libraries support (47 CFR 54.500 ff.)."""
    FEDERAL = "federal"
    """Another federal award (2 CFR part 200)."""
    STATE = "state"
    """A state programme."""


@frozen(kw_only=True, field_transformer=quiet)
class FundingShare(Record):
    """A share of a device's funding, from a day on. History: a share is ended, never edited."""

    KIND: ClassVar[str] = "funding_share"
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (("device_id",), ("award_number",), ("fund",))
    REFERS: ClassVar[tuple[tuple[str, str], ...]] = (("device_id", "device"),)

    id: Journalled[str]
    """Its id."""
    device_id: Journalled[DeviceId]
    """The device that was paid for."""
    fund: Journalled[str]
    """The fund's code in the district's accounts."""
    basis_points: Journalled[int]
    """The share: 10,000 is all of it."""
    starts_on: Journalled[date]
    """First day on which the share holds."""
    ends_on: Journalled[date | None] = None
    """First day on which it no longer holds; ``None`` while it does."""
    award_number: Journalled[str | None] = None
    """The award or FAIN, for a grant (2 CFR 200.313(d)(1))."""
    programme: Journalled[Programme] = Programme.NONE
    """Whose rules come with it."""
    title_holder: Journalled[str | None] = None
    """Who holds title (2 CFR 200.313(d)(1))."""
    version: Journalled[int] = 1
    """Grows by one with each change."""
