"""Where the store speaks of a person. Every column of every kind is looked at, so none is forgotten."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from assetflow.codec import ColumnType
from assetflow.model import (
    Actor,
    Custody,
    F,
    Observation,
    Person,
    PersonId,
    PersonLink,
    Query,
    Run,
)
from assetflow.model.query import instant_text
from assetflow.rules.naming import Naming, full_names
from assetflow.store.schema import KINDS, Kind

if TYPE_CHECKING:
    from assetflow.codec import Column
    from assetflow.model import Record
    from assetflow.store.ports import ReadTransaction, StoredEvent

__all__ = ["RawReader", "Subject", "Trace", "Why", "events_about", "subject_of", "traces"]

RawReader = Callable[[str, int | None, bytes], str | None]
"""Reads a raw record: source, version of the dictionary, bytes. ``None`` when it cannot be read here."""

_BATCH = 500
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_WHOSE = {"person": ("homeroom",), "person_link": ()}
"""Kinds whose rows are about one person each: of another's row only these may name this one, since
two people may share an address."""


class Why(enum.Enum):
    """Why a record is about a person."""

    IS = "is the person"
    """It is their own row."""
    REFERS = "holds their id"
    """A field of it is their id."""
    NAMES = "names them"
    """A text of it holds their address, number, user name or full name."""
    ACT = "was written with an act about them"
    """A note to an event about them."""
    DURING = "was written about a device while they had it"
    """Free words, of which nobody can say whom they mean."""
    LAST_HELD = "is what a source said of a device that they had last"
    """It may mean them in a way that nobody can look for."""
    UNREADABLE = "cannot be read here"
    """A raw record of a source that is not installed."""


@frozen(kw_only=True)
class Trace:
    """A record that is about a person."""

    record: Record = field(repr=False)
    """The record."""
    kind: str
    """Its kind."""
    key: tuple[Any, ...]
    """Its key."""
    why: tuple[Why, ...]
    """Why it is about them."""
    columns: tuple[str, ...]
    """The columns that refer to them or name them."""
    named: tuple[str, ...] = ()
    """Of these the ones that name them."""


@frozen(kw_only=True)
class Subject:
    """A person, and what is needed to find them."""

    person: Person = field(repr=False)
    """The person."""
    naming: Naming = field(repr=False)
    """What points at them."""
    custodies: tuple[Custody, ...] = ()
    """What they answered for or had in hand, the oldest first."""
    actor_ids: frozenset[str] = frozenset()
    """The actors that they are."""
    shared_name: bool = False
    """Whether somebody else has the same name, so that a name in a text points at neither."""

    @property
    def id(self) -> PersonId:
        """The person's id."""
        return self.person.id

    def about(self) -> re.Pattern[str]:
        """Finds their id, or that of a custody of theirs, in an event's body."""
        ids = (self.person.id, *(c.id for c in self.custodies))
        return re.compile("|".join(f'"{re.escape(i)}"' for i in ids))


def subject_of(tx: ReadTransaction, person: Person) -> Subject:
    """What is needed to find a person."""
    theirs = (F.accountable_id == person.id) | (F.holder_id == person.id)
    custodies = sorted(tx.find(Query(kind=Custody, where=theirs)), key=lambda c: (c.since, c.id))
    links = tx.values(Query(kind=PersonLink, where=F.person_id == person.id), ("source_id",))
    shared = _shared_names(tx, person)
    naming = Naming.of(person, source_ids=[i for (i,) in links if i], shared=shared)
    known = tx.values(Query(kind=Actor, where=F.label.is_known()), ("id", "label"))
    return Subject(
        person=person,
        naming=naming,
        custodies=tuple(custodies),
        actor_ids=frozenset(i for i, label in known if naming.found_in(label)),
        shared_name=bool(shared),
    )


def _shared_names(tx: ReadTransaction, person: Person) -> frozenset[tuple[str, str]]:
    mine = full_names(person.given_name, person.preferred_name, person.family_name)
    if not mine:
        return mine
    fields = ("id", "given_name", "preferred_name", "family_name")
    others = tx.values(Query(kind=Person, where=F.family_name.is_known()), fields)
    found = (full_names(*names) for other, *names in others if other != person.id)
    return mine & frozenset(pair for pairs in found for pair in pairs)


def events_about(tx: ReadTransaction, subject: Subject) -> Iterator[StoredEvent]:
    """The events that hold the person's id, or that of a custody of theirs."""
    about = subject.about()
    return (event for event in tx.journal() if about.search(event.body))


def traces(
    tx: ReadTransaction, subject: Subject, *, raw: RawReader, notes: frozenset[str] = frozenset()
) -> Iterator[Trace]:
    """Every record that is about a person, kind by kind; reads each kind once.

    Args:
        tx: Consistent reads of the district.
        subject: The person.
        raw: Reads raw records.
        notes: Notes that events about them name.
    """
    look = _Look(tx, subject, raw, notes)
    for kind in KINDS.values():
        found: list[_Found] = []
        for hit in look.at(kind):
            found.append(hit)
            if len(found) >= _BATCH:
                yield from _fetch(tx, kind, found)
                found = []
        yield from _fetch(tx, kind, found)


