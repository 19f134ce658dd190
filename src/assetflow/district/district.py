"""The one object that a script holds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from assetflow.district.calendars import Calendars
from assetflow.district.custody import CustodyDesk
from assetflow.district.devices import Devices
from assetflow.district.imports import Imports
from assetflow.district.journal import Journal
from assetflow.district.people import People
from assetflow.district.places import Places
from assetflow.district.policy import Policy
from assetflow.district.retention import Retention
from assetflow.district.runs import Runs
from assetflow.district.webhooks import Webhooks
from assetflow.errors import InvalidValue
from assetflow.exchange.changes import read_changes
from assetflow.exchange.drift import Drift, drift
from assetflow.exchange.pull import pull_devices
from assetflow.model import FIGURES, Aggregate
from assetflow.reports.deidentified import DeidentifiedExport
from assetflow.workflows.attention import attention
from assetflow.workflows.given import count, day, day_in_district, line, listed
from assetflow.workflows.personal.recipients import recipient_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from assetflow.connectors.spec import Connector
    from assetflow.district.session import Session
    from assetflow.exchange.changes import ChangePage
    from assetflow.exchange.report import OnProgress, PullReport
    from assetflow.model import DistrictId
    from assetflow.store.ports import Store
    from assetflow.workflows.attention import AttentionItem

__all__ = ["District"]

T = TypeVar("T")


class District:
    """A district, open in a store. Made by [`assetflow.open`][assetflow.open].

    It may be used from several threads; each act is a transaction of its own. Two districts, or
    one district opened twice, share nothing in this process.
    """

    def __init__(self, session: Session, *, owns_store: bool) -> None:
        self._session = session
        self._owns_store = owns_store
        self.devices: Devices = Devices(session)
        """Find, register and edit devices."""
        self.people: People = People(session)
        """Find, register and change people."""
        self.places: Places = Places(session)
        """Sites, rooms and carts."""
        self.calendars: Calendars = Calendars(session)
        """When school is held."""
        self.custody: CustodyDesk = CustodyDesk(session)
        """Check out, check in, transfer."""
        self.imports: Imports = Imports(session)
        """Inventories, people and rosters from files."""
        self.runs: Runs = Runs(session)
        """What each pull did."""
        self.journal: Journal = Journal(session)
        """The proof of everything that happened."""
        self.retention: Retention = Retention(session)
        """What is kept until when."""
        self.policy: Policy = Policy(session)
        """The district's settings."""
        self.webhooks: Webhooks = Webhooks(session)
        """Other systems that are told what happens."""

    @property
    def id(self) -> DistrictId:
        """The district's id."""
        return self._session.district

    @property
    def store(self) -> Store:
        """The store, for what the facade does not offer."""
        return self._session.store

    def pull(
        self,
        connector: Connector,
        *,
        workers: int = 4,
        max_change_percent: int | None = None,
        max_absent_percent: int | None = None,
        max_new_percent: int | None = None,
        on_progress: OnProgress | None = None,
    ) -> PullReport:
        """Read all devices of a source and bring the records up to date; safe to kill and to repeat.

        Args:
            connector: The source.
            workers: Listings read at once.
            max_change_percent: Instead of the policy's: how much of the known fleet may change.
            max_absent_percent: Instead of the policy's: how much of it may be gone.
            max_new_percent: Instead of the policy's: how many new records it may bring.
            on_progress: Told at each step.

        Raises:
            ConnectorError: the source could not be read to its end; the next pull goes on from there.
            IncompleteListing: fewer records than the source counts; absence was not judged.
            ChangeGuardTripped: too much would change, be new or be absent; no such record was applied.
            TooManyProblems: too many records could not be read.
            RunInProgress: another process pulls from this source.
            InvalidValue: no connector, or a number that cannot be.
        """
        if not hasattr(connector, "wire"):
            hint = "Make one: GoogleAdmin.from_env()."
            raise InvalidValue("a pull reads from a connector", hint=hint)
        count(workers, "workers", least=1)
        for percent in (max_change_percent, max_absent_percent, max_new_percent):
            if percent is not None:
                count(percent, "a percentage")
        return pull_devices(
            self._session.store,
            self.id,
            connector,
            acting=self._session.acting,
            workers=workers,
            max_change_percent=max_change_percent,
            max_absent_percent=max_absent_percent,
            max_new_percent=max_new_percent,
            on_progress=on_progress,
        )

    def drift(self, source: str) -> Iterator[Drift]:
        """Where a source and the district differ now, field by field, personal values left out."""
        with self._session.read() as tx:
            yield from drift(tx, source, policy=self._session.policy())

    def changes(
        self,
        *,
        since: str | int | None = None,
        types: Sequence[str] = (),
        limit: int = 1_000,
    ) -> ChangePage:
        """What happened, in order, for a system that asks instead of being told.

        Args:
            since: The cursor of the page before, or a sequence number; from the beginning when
                not given.
            types: Names of events such as ``device.checked_out`` or ``device.*``; all when empty.
            limit: Most changes of the page, at most 10,000.

        Raises:
            InvalidValue: no cursor of this district, an unknown name, or a limit that cannot be.
        """
        names, most = listed(str, types, "types"), count(limit, "a limit", least=1)
        with self._session.read() as tx:
            return read_changes(tx, since=since, types=names, limit=most)

    def attention(
        self, *, on: date | str | None = None, kinds: Sequence[str] | None = None
    ) -> list[AttentionItem]:
        """What needs a person on a day; today when not given. The most urgent first.

        Args:
            on: The day.
            kinds: Only items of these kinds.

        Raises:
            InvalidValue: not a day, or no such kind.
        """
        asked = day(on, "the day")
        with self._session.read() as tx:
            return attention(tx, asked or day_in_district(tx, self._session.clock()), kinds=kinds)

    def figures(self, figure: str | Aggregate[Any]) -> list[dict[str, Any]]:
        """The rows of a shipped figure, by name, or of an aggregate of one's own.

        Raises:
            InvalidValue: no figure has that name, or an aggregate that means nothing.
        """
        aggregate = FIGURES.get(figure) if isinstance(figure, str) else figure
        if not isinstance(aggregate, Aggregate):
            hint = f"Name one, or give an Aggregate: {', '.join(FIGURES)}."
            raise InvalidValue("there is no such figure", hint=hint)
        with self._session.read() as tx:
            return tx.aggregate(aggregate)

    def export(self, *, recipient: str, deidentified: Literal[True]) -> DeidentifiedExport:
        """Records for somebody outside, without anything that names a person.

        Args:
            recipient: A code for who is given them, such as ``state-university``. The same
                recipient gets the same pseudonyms each time, another one others.
            deidentified: ``True``. There is no other export of everything; one person's records
                are ``district.people.export(person)``.

        Raises:
            InvalidValue: not de-identified, or a recipient that is no code.
        """
        if not bool(deidentified):  # for those who check no types
            hint = "Say deidentified=True; of one person: district.people.export(person)."
            raise InvalidValue("everybody's records leave only de-identified", hint=hint)
        session, code = self._session, line(recipient, "a recipient")
        given = session.write(lambda tx, act: recipient_for(tx, act, code, entropy=session.entropy))
        return DeidentifiedExport(
            session.read, recipient=given.name, secret=given.secret, made_at=session.clock()
        )

    def acting_as(self, actor: str) -> District:
        """The same district for another actor: for a portal whose users share one store."""
        return District(self._session.same_for(actor=actor), owns_store=False)

    async def run(self, work: Callable[[District], T]) -> T:
        """Do some work in a thread, for an async host: ``await district.run(lambda d: ...)``."""
        return await asyncio.to_thread(work, self)

    def close(self) -> None:
        """Let go of the store, when this district opened it."""
        if self._owns_store:
            self._session.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<district {self.id!r} in {self._session.store.address}>"
