"""Who else hears of what happens: webhooks, how far each has heard, and what is still to be sent.

What is told stands in the journal already, written in the transaction that caused it; here is
only who wants which of it. A secret never stands in a record: a webhook names where its secrets
are kept. The whole address does not stand in the journal either, since some services put a token
into its path; the journal has the scheme and the host.
"""

import enum
from datetime import datetime
from typing import ClassVar

from attrs import field, frozen

from assetflow.model.fields import Journalled, Record, Volatile, quiet
from assetflow.model.ids import BatchId, PlaceId

__all__ = ["DeliveryStatus", "Webhook", "WebhookDelivery", "WebhookProgress", "WebhookStatus"]


class WebhookStatus(enum.Enum):
    """Whether a webhook is told of events."""

    ACTIVE = "active"
    """It is."""
    DISABLED = "disabled"
    """Not until somebody enables it; what happens meanwhile waits in the journal."""


class DeliveryStatus(enum.Enum):
    """Where a delivery stands. One that arrived is no longer kept."""

    PENDING = "pending"
    """To be sent, or sent again."""
    DEAD = "dead"
    """Given up after the last attempt; it can be replayed."""


@frozen(kw_only=True, field_transformer=quiet)
class Webhook(Record):
    """An address of another system that is told of events."""

    KIND: ClassVar[str] = "webhook"
    UNIQUE: ClassVar[tuple[tuple[str, ...], ...]] = (("name",),)

    id: Journalled[str]
    """Its id."""
    name: Journalled[str]
    """A short code for it, such as ``portal``."""
    origin: Journalled[str]
    """Scheme and host of its address: what a log may show."""
    url: Volatile[str] = field(repr=False, metadata={"length": 2000})
    """The whole address; its path may hold a token, so it is not journalled."""
    secret_names: Journalled[tuple[str, ...]] = ()
    """Where its signing secrets are kept, such as ``${PORTAL_SECRET}``; the newest first."""
    types: Journalled[tuple[str, ...]] = ()
    """Event names such as ``device.checked_out`` or ``device.*``; empty for all."""
    sites: Journalled[tuple[PlaceId, ...]] = ()
    """Only events of what is at these places or within them; empty for all."""
    fields: Journalled[tuple[str, ...]] = ()
    """Only events that change one of these fields; empty for all."""
    batch_size: Journalled[int] = 100
    """Most events of one bulk act in one delivery."""
    status: Journalled[WebhookStatus] = WebhookStatus.ACTIVE
    """Whether it is told."""
    disabled_because: Journalled[str | None] = None
    """Why it is disabled: ``gone``, ``failing``, or a person's code."""
    version: Journalled[int] = 1
    """Grows by one with each change."""


@frozen(kw_only=True, field_transformer=quiet)
class WebhookProgress(Record):
    """How far a webhook has come. Its row is the lock of all that is decided about deliveries."""

    KIND: ClassVar[str] = "webhook_progress"
    KEY: ClassVar[tuple[str, ...]] = ("webhook_id",)
    REFERS: ClassVar[tuple[tuple[str, str], ...]] = (("webhook_id", "webhook"),)

    webhook_id: Volatile[str]
    """The webhook."""
    planned_seq: Volatile[int] = 0
    """The last event of the journal that was looked at for it."""
    delivered: Volatile[int] = 0
    """Events that arrived, so far."""
    last_delivered_at: Volatile[datetime | None] = None
    """When the last delivery arrived."""
    failing_since: Volatile[datetime | None] = None
    """When attempts began to fail; ``None`` since one went well."""
    paused_until: Volatile[datetime | None] = None
    """The receiver asked for no calls before."""


@frozen(kw_only=True, field_transformer=quiet)
class WebhookDelivery(Record):
    """Events to be sent to a webhook in one call. The body is made from the journal when it is sent."""

    KIND: ClassVar[str] = "webhook_delivery"
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (("webhook_id", "status", "first_seq"),)
    REFERS: ClassVar[tuple[tuple[str, str], ...]] = (("webhook_id", "webhook"),)

    id: Volatile[str]
    """The ``webhook-id`` header: the same at each attempt."""
    webhook_id: Volatile[str]
    """The webhook."""
    status: Volatile[DeliveryStatus] = DeliveryStatus.PENDING
    """Where it stands."""
    first_seq: Volatile[int]
    """Sequence number of its first event."""
    seqs: Volatile[tuple[int, ...]] = ()
    """Sequence numbers of all its events, in order."""
    subjects: Volatile[tuple[str, ...]] = ()
    """What its events are about, as ``device/0198...``; order is kept for each."""
    batch_id: Volatile[BatchId | None] = None
    """The bulk act that its events belong to; several events of one go together."""
    created_at: Volatile[datetime]
    """When it was planned."""
    attempts: Volatile[int] = 0
    """How often it was sent without success."""
    next_at: Volatile[datetime]
    """Not to be sent before."""
    owner: Volatile[str | None] = None
    """The process that is sending it."""
    lease_until: Volatile[datetime | None] = None
    """Until when that process may; afterwards another takes it up."""
    error: Volatile[str | None] = None
    """Code of what went wrong at the last attempt."""
    http_status: Volatile[int | None] = None
    """HTTP status of the last attempt, if there was an answer."""
