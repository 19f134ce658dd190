"""How long records about people are kept, what an erasure does to each kind, and who says so."""

import enum
from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import ClassVar

from attrs import frozen

from assetflow.model.fields import Journalled, Personal, Record, Volatile, quiet
from assetflow.model.funds import Programme
from assetflow.model.ids import PersonId

__all__ = [
    "KIND_RETENTION",
    "PROGRAMME_RULES",
    "Handling",
    "KindRetention",
    "ProgrammeRule",
    "Recipient",
    "RetainedIdentity",
]


class Handling(enum.Enum):
    """What an erasure does to a kind of record."""

    EMPTIED = "emptied"
    """The row stays as a pseudonym; its personal columns are emptied."""
    REMOVED = "removed"
    """The row goes."""
    REDACTED = "redacted"
    """What names the person is taken out of it; the rest is about a device and stays."""
    KEPT = "kept"
    """The row holds ids, codes and days, and stays: it speaks of the pseudonym."""
    SEALED = "sealed"
    """A name that a programme demands, as ciphertext, until its day."""
    NOBODY = "nobody"
    """The kind is about no person; a name that strayed into it is taken out."""


@frozen(kw_only=True)
class KindRetention:
    """What holds for one kind of record."""

    handling: Handling
    """What an erasure does."""
    until: str
    """How long a row is kept."""
    source: str
    """Who says so: a regulation, or a key of the district's policy."""


@frozen(kw_only=True)
class ProgrammeRule:
    """What a programme demands of the record of who had a device that it paid for."""

    programme: Programme
    """Whose money it was."""
    years_key: str | None
    """The policy's key for how many years; ``None`` where the days are not counted here."""
    name: bool
    """Whether the full name must be kept with it."""
    counted_from: str
    """From which day the years are counted."""
    source: str
    """The regulation."""


PROGRAMME_RULES: Mapping[Programme, ProgrammeRule] = MappingProxyType(
    {
        Programme.ECF: ProgrammeRule(
            programme=Programme.ECF,
            years_key="ecf_years",
            name=True,
            counted_from="the last day of service or delivery that is known; "
            "the end of the custody when neither is",
            source="47 CFR 54.1715",
        ),
        Programme.E_RATE: ProgrammeRule(
            programme=Programme.E_RATE,
            years_key="e_rate_years",
            name=False,
            counted_from="the last day of service or delivery that is known; "
            "the end of the custody when neither is",
            source="47 CFR 54.516",
        ),
        Programme.FEDERAL: ProgrammeRule(
            programme=Programme.FEDERAL,
            years_key=None,
            name=False,
            counted_from="the disposal of the equipment",
            source="2 CFR 200.313(d)",
        ),
    }
)
"""Programmes that demand a record of custody. Only ECF asks for the name; records for E-Rate may be
produced without it where privacy law needs that."""


_ERASURE = "until the person is erased"
_BOOKS = "for as long as the books are kept"
_PEOPLE = "policy key retention.people_years"
_RUNS = "policy key retention.runs_days"
_NOTES = "policy key retention.notes_years"
_KEYS = "policy key retention.keys_days"
_JOURNAL = "the journal must replay to the tables"


def _kind(handling: Handling, until: str, source: str) -> KindRetention:
    return KindRetention(handling=handling, until=until, source=source)


def _of_a_run() -> KindRetention:
    return _kind(Handling.NOBODY, "the days that the policy names", _RUNS)


