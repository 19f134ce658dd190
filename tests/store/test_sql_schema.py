"""The tables: types that need no conversion, keys that the district leads, on three engines."""

import sqlite3
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.mysql.mariadb import MariaDBDialect
from sqlalchemy.dialects.mysql.pymysql import MySQLDialect_pymysql
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from assetflow.codec import ColumnType
from assetflow.model import FIGURES, Device, F, Order, Query, Sighting
from assetflow.store.checks import checked_aggregate, checked_query
from assetflow.store.schema import JOURNAL, KINDS
from assetflow.store.sql.dialects import insert_or_leave_for, upsert_for
from assetflow.store.sql.filters import (
    EVERYTHING,
    HOW_MANY,
    Figures,
    aggregate_plan,
    make_select,
    query_plan,
)
from assetflow.store.sql.library import Library
from assetflow.store.sql.tables import DISTRICT, EVENT, EVENT_HEAD, METADATA, PREFIX, TABLES

# A driver that wraps bytes: a processor that is not None would be found.
DRIVER = SimpleNamespace(Binary=memoryview, paramstyle="pyformat")
DIALECTS = {
    "sqlite": SQLiteDialect_pysqlite(dbapi=sqlite3),
    "postgresql": PGDialect_psycopg(),
    "mysql": MySQLDialect_pymysql(),
    "mariadb": MariaDBDialect(),
}
for _dialect in DIALECTS.values():
    _dialect.dbapi = _dialect.dbapi or DRIVER


class Paper:
    """An engine to compile for, with nothing behind it."""

    def __init__(self, name):
        self.name = name
        self.dialect = DIALECTS[name]

    def upsert(self, table):
        return upsert_for(self.name, table)

    def insert_or_leave(self, table):
        return insert_or_leave_for(self.name, table)

    def member_of(self, column, members):
        return column == members

    def list_value(self, members):
        return members

    def exact_sum(self, column):
        return (sa.func.sum(column),), lambda value: value


@pytest.fixture(params=sorted(DIALECTS))
def engine(request):
    return Paper(request.param)


def tables():
    return METADATA.sorted_tables


def test_there_is_a_table_for_each_kind_and_for_the_journal():
    assert set(METADATA.tables) == {
        *(PREFIX + name for name in KINDS),
        f"{PREFIX}event",
        f"{PREFIX}event_head",
    }


def test_no_column_needs_a_conversion_on_the_way_in_or_out(engine):
    found = {
        str(column): (bind, result)
        for table in tables()
        for column in table.columns
        for impl in [column.type.dialect_impl(engine.dialect)]
        for bind in [impl.bind_processor(engine.dialect)]
        for result in [impl.result_processor(engine.dialect, None)]
        if bind is not None or result is not None
    }
    assert found == {}


def test_no_column_has_a_default_in_python():
    columns = [c for table in tables() for c in table.columns]
    assert [c for c in columns if c.default is not None or c.onupdate is not None] == []


def test_the_district_leads_every_key_unique_set_reference_and_index():
    for table in tables():
        assert next(iter(table.primary_key.columns)).name == DISTRICT
        for index in table.indexes:
            assert next(iter(index.columns)).name == DISTRICT, index.name
        for reference in table.foreign_key_constraints:
            assert reference.column_keys[0] == DISTRICT, reference.name
            assert reference.elements[0].column.name == DISTRICT, reference.name


def test_tables_say_what_their_kinds_say():
    for kind in KINDS.values():
        table = TABLES[kind.name]
        assert [c.name for c in table.columns] == [DISTRICT, *(c.name for c in kind.columns)]
        assert [c.name for c in table.primary_key.columns] == [DISTRICT, *kind.key]
        assert {c.name: c.nullable for c in table.columns if c.name != DISTRICT} == {
            c.name: c.nullable for c in kind.columns
        }
        assert len(table.foreign_key_constraints) == len(kind.refers)
        assert {i.unique for i in table.indexes} <= {True, False}
        assert sum(i.unique for i in table.indexes) == len(kind.unique)
    assert [c.name for c in EVENT.columns] == [DISTRICT, *(c.name for c in JOURNAL)]
    assert [c.name for c in EVENT_HEAD.columns] == [DISTRICT, "seq", "hash"]


