"""What needs attention about webhooks."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from assetflow.model import (
    DeliveryStatus,
    Webhook,
    WebhookDelivery,
    WebhookProgress,
    WebhookStatus,
)
from assetflow.workflows.attention import attention

TODAY = date(2026, 8, 17)


def found(world, kind):
    return world.ask(attention, TODAY, kinds=[kind])


def webhook(world, name, *, because=None, failing_days=None):
    status = WebhookStatus.ACTIVE if because is None else WebhookStatus.DISABLED
    since = None if failing_days is None else world.now - timedelta(days=failing_days)
    world.add(
        Webhook(
            id=f"w-{name}",
            name=name,
            origin="https://portal.example",
            url="https://portal.example/hook",
            secret_names=("${PORTAL_SECRET}",),
            status=status,
            disabled_because=because,
        )
    )
    world.add(WebhookProgress(webhook_id=f"w-{name}", failing_since=since))


def delivery(world, number, name, status, *, days=0):
    at = world.now - timedelta(days=days)
    world.add(
        WebhookDelivery(
            id=f"msg_{number}",
            webhook_id=f"w-{name}",
            status=status,
            first_seq=number,
            seqs=(number,),
            subjects=("device/d-1",),
            created_at=at,
            next_at=at,
        )
    )


@pytest.mark.parametrize(
    ("because", "shown"), [(None, False), ("asked", False), ("gone", True), ("failing", True)]
)
def test_a_webhook_that_was_disabled_without_being_asked(world, because, shown):
    webhook(world, "portal", because=because, failing_days=6)
    items = found(world, "webhook-disabled")
    assert [i.label for i in items] == ["portal"] * shown
    for item in items:
        assert (item.age_days, item.detail) == (6, {"because": because})
        assert item.call == "district.webhooks.enable('portal')"
        assert item.command == "assetflow webhooks enable portal"


def test_what_was_given_up_is_one_item_for_each_webhook(world):
    for name in ("portal", "sis", "quiet"):
        webhook(world, name)
    delivery(world, 1, "portal", DeliveryStatus.DEAD, days=9)
    delivery(world, 2, "portal", DeliveryStatus.DEAD, days=4)
    delivery(world, 3, "sis", DeliveryStatus.DEAD)
    delivery(world, 4, "quiet", DeliveryStatus.PENDING, days=9)
    items = found(world, "webhook-dead-letters")
    assert [(i.label, i.age_days, i.detail["deliveries"]) for i in items] == [
        ("portal", 9, 2),
        ("sis", 0, 1),
    ]
    assert items[0].command == "assetflow webhooks replay portal"
