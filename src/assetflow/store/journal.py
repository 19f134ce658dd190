"""The journal: what an entry becomes as text, how the chain is checked, what a replay gives.

Everything here is pure. A store keeps for each event a body and two hashes; the body is a JSON
object written here, with the district, the sequence number, the event and the changes of the
records that were written with it::

    {
        "district": "lincoln",
        "seq": 17,
        "type": "device.checked_out@1",
        "subject": ["device", "0198..."],
        "recorded_at": "2026-08-17T13:05:00.000000Z",
        "effective_at": null,
        "actor": "...",
        "reason": "hand-out",
        "note": null,
        "batch": null,
        "data": {...},
        "changes": [
            {"kind": "device", "key": ["0198..."], "set": {"lifecycle": "deployed", "version": 4}},
            {"kind": "custody", "key": ["0199..."], "new": true, "set": {...}},
        ],
        "removes": [{"kind": "custody_open", "key": ["0198..."]}],
    }

``set`` holds journalled columns with their new values; a new record's unknown ones are left out.
A changed personal column stands under ``personal``, with a mark in place of its value. Volatile
and derived columns do not stand here.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from attrs import frozen

from assetflow.codec import (
    Tally,
    clean_text,
    encode_plain,
    from_plain,
    read_instant,
    to_plain,
    write_instant,
)
from assetflow.errors import InvalidValue, JournalBroken, SchemaTooNew
from assetflow.model import EVENT_TYPES, Stamp
from assetflow.store.ports import Head, StoredEvent
from assetflow.store.schema import JOURNAL, Kind, Told, check_district, kind_of

if TYPE_CHECKING:
    from assetflow.model import Event, Intent, Record
    from assetflow.store.ports import Entry, Put, ReadTransaction

__all__ = [
    "BEGINNING",
    "Prepared",
    "Removed",
    "Verified",
    "Written",
    "chain",
    "follow",
    "load_event",
    "mark",
    "prepare",
    "verify",
]

Row = tuple[Any, ...]

BEGINNING = Head(0, "0" * 64)
"""The end of a journal that has no event yet."""
_LIMITS = {c.name: c.length for c in JOURNAL}


# --- what an entry becomes -----------------------------------------------------------------


class Written(NamedTuple):
    """A record to write, in plain form."""

    kind: Kind
    """Its kind."""
    key: Row
    """Its key."""
    row: Row
    """Its values, in the order of the kind's columns."""
    guard: Row | None
    """What the kind's ``guard`` columns must hold now; ``None`` when the record is new."""


class Removed(NamedTuple):
    """A record to remove, in plain form."""

    kind: Kind
    """Its kind."""
    key: Row
    """Its key."""
    guard: Row
    """What the kind's ``guard`` columns must hold now."""


class Prepared(NamedTuple):
    """An entry made ready but for its place in the chain, so that it costs little under a lock."""

    opening: bytes
    """The body up to the sequence number."""
    rest: bytes
    """The body after the sequence number."""
    columns: tuple[str, str, str, str | None, str]
    """Type, subject's kind, subject's id, batch and instant, as in the body."""
    removed: tuple[Removed, ...]
    """Records to remove; before any is written."""
    written: tuple[Written, ...]
    """Records to write, in order."""
    intents: tuple[tuple[str, str, str, str], ...]
    """Type, subject's kind, subject's id and body of each intent."""

    def seal(self, seq: int, prev: str) -> Row:
        """The event's row, in the order of `JOURNAL`: its place, its body and its hash.

        Args:
            seq: Its sequence number.
            prev: The hash of the event before.
        """
        body = b"%b%d%b" % (self.opening, seq, self.rest)
        digest = sha256(prev.encode() + body).hexdigest()
        return (seq, *self.columns, body.decode(), prev, digest)

    def outbox(self, seq: int) -> list[Row]:
        """The rows of the outbox, in the order of the columns of its kind."""
        return [(seq, place, *intent) for place, intent in enumerate(self.intents)]


