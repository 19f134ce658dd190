"""People: registered, changed, gone, and the guardians of students.

Names, numbers and addresses never stand in an event: it names the fields that changed, and the
journal marks them with the person's own key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve

from assetflow.errors import DuplicateKey, InvalidValue
from assetflow.model import (
    RELATIONS,
    F,
    Guardianship,
    Person,
    PersonId,
    PersonKind,
    PersonLink,
    PersonStatus,
    Place,
    Query,
)
from assetflow.model.events import GuardianLinked, PersonChanged, PersonLeft, PersonRegistered
from assetflow.rules.derived import fold_email
from assetflow.store.ports import Entry, Put
from assetflow.workflows.edits import changed_fields, found, next_version, with_changes
from assetflow.workflows.naming import lock_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date

    from assetflow.store.ports import ReadTransaction, Transaction
    from assetflow.workflows.acting import Act

__all__ = [
    "MARK_KEY_BYTES",
    "PERSON_FIELDS",
    "change_person",
    "change_person_entry",
    "guardian_entry",
    "leave_person",
    "leave_person_entry",
    "link_guardian",
    "register_person",
    "register_person_entry",
]

PERSON_FIELDS = frozenset(
    {
        "kind",
        "status",
        "local_id",
        "given_name",
        "family_name",
        "preferred_name",
        "email",
        "homeroom",
        "grade",
        "site_id",
        "left_on",
    }
)
"""Fields of a person that a person or a file may set."""

MARK_KEY_BYTES = 32
"""Length of the key with which a person's changed fields are marked in the journal."""


# --- entries -------------------------------------------------------------------------------


def register_person_entry(
    act: Act,
    person: Person,
    *,
    entropy: Callable[[int], bytes],
    links: Iterable[PersonLink] = (),
    source: str | None = None,
) -> Entry:
    """The entry that adds a person.

    Args:
        act: Who, when and why.
        person: The person; the folded address and the key for marks are made here.
        entropy: Gives that many random bytes.
        links: Links of sources' records to the person.
        source: The roster or file that they came from.

    Returns:
        The entry; the person as they will be is ``entry.puts[0].after``.
    """
    after = evolve(person, email_key=fold_email(person.email), mark_key=entropy(MARK_KEY_BYTES))
    puts = (Put(after), *(Put(link, mark_key=after.mark_key) for link in links))
    event = PersonRegistered(source=source)
    return Entry(event=event, subject_id=after.id, stamp=act.stamp(), puts=puts)


def change_person_entry(
    act: Act,
    before: Person,
    after: Person,
    *,
    links: Iterable[PersonLink | tuple[PersonLink, PersonLink]] = (),
    removes: Iterable[Guardianship] = (),
    source: str | None = None,
) -> Entry | None:
    """The entry that changes a person; ``None`` when nothing differs.

    A person who is there no longer has *left*, and one who is there again has no day on which
    they left.

    Args:
        act: Who, when and why.
        before: The person as read.
        after: The person as they are to be; version and folded address are set here.
        links: New links of sources' records, or pairs of a link as read and as it is to be.
        removes: Guardianships that end with it.
        source: The roster or file that says so.

    Raises:
        InvalidValue: the person was erased.
    """
    if before.erased_at is not None:
        raise InvalidValue("the person was erased and cannot be changed", person_id=before.id)
    if after.status is not PersonStatus.LEFT and after.left_on is not None:
        after = evolve(after, left_on=None)
    names, gone = list(changed_fields(before, after)), tuple(removes)
    puts: list[Put] = []
    if names:
        after = evolve(after, email_key=fold_email(after.email))
        puts.append(Put(next_version(before, after), before))
    for link in links:
        old, new = link if isinstance(link, tuple) else (None, link)
        new = new if old is None else next_version(old, new)
        puts.append(Put(new, old, mark_key=before.mark_key))
        names.append("link")
    if gone:
        names.append("guardians")
    if not names:
        return None
    left = after.status is PersonStatus.LEFT and before.status is not PersonStatus.LEFT
    event: PersonLeft | PersonChanged = (
        PersonLeft(source=source, left_on=after.left_on)
        if left
        else PersonChanged(fields=tuple(names), source=source)
    )
    return Entry(
        event=event, subject_id=before.id, stamp=act.stamp(), puts=tuple(puts), removes=gone
    )


def leave_person_entry(
    act: Act, before: Person, *, left_on: date | None = None, source: str | None = None
) -> Entry | None:
    """The entry that says that a person left; ``None`` when they had, and no other day is named."""
    after = evolve(before, status=PersonStatus.LEFT, left_on=left_on or before.left_on)
    return change_person_entry(act, before, after, source=source)


