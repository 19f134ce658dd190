"""People: students, staff, and the guardians who sign and pay for students."""

import enum
from datetime import date, datetime
from typing import ClassVar, Final

from attrs import field, frozen

from assetflow.model.fields import Derived, Journalled, Personal, Record, quiet
from assetflow.model.ids import ActorId, PersonId, PlaceId
from assetflow.model.money import Money

__all__ = [
    "RELATIONS",
    "Actor",
    "Guardianship",
    "Hold",
    "Note",
    "Person",
    "PersonKind",
    "PersonLink",
    "PersonStatus",
]


class PersonKind(enum.Enum):
    """What a person is to the district."""

    STUDENT = "student"
    """Enrolled, or was."""
    STAFF = "staff"
    """Employed, or was."""
    GUARDIAN = "guardian"
    """Responsible for a student."""


class PersonStatus(enum.Enum):
    """Whether a person is there."""

    EXPECTED = "expected"
    """Enrolled or hired, not begun."""
    ACTIVE = "active"
    """There."""
    LEFT = "left"
    """No longer enrolled or employed."""
    UNKNOWN = "unknown"
    """No source says."""


@frozen(kw_only=True, field_transformer=quiet)
class Person(Record):
    """A person. What names them is personal: erasable, and never in the journal."""

    KIND: ClassVar[str] = "person"
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("local_id",),
        ("email_key",),
        ("site_id", "grade"),
    )

    id: Journalled[PersonId]
    """Opaque id; survives an erasure as a pseudonym."""
    kind: Journalled[PersonKind]
    """Student, staff or guardian."""
    status: Journalled[PersonStatus] = PersonStatus.ACTIVE
    """Whether they are there."""
    local_id: Personal[str | None] = None
    """Student or staff number, as text, leading zeros kept."""
    given_name: Personal[str | None] = None
    """Given name as the roster has it."""
    family_name: Personal[str | None] = None
    """Family name as the roster has it."""
    preferred_name: Personal[str | None] = None
    """The given name that the person goes by."""
    email: Personal[str | None] = None
    """School address, as the roster writes it."""
    email_key: Personal[str | None] = None
    """The address folded for look-up: lower case."""
    homeroom: Personal[str | None] = None
    """Homeroom; often a teacher's name."""
    grade: Journalled[str | None] = None
    """Grade as the roster codes it: ``PK``, ``KG``, ``01`` to ``12``."""
    site_id: Journalled[PlaceId | None] = None
    """Home school or work site."""
    left_on: Journalled[date | None] = None
    """The day on which they left, when known."""
    mark_key: Personal[bytes | None] = None
    """Key for the marks of this person's changed fields in the journal; an erasure destroys it."""
    erased_at: Journalled[datetime | None] = None
    """When the personal fields were erased."""
    version: Journalled[int] = 1
    """Grows by one with each change."""

    @property
    def display_name(self) -> str:
        """Preferred or given name and family name; the id when there is no name."""
        parts = (self.preferred_name or self.given_name, self.family_name)
        return " ".join(p for p in parts if p) or self.id


@frozen(kw_only=True, field_transformer=quiet)
class PersonLink(Record):
    """Who a source's record is about. A source's id may be the student number, so it is personal."""

    KIND: ClassVar[str] = "person_link"
    KEY: ClassVar[tuple[str, ...]] = ("person_id", "source")
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (("source", "source_id"),)
    REFERS: ClassVar[tuple[tuple[str, str], ...]] = (("person_id", "person"),)

    person_id: Journalled[PersonId]
    """The person here."""
    source: Journalled[str]
    """The source's name."""
    source_id: Personal[str | None] = None
    """The id there, byte for byte."""
    version: Journalled[int] = 1
    """Grows by one with each change."""


RELATIONS: Final = (
    "parent", "guardian", "relative", "mother", "father", "stepparent", "grandparent", "sibling",
    "foster-parent", "other",
)  # fmt: skip
"""What a guardian may be to a student: a closed list, since the word stands in the journal. The
first three are OneRoster's."""


@frozen(kw_only=True, field_transformer=quiet)
class Guardianship(Record):
    """A guardian of a student."""

    KIND: ClassVar[str] = "guardianship"
    KEY: ClassVar[tuple[str, ...]] = ("student_id", "guardian_id")
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (("guardian_id",),)
    REFERS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("student_id", "person"),
        ("guardian_id", "person"),
    )

    student_id: Journalled[PersonId]
    """The student."""
    guardian_id: Journalled[PersonId]
    """The guardian."""
    relation: Journalled[str | None] = None
    """A word of [`RELATIONS`][assetflow.model.RELATIONS]."""
    version: Journalled[int] = 1
    """Grows by one with each change."""


@frozen(kw_only=True, field_transformer=quiet)
class Hold(Record):
    """Something that stands between a person and the next check-out.

    Placed by hand here; charges, agreements and coverage add theirs to what
    [`holds`][assetflow.workflows.holds.holds] answers.
    """

    KIND: ClassVar[str] = "hold"
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (("person_id",),)
    REFERS: ClassVar[tuple[tuple[str, str], ...]] = (("person_id", "person"),)

    id: Journalled[str]
    """Its id."""
    person_id: Journalled[PersonId]
    """Whom it holds."""
    kind: Journalled[str]
    """A code: ``balance``, ``agreement``, ``coverage``, ``overdue``, ``manual``."""
    since: Journalled[date]
    """The day from which it holds."""
    amount: Journalled[Money | None] = None
    """The money at stake, for a balance."""
    note_id: Journalled[str | None] = None
    """The note that says why."""
    released_at: Journalled[datetime | None] = None
    """When it was lifted; ``None`` while it holds."""
    version: Journalled[int] = 1
    """Grows by one with each change."""


@frozen(kw_only=True, field_transformer=quiet)
class Actor(Record):
    """Who acts, for the journal: the id stays, the label can be erased."""

    KIND: ClassVar[str] = "actor"
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (("label",),)

    id: Derived[ActorId]
    """The id that events carry."""
    label: Personal[str | None] = None
    """Who it is: a work address or a script's name."""


@frozen(kw_only=True, field_transformer=quiet)
class Note(Record):
    """Free text beside an act. Events carry its id only, so that it can be erased."""

    KIND: ClassVar[str] = "note"
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (("subject_id",),)

    id: Derived[str]
    """Its id."""
    subject_kind: Derived[str]
    """What it is about: ``device``, ``person``."""
    subject_id: Derived[str]
    """The id of what it is about."""
    written_at: Derived[datetime]
    """When it was written."""
    text: Personal[str | None] = field(default=None)
    """The text, at most 4,000 characters."""
