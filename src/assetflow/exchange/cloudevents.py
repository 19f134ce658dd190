"""What happened, as other systems are told: read off the journal, in the shape of CloudEvents 1.0.

A webhook's body and `district.changes` say the same, since both are made here. Nothing personal
is in it: the journal holds nothing personal, and the marks that it keeps in place of personal
values stay behind; only the names of those fields go out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from attrs import field, frozen

from assetflow.errors import InvalidValue, JournalBroken
from assetflow.model import EVENT_TYPES
from assetflow.store.journal import load_event
from assetflow.store.schema import KINDS, Column, ColumnType

if TYPE_CHECKING:
    from datetime import datetime

    from assetflow.model import Event, Stamp
    from assetflow.store.ports import StoredEvent

__all__ = [
    "Change",
    "RecordChange",
    "cloud_type",
    "event_name",
    "event_names",
    "fields_of",
    "is_named",
    "source_of",
    "subject_of",
]

_PREFIX = "org.assetflow."


def event_name(event_type: str) -> str:
    """An event's name without its version: ``device.checked_out``."""
    return event_type.partition("@")[0]


def cloud_type(event_type: str) -> str:
    """The CloudEvents type of an event's type.

    Example:
        >>> cloud_type("device.checked_out@1")
        'org.assetflow.device.checked_out.v1'
    """
    name, _, version = event_type.partition("@")
    return f"{_PREFIX}{name}.v{version}"


def source_of(district: str) -> str:
    """The CloudEvents source of a district's events."""
    return f"urn:assetflow:district:{quote(district, safe='')}"


def subject_of(stored: StoredEvent) -> str:
    """What an event is about: ``device/0198...``."""
    return f"{stored.subject_kind}/{quote(stored.subject_id, safe='')}"


def event_names(given: Iterable[str]) -> tuple[str, ...]:
    """Names of events as somebody wrote them, checked: ``device.checked_out`` or ``device.*``.

    Raises:
        InvalidValue: no event is called so.
    """
    if isinstance(given, str):
        raise InvalidValue("names of events are a list", hint='types=["device.checked_out"]')
    known = {event_name(t) for t in EVENT_TYPES}
    wide = {f"{name.partition('.')[0]}.*" for name in known}
    found = tuple(dict.fromkeys(event_name(g.removeprefix(_PREFIX)) for g in given))
    for name in found:
        if name not in known | wide:
            hint = f"Known are: {', '.join(sorted(known))}; all of a kind: device.*"
            raise InvalidValue("no event has that name", hint=hint)
    return found


def is_named(event_type: str, names: Iterable[str]) -> bool:
    """Whether an event's type is among some names; every type is among none at all."""
    wanted = frozenset(names)
    name = event_name(event_type)
    return not wanted or name in wanted or f"{name.partition('.')[0]}.*" in wanted


# --- one change ----------------------------------------------------------------------------


@frozen(kw_only=True)
class RecordChange:
    """What changed in one record."""

    record: str
    """The kind of record, such as ``device``."""
    key: tuple[Any, ...]
    """Its key: its id, mostly."""
    new: bool = False
    """Whether it was added."""
    set: Mapping[str, Any] = field(factory=dict)
    """Fields with their new values, as JSON has them; of a new record those that are known."""
    withheld: tuple[str, ...] = ()
    """Personal fields that changed: their names only."""