def guardian_entry(
    act: Act, after: Guardianship, *, before: Guardianship | None = None
) -> Entry | None:
    """The entry that records a guardian of a student; ``None`` when nothing differs.

    Raises:
        InvalidValue: somebody would be their own guardian, or a relation that is no word of
            [`RELATIONS`][assetflow.model.RELATIONS].
    """
    if after.relation is not None and after.relation not in RELATIONS:
        raise InvalidValue(
            "the relation is none of the words: it stands in the journal, which cannot be erased",
            hint=f"One of: {', '.join(RELATIONS)}.",
        )
    if after.student_id == after.guardian_id:
        raise InvalidValue("nobody is their own guardian", person_id=after.student_id)
    if before is not None:
        if not changed_fields(before, after):
            return None
        after = next_version(before, after)
    event = GuardianLinked(guardian_id=after.guardian_id)
    return Entry(
        event=event, subject_id=after.student_id, stamp=act.stamp(), puts=(Put(after, before),)
    )


# --- verbs ---------------------------------------------------------------------------------


def register_person(
    tx: Transaction,
    act: Act,
    person: Person,
    *,
    entropy: Callable[[int], bytes],
    source: str | None = None,
) -> Person:
    """Add a person.

    Args:
        tx: Where to write.
        act: Who, when and why.
        person: The person, with a new opaque id.
        entropy: Gives that many random bytes.
        source: The roster or file that they came from.

    Returns:
        The person as they are now.

    Raises:
        NotFound: no such site.
        DuplicateKey: somebody of that kind has that number, or somebody has that address.
    """
    if person.site_id is not None:
        found(tx, Place, person.site_id)
    lock_names(tx)
    _check_names(tx, person)
    entry = register_person_entry(act, person, entropy=entropy, source=source)
    tx.record([entry])
    return entry.puts[0].after  # type: ignore[return-value]  # the person


def change_person(
    tx: Transaction, act: Act, person_id: PersonId, changes: Mapping[str, Any]
) -> Person:
    """Set fields of a person.

    Args:
        tx: Where to write.
        act: Who, when and why.
        person_id: The person.
        changes: Field to value, of [`PERSON_FIELDS`][assetflow.workflows.people.PERSON_FIELDS];
            ``None`` empties one, a field that is not named stays.

    Raises:
        NotFound: no such person or site.
        InvalidValue: a field that may not be set, or the person was erased.
        DuplicateKey: somebody else of that kind has that number, or somebody has that address.
    """
    names = bool({"kind", "local_id", "email"} & set(changes))
    if names:
        lock_names(tx)
    tx.lock((Person, (person_id,)))
    before = found(tx, Person, person_id)
    after = with_changes(before, changes, PERSON_FIELDS)
    if after.site_id is not None:
        found(tx, Place, after.site_id)
    if names:
        _check_names(tx, after)
    return _save(tx, before, change_person_entry(act, before, after))


def leave_person(
    tx: Transaction, act: Act, person_id: PersonId, *, left_on: date | None = None
) -> Person:
    """Record that a person is no longer enrolled or employed. What they hold stays in their name.

    Raises:
        NotFound: no such person.
        InvalidValue: the person was erased.
    """
    tx.lock((Person, (person_id,)))
    before = found(tx, Person, person_id)
    return _save(tx, before, leave_person_entry(act, before, left_on=left_on))


def link_guardian(
    tx: Transaction,
    act: Act,
    student_id: PersonId,
    guardian_id: PersonId,
    *,
    relation: str | None = None,
) -> Guardianship:
    """Record a guardian of a student.

    Raises:
        NotFound: no such person.
        InvalidValue: the student is no student, or their own guardian; or an unknown relation.
    """
    tx.lock((Person, (student_id,)), (Person, (guardian_id,)))
    student = found(tx, Person, student_id)
    found(tx, Person, guardian_id)
    if student.kind is not PersonKind.STUDENT:
        raise InvalidValue("only students have guardians", person_id=student_id)
    before = tx.get(Guardianship, student_id, guardian_id)
    after = Guardianship(student_id=student_id, guardian_id=guardian_id, relation=relation)
    if before is not None:
        after = evolve(before, relation=relation)
    entry = guardian_entry(act, after, before=before)
    if entry is None:
        return after
    tx.record([entry])
    return entry.puts[0].after  # type: ignore[return-value]  # the guardianship


def _check_names(tx: ReadTransaction, person: Person) -> None:
    """Refuse a number or an address that is somebody else's; whose, by id alone.

    A student and a teacher may have one number, since two systems give them. Guardians may share
    an address, also with the student.
    """
    same = F.kind == person.kind.value
    taken = []
    if person.local_id:
        taken.append(("number", same & (F.local_id == person.local_id)))
    if (address := fold_email(person.email)) and person.kind is not PersonKind.GUARDIAN:
        others = F.kind != PersonKind.GUARDIAN.value
        taken.append(("address", others & (F.email_key == address)))
    for what, where in taken:
        for (person_id,) in tx.values(Query(kind=Person, where=where), ("id",)):
            if person_id != person.id:
                raise DuplicateKey(
                    f"another person has that {what}",
                    hint=f"Use that person; when they are gone, change their {what} first.",
                    person_id=person_id,
                )


def _save(tx: Transaction, before: Person, entry: Entry | None) -> Person:
    if entry is None:
        return before
    tx.record([entry])
    return entry.puts[0].after  # type: ignore[return-value]  # the person
