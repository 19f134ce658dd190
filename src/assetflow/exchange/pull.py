"""Pulls a source's devices into the store: planned, checkpointed, resumable, idempotent, guarded.

The network is read outside of transactions. Each group of pages is applied in one transaction
that also moves the checkpoint, so a process killed anywhere leaves a run that the next one takes
up, and no page is applied twice. New and changed records of a fleet that is already known wait
until all of them are seen, so that the change guard can stop a run before it changes anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field

from assetflow.errors import AssetflowError, ConnectorError, ExchangeError, StoreError
from assetflow.exchange import checkpoints
from assetflow.exchange.absence import mark_absent, mark_returned
from assetflow.exchange.claims import Claim, Claims, Tally
from assetflow.exchange.guards import too_many_problems, too_much, unproven
from assetflow.exchange.items import refused_item, unread_item
from assetflow.exchange.known import Known, Sorted
from assetflow.exchange.pages import Fetched, Restarted, after_restarts, fetch, groups
from assetflow.exchange.report import OnProgress, Progress, PullReport
from assetflow.model import (
    BatchId,
    F,
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
from assetflow.reconcile import observed_array, observed_from_array
from assetflow.store.ports import Durability

if TYPE_CHECKING:
    from assetflow.connectors.spec import Connector, ShardPlan
    from assetflow.errors import ChangeGuardTripped, IncompleteListing
    from assetflow.model import DistrictId, PullPolicy
    from assetflow.store.ports import Store, Transaction
    from assetflow.wire import Problem
    from assetflow.workflows.acting import Act

__all__ = ["pull_devices"]

_STAGED_GROUP = 1_000
_SHOWN_PROBLEMS = 100
_PASSING = (ConnectorError, StoreError, ExchangeError)
"""Errors after which the same run can go on: the network, the store, another process."""
_NAMELESS = "absence was not judged: records without a readable id may be the missing ones"


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
        known=Known(connector.name, connector.raw_dictionaries),
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
        job.guard(limits, change_percent=change_percent, new_percent=max_new_percent)
        job.apply_staged()
        job.judge_absence(percent=absent_percent, floor=limits.guard_floor)
        return job.finish()
    raise AssertionError  # pragma: no cover  # the block returns or raises


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
    known: Known
    on_progress: OnProgress | None
    problems: list[Problem] = field(factory=list)
    claims: Claims | None = None
    staged: int = 0
    incomplete: IncompleteListing | None = None
    unjudged: bool = False

    @property
    def source(self) -> str:
        return self.connector.name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Let go of a run that an error interrupted, so that the next pull can take it up at once.

        An error that would come again at the same place ends the run instead: what waited is
        dropped, and the next pull begins afresh.
        """
        if kind is None:
            return
        with suppress(AssetflowError), self._transaction() as (tx, act):
            held = tx.get(Run, self.run.id)
            if held is None or held.status is not RunStatus.RUNNING:
                return
            held = evolve(held, owner=None, lease_until=None)
            if issubclass(kind, Exception) and not issubclass(kind, _PASSING):
                self._drop_staged(tx)
                code = kind.code if issubclass(kind, AssetflowError) else "unexpected"
                words = "an error ended the run; the next pull begins afresh"
                held = evolve(
                    held, status=RunStatus.FAILED, ended_at=act.at, error_code=code, message=words
                )
            tx.upsert([held])

    def _drop_staged(self, tx: Transaction) -> list[str]:
        """Forget what waited; the ids of the records."""
        mine = Query(kind=StagedRecord, where=F.run_id == self.run.id)
        waiting = [str(i) for (i,) in tx.values(mine, ("source_id",))]
        tx.delete(StagedRecord, [(self.run.id, source_id) for source_id in waiting])
        return waiting

    @contextmanager
    def _transaction(self) -> Iterator[tuple[Transaction, Act]]:
        """A transaction of this run: fails when another process took the run up."""
        act = self.acting(BatchId(self.run.id))
        with self.store.write(self.district, durability=Durability.BULK) as tx:
            checkpoints.fence(tx, self.run, self.owner)
            yield tx, act

    def load(self) -> None:
        """Read what is known of the source, and what this run did before it was killed."""
        with self.store.read(self.district) as tx:
            self.known.load(tx, self.run)
            if self.run.resumed:
                self.staged = tx.count(Query(kind=StagedRecord, where=F.run_id == self.run.id))

    # --- reading ----------------------------------------------------------------------------

    def read(self, *, workers: int) -> None:
        """Fetch what is left of all listings, and apply it group by group."""
        now = self.acting(BatchId(self.run.id)).at
        starts, stale = checkpoints.resume_points(self.plan, self.shards, now)
        for state in stale:
            with self._transaction() as (tx, _act):
                self._restart(tx, state)
        self._tell("read")
        for group in groups(fetch(self.connector.wire, starts, workers=workers)):
            self._apply_group(group)
            self._tell("read")

    def _apply_group(self, group: list[Fetched | Restarted]) -> None:
        with self._transaction() as (tx, act):
            for item in group:
                if isinstance(item, Restarted):
                    self._restart(tx, self.shards[item.shard.key])
            fresh: list[Claim] = []
            sightings: list[Sighting] = []
            returned: list[str] = []
            pages: list[RunPage] = []
            unread: list[RunItem] = []
            for item in after_restarts(group):
                found = self.known.sort(item.page)
                fresh += found.fresh
                sightings += found.sightings
                returned += found.returned
                pages.append(self._page(item, found))
                unread += [
                    unread_item(self.run.id, problem)
                    for problem in found.problems
                    if problem.record
                ]
                self._advance(item, found, act.at)
            tx.insert(pages)
            tx.upsert(unread)
            if sightings:
                tx.upsert(sightings)
            if returned:
                mark_returned(tx, act, self.source, self.run.id, returned)
                self.known.absent.difference_update(returned)
            if fresh:
                self._keep(tx, act, fresh)
            tx.upsert([self.shards[key] for key in {i.shard.key for i in group}])
            self._checkpoint(tx, act)

    def _page(self, item: Fetched, found: Sorted) -> RunPage:
        return RunPage(
            run_id=self.run.id,
            shard=item.shard.key,
            page=item.number,
            records=len(found.ids),
            ids="\n".join(found.ids).encode(),
            unchanged=found.unchanged,
            unread="\n".join(found.unread).encode(),
            nameless=found.nameless,
        )

    def _advance(self, item: Fetched, found: Sorted, now: datetime) -> None:
        state, following = self.shards[item.shard.key], item.page.following
        self.shards[item.shard.key] = evolve(
            state,
            pages=item.number + 1,
            seen=state.seen + len(item.page.items),
            following=json.dumps(following.as_dict()) if following else None,
            first_call_at=state.first_call_at or now,
            done=following is None,
        )
        self._count()
        self.problems.extend(found.problems[: max(_SHOWN_PROBLEMS - len(self.problems), 0)])

    def _count(self) -> None:
        read = self.known.read
        self.tally.seen, self.tally.unchanged = len(read.seen), read.unchanged
        self.tally.problems = read.problems

    def _restart(self, tx: Transaction, state: RunShard) -> None:
        """Begin a listing again. What was applied of it stays: applying it again changes nothing."""
        self.shards[state.shard] = checkpoints.restart(tx, state)
        self.known.read = checkpoints.Read.of(tx, self.run.id)
        self._count()

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
                standing=self.known.standing(c),
                digest=c.digest,
                observed=observed_array(c.observed),
                raw=c.raw,
                raw_dictionary=c.raw_dictionary,
            )
            for c in fresh
        ]
        tx.upsert(rows)
        self.staged += len(rows)

    def _settle(self, tx: Transaction, act: Act, claims: list[Claim]) -> None:
        if self.claims is None:
            self.claims = Claims.load(
                tx,
                source=self.source,
                run_id=self.run.id,
                sites=act.policy.sites,
                whole=not self.run.known_before,
            )
        self.claims.settle(tx, act, claims, self.tally)
        links = self.claims.index.links
        for claim in claims:
            self.known.settled(claim, links.get(claim.observed.source_id))

    def guard(self, limits: PullPolicy, *, change_percent: int, new_percent: int) -> None:
        """Stop before anything that waited is applied, when it is too much.

        Raises:
            TooManyProblems: too many records could not be read.
            ChangeGuardTripped: too much of the known fleet would change, or too much is new.
        """
        self._stop_for(
            too_many_problems(
                problems=self.tally.problems,
                read=self.tally.seen,
                percent=limits.max_problem_percent,
                source=self.source,
                run_id=self.run.id,
            )
        )
        if not self.staged:
            return
        with self.store.read(self.district) as tx:
            mine = F.run_id == self.run.id
            changed = tx.count(Query(kind=StagedRecord, where=mine & (F.standing == "changed")))
            new = tx.count(Query(kind=StagedRecord, where=mine & (F.standing == "new")))
        for option, count, percent in (
            ("max_change_percent", changed, change_percent),
            ("max_new_percent", new, new_percent),
        ):
            self._stop_for(self._too_much(option, count, percent, limits.guard_floor))

    def _too_much(
        self, option: str, count: int, percent: int, floor: int
    ) -> ChangeGuardTripped | None:
        return too_much(
            option,
            count,
            known=self.run.known_before,
            percent=percent,
            floor=floor,
            source=self.source,
            run_id=self.run.id,
        )

    def apply_staged(self) -> None:
        """Apply what waited, in groups; each group's rows go as it is applied, so a kill loses nothing."""
        waiting = Query(kind=StagedRecord, where=F.run_id == self.run.id, limit=_STAGED_GROUP)
        while self.staged:
            with self._transaction() as (tx, act):
                rows = list(tx.find(waiting))
                claims = [
                    Claim(observed_from_array(r.observed), r.digest, r.raw, r.raw_dictionary)
                    for r in rows
                ]
                self._settle(tx, act, claims)
                tx.delete(StagedRecord, [(r.run_id, r.source_id) for r in rows])
                self._checkpoint(tx, act)
            self.staged = self.staged - len(rows) if rows else 0
            self._tell("apply")

    # --- the end ----------------------------------------------------------------------------

    def judge_absence(self, *, percent: int, floor: int) -> None:
        """After a listing that proved complete, mark what it no longer has.

        Raises:
            ChangeGuardTripped: too much of the known fleet would be absent.
        """
        if not self._proved_complete():
            return
        if self.known.read.nameless:
            self.unjudged = True  # one of the missing may be one of those without a name
            return
        missing = self.known.missing()
        self._stop_for(self._too_much("max_absent_percent", len(missing), percent, floor))
        for first in range(0, len(missing), _STAGED_GROUP):
            some = missing[first : first + _STAGED_GROUP]
            with self._transaction() as (tx, act):
                mark_absent(tx, act, self.source, self.run.id, some)
                self.tally.absent += len(some)
                self._checkpoint(tx, act)
            self._tell("absence")

    def _proved_complete(self) -> bool:
        """Whether as many different records were seen as the source counts, before or after the reading."""
        if self.plan.expected is None:
            return self.plan.complete_without_count
        counts = {self.plan.expected}
        seen = self.known.read.met
        if seen != self.plan.expected and self.plan.recount is not None:
            counts.add(self.connector.wire.run(self.plan.recount()))
        self.incomplete = unproven(seen=seen, counts=counts, source=self.source, run_id=self.run.id)
        return self.incomplete is None

    def finish(self) -> PullReport:
        """Close the run.

        Raises:
            IncompleteListing: with the report.
        """
        partial = self.incomplete is not None or self.unjudged
        status = RunStatus.PARTIAL if partial else RunStatus.COMPLETE
        report = self._close(status, self.incomplete)
        self._tell("done")
        if self.incomplete is not None:
            raise self.incomplete
        return report

    def _stop_for(self, error: ExchangeError | None) -> None:
        if error is None:
            return
        with self._transaction() as (tx, _act):
            waiting = self._drop_staged(tx)
            held = Query(kind=Observation, where=F.source == self.source)
            pairs: Any = tx.values(held, ("source_id", "device_id")) if waiting else ()
            devices = dict(pairs)
            tx.upsert([refused_item(self.run.id, i, devices.get(i), error) for i in waiting])
        self._close(RunStatus.STOPPED, error)
        raise error

    def _close(self, status: RunStatus, error: ExchangeError | None) -> PullReport:
        with self._transaction() as (tx, act):
            ended = evolve(
                self.tally.onto(self.run),
                status=status,
                ended_at=act.at,
                owner=None,
                lease_until=None,
                message=error.message if error else _NAMELESS if self.unjudged else None,
                error_code=error.code if error else None,
            )
            tx.upsert([ended])
        self.run = ended
        report = PullReport(run=self.run, problems=tuple(self.problems))
        if error is not None:
            error.report = report
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
