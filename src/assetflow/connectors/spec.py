"""What a connector offers, and how the rest of the library asks for it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from attrs import field, frozen

if TYPE_CHECKING:
    from assetflow.model import ObservedKind
    from assetflow.wire import AsyncWire, Flow, Listing, Wire

__all__ = ["PROTOCOL_VERSION", "Check", "Connector", "ConnectorCapability", "Shard", "ShardPlan"]

PROTOCOL_VERSION = 1
"""Grows when a connector written for the one before would no longer work."""


class ConnectorCapability(enum.Enum):
    """What a connector can do. The library asks for capabilities, never for a vendor's name."""

    LIST_DEVICES = "list-devices"
    """Lists all devices."""
    LIST_PEOPLE = "list-people"
    """Lists people."""
    LIST_PLACES = "list-places"
    """Lists organisations or org units."""
    COUNT_DEVICES = "count-devices"
    """Counts devices, so that a listing can be proved complete."""
    SHARD = "shard"
    """Splits a listing into parts that can be read at once."""
    FIND_DEVICE = "find-device"
    """Finds one device by its serial."""


@frozen(kw_only=True)
class Shard:
    """A part of a listing that can be read by itself. The shards of a plan do not overlap."""

    key: str
    """Stable name for checkpoints, such as ``ou:03ph8a2z``. No personal data."""
    label: str
    """What a person calls it, such as ``/Students/LHS``."""
    listing: Listing[Any] = field(repr=False)
    """Its records."""
    expected: int | None = None
    """How many records the vendor counted, if it was asked."""


@frozen(kw_only=True)
class ShardPlan:
    """How all records of one kind will be read."""

    kind: ObservedKind
    """What is read."""
    shards: tuple[Shard, ...]
    """Together they are everything."""
    expected: int | None = None
    """How many records the vendor counts over all; equality proves the listing complete."""
    recount: Callable[[], Flow[int]] | None = field(default=None, repr=False)
    """Counts again at the end, for a fleet that changes while it is read."""
    complete_without_count: bool = True
    """Whether the vendor's paging alone proves completeness when there is no count."""


@frozen(kw_only=True)
class Check:
    """One line of ``assetflow doctor`` about a connector."""

    name: str
    """What was looked at."""
    ok: bool
    """Whether it is right."""
    found: str
    """What was found, without secrets."""
    fix: str | None = None
    """What to do when it is not right."""


class Connector(Protocol):
    """A vendor's system, as the library uses it. Written once for sync and async use."""

    @property
    def name(self) -> str:
        """The vendor's short name: ``google``. Also the source of what it observes."""
        ...

    @property
    def capabilities(self) -> frozenset[ConnectorCapability]:
        """What it can do."""
        ...

    @property
    def raw_dictionaries(self) -> Mapping[int, bytes]:
        """Dictionaries of zlib for raw records, by version; the highest is used for new ones."""
        ...

    def plan(self, kind: ObservedKind) -> Flow[ShardPlan]:
        """Find out how to read all records of a kind.

        Raises:
            CapabilityMissing: it does not list that kind.
        """
        ...

    def checks(self) -> Sequence[Callable[[], Flow[Check]]]:
        """What ``doctor`` runs."""
        ...

    @property
    def wire(self) -> Wire:
        """The sync driver; made at the first use, shared by threads."""
        ...

    @property
    def async_wire(self) -> AsyncWire:
        """The async driver; made at the first use, in the running event loop."""
        ...

    def close(self) -> None:
        """Close what the connector itself opened; never the caller's own client."""
        ...
