"""Applies a plan: a thousand rows a transaction, each looked at again under its lock.

The batch's id follows from the file and the options, so that a second run of the same import is
known for what it is, and one that was interrupted is finished under the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from attrs import define, evolve, field

from assetflow.errors import (
    DuplicateKey,
    InvalidValue,
    PlanChanged,
    StaleVersion,
    StoreLocked,
    TransactionLost,
)
from assetflow.exchange.imports.plan import (
    ImportPlan,
    ImportReport,
    Outcome,
    PlannedRow,
    batch_report,
)
from assetflow.model import BatchId, ImportBatch
from assetflow.store.ports import Durability
from assetflow.workflows.naming import lock_names

if TYPE_CHECKING:
    from datetime import datetime

    from assetflow.exchange.imports.plan import Reject
    from assetflow.exchange.imports.sheet import Draft
    from assetflow.model import Record
    from assetflow.store.ports import Entry, Head, Key, ReadTransaction, Store, Transaction
    from assetflow.workflows.acting import Act

__all__ = ["Decided", "Desk", "apply", "batch_of", "is_done"]

_ATTEMPTS = 5
_CHUNK = 1_000
_HARMLESS = frozenset(
    {
        "device.checked_out@1",
        "device.checked_in@1",
        "device.transferred@1",
        "device.absent@1",
        "device.returned@1",
        "person.hold_placed@1",
        "person.hold_released@1",
    }
)
"""Others' events that need no second look at the whole district: they touch one device or
person, and those of a row are locked."""


class Decided(Protocol):
    """What a desk decided about a row."""

    @property
    def row(self) -> PlannedRow | None:
        """What will be done; ``None`` when the row is refused."""

    @property
    def reject(self) -> Reject | None:
        """Why nothing is; ``None`` when something is."""


class Desk(Protocol):
    """Decides about rows of one kind of file."""

    def load(self, tx: ReadTransaction) -> None:
        """Read what deciding needs to know of the whole district."""

    def locks(self, rows: Iterable[PlannedRow]) -> list[tuple[type[Record], Key]]:
        """What must not move while these rows are written."""

    def decide(
        self, tx: ReadTransaction, drafts: Sequence[Draft], *, at: datetime
    ) -> Sequence[Any]:
        """What each of these rows means now."""

    def entries(
        self, act: Act, decided: Sequence[Any], *, entropy: Callable[[int], bytes]
    ) -> list[list[Entry]]:
        """What is written for these rows, in groups that follow one another."""


def batch_of(digest: str) -> BatchId:
    """The id of the batch under which a plan is applied."""
    return BatchId(f"import-{digest[:40]}")


def is_complete(batch: ImportBatch | None) -> bool:
    """Whether a batch was applied to its end; an interrupted one has not counted all its rows."""
    return (
        batch is not None
        and batch.created + batch.changed + batch.unchanged + batch.rejected >= batch.rows
    )


def is_done(batch: ImportBatch | None, rows: Iterable[PlannedRow]) -> bool:
    """Whether applying the same file again is for nothing.

    Rows that were rejected then may be taken now: the school that they name has been added. So
    a batch that rejected some is done only when none of the plan's rows does anything.
    """
    if batch is None or not is_complete(batch):
        return False
    return not batch.rejected or all(r.outcome is Outcome.UNCHANGED for r in rows)


def apply(
    store: Store,
    plan: ImportPlan,
    act: Act,
    *,
    entropy: Callable[[int], bytes],
    again: bool = False,
    batch_size: int = _CHUNK,
    progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Do what a plan shows.

    Every row is looked at again under its lock. Rows that meanwhile say nothing new are passed
    over; when one means something else than the plan showed, nothing more is written.

    Args:
        store: Where to write.
        plan: The plan.
        act: Who, when and why. Its batch is set here: it follows from the file and the options.
        entropy: Gives that many random bytes, for the keys of new people's marks.
        again: Apply it although the same file was applied before.
        batch_size: Rows a transaction.
        progress: Told how many of how many rows are done, after each transaction.

    Returns:
        What came of it. When the same file was applied before, nothing was done and it says so;
        unless rows that were rejected then do something now, which is a batch of its own.

    Raises:
        ChangeGuardTripped: a roster without most of the people whom the last one had.
        PlanChanged: the district changed where it matters. Plan again, and look.
        StoreLocked: others write all the time; apply the same plan again.
    """
    if batch_size < 1:
        raise InvalidValue("a batch has at least one row")
    plan.check()
    batch_id = BatchId(act.new_id()) if again else batch_of(plan.digest)
    act = evolve(act, batch_id=batch_id, reason=act.reason or "import")
    run = _Run(store, plan, act, entropy)
    batch = run.prepare()
    if batch is not None and run.done:
        return batch_report(batch, plan.name, again=True, notices=plan.notices)
    todo = [row for row in plan.rows if row.outcome is not Outcome.UNCHANGED]
    done = 0
    for chunk in _chunks(todo, batch_size):
        done += len(chunk)
        batch = run.write(chunk, last=done == len(todo))
        if progress is not None:
            progress(done, len(todo))
    if batch is None:  # pragma: no cover  # there is always one chunk
        raise AssertionError
    return batch_report(batch, plan.name, again=False, resumed=run.resumed, notices=plan.notices)


def _chunks(rows: list[PlannedRow], size: int) -> Iterator[list[PlannedRow]]:
    if not rows:
        yield []
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


class _Interleaved(Exception):
    """Another process wrote between the look and the commit; the transaction is given up."""