@frozen(kw_only=True)
class Change:
    """One event, as other systems are told of it."""

    seq: int
    """Its place in the journal; what comes later is higher."""
    source: str
    """The district: ``urn:assetflow:district:lincoln``."""
    type: str
    """CloudEvents type, such as ``org.assetflow.device.checked_out.v1``."""
    subject: str
    """What it is about: ``device/0198...``."""
    event: Event
    """The event, typed."""
    stamp: Stamp
    """Who, when, and why."""
    changes: tuple[RecordChange, ...]
    """What changed in which record."""
    removed: tuple[RecordChange, ...]
    """Records that were removed, by their keys."""
    _time: str = field(repr=False)
    _data: Mapping[str, Any] = field(repr=False)

    @property
    def id(self) -> str:
        """Its id, unique within its source."""
        return str(self.seq)

    @property
    def at(self) -> datetime:
        """When it was written down, in UTC."""
        return self.stamp.recorded_at

    def as_cloudevent(self) -> dict[str, Any]:
        """The event as a CloudEvents 1.0 JSON object, ready for JSON."""
        effective = self.stamp.effective_at
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": self._time,
            "datacontenttype": "application/json",
            # An extension that others know: texts that sort as the events came.
            "sequence": f"{self.seq:019d}",
            "data": {
                "event": dict(self._data),
                "changes": [_told(c) for c in self.changes],
                "removed": [{"record": c.record, "key": list(c.key)} for c in self.removed],
                "actor": self.stamp.actor_id,
                "reason": self.stamp.reason,
                "batch": self.stamp.batch_id,
                "effective_at": None if effective is None else effective.isoformat(),
            },
        }

    @classmethod
    def of(cls, stored: StoredEvent, district: str) -> Change:
        """The change that a stored event tells of.

        Raises:
            SchemaTooNew: an event type that this version does not know.
            JournalBroken: a body that no version could have written.
        """
        event, stamp = load_event(stored)
        said = _said(stored)
        return cls(
            seq=stored.seq,
            source=source_of(district),
            type=cloud_type(stored.type),
            subject=subject_of(stored),
            event=event,
            stamp=stamp,
            changes=tuple(
                RecordChange(
                    record=c.kind,
                    key=tuple(c.key),
                    new=c.new,
                    set=_readable(c),
                    withheld=tuple(n for n in c.personal if n not in _MACHINERY),
                )
                for c in said.changes
            ),
            removed=tuple(RecordChange(record=r.kind, key=tuple(r.key)) for r in said.removes),
            time=stored.recorded_at,
            data=said.data,
        )


def _told(change: RecordChange) -> dict[str, Any]:
    return {
        "record": change.record,
        "key": list(change.key),
        "new": change.new,
        "set": dict(change.set),
        "withheld": list(change.withheld),
    }


class _Changed(msgspec.Struct):
    kind: str
    key: list[Any]
    new: bool = False
    set: dict[str, Any] = {}
    personal: dict[str, Any] = {}


class _Removed(msgspec.Struct):
    kind: str
    key: list[Any]


class _Said(msgspec.Struct):
    data: dict[str, Any]
    changes: list[_Changed]
    removes: list[_Removed]


_read = msgspec.json.Decoder(_Said).decode
_MACHINERY = frozenset({"email_key", "mark_key"})  # they follow other fields and say nothing


def _readable(change: _Changed) -> dict[str, Any]:
    """Columns as JSON has them: a flag as true or false, a list as a list."""
    kind = KINDS.get(change.kind)
    if kind is None:
        return change.set
    return {name: _plain(kind.by_name.get(name), value) for name, value in change.set.items()}


def _plain(column: Column | None, value: Any) -> Any:
    if column is None or value is None:
        return value
    if column.type is ColumnType.JSON:
        return msgspec.json.decode(value)
    return bool(value) if column.type is ColumnType.FLAG else value


def fields_of(change: RecordChange) -> frozenset[str]:
    """Names of the fields that changed; money is one field, with two columns."""
    kind = KINDS.get(change.record)
    names = (*change.set, *change.withheld)
    known = {} if kind is None else kind.by_name
    return frozenset(known[n].field if n in known else n for n in names)


def _said(stored: StoredEvent) -> _Said:
    try:
        return _read(stored.body)
    except (msgspec.MsgspecError, UnicodeError):
        pass
    msg = f"the journal is broken at event {stored.seq}: its body is not one that was written here"
    raise JournalBroken(msg, seq=stored.seq, fault="body")