KIND_RETENTION: Mapping[str, KindRetention] = MappingProxyType(
    {
        "actor": _kind(Handling.EMPTIED, _ERASURE, _PEOPLE),
        "custody": _kind(Handling.KEPT, _BOOKS, "47 CFR 54.1715; 47 CFR 54.516; 2 CFR 200.313(d)"),
        "custody_open": _kind(Handling.KEPT, "until the device is back", "47 CFR 54.1715"),
        "custom_field": _kind(Handling.NOBODY, _BOOKS, _JOURNAL),
        "device": _kind(Handling.NOBODY, _BOOKS, "2 CFR 200.313(d)"),
        "device_link": _kind(Handling.NOBODY, _BOOKS, _JOURNAL),
        "device_model": _kind(Handling.NOBODY, _BOOKS, _JOURNAL),
        "district": _kind(Handling.NOBODY, _BOOKS, _JOURNAL),
        "funding_share": _kind(Handling.NOBODY, _BOOKS, "2 CFR 200.313(d)"),
        "guardianship": _kind(Handling.REMOVED, _ERASURE, _PEOPLE),
        "hold": _kind(Handling.KEPT, _BOOKS, _JOURNAL),
        "idempotency": _kind(Handling.REDACTED, "the days that the policy names", _KEYS),
        "import_batch": _of_a_run(),
        "note": _kind(Handling.REMOVED, "the years that the policy names", _NOTES),
        "observation": _kind(Handling.REDACTED, "until the source says otherwise", _PEOPLE),
        "outbox": _kind(Handling.KEPT, _BOOKS, _JOURNAL),
        "outbox_cursor": _kind(Handling.NOBODY, _BOOKS, _JOURNAL),
        "person": _kind(Handling.EMPTIED, _ERASURE, _PEOPLE),
        "person_link": _kind(Handling.EMPTIED, _ERASURE, _PEOPLE),
        "place": _kind(Handling.NOBODY, _BOOKS, _JOURNAL),
        "place_link": _kind(Handling.NOBODY, _BOOKS, _JOURNAL),
        "policy": _kind(Handling.NOBODY, _BOOKS, _JOURNAL),
        "recipient": _kind(Handling.NOBODY, "until the district ends the sharing", _JOURNAL),
        "retained_identity": _kind(
            Handling.SEALED, "the years that the programme demands", "47 CFR 54.1715"
        ),
        "run": _of_a_run(),
        "run_item": _of_a_run(),
        "run_page": _of_a_run(),
        "run_shard": _of_a_run(),
        "school_calendar": _kind(Handling.NOBODY, _BOOKS, _JOURNAL),
        "sighting": _kind(Handling.REDACTED, "until the source says otherwise", _PEOPLE),
        "webhook": _kind(Handling.NOBODY, "until it is removed", _JOURNAL),
        "webhook_delivery": _kind(Handling.NOBODY, "until it has arrived", _JOURNAL),
        "webhook_progress": _kind(Handling.NOBODY, "as long as its webhook", _JOURNAL),
        "staged_record": _kind(Handling.REDACTED, "until its run ends", _RUNS),
    }
)
"""What holds for each kind of record. A test asks for one entry a kind, so that a new kind cannot
be forgotten."""


@frozen(kw_only=True, field_transformer=quiet)
class RetainedIdentity(Record):
    """The name of an erased person, which a programme demands, sealed with a key kept elsewhere.

    The key is not in the database: whoever has the file alone has a pseudonym and ciphertext.
    """

    KIND: ClassVar[str] = "retained_identity"
    KEY: ClassVar[tuple[str, ...]] = ("person_id", "programme")
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (("keep_until",),)
    REFERS: ClassVar[tuple[tuple[str, str], ...]] = (("person_id", "person"),)

    person_id: Journalled[PersonId]
    """The pseudonym."""
    programme: Journalled[str]
    """The programme that demands it, such as ``ecf``."""
    keep_until: Journalled[date]
    """The last day on which it is kept."""
    key_id: Journalled[str]
    """Which key opens it."""
    sealed: Personal[bytes]
    """The name: a nonce of 12 bytes and AES-256-GCM ciphertext, bound to the district, the person
    and the programme."""
    version: Journalled[int] = 1
    """Grows by one with each change."""


@frozen(kw_only=True, field_transformer=quiet)
class Recipient(Record):
    """Somebody who is given de-identified records, and the key that makes their pseudonyms."""

    KIND: ClassVar[str] = "recipient"
    KEY: ClassVar[tuple[str, ...]] = ("name",)

    name: Volatile[str]
    """A code for the recipient, such as ``state-university``."""
    secret: Personal[bytes]
    """The key of 32 bytes. Without it nobody can tell whose pseudonym is whose."""
    made_at: Volatile[datetime]
    """When the first export was made for them."""