@frozen
class _Found:
    key: tuple[Any, ...]
    why: tuple[Why, ...]
    columns: tuple[str, ...]
    named: tuple[str, ...] = ()


def _fetch(tx: ReadTransaction, kind: Kind, found: Sequence[_Found]) -> Iterator[Trace]:
    records = tx.get_many(kind.record, [f.key for f in found])
    for hit in found:
        yield Trace(
            record=records[hit.key],
            kind=kind.name,
            key=hit.key,
            why=hit.why,
            columns=hit.columns,
            named=hit.named,
        )


class _Look:
    """Looks at the rows of a kind."""

    def __init__(
        self, tx: ReadTransaction, subject: Subject, raw: RawReader, notes: frozenset[str]
    ) -> None:
        self._tx = tx
        self._subject = subject
        self._raw = raw
        self._notes = notes
        self._periods = _periods(subject.custodies)
        self._last = _last_held(tx, subject)
        self._sources: Mapping[str, str] = dict(tx.values(Query(kind=Run), ("id", "source")))

    def at(self, kind: Kind) -> Iterator[_Found]:
        columns = [c for c in kind.columns if _may_speak(c)]
        beside = [n for n in ("source", "raw_dictionary", "written_at") if n in kind.by_name]
        names = list(dict.fromkeys((*kind.key, *(c.name for c in columns), *beside)))
        for values in self._tx.values(Query(kind=kind.record), names):
            row = dict(zip(names, values, strict=True))
            hit = self._row(kind, columns, row)
            if hit is not None:
                yield hit

    def _row(self, kind: Kind, columns: Sequence[Column], row: Mapping[str, Any]) -> _Found | None:
        subject = self._subject
        key = tuple(row[name] for name in kind.key)
        if kind.name == "person" and key == (subject.id,):
            return _Found(key, (Why.IS,), ())
        texts, unreadable = self._texts(columns, row)
        whole = "\n".join(texts.values())
        refers = (
            tuple(n for n, t in texts.items() if subject.id in t) if subject.id in whole else ()
        )
        names: tuple[str, ...] = ()
        if subject.naming.found_in(whole):
            where = _WHOSE.get(kind.name, tuple(texts))
            names = tuple(n for n in where if subject.naming.found_in(texts.get(n)))
        why = [w for w, said in ((Why.REFERS, refers), (Why.NAMES, names)) if said]
        why += self._beyond_words(kind, row)
        why += [Why.UNREADABLE] if unreadable else []
        if not why:
            return None
        return _Found(key, tuple(why), tuple(dict.fromkeys((*refers, *names))), names)

    def _texts(
        self, columns: Sequence[Column], row: Mapping[str, Any]
    ) -> tuple[dict[str, str], bool]:
        texts, unreadable = {}, False
        for column in columns:
            value: Any = row[column.name]
            if value is None:
                continue
            if column.name == "raw":
                source = row.get("source") or self._sources.get(row.get("run_id", ""), "")
                value = self._raw(source, row["raw_dictionary"], value)
                unreadable |= value is None
            elif column.type is ColumnType.BYTES:
                value = value.decode("utf-8", "replace")
            if value is not None:
                texts[column.name] = _unescaped(value)
        return texts, unreadable

    def _beyond_words(self, kind: Kind, row: Mapping[str, Any]) -> list[Why]:
        """What no text of a record says by itself."""
        if kind.name == "note":
            during = any(
                since <= row["written_at"] <= until
                for since, until in self._periods.get(row["subject_id"], ())
            )
            act = row["id"] in self._notes
            return [w for w, so in ((Why.ACT, act), (Why.DURING, during)) if so]
        if kind.record is Observation and row["device_id"] in self._last:
            return [Why.LAST_HELD]
        return []


def _may_speak(column: Column) -> bool:
    """Whether a column can hold an id or a name: any text that is not one of a closed set, and bytes."""
    if column.type is ColumnType.TEXT:
        return column.python is str
    return column.type in (ColumnType.JSON, ColumnType.BYTES)


def _unescaped(text: str) -> str:
    """JSON may write a letter as its number."""
    return _ESCAPED.sub(lambda m: chr(int(m[1], 16)), text) if "\\u" in text else text


def _periods(custodies: Sequence[Custody]) -> dict[str, list[tuple[str, str]]]:
    """For each device the times in which the person had it, as stores write instants."""
    found: dict[str, list[tuple[str, str]]] = {}
    for custody in custodies:
        until = instant_text(custody.ended_at) if custody.ended_at else "9999"
        found.setdefault(custody.device_id, []).append((instant_text(custody.since), until))
    return found


def _last_held(tx: ReadTransaction, subject: Subject) -> frozenset[str]:
    """Devices that nobody had after the person."""
    last: dict[str, tuple[datetime, str]] = {}
    mine = {c.device_id for c in subject.custodies}
    for device_id in mine:
        for custody in tx.find(Query(kind=Custody, where=F.device_id == device_id)):
            last[device_id] = max(
                last.get(device_id, (custody.since, "")), (custody.since, custody.id)
            )
    theirs = {c.id for c in subject.custodies}
    return frozenset(d for d, (_, custody_id) in last.items() if custody_id in theirs)