@define
class _Run:
    store: Store
    plan: ImportPlan
    act: Act
    entropy: Callable[[int], bytes]
    resumed: bool = field(default=False, init=False)
    done: bool = field(default=False, init=False)
    _desk: Desk | None = field(default=None, init=False)
    _seq: int = field(default=0, init=False)
    _drafts: Mapping[tuple[str, int], Draft] = field(factory=dict, init=False)

    def prepare(self) -> ImportBatch | None:
        """The batch as an earlier run left it.

        When the store moved on, every row is looked at once more before anything is written.
        """
        batch_id = self.act.batch_id
        self._drafts = {(d.part, d.line): d for d in self.plan.sheet.drafts}
        with self.store.read(self.plan.district) as tx:
            batch = tx.get(ImportBatch, batch_id)
            if is_done(batch, self.plan.rows):
                self.done = True
                return batch
            head = tx.head()
            self._open_desk(tx, head)
            todo = [row for row in self.plan.rows if row.outcome is not Outcome.UNCHANGED]
            if head != self.plan.head:
                now = [d.row for chunk in _chunks(todo, _CHUNK) for d in self._decide(tx, chunk)]
                self.done = is_done(batch, now)
            if is_complete(batch) and not self.done:
                # That batch is closed: what was rejected in it and is taken now is another one.
                self.act, batch = evolve(self.act, batch_id=BatchId(self.act.new_id())), None
            self.resumed = batch is not None and not self.done
        return batch

    def _open_desk(self, tx: ReadTransaction, head: Head) -> Desk:
        self._desk = self.plan.how.desk(self.plan.sheet)
        self._desk.load(tx)
        self._seq = head.seq
        return self._desk

    def _decide(self, tx: ReadTransaction, rows: Sequence[PlannedRow]) -> list[Any]:
        desk = self._desk
        if desk is None:  # pragma: no cover  # opened before
            raise AssertionError
        decided = list(
            desk.decide(tx, [self._drafts[r.part, r.line] for r in rows], at=self.act.at)
        )
        moved = [r.line for r, d in zip(rows, decided, strict=True) if not _holds(r, d.row)]
        if moved:
            lines = ", ".join(str(n) for n in moved[:5])
            raise PlanChanged(
                f"the district changed since the plan was made, so that {len(moved)} rows mean something else (line {lines})",
                rows=len(moved),
            )
        return decided

    def write(self, rows: Sequence[PlannedRow], *, last: bool) -> ImportBatch:
        """Write some rows and the batch's counts in one transaction."""
        for _ in range(_ATTEMPTS):
            try:
                return self._write(rows, last=last)
            except (_Interleaved, StaleVersion, DuplicateKey, TransactionLost):
                self._desk = None
            except BaseException:
                self._desk = None
                raise
        raise StoreLocked(
            "others write to the district all the time; the import is not finished",
            hint="Apply the same plan again when it is quieter.",
        )

    def _write(self, rows: Sequence[PlannedRow], *, last: bool) -> ImportBatch:
        act, plan = self.act, self.plan
        with self.store.write(plan.district, durability=Durability.BULK) as tx:
            desk = self._desk or self.plan.how.desk(self.plan.sheet)
            lock_names(tx)
            tx.lock((ImportBatch, (act.batch_id,)), *desk.locks(rows))
            head = tx.head()
            if self._desk is None or (
                head.seq != self._seq and self._foreign(tx, self._seq, frozenset())
            ):
                desk = self._open_desk(tx, head)
            decided = self._decide(tx, rows)
            written: list[Entry] = []
            end = head
            for entries in desk.entries(act, decided, entropy=self.entropy):
                if entries:
                    end = tx.record(entries)
                    written += entries
            if end.seq != head.seq + len(written) and self._foreign(
                tx, head.seq, frozenset(e.subject_id for e in written)
            ):
                raise _Interleaved
            batch = self._count(tx, decided, last=last)
            tx.upsert([batch])
        self._seq = end.seq
        return batch

    def _foreign(self, tx: Transaction, after: int, ours: frozenset[str]) -> bool:
        """Whether others registered or changed something since, beyond handing devices out."""
        return any(
            e.type not in _HARMLESS and e.subject_id not in ours for e in tx.journal(after=after)
        )

    def _count(self, tx: Transaction, decided: Sequence[Any], *, last: bool) -> ImportBatch:
        act, plan = self.act, self.plan
        batch = tx.get(ImportBatch, act.batch_id) or ImportBatch(
            id=BatchId(act.batch_id or ""),
            what=plan.what,
            content_digest=plan.digest,
            applied_at=act.at,
            rows=plan.total,
        )
        outcomes = [d.row.outcome for d in decided]
        batch = evolve(
            batch,
            applied_at=act.at,
            created=batch.created + outcomes.count(Outcome.ADD),
            changed=batch.changed + outcomes.count(Outcome.CHANGE),
        )
        done = batch.created + batch.changed
        if not last:  # an interrupted batch is short of its rows
            return evolve(batch, rows=max(batch.rows, done + 1))
        rejected = len(plan.rejects)
        unchanged = max(0, plan.total - done - rejected)
        rows = done + unchanged + rejected
        return evolve(batch, rejected=rejected, unchanged=unchanged, rows=rows)


def _holds(planned: PlannedRow, now: PlannedRow | None) -> bool:
    """Whether a row still means what the plan showed, or less because part of it is so already."""
    if now is None:
        return False
    if now == planned or now.outcome is Outcome.UNCHANGED:
        return True
    if (now.outcome, now.subject_id) != (planned.outcome, planned.subject_id):
        return False
    return set(now.changes) <= set(planned.changes)