def test_flags_are_checked():
    for kind in KINDS.values():
        flags = {c.name for c in kind.columns if c.type is ColumnType.FLAG}
        checks = [c for c in TABLES[kind.name].constraints if isinstance(c, sa.CheckConstraint)]
        assert {str(c.sqltext).split()[0] for c in checks} == flags


def test_names_are_short_enough_for_every_engine_and_used_once():
    names = [t.name for t in tables()]
    names += [i.name for t in tables() for i in t.indexes]
    names += [str(c.name) for t in tables() for c in t.constraints if c.name]
    assert max(map(len, names)) <= 63
    assert len(set(names)) == len(names)


def test_keys_fit_into_an_index_of_mariadb():
    for table in tables():
        keys = [table.primary_key, *table.indexes]
        for key in keys:
            size = sum(4 * (getattr(c.type, "length", None) or 2) for c in key.columns)
            assert size <= 3072, key.name


def test_text_compares_byte_by_byte(engine):
    collation = {
        "postgresql": 'COLLATE "C"',
        "mariadb": "COLLATE utf8mb4_nopad_bin",
        "mysql": "COLLATE utf8mb4_0900_bin",
        "sqlite": "VARCHAR(64) NOT NULL",
    }[engine.name]
    made = str(CreateTable(TABLES["device"]).compile(dialect=engine.dialect))
    line = next(part for part in made.splitlines() if part.strip().startswith("id "))
    assert collation in line


def test_every_table_and_statement_compiles(engine):
    for table in tables():
        assert PREFIX in str(CreateTable(table).compile(dialect=engine.dialect))
        for index in table.indexes:
            assert DISTRICT in str(CreateIndex(index).compile(dialect=engine.dialect))
    library = Library(engine)
    for kind in KINDS.values():
        of = library.of(kind)
        made = [of.get, of.exists, of.get_list(8), of.insert, of.upsert, of.remove, of.delete]
        made += [of.update((len(kind.columns) - 1,)), *(of.referring(f) for f, _ in kind.refers)]
        for statement in made:
            assert TABLES[kind.name].name in statement.sql
            assert DISTRICT in statement.sql
    journal = library.journal
    for statement in (journal.head, journal.lock_head, journal.begin, journal.advance):
        assert EVENT_HEAD.name in statement.sql
    assert EVENT.name in journal.append.sql
    assert "DISTINCT" not in journal.districts.sql
    for subject in (False, True):
        for batch in (False, True):
            assert "ORDER BY" in journal.events(subject=subject, batch=batch).sql


def test_queries_and_figures_compile(engine):
    queries = [
        Query(kind=Device),
        Query(
            kind=Device,
            where=~(F.lifecycle.one_of("lost", "stolen", "retired") | F.site_id.is_unknown())
            & F.asset_tag.starts_with("LHS-"),
            order=(Order("auto_update_ends", descending=True),),
            limit=5,
        ),
        Query(kind=Sighting, after=("google", "x"), limit=5),
    ]
    for asked in queries:
        kind, query = checked_query(asked)
        for chosen in (EVERYTHING, HOW_MANY, kind.key):
            plan, values = query_plan(query, chosen)
            made = make_select(plan, kind, engine)
            bound = made.bind(["lincoln", *values])
            assert len(bound) >= 1 + len(values)
    for figure in FIGURES.values():
        kind, checked = checked_aggregate(figure)
        plan, _ = aggregate_plan(checked)
        assert "GROUP BY" in Figures(plan, kind, engine).statement.sql


def test_rows_are_locked_where_an_engine_locks_rows(engine):
    locked = Library(engine).journal.lock_head.sql
    assert ("FOR UPDATE" in locked or "FOR NO KEY UPDATE" in locked) is (engine.name != "sqlite")


def test_an_upsert_replaces_all_but_the_key(engine):
    made = Library(engine).of(KINDS["sighting"]).upsert.sql
    words = "ON DUPLICATE KEY UPDATE" if "m" in engine.name else "ON CONFLICT"
    assert words in made
    tail = made.split(words)[1]
    for column in KINDS["sighting"].columns:
        assert (column.name in tail) is (
            column.name not in ("source", "source_id") or words.startswith("ON CONFLICT")
        )
