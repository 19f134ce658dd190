"""Every schema that was released upgrades with data in it, and its journal still tells its tables.

A file of each revision is made as that revision made it, with rows of all the kinds that it had
and the journal that goes with them. Nothing here names a revision or a kind: a new revision is
tested from the day on which it stands in `REVISIONS`.
"""

import json
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

import assetflow.testing.stores  # noqa: F401  # first of the suite: pytest rewrites its asserts
from assetflow.model import Device, Query
from assetflow.store.journal import BEGINNING, prepare, verify
from assetflow.store.ports import Head
from assetflow.store.replay import compare
from assetflow.store.schema import JOURNAL, KINDS, kind_of
from assetflow.store.sql import HEAD, REVISIONS, SqlStore, migrate
from assetflow.testing._store.records import emptiest, longest
from assetflow.testing._store.tools import device, entry, insertion, key_of, parents

HERE = "lincoln"


def make_schema(file, revision):
    """Run the revisions up to one, each as it was written."""
    scripts = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    steps = [step for step in reversed(list(scripts.walk_revisions())) if step.revision <= revision]
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"render_as_batch": True})
        with Operations.context(context):
            for step in steps:
                step.module.upgrade()
        connection.exec_driver_sql(
            f"CREATE TABLE {migrate.VERSION_TABLE} (version_num VARCHAR(32))"
        )
        connection.exec_driver_sql(f"INSERT INTO {migrate.VERSION_TABLE} VALUES ('{revision}')")
    engine.dispose()


def columns_of(connection, table):
    """Name, type, whether it must be known, and default of each column that the table has."""
    rows = connection.execute(f"PRAGMA table_info({table})")
    return {name: (kind, needed, default) for _, name, kind, needed, default, _ in rows}


def records_then(connection):
    """Records of every kind that the schema has a table for, each after what it refers to."""
    made = {}
    for name, kind in KINDS.items():
        if not columns_of(connection, f"af_{name}"):
            continue
        for record in (emptiest(kind), longest(kind)):
            for one in (*parents(record), record):
                made[kind_of(one).name, key_of(one)] = one
    order = list(KINDS)
    return sorted(made.values(), key=lambda r: order.index(kind_of(r).name))


def insert(connection, record):
    """A row as the schema of that time kept it. Returns the columns that it had."""
    kind = kind_of(record)
    there = columns_of(connection, f"af_{kind.name}")
    row = {c.name: v for c, v in zip(kind.columns, kind.codec.plain(record), strict=True)}
    row = {"district_id": HERE} | {name: value for name, value in row.items() if name in there}
    for name, (sort, needed, default) in there.items():
        if name not in row and needed and default is None:  # a column that is gone by now
            row[name] = 0 if "INT" in sort else ""
    marks = ", ".join("?" * len(row))
    connection.execute(
        f"INSERT INTO af_{kind.name} ({', '.join(row)}) VALUES ({marks})", list(row.values())
    )
    return set(there)


def body_then(ready, there):
    """The body as a version wrote it that knew these columns and no others."""
    said = json.loads(b"{" + ready.rest[1:])
    for change in said["changes"]:
        known = there[change["kind"]]
        change["set"] = {name: v for name, v in change["set"].items() if name in known}
    return ready._replace(rest=b"," + json.dumps(said).encode()[1:])


def fill(file):
    """Rows of all kinds, and the journal of those that are journalled. Returns records and head."""
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA foreign_keys = ON")
    head, names = BEGINNING, [column.name for column in JOURNAL]
    records = records_then(connection)
    there = {kind_of(r).name: insert(connection, r) for r in records}
    for record in records:
        if kind_of(record).journalled:
            sealed = body_then(prepare(HERE, entry(record)), there).seal(head.seq + 1, head.hash)
            connection.execute(
                f"INSERT INTO af_event (district_id, {', '.join(names)}) VALUES (?{', ?' * 9})",
                (HERE, *sealed),
            )
            head = Head(sealed[0], sealed[-1])
    connection.execute("INSERT INTO af_event_head VALUES (?, ?, ?)", (HERE, head.seq, head.hash))
    connection.commit()
    connection.close()
    return records, head


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_released_schema_upgrades_with_data_in_it(tmp_path, revision):
    file = tmp_path / "store.db"
    make_schema(file, revision)
    records, head = fill(file)
    assert len(records) > 40
    assert head.seq > 10

    store = SqlStore.open(f"sqlite:///{file}")
    with store.read(HERE) as tx:
        assert verify(tx).head == head
        assert compare(tx) == []
        for name, kind in KINDS.items():
            mine = [r for r in records if kind_of(r).name == name]
            assert tx.count(Query(kind=kind.record)) == len(mine), name
            for record in mine:
                assert tx.get(kind.record, *key_of(record)) is not None
    insertion(store, HERE, device("made-later"))
    with store.read(HERE) as tx:
        assert tx.get(Device, "made-later") == device("made-later")
        assert compare(tx) == []
    store.close()

    copies = list(tmp_path.glob("*.backup-*"))
    assert len(copies) == (0 if revision == HEAD else 1)
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
