"""Listings as a script uses them: lazy, started afresh by each loop, and honest about bad records."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from assetflow.errors import PayloadError
from assetflow.wire import AsyncWire, Flow, Listing, Page, Problem, Wire

__all__ = ["AsyncRecords", "Records"]

T_co = TypeVar("T_co", covariant=True)
Plan = Callable[[], Flow[Listing[T_co]]]
OnProblem = Callable[[Problem], None]


class _Watch:
    """Notes the records that could not be read, so that none is missed without a word."""

    def __init__(self, on_problem: OnProblem | None) -> None:
        self._tell = on_problem
        self._problems: list[Problem] = []
        self._count = 0

    def look(self, page: Page[Any]) -> None:
        for problem in page.problems:
            if self._tell is not None:
                self._tell(problem)
                continue
            self._count += 1
            if len(self._problems) < 20:
                self._problems.append(problem)

    def done(self) -> None:
        if self._count:
            raise PayloadError(
                f"{self._count} records could not be read; the others were given",
                problems=[f"{p.path}: {p.message}" for p in self._problems],
                hint="Pass on_problem= to go on without them.",
                count=self._count,
            )


class Records(Generic[T_co]):
    """Records of a source. Each loop over them reads the source from the start.

    There is no length: counting is a call of its own.

    Example:
        >>> for device in google.chromebooks(org_unit="/Students/LHS"):  # doctest: +SKIP
        ...     print(device.serial)
    """

    def __init__(
        self, wire: Callable[[], Wire], plan: Plan[T_co], *, on_problem: OnProblem | None = None
    ) -> None:
        self._wire = wire
        self._plan = plan
        self._on_problem = on_problem

    def __iter__(self) -> Iterator[T_co]:
        """The records.

        Raises:
            PayloadError: After the last record, when some could not be read and nobody was named
                to be told of them.
            ConnectorError: The source could not be read to its end.
        """
        watch = _Watch(self._on_problem)
        for page in self.pages():
            watch.look(page)
            yield from page.items
        watch.done()

    def pages(self) -> Iterator[Page[T_co]]:
        """The records page by page, with the problems of each."""
        wire = self._wire()
        yield from wire.pages(wire.run(self._plan()))

    @property
    def raw(self) -> RawRecords:
        """The same records as the vendor sent them: plain dicts, each loop from the start."""
        return RawRecords(self)


class RawRecords:
    """Records as the vendor sent them."""

    def __init__(self, records: Records[object]) -> None:
        self._records = records

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """One dict a record, under the vendor's names."""
        for page in self._records.pages():
            yield from _dicts(page.raws())


class AsyncRecords(Generic[T_co]):
    """The same for ``async for``."""

    def __init__(
        self,
        wire: Callable[[], AsyncWire],
        plan: Plan[T_co],
        *,
        on_problem: OnProblem | None = None,
    ) -> None:
        self._wire = wire
        self._plan = plan
        self._on_problem = on_problem

    async def __aiter__(self) -> AsyncIterator[T_co]:
        """The records; raises what [`Records`][assetflow.connectors.google.records.Records] does."""
        watch = _Watch(self._on_problem)
        async for page in self.pages():
            watch.look(page)
            for item in page.items:
                yield item
        watch.done()

    async def pages(self) -> AsyncIterator[Page[T_co]]:
        """The records page by page, with the problems of each."""
        wire = self._wire()
        async for page in wire.pages(await wire.run(self._plan())):
            yield page

    @property
    def raw(self) -> AsyncRawRecords:
        """The same records as the vendor sent them."""
        return AsyncRawRecords(self)


class AsyncRawRecords:
    """Records as the vendor sent them, for ``async for``."""

    def __init__(self, records: AsyncRecords[object]) -> None:
        self._records = records

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """One dict a record, under the vendor's names."""
        async for page in self._records.pages():
            for record in _dicts(page.raws()):
                yield record


def _dicts(raws: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    decoder = msgspec.json.Decoder(dict[str, Any])
    return map(decoder.decode, raws)