def chain(head: Head, entries: Iterable[Prepared]) -> tuple[list[Row], Head]:
    """The rows of some entries behind the end of a journal, and the new end."""
    seq, last, rows = head.seq, head.hash, []
    for entry in entries:
        seq += 1
        row = entry.seal(seq, last)
        last = row[-1]
        rows.append(row)
    return rows, Head(seq, last)


def prepare(district: str, entry: Entry, tally: Tally | None = None) -> Prepared:
    """Make an entry ready to be sealed and written.

    Args:
        district: The district whose journal it is for.
        entry: The event and its records.
        tally: Counts the texts in which characters were replaced.

    Raises:
        InvalidValue: an event type that is not known; a record of an unknown class; a value that
            cannot be stored; a *before* with another key, or a version that does not follow.
    """
    event, stamp = entry.event, entry.stamp
    if EVENT_TYPES.get(event.TYPE) is not type(event):
        msg = f"{type(event).__name__} is not an event that the journal knows"
        raise InvalidValue(msg)
    recorded_at, effective_at = write_instant(stamp.recorded_at), stamp.effective_at
    written, changes = _puts(entry.puts, tally) if entry.puts else ((), [])
    removed = tuple(map(_remove, entry.removes)) if entry.removes else ()
    rest = encode_plain(
        {
            "type": event.TYPE,
            "subject": (event.SUBJECT, entry.subject_id),
            "recorded_at": recorded_at,
            "effective_at": effective_at and write_instant(effective_at),
            "actor": stamp.actor_id,
            "reason": stamp.reason,
            "note": stamp.note_id,
            "batch": stamp.batch_id,
            "data": _data(event),
            "changes": changes,
            "removes": [{"kind": r.kind.name, "key": r.key} for r in removed if r.kind.journalled],
        },
        tally,
    )
    subject_id = _short("subject_id", entry.subject_id)
    batch_id = stamp.batch_id and _short("batch_id", stamp.batch_id)
    return Prepared(
        _opening(district),
        b"," + rest[1:],
        (event.TYPE, event.SUBJECT, subject_id, batch_id, recorded_at),
        removed,
        written,
        tuple(_outgoing(intent, tally) for intent in entry.intents) if entry.intents else (),
    )


def _data(thing: Event | Intent) -> Any:
    try:
        return to_plain(thing)
    except (AttributeError, TypeError, OverflowError):  # such as a word where an enum belongs
        pass
    msg = f"{thing.TYPE} holds a value of the wrong type"
    raise InvalidValue(msg, kind="journal", field="data")


def _outgoing(intent: Intent, tally: Tally | None) -> tuple[str, str, str, str]:
    subject_id = _short("subject_id", intent.subject_id)
    body = encode_plain(_data(intent), tally).decode()
    return intent.TYPE, intent.SUBJECT, subject_id, body


@lru_cache(maxsize=256)
def _opening(district: str) -> bytes:
    check_district(district)
    return b'{"district":%b,"seq":' % encode_plain(district)


def _short(column: str, text: Any) -> str:
    most = _LIMITS[column]
    if not isinstance(text, str) or (most is not None and len(text) > most):
        msg = f"the event's {column} is not a text of at most {most} characters"
        raise InvalidValue(msg, kind="journal", field=column)
    return clean_text(text)


def _puts(
    puts: Sequence[Put], tally: Tally | None
) -> tuple[tuple[Written, ...], list[dict[str, Any]]]:
    """What is written, and what the body says of it."""
    written, changes = [], []
    for put in puts:
        after, before = put.after, put.before
        kind = kind_of(after)
        row = kind.codec.plain(after, tally)
        key = kind.pick_key(row)
        if before is not None:
            _follows(kind, before, after)
        guard = None if before is None else kind.guard_of(before)
        written.append(Written(kind, key, row, guard))
        if kind.journalled:
            change = _change(kind, key, row, put)
            if change is not None:
                changes.append(change)
    return tuple(written), changes


