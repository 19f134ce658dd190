"""Nothing is kept longer than its rule says: what expires on a day, and its removal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from assetflow.errors import IdentityKeyNeeded
from assetflow.model import (
    F,
    ImportBatch,
    Note,
    Order,
    Person,
    PersonStatus,
    Query,
    Remembered,
    RetainedIdentity,
    Run,
    RunItem,
    RunPage,
    RunShard,
    RunStatus,
    StagedRecord,
)
from assetflow.model.events import PersonIdentityDestroyed, PersonIdentityResealed
from assetflow.rules.retention import years_later
from assetflow.store.ports import Entry, Put
from assetflow.store.schema import kind_of
from assetflow.workflows.edits import next_version
from assetflow.workflows.personal.sealing import WITHHELD, open_name, seal_name

if TYPE_CHECKING:
    from assetflow.model import PersonId, Predicate, Record, RetentionPolicy
    from assetflow.store.ports import ReadTransaction, Transaction
    from assetflow.workflows.acting import Act
    from assetflow.workflows.personal.sealing import IdentityKeys

__all__ = [
    "Expiring",
    "KeptIdentity",
    "expire",
    "expiring",
    "kept_identities",
    "people_due",
    "reseal_identities",
]


@frozen(kw_only=True)
class Expiring:
    """Records of one kind whose time is over."""

    kind: str
    """The kind of record; ``person`` for people who fall due for erasure."""
    count: int
    """How many there are."""
    rule: str
    """The policy's key or the regulation that says so."""
    before: date
    """What is older than this day."""


@frozen(kw_only=True)
class KeptIdentity:
    """A name that is kept sealed, as it may be shown here."""

    person_id: PersonId
    """The pseudonym."""
    programme: str
    """The programme that demands it."""
    keep_until: date
    """The last day on which it is kept."""
    key_id: str
    """The key that opens it."""
    name: str = field(repr=False)
    """The name; ``withheld`` without that key."""


def kept_identities(
    tx: ReadTransaction, *, keys: IdentityKeys | None = None, expired_on: date | None = None
) -> Iterator[KeptIdentity]:
    """The names that are kept sealed, the first to expire first.

    Args:
        tx: Reads of the district.
        keys: The district's identity keys; without the right one a name is *withheld*.
        expired_on: Only those whose last day is before this day.
    """
    for kept in _identities(tx, expired_on):
        name = open_name(keys, kept, district=tx.district)
        yield KeptIdentity(
            person_id=kept.person_id,
            programme=kept.programme,
            keep_until=kept.keep_until,
            key_id=kept.key_id,
            name=WITHHELD if name is None else name,
        )


def _identities(tx: ReadTransaction, expired_on: date | None = None) -> list[RetainedIdentity]:
    where = None if expired_on is None else F.keep_until < expired_on
    return list(tx.find(Query(kind=RetainedIdentity, where=where, order=(Order("keep_until"),))))


def people_due(tx: ReadTransaction, policy: RetentionPolicy, on: date) -> list[PersonId]:
    """People who left so long ago that the policy wants them erased."""
    if not policy.people_years:
        return []
    before = years_later(on, -policy.people_years)
    where = (F.status == PersonStatus.LEFT) & (F.left_on < before) & F.erased_at.is_unknown()
    return [i for (i,) in tx.values(Query(kind=Person, where=where), ("id",))]


def expiring(tx: ReadTransaction, policy: RetentionPolicy, on: date) -> tuple[Expiring, ...]:
    """What expires on a day. Writes nothing.

    Args:
        tx: Reads of the district.
        policy: For how long what is kept.
        on: The day.
    """
    found = []
    gone = len(_identities(tx, on))
    if gone:
        found.append(
            Expiring(kind="retained_identity", count=gone, rule="47 CFR 54.1715", before=on)
        )
    due = len(people_due(tx, policy, on))
    if due:
        before = years_later(on, -policy.people_years)
        rule = "retention.people_years"
        found.append(Expiring(kind="person", count=due, rule=rule, before=before))
    for kind, where, rule, before in _old(policy, on):
        count = tx.count(Query(kind=kind, where=where))
        if count:
            found.append(Expiring(kind=kind.KIND, count=count, rule=rule, before=before))
    return tuple(found)


