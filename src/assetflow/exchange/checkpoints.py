"""Where a pull stands, as rows: begun, taken up again after a kill, fenced against a second process."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field, frozen

from assetflow.errors import RunInProgress
from assetflow.exchange.pages import Start
from assetflow.model import (
    F,
    Observation,
    Order,
    Query,
    Run,
    RunId,
    RunPage,
    RunShard,
    RunStatus,
)
from assetflow.workflows.naming import lock_names

if TYPE_CHECKING:
    from assetflow.connectors.spec import Shard, ShardPlan
    from assetflow.store.ports import ReadTransaction, Transaction

__all__ = [
    "LEASE",
    "Read",
    "begin",
    "ended",
    "fence",
    "is_dead",
    "new_owner",
    "newest_ended",
    "resume_points",
]

LEASE = timedelta(minutes=5)
"""How long a silent process keeps its run, when nothing else tells that it is dead."""

_DONE_LIFE = 3_600.0
"""Seconds for which a finished listing of an interrupted run still counts."""


def new_owner() -> str:
    """A name for this process: its machine (as a digest), its process id, a random word."""
    machine = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:12]
    return f"{machine}:{os.getpid()}:{secrets.token_hex(4)}"


def is_dead(owner: str | None, now: datetime, lease_until: datetime | None) -> bool:
    """Whether the process that owns a run is gone: its lease ran out, or its process id is free here."""
    if owner is None or lease_until is None or lease_until < now:
        return True
    machine, pid, _ = owner.split(":")
    if machine != new_owner().split(":", maxsplit=1)[0] or os.name == "nt":
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@frozen
class Begun:
    """A run to work on, and its listings as they stand."""

    run: Run
    """The run, owned by this process."""
    shards: dict[str, RunShard]
    """Key to state."""
    resumed: bool
    """Whether an earlier process began it."""


def begin(
    tx: Transaction,
    *,
    source: str,
    what: str,
    plan: ShardPlan,
    run_id: RunId,
    owner: str,
    now: datetime,
) -> Begun:
    """Take up the source's unfinished run, or begin a new one.

    Raises:
        RunInProgress: a living process works on it.
    """
    unfinished = Query(
        kind=Run,
        where=(F.source == source) & (F.what == what) & (F.status == RunStatus.RUNNING),
        order=(Order("started_at", descending=True),),
        limit=1,
    )
    found = next(iter(tx.find(unfinished)), None)
    if found is None:
        # Two that begin at once do not see each other's run before they wait for each other.
        lock_names(tx)
        just_begun = next(iter(tx.find(unfinished)), None)
        if just_begun is not None:
            msg = f"another process has just begun a pull from {source}"
            raise RunInProgress(msg, run_id=just_begun.id)
        run = Run(
            id=run_id,
            source=source,
            what=what,
            status=RunStatus.RUNNING,
            started_at=now,
            lease_until=now + LEASE,
            owner=owner,
            expected=plan.expected,
            known_before=tx.count(Query(kind=Observation, where=F.source == source)),
        )
        shards = {s.key: _fresh(run.id, s) for s in plan.shards}
        tx.insert([run, *shards.values()])
        return Begun(run, shards, resumed=False)
    tx.lock((Run, (found.id,)))
    held = tx.get(Run, found.id) or found
    if held.status is not RunStatus.RUNNING:
        msg = f"another process has just ended the pull from {source}"
        raise RunInProgress(msg, run_id=held.id)
    if not is_dead(held.owner, now, held.lease_until):
        msg = f"another process works on the pull from {source}"
        raise RunInProgress(msg, run_id=held.id)
    run = evolve(
        held, owner=owner, lease_until=now + LEASE, resumed=held.resumed + 1, expected=plan.expected
    )
    known = {s.shard: s for s in tx.find(Query(kind=RunShard, where=F.run_id == run.id))}
    shards = {}
    for shard in plan.shards:
        state = known.pop(shard.key, None)
        shards[shard.key] = (
            evolve(state, expected=shard.expected) if state else _fresh(run.id, shard)
        )
    for gone in known.values():
        restart(tx, gone, drop=True)
    tx.upsert([run, *shards.values()])
    return Begun(run, shards, resumed=True)


def _fresh(run_id: RunId, shard: Shard) -> RunShard:
    return RunShard(run_id=run_id, shard=shard.key, label=shard.label, expected=shard.expected)


def restart(tx: Transaction, state: RunShard, *, drop: bool = False) -> RunShard:
    """Forget a listing's pages, so that it is read again from its start."""
    pages = Query(kind=RunPage, where=(F.run_id == state.run_id) & (F.shard == state.shard))
    keys = [(state.run_id, state.shard, page) for (page,) in tx.values(pages, ("page",))]
    tx.delete(RunPage, keys)
    fresh = RunShard(
        run_id=state.run_id, shard=state.shard, label=state.label, expected=state.expected
    )
    if drop:
        tx.delete(RunShard, [(state.run_id, state.shard)])
    else:
        tx.upsert([fresh])
    return fresh


