"""Delivers to all webhooks of a district: plans, claims, posts, settles, until nothing is due.

The calling thread does everything with the store; worker threads only make calls. So no call is
made inside a transaction, and no transaction waits for a receiver.
"""

from __future__ import annotations

import random as random_module
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar

from attrs import define

from assetflow.errors import AssetflowError, InvalidValue
from assetflow.exchange.checkpoints import new_owner
from assetflow.exchange.cloudevents import Change
from assetflow.exchange.webhooks.claims import LEASE, Outcome, claim, due_at, settle
from assetflow.exchange.webhooks.planning import look, pending_of, stored_events, write_plan
from assetflow.exchange.webhooks.posting import (
    DEADLINE,
    Answer,
    Message,
    Postbox,
    SecretSource,
    environment_secret,
)
from assetflow.exchange.webhooks.report import DeliveryReport
from assetflow.exchange.webhooks.schedule import SCHEDULE, Schedule
from assetflow.model import F, Query, Webhook, WebhookDelivery, WebhookStatus
from assetflow.wire import TargetRules

if TYPE_CHECKING:
    from assetflow.store.ports import ReadTransaction, Transaction
    from assetflow.workflows.acting import Act

__all__ = ["MOST_SECONDS", "MOST_WORKERS", "Deliverer", "Write"]

T = TypeVar("T")

MOST_WORKERS = 64
"""Most calls at once."""
MOST_SECONDS = 30.0
"""Most seconds that a call may take: a lease must outlive it by far."""
_POLL = 1.0  # seconds between looks at the journal while nothing is due


class Write(Protocol):
    """Does something in one write transaction."""

    def __call__(self, do: Callable[[Transaction, Act], T], /) -> T:
        """Do it, again when another writer came between."""
        ...


@define(eq=False)
class _Flight:
    """A delivery on its way."""

    webhook: Webhook
    delivery: WebhookDelivery


