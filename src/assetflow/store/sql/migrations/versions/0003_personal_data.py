"""Names that a programme demands, sealed; and the recipients of de-identified records."""

from __future__ import annotations

from assetflow.store.sql.migrations.first import blob, index, number, refer, table, text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables."""
    table(
        "af_retained_identity",
        ("person_id", "programme"),
        text("person_id", 64),
        text("programme", 200),
        text("keep_until", 10),
        text("key_id", 64),
        blob("sealed"),
        number("version"),
        refer("af_retained_identity", "person_id", "af_person"),
    )
    index("af_retained_identity", "keep_until", then=("person_id", "programme"))
    table(
        "af_recipient",
        ("name",),
        text("name", 200),
        blob("secret"),
        text("made_at", 27),
    )
