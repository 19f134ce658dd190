"""Writes of one district."""

from __future__ import annotations

from functools import wraps
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from assetflow.codec import Tally
from assetflow.errors import InvalidValue, StaleVersion, WriteWithoutEvent
from assetflow.store.checks import checked_key
from assetflow.store.journal import BEGINNING, chain, prepare
from assetflow.store.ports import Head
from assetflow.store.schema import KINDS, Kind, kind_of
from assetflow.store.sql.changes import REFERRED, Changes, changed_columns
from assetflow.store.sql.reading import SqlRead, chunked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.pool import PoolProxiedConnection

    from assetflow.errors import AssetflowError
    from assetflow.model import DistrictId, Record
    from assetflow.store.journal import Prepared as Ready
    from assetflow.store.journal import Removed, Written
    from assetflow.store.ports import Entry
    from assetflow.store.sql.library import Library
    from assetflow.store.sql.statements import Prepared

__all__ = ["SqlWrite", "ending"]

Key = tuple[Any, ...]
Row = tuple[Any, ...]
P = ParamSpec("P")
T = TypeVar("T")
W = TypeVar("W", bound="SqlWrite")

_OUTBOX = KINDS["outbox"]
_FEW = 100


def ending(method: Callable[Concatenate[W, P], T]) -> Callable[Concatenate[W, P], T]:
    """A write that raises ends its transaction; a driver's error becomes ours."""

    @wraps(method)
    def run(self: W, *args: P.args, **kwargs: P.kwargs) -> T:
        self.check()
        self.settle()
        try:
            return method(self, *args, **kwargs)
        except self.errors as raised:
            problem = self.failed(raised, self.doing)
        except BaseException:
            self.abandon("a write failed, so nothing of this transaction remains")
            raise
        raise problem

    return cast("Callable[Concatenate[W, P], T]", run)