def resume_points(
    plan: ShardPlan, shards: dict[str, RunShard], now: datetime
) -> tuple[list[Start], list[RunShard]]:
    """Where to read on.

    Returns:
        The listings to read, each with its page; and the states of those that must begin again:
        they outlived the vendor's limit while no process worked on them, or they were finished
        so long ago that they say nothing of today.
    """
    from assetflow.wire import Call  # noqa: PLC0415  # the wire's values, only when there is a pull

    starts: list[Start] = []
    stale: list[RunShard] = []
    for shard in plan.shards:
        state = shards[shard.key]
        age = (now - state.first_call_at).total_seconds() if state.first_call_at else 0.0
        limit = shard.listing.max_age
        if state.done and age <= (limit or _DONE_LIFE):
            continue
        begun = state.following is not None
        if state.done or (begun and limit is not None and age > limit):
            stale.append(state)
            starts.append(Start(shard))
        elif state.following is None:
            starts.append(Start(shard))
        else:
            starts.append(Start(shard, Call.from_dict(json.loads(state.following)), state.pages))
    return starts, stale


def fence(tx: Transaction, run: Run, owner: str) -> None:
    """Make sure that this process still owns the run; to be called first in each of its transactions.

    Raises:
        RunInProgress: another process took it up.
    """
    tx.lock((Run, (run.id,)))
    held = tx.get(Run, run.id)
    if held is None or held.owner != owner:
        msg = f"another process took up the pull from {run.source}"
        raise RunInProgress(msg, run_id=run.id)


@define
class Read:
    """What a run has read so far, by the pages that it has applied."""

    seen: set[str] = field(factory=set)
    """Ids of the records that it read."""
    unread: set[str] = field(factory=set)
    """Ids of the records that could not be read. They are at the source all the same."""
    nameless: int = 0
    """Records that could not be read and whose id is not known."""
    unchanged: int = 0
    """Records that were as they had been."""

    @property
    def problems(self) -> int:
        """Records that could not be read."""
        return len(self.unread) + self.nameless

    @property
    def met(self) -> int:
        """Records that are at the source, read or not."""
        return len(self.seen) + self.problems

    @classmethod
    def of(cls, tx: ReadTransaction, run_id: RunId) -> Read:
        """What the pages of a run say."""
        read = cls()
        pages = Query(kind=RunPage, where=F.run_id == run_id)
        for ids, unread, nameless, unchanged in tx.values(
            pages, ("ids", "unread", "nameless", "unchanged")
        ):
            read.seen.update(bytes(ids).decode().split("\n"))
            read.unread.update(bytes(unread).decode().split("\n"))
            read.nameless += nameless
            read.unchanged += unchanged
        read.seen.discard("")
        read.unread.discard("")
        read.unread -= read.seen
        return read


def newest_ended(tx: ReadTransaction, source: str, what: str = "device") -> RunId | None:
    """The newest run of a source that has ended, however it ended."""
    ids: Any = tx.values(evolve(ended(source, what), limit=1), ("id",))
    return next((run_id for (run_id,) in ids), None)


def ended(source: str, what: str) -> Query[Run]:
    """The runs of a source that have ended, the newest first."""
    return Query(
        kind=Run,
        where=(F.source == source) & (F.what == what) & (F.status != RunStatus.RUNNING),
        order=(Order("started_at", descending=True),),
    )