class Deliverer:
    """One run of deliveries, with everything that it needs from outside.

    Args:
        read: Begins consistent reads.
        write: Does something in a write transaction.
        clock: Tells the time, in UTC.
        new_id: Makes ids.
        secrets: Fetches a signing secret by its name.
        rules: What is admitted beyond https to public addresses.
        workers: Calls at once.
        workers_per_webhook: Calls at once to one webhook.
        timeout: Seconds that a call may take, at most 30.
        schedule: The waits between attempts.
        sleep: Waits for some seconds.
        random: Gives a number from 0 up to, not including, 1.
        app_id: Who sends this, for the User-Agent.

    Raises:
        InvalidValue: a number of workers or seconds that cannot be.
    """

    def __init__(
        self,
        *,
        read: Callable[[], AbstractContextManager[ReadTransaction]],
        write: Write,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        secrets: SecretSource = environment_secret,
        rules: TargetRules | None = None,
        workers: int = 8,
        workers_per_webhook: int = 4,
        timeout: float = DEADLINE,
        schedule: Schedule = SCHEDULE,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random_module.random,
        app_id: str | None = None,
    ) -> None:
        if not 1 <= workers <= MOST_WORKERS or workers_per_webhook < 1:
            raise InvalidValue(f"workers are 1 to {MOST_WORKERS}")
        if not 0 < timeout <= MOST_SECONDS:
            raise InvalidValue(f"a call may take up to {MOST_SECONDS:g} seconds")
        self._read, self._write, self._clock, self._new_id = read, write, clock, new_id
        self._secrets, self._rules = secrets, rules or TargetRules()
        self._workers, self._per_webhook = workers, workers_per_webhook
        self._schedule, self._sleep, self._random = schedule, sleep, random
        self._timeout, self._app_id = timeout, app_id
        self._owner = new_owner()
        self._boxes: dict[str, Postbox] = {}
        self._flying: dict[Future[Answer | None], _Flight] = {}
        self._count: Counter[str] = Counter()
        self._disabled: list[str] = []
        self._problems: dict[str, str] = {}

    def run(self, *, seconds: float = 0.0) -> DeliveryReport:
        """Deliver what is due; with *seconds*, also what becomes due until then.

        Args:
            seconds: How long to go on.

        Raises:
            StoreError: what the store raises. What was sent is settled or sent again later.
        """
        until = self._clock() + timedelta(seconds=seconds)
        with self._pool() as pool:
            while True:
                ended = self._clock() >= until and seconds > 0
                if not ended:
                    self._send_what_is_due(pool)
                if self._flying:
                    landed, _ = wait(self._flying, return_when=FIRST_COMPLETED)
                    self._settle(landed)
                elif ended or seconds <= 0:
                    break
                else:
                    self._sleep(self._idle(until))
        return self._report()

    @contextmanager
    def _pool(self) -> Iterator[ThreadPoolExecutor]:
        try:
            with ThreadPoolExecutor(self._workers, thread_name_prefix="webhook") as pool:
                yield pool
                return
        finally:
            try:  # whatever ended the run, what came of its calls is known by now
                self._settle(set(self._flying))
            finally:
                for box in self._boxes.values():
                    box.close()
                self._boxes.clear()

    # --- sending ----------------------------------------------------------------------------

    def _send_what_is_due(self, pool: ThreadPoolExecutor) -> None:
        with self._read() as tx:
            active = list(tx.find(Query(kind=Webhook, where=F.status == WebhookStatus.ACTIVE)))
        for webhook in active:
            room = min(
                self._workers - len(self._flying),
                self._per_webhook - sum(f.webhook.id == webhook.id for f in self._flying.values()),
            )
            box = self._box(webhook) if room > 0 else None
            if box is None:
                continue
            self._plan(webhook)
            for delivery, message in self._claimed(webhook, room):
                flight = _Flight(webhook, delivery)
                late = time.monotonic() + LEASE.total_seconds() - 2 * MOST_SECONDS
                self._flying[pool.submit(_post, box, message, late)] = flight

    def _plan(self, webhook: Webhook) -> None:
        with self._read() as tx:
            plan = look(tx, webhook, now=self._clock(), new_id=self._new_id)
        if plan is not None:
            made = plan
            self._write(lambda tx, _act: write_plan(tx, made))

    def _claimed(self, webhook: Webhook, most: int) -> list[tuple[WebhookDelivery, Message]]:
        with self._read() as tx:
            due = due_at(tx, webhook.id, self._clock())
        if due is None or due > self._clock():
            return []  # nothing to take the write lock for
        taken = self._write(
            lambda tx, act: claim(tx, webhook.id, owner=self._owner, now=act.at, most=most)
        )
        with self._read() as tx:
            return [(d, _message(tx, d)) for d in taken]

    def _box(self, webhook: Webhook) -> Postbox | None:
        """The connections to a receiver; ``None``, and a problem, where they cannot be made."""
        known = self._boxes.get(webhook.id)
        if known is not None and known.webhook.version == webhook.version:
            return known
        if known is not None and any(f.webhook.id == webhook.id for f in self._flying.values()):
            return None  # it was changed: first what is on its way to the old address
        if known is not None:
            known.close()
            del self._boxes[webhook.id]
        try:
            keys = [self._secrets(name) for name in webhook.secret_names]
            made = Postbox(
                webhook,
                keys,
                rules=self._rules,
                clock=self._clock,
                timeout=self._timeout,
                app_id=self._app_id,
            )
        except AssetflowError as error:
            self._problems[webhook.name] = error.code
            return None
        except Exception as error:  # noqa: BLE001  # the host's own function raises what it likes
            self._problems[webhook.name] = type(error).__name__
            return None
        self._problems.pop(webhook.name, None)
        self._boxes[webhook.id] = made
        return made

    # --- what came of it ---------------------------------------------------------------------

    def _settle(self, landed: set[Future[Answer | None]]) -> None:
        outcomes: dict[str, list[Outcome]] = {}
        for future in landed:
            flight = self._flying.pop(future)
            error = None if future.cancelled() else future.exception()
            if error is not None:  # it counts as an attempt, so that it is not made for ever
                self._problems[flight.webhook.name] = type(error).__name__
            outcomes.setdefault(flight.webhook.id, []).append(
                Outcome(delivery=flight.delivery, answer=_answer_of(future))
            )
        for webhook_id, some in outcomes.items():
            self._settle_one(webhook_id, some)

    def _settle_one(self, webhook_id: str, outcomes: list[Outcome]) -> None:
        done = self._write(
            lambda tx, act: settle(
                tx,
                act,
                outcomes,
                webhook_id=webhook_id,
                schedule=self._schedule,
                random=self._random,
            )
        )
        for one in done:
            if one.lost:
                continue
            self._count["delivered"] += one.arrived
            self._count["events"] += len(one.delivery.seqs) if one.arrived else 0
            self._count["failed"] += not one.arrived
            self._count["dead"] += one.dead
            if one.disabled:
                self._disabled.append(self._boxes[webhook_id].webhook.name)

    def _idle(self, until: datetime) -> float:
        """Seconds to wait while nothing is on its way."""
        now = self._clock()
        next_at = self._next_at(now)
        soon = min(until, next_at) if next_at is not None else until
        return min(max((soon - now).total_seconds(), 0.001), _POLL)

    def _next_at(self, now: datetime) -> datetime | None:
        with self._read() as tx:
            active = tx.find(Query(kind=Webhook, where=F.status == WebhookStatus.ACTIVE))
            times = [due_at(tx, w.id, now) for w in list(active)]
        return min((t for t in times if t is not None), default=None)

    def _report(self) -> DeliveryReport:
        with self._read() as tx:
            active = list(tx.find(Query(kind=Webhook, where=F.status == WebhookStatus.ACTIVE)))
            waiting = sum(tx.count(pending_of(w.id)) for w in active)
        return DeliveryReport(
            delivered=self._count["delivered"],
            events=self._count["events"],
            failed=self._count["failed"],
            dead=self._count["dead"],
            waiting=waiting,
            next_at=self._next_at(self._clock()),
            disabled=tuple(dict.fromkeys(self._disabled)),
            problems=dict(self._problems),
        )


def _message(tx: ReadTransaction, delivery: WebhookDelivery) -> Message:
    events = [Change.of(e, tx.district).as_cloudevent() for e in stored_events(tx, delivery)]
    return Message.of(delivery.id, events)


def _post(box: Postbox, message: Message, late: float) -> Answer | None:
    """Make an attempt, unless this process slept so long that another may have it by now."""
    return None if time.monotonic() > late else box.post(message)


def _answer_of(future: Future[Answer | None]) -> Answer | None:
    """What came of a call; an error of our own is a failure with no status."""
    if future.cancelled():
        return None
    if future.exception() is not None:
        return Answer(status=None, error="unexpected")
    return future.result()