def _follows(kind: Kind, before: Record, after: Record) -> None:
    """Check that *after* is the next version of the same record."""
    if type(before) is not kind.record or kind.get_key(before) != kind.get_key(after):
        msg = f"a {kind.name} is replaced by one with the same key"
        raise InvalidValue(msg, kind=kind.name)
    if kind.versioned and after.version != before.version + 1:  # type: ignore[attr-defined]
        msg = f"the version of a {kind.name} grows by one with each change"
        hint = "evolve(record, ..., version=record.version + 1)"
        raise InvalidValue(msg, hint=hint, kind=kind.name)


def _change(kind: Kind, key: Row, row: Row, put: Put) -> dict[str, Any] | None:
    """What the body says of a record: what is known of a new one, what changed of another."""
    values: dict[str, Any] = {}
    marks: dict[str, str | None] = {}
    told, before = kind.told, put.before
    for i in range(len(row)) if before is None else kind.codec.changed(before, put.after):
        column = told.get(i)
        if column is None or (row[i] is None if before is None else _same(kind, column, put, row)):
            continue
        if column.personal:
            marks[column.name] = _mark(kind, key, column, put, row[i])
        else:
            values[column.name] = row[i]
    if before is None:
        change: dict[str, Any] = {"kind": kind.name, "key": key, "new": True, "set": values}
    elif values or marks:
        change = {"kind": kind.name, "key": key, "set": values}
    else:
        return None
    if marks:
        change["personal"] = marks
    return change


def _same(kind: Kind, column: Told, put: Put, row: Row) -> bool:
    """Whether a column is kept alike: in text that was cleaned, in one half of money."""
    if column.sure or put.before is None:
        return False
    return bool(kind.codec.plain_at(put.before, column.position) == row[column.position])


def _mark(kind: Kind, key: Row, column: Told, put: Put, value: Any) -> str | None:
    secret = getattr(put.after, "mark_key", None) or put.mark_key
    if not secret or column.secret:
        return None
    return mark(secret, kind.name, key, column.name, value)


def _remove(record: Record) -> Removed:
    kind = kind_of(record)
    return Removed(kind, kind.key_of(record), kind.guard_of(record))


def mark(secret: bytes, kind: str, key: Sequence[Any], column: str, value: Any) -> str:
    """What stands in the journal for a personal value: 16 hexadecimal digits of HMAC-SHA256.

    Whoever has the person's key can show that a value is, or is not, what was recorded; without
    the key nobody can, not even by trying all names. Erasing the person destroys the key.

    Args:
        secret: The person's key.
        kind: The record's kind.
        key: The record's key.
        column: The column's name.
        value: Its plain value; ``None`` when it was emptied.
    """
    said = encode_plain([kind, list(key), column, value])
    return hmac.digest(secret, said, "sha256").hex()[:16]


# --- reading back --------------------------------------------------------------------------


class _Header(msgspec.Struct):
    district: str
    seq: int
    type: str
    subject: tuple[str, str]
    recorded_at: str
    batch: str | None


class _Said(msgspec.Struct):
    type: str
    recorded_at: str
    effective_at: str | None
    actor: str
    reason: str | None
    note: str | None
    batch: str | None
    data: dict[str, Any]


_header = msgspec.json.Decoder(_Header).decode
_said = msgspec.json.Decoder(_Said).decode


