"""Which events a webhook hears of, and how they are grouped into deliveries.

Looking is done in a read transaction; only what comes of it is written, under the lock of the
webhook's progress. The body of a delivery is not stored: it is made from the journal again at
each attempt, and the journal does not change.

Events of one bulk act (a pull, an import, a scan session: one batch id) that follow one another
go together, up to the webhook's batch size and a size in characters. Every other event is a
delivery of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from attrs import define, evolve, field, frozen

from assetflow.exchange.cloudevents import subject_of
from assetflow.exchange.webhooks.subscriptions import lock_webhook
from assetflow.exchange.webhooks.wanted import Wanted
from assetflow.model import (
    DeliveryStatus,
    F,
    Query,
    Webhook,
    WebhookDelivery,
    WebhookProgress,
)

if TYPE_CHECKING:
    from datetime import datetime

    from assetflow.model import NewId
    from assetflow.store.ports import ReadTransaction, StoredEvent, Transaction

__all__ = ["MOST_PENDING", "Plan", "look", "pending_of", "stored_events", "write_plan"]

MOST_PENDING = 500
"""Deliveries that wait for one webhook at most; what happens meanwhile waits in the journal."""
_MOST_LOOKED_AT = 10_000
_MOST_TEXT = 256 * 1024
_MOST_SPAN = 2_000  # a delivery is read back from the journal in one go


@frozen(kw_only=True)
class Plan:
    """What is to be sent, and up to where the journal was looked at."""

    webhook: Webhook
    """The webhook as it was read: another version of it makes the plan void."""
    since: int
    """The sequence number after which was looked."""
    upto: int
    """The last event that was looked at."""
    deliveries: tuple[WebhookDelivery, ...]
    """What is to be sent, in order."""


@define
class _Group:
    """Events that go together."""

    events: list[StoredEvent] = field(factory=list)
    size: int = 0

    def admits(self, stored: StoredEvent, most: int) -> bool:
        if not self.events:
            return True
        first = self.events[0]
        return (
            stored.batch_id is not None
            and stored.batch_id == first.batch_id
            and len(self.events) < most
            and self.size + len(stored.body) <= _MOST_TEXT
            and stored.seq - first.seq < _MOST_SPAN
        )

    def add(self, stored: StoredEvent) -> None:
        self.events.append(stored)
        self.size += len(stored.body)


def look(tx: ReadTransaction, webhook: Webhook, *, now: datetime, new_id: NewId) -> Plan | None:
    """What came after the place to which a webhook was planned; ``None`` when that is nothing.

    Args:
        tx: Consistent reads.
        webhook: The webhook.
        now: The time.
        new_id: Makes ids.
    """
    progress = tx.get(WebhookProgress, webhook.id)
    if progress is None or progress.planned_seq >= tx.head().seq:
        return None
    room = MOST_PENDING - tx.count(pending_of(webhook.id))
    if room <= 0:
        return None
    wanted, since, upto = Wanted(tx, webhook), progress.planned_seq, progress.planned_seq
    groups: list[_Group] = [_Group()]
    for stored in tx.journal(after=since):
        if stored.seq - since > _MOST_LOOKED_AT:
            break
        if wanted(stored):
            if not groups[-1].admits(stored, webhook.batch_size):
                if len(groups) >= room:
                    break
                groups.append(_Group())
            groups[-1].add(stored)
        upto = stored.seq
    deliveries = (_delivery(webhook.id, g.events, now, new_id) for g in groups if g.events)
    return Plan(webhook=webhook, since=since, upto=upto, deliveries=tuple(deliveries))


def write_plan(tx: Transaction, plan: Plan) -> bool:
    """Write a plan, unless another process was faster or the webhook was changed meanwhile."""
    webhook_id = plan.webhook.id
    lock_webhook(tx, webhook_id)
    progress, webhook = tx.get(WebhookProgress, webhook_id), tx.get(Webhook, webhook_id)
    if progress is None or progress.planned_seq != plan.since:
        return False
    if webhook is None or webhook.version != plan.webhook.version:
        return False
    tx.insert(plan.deliveries)
    tx.upsert([evolve(progress, planned_seq=plan.upto)])
    return True


def pending_of(webhook_id: str) -> Query[WebhookDelivery]:
    """The deliveries that wait for a webhook."""
    waiting = F.status == DeliveryStatus.PENDING
    return Query(kind=WebhookDelivery, where=(F.webhook_id == webhook_id) & waiting)


def _delivery(
    webhook_id: str, events: Iterable[StoredEvent], now: datetime, new_id: NewId
) -> WebhookDelivery:
    found = list(events)
    return WebhookDelivery(
        id=f"msg_{new_id().replace('-', '')}",
        webhook_id=webhook_id,
        first_seq=found[0].seq,
        seqs=tuple(e.seq for e in found),
        subjects=tuple(dict.fromkeys(subject_of(e) for e in found)),
        batch_id=found[0].batch_id,  # type: ignore[arg-type]  # a new type of text
        created_at=now,
        next_at=now,
    )


def stored_events(tx: ReadTransaction, delivery: WebhookDelivery) -> list[StoredEvent]:
    """The events of a delivery, read from the journal."""
    wanted = frozenset(delivery.seqs)
    found = []
    for stored in tx.journal(after=delivery.first_seq - 1):
        if stored.seq in wanted:
            found.append(stored)
        if stored.seq >= delivery.seqs[-1]:
            break
    return found
