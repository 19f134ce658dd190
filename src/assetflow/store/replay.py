"""What a journal says the tables hold, and whether they do.

A replay gives the journalled columns only: personal values were never in the journal, volatile
and derived ones have no place there. A column that a later version added is unknown in what was
written before it; one that a later version dropped is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from attrs import frozen

from assetflow.errors import JournalBroken
from assetflow.model import Query, Role
from assetflow.store.schema import KINDS, Kind

if TYPE_CHECKING:
    from assetflow.store.ports import ReadTransaction, StoredEvent

__all__ = ["Difference", "compare", "replay"]

Key = tuple[Any, ...]
State = dict[str, dict[Key, list[Any]]]


class _Change(msgspec.Struct):
    kind: str
    key: list[Any]
    new: bool = False
    set: dict[str, Any] = {}


class _Remove(msgspec.Struct):
    kind: str
    key: list[Any]


class _Changes(msgspec.Struct):
    changes: list[_Change]
    removes: list[_Remove]


_read = msgspec.json.Decoder(_Changes).decode


def replay(events: Iterable[StoredEvent]) -> dict[str, dict[Key, dict[str, Any]]]:
    """The tables as the journal tells them: kind, key, journalled column, plain value.

    Args:
        events: A district's events from the first on.

    Raises:
        JournalBroken: a body that no version could have written. Whether a body is the one that
            was written is for [`verify`][assetflow.store.journal.verify] to say.
    """
    state = _replay(events)
    return {
        kind: {key: dict(zip(_places(kind), row, strict=True)) for key, row in rows.items()}
        for kind, rows in state.items()
    }


def _replay(events: Iterable[StoredEvent]) -> State:
    state: State = {kind.name: {} for kind in KINDS.values() if kind.journalled}
    for event in events:
        said = _said(event)
        for gone in said.removes:
            state.get(gone.kind, {}).pop(tuple(gone.key), None)
        for change in said.changes:
            rows = state.get(change.kind)
            if rows is not None:
                _apply(change, rows)
    return state


def _said(event: StoredEvent) -> _Changes:
    try:
        return _read(event.body)
    except (msgspec.MsgspecError, UnicodeError):
        pass
    msg = f"the journal is broken at event {event.seq}: its body is not one that was written here"
    raise JournalBroken(msg, seq=event.seq, fault="body")


@cache
def _places(kind: str) -> Mapping[str, int]:
    """Journalled columns of a kind and their places in a replayed row."""
    columns = (c.name for c in KINDS[kind].columns if c.role is Role.JOURNALLED)
    return {name: i for i, name in enumerate(columns)}


def _apply(change: _Change, rows: dict[Key, list[Any]]) -> None:
    places = _places(change.kind)
    key = tuple(change.key)
    row = rows.get(key)
    if row is None or change.new:
        # The keys' columns do not stand in `set`: the key is said once.
        row = rows[key] = [None] * len(places)
        for name, value in zip(KINDS[change.kind].key, key, strict=True):
            row[places[name]] = value
    for name, value in change.set.items():
        at = places.get(name)
        if at is not None:
            row[at] = _once(value)


_seen: dict[str, str] = {}


def _once(value: Any) -> Any:
    """The same object for equal short texts: words and days repeat in every row."""
    if type(value) is not str or len(value) > 24:
        return value
    if len(_seen) > 4096:
        _seen.clear()
    return _seen.setdefault(value, value)


@frozen
class Difference:
    """A place where a table is not what the journal says."""

    kind: str
    """The kind of record."""
    key: Key
    """Its key."""
    column: str | None
    """The column; ``None`` when the whole record is on one side only."""
    replayed: Any
    """The journal's value, or whether it knows the record. Journalled columns hold nothing personal."""
    stored: Any
    """The table's value, or whether it holds the record."""


def compare(tx: ReadTransaction, *, limit: int = 1000) -> list[Difference]:
    """Where the tables differ from a replay of the whole journal, in journalled columns.

    Holds one replayed row of journalled columns for each record: about 60 MB for 100,000 devices.

    Args:
        tx: Consistent reads of the district.
        limit: Stop after so many.

    Raises:
        JournalBroken: as `replay`.
    """
    state = _replay(tx.journal())
    found: list[Difference] = []
    for name in list(state):
        for difference in _differences(tx, KINDS[name], state.pop(name)):
            found.append(difference)
            if len(found) >= limit:
                return found
    return found


def _differences(
    tx: ReadTransaction, kind: Kind, replayed: dict[Key, list[Any]]
) -> Iterator[Difference]:
    places = _places(kind.name)
    names = list(places)
    at = [places[name] for name in kind.key]
    for values in tx.values(Query(kind=kind.record), names):
        key = tuple(values[i] for i in at)
        row = replayed.pop(key, None)
        if row is None:
            yield Difference(kind.name, key, None, replayed=False, stored=True)
        elif row != list(values):
            for name, said, stored in zip(names, row, values, strict=True):
                if said != stored:
                    yield Difference(kind.name, key, name, said, stored)
    for key in replayed:
        yield Difference(kind.name, key, None, replayed=True, stored=False)
