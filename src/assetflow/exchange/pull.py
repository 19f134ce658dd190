"""Pulls a source's devices into the store: planned, checkpointed, resumable, idempotent, guarded.

The network is read outside of transactions. Each group of pages is applied in one transaction
that also moves the checkpoint, so a process killed anywhere leaves a run that the next one takes
up, and no page is applied twice. New and changed records of a fleet that is already known wait
until all of them are seen, so that the change guard can stop a run before it changes anything.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field

from assetflow.errors import AssetflowError, ChangeGuardTripped, IncompleteListing, TooManyProblems
from assetflow.exchange import checkpoints
from assetflow.exchange.absence import mark_absent, mark_returned
from assetflow.exchange.claims import Claim, Claims, Tally, compress_raw, sighting_of
from assetflow.exchange.pages import Fetched, Restarted, fetch
from assetflow.exchange.report import OnProgress, Progress, PullReport
from assetflow.model import (
    BatchId,
    F,
    ItemOutcome,
    Observation,
    ObservedKind,
    Query,
    Run,
    RunId,
    RunItem,
    RunPage,
    RunShard,
    RunStatus,
    Sighting,
    StagedRecord,
)
from assetflow.reconcile import digest, observed_array, observed_from_array
from assetflow.store.ports import Durability

if TYPE_CHECKING:
    from assetflow.connectors.spec import Connector, ShardPlan
    from assetflow.model import DistrictId, ObservedDevice
    from assetflow.store.ports import Store, Transaction
    from assetflow.wire import Problem
    from assetflow.workflows.acting import Act

__all__ = ["pull_devices"]

_GROUP = 3_000
"""Records in one transaction; batches of this size were measured to write about twice as fast as single pages."""
_PATIENCE = 2.0
"""Seconds after which a group is written although it is small, so that little is lost when killed."""
_SHOWN_PROBLEMS = 100


def pull_devices(
    store: Store,
    district: DistrictId,
    connector: Connector,
    *,
    acting: Callable[[BatchId], Act],
    workers: int = 4,
    max_change_percent: int | None = None,
    max_absent_percent: int | None = None,
    max_new_percent: int = 50,
    on_progress: OnProgress | None = None,
) -> PullReport:
    """Read all devices of a source and bring the district's records up to date.

    Args:
        store: Where the district is kept.
        district: The district.
        connector: The source.
        acting: Makes the act for a batch, at the time of the call.
        workers: Listings read at once; 1 reads them one after another, in this thread.
        max_change_percent: Instead of the policy's: how much of the known fleet may change.
        max_absent_percent: Instead of the policy's: how much of it may be gone.
        max_new_percent: How many new records, against the known ones, a run may bring.
        on_progress: Told at each step.

    Returns:
        The report of a run that is complete.

    Raises:
        RunInProgress: another process pulls from this source.
        IncompleteListing: fewer records than the source counts. What was seen has been applied;
            absence was not judged. The error carries the report.
        ChangeGuardTripped: too much would change; none of the changes was applied.
        TooManyProblems: too many records could not be read; none of the changes was applied.
        ConnectorError: the source could not be read to its end; the next pull goes on from there.
    """
    plan = connector.wire.run(connector.plan(ObservedKind.DEVICE))
    act = acting(BatchId(""))
    owner = checkpoints.new_owner()
    with store.write(district, durability=Durability.BULK) as tx:
        checkpoints.prune(tx, source=connector.name, what=plan.kind.value)
        begun = checkpoints.begin(
            tx,
            source=connector.name,
            what=plan.kind.value,
            plan=plan,
            run_id=RunId(act.new_id()),
            owner=owner,
            now=act.at,
        )
    job = _Pull(
        store=store,
        district=district,
        connector=connector,
        plan=plan,
        acting=acting,
        owner=owner,
        run=begun.run,
        shards=begun.shards,
        tally=Tally.of(begun.run),
        on_progress=on_progress,
    )
    limits = act.policy.pull
    change_percent = (
        max_change_percent if max_change_percent is not None else limits.max_change_percent
    )
    absent_percent = (
        max_absent_percent if max_absent_percent is not None else limits.max_absent_percent
    )
    with job:
        job.load()
        job.read(workers=workers)
        job.guard_problems(limits.max_problem_percent)
        job.guard_changes(change_percent, max_new_percent, floor=limits.guard_floor)
        job.apply_staged()
        job.judge_absence(absent_percent, floor=limits.guard_floor)
        return job.finish()


@define
class _Pull:
    """One pull under way."""

    store: Store
    district: DistrictId
    connector: Connector
    plan: ShardPlan
    acting: Callable[[BatchId], Act]
    owner: str
    run: Run
    shards: dict[str, RunShard]
    tally: Tally
    on_progress: OnProgress | None
    seen: set[str] = field(factory=set)
    known: dict[str, tuple[bytes, Any, Any]] = field(factory=dict)
    """Source id to digest, device id, and since when it is absent."""
    last_seen: dict[str, str | None] = field(factory=dict)
    problems: list[Problem] = field(factory=list)
    claims: Claims | None = None
    staged: int = 0
    incomplete: IncompleteListing | None = None

    @property
    def source(self) -> str:
        return self.connector.name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Let go of a run that an error interrupted, so that the next pull can take it up at once."""
        if kind is None or self.run.status is not RunStatus.RUNNING:
            return
        with (
            suppress(AssetflowError),
            self.store.write(self.district, durability=Durability.BULK) as tx,
        ):
            checkpoints.fence(tx, self.run, self.owner)
            held = tx.get(Run, self.run.id)
            if held is not None:
                tx.upsert([evolve(held, owner=None, lease_until=None)])

    # --- what is known ----------------------------------------------------------------------

    def load(self) -> None:
        """Read the digests of the last observations, and what this run has seen before a kill."""
        with self.store.read(self.district) as tx:
            observations = Query(kind=Observation, where=F.source == self.source)
            fields = ("source_id", "digest", "device_id", "absent_since")
            self.known = {i: (d, dev, gone) for i, d, dev, gone in tx.values(observations, fields)}
            sightings = Query(kind=Sighting, where=F.source == self.source)
            self.last_seen = dict(tx.values(sightings, ("source_id", "last_seen_at")))
            if self.run.resumed:
                self.seen = checkpoints.seen_ids(tx, self.run.id)
                self.staged = tx.count(Query(kind=StagedRecord, where=F.run_id == self.run.id))

    # --- reading ----------------------------------------------------------------------------

    def read(self, *, workers: int) -> None:
        """Fetch what is left of all listings, and apply it group by group."""
        act = self.acting(BatchId(self.run.id))
        starts, stale = checkpoints.resume_points(self.plan, self.shards, act.at)
        for state in stale:
            self._restart(state)
        self._tell("read")
        for group in _groups(fetch(self.connector.wire, starts, workers=workers)):
            self._apply_group(group)
            self._tell("read")

    def _apply_group(self, group: list[Fetched | Restarted]) -> None:
        act = self.acting(BatchId(self.run.id))
        with self.store.write(self.district, durability=Durability.BULK) as tx:
            checkpoints.fence(tx, self.run, self.owner)
            fresh: list[Claim] = []
            sightings: list[Sighting] = []
            returned: list[str] = []
            pages: list[RunPage] = []
            for item in group:
                if isinstance(item, Restarted):
                    self._write_pages(tx, pages)
                    self._restart_in(tx, self.shards[item.shard.key])
                else:
                    pages.append(self._take_page(item, fresh, sightings, returned))
                    self._advance(item, act.at)
            self._write_pages(tx, pages)
            if sightings:
                tx.upsert(sightings)
            if returned:
                mark_returned(tx, act, self.source, self.run.id, returned)
                for source_id in returned:
                    known = self.known[source_id]
                    self.known[source_id] = (known[0], known[1], None)
            if fresh:
                self._keep(tx, act, fresh)
            tx.upsert([self.shards[i.shard.key] for i in group if isinstance(i, Fetched)])
            self._checkpoint(tx, act)

    def _take_page(
        self, item: Fetched, fresh: list[Claim], sightings: list[Sighting], returned: list[str]
    ) -> RunPage:
        """Sort a page's records into unchanged, changed and new."""
        known, last_seen, seen = self.known, self.last_seen, self.seen
        raws: Any = None
        ids: list[str] = []
        unchanged = 0
        observed: ObservedDevice
        for position, observed in enumerate(item.page.items):
            source_id = observed.source_id
            if source_id in seen:
                continue  # a device that moved while it was read, or a page that came twice
            seen.add(source_id)
            ids.append(source_id)
            mark = digest(observed)
            before = known.get(source_id)
            if before is not None and before[0] == mark and before[1] is not None:
                unchanged += 1
                if last_seen.get(source_id) != observed.last_seen_at:
                    sightings.append(sighting_of(self.source, observed))
                if before[2] is not None:
                    returned.append(source_id)
                continue
            if raws is None:
                raws = item.page.raws()
            fresh.append(
                self._claim(observed, mark, raws[position] if position < len(raws) else None)
            )
            if before is not None and before[2] is not None:
                returned.append(source_id)
        self.tally.seen += len(ids)
        self.tally.unchanged += unchanged
        self._note_problems(item)
        return RunPage(
            run_id=self.run.id,
            shard=item.shard.key,
            page=item.number,
            records=len(ids),
            ids="\n".join(ids).encode(),
        )

    def _claim(self, observed: ObservedDevice, mark: bytes, raw: bytes | None) -> Claim:
        dictionaries = self.connector.raw_dictionaries
        if raw is None or not dictionaries:
            return Claim(observed, mark)
        version = max(dictionaries)
        return Claim(observed, mark, compress_raw(raw, dictionaries[version]), version)

    def _note_problems(self, item: Fetched) -> None:
        self.tally.problems += len(item.page.problems)
        room = _SHOWN_PROBLEMS - len(self.problems)
        self.problems.extend(item.page.problems[: max(room, 0)])

    def _advance(self, item: Fetched, now: datetime) -> None:
        state = self.shards[item.shard.key]
        following = item.page.following
        self.shards[item.shard.key] = evolve(
            state,
            pages=item.number + 1,
            seen=state.seen + len(item.page.items),
            following=json.dumps(following.as_dict()) if following else None,
            first_call_at=state.first_call_at or now,
            done=following is None,
        )

    def _write_pages(self, tx: Transaction, pages: list[RunPage]) -> None:
        if pages:
            tx.insert(pages)
            pages.clear()

    def _restart(self, state: RunShard) -> None:
        with self.store.write(self.district, durability=Durability.BULK) as tx:
            checkpoints.fence(tx, self.run, self.owner)
            self._restart_in(tx, state)

    def _restart_in(self, tx: Transaction, state: RunShard) -> None:
        """Begin a listing again. What was applied of it stays: applying it again changes nothing."""
        self.shards[state.shard] = checkpoints.restart(tx, state)
        before = len(self.seen)
        self.seen = checkpoints.seen_ids(tx, self.run.id)
        self.tally.seen -= before - len(self.seen)

    # --- new and changed records ------------------------------------------------------------

    def _keep(self, tx: Transaction, act: Act, fresh: list[Claim]) -> None:
        """Settle claims at once when the source was new; else let them wait for the guard."""
        if not self.run.known_before:
            self._settle(tx, act, fresh)
            return
        rows = [
            StagedRecord(
                run_id=self.run.id,
                source_id=c.observed.source_id,
                standing=self._standing(c),
                digest=c.digest,
                observed=observed_array(c.observed),
                raw=c.raw,
                raw_dictionary=c.raw_dictionary,
            )
            for c in fresh
        ]
        tx.upsert(rows)
        self.staged += len(rows)

    def _standing(self, claim: Claim) -> str:
        before = self.known.get(claim.observed.source_id)
        if before is None:
            return "new"
        return "changed" if before[0] != claim.digest else "unmatched"

    def _settle(self, tx: Transaction, act: Act, claims: list[Claim]) -> None:
        if self.claims is None:
            self.claims = Claims.load(
                tx, source=self.source, run_id=self.run.id, sites=act.policy.sites
            )
        self.claims.settle(tx, act, claims, self.tally)
        for claim in claims:
            source_id = claim.observed.source_id
            self.known[source_id] = (claim.digest, self.claims.index.links.get(source_id), None)

    def guard_problems(self, percent: int) -> None:
        """Stop when too many records could not be read."""
        total = self.tally.seen + self.tally.problems
        if self.tally.problems and self.tally.problems * 100 > percent * total:
            msg = (
                f"{self.tally.problems:,} of {total:,} records from {self.source} could not be read"
            )
            self._stop(
                TooManyProblems(
                    msg, run_id=self.run.id, problems=self.tally.problems, seen=self.tally.seen
                )
            )

    def guard_changes(self, change_percent: int, new_percent: int, *, floor: int) -> None:
        """Stop when more of the known fleet would change, or more would be new, than is allowed."""
        if not self.staged:
            return
        with self.store.read(self.district) as tx:
            mine = F.run_id == self.run.id
            changed = tx.count(Query(kind=StagedRecord, where=mine & (F.standing == "changed")))
            new = tx.count(Query(kind=StagedRecord, where=mine & (F.standing == "new")))
        fleet = self.run.known_before
        for count, percent, word, option in (
            (changed, change_percent, "change", "max_change_percent"),
            (new, new_percent, "add", "max_new_percent"),
        ):
            if count > floor and count * 100 > percent * fleet:
                msg = f"the pull from {self.source} would {word} {count:,} records; {fleet:,} are known"
                hint = f"Look at the run's items; if they are right, pull again with {option}={_needed(count, fleet)}."
                self._stop(
                    ChangeGuardTripped(msg, hint=hint, run_id=self.run.id, count=count, known=fleet)
                )

    def apply_staged(self) -> None:
        """Apply what waited, in groups; each group's rows go as it is applied, so a kill loses nothing."""
        waiting = Query(kind=StagedRecord, where=F.run_id == self.run.id, limit=1_000)
        while self.staged:
            act = self.acting(BatchId(self.run.id))
            with self.store.write(self.district, durability=Durability.BULK) as tx:
                checkpoints.fence(tx, self.run, self.owner)
                rows = list(tx.find(waiting))
                if not rows:
                    break
                claims = [
                    Claim(observed_from_array(r.observed), r.digest, r.raw, r.raw_dictionary)
                    for r in rows
                ]
                self._settle(tx, act, claims)
                tx.delete(StagedRecord, [(r.run_id, r.source_id) for r in rows])
                self._checkpoint(tx, act)
            self.staged -= len(rows)
            self._tell("apply")

    # --- the end ----------------------------------------------------------------------------

    def judge_absence(self, percent: int, *, floor: int) -> None:
        """After a listing that proved complete, mark what it no longer has."""
        if not self._proved_complete():
            return
        missing = [
            i for i, (_, _, gone) in self.known.items() if gone is None and i not in self.seen
        ]
        if len(missing) > floor and len(missing) * 100 > percent * len(self.known):
            msg = (
                f"{len(missing):,} of {len(self.known):,} known records are gone from {self.source}"
            )
            hint = f"Look at the source; if it is right, pull again with max_absent_percent={_needed(len(missing), len(self.known))}."
            self._stop(
                ChangeGuardTripped(
                    msg, hint=hint, run_id=self.run.id, count=len(missing), known=len(self.known)
                )
            )
        for first in range(0, len(missing), 1_000):
            act = self.acting(BatchId(self.run.id))
            with self.store.write(self.district, durability=Durability.BULK) as tx:
                checkpoints.fence(tx, self.run, self.owner)
                mark_absent(tx, act, self.source, self.run.id, missing[first : first + 1_000])
                self.tally.absent += len(missing[first : first + 1_000])
                self._checkpoint(tx, act)
            self._tell("absence")

    def _proved_complete(self) -> bool:
        """Whether as many different records were seen as the source counts, before or after the reading."""
        if not all(s.done for s in self.shards.values()):
            return False
        expected = self.plan.expected
        if expected is None:
            return self.plan.complete_without_count
        seen = len(self.seen) + self.tally.problems
        counts = {expected}
        if seen != expected and self.plan.recount is not None:
            counts.add(self.connector.wire.run(self.plan.recount()))
        if min(counts) <= seen <= max(counts):
            return True
        msg = f"{self.source} counts {max(counts):,} records and gave {seen:,}"
        self.incomplete = IncompleteListing(
            msg, run_id=self.run.id, seen=seen, expected=max(counts)
        )
        return False

    def finish(self) -> PullReport:
        """Close the run.

        Raises:
            IncompleteListing: with the report.
        """
        status = RunStatus.PARTIAL if self.incomplete else RunStatus.COMPLETE
        report = self._close(status, self.incomplete)
        self._tell("done")
        if self.incomplete is not None:
            raise self.incomplete
        return report

    def _stop(self, error: AssetflowError) -> None:
        with self.store.write(self.district, durability=Durability.BULK) as tx:
            checkpoints.fence(tx, self.run, self.owner)
            mine = Query(kind=StagedRecord, where=F.run_id == self.run.id)
            waiting = [str(i) for (i,) in tx.values(mine, ("source_id",))]
            refused = [
                RunItem(
                    run_id=self.run.id,
                    source_id=source_id,
                    device_id=self.known[source_id][1] if source_id in self.known else None,
                    outcome=ItemOutcome.REFUSED,
                    reason=error.code,
                )
                for source_id in waiting
            ]
            tx.upsert(refused)
            tx.delete(StagedRecord, [(self.run.id, source_id) for source_id in waiting])
        self._close(RunStatus.STOPPED, error)
        raise error

    def _close(self, status: RunStatus, error: AssetflowError | None) -> PullReport:
        act = self.acting(BatchId(self.run.id))
        with self.store.write(self.district) as tx:
            checkpoints.fence(tx, self.run, self.owner)
            self.run = evolve(
                self.tally.onto(self.run),
                status=status,
                ended_at=act.at,
                owner=None,
                lease_until=None,
                message=error.message if error else None,
                error_code=error.code if error else None,
            )
            tx.upsert([self.run])
        report = PullReport(run=self.run, problems=tuple(self.problems))
        if error is not None:
            error.report = report  # type: ignore[attr-defined]  # exchange errors carry one
        return report

    def _checkpoint(self, tx: Transaction, act: Act) -> None:
        self.run = evolve(self.tally.onto(self.run), lease_until=act.at + checkpoints.LEASE)
        tx.upsert([self.run])

    def _tell(self, phase: str) -> None:
        if self.on_progress is None:
            return
        self.on_progress(
            Progress(
                run_id=self.run.id,
                source=self.source,
                phase=phase,
                seen=self.tally.seen,
                expected=self.plan.expected,
                shards_done=sum(s.done for s in self.shards.values()),
                shards=len(self.shards),
                applied=self.tally.created + self.tally.linked + self.tally.changed,
            )
        )


def _needed(count: int, of: int) -> int:
    """The smallest whole percentage that lets *count* pass."""
    return -(-count * 100 // max(of, 1))


def _groups(items: Iterator[Fetched | Restarted | None]) -> Iterator[list[Fetched | Restarted]]:
    """Pages in groups worth a transaction: many records, or all that came in a while."""
    group: list[Fetched | Restarted] = []
    records, since = 0, time.monotonic()
    for item in items:
        if item is not None:
            group.append(item)
            records += len(item.page.items) if isinstance(item, Fetched) else 0
        if group and (records >= _GROUP or item is None or time.monotonic() - since > _PATIENCE):
            yield group
            group, records, since = [], 0, time.monotonic()
    if group:
        yield group
