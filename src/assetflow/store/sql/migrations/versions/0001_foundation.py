"""The first schema: records of each kind, the journal and its head.

Written out in full and never changed after its release: what a file was made with must not move
when the records grow. A test compares what the revisions make with the tables of today.
"""

from __future__ import annotations

from alembic import op

from assetflow.store.sql.migrations.first import (
    blob,
    flag,
    index,
    number,
    refer,
    table,
    text,
    zero_or_one,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make everything."""
    _places_and_devices()
    _people_and_custody()
    _sources_and_runs()
    _journal()


def _places_and_devices() -> None:
    table(
        "af_district",
        ("id",),
        text("id", 64),
        text("name", 200),
        text("time_zone", 200),
        text("currency", 200),
        number("version"),
    )
    table(
        "af_policy",
        ("id",),
        text("id", 64),
        text("text"),
        text("digest", 64),
        number("version"),
    )
    table(
        "af_actor",
        ("id",),
        text("id", 64),
        text("label", 200, null=True),
    )
    index("af_actor", "label", then=("id",))
    table(
        "af_note",
        ("id",),
        text("id", 64),
        text("subject_kind", 200),
        text("subject_id", 200),
        text("written_at", 27),
        text("text", 4000, null=True),
    )
    index("af_note", "subject_id", then=("id",))
    table(
        "af_place",
        ("id",),
        text("id", 64),
        text("kind", 32),
        text("name", 200),
        text("code", 200, null=True),
        text("parent_id", 64, null=True),
        flag("closed"),
        number("version"),
        zero_or_one("af_place", "closed"),
    )
    index("af_place", "code", then=("id",))
    index("af_place", "parent_id", then=("id",))
    table(
        "af_place_link",
        ("source", "source_id"),
        text("source", 200),
        text("source_id", 255),
        text("place_id", 64),
        number("version"),
        refer("af_place_link", "place_id", "af_place"),
    )
    index("af_place_link", "place_id", then=("source", "source_id"))
    table(
        "af_school_calendar",
        ("id",),
        text("id", 64),
        text("year", 200),
        text("first_day", 10),
        text("last_day", 10),
        text("site_id", 64, null=True),
        text("weekdays"),
        text("closed"),
        number("version"),
    )
    index("af_school_calendar", "year", then=("id",))
    table(
        "af_custom_field",
        ("name",),
        text("name", 200),
        text("type", 32),
        text("label", 200, null=True),
        text("choices"),
        number("version"),
    )
    table(
        "af_device_model",
        ("id",),
        text("id", 64),
        text("name", 200),
        text("name_key", 200),
        text("manufacturer", 200, null=True),
        text("category", 200, null=True),
        text("auto_update_ends", 10, null=True),
        text("auto_update_ends_extended", 10, null=True),
        number("replacement_cost_minor", null=True),
        text("replacement_cost_currency", 3, null=True),
        number("life_months", null=True),
        number("version"),
    )
    index("af_device_model", "name_key", unique=True)
    table(
        "af_device",
        ("id",),
        text("id", 64),
        text("asset_tag", 200, null=True),
        text("serial", 200, null=True),
        text("tag_key", 200, null=True),
        text("serial_key", 200, null=True),
        text("model_id", 64, null=True),
        text("model", 200, null=True),
        text("manufacturer", 200, null=True),
        text("lifecycle", 32),
        text("custody", 32),
        text("condition", 32),
        text("management", 32),
        text("funding", 32),
        text("auto_update_ends", 10, null=True),
        text("auto_update_ends_extended", 10, null=True),
        text("extended_updates", 32),
        text("site_id", 64, null=True),
        text("room_id", 64, null=True),
        number("purchase_cost_minor", null=True),
        text("purchase_cost_currency", 3, null=True),
        text("acquired_on", 10, null=True),
        text("installed_on", 10, null=True),
        text("order_line", 200, null=True),
        text("warranty_ends", 10, null=True),
        text("services"),
        text("custom"),
        number("version"),
        refer("af_device", "model_id", "af_device_model"),
        refer("af_device", "room_id", "af_place"),
        refer("af_device", "site_id", "af_place"),
    )
    index("af_device", "auto_update_ends", then=("id",))
    index("af_device", "lifecycle", "site_id", then=("id",))
    index("af_device", "model_id", then=("id",))
    index("af_device", "serial_key", then=("id",))
    index("af_device", "tag_key", then=("id",))
    table(
        "af_device_link",
        ("source", "source_id"),
        text("source", 200),
        text("source_id", 255),
        text("device_id", 64),
        text("matched_by", 200),
        number("version"),
        refer("af_device_link", "device_id", "af_device"),
    )
    index("af_device_link", "device_id", then=("source", "source_id"))
    table(
        "af_funding_share",
        ("id",),
        text("id", 64),
        text("device_id", 64),
        text("fund", 200),
        number("basis_points"),
        text("starts_on", 10),
        text("ends_on", 10, null=True),
        text("award_number", 200, null=True),
        text("programme", 32),
        text("title_holder", 200, null=True),
        number("version"),
        refer("af_funding_share", "device_id", "af_device"),
    )
    index("af_funding_share", "award_number", then=("id",))
    index("af_funding_share", "device_id", then=("id",))
    index("af_funding_share", "fund", then=("id",))


def _people_and_custody() -> None:
    table(
        "af_person",
        ("id",),
        text("id", 64),
        text("kind", 32),
        text("status", 32),
        text("local_id", 64, null=True),
        text("given_name", 200, null=True),
        text("family_name", 200, null=True),
        text("preferred_name", 200, null=True),
        text("email", 200, null=True),
        text("email_key", 200, null=True),
        text("homeroom", 200, null=True),
        text("grade", 200, null=True),
        text("site_id", 64, null=True),
        text("left_on", 10, null=True),
        blob("mark_key", null=True),
        text("erased_at", 27, null=True),
        number("version"),
    )
    index("af_person", "email_key", then=("id",))
    index("af_person", "local_id", then=("id",))
    index("af_person", "site_id", "grade", then=("id",))
    table(
        "af_person_link",
        ("person_id", "source"),
        text("person_id", 64),
        text("source", 200),
        text("source_id", 255, null=True),
        number("version"),
        refer("af_person_link", "person_id", "af_person"),
    )
    index("af_person_link", "source", "source_id", then=("person_id",))
    table(
        "af_guardianship",
        ("student_id", "guardian_id"),
        text("student_id", 64),
        text("guardian_id", 64),
        text("relation", 200, null=True),
        number("version"),
        refer("af_guardianship", "guardian_id", "af_person"),
        refer("af_guardianship", "student_id", "af_person"),
    )
    index("af_guardianship", "guardian_id", then=("student_id",))
    table(
        "af_hold",
        ("id",),
        text("id", 64),
        text("person_id", 64),
        text("kind", 200),
        text("since", 10),
        number("amount_minor", null=True),
        text("amount_currency", 3, null=True),
        text("note_id", 64, null=True),
        text("released_at", 27, null=True),
        number("version"),
        refer("af_hold", "person_id", "af_person"),
    )
    index("af_hold", "person_id", then=("id",))
    table(
        "af_custody",
        ("id",),
        text("id", 64),
        text("device_id", 64),
        text("kind", 32),
        text("accountable_kind", 32),
        text("accountable_id", 64),
        text("holder_kind", 32),
        text("holder_id", 64),
        text("since", 27),
        text("due_on", 10, null=True),
        text("ended_at", 27, null=True),
        text("ended_by", 200, null=True),
        number("version"),
        refer("af_custody", "device_id", "af_device"),
    )
    index("af_custody", "accountable_id", "ended_at", then=("id",))
    index("af_custody", "device_id", "since", then=("id",))
    index("af_custody", "due_on", then=("id",))
    index("af_custody", "holder_id", "ended_at", then=("id",))
    table(
        "af_custody_open",
        ("device_id",),
        text("device_id", 64),
        text("custody_id", 64),
        text("accountable_id", 64),
        refer("af_custody_open", "custody_id", "af_custody"),
        refer("af_custody_open", "device_id", "af_device"),
    )
    index("af_custody_open", "accountable_id", then=("device_id",))


def _sources_and_runs() -> None:
    table(
        "af_observation",
        ("source", "source_id"),
        text("source", 200),
        text("source_id", 255),
        text("device_id", 64, null=True),
        blob("digest"),
        text("facts"),
        text("first_run_id", 64),
        text("changed_run_id", 64),
        text("absent_since", 27, null=True),
        blob("raw", null=True),
        number("raw_dictionary", null=True),
    )
    index("af_observation", "device_id", then=("source", "source_id"))
    index("af_observation", "source", "absent_since", then=("source_id",))
    table(
        "af_sighting",
        ("source", "source_id"),
        text("source", 200),
        text("source_id", 255),
        text("last_seen_at", 200, null=True),
        text("os_version", 200, null=True),
        number("disk_free_bytes", null=True),
        text("recent_user", 200, null=True),
    )
    table(
        "af_run",
        ("id",),
        text("id", 64),
        text("source", 200),
        text("what", 200),
        text("status", 32),
        text("started_at", 27),
        text("ended_at", 27, null=True),
        text("lease_until", 27, null=True),
        text("owner", 200, null=True),
        number("known_before"),
        number("resumed"),
        number("seen"),
        number("created"),
        number("linked"),
        number("changed"),
        number("unchanged"),
        number("absent"),
        number("disagreements"),
        number("problems"),
        number("expected", null=True),
        text("message", 1000, null=True),
        text("error_code", 200, null=True),
    )
    index("af_run", "source", "started_at", then=("id",))
    table(
        "af_run_shard",
        ("run_id", "shard"),
        text("run_id", 64),
        text("shard", 255),
        text("label", 1000),
        number("expected", null=True),
        number("seen"),
        number("pages"),
        text("following", null=True),
        text("first_call_at", 27, null=True),
        flag("done"),
        zero_or_one("af_run_shard", "done"),
    )
    table(
        "af_run_page",
        ("run_id", "shard", "page"),
        text("run_id", 64),
        text("shard", 255),
        number("page"),
        number("records"),
        blob("ids"),
        number("unchanged"),
        blob("unread"),
        number("nameless"),
    )
    table(
        "af_run_item",
        ("run_id", "source_id", "position"),
        text("run_id", 64),
        text("source_id", 255),
        number("position"),
        text("device_id", 64, null=True),
        text("outcome", 32),
        text("fields", 2000),
        text("reason", 1000, null=True),
        text("candidates", 2000),
    )
    index("af_run_item", "device_id", then=("run_id", "source_id", "position"))
    index("af_run_item", "run_id", "outcome", then=("source_id", "position"))
    table(
        "af_staged_record",
        ("run_id", "source_id"),
        text("run_id", 64),
        text("source_id", 255),
        text("standing", 200),
        blob("digest"),
        text("observed"),
        blob("raw", null=True),
        number("raw_dictionary", null=True),
    )
    table(
        "af_import_batch",
        ("id",),
        text("id", 64),
        text("what", 200),
        text("content_digest", 64),
        text("applied_at", 27),
        number("rows"),
        number("created"),
        number("changed"),
        number("unchanged"),
        number("rejected"),
    )
    index("af_import_batch", "content_digest", then=("id",))
    table(
        "af_idempotency",
        ("key",),
        text("key", 200),
        text("fingerprint", 64),
        text("result"),
        text("made_at", 27),
    )
    table(
        "af_outbox",
        ("seq", "position"),
        number("seq"),
        number("position"),
        text("type", 200),
        text("subject_kind", 200),
        text("subject_id", 200),
        text("body"),
    )
    index("af_outbox", "subject_kind", "subject_id", then=("seq", "position"))
    table(
        "af_outbox_cursor",
        ("consumer",),
        text("consumer", 200),
        number("seq"),
        number("position"),
    )


def _journal() -> None:
    table(
        "af_event",
        ("seq",),
        number("seq"),
        text("type", 64),
        text("subject_kind", 64),
        text("subject_id", 200),
        text("batch_id", 64, null=True),
        text("recorded_at", 27),
        text("body"),
        text("prev", 64),
        text("hash", 64),
    )
    index("af_event", "batch_id", "seq")
    index("af_event", "subject_kind", "subject_id", "seq")
    table(
        "af_event_head",
        (),
        number("seq"),
        text("hash", 64),
    )
    if op.get_context().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER af_event_no_{act.lower()} BEFORE {act} ON af_event "
                "BEGIN SELECT RAISE(ABORT, 'the journal is only ever appended to'); END"
            )
