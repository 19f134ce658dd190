"""Who sends which delivery now, and what came of it: rows, decided under one lock a webhook.

A delivery is taken with a lease by one process. A delivery waits while an earlier one about the
same thing does, so that what is told about one device arrives in order; deliveries about other
things go out beside it. A process that was killed leaves its lease behind: it ends with the
process where that can be seen, else by its time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from assetflow.exchange.checkpoints import is_dead
from assetflow.exchange.webhooks.planning import pending_of
from assetflow.exchange.webhooks.posting import DEADLINE
from assetflow.exchange.webhooks.subscriptions import disable_webhook, lock_webhook
from assetflow.model import (
    DeliveryStatus,
    F,
    Order,
    Query,
    Webhook,
    WebhookDelivery,
    WebhookProgress,
    WebhookStatus,
)

if TYPE_CHECKING:
    from assetflow.exchange.webhooks.posting import Answer
    from assetflow.exchange.webhooks.schedule import Schedule
    from assetflow.store.ports import ReadTransaction, Transaction
    from assetflow.workflows.acting import Act

__all__ = [
    "FAILING",
    "LEASE",
    "Outcome",
    "Settled",
    "claim",
    "due_at",
    "replay",
    "settle",
]

LEASE = timedelta(seconds=6 * DEADLINE)
"""How long a silent process keeps its deliveries: far longer than one attempt may take."""

FAILING = timedelta(days=5)
"""A webhook with no success for so long is disabled when the next delivery is given up."""

_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)


def _waiting(webhook_id: str) -> Query[WebhookDelivery]:
    return evolve(pending_of(webhook_id), order=(Order("first_seq"),))


def claim(
    tx: Transaction, webhook_id: str, *, owner: str, now: datetime, most: int
) -> list[WebhookDelivery]:
    """Take deliveries that may be sent now.

    Args:
        tx: The transaction; nothing has been locked in it yet.
        webhook_id: The webhook.
        owner: This process.
        now: The time.
        most: At most so many.
    """
    lock_webhook(tx, webhook_id)
    webhook, progress = tx.get(Webhook, webhook_id), tx.get(WebhookProgress, webhook_id)
    if webhook is None or progress is None or webhook.status is not WebhookStatus.ACTIVE:
        return []
    if progress.paused_until is not None and progress.paused_until > now:
        return []
    taken: list[WebhookDelivery] = []
    for delivery in _open_ways(tx.find(_waiting(webhook_id))):
        if len(taken) == most:
            break
        if delivery.next_at <= now and is_dead(delivery.owner, now, delivery.lease_until):
            taken.append(evolve(delivery, owner=owner, lease_until=now + LEASE))
    tx.upsert(taken)
    return taken


def _open_ways(waiting: Iterable[WebhookDelivery]) -> Iterable[WebhookDelivery]:
    """Those before which nothing waits that is about the same thing."""
    before: set[str] = set()
    for delivery in waiting:
        if before.isdisjoint(delivery.subjects):
            yield delivery
        before.update(delivery.subjects)


def due_at(tx: ReadTransaction, webhook_id: str, now: datetime) -> datetime | None:
    """When something may be sent next; ``None`` when nothing waits."""
    webhook, progress = tx.get(Webhook, webhook_id), tx.get(WebhookProgress, webhook_id)
    if webhook is None or progress is None or webhook.status is not WebhookStatus.ACTIVE:
        return None
    times = []
    for delivery in _open_ways(tx.find(_waiting(webhook_id))):
        free = is_dead(delivery.owner, now, delivery.lease_until)
        held = None if free else delivery.lease_until
        times.append(max(t for t in (delivery.next_at, held, progress.paused_until) if t))
    return min(times, default=None)


@frozen(kw_only=True)
class Outcome:
    """An attempt that was made."""

    delivery: WebhookDelivery
    """As it was claimed."""
    answer: Answer | None
    """What came of it; ``None`` when it was not made, so that nothing counts."""


@frozen(kw_only=True)
class Settled:
    """What a delivery came to."""

    delivery: WebhookDelivery
    """As it is now, or was when it arrived."""
    arrived: bool = False
    """Whether it arrived, and is no longer kept."""
    dead: bool = False
    """Whether it was given up."""
    disabled: bool = False
    """Whether the webhook was disabled with it."""
    lost: bool = False
    """Whether another process had taken it over, so that nothing was written."""


def settle(
    tx: Transaction,
    act: Act,
    outcomes: Iterable[Outcome],
    *,
    webhook_id: str,
    schedule: Schedule,
    random: Callable[[], float],
) -> list[Settled]:
    """Write down what came of some attempts to one webhook.

    Args:
        tx: The transaction; nothing has been locked in it yet.
        act: Who and when.
        outcomes: The attempts.
        webhook_id: The webhook.
        schedule: The waits between attempts.
        random: Gives a number from 0 up to, not including, 1.
    """
    lock_webhook(tx, webhook_id)
    progress = tx.get(WebhookProgress, webhook_id) or WebhookProgress(webhook_id=webhook_id)
    done: list[Settled] = []
    for outcome in outcomes:
        held = tx.get(WebhookDelivery, outcome.delivery.id)
        if held is None or held.owner != outcome.delivery.owner:
            done.append(Settled(delivery=outcome.delivery, lost=True))
            continue
        free = evolve(held, owner=None, lease_until=None)
        answer = outcome.answer
        if answer is None:
            tx.upsert([free])
            continue
        if answer.arrived:
            tx.delete(WebhookDelivery, [(held.id,)])
            progress = evolve(
                progress,
                delivered=progress.delivered + len(held.seqs),
                last_delivered_at=act.at,
                failing_since=None,
            )
            done.append(Settled(delivery=held, arrived=True))
            continue
        progress = evolve(progress, failing_since=progress.failing_since or act.at)
        settled = _failed(free, answer, act.at, schedule, random)
        if answer.busy:
            progress = evolve(progress, paused_until=act.at + _pause(answer))
        tx.upsert([settled.delivery])
        because = _give_up(settled, answer, progress, act.at)
        if because is not None:
            disable_webhook(tx, act, webhook_id, because=because, locked=True)
            settled = evolve(settled, disabled=True)
        done.append(settled)
    tx.upsert([progress])
    return done


def _failed(
    delivery: WebhookDelivery,
    answer: Answer,
    now: datetime,
    schedule: Schedule,
    random: Callable[[], float],
) -> Settled:
    said = evolve(
        delivery, attempts=delivery.attempts + 1, error=answer.error, http_status=answer.status
    )
    if answer.gone:  # it waits for somebody to enable the webhook again
        return Settled(delivery=evolve(said, next_at=now))
    wait = schedule.wait(said.attempts, random=random, asked=answer.asked_to_wait)
    if wait is None:
        return Settled(delivery=evolve(said, status=DeliveryStatus.DEAD), dead=True)
    return Settled(delivery=evolve(said, next_at=now + wait))


def _pause(answer: Answer) -> timedelta:
    """How long a receiver under load gets no call at all."""
    asked = timedelta(seconds=answer.asked_to_wait or 0.0)
    return min(max(asked, _PAUSE), _LONGEST_PAUSE)


def _give_up(
    settled: Settled, answer: Answer, progress: WebhookProgress, now: datetime
) -> str | None:
    """Why a webhook is told nothing more; ``None`` when it is."""
    if answer.gone:
        return "gone"
    since = progress.failing_since
    return "failing" if settled.dead and since is not None and now - since >= FAILING else None


def replay(
    tx: Transaction, webhook_id: str, *, now: datetime, delivery_id: str | None = None
) -> int:
    """Send deliveries again that were given up; how many there are.

    Args:
        tx: The transaction; nothing has been locked in it yet.
        webhook_id: The webhook.
        now: The time.
        delivery_id: Only this one.
    """
    lock_webhook(tx, webhook_id)
    where = (F.webhook_id == webhook_id) & (F.status == DeliveryStatus.DEAD)
    if delivery_id is not None:
        where = where & (F.id == delivery_id)
    dead = list(tx.find(Query(kind=WebhookDelivery, where=where)))
    tx.upsert([evolve(d, status=DeliveryStatus.PENDING, attempts=0, next_at=now) for d in dead])
    return len(dead)
