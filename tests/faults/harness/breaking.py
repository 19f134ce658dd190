"""Fails the first, the second, the third … call of the database, until a verb ends without a fault.

Two ways for each call: it is refused before it does anything, and it does its work but its answer
is lost. The second is what a connection that breaks during a commit looks like: the work is done,
and nobody was told.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import define, field

import assetflow
from assetflow.errors import AssetflowError, DuplicateKey, InputError, Refusal, StoreError
from assetflow.model import Query
from assetflow.store.schema import KINDS
from assetflow.store.sql import SqlStore
from harness.grounds import CANARY, Ground
from harness.results import Result
from harness.verbs import VERBS, Verb, furnish

__all__ = ["Breaker", "break_calls", "breakable"]

_CALLS = {"execute", "executemany", "commit", "rollback", "copy", "fetchmany"}
_MOST = 3000
_RECORDS = 100  # of a kind, fewer than the store reads at once


@define
class Breaker:
    """Counts the calls of a driver, and fails one of them."""

    make: Callable[..., BaseException]
    """Makes the driver's error."""
    at: int | None = None
    """Which call fails; none when not given."""
    lost: bool = False
    """Whether the call does its work first, so that only its answer is lost."""
    count: int = 0
    """How many calls there were."""
    broken: str | None = field(default=None, init=False)
    """What the call was that failed, once it did."""

    def arm(self, at: int | None, *, lost: bool = False) -> None:
        """Count from the beginning."""
        self.at, self.lost, self.count, self.broken = at, lost, 0, None

    def call(self, name: str, do: Callable[[], Any]) -> Any:
        self.count += 1
        if self.count != self.at:
            return do()
        if self.lost or name == "close":
            do()
        self.broken = name
        raise self.make(lost=self.lost)


class _Seen:
    """A connection or a cursor whose calls are counted."""

    __slots__ = ("breaker", "real")

    def __init__(self, real: Any, breaker: Breaker) -> None:
        object.__setattr__(self, "real", real)
        object.__setattr__(self, "breaker", breaker)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.real, name)
        if name in _CALLS or (name == "close" and _in_the_server(self.real)):
            return lambda *a, **k: self._made(self.breaker.call(name, lambda: found(*a, **k)))
        if name == "cursor":
            return lambda *a, **k: _Seen(found(*a, **k), self.breaker)
        return _Seen(found, self.breaker) if name == "driver_connection" else found

    def _made(self, answer: Any) -> Any:
        """What ``execute`` gives back is often the cursor itself."""
        return self if answer is self.real else answer

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.real, name, value)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.real)


def _in_the_server(cursor: Any) -> bool:
    """Whether closing a cursor is a call: one that has a name is kept by the server."""
    return hasattr(cursor, "fetchmany") and bool(getattr(cursor, "name", None))


@contextmanager
def breakable(store: SqlStore, make: Callable[..., BaseException]) -> Iterator[Breaker]:
    """Have the calls of a store go through a breaker, for a block."""
    engine, breaker = store.library.engine, Breaker(make)
    real = engine.connect

    def connect() -> Any:
        connection = real()
        return connection if isinstance(connection, _Seen) else _Seen(connection, breaker)

    engine.connect = connect
    try:
        yield breaker
    finally:
        breaker.arm(None)
        del engine.connect