def load_event(stored: StoredEvent) -> tuple[Event, Stamp]:
    """The event and its stamp, as values.

    Raises:
        SchemaTooNew: an event type that this version does not know.
        JournalBroken: a body that no version could have written.
    """
    said, stamp = None, None
    try:
        said = _said(stored.body)
        stamp = Stamp(
            actor_id=said.actor,  # type: ignore[arg-type]  # a new type of text
            recorded_at=read_instant(said.recorded_at),
            effective_at=None if said.effective_at is None else read_instant(said.effective_at),
            reason=said.reason,
            note_id=said.note,
            batch_id=said.batch,  # type: ignore[arg-type]  # a new type of text
        )
    except (msgspec.MsgspecError, ValueError):
        pass
    if said is None or stamp is None:
        raise _broken(stored.seq, "body", "its body is not one that was written here")
    cls = EVENT_TYPES.get(said.type)
    if cls is None:
        msg = f"event {stored.seq} is of a type that this version does not know"
        raise SchemaTooNew(msg, seq=stored.seq)
    try:
        return from_plain(said.data, cls, what=said.type), stamp
    except InvalidValue:
        pass
    raise _broken(stored.seq, "body", f"its data is not that of {said.type}")


# --- checking the chain --------------------------------------------------------------------


@frozen
class Verified:
    """A journal that was found whole."""

    head: Head
    """Its end. Keep it elsewhere: a later check can begin with it."""
    events: int
    """How many events were checked."""


def verify(tx: ReadTransaction, *, since: Head | int = 0) -> Verified:
    """Check a district's journal: every sequence number, hash and column, and the end.

    The chain shows that something was changed afterwards. Whoever may write the whole database
    can forge all of it, so keep the head that this returns where they cannot reach, and give it
    as *since* later.

    Args:
        tx: Reads of the district.
        since: Check only what follows this event. A whole head also says which hash the event
            must have; a number trusts the hash that is stored.

    Raises:
        JournalBroken: names the first sequence number at fault, and how.
    """
    end = tx.head()
    at = BEGINNING
    if since != 0:
        at = _anchor(tx, since)
    first = at.seq
    at = follow(tx.district, at, tx.journal(after=first))
    if at.seq < end.seq:
        raise _broken(at.seq + 1, "gap", "it is missing")
    if at != end:
        raise _broken(at.seq, "head", "the head does not name it")
    return Verified(end, at.seq - first)


def follow(district: str, head: Head, events: Iterable[StoredEvent]) -> Head:
    """Check that events come one after another behind an end of a journal. Returns the new end.

    Args:
        district: The district whose journal it is.
        head: The end of what is there already.
        events: What follows.

    Raises:
        JournalBroken: names the first sequence number at fault, and how.
    """
    for event in events:
        if event.seq != head.seq + 1:
            raise _broken(head.seq + 1, "gap", "it is missing")
        _check_event(district, event, head.hash)
        head = Head(event.seq, event.hash)
    return head


def _anchor(tx: ReadTransaction, since: Head | int) -> Head:
    seq = since.seq if isinstance(since, Head) else since
    if seq == 0:
        return BEGINNING
    found = next(iter(tx.journal(after=seq - 1)), None)
    if found is None or found.seq != seq:
        raise _broken(seq, "gap", "it is missing")
    if isinstance(since, Head) and found.hash != since.hash:
        raise _broken(seq, "hash", "it is not the event that was sealed")
    return Head(found.seq, found.hash)


def _check_event(district: str, event: StoredEvent, prev: str) -> None:
    if event.prev != prev:
        raise _broken(event.seq, "prev", "it does not follow the event before it")
    if sha256(f"{prev}{event.body}".encode()).hexdigest() != event.hash:
        raise _broken(event.seq, "hash", "its body is not what was hashed")
    try:
        said = _header(event.body)
    except (msgspec.MsgspecError, UnicodeError):
        said = None
    if said is None or said.district != district or said.seq != event.seq:
        raise _broken(event.seq, "body", "its body belongs elsewhere")
    columns = (event.type, event.subject_kind, event.subject_id, event.batch_id, event.recorded_at)
    if columns != (said.type, *said.subject, said.batch, said.recorded_at):
        raise _broken(event.seq, "columns", "its columns are not what its body says")


def _broken(seq: int, fault: str, words: str) -> JournalBroken:
    return JournalBroken(f"the journal is broken at event {seq}: {words}", seq=seq, fault=fault)
