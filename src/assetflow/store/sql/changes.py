"""What one call of `record` does to the tables, sorted so that whole groups run at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assetflow.store.schema import KINDS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from assetflow.store.journal import Prepared as Ready
    from assetflow.store.ports import Entry

__all__ = ["REFERRED", "Changes"]

Key = tuple[Any, ...]
Row = tuple[Any, ...]

_WITH_UNIQUE = tuple(name for name, kind in KINDS.items() if kind.unique)
_PLACE = {name: place for place, name in enumerate(KINDS)}

REFERRED: dict[str, list[tuple[Kind, str]]] = {
    name: [(k, f) for k in KINDS.values() for f, target in k.refers if target == name]
    for name in KINDS
}
"""Which kinds refer to a kind, and by which field."""


class Changes:
    """Inserts, updates and removals of one call, by kind.

    Taken together they run in an order in which every reference is whole after each statement:
    inserts from what is referred to down, then updates, then removals from the other end. That
    gives the same as taking the entries in order, but for two cases, and for those `in_order`
    says so: a record that is touched twice, and a unique field that one record gives up and
    another takes.

    Args:
        district: The district, which leads each row.
        entries: The entries.
        ready: The same, made ready by the journal.
    """

    def __init__(self, district: str, entries: Sequence[Entry], ready: Sequence[Ready]) -> None:
        self.inserts: dict[str, list[Row]] = {}
        self.updates: dict[tuple[str, tuple[int, ...]], list[Row]] = {}
        self.removes: dict[str, list[Row]] = {}
        self.count: int = 0
        self._touched: set[tuple[str, Key]] = set()
        self._district = district
        for entry, made in zip(entries, ready, strict=True):
            self._add(entry, made)

    def _add(self, entry: Entry, made: Ready) -> None:
        district, touched = self._district, self._touched
        for gone in made.removed:
            name = gone.kind.name
            touched.add((name, gone.key))
            self.removes.setdefault(name, []).append((district, *gone.key, *gone.guard))
        for put, new in zip(entry.puts, made.written, strict=True):
            name = new.kind.name
            touched.add((name, new.key))
            if new.guard is None:
                self.inserts.setdefault(name, []).append((district, *new.row))
            else:
                changed = changed_columns(new.kind, put.before, put.after)
                values = [new.row[i] for i in changed]
                self.updates.setdefault((name, changed), []).append(
                    (*values, district, *new.key, *new.guard)
                )
        self.count += len(made.removed) + len(made.written)

    @property
    def in_order(self) -> bool:
        """Whether the entries must be taken one after another."""
        if len(self._touched) < self.count:
            return True
        return any(self._trades(name) for name in _WITH_UNIQUE)

    def _trades(self, name: str) -> bool:
        """Whether a unique field of that kind may go from one record to another."""
        updates = sum(len(rows) for (n, _), rows in self.updates.items() if n == name)
        changes = updates + len(self.removes.get(name, ()))
        return changes > 1 or (changes == 1 and name in self.inserts)

    def sorted_inserts(self) -> Iterator[tuple[Kind, list[Row]]]:
        """What is referred to before what refers."""
        for name in sorted(self.inserts, key=_PLACE.__getitem__):
            yield KINDS[name], self.inserts[name]

    def sorted_removes(self) -> Iterator[tuple[Kind, list[Row]]]:
        """What refers before what is referred to."""
        for name in sorted(self.removes, key=_PLACE.__getitem__, reverse=True):
            yield KINDS[name], self.removes[name]


def changed_columns(kind: Kind, before: Any, after: Any) -> tuple[int, ...]:
    """Positions of the columns to set: those that differ, so that only their indexes are touched.

    All but the key when none does, since the row must be there all the same, and for a kind whose
    guard does not show that somebody changed the row meanwhile.
    """
    changed = kind.codec.changed(before, after) if kind.guard else None
    if changed:
        return tuple(changed)
    return tuple(i for i, c in enumerate(kind.columns) if c.name not in kind.key)
