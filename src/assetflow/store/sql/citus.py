"""Placing districts on the nodes of a Citus cluster.

Every table is distributed by its district, in one group of shards, so that all of a district
lies on one node: its transactions need no other, and its foreign keys are local. Models, places
and people belong to a district here, so no table is shared but the note of the schema's revision,
which every node must be able to read and which therefore is a reference table.

What Citus asks of tables and statements is checked rule by rule in ``tests/tenancy``, against its
documentation: [distributed tables](https://docs.citusdata.com/en/stable/develop/reference_ddl.html),
[utility functions](https://docs.citusdata.com/en/stable/develop/api_udf.html).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetflow.store.sql.migrate import VERSION_TABLE
from assetflow.store.sql.tables import DISTRICT, METADATA

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DISTRIBUTED", "distribution"]

DISTRIBUTED: Sequence[str] = tuple(table.name for table in METADATA.sorted_tables)
"""Every table of a store, each after those that it refers to: the order of distributing them."""

_PRESENT = "SELECT FROM pg_extension WHERE extname = 'citus'"
_PLACED = "SELECT FROM pg_dist_partition WHERE logicalrelid = to_regclass('{name}')"
_DROP_TRIGGERS = """\
DECLARE found record;
BEGIN
  FOR found IN SELECT tgname, tgrelid FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN ({names})
  LOOP
    EXECUTE 'DROP TRIGGER ' || quote_ident(found.tgname) || ' ON ' || found.tgrelid::regclass;
  END LOOP;
END;"""


def distribution() -> str:
    """A statement for PostgreSQL that distributes the tables where Citus is present.

    Elsewhere it does nothing. Tables that are distributed already are left as they are, so it
    may be run after each migration; rows that a table holds move to their nodes. Citus keeps no
    triggers on a distributed table, so those of ours are dropped there: a cluster's journal is
    guarded by its chain and by what the role may do.
    """
    steps = [_without_triggers(), *(_distributed(name) for name in DISTRIBUTED), _shared()]
    body = "\n".join(f"    {line}" for step in steps for line in step.splitlines())
    return (
        f"DO $assetflow$\nBEGIN\n  IF EXISTS ({_PRESENT}) THEN\n{body}\n  END IF;\nEND\n$assetflow$"
    )


def _distributed(name: str) -> str:
    # The first begins a group of shards of its own, which no other program's tables join.
    beside = "none" if name == DISTRIBUTED[0] else DISTRIBUTED[0]
    act = f"create_distributed_table('{name}', '{DISTRICT}', colocate_with => '{beside}')"
    there = f"to_regclass('{name}') IS NOT NULL"
    return (
        f"IF {there} AND NOT EXISTS ({_PLACED.format(name=name)}) THEN\n  PERFORM {act};\nEND IF;"
    )


def _shared() -> str:
    placed = _PLACED.format(name=VERSION_TABLE)
    act = f"create_reference_table('{VERSION_TABLE}')"
    return f"IF NOT EXISTS ({placed}) THEN\n  PERFORM {act};\nEND IF;"


def _without_triggers() -> str:
    names = ", ".join(f"to_regclass('{name}')" for name in DISTRIBUTED)
    return _DROP_TRIGGERS.format(names=names)
