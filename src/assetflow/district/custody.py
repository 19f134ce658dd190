"""Who has what: ``district.custody``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetflow.district.pager import Pager
from assetflow.model import Custody, F, OpenCustody, Order, Query
from assetflow.workflows import custody as verbs
from assetflow.workflows.references import DeviceRef, HolderRef, resolve_device, resolve_holder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from assetflow.district.session import Session
    from assetflow.model import Condition, CustodyKind
    from assetflow.rules.decision import Explanation
    from assetflow.workflows.custody import CustodyResult

__all__ = ["CustodyDesk"]


class CustodyDesk:
    """Check out, check in, transfer. Each is one commit, with its journal entry and its intents.

    A device is named by id, tag, serial or itself; a holder is a person (by id, number or
    address), or a place.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def check_out(
        self,
        device: DeviceRef,
        *,
        to: HolderRef,
        held_by: HolderRef | None = None,
        kind: CustodyKind | str | None = None,
        due: date | str | None = None,
        override: Sequence[str] = (),
        reason: str | None = None,
        note: str | None = None,
        effective_at: datetime | None = None,
        key: str | None = None,
        dry_run: bool = False,
    ) -> CustodyResult:
        """Hand a device to somebody.

        Args:
            device: Which.
            to: Who answers for it from now on.
            held_by: Who has it in hand, when that is somebody else.
            kind: ``assignment``, which is what is meant when nothing is said, or ``loan``, which
                needs a due date.
            due: The day on which it is to come back.
            override: Rules to override, of those that the policy lets one; needs a reason.
            reason: A code for the journal.
            note: Free words, kept apart and erasable.
            effective_at: When it happened, when that was not now.
            key: An idempotency key: the same request under it is done once. The note is no
                part of the request.
            dry_run: Decide, and write nothing.

        Raises:
            NotFound: no such device or person.
            AmbiguousReference: several answer to it.
            Refusal: a rule says no; nothing was written.
            IdempotencyMismatch: another request was made under the key.
        """
        return self._session.write(
            lambda tx, act: verbs.check_out(
                tx,
                act,
                device,
                to=to,
                held_by=held_by,
                kind=kind,
                due=due,
                override=override,
                note=note,
                key=key,
            ),
            reason=reason,
            effective_at=effective_at,
            dry_run=dry_run,
        )

    def check_in(
        self,
        device: DeviceRef,
        *,
        condition: Condition | str | None = None,
        expected_from: HolderRef | None = None,
        reason: str | None = None,
        note: str | None = None,
        effective_at: datetime | None = None,
        key: str | None = None,
        dry_run: bool = False,
    ) -> CustodyResult:
        """Take a device back.

        Args:
            device: Which.
            condition: The condition in which it came back; as it was when not given.
            expected_from: Who should have handed it in.
            reason: A code for the journal.
            note: Free words, kept apart and erasable.
            effective_at: When it happened, when that was not now.
            key: An idempotency key.
            dry_run: Decide, and write nothing.

        Raises:
            NotCheckedOut: nobody has it.
            WrongHolder: somebody other than *expected_from* has it.
        """
        return self._session.write(
            lambda tx, act: verbs.check_in(
                tx,
                act,
                device,
                condition=condition,
                expected_from=expected_from,
                note=note,
                key=key,
            ),
            reason=reason,
            effective_at=effective_at,
            dry_run=dry_run,
        )

    def transfer(
        self,
        device: DeviceRef,
        *,
        to: HolderRef,
        held_by: HolderRef | None = None,
        kind: CustodyKind | str | None = None,
        due: date | str | None = None,
        expected_from: HolderRef | None = None,
        override: Sequence[str] = (),
        reason: str | None = None,
        note: str | None = None,
        effective_at: datetime | None = None,
        key: str | None = None,
        dry_run: bool = False,
    ) -> CustodyResult:
        """Pass a device from one accountable party to another.

        Args and errors are those of check-out and check-in together.
        """
        return self._session.write(
            lambda tx, act: verbs.transfer(
                tx,
                act,
                device,
                to=to,
                held_by=held_by,
                kind=kind,
                due=due,
                expected_from=expected_from,
                override=override,
                note=note,
                key=key,
            ),
            reason=reason,
            effective_at=effective_at,
            dry_run=dry_run,
        )

    def explain_check_out(
        self,
        device: DeviceRef,
        *,
        to: HolderRef,
        kind: CustodyKind | str | None = None,
        due: date | str | None = None,
        override: Sequence[str] = (),
    ) -> Explanation[Custody]:
        """Whether a check-out would be allowed, and which rules say so. Writes nothing."""
        act = self._session.reading()
        with self._session.read() as tx:
            return verbs.explain_check_out(
                tx, act, device, to=to, kind=kind, due=due, override=override
            )

    def explain_check_in(
        self,
        device: DeviceRef,
        *,
        condition: Condition | str | None = None,
        expected_from: HolderRef | None = None,
    ) -> Explanation[Custody]:
        """Whether a check-in would be allowed, and which rules say so. Writes nothing."""
        act = self._session.reading()
        with self._session.read() as tx:
            return verbs.explain_check_in(
                tx, act, device, condition=condition, expected_from=expected_from
            )

    def explain_transfer(
        self,
        device: DeviceRef,
        *,
        to: HolderRef,
        kind: CustodyKind | str | None = None,
        due: date | str | None = None,
        expected_from: HolderRef | None = None,
        override: Sequence[str] = (),
    ) -> Explanation[Custody]:
        """Whether a transfer would be allowed, and which rules say so. Writes nothing."""
        act = self._session.reading()
        with self._session.read() as tx:
            return verbs.explain_transfer(
                tx,
                act,
                device,
                to=to,
                kind=kind,
                due=due,
                expected_from=expected_from,
                override=override,
            )

    def of(self, device: DeviceRef) -> Custody | None:
        """The custody that is open for a device."""
        with self._session.read() as tx:
            held = tx.get(OpenCustody, resolve_device(tx, device))
            return tx.get(Custody, held.custody_id) if held else None

    def history(self, device: DeviceRef) -> Pager[Custody]:
        """Every stay of a device with somebody, the oldest first."""
        with self._session.read() as tx:
            device_id = resolve_device(tx, device)
        oldest = (Order("since"),)
        return Pager(
            self._session, Query(kind=Custody, where=F.device_id == device_id, order=oldest)
        )

    def held_by(self, holder: HolderRef) -> Pager[Custody]:
        """What somebody answers for now."""
        with self._session.read() as tx:
            found = resolve_holder(tx, holder)
        mine = (F.accountable_kind == found.kind) & (F.accountable_id == found.id)
        return Pager(self._session, Query(kind=Custody, where=mine & F.ended_at.is_unknown()))

    def where_open(self) -> Pager[Custody]:
        """Everything that is out now."""
        return Pager(self._session, Query(kind=Custody, where=F.ended_at.is_unknown()))
