"""A district's settings as values: what contradicts from district to district is data here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from attrs import field, frozen

from assetflow.model.devices import Condition, Lifecycle
from assetflow.model.fields import Journalled, Record, quiet

__all__ = ["AdoptedPolicy", "Authority", "CustodyPolicy", "DistrictPolicy", "PullPolicy"]


@frozen(kw_only=True)
class CustodyPolicy:
    """Who may be handed what. Section ``[custody]``."""

    max_devices: int = 2
    """How many devices a person may have at once."""
    blocking_holds: tuple[str, ...] = ("agreement", "manual")
    """Kinds of hold that stop a check-out."""
    conditions: tuple[Condition, ...] = (Condition.NEW, Condition.GOOD, Condition.FAIR, Condition.UNKNOWN)
    """Conditions in which a device may go out."""
    check_out_from: tuple[Lifecycle, ...] = (Lifecycle.IN_STOCK,)
    """Lifecycles from which a device may go out."""
    may_override: tuple[str, ...] = ("custody.holds", "custody.max-devices", "custody.condition")
    """Rules that may be overridden with a reason."""
    max_loan_days: int = 365
    """Longest loan, in calendar days."""


@frozen(kw_only=True)
class PullPolicy:
    """How far a pull may go on its own. Section ``[pull]``."""

    max_change_percent: int = 10
    """A run that would change more of the known records than this stops."""
    max_absent_percent: int = 3
    """A run that would mark more of the known records absent than this stops."""
    guard_floor: int = 25
    """Up to so many changes pass whatever the percentage."""
    max_problem_percent: int = 5
    """A run in which more of the records cannot be read than this stops."""
    create_devices: bool = True
    """Whether a record that matches nothing becomes a device; else it waits for a person."""


@frozen(kw_only=True)
class Authority:
    """Whose word counts for a field of a device. Section ``[authority]``.

    A source not named for a field does not change it: when it differs, that is a disagreement.
    ``district`` is the people and files of the district itself, and always has a word.
    """

    fields: Mapping[str, tuple[str, ...]] = field(
        factory=lambda: MappingProxyType(
            {
                "serial": ("google", "jamf", "apple", "intune"),
                "model_id": ("google", "jamf", "apple", "intune"),
                "management": ("google", "jamf", "intune", "mosyle"),
                "auto_update_ends": ("google",),
                "auto_update_ends_extended": ("google",),
                "extended_updates": ("google",),
                "asset_tag": (),
                "site_id": (),
            }
        )
    )
    """For each field, the sources that may overwrite what the district holds. A source may always
    fill in a field that is empty."""


@frozen(kw_only=True)
class DistrictPolicy:
    """All settings of a district."""

    custody: CustodyPolicy = CustodyPolicy()
    """Section ``[custody]``."""
    pull: PullPolicy = PullPolicy()
    """Section ``[pull]``."""
    authority: Authority = field(factory=Authority)
    """Section ``[authority]``."""
    sites: Mapping[str, str] = field(factory=lambda: MappingProxyType({}))
    """Section ``[sites]``: org unit path to the code of the site that it stands for; the longest path wins."""


@frozen(kw_only=True, field_transformer=quiet)
class AdoptedPolicy(Record):
    """The policy that holds in the district, as its people wrote it."""

    KIND: ClassVar[str] = "policy"

    id: Journalled[str] = "policy"
    """Always ``policy``: there is one."""
    text: Journalled[str]
    """The TOML text."""
    digest: Journalled[str]
    """SHA-256 of the text, hexadecimal."""
    version: Journalled[int] = 1
    """Grows by one with each change."""
