"""The rows about webhooks. They belong to the interface that `assetflow.cli.shapes` describes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Self

from attrs import frozen

if TYPE_CHECKING:
    from assetflow.district import District
    from assetflow.exchange.webhooks import Answer, DeliveryReport
    from assetflow.model import Webhook, WebhookDelivery

__all__ = ["AnswerRow", "DeadRow", "DeliverRow", "ReplayRow", "WebhookRow"]


@frozen(kw_only=True)
class WebhookRow:
    """A webhook, and how far it has come."""

    id: str
    """Its id."""
    name: str
    """Its name."""
    origin: str
    """Scheme and host of its address; the rest may hold a token and is not shown."""
    status: str
    """``active`` or ``disabled``."""
    disabled_because: str | None
    """Why it is disabled."""
    types: tuple[str, ...]
    """Events that it hears of; empty for all."""
    sites: tuple[str, ...]
    """Ids of the places that it hears of; empty for all."""
    fields: tuple[str, ...]
    """Fields of which one must change; empty for any."""
    secrets: tuple[str, ...]
    """Where its signing secrets are kept."""
    delivered: int
    """Events that arrived so far."""
    last_delivered_at: datetime | None
    """When the last one arrived."""
    failing_since: datetime | None
    """Since when attempts fail."""
    waiting: int
    """Deliveries that wait."""
    behind: int
    """Events in the journal that were not looked at yet."""
    dead: int
    """Deliveries that were given up."""

    @classmethod
    def of(cls, district: District, webhook: Webhook) -> Self:
        """A webhook's row."""
        progress = district.webhooks.progress(webhook)
        return cls(
            id=webhook.id,
            name=webhook.name,
            origin=webhook.origin,
            status=webhook.status.value,
            disabled_because=webhook.disabled_because,
            types=webhook.types,
            sites=webhook.sites,
            fields=webhook.fields,
            secrets=webhook.secret_names,
            delivered=progress.delivered,
            last_delivered_at=progress.last_delivered_at,
            failing_since=progress.failing_since,
            waiting=district.webhooks.waiting(webhook=webhook).count(),
            behind=district.journal.head().seq - progress.planned_seq,
            dead=district.webhooks.dead(webhook=webhook).count(),
        )


@frozen(kw_only=True)
class AnswerRow:
    """What came of a test event."""

    webhook: str
    """The webhook."""
    arrived: bool
    """Whether the receiver took it."""
    status: int | None
    """HTTP status, if there was an answer."""
    error: str | None
    """Code of what went wrong."""
    seconds: float
    """How long it took."""

    @classmethod
    def of(cls, webhook: str, answer: Answer) -> Self:
        """An answer's row."""
        return cls(
            webhook=webhook,
            arrived=answer.arrived,
            status=answer.status,
            error=answer.error,
            seconds=round(answer.seconds, 3),
        )


@frozen(kw_only=True)
class DeliverRow:
    """What a run of deliveries came to."""

    delivered: int
    """Deliveries that arrived."""
    events: int
    """Events in them."""
    failed: int
    """Attempts that failed."""
    dead: int
    """Deliveries that were given up."""
    waiting: int
    """Deliveries that wait."""
    next_at: datetime | None
    """When the next of them is due."""
    disabled: tuple[str, ...]
    """Names of webhooks that were disabled."""
    problems: Mapping[str, str]
    """Name of a webhook that could not be told, to the code of the error."""

    @classmethod
    def of(cls, report: DeliveryReport) -> Self:
        """A report's row."""
        return cls(
            delivered=report.delivered,
            events=report.events,
            failed=report.failed,
            dead=report.dead,
            waiting=report.waiting,
            next_at=report.next_at,
            disabled=report.disabled,
            problems=report.problems,
        )


@frozen(kw_only=True)
class DeadRow:
    """A delivery that was given up."""

    id: str
    """Its id: the ``webhook-id`` header."""
    webhook: str
    """Name of the webhook."""
    events: int
    """How many events it holds."""
    first_seq: int
    """Sequence number of the first."""
    attempts: int
    """How often it was sent."""
    status: int | None
    """HTTP status of the last attempt, if there was an answer."""
    error: str | None
    """Code of what went wrong then."""
    created_at: datetime
    """When it was first to be sent."""

    @classmethod
    def of(cls, delivery: WebhookDelivery, names: Mapping[str, str]) -> Self:
        """A delivery's row.

        Args:
            delivery: The delivery.
            names: Names of webhooks by id.
        """
        return cls(
            id=delivery.id,
            webhook=names[delivery.webhook_id],
            events=len(delivery.seqs),
            first_seq=delivery.first_seq,
            attempts=delivery.attempts,
            status=delivery.http_status,
            error=delivery.error,
            created_at=delivery.created_at,
        )


@frozen(kw_only=True)
class ReplayRow:
    """What is sent again."""

    webhook: str
    """The webhook."""
    deliveries: int
    """How many deliveries."""
