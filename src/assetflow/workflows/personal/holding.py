"""Everything that the store holds on a person, as plain data: what a records request is answered with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec
from attrs import asdict, field, frozen

from assetflow.codec import to_plain
from assetflow.model import Observation, RetainedIdentity, Run, StagedRecord
from assetflow.reconcile import observed_fields
from assetflow.rules.naming import Naming, fold_text
from assetflow.workflows.personal.sealing import WITHHELD, open_name
from assetflow.workflows.personal.traces import Why, events_about, subject_of, traces

if TYPE_CHECKING:
    from assetflow.model import Person, Record
    from assetflow.store.ports import ReadTransaction
    from assetflow.workflows.personal.sealing import IdentityKeys
    from assetflow.workflows.personal.traces import RawReader, Subject, Trace

__all__ = ["ANOTHER", "Holding", "holdings"]

ANOTHER = "(another person)"
"""What stands in place of another person's address."""

_ADDRESS = re.compile(r"[^\s\"'<>,;:()\[\]{}@]+@[^\s\"'<>,;:()\[\]{}@]+")
_BY_GUESS = {Why.LAST_HELD, Why.UNREADABLE}
_NOT_HANDED_OUT = frozenset({"mark_key", "digest"})
"""Keys and digests of the machinery: they say nothing, and would let others test guesses."""


@frozen(kw_only=True)
class Holding:
    """One thing that the store holds on a person."""

    section: str
    """Where it stands: the kind of record, or ``journal``."""
    key: tuple[Any, ...]
    """Its key there; the sequence number of an event."""
    why: tuple[str, ...]
    """Why it is about them."""
    columns: tuple[str, ...]
    """The columns that refer to them or name them; empty where all are theirs."""
    data: Mapping[str, Any] = field(repr=False)
    """What stands there, in plain form."""

    @property
    def where(self) -> str:
        """The place in one line, such as ``custody/0199...``."""
        return "/".join((self.section, *map(str, self.key)))


def holdings(
    tx: ReadTransaction,
    person: Person,
    *,
    raw: RawReader,
    keys: IdentityKeys | None = None,
    others: bool = False,
) -> Iterator[Holding]:
    """Everything that is held on a person, kind by kind, then the journal.

    What a source says of a device may name several people. Another's address is masked, since a
    family may see only what is about their own child (34 CFR 99.12(a)).

    Args:
        tx: Consistent reads of the district; keep it open while reading.
        person: The person.
        raw: Reads raw records.
        keys: The district's identity keys; without them a sealed name is withheld.
        others: Whether other people's addresses are left as they are.
    """
    subject = subject_of(tx, person)
    shown = _Shown(tx, subject, raw, keys, others=others)
    notes = set()
    for event in events_about(tx, subject):
        note = msgspec.json.decode(event.body).get("note")
        if note is not None:
            notes.add(note)
    for trace in traces(tx, subject, raw=raw, notes=frozenset(notes)):
        if not set(trace.why) <= _BY_GUESS:
            yield shown.record(trace)
    yield from _events(tx, subject)


def _events(tx: ReadTransaction, subject: Subject) -> Iterator[Holding]:
    """Events about them in full, and of what they did themselves only that they did it."""
    about = subject.about()
    for event in tx.journal():
        mine = about.search(event.body) is not None
        said = msgspec.json.decode(event.body) if mine or subject.actor_ids else {}
        if mine:
            yield _event(event.seq, said, Why.REFERS)
        elif said.get("actor") in subject.actor_ids:
            head = ("seq", "type", "subject", "recorded_at", "effective_at", "actor", "batch")
            yield _event(event.seq, {name: said[name] for name in head}, Why.ACT)


def _event(seq: int, said: Mapping[str, Any], why: Why) -> Holding:
    return Holding(section="journal", key=(seq,), why=(why.value,), columns=(), data=said)


class _Shown:
    """Records as they are handed out."""

    def __init__(
        self,
        tx: ReadTransaction,
        subject: Subject,
        raw: RawReader,
        keys: IdentityKeys | None,
        *,
        others: bool,
    ) -> None:
        self._tx = tx
        self._naming = subject.naming
        self._raw = raw
        self._keys = keys
        self._others = others

    def record(self, trace: Trace) -> Holding:
        """A record as it is handed out."""
        return Holding(
            section=trace.kind,
            key=trace.key,
            why=tuple(w.value for w in trace.why if w not in _BY_GUESS),
            columns=trace.columns,
            data=self._data(trace.record),
        )

    def _data(self, record: Record) -> dict[str, Any]:
        fields: dict[str, Any] = asdict(cast(Any, record), recurse=False)
        said = {n: v for n, v in fields.items() if n not in _NOT_HANDED_OUT}
        if isinstance(record, RetainedIdentity):
            name = open_name(self._keys, record, district=self._tx.district)
            said["sealed"] = WITHHELD if name is None else name
        if isinstance(record, Observation):
            said["facts"] = self._masked(_json(record.facts))
        if isinstance(record, StagedRecord):
            said["observed"] = self._masked(_observed(record.observed))
        for name, value in said.items():
            if isinstance(value, bytes):
                said[name] = self._bytes(record, name, value)
            elif name not in ("facts", "observed"):
                said[name] = to_plain(value)
        return said

    def _bytes(self, record: Any, name: str, value: bytes) -> Any:
        if name != "raw":
            return self._masked(value.decode("utf-8", "replace"))
        source = _source(self._tx, record)
        text = self._raw(source, record.raw_dictionary, value)
        return None if text is None else self._masked(_json(text))

    def _masked(self, value: Any) -> Any:
        """The value without other people's addresses."""
        if self._others:
            return value
        if isinstance(value, str):
            return _ADDRESS.sub(self._mask, value)
        if isinstance(value, dict):
            return {k: self._masked(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self._masked(v) for v in value]
        return value

    def _mask(self, match: re.Match[str]) -> str:
        return match[0] if _theirs(self._naming, match[0]) else ANOTHER


def _source(tx: ReadTransaction, record: Any) -> str:
    """The source of a record; of a staged one the run knows it."""
    if isinstance(record, StagedRecord):
        run = tx.get(Run, record.run_id)
        return run.source if run is not None else ""
    return str(record.source)


def _theirs(naming: Naming, address: str) -> bool:
    return naming.found_in(fold_text(address))


def _observed(text: str) -> Any:
    try:
        return observed_fields(text)
    except (msgspec.MsgspecError, ValueError):
        return text


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return text
