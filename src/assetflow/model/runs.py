"""Pulls and imports as rows: what each run did, and what it did to each record."""

import enum
from datetime import datetime
from typing import ClassVar

from attrs import frozen

from assetflow.model.fields import Personal, Record, Volatile, quiet
from assetflow.model.ids import BatchId, DeviceId, RunId

__all__ = [
    "ImportBatch",
    "ItemOutcome",
    "OutboxCursor",
    "OutboxItem",
    "Remembered",
    "Run",
    "RunItem",
    "RunPage",
    "RunShard",
    "RunStatus",
    "StagedRecord",
]


class RunStatus(enum.Enum):
    """Where a run stands."""

    RUNNING = "running"
    """Under way, or killed and waiting to be taken up again."""
    COMPLETE = "complete"
    """Every listing proved complete and everything was applied."""
    PARTIAL = "partial"
    """What was seen was applied; absence was not judged."""
    STOPPED = "stopped"
    """Stopped by the change guard or by too many problems. No new or changed record was applied
    where the source was known before; contacts, returns of absent devices, what a first pull had
    brought by then, and for absence the changes that were let through, stay."""
    FAILED = "failed"
    """Ended by an error; a new run starts afresh."""


class ItemOutcome(enum.Enum):
    """What a run did with a record."""

    CREATED = "created"
    """A device was registered for it."""
    LINKED = "linked"
    """It was matched to a device that was there."""
    CHANGED = "changed"
    """A tracked field changed."""
    DISAGREES = "disagrees"
    """It contradicts what the district holds; nothing was overwritten."""
    AMBIGUOUS = "ambiguous"
    """Several devices could be it; a person must say."""
    REFUSED = "refused"
    """A rule or the change guard kept it out."""
    PROBLEM = "problem"
    """It could not be read."""
    ABSENT = "absent"
    """A complete listing no longer had it."""
    RETURNED = "returned"
    """It was absent and is there again."""


@frozen(kw_only=True, field_transformer=quiet)
class Run(Record):
    """One pull from one source."""

    KIND: ClassVar[str] = "run"
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (("source", "started_at"),)

    id: Volatile[RunId]
    """Its id; also the batch id of the events that it wrote."""
    source: Volatile[str]
    """The source's name."""
    what: Volatile[str]
    """What was pulled: an observed kind."""
    status: Volatile[RunStatus]
    """Where it stands."""
    started_at: Volatile[datetime]
    """When it began."""
    ended_at: Volatile[datetime | None] = None
    """When it ended."""
    lease_until: Volatile[datetime | None] = None
    """Until when its process is taken to live; later, another may take it up."""
    owner: Volatile[str | None] = None
    """A random word of the process that works on it."""
    known_before: Volatile[int] = 0
    """Records of the source that were known when it began; guards measure against them."""
    resumed: Volatile[int] = 0
    """How often it was taken up again."""
    seen: Volatile[int] = 0
    """Records read."""
    created: Volatile[int] = 0
    """Devices registered."""
    linked: Volatile[int] = 0
    """Records matched to devices that were there."""
    changed: Volatile[int] = 0
    """Records of known devices whose tracked fields changed."""
    unchanged: Volatile[int] = 0
    """Records equal to the last observation, of devices that are known."""
    unmatched: Volatile[int] = 0
    """Records that belong to no device: several could be it, or none may be made of it."""
    absent: Volatile[int] = 0
    """Records that a complete listing no longer had."""
    disagreements: Volatile[int] = 0
    """Fields on which source and district differ."""
    problems: Volatile[int] = 0
    """Records that could not be read."""
    expected: Volatile[int | None] = None
    """Records that the source counts, when it counts."""
    message: Volatile[str | None] = None
    """Why it stopped, in words without personal data."""
    error_code: Volatile[str | None] = None
    """The error's code, when an error ended it."""


@frozen(kw_only=True, field_transformer=quiet)
class RunShard(Record):
    """One listing of a run: where it stands, for taking it up again."""

    KIND: ClassVar[str] = "run_shard"
    KEY: ClassVar[tuple[str, ...]] = ("run_id", "shard")

    run_id: Volatile[RunId]
    """The run."""
    shard: Volatile[str]
    """The shard's key, such as an org unit's id."""
    label: Volatile[str] = ""
    """What a person calls it, such as the org unit's path."""
    expected: Volatile[int | None] = None
    """How many records the source counts in it."""
    seen: Volatile[int] = 0
    """How many were read."""
    pages: Volatile[int] = 0
    """How many pages were applied."""
    following: Volatile[str | None] = None
    """The call for the next page as JSON; ``None`` at the start and at the end."""
    first_call_at: Volatile[datetime | None] = None
    """When its first page was fetched; a listing's life is counted from here."""
    done: Volatile[bool] = False
    """Whether its last page was applied."""


