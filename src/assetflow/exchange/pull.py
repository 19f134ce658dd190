"""Pulls a source's devices into the store: planned, checkpointed, resumable, idempotent, guarded.

The network is read outside of transactions. Each group of pages is applied in one transaction
that also moves the checkpoint, so a process killed anywhere leaves a run that the next one takes
up, and no page is applied twice. New and changed records of a fleet that is already known wait
until all of them are seen, so that the change guard can stop a run before it changes anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field

from assetflow.errors import AssetflowError, ConnectorError, ExchangeError, StoreError
from assetflow.exchange import checkpoints
from assetflow.exchange.absence import mark_absent, mark_returned
from assetflow.exchange.claims import Claim, Claims, placed
from assetflow.exchange.guards import too_many_problems, too_much, unproven
from assetflow.exchange.history import outlived_items, prune_pages
from assetflow.exchange.items import refused_item, unread_item
from assetflow.exchange.known import Known, Sorted
from assetflow.exchange.pages import Fetched, Restarted, fetch, groups
from assetflow.exchange.report import OnProgress, Progress, PullReport
from assetflow.exchange.staging import count_staged, drop_staged, stage, staged, unstage
from assetflow.exchange.tally import Tally
from assetflow.model import (
    BatchId,
    F,
    Observation,
    ObservedKind,
    Query,
    Run,
    RunId,
    RunItem,
    RunShard,
    RunStatus,
)
from assetflow.store.ports import Durability

if TYPE_CHECKING:
    from assetflow.connectors.spec import Connector, ShardPlan
    from assetflow.errors import IncompleteListing
    from assetflow.model import DeviceId, DistrictId, PullPolicy
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
    max_new_percent: int | None = None,
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
        max_new_percent: Instead of the policy's: how many new records it may bring.
        on_progress: Told at each step.

    Returns:
        The report of a run that is complete.

    Raises:
        RunInProgress: another process pulls from this source.
        IncompleteListing: fewer records than the source counts. What was seen has been applied;
            absence was not judged. The error carries the report.
        ChangeGuardTripped: too much would change, be new or be absent. No new or changed record
            was applied, and none was marked absent; contacts, and records that came back, were.
        TooManyProblems: too many records could not be read; the same holds. Of a source that was
            new when the run began, what could be read has been applied.
        ConnectorError: the source could not be read to its end; the next pull goes on from there.
    """
    plan = connector.wire.run(connector.plan(ObservedKind.DEVICE))
    act = acting(BatchId(""))
    owner = checkpoints.new_owner()
    with store.write(district, durability=Durability.BULK) as tx:
        prune_pages(tx, source=connector.name, what=plan.kind.value)
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
    given: dict[str, Any] = {
        "max_change_percent": max_change_percent,
        "max_absent_percent": max_absent_percent,
        "max_new_percent": max_new_percent,
    }
    limits = evolve(act.policy.pull, **{n: p for n, p in given.items() if p is not None})
    with job:
        job.load()
        job.read(workers=workers)
        job.guard(limits)
        job.apply_staged()
        job.mark_missing()
        return job.finish(kept_runs=limits.kept_runs)
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
    missing: list[str] = field(factory=list)
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
                drop_staged(tx, self.run.id)
                code = kind.code if issubclass(kind, AssetflowError) else "unexpected"
                words = "an error ended the run; the next pull begins afresh"
                held = evolve(
                    held,
                    status=RunStatus.FAILED,
                    ended_at=act.at,
                    error_code=code,
                    message=words,
                )
            tx.upsert([held])

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
                self.staged = count_staged(tx, self.run.id)

    # --- reading ----------------------------------------------------------------------------

    def read(self, *, workers: int) -> None:
        """Fetch what is left of all listings, and apply it group by group."""
        now = self.acting(BatchId(self.run.id)).at
        starts, stale = checkpoints.resume_points(self.plan, self.shards, now)
        for state in stale:
            with self._transaction() as (tx, _act):
                self._restart(tx, state)
        self._tell("read")
        fetched = fetch(self.connector.wire, starts, workers=workers)
        for group in groups(self._scanned(fetched)):
            if isinstance(group, Restarted):
                with self._transaction() as (tx, _act):
                    self._restart(tx, self.shards[group.shard.key])
            else:
                self._apply_group(group)
            self._tell("read")

    def _scanned(
        self, fetched: Iterator[Fetched | Restarted | None]
    ) -> Iterator[Sorted | Restarted | None]:
        """Each page compared as it comes in, so that its records need not be kept for the group."""
        for item in fetched:
            if isinstance(item, Fetched):
                yield self.known.scan(item.shard.key, item.number, item.page)
            else:
                yield item

    def _apply_group(self, found: list[Sorted]) -> None:
        with self._transaction() as (tx, act):
            self.known.judge(tx, found)
            self._write(tx, act, found)
            settled = self._keep(tx, act, found)
            tx.insert([page.as_page(self.run.id, settled) for page in found])
            for page in found:
                self._advance(page, act.at)
            tx.upsert([self.shards[key] for key in {page.shard for page in found}])
            self._checkpoint(tx, act)

    def _write(self, tx: Transaction, act: Act, found: list[Sorted]) -> None:
        """What is known at once: contacts, records that came back, records that cannot be read."""
        unread = [
            unread_item(self.run.id, problem)
            for page in found
            for problem in page.problems
            if problem.record
        ]
        tx.upsert(unread)
        tx.upsert([sighting for page in found for sighting in page.sightings])
        returned = [source_id for page in found for source_id in page.returned]
        if returned:
            mark_returned(tx, act, self.source, self.run.id, returned)

    def _advance(self, found: Sorted, now: datetime) -> None:
        state, following = self.shards[found.shard], found.following
        self.shards[found.shard] = evolve(
            state,
            pages=found.number + 1,
            seen=state.seen + found.records,
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
        self.known.begin_again(tx, self.run)
        self._count()

    # --- new and changed records ------------------------------------------------------------

    def _keep(self, tx: Transaction, act: Act, found: list[Sorted]) -> Mapping[str, DeviceId]:
        """Settle claims at once when the source was new; else let them wait for the guard.

        Returns:
            The devices of the claims that were settled, by source id.
        """
        claims = [claim for page in found for claim in page.fresh]
        claims += placed(tx, act, self.source, [c for page in found for c in page.waiting])
        if not claims:
            return {}
        if not self.run.known_before:
            return self._settle(tx, act, claims)
        stage(tx, self.run.id, claims)
        self.staged += len(claims)
        return {}

    def _settle(self, tx: Transaction, act: Act, claims: list[Claim]) -> Mapping[str, DeviceId]:
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
        self.known.settled(claims, links)
        return links

    def guard(self, limits: PullPolicy) -> None:
        """Stop before anything that waited is applied, when it is too much.

        Raises:
            TooManyProblems: too many records could not be read.
            ChangeGuardTripped: too much of the known fleet would change or be absent, or too much
                is new.
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
        proved = self._proved_complete()
        with self.store.read(self.district) as tx:
            changed, new = (
                count_staged(tx, self.run.id, standing) if self.staged else 0
                for standing in ("changed", "new")
            )
            # one of the missing may be one of those that have no name
            self.unjudged = proved and self.known.read.nameless > 0
            self.missing = self.known.missing(tx) if proved and not self.unjudged else []
        for option, count in (
            ("max_change_percent", changed),
            ("max_new_percent", new),
            ("max_absent_percent", len(self.missing)),
        ):
            error = too_much(
                option,
                count,
                known=self.run.known_before,
                percent=getattr(limits, option),
                floor=limits.guard_floor,
                source=self.source,
                run_id=self.run.id,
            )
            self._stop_for(error)

    def apply_staged(self) -> None:
        """Apply what waited, in groups; each group's rows go as it is applied, so a kill loses nothing."""
        while self.staged:
            with self._transaction() as (tx, act):
                claims = staged(tx, self.run.id, limit=_STAGED_GROUP)
                self._settle(tx, act, claims)
                unstage(tx, self.run.id, claims)
                self._checkpoint(tx, act)
            self.staged = self.staged - len(claims) if claims else 0
            self._tell("apply")

    # --- the end ----------------------------------------------------------------------------

    def mark_missing(self) -> None:
        """Mark absent what a listing that proved complete no longer has."""
        for first in range(0, len(self.missing), _STAGED_GROUP):
            some = self.missing[first : first + _STAGED_GROUP]
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

    def finish(self, *, kept_runs: int) -> PullReport:
        """Close the run, and let go of what older runs did.

        Raises:
            IncompleteListing: with the report.
        """
        with self.store.read(self.district) as tx:
            old = outlived_items(
                tx, source=self.source, what=self.run.what, kept_runs=kept_runs - 1
            )
            gone = list(old)
        for keys in gone:
            with self._transaction() as (tx, _act):
                tx.delete(RunItem, keys)
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
            waiting = drop_staged(tx, self.run.id)
            held = Query(kind=Observation, where=F.source == self.source)
            pairs: Any = tx.values(held, ("source_id", "device_id")) if waiting else ()
            devices = dict(pairs)
            tx.upsert([refused_item(self.run.id, i, devices.get(i), error) for i in waiting])
        self._close(RunStatus.STOPPED, error)
        raise error

    def _close(self, status: RunStatus, error: ExchangeError | None) -> PullReport:
        seen = self.known.read.seen
        self.tally.unmatched = sum(i in seen for i in self.known.unmatched)
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
