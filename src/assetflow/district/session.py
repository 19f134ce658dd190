"""What every part of a district shares: the store, who acts, the clock, the policy."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, evolve, field

from assetflow.errors import DuplicateKey, InvalidValue, StaleVersion, TransactionLost
from assetflow.model import ActorId, AdoptedPolicy, DistrictPolicy, uuid7
from assetflow.store.ports import Durability
from assetflow.workflows.acting import Act
from assetflow.workflows.actors import actor_for
from assetflow.workflows.given import a
from assetflow.workflows.policy import current_policy

if TYPE_CHECKING:
    from assetflow.model import BatchId, DistrictId
    from assetflow.store.ports import ReadTransaction, Store, Transaction

__all__ = ["Clock", "Session", "fresh_id", "utc_now"]

T = TypeVar("T")
Clock = Callable[[], datetime]

_ATTEMPTS = 5


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def fresh_id() -> str:
    """A new id from the clock and the system's randomness."""
    return uuid7(utc_now(), os.urandom(10))


class _RolledBackError(Exception):
    """Ends a dry run: its transaction leaves no trace."""


@define(eq=False)
class Session:
    """The binding of one district to one store and one actor. No rule lives here."""

    store: Store = field(repr=False)
    """Where it is kept."""
    district: DistrictId
    """Which district."""
    actor: str = field(repr=False)
    """Who acts: a work address or a script's name. Erasable; the journal has an id for it."""
    clock: Clock = field(default=utc_now, repr=False)
    """Tells the time, in UTC."""
    new_id: Callable[[], str] = field(default=fresh_id, repr=False)
    """Makes ids."""
    entropy: Callable[[int], bytes] = field(default=os.urandom, repr=False)
    """Random bytes, for the keys of marks."""
    fixed_policy: DistrictPolicy | None = field(default=None, repr=False)
    """Instead of the policy that the district adopted."""
    _actor_id: ActorId | None = field(default=None, init=False, repr=False)
    _adopted: tuple[str, DistrictPolicy] | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def read(self) -> AbstractContextManager[ReadTransaction]:
        """Begin consistent reads."""
        return self.store.read(self.district)

    def policy(self) -> DistrictPolicy:
        """The policy that holds now."""
        if self.fixed_policy is not None:
            return self.fixed_policy
        with self.read() as tx:
            return self._policy_in(tx)

    def _policy_in(self, tx: ReadTransaction) -> DistrictPolicy:
        """The adopted policy, read again only when its text changed."""
        if self.fixed_policy is not None:
            return self.fixed_policy
        adopted = tx.get(AdoptedPolicy, "policy")
        digest = adopted.digest if adopted else ""
        known = self._adopted
        if known is None or known[0] != digest:
            known = self._adopted = (digest, current_policy(tx))
        return known[1]

    def write(
        self,
        do: Callable[[Transaction, Act], T],
        *,
        reason: str | None = None,
        effective_at: datetime | None = None,
        batch_id: BatchId | None = None,
        dry_run: bool = False,
        durability: Durability = Durability.FULL,
    ) -> T:
        """Do something in one transaction; again, a few times, when another writer came between.

        Or when the database ended it before its commit, for a deadlock or with its connection.

        Args:
            do: What to do. Called anew at each attempt, with a fresh act.
            reason: A code for the journal.
            effective_at: When it happened in the school, when that was not now.
            batch_id: What it belongs to.
            dry_run: Do everything, then leave no trace.
            durability: How much the commit waits for.

        Raises:
            AssetflowError: what *do* or the store raise; nothing was written.
        """
        if effective_at is not None and a(datetime, effective_at, "effective_at").tzinfo is None:
            msg = "effective_at needs a time zone"
            raise InvalidValue(msg, hint="Use datetime.now(UTC) or zoneinfo.")
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._once(do, reason, effective_at, batch_id, durability, dry_run=dry_run)
            except (StaleVersion, DuplicateKey, TransactionLost):
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError  # pragma: no cover  # the loop returns or raises

    def _once(
        self,
        do: Callable[[Transaction, Act], T],
        reason: str | None,
        effective_at: datetime | None,
        batch_id: BatchId | None,
        durability: Durability,
        *,
        dry_run: bool,
    ) -> T:
        result: list[T] = []
        with (
            suppress(_RolledBackError),
            self._transaction(durability, reason, effective_at, batch_id) as (tx, act),
        ):
            result.append(do(tx, act))
            if dry_run:
                raise _RolledBackError
        if not dry_run:
            self._actor_id = act.actor_id  # only now: a rollback takes a new actor with it
        return result[0]

    @contextmanager
    def _transaction(
        self,
        durability: Durability,
        reason: str | None,
        effective_at: datetime | None,
        batch_id: BatchId | None,
    ) -> Iterator[tuple[Transaction, Act]]:
        with self.store.write(self.district, durability=durability) as tx:
            actor_id = self._actor_id or actor_for(tx, self.actor, new_id=self.new_id)
            yield (
                tx,
                Act(
                    actor_id=actor_id,
                    at=self.clock(),
                    new_id=self.new_id,
                    policy=self._policy_in(tx),
                    effective_at=effective_at,
                    reason=reason,
                    batch_id=batch_id,
                ),
            )

    def acting(self, batch_id: BatchId) -> Act:
        """An act outside of a transaction, for work that makes its own: pulls and imports."""
        with self._lock:
            if self._actor_id is None:
                with self.store.write(self.district) as tx:
                    actor_id = actor_for(tx, self.actor, new_id=self.new_id)
                self._actor_id = actor_id
        return Act(
            actor_id=self._actor_id,
            at=self.clock(),
            new_id=self.new_id,
            policy=self.policy(),
            batch_id=batch_id,
        )

    def reading(self) -> Act:
        """An act for questions: it writes nothing, has no actor, and whoever asks need not say why."""
        return Act(
            actor_id=ActorId(""),
            at=self.clock(),
            new_id=self.new_id,
            policy=self.policy(),
            reason="question",
        )

    def same_for(self, **changes: Any) -> Session:
        """The same binding with other settings."""
        return evolve(self, **changes)