def expire(tx: Transaction, act: Act, on: date) -> tuple[Expiring, ...]:
    """Remove what expires on a day, but for people, who are erased one by one.

    Args:
        tx: Where to write.
        act: Who, when, why, and by which policy.
        on: The day.

    Returns:
        What was removed; people who fall due are counted, and not erased here.
    """
    policy = act.policy.retention
    found = expiring(tx, policy, on)
    entries = [
        Entry(
            event=PersonIdentityDestroyed(programme=kept.programme),
            subject_id=kept.person_id,
            stamp=act.stamp(),
            removes=(kept,),
        )
        for kept in _identities(tx, on)
    ]
    if entries:
        tx.record(entries)
    for kind, where, _, _ in _old(policy, on):
        if kind is Run:
            _delete_runs(tx, where)
        _delete(tx, kind, where)
    return found


def _old(policy: RetentionPolicy, on: date) -> Iterator[tuple[type[Record], Predicate, str, date]]:
    """Kinds of which old rows are removed, which rows, and by which key of the policy."""
    if policy.notes_years:
        day = years_later(on, -policy.notes_years)
        yield Note, F.written_at < _midnight(day), "retention.notes_years", day
    if policy.runs_days:
        day = on - timedelta(days=policy.runs_days)
        ended = (F.ended_at < _midnight(day)) & (F.status != RunStatus.RUNNING)
        yield Run, ended, "retention.runs_days", day
        yield ImportBatch, F.applied_at < _midnight(day), "retention.runs_days", day
    if policy.keys_days:
        day = on - timedelta(days=policy.keys_days)
        yield Remembered, F.made_at < _midnight(day), "retention.keys_days", day


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _delete_runs(tx: Transaction, where: Predicate) -> None:
    """What belongs to the runs, before the runs."""
    runs = [i for (i,) in tx.values(Query(kind=Run, where=where), ("id",))]
    for run_id in runs:
        for kind in (RunShard, RunPage, RunItem, StagedRecord):
            _delete(tx, kind, F.run_id == run_id)


def _delete(tx: Transaction, kind: type[Record], where: Predicate) -> None:
    keys: list[Any] = list(tx.values(Query(kind=kind, where=where), kind_of(kind).key))
    if keys:
        tx.delete(kind, keys)


def reseal_identities(
    tx: Transaction, act: Act, keys: IdentityKeys, *, entropy: Callable[[int], bytes]
) -> int:
    """Seal every name anew with the newest key, so that the older ones can be destroyed.

    Args:
        tx: Where to write.
        act: Who, when and why.
        keys: The newest key first, and those that seal names now.
        entropy: Gives that many random bytes.

    Returns:
        How many were sealed anew.

    Raises:
        IdentityKeyNeeded: a name is sealed with a key that is not among *keys*; nothing was written.
    """
    entries = []
    for before in _identities(tx):
        if before.key_id == keys.newest.id:
            continue
        name = open_name(keys, before, district=tx.district)
        if name is None:
            raise IdentityKeyNeeded("a name is sealed with another key", key_id=before.key_id)
        sealed = seal_name(
            keys.newest,
            name,
            district=tx.district,
            person_id=before.person_id,
            programme=before.programme,
            entropy=entropy,
        )
        after = next_version(before, evolve(before, key_id=keys.newest.id, sealed=sealed))
        event = PersonIdentityResealed(programme=before.programme, key_id=keys.newest.id)
        entries.append(
            Entry(
                event=event,
                subject_id=before.person_id,
                stamp=act.stamp(),
                puts=(Put(after, before),),
            )
        )
    if entries:
        tx.record(entries)
    return len(entries)
