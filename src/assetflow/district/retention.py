"""How long what is kept: ``district.retention``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from assetflow.errors import IdentityKeyNeeded, Refusal
from assetflow.exchange.raws import RawRecords
from assetflow.model import PersonId
from assetflow.workflows.given import day_in_district
from assetflow.workflows.personal.erasing import erase_person
from assetflow.workflows.personal.keeping import (
    Expiring,
    KeptIdentity,
    expire,
    expiring,
    kept_identities,
    people_due,
    reseal_identities,
)

if TYPE_CHECKING:
    from datetime import date

    from assetflow.district.session import Session
    from assetflow.store.ports import Wiped
    from assetflow.workflows.personal.sealing import IdentityKeys

__all__ = ["Retention", "RetentionRun"]


@frozen(kw_only=True)
class RetentionRun:
    """What a run removed, or would remove."""

    on: date
    """The day."""
    expired: tuple[Expiring, ...]
    """What expires, kind by kind."""
    erased: tuple[PersonId, ...] = ()
    """People who were erased."""
    not_erased: tuple[tuple[PersonId, str], ...] = ()
    """People who fall due and were not erased, and the code of what stood against it."""
    done: bool = False
    """Whether it was done; false for a dry run."""
    wiped: Wiped | None = None
    """Where the bytes are gone; ``None`` when nothing was removed."""

    @property
    def count(self) -> int:
        """How many records expire."""
        return sum(e.count for e in self.expired)


class Retention:
    """What is kept until when: names that a programme demands, people who left, notes, runs."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def expiring(self, *, on: date | None = None) -> tuple[Expiring, ...]:
        """What expires on a day; today when not given."""
        with self._session.read() as tx:
            day = on or day_in_district(tx, self._session.clock())
            return expiring(tx, self._session.policy().retention, day)

    def identities(self, *, keys: IdentityKeys | None = None) -> list[KeptIdentity]:
        """The names that a programme demands of erased people, the first to expire first.

        Args:
            keys: The district's identity keys; without the right one a name is *withheld*.
        """
        with self._session.read() as tx:
            return list(kept_identities(tx, keys=keys))

    def run(
        self,
        *,
        on: date | None = None,
        keys: IdentityKeys | None = None,
        dry_run: bool = True,
        wipe: bool = True,
        reason: str = "retention",
    ) -> RetentionRun:
        """Remove what expires on a day: sealed names, notes, runs, keys, and people who fall due.

        A person who cannot be erased, such as one who still holds a device, is named in the
        result with the reason; the others are erased all the same.

        Args:
            on: The day; today when not given.
            keys: The district's identity keys, for people whose name a programme demands.
            dry_run: Only say what expires. This is so unless it is switched off.
            wipe: Whether to rewrite the store afterwards, so that the bytes are gone as well.
            reason: A code for the journal.
        """
        with self._session.read() as tx:
            day = on or day_in_district(tx, self._session.clock())
            policy = self._session.policy().retention
            found, due = expiring(tx, policy, day), people_due(tx, policy, day)
        if dry_run:
            return RetentionRun(on=day, expired=found)
        expired = self._session.write(lambda tx, act: expire(tx, act, day), reason=reason)
        erased, refused = self._erase(due, keys, reason)
        wiped = self._session.store.wipe_removed() if wipe and expired else None
        return RetentionRun(
            on=day, expired=expired, erased=erased, not_erased=refused, done=True, wiped=wiped
        )

    def _erase(
        self, due: list[PersonId], keys: IdentityKeys | None, reason: str
    ) -> tuple[tuple[PersonId, ...], tuple[tuple[PersonId, str], ...]]:
        erased, refused = [], []
        for person_id in due:
            try:
                self._erase_one(person_id, keys, reason)
            except (Refusal, IdentityKeyNeeded) as problem:
                refused.append((person_id, problem.code))
            else:
                erased.append(person_id)
        return tuple(erased), tuple(refused)

    def _erase_one(self, person_id: PersonId, keys: IdentityKeys | None, reason: str) -> None:
        raw, entropy = RawRecords(), self._session.entropy
        self._session.write(
            lambda tx, act: erase_person(tx, act, person_id, raw=raw, entropy=entropy, keys=keys),
            reason=reason,
        )

    def rotate(self, keys: IdentityKeys, *, reason: str = "key-rotation") -> int:
        """Seal every kept name anew with the newest key; how many there were.

        Args:
            keys: The new key first, then those that seal names now.
            reason: A code for the journal.

        Raises:
            IdentityKeyNeeded: a name is sealed with a key that is not among *keys*.
        """
        return self._session.write(
            lambda tx, act: reseal_identities(tx, act, keys, entropy=self._session.entropy),
            reason=reason,
        )

    def wipe(self) -> Wiped:
        """Rewrite the store, so that the bytes of what was removed are in it no longer."""
        return self._session.store.wipe_removed()