@frozen(kw_only=True, field_transformer=quiet)
class RunPage(Record):
    """A page that was applied, with the ids that it held. Its key makes applying it twice impossible."""

    KIND: ClassVar[str] = "run_page"
    KEY: ClassVar[tuple[str, ...]] = ("run_id", "shard", "page")

    run_id: Volatile[RunId]
    """The run."""
    shard: Volatile[str]
    """The shard."""
    page: Volatile[int]
    """Its number within the shard, from 0."""
    records: Volatile[int]
    """How many records it held."""
    ids: Volatile[bytes]
    """The records' source ids, a line feed between. Vendor device ids only."""
    unchanged: Volatile[int] = 0
    """How many of them were as they had been."""
    unread: Volatile[bytes] = b""
    """Ids of records that could not be read, a line feed between: they are there all the same."""
    nameless: Volatile[int] = 0
    """Records that could not be read and whose id is not known."""
    marks: Volatile[bytes] = b""
    """Digests of the records, 17 bytes each in the order of ``ids``; zeros for one that was new or
    changed and not yet settled, or belongs to no device. Where there was none such, one over all
    of them follows. Empty when all must be looked up."""
    contacts: Volatile[bytes] = b""
    """The records' last contacts in the order of ``ids``, a line feed between; empty for unknown."""


@frozen(kw_only=True, field_transformer=quiet)
class RunItem(Record):
    """What a run did with one record, where it did anything or refused to."""

    KIND: ClassVar[str] = "run_item"
    KEY: ClassVar[tuple[str, ...]] = ("run_id", "source_id", "position")
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (("run_id", "outcome"), ("device_id",))

    run_id: Volatile[RunId]
    """The run."""
    source_id: Volatile[str]
    """The vendor's id of the record."""
    position: Volatile[int] = 0
    """Counts several rows about one record."""
    device_id: Volatile[DeviceId | None] = None
    """The device, when it is known."""
    outcome: Volatile[ItemOutcome]
    """What happened."""
    fields: Volatile[str] = ""
    """Names of the fields concerned, comma between."""
    reason: Volatile[str | None] = None
    """Why, as a code and ids: no values of personal fields."""
    candidates: Volatile[str] = ""
    """Ids of the devices that it could be, comma between."""


@frozen(kw_only=True, field_transformer=quiet)
class StagedRecord(Record):
    """A new or changed record of a run, kept until the change guard has seen all of them."""

    KIND: ClassVar[str] = "staged_record"
    KEY: ClassVar[tuple[str, ...]] = ("run_id", "source_id")

    run_id: Volatile[RunId]
    """The run."""
    source_id: Volatile[str]
    """The vendor's id of the record."""
    standing: Volatile[str]
    """``new``, ``changed``, or ``unmatched`` for one that is unchanged but still belongs to no device."""
    digest: Volatile[bytes]
    """17 bytes over the tracked fields, the first of which names the scheme."""
    observed: Personal[str]
    """All observed fields as a JSON array, in the order of the observed class."""
    raw: Personal[bytes | None] = None
    """The vendor's record, compressed."""
    raw_dictionary: Volatile[int | None] = None
    """Version of the dictionary that it was compressed with."""


@frozen(kw_only=True, field_transformer=quiet)
class ImportBatch(Record):
    """A file that was applied."""

    KIND: ClassVar[str] = "import_batch"
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (("content_digest",),)

    id: Volatile[BatchId]
    """Its id; also the batch id of the events that it wrote."""
    what: Volatile[str]
    """``devices``, ``people`` or ``roster``."""
    content_digest: Volatile[str]
    """SHA-256 of the file and the mapping, hexadecimal."""
    applied_at: Volatile[datetime]
    """When it was applied."""
    rows: Volatile[int]
    """Data rows in the file."""
    created: Volatile[int] = 0
    """Records made."""
    changed: Volatile[int] = 0
    """Records changed."""
    unchanged: Volatile[int] = 0
    """Rows that said nothing new."""
    rejected: Volatile[int] = 0
    """Rows refused, each with its reason in the rejects file."""


@frozen(kw_only=True, field_transformer=quiet)
class Remembered(Record):
    """The result of a request made under an idempotency key. Holds ids only."""

    KIND: ClassVar[str] = "idempotency"
    KEY: ClassVar[tuple[str, ...]] = ("key",)

    key: Volatile[str]
    """The caller's key, at most 200 characters."""
    fingerprint: Volatile[str]
    """SHA-256 of what was asked, hexadecimal."""
    result: Volatile[str]
    """What to answer again: a JSON object of ids."""
    made_at: Volatile[datetime]
    """When it was first asked."""


@frozen(kw_only=True, field_transformer=quiet)
class OutboxItem(Record):
    """Something that another system should hear of, written in the transaction that caused it."""

    KIND: ClassVar[str] = "outbox"
    KEY: ClassVar[tuple[str, ...]] = ("seq", "position")
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (("subject_kind", "subject_id"),)

    seq: Volatile[int]
    """Sequence number of the event that caused it."""
    position: Volatile[int]
    """Counts several intents of one event, from 0."""
    type: Volatile[str]
    """The intent's type, such as ``device.assignee@1``."""
    subject_kind: Volatile[str]
    """What it is about."""
    subject_id: Volatile[str]
    """The id of what it is about; order is kept per subject."""
    body: Volatile[str]
    """The intent as a JSON object of ids and codes."""


@frozen(kw_only=True, field_transformer=quiet)
class OutboxCursor(Record):
    """How far a consumer has read the outbox."""

    KIND: ClassVar[str] = "outbox_cursor"
    KEY: ClassVar[tuple[str, ...]] = ("consumer",)

    consumer: Volatile[str]
    """The consumer's name."""
    seq: Volatile[int] = 0
    """The last event whose intents it has taken."""
    position: Volatile[int] = -1
    """The last intent of that event that it has taken."""
