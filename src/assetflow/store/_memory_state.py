"""What the store in memory holds of a district: tables, events, and the journal's end."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from assetflow.errors import DuplicateKey
from assetflow.model.query import plain
from assetflow.store.journal import BEGINNING
from assetflow.store.ports import Head, StoredEvent
from assetflow.store.schema import KINDS, Kind

__all__ = ["State", "Table"]

Key = tuple[Any, ...]


class Table:
    """The records of one kind of one district, by key, and which unique values are taken."""

    __slots__ = ("kind", "rows", "taken")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.rows: dict[Key, Any] = {}
        self.taken: dict[tuple[str, ...], dict[Key, Key]] = {names: {} for names in kind.unique}

    def copy(self) -> Table:
        made = Table(self.kind)
        made.rows = self.rows.copy()
        made.taken = {names: taken.copy() for names, taken in self.taken.items()}
        return made

    def put(self, key: Key, record: Any) -> None:
        self.remove(key)
        for names, taken in self.taken.items():
            values = tuple(plain(getattr(record, name)) for name in names)
            if None in values:
                continue
            if taken.setdefault(values, key) != key:
                msg = f"another {self.kind.name} has the same {', '.join(names)}"
                raise DuplicateKey(msg, kind=self.kind.name)
        self.rows[key] = record

    def remove(self, key: Key) -> None:
        record = self.rows.pop(key, None)
        if record is not None:
            for names, taken in self.taken.items():
                taken.pop(tuple(plain(getattr(record, name)) for name in names), None)


@frozen
class State:
    """A district as of one commit. Never changed, but for events that come after ``head``."""

    tables: dict[str, Table] = field(factory=lambda: {n: Table(k) for n, k in KINDS.items()})
    events: list[StoredEvent] = field(factory=list)
    head: Head = BEGINNING