class SqlWrite(SqlRead):
    """Reads and writes of one district that happen together or not at all.

    Args:
        district: The district.
        connection: A connection of the pool, in a transaction that may write.
        library: The store's engine and statements.
    """

    def __init__(
        self, district: DistrictId, connection: PoolProxiedConnection, library: Library
    ) -> None:
        super().__init__(district, connection, library)
        self._tally = Tally()
        self._stored: Head | None = None
        self._head: Head | None = None
        self._has_head = False
        self._committing = False
        self.doing: str | None = None
        self.counts: dict[str, int] = {"events": 0, "rows": 0, "intents": 0, "cleaned": 0}

    # --- the port ---

    def lock(self, *targets: tuple[type[Record], Key]) -> None:
        """Keep these records from being changed by others until the end."""
        self.check()
        wanted = set()
        for record, key in targets:
            of = self._library.over(record)
            wanted.add((of.kind.name, key if of.plain_key(key) else checked_key(of.kind, key)))
        if self._engine.locks_rows:
            self._lock_rows(wanted)

    def _lock_rows(self, wanted: set[tuple[str, Key]]) -> None:
        """In one order everywhere: by kind, then by key."""
        for name, some in groupby(sorted(wanted), key=itemgetter(0)):
            statements = self._library.of(KINDS[name])
            for first, chunk in chunked(key for _, key in some):
                self._rows(statements.lock_list(len(chunk)), (self._district, *first, *chunk))

    def head(self) -> Head:
        """The end of the journal, own events included."""
        self.check()
        return self._head or super().head()

    @ending
    def record(self, entries: Sequence[Entry]) -> Head:
        """Append events, write their records, add their intents to the outbox. One or many alike."""
        # All that takes time is done before the head is locked.
        ready = [prepare(self._district, entry, self._tally) for entry in entries]
        changes = Changes(self._district, entries, ready)
        if changes.in_order:
            self._one_by_one(entries, ready)
        else:
            self._grouped(changes)
        self.counts["rows"] += changes.count
        return self._append(ready)

    @ending
    def insert(self, records: Sequence[Record]) -> None:
        """Insert records of kinds without journalled fields."""
        for kind, some in _by_kind(records):
            self._stream_in(kind, self._library.of(kind).insert, some)
        self.counts["rows"] += len(records)

    @ending
    def upsert(self, records: Sequence[Record]) -> None:
        """Insert or replace records of kinds without journalled fields. The last of equal keys wins."""
        for kind, some in _by_kind(records):
            self._stream_in(kind, self._library.of(kind).upsert, some)
        self.counts["rows"] += len(records)

    @ending
    def delete(self, kind: type[Record], keys: Sequence[Key]) -> int:
        """Delete records of a kind without journalled fields; how many there were."""
        found = _unjournalled(kind_of(kind))
        wanted = dict.fromkeys(checked_key(found, key) for key in keys)
        rows = [(self._district, *key) for key in wanted]
        deleted = self._many(found, self._library.of(found).delete, rows)
        self.counts["rows"] += deleted
        return deleted

    # --- the end ---

    def finish(self) -> Head | None:
        """Commit. The end of the journal, or ``None`` when nothing was written.

        Raises:
            TransactionClosed: an earlier write failed.
        """
        self.check()
        self.doing = None
        self.counts["cleaned"] = self._tally.count
        wrote = any(self.counts.values())
        head = self.head() if wrote else None
        self.guarded(self._commit)
        return head

    def _commit(self) -> None:
        connection = self._connection
        if self._head is not None:
            self._advance(self._head)
        for rows in list(self._open):
            rows.end()
        self._committing = True
        self._commit_driver()
        self._let_go("the transaction has ended")
        self._engine.release(connection)  # type: ignore[arg-type]  # checked

    def _commit_driver(self) -> None:
        self._connection.commit()  # type: ignore[union-attr]  # checked

    def fault(self, raised: BaseException, kind: str | None) -> AssetflowError:
        """What a driver's error means; during the commit, something else."""
        if self._committing:
            return self._engine.commit_fault(raised)
        return super().fault(raised, kind)

    def settle(self) -> None:
        """Fetch what is being read, so that a write does not show in it."""
        for rows in list(self._open):
            rows.settle()

    # --- records ---

    def _stream_in(self, kind: Kind, statement: Prepared, records: Sequence[Record]) -> None:
        """Run a statement for each record.

        Of many, each becomes a row when the driver asks for it: a hundred thousand rows are then
        never there at once, and Python's collector has nothing to walk through.
        """
        plain, tally, district = kind.codec.plain, self._tally, self._district
        rows = ((district, *plain(record, tally)) for record in records)
        if len(records) <= _FEW:
            self._many(kind, statement, list(rows))
            return
        self.doing = kind.name
        bound = rows if statement.as_given else map(statement.bind, rows)
        self._cursor.executemany(statement.sql, bound)

    def _grouped(self, changes: Changes) -> None:
        of = self._library.of
        for kind, rows in changes.sorted_inserts():
            self._many(kind, of(kind).insert, rows)
        for (name, changed), rows in changes.updates.items():
            kind = KINDS[name]
            if self._engine.locks_rows:
                at = slice(len(changed) + 1, len(changed) + 1 + len(kind.key))
                rows.sort(key=itemgetter(at))  # rows are locked as they are met
            if self._many(kind, of(kind).update(changed), rows) != len(rows):
                raise self._stale(kind, self._overtaken(kind, changed, rows))
        for kind, rows in changes.sorted_removes():
            for row in rows:
                if self._many(kind, of(kind).remove, [row]) != 1:
                    raise self._stale(kind, row[1:])

    def _one_by_one(self, entries: Sequence[Entry], ready: Sequence[Ready]) -> None:
        """As the entries come. References are looked at when all is done, by hand."""
        touched: dict[tuple[str, Key], Row | None] = {}
        self._engine.defer_references(self._cursor, deferred=True)
        for entry, made in zip(entries, ready, strict=True):
            for gone in made.removed:
                self._remove(gone)
                touched[gone.kind.name, gone.key] = None
            for put, new in zip(entry.puts, made.written, strict=True):
                self._put(new, put.before, put.after)
                touched[new.kind.name, new.key] = new.row
        for (name, key), row in touched.items():
            self._check_references(KINDS[name], key, row)
        self._engine.defer_references(self._cursor, deferred=False)

    def _remove(self, gone: Removed) -> None:
        row = (self._district, *gone.key, *gone.guard)
        self._one(gone.kind, self._library.of(gone.kind).remove, row, gone.key)

    def _put(self, new: Written, before: Record | None, after: Record) -> None:
        statements = self._library.of(new.kind)
        if new.guard is None:
            self._many(new.kind, statements.insert, [(self._district, *new.row)])
            return
        changed = changed_columns(new.kind, before, after)
        row = (*[new.row[i] for i in changed], self._district, *new.key, *new.guard)
        self._one(new.kind, statements.update(changed), row, new.key)

    def _check_references(self, kind: Kind, key: Key, row: Row | None) -> None:
        """What is referred to is there; what is gone is not referred to."""
        if row is None:
            for other, field in REFERRED[kind.name]:
                statement = self._library.of(other).referring(field)
                if self._rows(statement, (self._district, *key)):
                    msg = f"a {other.name} refers to the {kind.name} that was removed"
                    raise InvalidValue(msg, kind=other.name, field=field)
            return
        for field, target in kind.refers:
            value = row[kind.positions[field]]
            statements = self._library.of(KINDS[target])
            late = self._engine.checks_references_late
            statement = statements.exists if late else statements.exists_kept
            if value is not None and not self._rows(statement, (self._district, value)):
                msg = f"{kind.name}.{field} refers to a {target} that is not there"
                raise InvalidValue(msg, kind=kind.name, field=field)

    # --- the journal ---

    def _append(self, ready: Sequence[Ready]) -> Head:
        """Seal the events behind the head, which is locked last of all."""
        if self._head is None:
            self._head = self._stored = self._locked_head()
        if not ready:
            return self._head
        rows, head = chain(self._head, ready)
        district = self._district
        self.doing = "journal"
        append = self._library.journal.append
        if len(rows) == 1:
            self._cursor.execute(append.sql, append.bind((district, *rows[0])))
        else:
            self._cursor.executemany(append.sql, [append.bind((district, *row)) for row in rows])
        intents = [
            (district, *intent)
            for made, row in zip(ready, rows, strict=True)
            if made.intents
            for intent in made.outbox(row[0])
        ]
        if intents:
            self._many(_OUTBOX, self._library.of(_OUTBOX).insert, intents)
        self._head = head
        self.counts["events"] += len(rows)
        self.counts["intents"] += len(intents)
        return head

    def _locked_head(self) -> Head:
        journal, here = self._library.journal, (self._district,)
        rows = self._rows(journal.lock_head, here)
        if not rows and self._engine.locks_rows:
            # Two first events of a district meet at the head as well, so it must be there.
            first = journal.prepare_head
            self._cursor.execute(first.sql, first.bind([*here, BEGINNING.seq, BEGINNING.hash]))
            rows = self._rows(journal.lock_head, here)
        self._has_head = bool(rows)
        return Head(*rows[0]) if rows else BEGINNING

    def _advance(self, head: Head) -> None:
        """Write the head, once for a transaction."""
        stored = self._stored
        if stored is None or stored == head:
            return
        journal = self._library.journal
        if not self._has_head:
            statement, values = journal.begin, [self._district, head.seq, head.hash]
        else:
            statement = journal.advance
            values = [head.seq, head.hash, self._district, stored.seq]
        self._cursor.execute(statement.sql, statement.bind(values))

    # --- statements ---

    def _many(self, kind: Kind, statement: Prepared, rows: Sequence[Row]) -> int:
        """Run a statement for each row; how many rows of the table it met."""
        self.doing = kind.name
        cursor = self._cursor
        if len(rows) == 1:
            cursor.execute(statement.sql, statement.bind(rows[0]))
        elif rows:
            bound = rows if statement.as_given else [statement.bind(row) for row in rows]
            cursor.executemany(statement.sql, bound)
        else:
            return 0
        return int(cursor.rowcount)

    def _one(self, kind: Kind, statement: Prepared, row: Row, key: Sequence[Any]) -> None:
        """Run a statement that must meet one row."""
        if self._many(kind, statement, [row]) != 1:
            raise self._stale(kind, key)

    def _overtaken(
        self, kind: Kind, changed: tuple[int, ...], rows: Sequence[Row]
    ) -> Sequence[Any]:
        """The key of the first row that an update did not meet; empty when it cannot be told.

        The others have their new version by now, and all goes back with the transaction.
        """
        place = len(changed) + 1
        at = kind.positions["version"] if kind.versioned else None
        for row in rows:
            key = row[place : place + len(kind.key)]
            found = self._rows(self._library.of(kind).get, (self._district, *key))
            if not found or (at is not None and found[0][at] != row[changed.index(at)]):
                return key
        return ()

    def _stale(self, kind: Kind, key: Sequence[Any]) -> StaleVersion:
        """The error for a record that is not as it was read."""
        msg = f"a {kind.name} is not there, or was changed since it was read"
        shown = tuple(str(part) for part in key[: len(kind.key)])
        return StaleVersion(msg, kind=kind.name, key=shown or None)


def _by_kind(records: Sequence[Record]) -> list[tuple[Kind, Sequence[Record]]]:
    """Records of kinds without journalled fields, by kind: what is referred to comes first."""
    if not records:
        return []
    if len(set(map(type, records))) == 1:
        return [(_unjournalled(kind_of(records[0])), records)]
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(_unjournalled(kind_of(record)).name, []).append(record)
    return [(kind, found[kind.name]) for kind in KINDS.values() if kind.name in found]


def _unjournalled(kind: Kind) -> Kind:
    if kind.journalled:
        msg = f"a {kind.name} changes with an event, through Transaction.record"
        raise WriteWithoutEvent(msg, kind=kind.name)
    return kind
