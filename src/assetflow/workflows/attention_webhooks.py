"""What needs a person about webhooks: those that are told nothing more, and what was given up."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assetflow.model import (
    Aggregate,
    DeliveryStatus,
    F,
    Measure,
    Query,
    Webhook,
    WebhookDelivery,
    WebhookProgress,
    WebhookStatus,
)
from assetflow.model.query import minimum
from assetflow.workflows.attention_items import AttentionItem, Scope

if TYPE_CHECKING:
    from datetime import date

    from assetflow.errors import ContextValue

__all__ = ["dead_letters", "disabled_webhooks"]

_BY_ITSELF = ("gone", "failing")


def disabled_webhooks(scope: Scope) -> Iterator[AttentionItem]:
    """Webhooks that were disabled without anybody's asking."""
    where = (F.status == WebhookStatus.DISABLED) & F.disabled_because.one_of(*_BY_ITSELF)
    for webhook in scope.tx.find(Query(kind=Webhook, where=where)):
        progress = scope.tx.get(WebhookProgress, webhook.id)
        since = None if progress is None else progress.failing_since
        because = webhook.disabled_because
        yield _item(scope, "webhook-disabled", webhook, "enable", since, because=because)


def dead_letters(scope: Scope) -> Iterator[AttentionItem]:
    """Webhooks for which deliveries were given up, one item each."""
    figures = Aggregate(
        kind=WebhookDelivery,
        group_by=("webhook_id",),
        measures=(Measure("dead", "count"), minimum("created_at", "since")),
        where=F.status == DeliveryStatus.DEAD,
    )
    for row in scope.tx.aggregate(figures):
        webhook = scope.tx.get(Webhook, row["webhook_id"])
        if webhook is not None:
            since, dead = row["since"], row["dead"]
            yield _item(scope, "webhook-dead-letters", webhook, "replay", since, deliveries=dead)


def _item(
    scope: Scope,
    kind: str,
    webhook: Webhook,
    verb: str,
    since: date | str | None,
    **detail: ContextValue,
) -> AttentionItem:
    return AttentionItem(
        kind=kind,
        subject_kind="webhook",
        subject_id=webhook.id,
        label=webhook.name,
        age_days=scope.age(since),
        call=f"district.webhooks.{verb}({webhook.name!r})",
        command=f"assetflow webhooks {verb} {shlex.quote(webhook.name)}",
        detail=detail,
    )
