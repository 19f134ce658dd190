"""Files in: ``district.imports``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assetflow.errors import InvalidValue
from assetflow.exchange.imports import DeviceImport, ImportPlan, PersonImport, apply
from assetflow.exchange.rosters import RosterImport
from assetflow.model import BatchId
from assetflow.workflows.given import a

if TYPE_CHECKING:
    from collections.abc import Callable

    from assetflow.district.session import Session
    from assetflow.exchange.imports import ImportReport
    from assetflow.exchange.rosters import RosterPlan
    from assetflow.files import Readable, Source

__all__ = ["Imports"]


class Imports:
    """Plan a file, look at the plan, apply it. A plan writes nothing; applying one twice changes nothing."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def plan_devices(
        self,
        file: Readable | Source,
        *,
        mapping: Mapping[str, str | None] | None = None,
        **how: Any,
    ) -> ImportPlan:
        """What a device inventory would change.

        Args:
            file: A path, the bytes, or an open binary file: CSV.
            mapping: Heading to field, ahead of the known headings; ``None`` leaves a column out.
            **how: Further settings of [`DeviceImport`][assetflow.exchange.imports.DeviceImport].

        Raises:
            FileError: the file cannot be read or is refused, or none of its headings is known.
            InvalidValue: a setting that cannot be.
        """
        how_to = DeviceImport(mapping=_checked(mapping), **how)
        with self._session.read() as tx:
            return how_to.plan(tx, file, at=self._session.clock())

    def plan_people(
        self,
        file: Readable | Source,
        *,
        mapping: Mapping[str, str | None] | None = None,
        **how: Any,
    ) -> ImportPlan:
        """What a list of people would change.

        Args:
            file: A path, the bytes, or an open binary file: CSV.
            mapping: Heading to field, ahead of the known headings; ``None`` leaves a column out.
            **how: Further settings of [`PersonImport`][assetflow.exchange.imports.PersonImport].

        Raises:
            FileError: the file cannot be read or is refused, or none of its headings is known.
            InvalidValue: a setting that cannot be.
        """
        how_to = PersonImport(mapping=_checked(mapping), **how)
        with self._session.read() as tx:
            return how_to.plan(tx, file, at=self._session.clock())

    def plan_roster(self, file: Readable | Source, **how: Any) -> RosterPlan:
        """What a OneRoster zip would change: organisations, people and guardians.

        Args:
            file: A path, the bytes, or an open binary file: a zip of OneRoster 1.1 or 1.2 CSV.
            **how: Further settings of [`RosterImport`][assetflow.exchange.rosters.RosterImport].

        Raises:
            FileError: the file cannot be read, is refused, or is no roster.
            ChangeGuardTripped: most of the people known from earlier rosters would be gone.
        """
        with self._session.read() as tx:
            return RosterImport(**how).plan(tx, file, at=self._session.clock())

    def apply(
        self,
        plan: ImportPlan,
        *,
        again: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> ImportReport:
        """Do what a plan says. One that was interrupted is finished by applying it again.

        Args:
            plan: The plan, not older than the records that it names.
            again: Apply it although the same file was applied before.
            progress: Told how many of how many rows are done.

        Raises:
            InvalidValue: the plan was made for another district.
            PlanChanged: the district's records moved on where it matters; plan again.
            InvalidValue: not a plan.
        """
        a(ImportPlan, plan, "what is applied")
        if plan.district != self._session.district:
            msg = "the plan was made for another district"
            raise InvalidValue(msg, hint="Plan the file in this district, and look at that plan.")
        return apply(
            self._session.store,
            plan,
            self._session.acting(BatchId("")),
            entropy=self._session.entropy,
            again=again,
            progress=progress,
        )


def _checked(mapping: Mapping[str, str | None] | None) -> Mapping[str, str | None]:
    if mapping is None:
        return {}
    said: object = mapping
    if isinstance(said, Mapping):
        pairs = [(h, n) for h, n in said.items() if isinstance(h, str)]
        if len(pairs) == len(said) and all(n is None or isinstance(n, str) for _, n in pairs):
            return mapping
    hint = "mapping={'Serial #': 'serial', 'Notes': None}"
    raise InvalidValue("a mapping says which field each heading fills", hint=hint)
