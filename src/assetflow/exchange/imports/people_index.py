"""Everybody of a district by number and address, as far as matching a row needs to know them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field, frozen

from assetflow.model import Person, PersonId, PersonKind, PersonStatus, Query
from assetflow.rules.derived import fold_email

if TYPE_CHECKING:
    from collections.abc import Iterable

    from assetflow.store.ports import ReadTransaction

__all__ = ["KnownPerson", "PeopleIndex"]


@frozen
class KnownPerson:
    """What matching needs to know of a person."""

    id: PersonId
    """Their id."""
    kind: PersonKind
    """Student, staff or guardian."""
    status: PersonStatus
    """Whether they are there."""
    local_id: str | None = field(repr=False)
    """Their number."""
    email_key: str | None = field(repr=False)
    """Their folded address."""


@define
class PeopleIndex:
    """The people of a district who were not erased."""

    by_id: dict[PersonId, KnownPerson] = field(factory=dict, repr=False)
    """Id to person."""
    by_number: dict[str, list[PersonId]] = field(factory=dict, repr=False)
    """Number to people."""
    by_address: dict[str, list[PersonId]] = field(factory=dict, repr=False)
    """Folded address to people."""

    @classmethod
    def load(cls, tx: ReadTransaction) -> PeopleIndex:
        """Read everybody."""
        index = cls()
        names = ("id", "kind", "status", "local_id", "email_key", "erased_at")
        for person_id, kind, status, number, address, erased in tx.values(
            Query(kind=Person), names
        ):
            if erased is None:
                index.add(
                    KnownPerson(person_id, PersonKind(kind), PersonStatus(status), number, address)
                )
        return index

    def add(self, person: KnownPerson) -> None:
        """A person who is there from now on."""
        self.by_id[person.id] = person
        if person.local_id:
            self.by_number.setdefault(person.local_id, []).append(person.id)
        if person.email_key:
            self.by_address.setdefault(person.email_key, []).append(person.id)

    def named(self, text: str, kinds: Iterable[PersonKind] = ()) -> list[KnownPerson]:
        """The people whose number or address a text is, exactly; of these kinds when given."""
        ids = dict.fromkeys(self.by_number.get(text, []))
        if "@" in text:
            ids |= dict.fromkeys(self.by_address.get(fold_email(text) or "", []))
        wanted = frozenset(kinds)
        return [self.by_id[i] for i in ids if not wanted or self.by_id[i].kind in wanted]