class _Clock:
    """A clock that a scenario moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


class _Bench:
    """One verb on one furnished district."""

    def __init__(self, ground: Ground, verb: Verb) -> None:
        self.verb, self.clock = verb, _Clock()
        url, self.here = ground.furnished(furnish)
        self.store = SqlStore.open(url)
        self.probes = 0

    def district(self, actor: str = "clerk") -> assetflow.District:
        """A session of its own, which has learned nothing from the ones before."""
        return assetflow.open(self.store, district=self.here, actor=actor, clock=self.clock)

    def state(self) -> dict[str, list[Any]]:
        """Every record, and the end of the journal."""
        found: dict[str, list[Any]] = {}
        with self.store.read(self.here) as tx:
            for kind in KINDS.values():
                records = tx.find(Query(kind=kind.record, limit=_RECORDS))
                found[kind.name] = sorted(map(repr, records))
                assert len(found[kind.name]) < _RECORDS, "too many to see all"
            return found | {"head": [tx.head()]}

    def events(self) -> int:
        with self.store.read(self.here) as tx:
            return tx.head().seq

    def sound(self) -> None:
        found = self.district().journal.verify()
        assert found.ok, (found.replayed[:3], found.derived[:3])

    def probe(self) -> None:
        """Some other write works."""
        self.probes += 1
        self.district("prober").places.add("room", f"Probe {self.probes}", code="PROBE")

    def close(self) -> None:
        self.store.close()


def break_calls(ground: Ground, name: str) -> Result:
    """Run one verb with a fault in each of its calls, one after another.

    Args:
        ground: An empty database; the furnished district is made in it, and copied.
        name: The verb.
    """
    begun, verb = time.monotonic(), VERBS[name]
    with closing(_Bench(ground, verb)) as bench:
        before = bench.events()
        verb.do(bench.district())
        expected = bench.events() - before
    faults = calls = 0
    for lost in (False, True):
        done = _each_call(ground, verb, lost=lost, expected=expected)
        faults, calls = faults + done, max(calls, done)
    assert calls > 0, f"{name} asks nothing of the database"
    return Result(
        fault="a call of the database fails",
        engine=ground.version,
        times=f"{faults:,} faults",
        acknowledged=expected,
        checks=faults,
        seconds=time.monotonic() - begun,
    )


def _each_call(ground: Ground, verb: Verb, *, lost: bool, expected: int) -> int:
    bench = _Bench(ground, verb)
    try:
        for at in range(1, _MOST):
            before, events = bench.state(), bench.events()
            with breakable(bench.store, ground.broken) as breaker:
                raised = _try(bench, breaker, at, lost=lost)
                broken = breaker.broken
            if broken is None:
                assert raised is None, raised
                assert bench.events() - events == expected
                return at - 1
            where = f"call {at}, {broken}, {'answer lost' if lost else 'refused'}"
            try:
                bench = _after(ground, bench, raised, before, events, expected, lost=lost)
            except AssertionError as found:
                found.add_note(where)
                raise
    finally:
        bench.close()
    raise AssertionError("it never ended")


def _try(bench: _Bench, breaker: Breaker, at: int, *, lost: bool) -> BaseException | None:
    """Do it with a fault; what it raised."""
    district = bench.district()
    breaker.arm(at, lost=lost)
    try:
        bench.verb.do(district)
    except BaseException as raised:  # noqa: BLE001  # looked at by the caller
        return raised
    return None


def _after(
    ground: Ground,
    bench: _Bench,
    raised: BaseException | None,
    before: dict[str, list[Any]],
    events: int,
    expected: int,
    *,
    lost: bool,
) -> _Bench:
    """Nothing is half done, the store works, the same call again does what it should."""
    if raised is not None:
        _typed(raised)
    moved = bench.state() != before
    if moved:  # what did not move was sound before
        bench.sound()
    if raised is not None and not bench.verb.several and moved:
        assert lost, "a refused call, and something was written"
        assert bench.events() - events == expected, "an answer was lost, and half of it was done"
    if raised is None and not bench.verb.several:
        assert bench.events() - events == expected, "it said that it was done"
    bench.probe()
    if moved or raised is None or bench.verb.several:
        _again(bench, events, expected)
        bench.close()
        return _Bench(ground, bench.verb)
    return bench


def _again(bench: _Bench, events: int, expected: int) -> None:
    """The same call once more: what was done is not done twice, or a rule refuses it."""
    verb = bench.verb
    bench.clock.now += timedelta(minutes=6)  # a run that nobody took up again is free
    try:
        verb.do(bench.district())
    except (Refusal, InputError, DuplicateKey):
        assert not verb.once, "it was not the same as the first time"
        assert not verb.several, "it was not finished"
    made = bench.events() - events - 1  # the probe's is one of them
    if verb.once or verb.several:
        assert made == expected, f"{made} events in all, and {expected} in one piece"
    bench.sound()


def _typed(raised: BaseException) -> None:
    """One of ours, with nothing of the driver's on it."""
    assert isinstance(raised, StoreError), repr(raised)
    seen, problem = [], raised
    while problem is not None:
        assert isinstance(problem, AssetflowError), f"a driver's error hangs on it: {problem!r}"
        seen += [repr(problem), str(problem), str(problem.as_dict()), str(vars(problem))]
        seen += traceback.format_exception_only(problem)
        problem = problem.__cause__ or problem.__context__
    assert CANARY not in "\n".join(seen), "the driver's words"
