"""What each stored field is: journalled, personal, volatile or derived.

The role decides what may enter the journal, what an erasure must find, and what a replay must
reproduce. A stored class states a role for every field; one without is refused when the schema
is built, so that a personal field can never slip into the journal by being forgotten.
"""

import enum
from typing import Annotated, Any, ClassVar, TypeVar, get_origin

from attrs import Attribute

__all__ = ["Derived", "Journalled", "Personal", "Record", "Role", "Volatile", "quiet", "role_of"]

T = TypeVar("T")


class Role(enum.Enum):
    """What a stored field is."""

    JOURNALLED = "journalled"
    """Its changes stand in the journal with their values; a replay reproduces it."""
    PERSONAL = "personal"
    """About a person: its changes are named in the journal without the value; erasable."""
    VOLATILE = "volatile"
    """Changes daily or belongs to the machinery; not in the journal."""
    DERIVED = "derived"
    """Computed from other fields; recomputed and compared, not in the journal."""


Journalled = Annotated[T, Role.JOURNALLED]
"""A field whose values stand in the journal."""
Personal = Annotated[T, Role.PERSONAL]
"""A field about a person."""
Volatile = Annotated[T, Role.VOLATILE]
"""A field that may change without an event."""
Derived = Annotated[T, Role.DERIVED]
"""A field that is computed from others."""


def role_of(annotation: Any) -> Role | None:
    """The role that an annotation states, if it states one."""
    if get_origin(annotation) is Annotated:
        return next((m for m in annotation.__metadata__ if isinstance(m, Role)), None)
    return None


def quiet(_cls: type, fields: "list[Attribute[Any]]") -> "list[Attribute[Any]]":
    """Field transformer for attrs: personal fields stay out of ``repr``."""
    return [f.evolve(repr=False) if role_of(f.type) is Role.PERSONAL else f for f in fields]


class Record:
    """A value that a store keeps: one row, found by its key within its district.

    The district is not a field: a transaction belongs to one district, and every key of the
    store begins with it.
    """

    __slots__ = ()

    KIND: ClassVar[str]
    """The kind's name in the store and in the journal, such as ``device``."""
    KEY: ClassVar[tuple[str, ...]] = ("id",)
    """The fields that identify the record within its district. Never personal."""
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Fields by which records are looked up."""
    UNIQUE: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Fields that are unique within a district. Never personal."""
    REFERS: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Pairs of a field and the kind whose ``id`` it holds: a foreign key."""
