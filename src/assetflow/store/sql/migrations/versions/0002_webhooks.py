"""Webhooks: who is told of events, how far each has come, what is still to be sent."""

from __future__ import annotations

from assetflow.store.sql.migrations.first import index, number, refer, table, text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the three tables."""
    table(
        "af_webhook",
        ("id",),
        text("id", 64),
        text("name", 200),
        text("origin", 200),
        text("url", 2000),
        text("secret_names"),
        text("types"),
        text("sites"),
        text("fields"),
        number("batch_size"),
        text("status", 32),
        text("disabled_because", 200, null=True),
        number("version"),
    )
    index("af_webhook", "name", unique=True)
    table(
        "af_webhook_progress",
        ("webhook_id",),
        text("webhook_id", 64),
        number("planned_seq"),
        number("delivered"),
        text("last_delivered_at", 27, null=True),
        text("failing_since", 27, null=True),
        text("paused_until", 27, null=True),
        refer("af_webhook_progress", "webhook_id", "af_webhook"),
    )
    table(
        "af_webhook_delivery",
        ("id",),
        text("id", 64),
        text("webhook_id", 64),
        text("status", 32),
        number("first_seq"),
        text("seqs"),
        text("subjects"),
        text("batch_id", 64, null=True),
        text("created_at", 27),
        number("attempts"),
        text("next_at", 27),
        text("owner", 200, null=True),
        text("lease_until", 27, null=True),
        text("error", 200, null=True),
        number("http_status", null=True),
        refer("af_webhook_delivery", "webhook_id", "af_webhook"),
    )
    index("af_webhook_delivery", "webhook_id", "status", "first_seq", then=("id",))
